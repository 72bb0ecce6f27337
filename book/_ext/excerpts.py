"""What slides quote: the formulas, cells, places and figures of the book."""

import functools
import json
import re
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1]
FORMULA = re.compile(r"\$\$((?:(?!\$\$).)+?)\$\$ \(([\w-]+)\)", re.DOTALL)
MARK = re.compile(r"(\s|\\,)*[.,;]\s*(?=\\\\|\\end|\Z)")  # behind a line
SECTION = re.compile(r"^\(([\w-]+)\)=\n#+ (?:Optional: )?(.+)", re.MULTILINE)
EXERCISE = re.compile(r"\{exercise\} (.+)\n:label: ([\w-]+)")


@functools.cache
def cells():
    """Return the cells of all chapters and pages: a stem with each."""
    found = []
    for path in sorted(BOOK.glob("*.ipynb")):
        chapter = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found += [
            (path.stem, cell | {"source": "".join(cell["source"])})
            for cell in chapter
        ]
    for path in sorted(BOOK.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        found.append((path.stem, {"cell_type": "markdown", "source": text}))
    return found


def prose():
    """Return the texts of all chapters and pages: a stem with each."""
    return [
        (stem, cell["source"])
        for stem, cell in cells()
        if cell["cell_type"] == "markdown"
    ]


@functools.cache
def formulas():
    """Return the formulas by label, as TeX without the mark at their end."""
    return {
        label: MARK.sub("", tex).strip()
        for _, text in prose()
        for tex, label in FORMULA.findall(text)
    }


@functools.cache
def sources():
    """Return the cells of code by their identifier."""
    return {
        cell["id"]: cell for _, cell in cells() if cell["cell_type"] == "code"
    }


@functools.cache
def places():
    """Return page, anchor and title of sections, exercises and pages."""
    found = {}
    for stem, text in prose():
        title = re.search(r"\A(?:\([\w-]+\)=\n)?# (.+)", text)
        if title:
            found[stem] = stem, "", title[1]
        for label, words in SECTION.findall(text):
            found[label] = stem, f"#{label}", words
        for words, label in EXERCISE.findall(text):
            found[label] = stem, f"#{label}", words
    return found


@functools.cache
def pictures():
    """Return path or data, and alt text, of each figure by its name."""
    found = {}
    for cell in sources().values():
        about = cell["metadata"].get("mystnb", {})
        name = about.get("figure", {}).get("name")
        data = [output.get("data", {}) for output in cell["outputs"]]
        for png in [one["image/png"] for one in data if "image/png" in one]:
            source = f"data:image/png;base64,{''.join(png).strip()}"
            found[name] = source, about["image"]["alt"]
    for path in (BOOK / "figures").glob("*.svg"):
        words = re.search(r"<desc>(.*?)</desc>", path.read_text("utf-8"))
        found[path.stem] = str(path), words[1]
    return found
