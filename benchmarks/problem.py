"""What the contestants work on: a random text, random weights, and five schemes."""

import numpy

import d2lutil

VOCAB_SIZE = 28
TAU = 50
REGULAR, STAGGERED = f"regular, τ = {TAU}", "regular, staggered"
EVERY_STEP = "randomized every step"
GATES = {"tanh": 1, "gru": 3, "lstm": 4}  # of each cell


def schemes(num_steps, batch_size):
    """Return the schemes by name; all but the full one have segments of 50 steps in the mean.

    The staggered one has a ξ for each column, ``(num_steps, batch_size)``: its cuts spread over the steps.
    """
    rng = numpy.random.default_rng(1)
    phases = [TAU * column // batch_size for column in range(batch_size)]
    return {
        "full": d2lutil.full(num_steps),
        REGULAR: d2lutil.regular(num_steps, TAU),
        "randomized every 25": d2lutil.randomized(num_steps, 0.5, rng=rng, every=25),
        EVERY_STEP: d2lutil.randomized(num_steps, 0.98, rng=rng),
        STAGGERED: numpy.stack([d2lutil.Regular(TAU, phase=p)(num_steps) for p in phases], axis=1),
    }


def problem(cell, shape, dtype):
    """Return weights of a cell, in the order of ``net.parameters()``, and a random text of a shape."""
    num_steps, batch_size, num_hiddens = shape
    rng = numpy.random.default_rng(2)
    width = GATES[cell] * num_hiddens
    sizes = [(VOCAB_SIZE, width), (num_hiddens, width), width]
    sizes += [num_hiddens] if cell == "gru" else []
    sizes += [(num_hiddens, VOCAB_SIZE), VOCAB_SIZE]
    weights = [rng.normal(0, num_hiddens**-0.5, size).astype(dtype) for size in sizes]
    X, Y = rng.integers(VOCAB_SIZE, size=(2, num_steps, batch_size))
    return weights, X, Y
