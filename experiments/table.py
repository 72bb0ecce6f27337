"""A table of runs: a CSV that grows by one row a run, and the provenance beside it."""

import csv
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy

import d2lutil
from d2lutil.compat import mxnet
from d2lutil.notebook import number

__all__ = ["Table"]

RESULTS = Path(__file__).resolve().parent / "results"
DESCRIPTION = ("seconds", "commit")  # of a run: what every row has and no comparison reads


class Table:
    """The results of one experiment, ``results/NAME.csv``.

    Parameters
    ----------
    name : str
    settings, measured : list of str
        The columns that say which run a row is, and those that it measured.
    folder : path
    """

    def __init__(self, name, settings, measured, folder=RESULTS):
        self.name, self.settings = name, list(settings)
        self.columns = [*settings, *measured, *DESCRIPTION]
        self.path = Path(folder) / f"{name}.csv"

    def key(self, row):
        """Return what tells a run from the others, as it reads in the file."""
        return tuple(str(row[name]) for name in self.settings)

    def rows(self):
        """Return the rows as dicts, numbers as numbers. A line cut off by an interruption is left out.

        Raises
        ------
        ValueError
            The file has other columns, so it was written by another version of the experiment.
        """
        if not self.path.exists():
            return []
        with open(self.path, encoding="utf-8", newline="") as file:
            lines = file.read().split("\n")[:-1]  # the end of the last one may be missing
        reader = csv.DictReader(lines)
        if reader.fieldnames != self.columns:
            raise ValueError(f"{self.path} has columns {reader.fieldnames}; allowed: {self.columns}")
        return [{name: number(value) for name, value in row.items()} for row in reader]

    def append(self, row):
        """Add the row of a run at once, so that an interruption loses no run that has ended."""
        new = not self.path.exists()
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())

    def write(self, rows):
        """Replace the file by these rows."""
        write(self.path, self.columns, rows)

    def describe(self, rows):
        """Write ``results/NAME.json``: how the rows came about."""
        about = {
            "command": f"make experiments ONLY={self.name}",
            "runs": len(rows),
            "seconds of a processor": round(sum(row["seconds"] for row in rows)),
            "commits": sorted({row["commit"] for row in rows}),
            "processor": processor(),
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "mxnet": mxnet.__version__,
            "d2lutil": d2lutil.__version__,
        }
        text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        self.path.with_suffix(".json").write_text(text, encoding="utf-8")


def write(path, columns, rows):
    """Write rows as CSV; the file is either the old one or the new one, whatever interrupts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    with open(draft, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draft.replace(path)


def processor():
    """Return the name of the processor and its instructions that matter for NumPy's products."""
    names = [platform.machine()]
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names += [line.split(":")[1].strip() for line in lines if line.startswith("model name")][:1]
        flags = {word for line in lines if line.startswith("flags") for word in line.split()}
        names += [flag for flag in ("avx2", "avx512f") if flag in flags]
    return ", ".join(names)


def commit():
    """Return the commit of the working copy, with a plus where files of the experiments differ from it."""
    here = ["git", "-C", str(RESULTS.parents[1])]
    head = subprocess.run([*here, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True)
    if head.returncode:
        return "unknown"
    code = [*here, "status", "--porcelain", "--", "d2lutil", "experiments/*.py"]
    changed = subprocess.run(code, capture_output=True, text=True).stdout.strip()
    return head.stdout.strip() + ("+" if changed else "")


def timed(measure, settings):
    """Return what a run measured and the processor's seconds that it took."""
    start = time.process_time()
    values = measure(**settings)
    return values | {"seconds": round(time.process_time() - start, 2)}
