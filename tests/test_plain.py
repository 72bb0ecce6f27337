"""Every page as plain text, and the list of them: of a small book, and of the built site."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from flattened import RAW
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
EXTENSIONS = ROOT / "book" / "_ext"
sys.path.insert(0, str(EXTENSIONS))

import plain  # noqa: E402  (the book's Sphinx extension)

CONFIGURATION = f"""\
import sys
sys.path.append({str(EXTENSIONS)!r})
extensions = ["myst_nb", "sphinx_design", "sphinx_exercise", "quoted", "typography", "plain"]
root_doc = "book/index"
html_theme = "sphinx_book_theme"
html_title = "A small book"
myst_enable_extensions = ["dollarmath", "colon_fence"]
nb_execution_mode = "off"
numfig = math_numfig = True
html_math_renderer = "mathjax"
"""
INDEX = """\
# Contents

Two pages that use everything once, so that nothing is lost on the way to plain text.

```{toctree}
:numbered:
:caption: The part
chapter
other
```
"""
PROSE = """\
# Write a *chapter*

See [](ch-section), [](other.md), {eq}`eq-sum` and {numref}`fig-ch`. The number is {result}`mean`, or 1e-12.

$$
s = \\sum_t x_t
$$ (eq-sum)

![A dot](dot.svg)

% not for readers

```{code-block}
y = 2
```

:::{dropdown} Why *so*
Because.
:::

::::{tab-set}
:::{tab-item} MXNet
One.
:::
:::{tab-item} JAX
Two.
:::
::::

(ch-section)=
## A section
"""


def code(source, *outputs, **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata, execution_count=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build a small book as the site is built; return the folder."""
    folder = tmp_path_factory.mktemp("book") / "source"
    (folder / "book").mkdir(parents=True)
    (folder / "conf.py").write_text(CONFIGURATION)
    (folder / "book" / "index.md").write_text(INDEX)
    (folder / "book" / "other.md").write_text("# Other\n\nBack to {eq}`eq-sum` of another page.\n")
    (folder / "book" / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    figure = {"figure": {"caption": "A line.", "name": "fig-ch"}, "image": {"alt": "It rises"}}
    picture = new_output("display_data", data={"text/plain": "<Figure>", "image/png": "iVBORw0KGgo="})
    about = {"scrapbook": {"name": "mean", "mime_prefix": "application/papermill.record/"}}
    glued = {"application/papermill.record/text/plain": "2.5"}
    check = {"code_prompt_show": "✓ it holds", "code_prompt_hide": "✓ it holds"}
    cells = [
        new_markdown_cell(PROSE),
        code("x = 1", picture, mystnb=figure, tags=["hide-input"]),
        code("glue('mean')", new_output("display_data", glued, metadata=about), tags=["remove-cell"]),
        code("assert x", new_output("stream", text="yes\n"), mystnb=check, tags=["check", "hide-cell"]),
        new_markdown_cell("```{exercise} Adding\nAdd.\n```\n\nThe end."),
    ]
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    nbformat.write(new_notebook(cells=cells, metadata=language), folder / "book" / "chapter.ipynb")
    out = folder.parent / "html"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "SITE_"))}
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", folder, out], check=True, env=kept)
    return out


@pytest.fixture(scope="module")
def text(site):
    return (site / "book" / "chapter.html.md").read_text(encoding="utf-8")


def test_nothing_of_the_source_language_remains(text):
    assert RAW.findall(text) == []


def test_code_is_named_and_a_comment_is_left_out(text):
    assert "```python\ny = 2\n```" in text
    assert "not for readers" not in text


def test_references_lead_to_the_pages_beside(text, site):
    assert "[A section](chapter.html#ch-section), [Other](other.html)" in text
    assert "[(1.1)](chapter.html#equation-eq-sum)" in text
    assert "[Fig. 1.1](chapter.html#fig-ch)" in text
    other = (site / "book" / "other.html.md").read_text(encoding="utf-8")
    assert "[(1.1)](chapter.html#equation-eq-sum)" in other


def test_numbers_formulas_and_pictures_are_there(text):
    assert "The number is 2.5, or 10⁻¹²." in text
    assert "$$\ns = \\sum_t x_t\n\\tag{1.1}\n$$" in text
    assert "*Picture: A dot*" in text
    assert "```python\nx = 1\n```\n\n*Picture: It rises*\n\n**Fig. 1.1.** A line." in text


def test_folds_and_tabs_stand_open_under_their_titles(text):
    assert "**Why so**\n\nBecause.\n\n**MXNet**\n\nOne.\n\n**JAX**\n\nTwo.\n" in text


def test_code_and_output_follow_the_prose_and_what_the_site_hides_is_not_there(text):
    check = "✓ it holds\n\n```python\nassert x\n```\n\n```\nyes\n```"
    assert f"{check}\n\n### Exercise 1.1 (Adding)\n\nAdd." in text
    assert text.endswith("The end.\n")
    assert "glue" not in text


def test_a_fence_is_longer_than_those_inside():
    assert plain.fenced("a\n```\nb") == "````\na\n```\nb\n````"


def test_the_list_names_every_page_in_its_part(site):
    listed = (site / "llms.txt").read_text(encoding="utf-8")
    assert listed.startswith("# A small book\n\n> ")
    parts = dict(re.findall(r"^## (.*)\n\n((?:- .*\n)+)", listed, flags=re.M))
    assert list(parts) == ["The book", "The part"]
    assert re.findall(r"\((.*?)\)", parts["The part"]) == ["book/chapter.html.md", "book/other.html.md"]
    assert "http" not in parts["The part"]


def test_a_page_names_its_text(site):
    page = (site / "book" / "chapter.html").read_text(encoding="utf-8")
    assert re.findall('rel="alternate" type="text/markdown"[^>]*href="(.*?)"', page) == ["chapter.html.md"]


@pytest.mark.skipif(not (SITE / "llms.txt").is_file(), reason="no built site: run `make book` first")
def test_the_site_has_the_text_of_every_page():
    listed = (SITE / "llms.txt").read_text(encoding="utf-8")
    links = re.findall(r"^- \[[^\]]+\]\((.*?)\): .{10,}$", listed, flags=re.M)
    pages = {path.name for path in SITE.glob("book/*.html")}
    assert {Path(link).stem for link in links} == pages
    for link in links:
        text = (SITE / link).read_text(encoding="utf-8")
        title = text.splitlines()[0]
        assert title.startswith("# "), link
        prose = re.sub(r"^(`{3,}).*?^\1$|`[^`\n]*`", "code", text, flags=re.M | re.S)
        assert RAW.findall(prose) == [], link
        assert not re.search(r"</(svg|a|span|div)>", prose), link
        for address in re.findall(r"\]\(([\w-]+\.html)", prose):
            assert (SITE / "book" / address).is_file(), (link, address)
    whole = (SITE / "book" / "recursion.html.md").read_text(encoding="utf-8")
    assert "\\partial" in whole
    assert "```python" in whole
