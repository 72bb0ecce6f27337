"""Seconds that the book itself takes: to import the package, to build the site, to execute the chapters."""

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
BUILD = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(ROOT), "-q"]


def seconds(command):
    """Return the seconds a command takes; raise with what it printed if it fails."""
    start = time.perf_counter()
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {run.returncode}:\n{run.stdout[-2000:]}")
    return time.perf_counter() - start


def imports(repeats=3):
    """Return the seconds of ``import d2lutil`` in a fresh process, the fewest of some."""
    return min(seconds([sys.executable, "-c", "import d2lutil"]) for _ in range(repeats))


def builds():
    """Return the seconds of a first build of the site, and of one with nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*BUILD, "--path-output", folder]
        return seconds(command), seconds(command)


def chapters():
    """Return the seconds of each chapter, executed two at a time, in the order of the book."""

    def run(path):
        start = time.perf_counter()
        notebooks.execute(path)
        return path.stem, time.perf_counter() - start

    with patch.dict(os.environ, notebooks.ONE_THREAD), ThreadPoolExecutor(2) as pool:
        measured = dict(pool.map(run, notebooks.chapters()))
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    return {name: measured[name] for name in re.findall(r"file: book/(\S+)", contents) if name in measured}
