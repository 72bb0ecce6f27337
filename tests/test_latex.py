"""The printed book's LaTeX: exercises of another chapter by number, long tables as wide as the page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).resolve().parent.parent / "book" / "_ext"

CONFIGURATION = f"""\
import sys
sys.path.append({str(EXTENSIONS)!r})
extensions = ["myst_parser", "sphinx_exercise", "latex"]
root_doc, numfig = "index", True
latex_engine = "xelatex"
latex_documents = [("index", "book.tex", "Book", "us", "manual")]
"""
INDEX = """\
# Book

```{toctree}
:numbered:
first
second
```
"""
FIRST = """\
# Add

## Exercises

```{exercise} ★ One
:label: ex-one
1 + 1
```

```{exercise} ★ Two
:label: ex-two
2 + 2
```
"""
LONG = "\n".join(["| short | a long word |", "| --- | --- |", *30 * ["| 1 | regularly |"]])
SHORT = "| a | b |\n| --- | --- |\n| 1 | 2 |"


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Return the LaTeX of a book of two chapters."""
    folder = tmp_path_factory.mktemp("printed")
    (folder / "conf.py").write_text(CONFIGURATION)
    (folder / "index.md").write_text(INDEX)
    (folder / "first.md").write_text(FIRST)
    (folder / "second.md").write_text(f"# Use\n\nDo {{ref}}`ex-two`.\n\n{LONG}\n\n{SHORT}\n")
    command = [sys.executable, "-m", "sphinx", "-b", "latex", "-q", folder, folder / "out"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return (folder / "out" / "book.tex").read_text(encoding="utf-8")


def test_an_exercise_has_the_label_and_the_number_that_another_chapter_shows(printed):
    (asked,) = re.findall(r"Exercise \\ref\{(.*?\})\}", printed)
    assert "ex-two" in asked
    shown = dict(re.findall(r"@currentlabel\{(.*?)\}\\makeatother\\label\{(.*?\})\}", printed))
    assert shown == {"1.1": asked.replace("two", "one"), "1.2": asked}
    assert printed.index(rf"\label{{{asked}}}") < printed.index("Exercise 1.2 (★ Two)")


def test_the_columns_of_a_long_table_share_the_line(printed):
    (columns,) = re.findall(r"\\begin\{longtable\}\{(.*)\}\n", printed)
    widths = re.findall(r"\\X\{(\d+)\}\{(\d+)\}", columns)
    assert [int(width) for width, _ in widths] == [len("short") + 2, len("regularly") + 2]
    assert {int(whole) for _, whole in widths} == {18}
    assert r"\begin{tabulary}" in printed
