"""The tool that sees checks fail, on notebooks of a few lines, and what it recorded of the chapters."""

import importlib.util
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("mutants", ROOT / "tools" / "mutants.py")
mutants = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mutants)

CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))


def cell(name, source, **metadata):
    return new_code_cell(source, id=name, metadata=metadata)


def check(source, replace="i + 1", by="i", target="sum", **more):
    mutation = {"cell": target, "replace": replace, "by": by, **more}
    meta = {"mystnb": {"code_prompt_show": "✓ the sum"}, "mutation": mutation}
    return cell("check", source, tags=["check", "hide-cell"], **meta)


def chapter(last, *between):
    cells = [cell("sum", "total = sum(i + 1 for i in range(3))"), *between, last]
    return new_notebook(cells=cells)


def verdict(notebook):
    """Return what a check raises as it stands, and what is wrong with it under its mutation."""
    (mutant,) = mutants.mutants(notebook)
    return *mutants.unchanged(notebook.cells, ".").values(), mutants.changed(mutant, ".")


def test_an_error_is_no_failed_check(monkeypatch):
    run, seen = mutants.run, {}  # the same cells run once

    def once(cells, folder):
        key = str(cells)
        seen[key] = seen.get(key) or run(cells, folder)
        return seen[key]

    monkeypatch.setattr(mutants, "run", once)
    raises = "if total != 6:\n    raise KeyError(total)"
    assert verdict(chapter(check(raises))) == ("", "raises KeyError, not AssertionError")
    assert verdict(chapter(check(raises, error="KeyError"))) == ("", "")
    early = cell("early", "assert total == 6")
    expected = cell("expected", "shift = 0\n1 / 0", tags=["raises-exception"])
    assert verdict(chapter(check("assert total == 6 + shift"), expected)) == ("", "")
    assert verdict(chapter(check("pass"), early)) == ("", "an earlier cell fails: AssertionError")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replace": "i + 2"}, "occurs 0 times"),
        ({"replace": "i"}, "occurs 3 times"),
        ({"by": "i + 1"}, "replaced by another"),
        ({"target": "later"}, "an earlier cell"),
        ({"why": "?"}, "allowed: cell, replace, by, error"),
    ],
)
def test_a_mutation_that_does_not_apply_is_named(changes, message):
    with pytest.raises(ValueError, match=f"check.*{message}"):
        mutants.mutants(chapter(check("assert total == 6", **changes)))


def test_a_check_without_a_mutation_is_named():
    bare = cell("bare", "assert total", tags=["check", "hide-cell"])
    with pytest.raises(ValueError, match=r"bare: mutation=\{\}"):
        mutants.mutants(chapter(bare))


def test_a_check_leaves_nothing_to_later_cells():
    first = check("assert total == 6\nshift = 1")
    first.id = "first"
    notebook = chapter(check("assert total == 6 * shift"), first)
    assert mutants.unchanged(notebook.cells, ".") == {"first": "", "check": "NameError"}


def test_a_check_draws_from_a_generator_of_its_own():
    with pytest.raises(ValueError, match="check check draws from rng"):
        mutants.mutants(chapter(check("assert total == 6 + 0 * rng.normal()")))


def test_other_checks_and_figures_are_left_out_unless_needed():
    def added(*between):
        notebook = chapter(check("assert total == 6 + shift"), *between)
        return len(mutants.mutants(notebook)[-1].cells) - 2

    meta = {"mystnb": {"figure": {"caption": "A line."}}}
    other = check("assert total == 6")
    other.id = "other"
    assert added(other) == 0
    assert added(cell("a", "plot = total", **meta)) == 0
    assert added(cell("b", "plot = total")) == 1
    assert added(cell("c", "shift = 0", **meta)) == 1
    assert added(cell("d", "plot = rng.normal()", **meta)) == 1


def test_results_are_kept_and_the_checks_seen_failing_are_listed(tmp_path, monkeypatch, capsys):
    good, bad = tmp_path / "good.ipynb", tmp_path / "bad.ipynb"
    nbformat.write(chapter(check("assert total == 6")), good)
    nbformat.write(chapter(check("assert total > 0")), bad)
    runs = []
    run = mutants.run
    monkeypatch.setattr(mutants, "run", lambda *arguments: runs.append(1) or run(*arguments))
    files = tmp_path / "seen.json", tmp_path / "book.json"
    assert mutants.check([good, bad], *files) == 1
    said = capsys.readouterr().out
    assert re.search("^good +failed, as it must +✓ the sum$", said, flags=re.M)
    assert re.search("^bad +SURVIVES +✓ the sum$", said, flags=re.M)
    assert len(runs) == 4
    listed = json.loads(files[1].read_text("utf-8"))
    assert {stem: list(ones) for stem, ones in listed.items()} == {"good": ["check"]}
    assert mutants.check([good, bad], *files) == 1
    assert len(runs) == 4  # nothing ran again
    capsys.readouterr()
    nbformat.write(chapter(check("assert total == 7")), good)
    assert mutants.check([good], *files) == 1
    assert re.search("^good +fails anyhow: AssertionError +✓ the sum$", capsys.readouterr().out, flags=re.M)
    assert json.loads(files[1].read_text("utf-8")) == {}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_check_of_a_chapter_has_been_seen_failing_as_it_stands(path):
    """Run `make mutants NOTEBOOKS=…` after a change to the code of a chapter."""
    expected = {one.check: one.key for one in mutants.mutants(nbformat.read(path, as_version=4))}
    assert mutants.load(mutants.BOOK).get(path.stem, {}) == expected
