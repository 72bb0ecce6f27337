"""Seconds that the book itself takes: to import the package, to build the site, to execute the chapters."""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
BUILD = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(ROOT), "-q"]


def seconds(command):
    """Return the seconds a command takes; raise if it fails."""
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
    """Return the seconds of each chapter, executed two at a time on one thread each."""
    os.environ.update(notebooks.ONE_THREAD)

    def run(path):
        start = time.perf_counter()
        notebooks.execute(path)
        return path.stem, time.perf_counter() - start

    with ThreadPoolExecutor(2) as pool:
        return dict(pool.map(run, notebooks.chapters()))
