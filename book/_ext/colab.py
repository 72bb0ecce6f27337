"""The builder ``colab``: each chapter as a notebook that stands alone.

Called by ``make colab``. Environment variables say what the notebooks lead
back to; without them the notebooks name no address and install ``d2lutil``
from this working copy.

``SITE_URL``
    Where the site is served. References become links into it.
``D2LUTIL_SPEC``
    What pip installs as ``d2lutil``.
    Default: an archive of GITHUB_REPOSITORY at GITHUB_SHA.
"""

import os
import re
import shlex
from importlib import metadata
from pathlib import Path

import nbformat
from markdown import FlatTranslator, pieces
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx_markdown_builder.builder import MarkdownBuilder

PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}
HIDDEN = {"hide-cell", "hide-input", "remove-cell", "remove-input"}
HEADER = """\
A chapter of {book}, made from {source}. It runs on Colab, on Binder and in
Jupyter: the next cell installs what it needs, and leaves the NumPy that is
there alone. Lines such as `glue("name", …)` hand a number to the pages of the
book and show nothing here."""


def specification(environ):
    """Return what pip has to install as ``d2lutil``.

    Parameters
    ----------
    environ : mapping
        The environment variables.

    Returns
    -------
    str
        A requirement, or the path of this working copy.
    """
    if environ.get("D2LUTIL_SPEC"):
        return environ["D2LUTIL_SPEC"]
    repository, commit = map(environ.get, ["GITHUB_REPOSITORY", "GITHUB_SHA"])
    if repository and commit:
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        return f"d2lutil @ {server}/{repository}/archive/{commit}.zip"
    return str(Path(__file__).resolve().parents[2])


def installation(spec):
    """Return the cell that installs what a chapter needs.

    MXNet and ``d2lutil`` go without dependencies, because MXNet's metadata
    would replace NumPy by an old one. The others are named with their lower
    bounds only: pip leaves alone what already satisfies them.
    """
    needed = metadata.requires("d2lutil")
    mxnet = [line for line in needed if line.startswith("mxnet")]
    others = [line for line in needed if line not in mxnet]
    return (
        f"%pip install --quiet --no-deps {shlex.join([*mxnet, spec])}\n"
        f"%pip install --quiet {shlex.join(others)}"
    )


def files(folder, cells):
    """Return cells that write what a chapter runs or reads beside it.

    These are the programs in its folder that it names, and the tables whose
    rows it calls for.
    """
    code = "\n".join(
        cell.source for cell in cells if cell.cell_type == "code"
    )
    found = {
        path.name: path
        for path in sorted(folder.glob("*.py"))
        if f'"{path.name}"' in code
    }
    for name in re.findall(r'\brows\("(\w+)"\)', code):
        file = f"{name}.csv"
        beside = folder / "translations" / file
        results = folder.parent / "experiments" / "results"
        found[file] = beside if beside.exists() else results / file
    return [
        new_code_cell(f"%%writefile {name}\n{path.read_text('utf-8')}")
        for name, path in found.items()
    ]


def header(environ, address):
    """Return the first cell: where the notebook comes from."""
    title = "*Backpropagation Through Time*"
    repository, commit = map(environ.get, ["GITHUB_REPOSITORY", "GITHUB_SHA"])
    origin = f"commit {commit[:10]} of {repository}" if commit else ""
    return HEADER.format(
        book=f"[{title}]({address})" if address else title,
        source=origin if repository and commit else "a working copy",
    )


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def copy(cell):
    """Return a code cell without what only the site reads."""
    kept, source = {"tags": tags(cell)} if tags(cell) else {}, cell.source
    if HIDDEN & set(tags(cell)):
        kept["jupyter"] = {"source_hidden": True}
    if "check" in tags(cell):
        # Colab shows the title of a form, JupyterLab the first line.
        source = f"# @title {cell.metadata.mystnb.code_prompt_show}\n{source}"
        kept["cellView"] = "form"
        kept["jupyter"]["outputs_hidden"] = True
    shown = [] if "remove-cell" in tags(cell) else cell.outputs
    count = cell.execution_count if shown else None
    return new_code_cell(
        source, metadata=kept, outputs=shown, execution_count=count
    )


def assemble(text, cells):
    """Put the flattened prose and the code of a chapter together again.

    Parameters
    ----------
    text : str
        The chapter as FlatTranslator wrote it, with a mark for each cell
        that the site shows.
    cells : list
        All cells of the chapter. Code that the site leaves out stays right
        behind the cell that it follows.

    Returns
    -------
    list
        Cells of the new notebook. A solution begins a cell that opens folded.
    """
    result, position = [], 0
    for kind, argument, prose in pieces(text):
        stop = int(argument) + 1 if kind == "cell" else position
        while kind == "text" and any(
            "remove-cell" in tags(cell) for cell in cells[stop : stop + 1]
        ):
            stop += 1
        passed, position = cells[position:stop], stop
        result += [copy(cell) for cell in passed if cell.cell_type == "code"]
        solution = {"jp-MarkdownHeadingCollapsed": True}
        folded = solution if kind == "solution" else {}
        if prose:
            result.append(new_markdown_cell(prose, metadata=folded))
    rest = cells[position:]
    return result + [copy(cell) for cell in rest if cell.cell_type == "code"]


def bibliography(sources):
    """Return the list of cited sources, or nothing."""
    lines = "\n".join(f"- {source}" for source in sorted(set(sources)))
    return [new_markdown_cell(f"## References\n\n{lines}")] if lines else []


def notebook(chapter, cells):
    """Return a notebook whose identifiers are the same at every build."""
    folded = []
    for number, cell in enumerate(cells):
        cell.id = f"{chapter}-{number}"
        cell.metadata.id = cell.id  # where Colab looks
        if "jp-MarkdownHeadingCollapsed" in cell.metadata:
            folded.append(cell.id)
    about = {"kernelspec": PYTHON, "language_info": {"name": "python"}}
    about["colab"] = {"provenance": [], "collapsed_sections": folded}
    return new_notebook(cells=cells, metadata=about)


class ColabBuilder(MarkdownBuilder):
    """Write the chapters, and nothing else, as notebooks into one folder."""

    name = "colab"
    format = "colab"
    epilog = "The notebooks are in %(outdir)s."
    default_translator_class = FlatTranslator
    supported_image_types = ("image/svg+xml", "image/png", "image/jpeg")

    def get_outdated_docs(self):
        """Write every chapter each time: addresses may have changed."""
        return self.env.found_docs

    def get_target_uri(self, docname, typ=None):
        """Return the address of a page below the site's."""
        return f"{docname}.html"

    def get_relative_uri(self, from_, to, typ=None):
        """Return the same: no notebook is beside the page it refers to."""
        return self.get_target_uri(to, typ)

    def address(self, docname, uri="", anchor=""):
        """Return an internal reference's address, or nothing without site."""
        site = os.environ.get("SITE_URL", "").rstrip("/")
        own = not uri or uri.startswith("#")
        page = self.get_target_uri(docname) + uri if own else uri
        anchor = f"#{anchor}" if anchor else ""
        return f"{site}/{page}{anchor}" if site else ""

    def write_doc(self, docname, doctree):
        """Write a chapter; pages without code are left to the site."""
        path = Path(self.env.doc2path(docname))
        if path.suffix != ".ipynb":
            return
        self.current_doc_name = docname
        translator = self.create_translator(doctree, self)
        doctree.walkabout(translator)
        chapter = nbformat.read(path, as_version=4).cells
        cells = [
            new_markdown_cell(header(os.environ, self.address(docname))),
            new_code_cell(installation(specification(os.environ))),
            *files(path.parent, chapter),
            *assemble(translator.astext(), chapter),
            *bibliography(translator.sources.values()),
        ]
        target = Path(self.outdir) / path.name
        nbformat.write(notebook(path.stem, cells), target)


def prefer_text(app, config):
    """Have MyST-NB read a word for each output: the notebook keeps them."""
    config.nb_mime_priority_overrides = [
        *config.nb_mime_priority_overrides,
        *[(name, "text/plain", 1) for name in (ColabBuilder.name, "local")],
    ]


def setup(app):
    """Register the builder."""
    app.setup_extension("sphinx_markdown_builder")
    app.connect("config-inited", prefer_text)
    app.add_builder(ColabBuilder)
    return {"version": "1", "parallel_read_safe": True}
