"""Peak memory of one gradient, each in a process of its own."""

import os
import subprocess
import sys

LENGTHS = [1_000, 10_000, 100_000]
BATCH_SIZE, NUM_HIDDENS = 1, 128
CODE = """
import resource, sys
import numpy
import d2lutil
from benchmarks.contestants import CONTESTANTS
from benchmarks.step import VOCAB_SIZE, problem, schemes
name, scheme, num_steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
weights, X, Y = problem((num_steps, {batch_size}, {num_hiddens}), "float32")
kind = next(kind for kind in CONTESTANTS if kind.name == name)
few = kind(weights, X[:2], Y[:2])
few.step(numpy.array([0.0, 2.0]))  # what any first call needs is not counted
entrant, xi = kind(weights, X, Y), schemes(num_steps)[scheme]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
entrant.step(xi)
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(contestant, scheme, num_steps):
    """Return the process's peak before one step of training and after it, in MB.

    A shell stands in between, because a process inherits the peak of the one that starts it.
    """
    code = CODE.format(batch_size=BATCH_SIZE, num_hiddens=NUM_HIDDENS)
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code]
    arguments = [contestant, scheme, str(num_steps)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    run = subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True, env=environment
    )
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return tuple(int(number) / unit for number in run.stdout.split())
