"""The style of the bibliography: labels as the text cites."""

import sys
from pathlib import Path

import pytest
from pybtex.database import parse_string

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import citations  # noqa: E402  (the book's Sphinx extension)

SOURCES = """
@misc{d, author={Doe, Jane and Roe, Max and Poe, Kim}, title={C}, year={2001}}
@misc{c, author={Doe, Jane and Roe, Max}, title={B}, year={2000b}}
@misc{b, author={Doe, Jane and Roe, Max}, title={A}, year={2000a}}
@misc{a, author={van der Berg, Al}, title={D}, year={1999}}
"""


def labels(text):
    found = citations.AuthorYear().format_bibliography(parse_string(text, "bibtex"))
    return {entry.key: entry.label for entry in found}


def test_labels_are_those_of_citations_in_the_order_of_names():
    expected = {
        "a": "van der Berg, 1999",
        "b": "Doe and Roe, 2000a",
        "c": "Doe and Roe, 2000b",
    }
    found = labels(SOURCES)
    assert found == expected | {"d": "Doe et al., 2001"}
    assert list(found)[:2] == ["b", "c"]


def test_two_sources_of_one_label_are_named():
    text = SOURCES.replace("2000a", "2000").replace("2000b", "2000")
    with pytest.raises(
        ValueError, match="b and c are both cited as 'Doe and Roe, 2000'; allowed: years told"
    ):
        labels(text)
