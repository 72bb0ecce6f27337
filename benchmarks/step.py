"""Seconds of one training step: forward, loss, backward."""

import time

import numpy

from benchmarks.contestants import CONTESTANTS, Definition, Gluon, Package
from benchmarks.problem import REGULAR, problem, schemes
from benchmarks.products import Products

try:
    from benchmarks.rivals import Torch, TorchLoop
except ModuleNotFoundError:
    KINDS, LAYERS = CONTESTANTS, (Gluon,)
else:
    KINDS, LAYERS = [*CONTESTANTS, Torch, TorchLoop], (Gluon, Torch)

WIDE, NARROW, SHORT = (1000, 32, 256), (1000, 1, 128), (35, 32, 256)
SHAPES = {
    "tanh": [WIDE, NARROW, SHORT, (200, 128, 512)],
    "gru": [WIDE, NARROW, SHORT],
    "lstm": [WIDE, NARROW, SHORT],
}
SECONDS = 1.5  # for a contestant under one scheme at one shape, while there is time
MIN_ROUNDS, MAX_ROUNDS = 3, 9  # the fewest whatever the time: fewer give no ratio
LONG = 0.5  # a loop, or a layer with many gates, that needs longer for one step does a part of it
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

    All contestants under all schemes; a ξ for each column only the package takes, and only where there is
    more than one.
    """
    drawn = schemes(*shape[:2])
    return [
        (kind, name)
        for kind in KINDS
        if cell in kind.cells
        for name, xi in drawn.items()
        if xi.ndim == 1 or (kind is Package and shape[1] > 1)
    ]


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

    A run is a pair ``(entrant, xi)``; the rounds alternate them, MIN_ROUNDS times at least, and more often
    while there is time. What ``xi`` is short of is scaled.
    """
    seconds = {key: [] for key in runs}
    for number in range(MAX_ROUNDS):
        for key, (entrant, xi) in runs.items():
            if number < MIN_ROUNDS or (sum(seconds[key]) < SECONDS and time.perf_counter() < deadline):
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
        By contestant and scheme, a number a round; of the tanh cell also its products alone. What was
        measured on a part of the steps is scaled.
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
    if cell == "tanh":
        runs[Products.name, "full"] = Products(shape), drawn["full"]
    if shape[0] * shape[1] < WARM:
        for entrant, xi in runs.values():
            entrant.step(xi)
    seconds = rounds(runs, shape[0], deadline)
    return seconds, {key for key, (_, xi) in runs.items() if len(xi) < shape[0]}
