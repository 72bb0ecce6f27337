"""Read the exercises to hand in, and try them: ``check``.

``exercises/CHAPTER.py`` is in percent format. Behind a cell ``# %% setup`` each exercise of the chapter has

- ``# %% stub exercise="ex-re-row"``, what a student begins with,
- ``# %% solution …``, the book's answer,
- ``# %% wrong … belief="…"``, a mistake, once or more often,
- ``# %% visible …``, tests that a student sees, which look at the form,
- ``# %% hidden …``, tests that only the grader has, which look at the truth,

in this order. A comment ``# left out: ex-…: why`` in the setup names an exercise that has no test.
"""

import argparse
import ast
import functools
import inspect
import multiprocessing
import os
import re
import symtable
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parent.parent
SOURCES, BOOK = ROOT / "exercises", ROOT / "book"
ORDER = re.compile("stub solution (wrong )+visible hidden ")
MARK = re.compile(r"^# %% ?(.*)\n", re.MULTILINE)
OPTION = re.compile(r'(\w+)="([^"]*)"')


class Exercise(NamedTuple):
    """The cells of an exercise; ``wrong`` pairs a belief with the code that follows from it."""

    label: str
    stub: str
    solution: str
    wrong: list
    visible: str
    hidden: str


class Chapter(NamedTuple):
    """A file of exercises; ``left_out`` says why an exercise of the chapter is not in it."""

    name: str
    setup: str
    left_out: dict
    exercises: list


def files():
    """Return the files of exercises, in the order of the book."""
    order = re.findall(r"file: book/([\w-]+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return sorted(SOURCES.glob("*.py"), key=lambda path: order.index(path.stem))


def cells(text):
    """Return the cells of a file in percent format: kind, options and source of each."""
    before, *parts = MARK.split(text)
    if before.strip():
        raise ValueError(f"before the first cell there is {before.strip()[:40]!r}; allowed: nothing")
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [(mark.split(" ")[0], dict(OPTION.findall(mark)), source.strip("\n")) for mark, source in pairs]


def read(path):
    """Return the exercises of a file; a ValueError says what is not of this form."""
    first, *others = cells(path.read_text(encoding="utf-8"))
    if first[0] != "setup" or any(kind == "setup" for kind, _, _ in others):
        raise ValueError(f"{path.name}: allowed is one cell `# %% setup`, the first")
    grouped = {}
    for kind, options, source in others:
        label = options.get("exercise", "")
        if label in grouped and label != list(grouped)[-1]:
            raise ValueError(f"{path.name}: the cells of {label!r} do not stand together")
        grouped.setdefault(label, []).append((kind, options.get("belief", ""), source))
    exercises = [exercise(label, parts) for label, parts in grouped.items()]
    comment = re.compile(r"^# left out: (ex-[\w-]+): (.+)\n?", re.MULTILINE)
    setup = comment.sub("", first[2]).strip("\n")
    return Chapter(path.stem, setup, dict(comment.findall(first[2])), exercises)


def exercise(label, parts):
    """Return the exercise that cells of one label make."""
    kinds = "".join(f"{kind} " for kind, _, _ in parts)
    if not label or not ORDER.fullmatch(kinds):
        raise ValueError(
            f"exercise {label!r} has the cells {kinds}; allowed: stub, solution, wrong (one or more), "
            "visible, hidden"
        )
    wrong = [(belief, source) for kind, belief, source in parts if kind == "wrong"]
    if not all(belief for belief, _ in wrong):
        raise ValueError(f'exercise {label!r}: a wrong answer names the belief behind it: belief="…"')
    return Exercise(label=label, **{kind: source for kind, _, source in parts} | {"wrong": wrong})


@functools.cache
def labels(chapter):
    """Return the exercises of a chapter of the book in their order: the number of stars by label."""
    cells = nbformat.read(BOOK / f"{chapter}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"^`{3,}\{exercise\} (★+) .*\n:label: (\S+)$", text, re.MULTILINE)
    return {label: len(stars) for stars, label in found}


def bound(source):
    """Return the names that a cell binds at its top level."""
    table = symtable.symtable(source, "cell", "exec")
    return {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}


def statements(body):
    """Return what statements do, as text that can be compared; docstrings do nothing."""
    for node in (node for one in body for node in ast.walk(one)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None
    return list(map(ast.dump, body))


def function(one, kind):
    """Return the visible or the hidden tests of an exercise as a function, which otter-grader takes.

    Its arguments are the names that the stub asks for. It runs behind the setup, and sees nothing else of a
    student's notebook: what a student does to a name of the setup does not reach it.
    """
    source = getattr(one, kind)
    tree = ast.parse(source)
    mentioned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    text = f"def {kind}({', '.join(sorted(bound(one.stub) & mentioned))}):\n{indent(source, '    ')}\n"
    if statements(ast.parse(text).body[0].body) != statements(tree.body):
        raise ValueError(
            f"{one.label}: the {kind} tests have a text over several lines; allowed: single lines"
        )
    return text


def attempt(setup, answer, one):
    """Run an answer to an exercise; return what the visible and the hidden tests raise, or None."""
    given, raised = {"__name__": "__main__"}, []
    exec(compile(setup, "setup", "exec"), given)
    answered = dict(given)
    exec(compile(answer, one.label, "exec"), answered)
    for kind in ("visible", "hidden"):
        tests = dict(given)
        exec(function(one, kind), tests)
        names = inspect.signature(tests[kind]).parameters
        try:
            tests[kind](**{name: answered.get(name) for name in names})
            raised.append(None)
        except Exception as error:
            raised.append(error)
    return raised


def faults(setup, one):
    """Return what is wrong with an exercise, one line each."""
    found = []
    raised = attempt(setup, one.solution, one)
    if any(raised):
        found.append(f"the solution must pass; visible and hidden tests raise {raised}")
    visible, _ = attempt(setup, one.stub, one)
    if not (isinstance(visible, AssertionError) and str(visible)):
        found.append(f"the stub must fail the visible tests by an assertion that says why, not {visible!r}")
    for belief, answer in one.wrong:
        visible, hidden = attempt(setup, answer, one)
        if visible or not (isinstance(hidden, AssertionError) and str(hidden)):
            wanted = (
                f"{belief!r} must pass visible tests, and fail hidden ones by an assertion that says why"
            )
            found.append(f"{wanted}; they raise {visible!r} and {hidden!r}")
    return found


def differences(chapter):
    """Return how a file and its chapter differ in their exercises, or nothing."""
    known, order = list(labels(chapter.name)), [one.label for one in chapter.exercises]
    wanted = [label for label in known if label not in chapter.left_out]
    unknown = sorted(set(order).union(chapter.left_out).difference(known))
    if unknown:
        return f"the chapter has no {', '.join(unknown)}; allowed: {', '.join(known)}"
    if order != wanted:
        return f"has {', '.join(order)}; the chapter, less what is left out: {', '.join(wanted)}"
    return ""


def clashes(chapter):
    """Return the names that two exercises of a file want from a student: the notebook has one of each."""
    owners = {}
    for one in chapter.exercises:
        for name in bound(one.stub):
            owners.setdefault(name, []).append(one.label)
    taken = bound(chapter.setup)
    return [
        f"{name} is asked for by {' and '.join(found)}" + ", and the setup has it" * (name in taken)
        for name, found in owners.items()
        if len(found) > 1 or name in taken
    ]


def check(path):
    """Try the exercises of a file; return a line for each, with its seconds, and the number of faults."""
    warnings.filterwarnings("ignore", "cannot download")  # each attempt would say so
    start, chapter = time.process_time(), read(path)
    found = [line for line in (differences(chapter), *clashes(chapter)) if line]
    exec(compile(chapter.setup, "setup", "exec"), {})
    lines, count = [report(path.stem, "setup", start, found)], len(found)
    for one in chapter.exercises:
        start = time.process_time()
        found = faults(chapter.setup, one)
        lines.append(report(path.stem, f"{one.label}, {len(one.wrong)} wrong", start, found))
        count += len(found)
    return lines, count


def report(name, what, start, found):
    """Return a line, and one more for each fault."""
    line = f"{name:20s} {what:32s} {time.process_time() - start:6.2f} s  {'FAULTY' if found else 'ok'}"
    return "\n    ".join([line, *found])


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=["check"])
    parser.add_argument("paths", nargs="*", type=Path, help="files; all without")
    paths = parser.parse_args().paths or files()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # two chapters run side by side
    os.environ.setdefault("MPLBACKEND", "agg")
    with ProcessPoolExecutor(min(2, len(paths)), multiprocessing.get_context("spawn")) as pool:
        total = 0
        for lines, count in pool.map(check, paths):
            print(*lines, sep="\n", flush=True)
            total += count
    sys.exit(min(1, total))


if __name__ == "__main__":
    main()
