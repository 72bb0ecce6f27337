"""Slides that quote the book: its figures, formulas, cells and places.

``{figure-of} fig-name``
    The figure of a chapter and its words; with ``:live:`` the one that
    answers. What is written below is its caption.
``{equation-of} eq-name``
    The formula of that label.
``{cell-of} cell-id``
    The source of a cell, or ``:lines: 2-5`` of it; with ``:output:`` also
    what it printed, with ``:output: only`` nothing else.
``{book}`re-sum```
    A link to a section, an exercise or a page, with its title or, as
    ``{book}`words <re-sum>```, with other words.
"""

import os
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from excerpts import formulas, pictures, places, sources
from live import SCRIPTS
from postprocess import SHADES
from sphinx.util import parselinenos
from sphinx.util.docutils import ReferenceRole, SphinxDirective


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
        if not uri.startswith("data:"):
            here = Path(self.env.doc2path(self.env.docname)).parent
            uri = os.path.relpath(uri, here)
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
        "output": directives.unchanged,
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
            parts = ["".join(out.get("text", "")) for out in cell["outputs"]]
            text = "".join(parts).rstrip("\n")
            if not text:
                raise self.error(f"{self.arguments[0]!r} prints nothing")
            about = {"language": "text", "classes": ["printed"]}
            found.append(nodes.literal_block(text, text, **about))
        return found[1:] if self.options.get("output") == "only" else found


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


def setup(app):
    """Register the directives and the role."""
    for name in ("quoted", "checks", "decks"):
        app.setup_extension(name)
    app.add_config_value("book_address", "../book", "env")
    app.add_directive("figure-of", FigureOf)
    app.add_directive("equation-of", EquationOf)
    app.add_directive("cell-of", CellOf)
    app.add_role("book", Book())
    return {"version": "1", "parallel_read_safe": True}
