"""Seconds of one training step: forward, loss, backward."""

import time

import numpy

from benchmarks.contestants import CONTESTANTS, Gluon, Package
from benchmarks.problem import REGULAR, VOCAB_SIZE, problem, schemes
from d2lutil import threads

try:
    from benchmarks.rivals import Torch, TorchLoop
except ModuleNotFoundError:
    KINDS, LAYERS = CONTESTANTS, (Gluon,)
else:
    KINDS, LAYERS = [*CONTESTANTS, Torch, TorchLoop], (Gluon, Torch)

SHAPES = [(1000, 32, 256), (1000, 1, 128), (1000, 128, 512), (35, 32, 256), (170_000, 1, 128)]
SECONDS = 1.5  # for a contestant under one scheme at one shape, while there is time
MAX_ROUNDS = 9
LONG = 1.0  # a loop, or a layer with many gates, that needs longer for one step does a part of it
FEW = 100  # steps of the shortest part
TURN = 0.2  # seconds of a turn: short steps are repeated, as in training
PAUSE = 0.05  # before each turn: the threads of the one before stop waiting for work
TOLERANCE = 1e-10


def check(shape):
    """Raise unless all contestants compute the same loss and gradient under every scheme.

    In float64, on the first steps of a shape.
    """
    num_steps = min(shape[0], 60)
    weights, X, Y = problem((num_steps, *shape[1:]), "float64")
    entrants = [kind(weights, X, Y) for kind in KINDS]
    for name, xi in schemes(num_steps).items():
        losses = [entrant.step(xi) for entrant in entrants]
        for entrant, loss in zip(entrants[1:], losses[1:], strict=True):
            pairs = zip(entrants[0].gradients(), entrant.gradients(), strict=True)
            gaps = [abs(a - b).max() / abs(a).max() for a, b in pairs]
            gap = max(*gaps, abs(loss / losses[0] - 1))
            if not gap < TOLERANCE:
                raise AssertionError(f"{entrant.name} differs by {gap:.1e} under {name} at {shape}")


def timed(entrant, xi):
    """Return the seconds of one step, the median of a turn."""
    time.sleep(PAUSE)
    seconds = []
    while not seconds or sum(seconds) < TURN:
        start = time.perf_counter()
        entrant.step(xi)
        seconds.append(time.perf_counter() - start)
    return float(numpy.median(seconds))


def length(kind, weights, X, Y, name, xi):
    """Return how many steps of the text a contestant does.

    All of them, but for what costs the same at every step and takes long: a loop of steps, and a layer
    that stops at gates.
    """
    fused = kind is Package or (kind in LAYERS and name in ("full", REGULAR))
    if fused or len(xi) <= FEW:
        return len(xi)
    few = kind(weights, X[:FEW], Y[:FEW])
    few.step(xi[:FEW])
    seconds = timed(few, xi[:FEW]) * len(xi) / FEW
    return len(xi) if seconds < LONG else max(FEW, int(len(xi) * LONG / seconds) // FEW * FEW)


def measure(shape, deadline):
    """Measure each contestant under each scheme, in rounds that alternate them.

    Returns
    -------
    seconds : dict
        By contestant and scheme, a number a round. What was measured on a part of the steps is scaled.
    scaled : set
        The contestants and schemes that did a part of the steps.
    """
    weights, X, Y = problem(shape, "float32")
    runs = {}
    for kind in KINDS:
        entrants = {}
        for name, xi in schemes(shape[0]).items():
            n = length(kind, weights, X, Y, name, xi)
            if n not in entrants:
                entrants[n] = kind(weights, X[:n], Y[:n])
                entrants[n].tune(xi[:n])
            runs[kind.name, name] = entrants[n], xi[:n]
    seconds = {key: [] for key in runs}
    if shape[0] * shape[1] < 40_000:  # the first call of each is not counted, where that is quick
        for entrant, xi in runs.values():
            entrant.step(xi)
    for number in range(MAX_ROUNDS):
        for key, (entrant, xi) in runs.items():
            if number == 0 or (sum(seconds[key]) < SECONDS and time.perf_counter() < deadline):
                seconds[key].append(timed(entrant, xi) * shape[0] / len(xi))
    return seconds, {key for key, (_, xi) in runs.items() if len(xi) < shape[0]}


def products(shape, repeats=3):
    """Return seconds of a step's matrix products alone, and the operations a second of the largest.

    The products are those of the full sum, step by step where steps wait for one another: the carried
    state's forwards and backwards, the output's three, and the two weight gradients. They are shared
    between threads as the package does; the largest gets the threads that NumPy chooses.
    """
    num_steps, batch_size, num_hiddens = shape
    W, W_hq = (numpy.ones((num_hiddens, size), "float32") for size in (num_hiddens, VOCAB_SIZE))
    H = numpy.ones((num_steps * batch_size, num_hiddens), "float32")
    O = numpy.ones((num_steps * batch_size, VOCAB_SIZE), "float32")

    def run(columns):
        own = slice(columns.start * num_steps, columns.stop * num_steps)
        h, out = numpy.ones((2, columns.stop - columns.start, num_hiddens), "float32")
        for _ in range(2 * num_steps):
            numpy.dot(h, W, out=out)
        H[own] @ W_hq, O[own] @ W_hq.T, H[own].T @ O[own], O[own].T @ H[own], H[own].T @ H[own]

    together, largest = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        threads.map_columns(run, batch_size, num_hiddens**2)
        middle = time.perf_counter()
        H.T @ H
        together.append(middle - start)
        largest.append(time.perf_counter() - middle)
    rate = 2 * len(H) * num_hiddens**2 / numpy.median(largest)
    return float(numpy.median(together)), float(rate)


def operations(shape):
    """Return the multiplications and additions of one training step's matrix products."""
    num_steps, batch_size, num_hiddens = shape
    return num_steps * batch_size * (6 * num_hiddens**2 + 8 * num_hiddens * VOCAB_SIZE)
