"""What the chapters define: a function of a chapter, to be compared with its copy elsewhere."""

import ast

import nbformat
from browser import ROOT


def definition(stem, name):
    """Return the source of a function that a chapter defines."""
    for cell in nbformat.read(ROOT / "book" / f"{stem}.ipynb", as_version=4).cells:
        if cell.cell_type == "code" and f"def {name}(" in cell.source:
            for part in ast.parse(cell.source).body:
                if isinstance(part, ast.FunctionDef) and part.name == name:
                    return ast.get_source_segment(cell.source, part)
    raise LookupError(f"no function {name} in book/{stem}.ipynb")


def function(stem, name, **known):
    """Return a function of a chapter, made anew with what it knows of its chapter."""
    exec(definition(stem, name), known)
    return known[name]
