"""What a chapter's own cells define."""

import json
from pathlib import Path
from types import SimpleNamespace

BOOK = Path(__file__).resolve().parent.parent / "book"


def _code(name):
    cells = json.loads((BOOK / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def run(name, *parts):
    """Run the first cell of a chapter and those with one of these parts; return what they define."""
    first, *others = ("".join(cell["source"]) for cell in _code(name))
    chosen = [source for source in others if any(part in source for part in parts)]
    assert all(any(part in source for source in chosen) for part in parts)
    defined = {}
    for source in (first, *chosen):
        exec(compile(source, name, "exec"), defined)
    return SimpleNamespace(**defined)


def glued(name):
    """Return the results that a chapter prints in its sentences, by name."""
    outputs = [output for cell in _code(name) for output in cell["outputs"]]
    return {
        output["metadata"]["scrapbook"]["name"]: output["data"]["application/papermill.record/text/plain"]
        for output in outputs
        if "scrapbook" in output.get("metadata", {})
    }
