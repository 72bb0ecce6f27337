"""The minutes of a chapter, and the limits that chapters in the form of this edition keep."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("reading", ROOT / "tools" / "reading.py")
reading = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reading)

FORM = reading.form()
REWRITTEN = {stem: kind for kind in ("core", "practice") for stem in FORM[kind]}
rewritten = pytest.mark.parametrize("stem", REWRITTEN)


def measure(*cells):
    return reading.measure(new_notebook(cells=list(cells)))


def figure(caption, *tags):
    meta = {"mystnb": {"figure": {"caption": caption}}, "tags": list(tags)}
    return new_code_cell("draw()\n\nshow()", metadata=meta)


def test_words_are_those_a_reader_sees():
    text = "(ch-a)=\n## A *section*\n\nSee [](b.ipynb), {eq}`eq-a` – and `code`."
    text += "\n\n:::{note}\nMind $x + y$.\n:::"
    assert measure(new_markdown_cell(text)).words == 9
    assert measure(new_markdown_cell("| a | b |\n| --- | --- |\n| 1 | two |")).words == 4


def test_formulas_lines_and_figures():
    text = "A\n\n$$\nx\n$$ (eq-a)\n\nB\n\n$$\ny\n$$"
    found = measure(new_markdown_cell(text), new_code_cell("a = 1\n\n\nb = 2"), figure("Two words."))
    assert found[:4] == (4, 4, 2, 1)
    assert measure(figure("Two words.", "hide-input"))[:4] == (2, 0, 0, 1)


def test_folds_and_exercises_count_for_the_whole_only():
    fold = ":::{admonition} Which?\n:class: dropdown\nIt is $1$.\n\n$$\nx\n$$\n:::\n"
    prose = f"One.\n\n::::{{note}}\n{fold}::::\n\n{fold}\nthree"
    hidden = [new_code_cell("a = 1", metadata={"tags": [tag]}) for tag in ("hide-cell", "remove-cell")]
    end = new_markdown_cell("four\n\n## Exercises\n\nFive six.")
    found = measure(new_markdown_cell(prose), *hidden, end, new_code_cell("solve()"))
    assert found == (5, 0, 0, 0, 5 + 3 + 3 + 3)


def test_an_optional_section_counts_for_the_whole_only():
    cells = [new_markdown_cell("One.\n\n## Optional: more\n\n$$\nx\n$$\n\n### Two"), new_code_cell("a = 1")]
    found = measure(*cells, figure("Three."), new_markdown_cell("## Summary\n\nFour five."))
    assert found == (1 + 3, 0, 0, 0, 1 + 2 + 1 + 1 + 3)


def test_minutes_are_the_formula_rounded_up():
    assert reading.Reading(words=400, lines=30, formulas=6, figures=2, all_words=0).minutes == 7
    assert reading.Reading(words=401, lines=30, formulas=6, figures=2, all_words=0).minutes == 8


@rewritten
def test_a_chapter_keeps_its_limits(stem):
    found, limits = reading.read(ROOT / "book" / f"{stem}.ipynb"), FORM["limits"][REWRITTEN[stem]]
    assert found.minutes <= limits["minutes"]
    assert found.lines <= limits.get("lines", found.lines)


@rewritten
def test_a_chapter_has_not_grown(stem):
    first = FORM["first edition"].get(stem)  # a new chapter has none
    assert first is None or reading.read(ROOT / "book" / f"{stem}.ipynb").all_words <= first["words"]


@rewritten
def test_a_chapter_prints_its_minutes(stem):
    cells = nbformat.read(ROOT / "book" / f"{stem}.ipynb", as_version=4).cells
    overview = "\n".join(cell.source for cell in cells[:2] if cell.cell_type == "markdown")
    assert f"{{minutes}}`{stem}`" in overview


@rewritten
def test_exercises_have_a_level_and_begin_on_paper(stem):
    cells = nbformat.read(ROOT / "book" / f"{stem}.ipynb", as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    titles = re.findall(r"^```\{exercise\}(.*)$", prose, flags=re.M)
    levels = [re.match(r" (★{1,3}) \S", title) for title in titles]
    assert all(levels), titles
    assert levels[0][1] == "★"
    assert [len(level[1]) for level in levels] == sorted(len(level[1]) for level in levels)


@rewritten
def test_every_assertion_is_in_a_check(stem):
    cells = nbformat.read(ROOT / "book" / f"{stem}.ipynb", as_version=4).cells
    asserting = [
        c for c in cells if c.cell_type == "code" and re.search(r"^\s*assert ", c.source, flags=re.M)
    ]
    assert [c.id for c in asserting if "check" not in c.metadata.get("tags", [])] == []


def test_every_listed_chapter_is_there():
    listed = [*REWRITTEN, *FORM["appendix"], *FORM["first edition"]]
    assert [stem for stem in listed if not (ROOT / "book" / f"{stem}.ipynb").is_file()] == []
