"""The notebooks that `make colab` wrote: each chapter is there, whole, and without MyST."""

import re
from pathlib import Path

import nbformat
import pytest
from flattened import RAW, prose

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
WRITTEN = ROOT / "_build" / "colab"

pytestmark = pytest.mark.skipif(not WRITTEN.is_dir(), reason="no notebooks: run `make colab` first")
chapters = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def title(cell):
    """Return the line that a check has there and not here."""
    checks = "check" in cell.metadata.get("tags", [])
    return f"# @title {cell.metadata.mystnb.code_prompt_show}\n" if checks else ""


@chapters
def test_a_chapter_keeps_its_code(path):
    copy = nbformat.read(WRITTEN / path.name, as_version=4)
    nbformat.validate(copy)
    original = [
        title(c) + c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"
    ]
    code = [c.source for c in copy.cells if c.cell_type == "code"]
    programs = [cell for cell in code if cell.startswith("%%writefile ")]
    assert code == [code[0], *programs, *original]


@chapters
def test_a_chapter_brings_the_programs_that_it_runs_and_the_rows_that_it_reads(path):
    code = [
        c.source for c in nbformat.read(WRITTEN / path.name, as_version=4).cells if c.cell_type == "code"
    ]
    written = [cell.split("\n", 1) for cell in code if cell.startswith("%%writefile ")]
    own = "\n".join(code[1 + len(written) :])
    programs = [ROOT / "book" / name for name in re.findall(r"\"(\w+\.py)\"", own)]
    folders = ROOT / "experiments" / "results", ROOT / "book" / "translations"
    names = re.findall(r"\brows\(\"(\w+)\"\)", own)
    rows = [folder / f"{name}.csv" for name in names for folder in folders]
    needed = {path.name: path.read_text(encoding="utf-8") for path in (*programs, *rows) if path.exists()}
    assert {head.split()[1]: text.strip() for head, text in written} == {
        name: text.strip() for name, text in needed.items()
    }


@chapters
def test_a_chapter_holds_no_myst(path):
    text = prose(nbformat.read(WRITTEN / path.name, as_version=4))
    assert RAW.findall(re.sub(r"`[^`{}]+`", "", text)) == []


@chapters
def test_a_chapter_keeps_its_prose(path):
    """Count what an author can count: headings, displayed equations, exercises, solutions, captions."""
    cells = nbformat.read(path, as_version=4).cells
    source = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = prose(nbformat.read(WRITTEN / path.name, as_version=4))
    captions = sum("figure" in cell.metadata.get("mystnb", {}) for cell in cells)
    headings = len(re.findall(r"^#{1,3} ", source, flags=re.M))
    exercises = len(re.findall(r"^```\{exercise\}", source, flags=re.M))
    displayed = len(re.findall(r"^(?:> )?\$\$$", text, flags=re.M))  # a fold's are quoted
    assert displayed == len(re.findall(r"^\$\$", source, flags=re.M))
    assert len(re.findall(r"^### Exercise \d+\.\d+", text, flags=re.M)) == exercises
    assert len(re.findall(r"^#### Solution to Exercise", text, flags=re.M)) == exercises
    assert len(re.findall(r"^\*\*Fig\. \d+\.\d+\.\*\* ", text, flags=re.M)) == captions
    references = int("## References" in text)
    assert len(re.findall(r"^#{1,3} ", text, flags=re.M)) == headings + exercises + references


@chapters
def test_every_reference_to_an_equation_has_its_tag(path):
    books = [nbformat.read(WRITTEN / other.name, as_version=4) for other in CHAPTERS]
    numbers = {number for book in books for number in re.findall(r"\\tag\{([\d.]+)\}", prose(book))}
    source = (ROOT / "book" / path.name).read_text(encoding="utf-8")
    text = prose(nbformat.read(WRITTEN / path.name, as_version=4))
    shown = re.findall(r"\((\d+\.\d+)\)", text)
    assert len([number for number in shown if number in numbers]) >= len(re.findall(r"\{eq\}`", source))
