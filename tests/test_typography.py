"""One style of quotation marks, percent signs and powers of ten: in the sources, and as a page sets it."""

import json
import re
import sys
from pathlib import Path

import pytest
from docutils import nodes

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import typography  # noqa: E402  (the book's Sphinx extension)

PAGES = sorted([*ROOT.glob("book/*.ipynb"), *ROOT.glob("book/*.md")])
OTHER = {
    "a percent sign without its blank": r"\d%|\\%",
    "quotation marks that are not straight": r"[«»“”„‘’]",
    "a dot of a power without its blanks": r"\d(?:·|×|\\times )10|\d ?× 10",
    "a power in a formula of its own": r"\$(?:\d+ *\\cdot *)?10\^\{?-?\d+\}?\$",
    "a power as a program prints it": r"(?<![\w.])\d(?:\.\d+)?e-?\d+(?!\w)",
}
CODE = re.compile(r"```\{code.*?```|^```(?:python|text|bash|console|sh)?\n.*?^```|`[^`\n]*`", re.S | re.M)


def prose(path):
    """Return what a page says outside its code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return CODE.sub("`code`", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_prose_has_one_style(path):
    found = {
        name: re.findall(f".{{0,30}}(?:{pattern}).{{0,10}}", prose(path)) for name, pattern in OTHER.items()
    }
    assert {name: texts for name, texts in found.items() if texts} == {}


@pytest.mark.parametrize(
    "path", [path for path in PAGES if path.suffix == ".ipynb"], ids=lambda path: path.name
)
def test_captions_set_their_mathematics(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    captions = [cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "") for cell in cells]
    raw = [
        caption for caption in captions if re.search(r"\b[A-Za-z]_\w|\\", re.sub(r"\$[^$]*\$", "", caption))
    ]
    assert raw == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("25 % and 24%", "25\u202f% and 24\u202f%"),
        ("to 1e-12", "to 10⁻¹²"),
        ("exceed 1e8 and 3e38", "exceed 10⁸ and 3\xa0·\xa010³⁸"),
        ("2.5e-06", "2.5\xa0·\xa010⁻⁶"),
        ("5·10⁻⁶ and 8 · 10⁻⁸³", "5\xa0·\xa010⁻⁶ and 8\xa0·\xa010⁻⁸³"),
        ("-0.3 % to -4, (-1)", "−0.3\u202f% to −4, (−1)"),
        ("pages 157-166, step-1, 1e5x, W_1e5", "pages 157-166, step-1, 1e5x, W_1e5"),
    ],
)
def test_numbers_are_set(text, shown):
    assert typography.polish(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from h_t to h_{t-1}", "from |h|t| to |h|t-1"),
        ("dh_t by W_hh", "|dh|t| by |W|hh"),
        ("∂s_{t,a}", "∂|s|t,a"),
        ("n^-(α - 1)", "n|-(α - 1)"),
        ("num_steps, batch_size, held_out, x_train", "num_steps, batch_size, held_out, x_train"),
    ],
)
def test_indices_are_lowered(text, shown):
    assert "|".join(part.astext() for part in typography.lower(text)) == shown.lstrip("|")


@pytest.mark.parametrize(
    ("before", "after", "box"),
    [
        ("by ", ", and", "x,"),
        ("see (", ").", "(x)."),
        ("the ", "-th step", "x-th"),
        ("the ", "’s sign", "x’s"),
        ("the ", " sign", None),
    ],
)
def test_a_formula_keeps_its_punctuation(before, after, box):
    paragraph = nodes.paragraph("", nodes.Text(before), nodes.math(text="x"), nodes.Text(after))
    whole = paragraph.astext()
    typography.join(paragraph[1])
    assert paragraph.astext() == whole
    joined = [part.astext() for part in paragraph.findall(nodes.inline)]
    assert joined == ([box] if box else [])


def test_a_verdict_alone_becomes_a_badge():
    for text, classes in (("holds, corrected", ["verdict", "holds-corrected"]), ("it holds", None)):
        entry = nodes.entry("", nodes.paragraph(text=text))
        typography.judge(entry)
        assert entry.astext() == text
        badges = [part["classes"] for part in entry.findall(nodes.inline)]
        assert badges == ([classes] if classes else [])
