"""See every check of the chapters fail: ``make mutants``.

The metadata of a cell tagged ``check`` names a change to an earlier cell under which the check must fail::

    "mutation": {"cell": "recursion-sum", "replace": "i + 1 :", "by": "i :"}

One kernel runs the chapter as it is, where every check must pass. Then a kernel for each check runs the
cells before it with the change, but no other check, and the check must raise an AssertionError (or the
exception that the mutation names as ``error``). What was seen stays in ``_build/mutants.json``: an
interrupted run goes on where it ended. The checks seen failing are written to ``book/mutants.json``, which
the book quotes.
"""

import argparse
import ast
import asyncio
import contextlib
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


class Mutant(NamedTuple):
    """A check, and the change under which it must fail.

    Attributes
    ----------
    check : str
        Identifier of the check's cell.
    title : str
        What the check establishes.
    cells : tuple of (str, bool)
        The changed code before the check, and the check; and whether a cell is to raise an exception.
    error : str
        Name of the exception that must be raised.
    """

    check: str
    title: str
    cells: tuple
    error: str

    @property
    def key(self):
        """A digest of all code that decides whether the check fails."""
        return digest([self.cells, self.error])


def digest(parts):
    """Return a short digest of texts, or of what else JSON can hold."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def code_cells(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def mutants(notebook):
    """Return a :class:`Mutant` for each check of a notebook.

    Raises
    ------
    ValueError
        A check without a mutation, one that names no earlier code cell, a text that does not occur there
        exactly once, or a check that draws from the chapter's generator, as if later cells needed it.
    """
    code = code_cells(notebook)
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
    if "rng" in names(check.source)[1]:
        raise ValueError(
            f"check {check.id} draws from rng; allowed: a generator of its own under another name"
        )
    kept = needed(code, number, target)
    cells = [(code[k].source, "raises-exception" in tags(code[k])) for k in kept]
    source, raises = cells[kept.index(target)]
    cells[kept.index(target)] = source.replace(mutation["replace"], mutation["by"]), raises
    title = check.metadata.get("mystnb", {}).get("code_prompt_show", "")
    return Mutant(check.id, title, tuple(cells), mutation.get("error", "AssertionError"))


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

    Other checks are left out, and figures if no later cell needs a name from them and they draw no random
    numbers, since the next draws would be others.
    """
    kept, wanted = [number], names(code[number].source)[1]
    for k in range(number - 1, -1, -1):
        bound, mentioned = names(code[k].source)
        figure = "figure" in code[k].metadata.get("mystnb", {})
        aside = figure and not bound & wanted and "rng" not in mentioned
        if "check" not in tags(code[k]) and (not aside or k == target):
            kept.append(k)
            wanted |= mentioned
    return kept[::-1]


def run(cells, folder):
    """Run cells, ``(source, raises)`` each, in a fresh kernel until one fails; return them with outputs."""
    notebook = new_notebook(
        cells=[
            new_code_cell(source, metadata={"tags": ["raises-exception"] * raises})
            for source, raises in cells
        ]
    )
    client = NotebookClient(
        notebook, timeout=SECONDS_PER_CELL, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    with contextlib.suppress(CellExecutionError):  # it is in the outputs
        asyncio.run(client.async_execute())  # in a thread execute() would leave its event loop open
    return notebook.cells


def error(cell):
    """Return the name of the exception that a cell raised, or nothing."""
    return next((output.ename for output in cell.outputs if output.output_type == "error"), "")


def unchanged(code, folder):
    """Return what each check of a chapter raises as it stands, by identifier; its names are lost."""
    alone = "exec(compile({!r}, 'check', 'exec'), dict(globals()))"
    cells = [
        (alone.format(cell.source), True)
        if "check" in tags(cell)
        else (cell.source, "raises-exception" in tags(cell))
        for cell in code
    ]
    ran = zip(code, run(cells, folder), strict=True)
    checks = [(cell.id, after) for cell, after in ran if "check" in tags(cell)]
    return {
        name: error(after) if after.execution_count else "an earlier cell fails" for name, after in checks
    }


def changed(mutant, folder):
    """Return nothing if a check fails under its mutation as it must, else what is wrong."""
    *before, check = run(mutant.cells, folder)
    if not check.execution_count:
        return f"an earlier cell fails: {', '.join(filter(None, map(error, before)))}"
    raised = error(check)
    return (
        "" if raised == mutant.error else f"raises {raised}, not {mutant.error}" if raised else "SURVIVES"
    )


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
    """Run the mutants of chapters that were not seen yet; record and print what became of all.

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
    chapters = {path: code_cells(nbformat.read(path, as_version=4)) for path in paths}
    found = {path: mutants(new_notebook(cells=code)) for path, code in chapters.items()}
    package = digest(path.read_text("utf-8") for path in sorted((ROOT / "d2lutil").rglob("*.py")))
    seen, lock = load(seen_path), threading.Lock()

    def once(key, function, *arguments):
        key = f"{key} {package}"
        result = seen[key] if key in seen else function(*arguments)
        with lock:
            seen[key] = result
            save(seen_path, seen)
        return result

    def whole(path):
        key = digest([(cell.source, tags(cell)) for cell in chapters[path]])
        return once(key, unchanged, chapters[path], str(path.parent)) if found[path] else {}

    def verdict(task):
        path, mutant = task
        fails = passes[path][mutant.check]
        result = f"fails anyhow: {fails}" if fails else once(mutant.key, changed, mutant, str(path.parent))
        print(f"{path.stem:20s} {result or 'failed, as it must':24s} {mutant.title}", flush=True)
        return result

    tasks = [(path, mutant) for path, ones in found.items() for mutant in ones]
    with ThreadPoolExecutor(workers) as pool:
        passes = dict(zip(paths, pool.map(whole, paths), strict=True))
        results = dict(zip(tasks, pool.map(verdict, tasks), strict=True))
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
