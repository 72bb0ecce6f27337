"""Slides that quote the book: its figures, formulas, cells and places.

``{figure-of} fig-name``
    The figure of a chapter and its words; with ``:live:`` the one that
    answers. What is written below is its caption.
``{equation-of} eq-name``
    The formula of that label.
``{cell-of} cell-id``
    The source of a cell, or ``:lines: 2-5`` of it, and with ``:output:`` what
    it printed.
``{book}`re-sum```
    A link to a section, an exercise or a page, with its title or, as
    ``{book}`words <re-sum>```, with other words.
"""

from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from excerpts import formulas, pictures, places, sources
from live import DATA, SCRIPTS
from postprocess import SHADES
from pydata_sphinx_theme.pygments import get_pygments_stylesheet
from sphinx.util import parselinenos
from sphinx.util.docutils import ReferenceRole, SphinxDirective
from sphinx.writers.html5 import HTML5Translator
from sphinx_revealjs._ext.notes import revealjs_notes
from sphinx_revealjs.writers import RevealjsSlideTranslator

ENGINE = {"LICENSE", "reveal.js", "reveal.css", "notes.js"}  # of reveal.js
OURS = {"fonts", "katex", "live", "revealjs", "favicon.svg"}
OURS |= {"slides.css", "slides.js", "pygments.css"}
CODE = "a11y-high-contrast-light", "a11y-high-contrast-dark"  # as the pages


def look_up(directive, kind, known):
    """Return what a directive names, or say what there is of that kind."""
    name = directive.arguments[0]
    if name in known:
        return known[name]
    start = name.split("-")[:2]
    near = [other for other in known if other.split("-")[:2] == start]
    raise directive.error(
        f"no {kind} {name!r}; near it: {', '.join(sorted(near)) or 'none'}"
    )


class FigureOf(SphinxDirective):
    """Show a figure of the book."""

    required_arguments, has_content = 1, True
    option_spec: ClassVar = {
        "live": directives.flag,
        "class": directives.class_option,
    }

    def run(self):
        """Return the figure."""
        uri, alt = look_up(self, "figure", pictures())
        name, figure = self.arguments[0], nodes.figure()
        figure["classes"] = ["plot", *self.options.get("class", [])]
        figure["classes"] += ["shaded"] if SHADES.search(alt) else []
        if "live" in self.options:
            if name not in SCRIPTS:
                raise self.error(
                    f"{name!r} does not answer; those that do: "
                    f"{', '.join(sorted(SCRIPTS))}"
                )
            figure["ids"] = [name]
            self.state.document.note_explicit_target(figure)
        figure += nodes.image(uri=uri, alt=alt)
        if self.content:
            box = nodes.Element()
            self.state.nested_parse(self.content, self.content_offset, box)
            figure += nodes.caption("", "", *box[0].children)
        return [figure]


class EquationOf(SphinxDirective):
    """Show a formula of the book."""

    required_arguments = 1

    def run(self):
        """Return the formula, without its number."""
        tex = look_up(self, "equation", formulas())
        about = {"nowrap": False, "number": None, "label": None}
        return [nodes.math_block(tex, tex, docname=self.env.docname, **about)]


class CellOf(SphinxDirective):
    """Show a cell of the book."""

    required_arguments = 1
    option_spec: ClassVar = {
        "output": directives.flag,
        "lines": directives.unchanged,
    }

    def run(self):
        """Return its source, and what it printed."""
        cell = look_up(self, "cell", sources())
        lines = cell["source"].splitlines()
        if "lines" in self.options:
            chosen = parselinenos(self.options["lines"], len(lines))
            if not chosen or chosen[-1] >= len(lines):
                raise self.error(
                    f"lines {self.options['lines']} of "
                    f"{self.arguments[0]!r}, which has {len(lines)}"
                )
            lines = [lines[number] for number in chosen]
        text = "\n".join(lines)
        found = [nodes.literal_block(text, text, language="python")]
        if "output" in self.options:
            shown = "".join(
                "".join(output.get("text", "")) for output in cell["outputs"]
            )
            if not shown:
                raise self.error(f"{self.arguments[0]!r} prints nothing")
            text = shown.rstrip("\n")
            found.append(
                nodes.literal_block(
                    text, text, language="text", classes=["printed"]
                )
            )
        return found


class Book(ReferenceRole):
    """Link to a place in the book."""

    def run(self):
        """Return the link; an unknown place is a warning."""
        if self.target not in places():
            message = self.inliner.reporter.warning(
                f"no section, exercise or page {self.target!r} in the book"
            )
            return [], [message]
        page, anchor, title = places()[self.target]
        words = self.title if self.has_explicit_title else title
        uri = f"{self.config.book_address}/{page}.html{anchor}"
        return [nodes.reference("", words, refuri=uri, internal=True)], []


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
    """Tell the template which scripts the figures of a deck need."""
    figures = doctree.findall(nodes.figure) if doctree else ()
    needed = {}
    for name in [name for figure in figures for name in figure["ids"]]:
        needed.setdefault(SCRIPTS[name], []).append(name)
    scripts = [("base.js", "")] if needed else []
    for script, names in needed.items():
        scripts += [(DATA[script], "")] if script in DATA else []
        scripts.append((script, " ".join(names)))
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
    """Register the directives, the role and the translator."""
    app.setup_extension("quoted")
    app.setup_extension("checks")
    app.add_config_value("book_address", "../book", "env")
    app.add_directive("figure-of", FigureOf)
    app.add_directive("equation-of", EquationOf)
    app.add_directive("cell-of", CellOf)
    app.add_role("book", Book())
    app.set_translator("revealjs", Translator, override=True)
    app.add_node(
        revealjs_notes, override=True, revealjs=(visit_notes, depart_notes)
    )
    app.connect("html-page-context", load)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True}
