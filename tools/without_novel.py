"""A plugin of pytest: what can be checked of the chapters without the novel.

A cell whose claim is about the novel, or that needs a text of its length, has the tag ``novel``. It is
skipped, and so is each later cell that reads a name which skipped cells bound last.
"""

import functools
import symtable

import nbformat
import pytest

from tools.exercises import bound
from tools.mutants import code_cells, tags


def scope(source):
    """Return the names that a cell binds for later ones, and those that it reads from earlier ones."""
    top = symtable.symtable(source, "cell", "exec")
    binds = bound(source)
    inner, reads = top.get_children(), {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    while inner:
        table = inner.pop()
        reads |= {s.get_name() for s in table.get_symbols() if s.is_global()}
        inner += table.get_children()
    return binds, reads - binds


@functools.cache
def left_out(path):
    """Return the identifiers of the cells of a chapter that are skipped."""
    left, lost = set(), set()
    for cell in code_cells(nbformat.read(path, as_version=4)):
        binds, reads = scope(cell.source)
        if "novel" in tags(cell) or reads & lost:
            left.add(cell.id)
            lost |= binds
        else:
            lost -= binds
    return left


def pytest_collection_modifyitems(items):
    """Skip them."""
    for item in items:
        if item.cell.id in left_out(item.path):
            item.add_marker(pytest.mark.skip(reason="about the novel, which is not at hand"))
