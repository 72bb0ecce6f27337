"""Figures that answer: which script brings which static figure to life.

A page loads the base and the scripts of the figures that stand on it, and
nothing of this if it has none.
"""

from docutils import nodes

#: The script of each figure, by the name of the static figure it replaces.
SCRIPTS = {
    "fig-cover": "schemes.js",
    "fig-ib-lags": "wrong-way.js",
    "fig-full-recompute": "checkpoints.js",
    "fig-ga-influence": "reach.js",
    "fig-partition": "schemes.js",
    "fig-bw-graph": "backward.js",
    "fig-bw-triangle": "triangle.js",
    "fig-ra-threshold": "weights.js",
    "fig-st-butterfly": "butterfly.js",
    "fig-re-loss": "triangle.js",
    "fig-tr-reach": "chunks.js",
}

#: Numbers that a script reads, computed before.
DATA = {"reach.js": "reach-data.js"}


def scripts(doctree):
    """Return the scripts that a page needs, each with its figures there.

    Parameters
    ----------
    doctree : docutils.nodes.document or None
        None for pages without a source, such as the search.

    Returns
    -------
    dict of str to list of str
        Both in the order of the page.
    """
    figures = doctree.findall(nodes.figure) if doctree else ()
    found = {}
    for name in [name for figure in figures for name in figure["ids"]]:
        if name in SCRIPTS:
            found.setdefault(SCRIPTS[name], []).append(name)
    return found


def load(app, pagename, templatename, context, doctree):
    """Have a page load its figures before it is shown, so that it stays."""
    needed = scripts(doctree)
    shown = {"defer": "defer", "blocking": "render"}
    if needed:
        app.add_css_file("live/live.css")
        app.add_js_file("live/base.js", **shown)
    for script, names in needed.items():
        if script in DATA:
            app.add_js_file(f"live/{DATA[script]}", **shown)
        places = {"data-figures": " ".join(names)}
        app.add_js_file(f"live/{script}", **shown, **places)


def setup(app):
    """Come before the page's scripts are put in order (metadata)."""
    app.connect("html-page-context", load, priority=800)
    return {"version": "1", "parallel_read_safe": True}
