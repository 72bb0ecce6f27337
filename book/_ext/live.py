"""Figures that answer: which script brings which static figure to life.

A page loads the base and the scripts of the figures that stand on it, and
nothing of this if it has none.
"""

from docutils import nodes

#: The script of each figure, by the name of the static figure it replaces.
SCRIPTS = {
    "fig-cover": "schemes.js",
    "fig-ib-lags": "wrong-way.js",
    "fig-partition": "schemes.js",
    "fig-ra-threshold": "weights.js",
    "fig-st-butterfly": "butterfly.js",
}


def scripts(doctree):
    """Return the scripts that a page needs, in the order of its figures.

    Parameters
    ----------
    doctree : docutils.nodes.document or None
        None for pages without a source, such as the search.
    """
    figures = doctree.findall(nodes.figure) if doctree else ()
    names = [name for figure in figures for name in figure["ids"]]
    return list(dict.fromkeys(SCRIPTS[n] for n in names if n in SCRIPTS))


def load(app, pagename, templatename, context, doctree):
    """Have a page load its figures before it is shown, so that it stays."""
    needed = scripts(doctree)
    if needed:
        app.add_css_file("live/live.css")
    for name in ["base.js", *needed] if needed else ():
        app.add_js_file(f"live/{name}", defer="defer", blocking="render")


def setup(app):
    """Come before the page's scripts are put in order (metadata)."""
    app.connect("html-page-context", load, priority=800)
    return {"version": "1", "parallel_read_safe": True}
