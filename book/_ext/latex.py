"""What the printed book needs beyond Jupyter Book's LaTeX.

Exercises and solutions become headings with text: in the boxes that
sphinx-exercise draws, figures are an error and code runs off the page. They
are numbered within their chapter, as on the site. Columns of a long table
share the width of the page.
"""

from docutils import nodes as parts
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise import nodes
from sphinx_exercise.utils import get_node_number

LONG = (
    30  # rows; Sphinx lets a table with more run over pages, unbroken cells
)


def begin(label):
    """Return a visitor that writes a heading; the title gives its text."""

    def visit(translator, node):
        anchor = label(translator, node)
        translator.body.append(f"\n\n\\phantomsection\\label{{{anchor}}}\n")
        translator.body.append(number(translator, node))
        translator.body.append("\\subsubsection*")

    return visit


def end(translator, node):
    """End the text of an exercise or a solution."""
    translator.body.append("\n\n")


def exercise_label(translator, node):
    """Return the label that references to an exercise use."""
    return f"exercise:{node['label']}"


def number(translator, node):
    r"""Return the label that other chapters use, with the number to show.

    Without it ``\ref`` would show the number of the section.
    """
    if not isinstance(node, nodes.exercise_enumerable_node):
        return ""
    shown = get_node_number(translator, node, "exercise")
    label = f"\\detokenize{{{node['docname']}:{node['label']}}}"
    current = f"\\makeatletter\\def\\@currentlabel{{{shown}}}\\makeatother"
    return f"{{{current}\\label{{{label}}}}}\n"


def solution_label(translator, node):
    """Return the label that references to a solution use."""
    return f"{node['docname']}:{node['label']}"


class LongTables(SphinxPostTransform):
    """Give the columns of long tables widths, by their longest words."""

    default_priority = 500
    formats = ("latex",)

    def run(self, **kwargs):
        """Set the widths, which Sphinx takes as shares of the line."""
        for table in self.document.findall(parts.table):
            rows = [row.children for row in table.findall(parts.row)]
            if len(rows) <= LONG:
                continue
            columns = zip(*rows, strict=True)
            for spec, cells in zip(
                table.findall(parts.colspec), columns, strict=True
            ):
                words = [cell.astext().split() or [""] for cell in cells]
                spec["colwidth"] = max(len(w) for ws in words for w in ws) + 2
            table["classes"].append("colwidths-given")


def count_by_chapter(app):
    """Count from chapter to chapter while Sphinx hands out the numbers.

    sphinx-jupyterbook-latex has just set 2, which LaTeX's own counters need.
    """
    if app.builder.format == "latex":
        app.config.numfig_secnum_depth = 1


def restore(app, env):
    """Give LaTeX's counters their depth back."""
    if app.builder.format == "latex":
        app.config.numfig_secnum_depth = 2


def setup(app):
    """Register the visitors and the counting."""
    app.setup_extension("sphinx_exercise")
    app.setup_extension("sphinxcontrib.rsvgconverter")
    exercise, solution = begin(exercise_label), begin(solution_label)
    for node in (nodes.exercise_node, nodes.exercise_enumerable_node):
        app.add_node(node, override=True, latex=(exercise, end))
    app.add_node(nodes.solution_node, override=True, latex=(solution, end))
    app.add_post_transform(LongTables)
    app.connect("builder-inited", count_by_chapter, priority=900)
    app.connect("env-check-consistency", restore)
    return {"version": "1", "parallel_read_safe": True}
