"""Seconds of one training step: forward, loss, backward."""

import time

import numpy

import d2lutil
from benchmarks.contestants import CONTESTANTS, Loop, Package, TorchLoop

SHAPES = [(1000, 32, 256), (1000, 1, 128), (1000, 128, 512), (35, 32, 256), (170_000, 1, 128)]
VOCAB_SIZE = 28
SECONDS = 1.5  # for a contestant under one scheme at one shape; at least MIN_ROUNDS
MIN_ROUNDS, MAX_ROUNDS = 3, 9
LONG = 4.0  # a contestant that needs as long as this for one step has one round
PAUSE = 0.05  # before each step: the threads of the one before stop waiting for work
MOST_CALLS = 20_000  # a contestant that needs more calls than this in one step is left out
TOLERANCE = 1e-10


def schemes(num_steps):
    """Return the schemes by name."""
    rng = numpy.random.default_rng(1)
    return {
        "full": d2lutil.full(num_steps),
        "regular, τ = 50": d2lutil.regular(num_steps, 50),
        "randomized every 25": d2lutil.randomized(num_steps, 0.5, rng=rng, every=25),
        "randomized every step": d2lutil.randomized(num_steps, 0.98, rng=rng),
    }


def problem(shape, dtype):
    """Return weights and a random text of a shape."""
    num_steps, batch_size, num_hiddens = shape
    rng = numpy.random.default_rng(2)
    sizes = [(VOCAB_SIZE, num_hiddens), (num_hiddens, num_hiddens), num_hiddens]
    sizes += [(num_hiddens, VOCAB_SIZE), VOCAB_SIZE]
    weights = [rng.normal(0, num_hiddens**-0.5, size).astype(dtype) for size in sizes]
    X, Y = rng.integers(VOCAB_SIZE, size=(2, num_steps, batch_size))
    return weights, X, Y


def check(shape):
    """Raise unless all contestants compute the same loss and gradient under every scheme, in float64."""
    num_steps = min(shape[0], 60)
    weights, X, Y = problem((num_steps, *shape[1:]), "float64")
    entrants = [kind(weights, X, Y) for kind in CONTESTANTS]
    for name, xi in schemes(num_steps).items():
        losses = [entrant.step(xi) for entrant in entrants]
        for entrant, loss in zip(entrants[1:], losses[1:], strict=True):
            pairs = zip(entrants[0].gradients(), entrant.gradients(), strict=True)
            gaps = [abs(a - b).max() / abs(a).max() for a, b in pairs]
            gap = max(*gaps, abs(loss / losses[0] - 1))
            if not gap < TOLERANCE:
                raise AssertionError(f"{entrant.name} differs by {gap:.1e} under {name} at {shape}")


def calls(kind, xi):
    """Return how many calls of a kernel a contestant makes in one step under a scheme."""
    if kind is Package:
        return 1
    return len(xi) if kind in (Loop, TorchLoop) else 1 + int((xi[1:] != 1).sum())


def measure(shape):
    """Return the seconds of each contestant under each scheme, in rounds that alternate them."""
    weights, X, Y = problem(shape, "float32")
    named = schemes(shape[0])
    runs = {}
    for kind in CONTESTANTS:
        entrant = kind(weights, X, Y)
        for name, xi in named.items():
            loop = kind in (Loop, TorchLoop)
            if calls(kind, xi) <= MOST_CALLS and not (loop and name != "regular, τ = 50"):
                runs[kind.name, name] = (entrant, xi)
    seconds = {key: [] for key in runs}
    if shape[0] * shape[1] < 40_000:  # the first call of each is not counted, where that is quick
        for entrant, xi in runs.values():
            entrant.step(xi)
    for number in range(MAX_ROUNDS):
        for key, (entrant, xi) in runs.items():
            enough = MIN_ROUNDS if sum(seconds[key]) < LONG else 1
            if number < enough or sum(seconds[key]) < SECONDS:
                time.sleep(PAUSE)
                start = time.perf_counter()
                entrant.step(xi)
                seconds[key].append(time.perf_counter() - start)
    return seconds


def products(shape, repeats=5):
    """Return seconds of a step's matrix products alone, and the operations a second of the largest.

    The products are those that no implementation avoids, step by step where steps wait for one another: the
    carried state's forwards and backwards, the output's three, and the two weight gradients.
    """
    num_steps, batch_size, num_hiddens = shape
    predictions = num_steps * batch_size
    H = numpy.ones((predictions, num_hiddens), "float32")
    O = numpy.ones((predictions, VOCAB_SIZE), "float32")
    W, W_hq = (
        numpy.ones((num_hiddens, num_hiddens), "float32"),
        numpy.ones((num_hiddens, VOCAB_SIZE), "float32"),
    )
    h, out = H[:batch_size].copy(), numpy.empty((batch_size, num_hiddens), "float32")
    together, largest = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(2 * num_steps):
            numpy.dot(h, W, out=out)
        H @ W_hq, O @ W_hq.T, H.T @ O, O.T @ H
        middle = time.perf_counter()
        H.T @ H
        stop = time.perf_counter()
        together.append(stop - start)
        largest.append(stop - middle)
    rate = 2 * predictions * num_hiddens**2 / numpy.median(largest)
    return float(numpy.median(together)), float(rate)


def operations(shape):
    """Return the multiplications and additions of one training step's matrix products."""
    num_steps, batch_size, num_hiddens = shape
    return num_steps * batch_size * (6 * num_hiddens**2 + 8 * num_hiddens * VOCAB_SIZE)
