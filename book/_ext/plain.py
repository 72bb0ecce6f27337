"""Every page as plain text, for programs that read: ``llms.txt`` lists them.

Beside ``recursion.html`` lies ``recursion.html.md``: CommonMark with TeX, the
code of the cells and what they printed, every reference resolved. The pages
name it as their alternate, and ``llms.txt`` (https://llmstxt.org) leads to
all of them. Links are relative, so that no address is needed.
"""

import html
import re
from pathlib import Path

import nbformat
from docutils import nodes
from markdown import FlatTranslator, pieces
from sphinx import addnodes

SUFFIX = ".html.md"
ANCHOR = re.compile(r'<a id="[^"]*"></a>\n*')  # of terms and of the package
TITLE = "# {title}\n\n> {said}\n"
NOTE = """\
Each page is listed as plain text: CommonMark with formulas in TeX, the code
of its cells and their outputs. The page for people has the same address
without `.md`."""


class PlainTranslator(FlatTranslator):
    """Write what only the pages of the site have; pictures by their words."""

    def visit_image(self, node):
        """Write what an image shows."""
        self.add_block(shown(node.get("alt", "")))
        raise nodes.SkipNode

    def visit_subscript(self, _node):
        """Lower an index as TeX does."""
        self.add("_{")

    def depart_subscript(self, _node):
        """End it."""
        self.add("}")

    def visit_superscript(self, _node):
        """Raise an exponent as TeX does."""
        self.add("^{")

    depart_superscript = depart_subscript

    def visit_HideCodeCellNode(self, _node):
        """Go on to what is folded or stands under a tab."""

    def depart_HideCodeCellNode(self, _node):
        """Come back from it."""

    visit_dropdown_main = visit_HideCodeCellNode
    depart_dropdown_main = depart_HideCodeCellNode
    visit_sd_tab_input = visit_HideCodeCellNode
    depart_sd_tab_input = depart_HideCodeCellNode

    def visit_sd_tab_label(self, node):
        """Write the title of a tab or a fold in bold."""
        words = "".join(
            text.astext()
            for text in node.findall(nodes.Text)
            if not isinstance(text.parent, nodes.raw)  # an icon
        )
        self.add_block(f"**{words.strip()}**")
        raise nodes.SkipNode

    visit_dropdown_title = visit_sd_tab_label


class Place:
    """What the translator asks of a builder: book, page, and addresses."""

    def __init__(self, app, pagename):
        self.env, self.config = app.env, app.config
        self.current_doc_name = pagename

    def address(self, docname, uri="", anchor=""):
        """Return where a reference leads: to a page beside this one."""
        page = uri or (f"#{anchor}" if anchor else "")
        own = f"{Path(docname).name}.html"
        return own + page if page.startswith("#") else page


def shown(alt):
    """Return the words of a picture, or nothing."""
    return f"*Picture: {alt}*" if alt else ""


def fenced(text, language=""):
    """Return a text in a fence that is longer than any inside."""
    inside = re.findall("^`{3,}", text, flags=re.M)
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in inside)])
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"


def cell_text(cell):
    """Return a cell's code, what it printed, and the words of its figure.

    What its tags remove is left out.
    """
    tags = cell.metadata.get("tags", [])
    about, parts = cell.metadata.get("mystnb", {}), []
    if "check" in tags:
        parts.append(about["code_prompt_show"])
    if "remove-input" not in tags:
        parts.append(fenced(cell.source, "python"))
    for output in [] if "remove-output" in tags else cell.outputs:
        data = output.get("data", {})
        if any(kind.startswith("image/") for kind in data):
            parts.append(shown(about.get("image", {}).get("alt", "")))
        else:
            text = output.get("text") or data.get("text/plain", "")
            parts.append(fenced(text) if text.strip() else "")
    return "\n\n".join(filter(None, parts))


def page_text(doctree, place, cells):
    """Return a page as Markdown.

    Parameters
    ----------
    doctree : docutils.nodes.document
        The page, its references resolved.
    place : Place
    cells : list of nbformat.NotebookNode
        Those of its notebook; empty for a page that is none.
    """
    translator = PlainTranslator(doctree, place)
    doctree.walkabout(translator)
    parts = []
    for kind, argument, prose in pieces(translator.astext()):
        if kind == "cell":
            parts.append(cell_text(cells[int(argument)]))
        parts.append(ANCHOR.sub("", prose))
    sources = sorted(set(translator.sources.values()))
    if sources and cells:
        listed = "\n".join(f"- {source}" for source in sources)
        parts.append(f"## References\n\n{listed}")
    return "\n\n".join(filter(None, parts)) + "\n"


def write_page(app, pagename, templatename, context, doctree):
    """Write the text beside a page, and have the page name it."""
    if doctree is None or app.builder.format != "html":
        return
    path, cells = Path(app.env.doc2path(pagename)), []
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
    target = Path(app.outdir, f"{pagename}{SUFFIX}")
    target.parent.mkdir(parents=True, exist_ok=True)
    text = page_text(doctree, Place(app, pagename), cells)
    target.write_text(text, encoding="utf-8")
    context["metatags"] = context.get("metatags", "") + (
        '\n<link rel="alternate" type="text/markdown" '
        f'title="This page as plain text" href="{target.name}">'
    )


def said(folder, name):
    """Return a page's description of itself."""
    text = (folder / f"{name}.html").read_text(encoding="utf-8")
    found = re.search('<meta name="description" content="([^"]*)"', text)
    return html.unescape(found[1]) if found else ""


def contents(env):
    """Return the pages in the order of the book: names by caption."""
    root = env.config.root_doc
    found = {"": [root]}
    for toctree in env.get_doctree(root).findall(addnodes.toctree):
        names = [name for _, name in toctree["entries"] if name in env.titles]
        found.setdefault(toctree.get("caption") or "", []).extend(names)
    return found


def write_list(app, exception):
    """Write ``llms.txt`` at the root of the site."""
    if exception or app.builder.format != "html":
        return
    folder, env = Path(app.outdir), app.env
    lines = [
        TITLE.format(
            title=env.config.html_title or env.config.project,
            said=said(folder, env.config.root_doc),
        ),
        NOTE,
    ]
    for caption, names in contents(env).items():
        lines.append(f"\n## {caption or 'The book'}\n")
        for name in names:
            title, about = env.titles[name].astext(), said(folder, name)
            about = f": {about}" if about else ""
            lines.append(f"- [{title}]({name}{SUFFIX}){about}")
    (folder / "llms.txt").write_text("\n".join(lines) + "\n", "utf-8")


def setup(app):
    """Write a page's text when the page is, and the list when all are."""
    app.setup_extension("sphinx_markdown_builder")  # its settings
    app.connect("html-page-context", write_page, priority=850)
    app.connect("build-finished", write_list)
    return {"version": "1", "parallel_read_safe": True}
