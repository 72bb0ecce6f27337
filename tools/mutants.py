"""See every check of the chapters fail: ``make mutants``.

The metadata of a cell tagged ``check`` names a change to an earlier cell under which the check must fail::

    "mutation": {"cell": "recursion-sum", "replace": "i + 1 :", "by": "i :"}

For each check two kernels run the cells that it needs: the cells as they are, after which it must pass, and
the changed ones, after which it must raise an AssertionError (or the exception that the mutation names as
``error``). What was seen stays in ``_build/mutants.json``: an interrupted run goes on where it ended.
The checks seen failing are written to ``book/mutants.json``, which the book quotes.
"""

import argparse
import ast
import hashlib
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
SEEN, BOOK = ROOT / "_build" / "mutants.json", ROOT / "book" / "mutants.json"
SECONDS_PER_CELL = 600
MUTATION = {"cell", "replace", "by", "error"}
PASSED = "passed"


class Mutant(NamedTuple):
    """A check, and the change under which it must fail.

    Attributes
    ----------
    check : str
        Identifier of the check's cell.
    title : str
        What the check establishes.
    cells : tuple of (str, bool)
        The code before the check that it needs, and the check; and whether a cell is to raise an exception.
    changed : tuple of (str, bool)
        The same with the mutation.
    error : str
        Name of the exception that must be raised.
    """

    check: str
    title: str
    cells: tuple
    changed: tuple
    error: str

    @property
    def key(self):
        """A digest of all code that decides whether the check fails."""
        return digest([*self.cells, *self.changed, self.error])


def digest(parts):
    """Return a short digest of texts, or of what else JSON can hold."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def mutants(notebook):
    """Return a :class:`Mutant` for each check of a notebook.

    Raises
    ------
    ValueError
        A check without a mutation, one that names no earlier code cell, or a text that does not occur
        there exactly once.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [mutant(code, number) for number, cell in enumerate(code) if "check" in tags(cell)]


def mutant(code, number):
    """Return the mutant of the check that is the code cell of a number."""
    check = code[number]
    mutation = check.metadata.get("mutation", {})
    if not {"cell", "replace", "by"} <= set(mutation) <= MUTATION:
        raise ValueError(f"check {check.id}: mutation={dict(mutation)}; allowed: cell, replace, by, error")
    target = next((k for k in range(number) if code[k].id == mutation["cell"]), None)
    if target is None:
        raise ValueError(f"check {check.id}: mutation names {mutation['cell']!r}; allowed: an earlier cell")
    found = code[target].source.count(mutation["replace"])
    if found != 1 or mutation["replace"] == mutation["by"]:
        raise ValueError(
            f"check {check.id}: {mutation['replace']!r} occurs {found} times in {mutation['cell']}; "
            "allowed: a text that occurs once, replaced by another"
        )
    kept = needed(code, number, target)
    cells = [(code[k].source, "raises-exception" in tags(code[k])) for k in kept]
    changed = list(cells)
    source, raises = changed[kept.index(target)]
    changed[kept.index(target)] = source.replace(mutation["replace"], mutation["by"]), raises
    title = check.metadata.get("mystnb", {}).get("code_prompt_show", "")
    return Mutant(check.id, title, tuple(cells), tuple(changed), mutation.get("error", "AssertionError"))


def names(source):
    """Return the names in a cell: those it binds at its top level, and all that it mentions."""
    tree = ast.parse(source)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    mentioned = {node.id for node in found}
    bound = {node.id for node in found if isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return bound, mentioned | bound


def needed(code, number, target):
    """Return the numbers of the cells that run before a check, and the check's.

    Other checks and figures are left out if no later cell needs a name from them and none of their
    names is a source of random numbers, whose next draws would be others.
    """
    kept, wanted = [number], names(code[number].source)[1]
    for k in range(number - 1, -1, -1):
        bound, mentioned = names(code[k].source)
        aside = "check" in tags(code[k]) or "figure" in code[k].metadata.get("mystnb", {})
        draws = any("rng" in name for name in mentioned)
        if k != target and aside and not draws and not bound & wanted:
            continue
        kept.append(k)
        wanted |= mentioned
    return kept[::-1]


def outcome(cells, folder):
    """Run cells in a fresh kernel; return ``passed``, or the exception's name if the last one raised it."""
    notebook = new_notebook(
        cells=[
            new_code_cell(source, metadata={"tags": ["raises-exception"] * raises})
            for source, raises in cells
        ]
    )
    client = NotebookClient(
        notebook, timeout=SECONDS_PER_CELL, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        last = any(output.output_type == "error" for output in notebook.cells[-1].outputs)
        return error.ename if last else f"{error.ename} before the check"
    return PASSED


def verdict(mutant, folder):
    """Return what became of a mutant: nothing if its check failed as it must, else what is wrong."""
    unchanged = outcome(mutant.cells, folder)
    if unchanged != PASSED:
        return f"fails without the mutation: {unchanged}"
    changed = outcome(mutant.changed, folder)
    if changed == PASSED:
        return "SURVIVES"
    return "" if changed == mutant.error else f"{changed} instead of {mutant.error}"


def load(path):
    """Return what a JSON file holds, or nothing."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def save(path, content):
    """Write a JSON file at once."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


def check(paths, seen_path=SEEN, book_path=BOOK, workers=2):
    """Run the mutants of chapters that were not seen yet; record and print what became of them.

    Parameters
    ----------
    paths : list of Path
        Notebooks.
    seen_path, book_path : Path
        Where results stay between runs, and where the checks seen failing are listed.
    workers : int
        Mutants that run side by side.

    Returns
    -------
    int
        Number of mutants whose check did not fail as it must.
    """
    found = {path: mutants(nbformat.read(path, as_version=4)) for path in paths}
    package = digest(path.read_text("utf-8") for path in sorted((ROOT / "d2lutil").rglob("*.py")))
    seen, lock = load(seen_path), threading.Lock()

    def run(task):
        path, mutant = task
        key = f"{mutant.key} {package}"
        result = seen[key] if key in seen else verdict(mutant, str(path.parent))
        with lock:
            seen[key] = result
            save(seen_path, seen)
            print(f"{path.stem:20s} {result or 'failed, as it must':24s} {mutant.title}", flush=True)
        return result

    tasks = [(path, mutant) for path, ones in found.items() for mutant in ones]
    with ThreadPoolExecutor(workers) as pool:
        results = dict(zip(tasks, pool.map(run, tasks), strict=True))
    listed = load(book_path)
    for path, ones in found.items():
        listed[path.stem] = {one.check: one.key for one in ones if not results[path, one]}
    save(book_path, {stem: ones for stem, ones in listed.items() if ones})
    wrong = sum(map(bool, results.values()))
    print(f"{len(results) - wrong} of {len(results)} checks failed under their mutation")
    return wrong


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, help="chapters; all without")
    paths = parser.parse_args().paths or sorted((ROOT / "book").glob("*.ipynb"))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # two kernels run side by side
    sys.exit(min(1, check(paths)))


if __name__ == "__main__":
    main()
