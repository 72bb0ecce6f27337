"""Seconds of one training step: forward, loss, backward."""

import time

import numpy

from benchmarks.contestants import CONTESTANTS, Definition, Gluon, Package
from benchmarks.problem import EVERY_STEP, REGULAR, STAGGERED, VOCAB_SIZE, problem, schemes
from d2lutil import threads

try:
    from benchmarks.rivals import Torch, TorchLoop
except ModuleNotFoundError:
    KINDS, LAYERS = CONTESTANTS, (Gluon,)
else:
    KINDS, LAYERS = [*CONTESTANTS, Torch, TorchLoop], (Gluon, Torch)

SHAPES = {
    "tanh": [(1000, 32, 256), (1000, 1, 128), (1000, 128, 512), (35, 32, 256), (170_000, 1, 128)],
    "gru": [(1000, 32, 256), (35, 32, 256)],
    "lstm": [(1000, 32, 256), (35, 32, 256)],
}
SECONDS = 1.5  # for a contestant under one scheme at one shape, while there is time
MAX_ROUNDS = 9
LONG = 1.0  # a loop, or a layer with many gates, that needs longer for one step does a part of it
FEW = 100  # steps of the shortest part
TRIAL = 10_000  # predictions of a trial that chooses the threads, at least FEW steps of them
WARM = 40_000  # predictions: the first call of each is not counted where there are fewer
TURN = 0.2  # seconds of a turn: short steps are repeated, as in training
PAUSE = 0.05  # before each turn: the threads of the one before stop waiting for work
TOLERANCE = 1e-10


def check(cell, shape):
    """Raise unless all contestants compute the loss and gradient of the definition under every scheme.

    In float64, on the first steps of a shape. A ξ for each column only the package takes.
    """
    shape = min(shape[0], 60), *shape[1:]
    weights, X, Y = problem(cell, shape, "float64")
    definition, *entrants = (
        kind(cell, weights, X, Y) for kind in (Definition, *KINDS) if cell in kind.cells
    )
    for name, xi in schemes(*shape[:2]).items():
        expected = definition.step(xi)
        for entrant in entrants if xi.ndim == 1 else entrants[:1]:
            loss = entrant.step(xi)
            pairs = zip(definition.gradients(), entrant.gradients(), strict=True)
            gap = max(abs(loss / expected - 1), *(abs(a - b).max() / abs(a).max() for a, b in pairs))
            if not gap < TOLERANCE:
                raise AssertionError(f"{cell}: {entrant.name} differs by {gap:.1e} under {name} at {shape}")


def plan(cell, shape):
    """Return what is measured, pairs ``(kind, scheme)``.

    Of the tanh cell everything; of the others all contestants under regular cuts, and the package also
    with a weight at every step. Cuts are staggered where there is more than one column.
    """
    kinds = [kind for kind in KINDS if cell in kind.cells]
    shared = (
        [name for name, xi in schemes(*shape[:2]).items() if xi.ndim == 1] if cell == "tanh" else [REGULAR]
    )
    own = [*([] if cell == "tanh" else [EVERY_STEP]), *([STAGGERED] if shape[1] > 1 else [])]
    return [(kind, name) for kind in kinds for name in [*shared, *(own if kind is Package else [])]]


def timed(entrant, xi):
    """Return the seconds of one step, the median of a turn."""
    time.sleep(PAUSE)
    seconds = []
    while not seconds or sum(seconds) < TURN:
        start = time.perf_counter()
        entrant.step(xi)
        seconds.append(time.perf_counter() - start)
    return float(numpy.median(seconds))


def rounds(runs, num_steps, deadline):
    """Return the seconds of num_steps, by the keys of ``runs``, a number a round.

    A run is a pair ``(entrant, xi)``; the rounds alternate them. What ``xi`` is short of is scaled.
    """
    seconds = {key: [] for key in runs}
    for number in range(MAX_ROUNDS):
        for key, (entrant, xi) in runs.items():
            if number == 0 or (sum(seconds[key]) < SECONDS and time.perf_counter() < deadline):
                seconds[key].append(timed(entrant, xi) * num_steps / len(xi))
    return seconds


def length(kind, given, name, xi):
    """Return how many steps of the text a contestant does.

    All of them, but for what costs the same at every step and takes long: a loop of steps, and a layer
    that stops at gates.
    """
    fused = kind is Package or (kind in LAYERS and name in ("full", REGULAR))
    if fused or len(xi) <= FEW:
        return len(xi)
    cell, weights, X, Y = given
    few = kind(cell, weights, X[:FEW], Y[:FEW])
    few.step(xi[:FEW])
    seconds = timed(few, xi[:FEW]) * len(xi) / FEW
    return len(xi) if seconds < LONG else max(FEW, int(len(xi) * LONG / seconds) // FEW * FEW)


def measure(cell, shape, deadline):
    """Measure what is planned, in rounds that alternate the contestants.

    Returns
    -------
    seconds : dict
        By contestant and scheme, a number a round. What was measured on a part of the steps is scaled.
    scaled : set
        The contestants and schemes that did a part of the steps.
    """
    weights, X, Y = problem(cell, shape, "float32")
    drawn, entrants, runs = schemes(*shape[:2]), {}, {}
    for kind, name in plan(cell, shape):
        xi = drawn[name]
        n = length(kind, (cell, weights, X, Y), name, xi)
        if (kind, n) not in entrants:
            entrants[kind, n] = kind(cell, weights, X[:n], Y[:n])
            entrants[kind, n].tune(xi[: min(n, max(FEW, TRIAL // shape[1]))])
        runs[kind.name, name] = entrants[kind, n], xi[:n]
    if shape[0] * shape[1] < WARM:
        for entrant, xi in runs.values():
            entrant.step(xi)
    seconds = rounds(runs, shape[0], deadline)
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
