"""Exercises to hand in: a table of the notebooks that ``make colab`` wrote.

The directive ``{hand-in}`` has a row for each chapter. On the site a row
leads to the notebook, which lies beside the pages, and to Colab where its
place there is known. A notebook older than its exercises is not handed out.
"""

import os
import shutil
import sys
from pathlib import Path

from buttons import addresses
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective, SphinxRole

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))

import exercises  # noqa: E402  (what is handed out, and what is counted)
import handout  # noqa: E402

FOLDER = "exercises"
HEAD = ["chapter", "exercises", "points"]


def written(name):
    """Return the path of a notebook if it is up to date, or None."""
    path = handout.NOTEBOOKS / handout.file_name(name)
    sources = (
        exercises.SOURCES / f"{name}.py",
        exercises.BOOK / f"{name}.ipynb",
    )
    newest = max(source.stat().st_mtime for source in sources)
    return path if path.is_file() and path.stat().st_mtime >= newest else None


class Notebook(SphinxRole):
    """Lead to the notebook of a chapter, ``{hand-in}`recursion```."""

    def run(self):
        """Return the links as a piece of HTML."""
        path = written(self.text)
        if path is None:
            return [], []
        up = "../" * self.env.docname.count("/")
        about = f'aria-label=".ipynb with the exercises of {self.text}"'
        links = [
            f'<a href="{up}{FOLDER}/{path.name}" download {about}>.ipynb</a>'
        ]
        place = addresses(os.environ, f"{FOLDER}/{path.stem}").get("Colab")
        about = f'aria-label="Colab, with the exercises of {self.text}"'
        links += [f'<a href="{place}" {about}>Colab</a>'] if place else []
        return [nodes.raw("", " · ".join(links), format="html")], []


class Table(SphinxDirective):
    """List the chapters in the order of the book."""

    def run(self):
        """Return the table."""
        files = exercises.files()
        handed_out = [path.stem for path in files if written(path.stem)]
        head = [*HEAD, "notebook"] if handed_out else HEAD
        rows = [head, ["---"] * len(head)]
        for path in files:
            for file in (
                path,
                handout.NOTEBOOKS / handout.file_name(path.stem),
            ):
                self.env.note_dependency(str(file))
            points = handout.points(exercises.read(path))
            chapter = f"[](/book/{path.stem}.ipynb)"
            rows.append([chapter, len(points), sum(points.values())])
            rows[-1] += [f"{{hand-in}}`{path.stem}`"] if handed_out else []
        lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        lines = StringList(lines, source=self.env.docname)
        found = nodes.container()
        self.state.nested_parse(lines, self.content_offset, found)
        return found.children


def copy_notebooks(app, exception):
    """Put the notebooks where the pages look for them."""
    if exception or app.builder.format != "html":
        return
    target = Path(app.outdir, FOLDER)
    shutil.rmtree(target, ignore_errors=True)
    for path in filter(
        None, map(written, [one.stem for one in exercises.files()])
    ):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def setup(app):
    """Add the table, its links, and what they lead to."""
    app.add_role("hand-in", Notebook())
    app.add_directive("hand-in", Table)
    app.connect("build-finished", copy_notebooks)
    return {"version": "1", "parallel_read_safe": True}
