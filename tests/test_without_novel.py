"""The chapters without the novel: which cells are left out, and that nothing else is."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import without_novel

ROOT = Path(__file__).resolve().parent.parent
CELLS = {
    "imports": "import math\nlengths, scale = [1, 2], 2",
    "claim": "reach = [n * scale for n in lengths]\nassert sum(reach) > 100",
    "reader": "def double():\n    return [2 * r for r in reach]",
    "through": "doubled = double()",
    "independent": "half = [n / scale for n in lengths]",
    "rebound": "reach = half",
    "later": "assert reach == half",
    "local": "def f(doubled):\n    return doubled\nassert f(math.inf) == math.inf",
}


@pytest.fixture
def chapter(tmp_path):
    cells = [new_code_cell(source, id=name) for name, source in CELLS.items()]
    cells[1].metadata.tags = ["novel"]
    nbformat.write(new_notebook(cells=cells), tmp_path / "a.ipynb")
    return tmp_path / "a.ipynb"


@pytest.mark.parametrize(
    ("source", "binds", "reads"),
    [
        ("y = x + 1", {"y"}, {"x"}),
        ("x = 1\ny = x", {"x", "y"}, set()),
        ("import a.b as c, d", {"c", "d"}, set()),
        ("def f(x):\n    return x + y", {"f"}, {"y"}),
        ("z = [x for x in xs if x > y]", {"z"}, {"xs", "y"}),
        ("for i in r:\n    pass", {"i"}, {"r"}),
    ],
)
def test_what_a_cell_binds_and_reads(source, binds, reads):
    assert without_novel.scope(source) == (binds, reads)


def test_a_claim_about_the_novel_takes_with_it_what_reads_it_and_nothing_else(chapter):
    assert without_novel.left_out(chapter) == {"claim", "reader", "through"}


@pytest.mark.parametrize(("plugin", "failed"), [([], True), (["-p", "tools.without_novel"], False)])
def test_nbval_leaves_them_out(chapter, plugin, failed):
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", *plugin, "-rs", "-q"]
    command += ["-o", "addopts=", "-p", "no:cacheprovider", str(chapter)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ("failed" in run.stdout) == failed == bool(run.returncode)
    if plugin:
        assert "5 passed, 3 skipped" in run.stdout
        assert "about the novel, which is not at hand" in run.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "book").glob("*.ipynb")), ids=lambda path: path.stem)
def test_most_of_a_chapter_is_checked_without_the_novel(path):
    cells = without_novel.code_cells(nbformat.read(path, as_version=4))
    assert len(without_novel.left_out(path)) <= len(cells) / 4
