"""The notebooks for Colab: prose without MyST, code as it was, numbers and links that lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from flattened import RAW, prose
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parent.parent
EXTENSIONS = ROOT / "book" / "_ext"
sys.path.insert(0, str(EXTENSIONS))

import colab  # noqa: E402  (the book's Sphinx extensions)
import markdown  # noqa: E402

SITE = "https://example.org/book"

CONFIGURATION = f"""\
import sys
sys.path.append({str(EXTENSIONS)!r})
extensions = ["myst_nb", "sphinx_exercise", "sphinxcontrib.bibtex", "quoted", "checks", "local"]
root_doc = "book/index"
bibtex_bibfiles = ["sources.bib"]
bibtex_reference_style = "author_year"
myst_enable_extensions = ["dollarmath", "colon_fence"]
nb_execution_mode = "off"
numfig = math_numfig = True
"""

INDEX = """\
# Contents

```{toctree}
:numbered:
chapter
other
```

```{bibliography}
```
"""

SOURCES = (
    "@book{wells1895, author={Wells, H. G.}, title={The Time Machine}, publisher={Heinemann}, year={1895}}"
)

PROSE = """\
(ch-label)=
# Flatten a *chapter*

See [](ch-section), [](other.ipynb), {eq}`eq-ch-sum`, {numref}`fig-ch` and {ref}`ex-ch`.
The number is {result}`mean`, that of another chapter {result}`other:mean`.
{cite:t}`wells1895` wrote it {cite}`wells1895`.

$$
s = \\sum_t x_t
$$ (eq-ch-sum)

| name | value |
| --- | --- |
| $x$ | 2.50 |

:::{admonition} Chosen after looking
The value of $x$.
:::

:::{note}
Mind the *gap*, [outside](https://example.com/).
:::

![A dot](dot.svg)

(ch-section)=
## A section
"""

EXERCISE = """\
```{exercise} Adding
:label: ex-ch
Add.
```

```{solution-start} ex-ch
:class: dropdown
```

As in {eq}`eq-ch-sum`.
"""


def glued(name, text):
    """Return an output like those of d2lutil.glue."""
    data = {"application/papermill.record/text/plain": text}
    about = {"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}}
    return new_output("display_data", data=data, metadata=about)


def code(source, *outputs, **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata=metadata, execution_count=1)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Write a small book that uses everything once, and return a function that builds it."""
    folder = tmp_path_factory.mktemp("book") / "source"
    (folder / "book").mkdir(parents=True)
    (folder / "conf.py").write_text(CONFIGURATION)
    (folder / "sources.bib").write_text(SOURCES)
    (folder / "book" / "index.md").write_text(INDEX)
    (folder / "experiments" / "results").mkdir(parents=True)
    (folder / "experiments" / "results" / "toy.csv").write_text("arm,seed\nwhole,0\n")
    (folder / "book" / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    figure = {"figure": {"caption": "A line.", "name": "fig-ch"}, "image": {"alt": "A line"}}
    picture = new_output("display_data", data={"text/plain": "<Figure>"})
    hidden = ["remove-cell", "nbval-ignore-output"]
    checked, shown = (
        ["check", "hide-cell"],
        {"code_prompt_show": "✓ it holds", "code_prompt_hide": "✓ it holds"},
    )
    cells = [
        new_markdown_cell(PROSE),
        code("x = 1", picture, mystnb=figure, tags=["hide-input"]),
        code("glue('mean', '2.5')", glued("mean", "2.5"), tags=hidden),
        code("assert x", new_output("stream", text="yes"), mystnb=shown, mutation={}, tags=checked),
        new_markdown_cell("After the figure.\n\n" + EXERCISE),
        code('x + len(d2lutil.rows("toy"))'),
        new_markdown_cell("```{solution-end}\n```\n\nThe end."),
    ]
    others = [new_markdown_cell("# Other"), code("1", glued("mean", "3.5"), tags=hidden)]
    for name, content in (("chapter", cells), ("other", others)):
        about = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
        nbformat.write(new_notebook(cells=content, metadata=about), folder / "book" / f"{name}.ipynb")

    foreign = ("GITHUB_", "SITE_", "D2LUTIL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}

    def build(builder="colab", **variables):
        out = folder.parent / "-".join([builder, *variables])
        command = [sys.executable, "-m", "sphinx", "-b", builder, "-W", "-q", str(folder), str(out)]
        subprocess.run(command, check=True, env=kept | variables)
        return nbformat.read(out / "chapter.ipynb", as_version=4)

    return build


@pytest.fixture(scope="module")
def linked(book):
    return book(SITE_URL=f"{SITE}/", GITHUB_REPOSITORY="owner/name", GITHUB_SHA="0123456789" * 4)


@pytest.fixture(scope="module")
def alone(book):
    return book(D2LUTIL_SPEC="d2lutil-1.0.0.whl")


@pytest.fixture(scope="module")
def local(book):
    return book("local")


def test_no_myst_remains(linked, alone, local):
    assert [RAW.findall(prose(notebook)) for notebook in (linked, alone, local)] == [[], [], []]
    assert RAW.search("{eq}`x`")
    assert RAW.search("text\n(ch-label)=\n")


def test_references_lead_to_the_site(linked):
    text = prose(linked)
    assert f"[A section]({SITE}/book/chapter.html#ch-section)" in text
    assert f"[Other]({SITE}/book/other.html)" in text
    assert f"[(1.1)]({SITE}/book/chapter.html#equation-eq-ch-sum)" in text
    assert f"[Fig. 1.1]({SITE}/book/chapter.html#fig-ch)" in text
    assert f"[Exercise 1.1]({SITE}/book/chapter.html#ex-ch)" in text
    assert re.search(rf"Wells \[\[1895\]\({SITE}/book/index.html#\w+\)\]", text)


def test_without_a_site_the_words_remain(alone):
    text = prose(alone)
    assert "See A section, Other, (1.1), Fig. 1.1 and Exercise 1.1" in text
    assert "http" not in text.replace("https://example.com/", "")


def test_references_lead_into_the_notebooks_beside(local):
    text = prose(local)
    assert "[A section](chapter.ipynb#A-section)" in text
    assert "[Other](other.ipynb)" in text
    assert "[(1.1)](chapter.ipynb)" in text
    assert "[Fig. 1.1](chapter.ipynb#A-section)" in text
    assert "[Exercise 1.1](chapter.ipynb#A-section)" in text
    assert re.search(r"Wells \[\[1895\]\(index.ipynb\)\]", text)


def test_a_notebook_beside_the_package_installs_nothing(local, alone):
    code = [[c.source for c in notebook.cells if c.cell_type == "code"] for notebook in (local, alone)]
    assert code[0] == code[1][2:]  # that one installs, and writes the rows that it reads
    assert "pip" not in "".join(code[0])
    assert local.metadata.kernelspec.name == "python3"


def test_links_outside_the_book_stay(linked, alone):
    assert "[outside](https://example.com/)" in prose(linked)
    assert "[outside](https://example.com/)" in prose(alone)


def test_numbers_and_sources_are_written_out(alone):
    text = prose(alone)
    assert "The number is 2.5, that of another chapter 3.5.\nWells [1895] wrote it [Wells, 1895]." in text
    assert text.endswith("## References\n\n- H. G. Wells. The Time Machine. Heinemann, 1895.")


def test_an_equation_carries_its_number(alone):
    assert "$$\ns = \\sum_t x_t\n\\tag{1.1}\n$$" in prose(alone)


def test_blocks_become_markdown(alone):
    text = prose(alone)
    assert "# 1. Flatten a *chapter*" in text
    assert re.search(r"\| \$x\$ +\| 2\.50 +\|", text)
    assert re.search(r"> \*\*Chosen after looking\*\*\n> ?\n> The value of \$x\$\.", text)
    assert re.search(r"> \*\*Note\*\*\n> ?\n> Mind the \*gap\*", text)
    assert "![A dot](data:image/svg+xml;base64," in text


def test_order_of_the_cells(alone):
    begin = [cell.source.split("\n")[0] for cell in alone.cells[4:]]
    assert begin == [
        "x = 1",
        "**Fig. 1.1.** A line.",
        "glue('mean', '2.5')",
        "# @title ✓ it holds",
        "After the figure.",
        "### Exercise 1.1 (Adding)",
        "#### Solution to Exercise 1.1",
        'x + len(d2lutil.rows("toy"))',
        "The end.",
        "## References",
    ]


def test_a_solution_opens_folded(alone):
    solution = next(cell for cell in alone.cells if cell.source.startswith("#### Solution"))
    assert solution.metadata["jp-MarkdownHeadingCollapsed"] is True
    assert alone.metadata.colab.collapsed_sections == [solution.id] == [solution.metadata.id]


def test_hidden_code_is_folded_and_has_no_output(alone):
    figure, hidden = (next(c for c in alone.cells if c.source.startswith(s)) for s in ("x = 1", "glue"))
    assert figure.metadata.jupyter.source_hidden is True
    assert figure.outputs
    assert hidden.metadata.jupyter.source_hidden is True
    assert not hidden.outputs


def test_a_check_is_folded_under_its_title(alone):
    check = next(cell for cell in alone.cells if "check" in cell.metadata.get("tags", []))
    assert check.source == "# @title ✓ it holds\nassert x"
    assert check.metadata.cellView == "form"
    assert check.metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}
    assert check.outputs
    assert "mutation" not in check.metadata
    assert "Checks of this chapter" not in prose(alone)  # that list is for paper


def test_the_rows_of_an_experiment_come_along(alone, local):
    assert "%%writefile toy.csv\narm,seed\nwhole,0\n" in [cell.source for cell in alone.cells]
    assert not any(cell.source.startswith("%%writefile") for cell in local.cells)


def test_a_table_of_other_frameworks_comes_along(tmp_path):
    (tmp_path / "translations").mkdir()
    (tmp_path / "translations" / "toy.csv").write_text("case\nnone\n")
    (written,) = colab.files(tmp_path, [code('d2lutil.rows("toy")')])
    assert written.source == "%%writefile toy.csv\ncase\nnone\n"


def test_installation_names_the_commit(linked):
    first, second = linked.cells[1].source.split("\n")
    archive = "https://github.com/owner/name/archive/" + "0123456789" * 4 + ".zip"
    assert first == f"%pip install --quiet --no-deps mxnet==1.9.1 'd2lutil @ {archive}'"
    assert "mxnet" not in second
    assert "'pooch>=1.8'" in second
    assert "--no-deps" not in second
    assert "commit 0123456789 of owner/name" in linked.cells[0].source


def test_installation_can_be_told(alone):
    assert alone.cells[1].source.startswith(
        "%pip install --quiet --no-deps mxnet==1.9.1 d2lutil-1.0.0.whl\n"
    )
    assert "a working copy" in alone.cells[0].source


def test_without_anything_the_clone_is_installed():
    assert colab.specification({}) == str(ROOT)
    assert colab.specification({"GITHUB_REPOSITORY": "owner/name"}) == str(ROOT)


def test_pieces():
    mark = markdown.CUT
    text = f"a\n\n{mark}cell 3{mark}\n\ncaption\n\n{mark}text {mark}\n\nb"
    assert markdown.pieces(text) == [("text", "", "a"), ("cell", "3", "caption"), ("text", "", "b")]
