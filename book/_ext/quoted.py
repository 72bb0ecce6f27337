"""The role ``{result}``: a number that a chapter computed and glued.

``{result}`name``` is of this chapter, ``{result}`chapter:name``` of another.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxRole

PREFIX = "application/papermill.record/text/plain"


def read(path):
    """Return the glued numbers of an executed chapter, by name."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return {
        output["metadata"]["scrapbook"]["name"]: "".join(
            output["data"][PREFIX]
        )
        for output in outputs
        if PREFIX in output.get("data", {})
    }


def folder(env):
    """Return where the chapters are."""
    return Path(env.srcdir, env.config.book_folder)


class Result(SphinxRole):
    """Insert the number; a missing one is a warning, and so an error."""

    def run(self):
        """Return the number as text."""
        chapter, _, name = self.text.rpartition(":")
        chapter = chapter or Path(self.env.docname).name
        path = folder(self.env) / f"{chapter}.ipynb"
        self.env.note_dependency(str(path))
        results = read(path) if path.is_file() else {}
        if name not in results:
            message = self.inliner.reporter.warning(
                f"no result {name!r} in chapter {chapter!r}; "
                f"it has: {', '.join(results) or 'none'}"
            )
            return [], [message]
        return [nodes.inline(text=results[name], classes=["result"])], []


def setup(app):
    """Register the role, and where the chapters are, from the sources."""
    app.add_config_value("book_folder", "book", "env")
    app.add_role("result", Result())
    return {"version": "1", "parallel_read_safe": True}
