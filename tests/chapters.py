"""What a chapter defines and prints, to be compared with its copy elsewhere."""

import ast
from types import SimpleNamespace

import nbformat
from browser import ROOT


def _code(stem):
    cells = nbformat.read(ROOT / "book" / f"{stem}.ipynb", as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def definition(stem, name):
    """Return the source of a function that a chapter defines."""
    for cell in _code(stem):
        if f"def {name}(" in cell.source:
            for part in ast.parse(cell.source).body:
                if isinstance(part, ast.FunctionDef) and part.name == name:
                    return ast.get_source_segment(cell.source, part)
    raise LookupError(f"no function {name} in book/{stem}.ipynb")


def function(stem, name, **known):
    """Return a function of a chapter, made anew with what it knows of its chapter."""
    exec(definition(stem, name), known)
    return known[name]


def run(stem, *parts):
    """Run the first cell of a chapter and those with one of these parts; return what they define."""
    first, *others = (cell.source for cell in _code(stem))
    chosen = [source for source in others if any(part in source for part in parts)]
    assert all(any(part in source for source in chosen) for part in parts)
    defined = {}
    for source in (first, *chosen):
        exec(compile(source, stem, "exec"), defined)
    return SimpleNamespace(**defined)


def glued(stem):
    """Return the results that a chapter prints in its sentences, by name."""
    outputs = [output for cell in _code(stem) for output in cell.outputs]
    return {
        output.metadata.scrapbook.name: output.data["application/papermill.record/text/plain"]
        for output in outputs
        if "scrapbook" in output.get("metadata", {})
    }
