"""What the contestants work on: a random text, random weights, and four schemes."""

import numpy

import d2lutil

VOCAB_SIZE = 28
REGULAR = "regular, τ = 50"


def schemes(num_steps):
    """Return the schemes by name; all but the full one have segments of 50 steps in the mean."""
    rng = numpy.random.default_rng(1)
    return {
        "full": d2lutil.full(num_steps),
        REGULAR: d2lutil.regular(num_steps, 50),
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
