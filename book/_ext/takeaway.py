"""Figures to take away: a caption leads to the SVG and the PDF of its figure.

``make run`` has written them to ``book/figures`` (``tools/figures.py``). The
files say whose they are and how to cite them, because a figure that is taken
away leaves its caption behind. A page only links to them, and weighs no more.
"""

import re
import shutil
from pathlib import Path

FIGURES = "figures"
SUFFIXES = ("svg", "pdf")
LICENSE = "https://creativecommons.org/licenses/by-sa/4.0/"
CAPTION = re.compile(
    r'(<figure\b[^>]*\bid="([\w-]+)"[^>]*>(?:(?!</figure>).)*?<figcaption>'
    r"(?:(?!</figure>).)*?)(</figcaption>)",
    re.DOTALL,
)


def links(name, up):
    """Return the line under a caption.

    Parameters
    ----------
    name : str
        Of the figure.
    up : str
        The way from the page to the root of the site.
    """
    files = " · ".join(
        f'<a href="{up}{FIGURES}/{name}.{suffix}" download '
        f'aria-label="{suffix.upper()} of this figure">{suffix.upper()}</a>'
        for suffix in SUFFIXES
    )
    return (
        f'<p class="takeaway">To take away: {files} · '
        f'<a href="{LICENSE}" rel="license">CC BY-SA 4.0</a></p>'
    )


def has_files(folder, name):
    """Tell whether both files of a figure are there."""
    return all((folder / f"{name}.{suffix}").is_file() for suffix in SUFFIXES)


def offer(body, folder, up):
    """Return the body of a page whose captions lead to the files."""

    def add(found):
        line = links(found[2], up) if has_files(folder, found[2]) else ""
        return found[1] + line + found[3]

    return CAPTION.sub(add, body)


def add_links(app, pagename, templatename, context, doctree):
    """Change the body of a page."""
    if doctree is not None and "body" in context:
        folder = Path(app.srcdir, "book", FIGURES)
        up = "../" * pagename.count("/")
        context["body"] = offer(context["body"], folder, up)


def names(folder):
    """Return the names of the figures that have both files in a folder."""
    return {
        path.stem
        for path in folder.glob("*.svg")
        if has_files(folder, path.stem)
    }


def changed_pages(app, env, added, changed, removed):
    """Return the pages with figures whose files came or went.

    Sphinx would not write them again: nothing that it reads has changed.
    """
    if app.builder.format != "html":
        return []
    labels = env.get_domain("std").anonlabels
    now = names(Path(app.srcdir, "book", FIGURES))
    before = names(Path(app.outdir, FIGURES))
    return {labels[name][0] for name in now ^ before if name in labels}


def copy_files(app, exception):
    """Put the files where the pages look for them."""
    source = Path(app.srcdir, "book", FIGURES)
    target = Path(app.outdir, FIGURES)
    if exception or app.builder.format != "html" or not source.is_dir():
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for suffix in SUFFIXES:
        for path in source.glob(f"*.{suffix}"):
            shutil.copy(path, target)


def setup(app):
    """Add the links when a page is written, the files when all are."""
    app.connect("env-get-outdated", changed_pages)
    app.connect("html-page-context", add_links)
    app.connect("build-finished", copy_files)
    return {"version": "1", "parallel_read_safe": True}
