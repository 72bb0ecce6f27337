"""Run the stages of ``make test`` one after the other; print what each took beside its budget.

The budgets hold on two cores, with an environment and the text at hand. To be over one fails nothing,
because a machine may be busy; to fail in a stage ends the run with that stage's code.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTEST = "-m pytest -n 2 --dist worksteal --cov=d2lutil --cov=d2launcher --cov-report=term:skip-covered"
CORE_SECONDS = 20  # of a chapter, on average


class Stage(NamedTuple):
    """A part of ``make test``: what runs, and the seconds that it may take."""

    name: str
    command: list
    budget: float


class Run(NamedTuple):
    """What a stage took."""

    stage: Stage
    seconds: float
    core_seconds: float
    code: int


def stages(make="make"):
    """Return the stages of ``make test``, in their order."""
    chapters = len(list((ROOT / "book").glob("*.ipynb")))
    target = [make, "--no-print-directory"]
    return [
        Stage("check", [*target, "check"], 10),
        Stage("colab", [*target, "colab"], 20),  # before the book, which hands out some of its notebooks
        Stage("book", [*target, "book"], 60),
        Stage("pytest", [sys.executable, *PYTEST.split()], 150),
        Stage("exercises", [sys.executable, "tools/exercises.py", "check"], 45),
        Stage("experiments", [sys.executable, "-m", "experiments", "--check"], 60),
        Stage("notebooks", [sys.executable, "tools/notebooks.py", "check"], CORE_SECONDS * chapters / 2),
    ]


def core_seconds():
    """Return the seconds of processors that all processes so far have used, those still running aside."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(stage):
    """Run a stage and measure it."""
    start, before = time.monotonic(), core_seconds()
    code = subprocess.run(stage.command, cwd=ROOT).returncode
    return Run(stage, time.monotonic() - start, core_seconds() - before, code)


def line(done):
    """Return the line of a stage."""
    verdict = "FAILED" if done.code else "OVER BUDGET" if done.seconds > done.stage.budget else "ok"
    spent = f"{done.seconds:6.1f} s of {done.stage.budget:4.0f}, {done.core_seconds:6.1f} core-seconds"
    return f"{done.stage.name:10s} {spent}  {verdict}"


def main(names):
    """Run the stages up to the first that fails; print a line for each and return the code."""
    done = []
    for stage in names:
        done.append(run(stage))
        if done[-1].code:
            break
    print("", *map(line, done), sep="\n")
    skipped = [stage.name for stage in names[len(done) :]]
    if skipped:
        print("not run:", ", ".join(skipped))
    return done[-1].code


if __name__ == "__main__":
    sys.exit(main(stages(os.environ.get("MAKE", "make"))))
