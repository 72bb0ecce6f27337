"""What leads from the page for lecturers to the notebooks to hand in."""

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "tools")]

import handin  # noqa: E402  (the book's Sphinx extension)


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Return an empty folder in the place of the notebooks; the environment names no repository."""
    for name in ("GITHUB_REPOSITORY", "NOTEBOOKS_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(handin.handout, "NOTEBOOKS", tmp_path / "exercises")
    (tmp_path / "exercises").mkdir()
    return tmp_path / "exercises"


def links():
    """Return the addresses in the row of a chapter."""
    role = handin.Notebook()
    role.text = "recursion"
    env = SimpleNamespace(docname="book/teach")
    role.inliner = SimpleNamespace(document=SimpleNamespace(settings=SimpleNamespace(env=env)))
    found, _messages = role.run()
    assert all(node["format"] == "html" for node in found)
    return re.findall('href="(.*?)"', "".join(node.astext() for node in found))


def test_a_row_leads_to_the_notebook_and_to_colab(notebooks, monkeypatch):
    assert links() == []
    (notebooks / "recursion-exercises.ipynb").touch()
    assert links() == ["../exercises/recursion-exercises.ipynb"]
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    monkeypatch.setenv("NOTEBOOKS_BRANCH", "colab")
    colab = "https://colab.research.google.com/github/owner/name/blob/colab/"
    assert links()[1:] == [f"{colab}exercises/recursion-exercises.ipynb"]


def test_a_notebook_older_than_its_exercises_is_not_handed_out(notebooks, tmp_path):
    path = notebooks / "recursion-exercises.ipynb"
    path.touch()
    app = SimpleNamespace(outdir=tmp_path / "out", builder=SimpleNamespace(format="html"))
    handin.copy_notebooks(app, None)
    assert [one.name for one in (app.outdir / "exercises").iterdir()] == [path.name]
    source = ROOT / "exercises" / "recursion.py"
    os.utime(path, (0, source.stat().st_mtime - 1))
    assert links() == []
    handin.copy_notebooks(app, None)
    assert not (app.outdir / "exercises").exists()


@pytest.mark.parametrize("handed_out", [False, True])
def test_the_table_has_a_column_for_notebooks_where_there_are_some(notebooks, handed_out):
    if handed_out:
        (notebooks / "recursion-exercises.ipynb").touch()
    noted, parsed = [], []
    table = object.__new__(handin.Table)
    env = SimpleNamespace(docname="book/teach", note_dependency=noted.append)
    table.state = SimpleNamespace(
        document=SimpleNamespace(settings=SimpleNamespace(env=env)),
        nested_parse=lambda lines, offset, found: parsed.extend(lines),
    )
    table.content_offset = 0
    table.run()
    assert parsed[0].endswith("points | notebook |" if handed_out else "points |")
    assert len({line.count(" |") for line in parsed}) == 1
    # a notebook that comes later has the page read again
    assert str(notebooks / "recursion-exercises.ipynb") in noted
