"""What each part of ``d2lutil.fast`` buys: the seconds of a training step without it."""

import contextlib
import time
from unittest.mock import patch

from benchmarks.contestants import Package
from benchmarks.problem import REGULAR, TAU, problem, schemes
from benchmarks.step import rounds
from d2lutil import threads
from d2lutil.fast import products, strands

CELLS = ["tanh", "lstm"]
SHAPES = [(1000, 32, 256), (35, 32, 256), (1000, 1, 128)]
ALL = "all"


def without(batch_size, multiplications):
    """Return by name the parts, each as a context in which the others work alone.

    Parameters
    ----------
    multiplications : int
        Of one column in one step, as :func:`d2lutil.threads.map_columns` takes it.
    """
    columns = batch_size // threads.num_threads(batch_size, multiplications)  # of a thread
    return {
        ALL: contextlib.nullcontext(),
        "tiles for small products": patch.object(products, "has_small_kernels", lambda: False),
        "segments side by side": patch.object(strands, "STATES_AT_ONCE", TAU * columns),  # one a group
        "threads by columns": patch.object(threads, "num_threads", lambda *_: 1),
        "blocks of rows": patch.object(strands, "ROWS_AT_ONCE", 10**9),
    }


class Without(Package):
    """``d2lutil.bptt`` in one of these contexts."""

    def __init__(self, context, *problem):
        super().__init__(*problem)
        self.context = context

    def step(self, xi):
        """Return the loss, as :meth:`Package.step` does."""
        with self.context:
            return super().step(xi)


def entrants(cell, shape, dtype):
    """Return by name a contestant without each part, and one with all."""
    weights, X, Y = problem(cell, shape, dtype)
    parts = without(shape[1], weights[1].size)
    return {name: Without(context, cell, weights, X, Y) for name, context in parts.items()}


def measure(cell, shape, deadline):
    """Return the seconds without each part and with all, a number a round, under regular cuts."""
    xi = schemes(*shape[:2])[REGULAR]
    runs = {name: (entrant, xi) for name, entrant in entrants(cell, shape, "float32").items()}
    for entrant, _ in runs.values():
        entrant.step(xi)  # the first call of each is not counted
    return rounds(runs, shape[0], deadline)


def measure_all(seconds):
    """Measure every cell at every shape in about so many seconds; return by cell and shape."""
    cases = [(cell, shape) for cell in CELLS for shape in SHAPES]
    measured, end = {}, time.perf_counter() + seconds
    for number, case in enumerate(cases):
        now = time.perf_counter()
        measured[case] = measure(*case, now + (end - now) / (len(cases) - number))
    return measured
