"""The matrix products of a training step: what no program can save."""

import time

import numpy

from benchmarks.problem import VOCAB_SIZE
from d2lutil import threads


class Products:
    """The matrix products of the full sum's training step alone, as a contestant.

    Step by step where steps wait for one another: the carried state's forwards and backwards; then the
    output's three, and the two weight gradients. They are shared between threads as the package does.
    """

    name = "products alone"

    def __init__(self, shape):
        num_steps, self.batch_size, num_hiddens = shape
        ones = [(num_hiddens, num_hiddens), (num_hiddens, VOCAB_SIZE)]
        ones += [(num_steps * self.batch_size, size) for size in (num_hiddens, VOCAB_SIZE)]
        self.arrays = [numpy.ones(size, "float32") for size in ones]

    def step(self, xi):
        """Multiply."""
        W, W_hq, H, O = self.arrays

        def run(columns):
            own = slice(columns.start * len(xi), columns.stop * len(xi))
            h, out = numpy.ones((2, columns.stop - columns.start, len(W)), "float32")
            for _ in range(2 * len(xi)):
                numpy.dot(h, W, out=out)
            H[own] @ W_hq, O[own] @ W_hq.T, H[own].T @ O[own], O[own].T @ H[own], H[own].T @ H[own]

        threads.map_columns(run, self.batch_size, W.size)


def largest(shape, repeats=3):
    """Return the operations a second of the largest single product, on the threads that NumPy chooses."""
    num_steps, batch_size, num_hiddens = shape
    H = numpy.ones((num_steps * batch_size, num_hiddens), "float32")
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        H.T @ H
        seconds.append(time.perf_counter() - start)
    return float(2 * len(H) * num_hiddens**2 / numpy.median(seconds))


def operations(shape):
    """Return the multiplications and additions of one training step's matrix products."""
    num_steps, batch_size, num_hiddens = shape
    return num_steps * batch_size * (6 * num_hiddens**2 + 8 * num_hiddens * VOCAB_SIZE)
