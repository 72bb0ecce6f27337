"""Checks, minutes and moved anchors: what the form of a chapter adds.

A cell tagged ``check`` is one quiet line on a page that opens to its code
and output. On paper nothing opens, so a list of the titles at the chapter's
end stands for the cells.

Roles
-----
``{minutes}``
    The reading time of a chapter, ``{minutes}`recursion```, or of several
    together, ``{minutes}`rnn recursion```.
``{checks}``
    How many checks have been seen failing: of a chapter or, as
    ``{checks}`all```, of the book.
"""

import json
import sys
from html import escape
from pathlib import Path

from docutils import nodes
from quoted import folder
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxRole

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))

import reading  # noqa: E402  (one function for the page and for the test)

HEADING = "Checks of this chapter"


def is_check(node):
    """Tell whether a node is the container of a cell tagged ``check``."""
    return (
        isinstance(node, nodes.container)
        and node.get("nb_element") == "cell_code"
        and "check" in node["cell_metadata"].get("tags", [])
    )


def title(node):
    """Return what a check establishes."""
    return node["cell_metadata"]["mystnb"]["code_prompt_show"]


def list_checks(app, doctree):
    """Add the list of the checks behind the last section of a chapter."""
    titles = [title(node) for node in doctree.findall(is_check)]
    if not titles:
        return
    paragraphs = [nodes.paragraph(text=text) for text in titles]
    items = [nodes.list_item("", paragraph) for paragraph in paragraphs]
    heading = nodes.paragraph("", "", nodes.strong(text=HEADING))
    children = [heading, nodes.bullet_list("", *items)]
    chapter = next(doctree.findall(nodes.section))
    chapter += nodes.container("", *children, classes=["checks"])


class OnPaper(SphinxPostTransform):
    """Leave the cells of checks out of the printed book."""

    default_priority = 190
    formats = ("latex",)

    def run(self, **kwargs):
        """Remove the cells."""
        for node in list(self.document.findall(is_check)):
            node.parent.remove(node)


class Minutes(SphinxRole):
    """Insert the minutes of a chapter's main line, or of several together."""

    def run(self):
        """Return the number and its unit as text."""
        minutes = 0
        for chapter in self.text.split():
            path = folder(self.env) / f"{chapter}.ipynb"
            self.env.note_dependency(str(path))
            minutes += reading.read(path).minutes
        unit = "minute" if minutes == 1 else "minutes"
        return [nodes.inline(text=f"{minutes} {unit}")], []


class Checks(SphinxRole):
    """Insert the number of checks that ``make mutants`` has seen failing."""

    def run(self):
        """Return the number as text; a chapter without any is a warning."""
        path = folder(self.env) / "mutants.json"
        self.env.note_dependency(str(path))
        seen = json.loads(path.read_text(encoding="utf-8"))
        chapters = seen if self.text == "all" else [self.text]
        number = sum(len(seen.get(chapter, {})) for chapter in chapters)
        if not number:
            message = self.inliner.reporter.warning(
                f"no check seen failing in {self.text!r}; "
                f"chapters with some: {', '.join(seen) or 'none'}"
            )
            return [], [message]
        return [nodes.inline(text=str(number))], []


def leave_signs(app, pagename, templatename, context, doctree):
    """Add to a page a sign for each anchor that has moved to another page.

    ``book/moved.json`` maps ``page#anchor`` to ``page#anchor``. A sign shows
    only to who came for its anchor, and ``book.js`` leads on at once.
    """
    path = folder(app.env) / "moved.json"
    moved = json.loads(path.read_text(encoding="utf-8"))
    signs = [
        f'<p class="moved" id="{escape(old.partition("#")[2])}">This part '
        f'has moved to <a href="{escape(new)}">another page</a>.</p>'
        for old, new in moved.items()
        if f"book/{old.partition('#')[0]}" == f"{pagename}.html"
    ]
    if signs and "body" in context:
        context["body"] += "\n".join(signs)


def setup(app):
    """Register the roles, the list and the signs."""
    app.setup_extension("quoted")
    app.add_role("minutes", Minutes())
    app.add_role("checks", Checks())
    app.connect("doctree-read", list_checks)
    app.add_post_transform(OnPaper)
    app.connect("html-page-context", leave_signs)
    return {"version": "1", "parallel_read_safe": True}
