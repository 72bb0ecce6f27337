"""How long a chapter takes to read, from its words, lines of shown code, formulas and figures.

What a reader meets from the title to the exercises counts. Folds do not: cells tagged ``check`` or
``hide-cell``, the code behind ``hide-input``, and boxes of the class ``dropdown``; nor does a section
whose title begins with "Optional:". The overview of a
chapter prints the minutes, and tests/test_reading.py holds them to the limits of ``book/form.json``.
"""

import json
import math
import re
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parent.parent
FORM = ROOT / "book" / "form.json"

WORDS_A_MINUTE = 200
SECONDS_A_LINE, SECONDS_A_FORMULA, SECONDS_A_FIGURE = 4, 20, 30

HIDDEN_CODE = {"hide-cell", "hide-input", "remove-cell", "remove-input"}
FENCE = re.compile(r"^(`{3,}|:{3,})\{([\w-]+)\}(.*?)^\1[ \t]*$", re.M | re.S)
ASIDE = re.compile(r"## (?:Exercises$|Optional: )", re.M)  # sections that are not the main line
FORMULA = re.compile(r"\$\$.*?\$\$(?: *\([\w-]+\))?", re.S)


class Reading(NamedTuple):
    """What there is to read in a chapter.

    Attributes
    ----------
    words, lines, formulas, figures : int
        Of the main line: up to the exercises, without folds.
    all_words : int
        Of the whole chapter: folds, exercises and solutions included.
    """

    words: int
    lines: int
    formulas: int
    figures: int
    all_words: int

    @property
    def minutes(self):
        """The minutes that the main line takes, rounded up."""
        seconds = 60 * self.words / WORDS_A_MINUTE + SECONDS_A_LINE * self.lines
        seconds += SECONDS_A_FORMULA * self.formulas + SECONDS_A_FIGURE * self.figures
        return math.ceil(seconds / 60)


def form():
    """Return ``book/form.json``: chapters in this edition's form, limits, first edition."""
    return json.loads(FORM.read_text(encoding="utf-8"))


def read(path):
    """Return the :class:`Reading` of the notebook at a path."""
    return measure(nbformat.read(path, as_version=4))


def measure(notebook):
    """Return the :class:`Reading` of a notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    Reading
    """
    main, everything, lines, figures, aside = [], [], 0, 0, False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            everything.append(cell.source)
            for section in re.split(r"^(?=## )", cell.source, flags=re.M):
                aside = bool(ASIDE.match(section)) if section.startswith("## ") else aside
                if not aside:
                    main.append(FENCE.sub(without_folds, section))
            continue
        extras = cell.metadata.get("mystnb", {})
        caption = extras.get("figure", {}).get("caption", "")
        everything += [caption, extras.get("code_prompt_show", "")]
        hidden = HIDDEN_CODE & set(cell.metadata.get("tags", []))
        if not aside:
            lines += 0 if hidden else sum(bool(line.strip()) for line in cell.source.splitlines())
            if "hide-cell" not in hidden:
                figures += "figure" in extras
                main.append(caption)
    text = "\n\n".join(main)
    figures += len(re.findall(r"^(?:`{3,}|:{3,})\{figure\}", text, flags=re.M))
    formulas = len(FORMULA.findall(text)) + len(re.findall(r"^(?:`{3,}|:{3,})\{math\}", text, flags=re.M))
    return Reading(words(text), lines, formulas, figures, words("\n\n".join(everything)))


def without_folds(match):
    """Return a directive without the folds in it; of one that is folded itself the title."""
    fence, name, body = match.groups()
    title, options, content = re.fullmatch(
        r"([^\n]*)\n((?::[\w-]+:[^\n]*\n)*)(.*)", body, flags=re.S
    ).groups()
    if name == "dropdown" or "dropdown" in options:
        return title
    return f"{fence}{{{name}}}{title}\n{options}{FENCE.sub(without_folds, content)}{fence}"


def words(text):
    """Return the number of words of Markdown; an inline formula counts as one, a displayed one as none."""
    text = FORMULA.sub("", text)
    text = re.sub(r"^\([\w-]+\)=$|^:[\w-]+:.*$|^(?:`{3,}|:{3,}).*?(?:\}|$)", "", text, flags=re.M)
    text = re.sub(r"\$[^$]+\$", " formula ", text)
    return sum(any(map(str.isalnum, token)) for token in text.split())
