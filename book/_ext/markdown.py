"""Chapters as plain Markdown, for programs that know nothing of the book.

Sphinx has resolved every role, directive and reference when these methods
see a chapter. They write CommonMark with TeX, cut into pieces at code cells,
exercises and solutions.
"""

import base64
import mimetypes
import re
from pathlib import Path

from docutils import nodes
from sphinx_markdown_builder.contexts import (
    IndentContext,
    SubContext,
    SubContextParams,
    TableContext,
    WrappedContext,
)
from sphinx_markdown_builder.translator import (
    MarkdownTranslator,
    pushing_context,
)
from tabulate import tabulate

CUT = "\ue000"  # for private use: in no text, and no space for strip()


def pieces(text):
    """Cut a chapter at its marks.

    Parameters
    ----------
    text : str
        What the translator wrote.

    Returns
    -------
    list of (str, str, str)
        Kind (``text``, ``cell``, ``exercise``, ``solution``), number of the
        cell, and the Markdown that follows: after a cell, its captions.
    """
    first, *rest = re.split(f"{CUT}([a-z]+) ([0-9]*){CUT}", text)
    prose = map(str.strip, rest[2::3])
    others = zip(rest[::3], rest[1::3], prose, strict=True)
    return [("text", "", first.strip()), *others]


class Table(TableContext):
    """A table whose numbers stay as they are: 2.50 is not 2.5."""

    def make(self):
        """Return the table as Markdown."""
        head, *body = map(self.make_row, [*self.headers, *self.body])
        return tabulate(body, head, tablefmt="github", disable_numparse=True)


class FlatTranslator(MarkdownTranslator):
    """The library's translator, with numbers and the book's directives."""

    def __init__(self, document, builder):
        super().__init__(document, builder)
        self.docname = builder.current_doc_name
        self.sources = {}  # full text of each cited source, by its address

    def unknown_visit(self, node):
        """Fail on what is not known, instead of leaving it out."""
        name = type(node).__name__
        raise NotImplementedError(f"{self.docname}: no Markdown for {name}")

    def number(self, kind, node):
        """Return the number of an equation, figure or exercise."""
        numbers = self.builder.env.toc_fignumbers.get(self.docname, {})
        numbers = numbers.get(kind, {})
        found = [numbers[name] for name in node["ids"] if name in numbers]
        return ".".join(map(str, found[0])) if found else ""

    def add_block(self, text):
        """Write text with an empty line before and after."""
        self.add(text, prefix_eol=2, suffix_eol=2)

    def add_cut(self, kind, argument=""):
        """Write the mark that ends a piece and names the next."""
        self.add_block(f"{CUT}{kind} {argument}{CUT}")

    def visit_title(self, node):
        """Write a heading; that of the chapter carries its number."""
        if isinstance(node.parent, nodes.admonition):
            self.add_block(f"**{node.astext()}**")
            raise nodes.SkipNode
        if "title" in node.parent:  # of an exercise or solution: is written
            raise nodes.SkipNode
        super().visit_title(node)
        numbers = self.builder.env.toc_secnumbers.get(self.docname, {})
        if self.status.section_level == 1 and "" in numbers:
            self.add(f"{'.'.join(map(str, numbers['']))}. ")

    depart_title = MarkdownTranslator._pop_context

    def visit_container(self, node):
        """Put a mark where a code cell stands: the notebook has the cell."""
        if "checks" in node["classes"]:  # the notebook has the cells
            raise nodes.SkipNode
        if node.get("nb_element") != "cell_code":
            return
        self.add_cut("cell", node["cell_index"])
        for caption in node.findall(nodes.caption):
            self.add_caption(caption)
        self.add_cut("text")
        raise nodes.SkipNode

    def add_caption(self, node):
        """Write a caption with the number of its figure."""
        number = self.number("figure", node.parent)
        label = self.config.numfig_format["figure"] % number
        self.add_block(f"**{label}.** {node.astext()}")

    def visit_caption(self, node):
        """Write the caption of a figure in the prose."""
        self.add_caption(node)
        raise nodes.SkipNode

    def visit_image(self, node):
        """Carry an image along: beside a notebook on Colab are no files."""
        path = Path(self.builder.srcdir) / node["uri"]
        kind = mimetypes.guess_type(path.name)[0]
        data = base64.b64encode(path.read_bytes()).decode()
        alt = node.get("alt", "")
        self.add_block(f"![{alt}](data:{kind};base64,{data})")
        raise nodes.SkipNode

    @pushing_context
    def visit_table(self, _node):
        """Begin a table."""
        self._push_context(Table(params=SubContextParams(2, 1)))

    def visit_math_block(self, node):
        """Write an equation with the number that references show."""
        number = self.number("displaymath", node)
        tag = [f"\\tag{{{number}}}"] if number else []
        self.add_block("\n".join(["$$", node.astext().strip(), *tag, "$$"]))
        raise nodes.SkipNode

    def visit_literal_block(self, node):
        """Write code; where no language is named, Sphinx means Python."""
        if node.get("language") == "default":
            node["language"] = "python"
        super().visit_literal_block(node)

    def visit_exercise_enumerable_node(self, node):
        """Begin an exercise under a heading of its own."""
        self.add_cut("exercise")
        number, name = self.number("exercise", node), node[0].astext()
        words = filter(None, [node["title"], number, name.strip()])
        self.add_block(f"### {' '.join(words)}")

    def depart_exercise_enumerable_node(self, _node):
        """Return to the chapter's own text."""
        self.add_cut("text")

    def visit_solution_node(self, node):
        """Begin a solution under a heading of its own, which can fold it."""
        self.add_cut("solution")
        self.add_block(f"#### {node['title']}")

    visit_exercise_node = visit_exercise_enumerable_node
    depart_exercise_node = depart_exercise_enumerable_node
    depart_solution_node = depart_exercise_enumerable_node

    def visit_admonition(self, _node):
        """Write an admonition as a quotation."""
        params = SubContextParams(2, 2)
        self._push_context(IndentContext("> ", empty=True, params=params))

    depart_admonition = MarkdownTranslator._pop_context

    def _push_box(self, title):
        """Write a note, a tip, a warning as an admonition of that title."""
        self.visit_admonition(None)
        self.add_block(f"**{title.capitalize()}**")

    @pushing_context
    def visit_reference(self, node):
        """Link to the site; without one the words alone remain."""
        address = node.get("refuri", "")
        if node.get("internal") or address.startswith("#"):
            if "reftitle" in node:
                self.sources[address] = node["reftitle"]
            page, anchor = self.docname, node.get("refid", "")
            address = self.builder.address(page, address, anchor)
        link = WrappedContext("[", f"]({address})")
        self._push_context(link if address else SubContext())

    visit_number_reference = visit_reference

    def visit_raw(self, _node):
        """Leave out what is meant for another format, and anchors."""
        raise nodes.SkipNode

    visit_comment = visit_raw
    visit_script = visit_raw
    visit_target = visit_raw
    visit_label = visit_raw  # of a source: its author and year follow

    def visit_citation(self, _node):
        """Write a source as a paragraph."""

    def depart_citation(self, _node):
        """End it."""

    def visit_classifier(self, _node):
        """Set the type of an argument off from its name."""
        self.add(": ")

    def depart_classifier(self, _node):
        """End it."""

    @pushing_context
    def visit_PassthroughTextElement(self, _node):
        """Write the title of a card in bold."""
        self._push_context(WrappedContext("**"))
