"""Checks on a page and on paper, minutes and counts in the prose, and anchors that have moved."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
EXTENSIONS = ROOT / "book" / "_ext"

CONFIGURATION = f"""\
import sys
sys.path.append({str(EXTENSIONS)!r})
extensions = ["myst_nb", "checks"]
root_doc = "book/chapter"
nb_execution_mode = "off"
"""
PROSE = """\
# Add

Two words, read in {minutes}`chapter`, twice in {minutes}`chapter chapter`.
Seen: {checks}`chapter` of {checks}`all`.

## Exercises
"""


def build(folder, builder="html", prose=PROSE):
    """Build a book of one chapter with two checks; return the process and where the result is."""
    (folder / "book").mkdir(exist_ok=True)
    (folder / "conf.py").write_text(CONFIGURATION)
    (folder / "book" / "mutants.json").write_text('{"chapter": {"a": "1", "b": "2"}, "other": {"c": "3"}}')
    (folder / "book" / "moved.json").write_text(
        '{"chapter.html#old": "other.html#new", "x.html#y": "z.html#y"}'
    )
    cells = [new_markdown_cell(prose), new_code_cell("total = 3", execution_count=1)]
    for title in ("✓ the sum is 3", "✓ it is a whole number"):
        shown = {"code_prompt_show": title, "code_prompt_hide": title}
        meta = {"tags": ["check", "hide-cell"], "mystnb": shown}
        output = new_output("stream", text="agrees")
        cells.append(new_code_cell("assert total", metadata=meta, outputs=[output], execution_count=1))
    about = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    nbformat.write(new_notebook(cells=cells, metadata=about), folder / "book" / "chapter.ipynb")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        builder,
        "-W",
        "-q",
        str(folder),
        str(folder / builder),
    ]
    return subprocess.run(command, capture_output=True, text=True), folder / builder


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    process, out = build(tmp_path_factory.mktemp("book"))
    assert process.returncode == 0, process.stderr
    return BeautifulSoup((out / "book" / "chapter.html").read_text("utf-8"), "html.parser")


def test_a_check_is_one_line_that_opens_to_code_and_output(page):
    first, second = page.select("div.cell.tag_check > details.hide")
    assert [p.text for p in first.select("summary p")] == ["✓ the sum is 3"] * 2  # closed and open
    assert "assert total" in first.text
    assert "agrees" in first.text
    assert not first.has_attr("open")
    assert "whole number" in second.select_one("summary").text


def test_the_page_ends_with_the_list_for_paper(page):
    listed = [item.text.strip() for item in page.select(".checks li")]
    assert listed == ["✓ the sum is 3", "✓ it is a whole number"]
    css = (ROOT / "book" / "_static" / "book.css").read_text("utf-8")
    assert ".bd-article .checks {\n  display: none;" in css
    assert "@media print" in css


def test_minutes_and_counts_are_computed(page):
    assert "read in 1 minute, twice in 2 minutes.\nSeen: 2 of 3." in page.select_one("h1 + p").text


def test_a_count_of_nothing_is_an_error(tmp_path):
    process, _ = build(tmp_path, prose="# Add\n\n{checks}`nowhere`\n")
    assert process.returncode != 0
    assert "no check seen failing in 'nowhere'" in process.stderr


def test_a_moved_anchor_leads_on(page):
    (sign,) = page.select("p.moved")
    assert sign["id"] == "old"
    assert sign.a["href"] == "other.html#new"


def test_moved_anchors_are_no_longer_where_they_were():
    moved = json.loads((ROOT / "book" / "moved.json").read_text("utf-8"))
    for old in moved:
        name, _, anchor = old.partition("#")
        source = (ROOT / "book" / name).with_suffix(".ipynb").read_text("utf-8")
        assert f"({anchor})=" not in source, old


def test_on_paper_the_list_stands_for_the_cells(tmp_path):
    process, out = build(tmp_path, "latex")
    assert process.returncode == 0, process.stderr
    text = next(out.glob("*.tex")).read_text("utf-8")
    assert "Checks of this chapter" in text
    assert "the sum is 3" in text
    assert "assert total" not in text
    assert "total = 3" in text.replace("\\PYG{o}{=}", "=").replace(
        "\\PYG{n}{total} = \\PYG{l+m+mi}{3}", "total = 3"
    )
