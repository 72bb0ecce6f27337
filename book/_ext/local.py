"""The builder ``local``: every page as a notebook beside the others.

Called by ``make lab``. Like the notebooks for Colab, but with the package
and the programs at hand, and references that lead into the other notebooks.
"""

import shutil
from pathlib import Path
from urllib.parse import quote

import nbformat
from colab import PYTHON, ColabBuilder, assemble, bibliography
from docutils import nodes
from nbformat.v4 import new_markdown_cell, new_notebook

SAFE = "!$&'*+,;=:@/?~"  # what a browser leaves as it is behind #


def heading(node):
    """Return the text of a section's heading as JupyterLab names it."""
    return node[0].astext().replace(" ", "-")


def anchors(doctree):
    """Return the heading under which each identifier of a page stands.

    Parameters
    ----------
    doctree : docutils.nodes.document
        A page as Sphinx read it.

    Returns
    -------
    dict of str to str
        What follows ``#`` in a link, by identifier. That of the page's own
        heading is empty: a notebook opens there.
    """
    found = {}
    for node in doctree.findall(nodes.Element):
        section = node
        while section is not None and not (
            isinstance(section, nodes.section)
            and isinstance(section[0], nodes.title)
        ):
            section = section.parent
        top = section is None or isinstance(section.parent, nodes.document)
        name = "" if top else heading(section)
        found.update(dict.fromkeys(node.get("ids", ()), name))
    return found


class LocalBuilder(ColabBuilder):
    """Write every page as a notebook into one folder."""

    name = "local"
    format = "local"
    epilog = "The notebooks are in %(outdir)s."

    def get_target_uri(self, docname, typ=None):
        """Return the name of a page's notebook."""
        return f"{Path(docname).name}.ipynb"

    def heading(self, docname, anchor):
        """Return the heading of an identifier on a page."""
        if docname not in self.headings:
            self.headings[docname] = anchors(self.env.get_doctree(docname))
        return self.headings[docname].get(anchor, "")

    def address(self, docname, uri="", anchor=""):
        """Return where a reference leads: a notebook and its heading."""
        page, _, name = uri.partition("#")
        target = self.pages.get(page, docname)
        name = quote(self.heading(target, name or anchor), safe=SAFE)
        return self.get_target_uri(target) + (f"#{name}" if name else "")

    def init(self):
        """Note which page each notebook comes from."""
        super().init()
        self.headings, self.pages = {}, {}

    def prepare_writing(self, docnames):
        """Copy the programs that the chapters run."""
        super().prepare_writing(docnames)
        self.pages = {
            self.get_target_uri(name): name for name in self.env.found_docs
        }
        for path in Path(self.srcdir, "book").glob("*.py"):
            shutil.copy(path, self.outdir)

    def write_doc(self, docname, doctree):
        """Write a page."""
        path = Path(self.env.doc2path(docname))
        self.current_doc_name = docname
        translator = self.create_translator(doctree, self)
        doctree.walkabout(translator)
        if path.suffix == ".ipynb":
            cells = [
                *assemble(
                    translator.astext(),
                    nbformat.read(path, as_version=4).cells,
                ),
                *bibliography(translator.sources.values()),
            ]
        else:
            cells = [new_markdown_cell(translator.astext())]
        for number, cell in enumerate(cells):
            cell.id = f"{path.stem}-{number}"
        about = {"kernelspec": PYTHON, "language_info": {"name": "python"}}
        nbformat.write(
            new_notebook(cells=cells, metadata=about),
            Path(self.outdir) / self.get_target_uri(docname),
        )


def setup(app):
    """Register the builder."""
    app.setup_extension("colab")
    app.add_builder(LocalBuilder)
    return {"version": "1", "parallel_read_safe": True}
