"""What the printed book needs beyond Jupyter Book's LaTeX.

Exercises and solutions become headings with text: in the boxes that
sphinx-exercise draws, figures are an error and code runs off the page. They
are numbered within their chapter, as on the site.
"""

from sphinx_exercise import nodes


def begin(label):
    """Return a visitor that writes a heading; the title gives its text."""

    def visit(translator, node):
        anchor = label(translator, node)
        translator.body.append(f"\n\n\\phantomsection\\label{{{anchor}}}\n")
        translator.body.append("\\subsubsection*")

    return visit


def end(translator, node):
    """End the text of an exercise or a solution."""
    translator.body.append("\n\n")


def exercise_label(translator, node):
    """Return the label that references to an exercise use."""
    return f"exercise:{node['label']}"


def solution_label(translator, node):
    """Return the label that references to a solution use."""
    return f"{node['docname']}:{node['label']}"


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
    app.connect("builder-inited", count_by_chapter, priority=900)
    app.connect("env-check-consistency", restore)
    return {"version": "1", "parallel_read_safe": True}
