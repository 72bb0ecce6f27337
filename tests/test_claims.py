"""The claims page: every claim, with a verdict, a computed number and a link."""

import re
import sys
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parent.parent / "book"
sys.path.insert(0, str(BOOK / "_ext"))

import quoted  # noqa: E402  (the book's Sphinx extensions)
import typography  # noqa: E402

COUNTS = {"A": 6, "B": 4, "C": 4, "D": 5, "E": 8, "F": 1, "G": 13}
READER = ["H1", "H2", "H3", "H4", "H5", "H6", "H8"]  # questions of readers that have a chapter
VERDICTS = {"holds", "holds, corrected", "holds under conditions", "not resolved", "does not hold here"}
VERDICTS |= {"not for a cell"}
PAGE = (BOOK / "claims.md").read_text(encoding="utf-8")
ERRATA = (BOOK / "errata.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| ([A-H]\d+) (\|.*)$", PAGE, flags=re.M))


def test_every_claim_has_a_row():
    counted = [f"{group}{k}" for group, count in COUNTS.items() for k in range(1, count + 1)]
    assert list(ROWS) == counted + READER


@pytest.mark.parametrize("claim", ROWS)
def test_a_row_has_verdict_number_and_link(claim):
    _, _, verdict, number, link, _ = (cell.strip() for cell in ROWS[claim].split("|"))
    assert verdict in VERDICTS
    assert "{result}`" in number
    assert re.search(r"\[\]\([a-z]+-[a-z]+\)", link)


def test_the_page_explains_each_verdict_it_gives():
    given = {row.split("|")[2].strip() for row in ROWS.values()}
    legend = re.findall(r"\*\*([^*]+)\*\*", PAGE.split("(claims-setting)=")[0])
    assert given == VERDICTS == {words.lower() for words in legend}
    assert VERDICTS == typography.VERDICTS  # each becomes a badge


@pytest.mark.parametrize("page", [PAGE, ERRATA], ids=["claims", "errata"])
def test_numbers_exist_in_the_chapters(page):
    for chapter, name in re.findall(r"\{result\}`([a-z-]+):([a-z0-9-]+)`", page):
        assert name in quoted.read(BOOK / f"{chapter}.ipynb"), (chapter, name)


def test_every_correction_names_its_cell():
    entries = re.findall(r"^(?:\*\*|- \*\*)(.+?)(?=\n\n|\n- |\Z)", ERRATA, flags=re.M | re.S)
    shown = r"Cells?: \[\]\([a-z]+-[a-z-]+\)|Test: `tests/test_compat.py`"
    assert len(entries) >= 20
    assert not [entry for entry in entries if not re.search(shown, entry)]


def test_quoted_reads_what_glue_wrote(tmp_path):
    data = '{"application/papermill.record/text/plain": "1.5"}'
    meta = '{"scrapbook": {"name": "x"}}'
    path = tmp_path / "chapter.ipynb"
    path.write_text(f'{{"cells": [{{"outputs": [{{"data": {data}, "metadata": {meta}}}]}}]}}')
    assert quoted.read(path) == {"x": "1.5"}
