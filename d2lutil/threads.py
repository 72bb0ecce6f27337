"""Threads: the columns of a batch are independent of one another, the steps of a text are not.

Two threads that share the small matrix product of one step wait for each other at every step. So MXNet
gets one thread when this package is imported, and :func:`map_columns` gives every thread columns of its
own.
``OMP_NUM_THREADS``, ``OPENBLAS_NUM_THREADS`` or ``MXNET_OMP_MAX_THREADS``, if set, is what counts instead.
"""

import contextlib
import itertools
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy
from threadpoolctl import ThreadpoolController

from d2lutil.compat import mxnet

SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MXNET_OMP_MAX_THREADS")
MIN_COLUMNS = 8  # of a thread
MIN_MULTIPLICATIONS = 500_000  # of a thread in one step


def map_columns(function, batch_size, multiplications):
    """Call a function on parts of a batch's columns, each in a thread of its own.

    Meanwhile NumPy's own threads rest.

    Parameters
    ----------
    function : callable
        ``function(columns)`` with a slice of columns.
    multiplications : int
        Of one column in one step.

    Returns
    -------
    list
        What the calls returned, in the order of the columns.
    """
    count = num_threads(batch_size, multiplications)
    edges = numpy.linspace(0, batch_size, count + 1).astype(int).tolist()
    own, *others = (slice(*pair) for pair in itertools.pairwise(edges))
    with _REST if count > 1 or user_setting() is None else contextlib.nullcontext():
        if not others:
            return [function(own)]
        with ThreadPoolExecutor(len(others)) as pool:
            futures = [pool.submit(function, columns) for columns in others]
            return [function(own), *(future.result() for future in futures)]


def num_threads(batch_size, multiplications):
    """Return how many threads a batch deserves, at most as many as are allowed."""
    allowed = user_setting() or processors()
    deserved = min(batch_size // MIN_COLUMNS, batch_size * multiplications // MIN_MULTIPLICATIONS)
    return max(1, min(allowed, deserved))


def user_setting():
    """Return the number of threads that the user has set, or None."""
    values = [os.environ.get(name, "").strip() for name in SETTINGS]
    numbers = [int(value) for value in values if re.fullmatch(r"\+?[0-9]{1,9}", value)]
    return min((number for number in numbers if number > 0), default=None)


def processors():
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Rest:
    """Holds NumPy's own threads while any thread of this process is inside; reentrant."""

    def __init__(self):
        self._lock, self._inside = threading.Lock(), 0
        self._limits = contextlib.ExitStack()

    def __enter__(self):
        with self._lock:
            if not self._inside:
                self._limits.enter_context(_libraries().limit(limits=1))
            self._inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limits.close()


@lru_cache(maxsize=1)
def _libraries():
    return ThreadpoolController()


_REST = _Rest()


if user_setting() is None:
    mxnet.base._LIB.MXSetNumOMPThreads(1)
