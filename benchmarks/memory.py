"""Memory that one gradient adds, for each contestant, cell and scheme in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.contestants import CONTESTANTS

LENGTHS = [1_000, 10_000, 100_000]
BATCH_SIZE, NUM_HIDDENS = 2, 128
CODE = """
import sys
import numpy
from benchmarks.memory import BATCH_SIZE, NUM_HIDDENS, contestant, forget_peak, megabytes
from benchmarks.problem import problem, schemes
name, cell, scheme, *lengths = sys.argv[1:]
kind = contestant(name)
weights, X, Y = problem(cell, (max(map(int, lengths)), BATCH_SIZE, NUM_HIDDENS), "float32")
few = kind(cell, weights, X[:2], Y[:2])
few.step(numpy.array([0.0, 2.0]))  # what any first call needs is not counted
runs = [(kind(cell, weights, X[:n], Y[:n]), schemes(n, BATCH_SIZE)[scheme]) for n in map(int, lengths)]
forget_peak()
print(megabytes("VmRSS"))
for entrant, xi in runs:
    entrant.step(xi)
    print(megabytes("VmHWM"))
"""


def peaks(contestant, cell, scheme, lengths):
    """Return the memory of a process before any step, and its peak after a step of each length, in MB.

    The lengths rise, and so the peak after one is its own. Reads Linux's ``/proc``.
    """
    command = [sys.executable, "-c", CODE, contestant, cell, scheme, *map(str, lengths)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    before, *after = map(float, run.stdout.split())
    return before, after


def contestant(name):
    """Return a contestant by its name; PyTorch is imported for its own only."""
    kinds = {kind.name: kind for kind in CONTESTANTS}
    if name not in kinds:
        from benchmarks.rivals import Torch

        kinds[Torch.name] = Torch
    return kinds[name]


def forget_peak():
    """Let the peak of this process begin at what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")


def megabytes(name):
    """Return an entry of this process's status in MB (10⁶ bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"name={name!r}; allowed: an entry of /proc/self/status")
