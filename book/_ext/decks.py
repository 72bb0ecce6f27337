"""How decks are written: by sphinx-revealjs, with what the book's pages have.

Code is coloured at build time, for light and dark; notes keep their
paragraphs; rows of a table can come one by one; a deck loads the scripts of
its figures, and the folder holds nothing that no deck loads.
"""

import re
from pathlib import Path

from docutils import nodes
from live import DATA, SCRIPTS
from pydata_sphinx_theme.pygments import get_pygments_stylesheet
from sphinx.writers.html5 import HTML5Translator
from sphinx_revealjs._ext.notes import revealjs_notes
from sphinx_revealjs.directives import RevealjsFragments
from sphinx_revealjs.writers import RevealjsSlideTranslator

# A heading of a table that is empty, or nothing but a formula, cannot be read
# aloud as one.
HEADING = re.compile(
    r'<th (class="head[^"]*")>(<p>(?:<span class="math">(?:(?!</p>).)*)?</p>)'
    r"</th>",
    re.DOTALL,
)
# The source of a formula, which its MathML says already.
SOURCE = r'<annotation encoding="application/x-tex">[^<]*</annotation>'
ENGINE = {"LICENSE", "reveal.js", "reveal.css", "notes.js"}  # of reveal.js
OURS = {"fonts", "katex", "live", "revealjs", "favicon.svg"}
OURS |= {"slides.css", "slides.js", "pygments.css"}
CODE = "a11y-high-contrast-light", "a11y-high-contrast-dark"  # as the pages


class Fragments(RevealjsFragments):
    """Let the rows of a table appear one after the other."""

    def run(self):
        """Return the parts; the head of a table is there from the start."""
        found = super().run()
        for table in found[0].findall(nodes.table):
            table["classes"].remove("fragment")
            for body in table.findall(nodes.tbody):
                for row in body:
                    row["classes"].append("fragment")
        return found


class Translator(RevealjsSlideTranslator):
    """Code coloured at build time, as on the pages of the book."""

    visit_literal_block = HTML5Translator.visit_literal_block
    depart_literal_block = HTML5Translator.depart_literal_block


def visit_notes(self, node):
    """Keep the paragraphs of speaker's notes."""
    self.body.append('<aside class="notes">')


def depart_notes(self, node):
    """End them."""
    self.body.append("</aside>\n")


def load(app, pagename, templatename, context, doctree):
    """Mend the page; tell the template what the figures of a deck need."""
    figures = doctree.findall(nodes.figure) if doctree else ()
    needed = {}
    names = [name for figure in figures for name in figure["ids"]]
    for name in filter(SCRIPTS.get, names):
        needed.setdefault(SCRIPTS[name], []).append(name)
    scripts = [("base.js", "")] if needed else []
    for script, names in needed.items():
        scripts += [(DATA[script], "")] if script in DATA else []
        scripts.append((script, " ".join(names)))
    if "body" in context:
        body = HEADING.sub(r"<td \1>\2</td>", context["body"])
        context["body"] = re.sub(SOURCE, "", body)
    context["deck"] = pagename != app.config.root_doc
    context["live_scripts"] = scripts
    context["live_styles"] = ["live/live.css"] if needed else []


def finish(app, exception):
    """Colour code for light and dark, delete what no deck loads."""
    if exception or app.builder.name != "revealjs":
        return
    static = Path(app.outdir, "_static")
    (static / "pygments.css").write_text(get_pygments_stylesheet(*CODE))
    for path in (static / "revealjs").rglob("*"):
        if path.is_file() and path.name not in ENGINE:
            path.unlink()
    for path in static.iterdir():
        if path.name not in OURS:
            path.unlink()


def setup(app):
    """Change what sphinx-revealjs has registered."""
    app.add_directive("revealjs-fragments", Fragments, override=True)
    app.set_translator("revealjs", Translator, override=True)
    app.add_node(
        revealjs_notes, override=True, revealjs=(visit_notes, depart_notes)
    )
    app.connect("html-page-context", load)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True}
