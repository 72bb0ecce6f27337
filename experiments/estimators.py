"""Bias, variance and memory of the estimators at equal look-back, on trained networks."""

import functools

import numpy

import d2lutil
from experiments import novel, table, text_tuning, truncations

__all__ = ["TABLE", "measure", "runs"]

NUM_STEPS, BATCH_SIZE, NUM_DRAWS, ALPHA = 280, 16, 60, 4.0
LOOK_BACKS, SEEDS = (8.0, 17.0, 34.0), range(5)
SCHEMES = ("chunks", "randomized", "randomized, per column", "random lengths", "length-dependent")
TABLE = table.Table(
    "estimators",
    ["network", "seed", "scheme", "look_back"],
    ["length", "actual_look_back", "bias2", "variance", "variance_error", "longest"],
)
MARGINS = {"length": {"rel_tol": 1e-4}, "bias2": {"rel_tol": 0.2}, "variance": {"rel_tol": 0.2}}
SENSITIVE = True


def runs():
    """Return the settings of all runs; the noise of the text stands where the look-back is 0."""
    cells = [(scheme, look_back) for scheme in SCHEMES for look_back in LOOK_BACKS] + [("text", 0.0)]
    return [
        {"network": network, "seed": seed, "scheme": scheme, "look_back": look_back}
        for network in ("tanh", "lstm")
        for seed in SEEDS
        for scheme, look_back in cells
    ]


@functools.lru_cache(maxsize=1)
def trained(network, seed):
    """Return a network trained on the whole window, in float64."""
    rate = text_tuning.best(network, "whole")
    net, _ = novel.train(network, "whole", seed, rate, novel.PASSES[network])
    net.cast("float64")
    return net


def gradient(net, xi, start=0, columns=slice(0, BATCH_SIZE)):
    """Return the gradient of all recurrent parameters over a stretch of the text, as one vector."""
    X, Y = (array[start : start + NUM_STEPS, columns] for array in novel.corpus()[1])
    params = [net.W_xh, net.W_hh, net.b_h]
    d2lutil.zero_gradients(net.collect_params().values())
    d2lutil.bptt(net, X, Y, net.begin_state(X.shape[1]), xi)
    return numpy.concatenate([parameter.grad().asnumpy().ravel() for parameter in params])


def length_of(scheme, look_back):
    """Return the mean length with which a scheme looks back so far in the stretch, borders counted."""
    if scheme == "chunks":
        return min(range(1, NUM_STEPS), key=lambda tau: abs(truncations.chunks(tau, NUM_STEPS) - look_back))

    def expected(length):
        if scheme == "length-dependent":
            return truncations.expected(lambda age: (ALPHA - 1) / ((ALPHA - 2) * length + age), NUM_STEPS)
        return truncations.expected(lambda age: 1 / length, NUM_STEPS)

    return truncations.matching(expected, look_back, 3.0, 4.0 * look_back)


def draws(scheme, length, rng):
    """Return ξ of the stretch: every phase of the chunks, or so many draws of a random scheme."""
    if scheme == "chunks":
        return [d2lutil.Regular(length, phase=phase)(NUM_STEPS) for phase in range(length)]
    if scheme == "length-dependent":
        return [d2lutil.length_dependent(NUM_STEPS, length, ALPHA, rng=rng) for _ in range(NUM_DRAWS)]
    pi = 1 - 1 / length
    if scheme == "randomized, per column":
        count = NUM_DRAWS * BATCH_SIZE
        columns = numpy.array([d2lutil.randomized(NUM_STEPS, pi, rng=rng) for _ in range(count)])
        return list(columns.reshape(NUM_DRAWS, BATCH_SIZE, NUM_STEPS).swapaxes(1, 2))
    found = [d2lutil.randomized(NUM_STEPS, pi, rng=rng) for _ in range(NUM_DRAWS)]
    return [(xi > 0).astype(float) for xi in found] if scheme == "random lengths" else found


def measure(network, seed, scheme, look_back):
    """Return bias² and variance relative to the squared norm of the full gradient.

    The mean of an estimator is exact: of chunks over all phases, of weighted cuts the full gradient, of
    random lengths without weights the gradient with ξ = π at every step.
    """
    net, rng = trained(network, seed), numpy.random.default_rng([seed, 2])
    exact = gradient(net, d2lutil.full(NUM_STEPS))
    unit = (exact**2).sum()
    if scheme == "text":
        pieces = [
            gradient(net, d2lutil.full(NUM_STEPS), NUM_STEPS * row, slice(column, column + BATCH_SIZE))
            for row in range(8)
            for column in (0, BATCH_SIZE)
        ]
        squares = ((numpy.array(pieces) - numpy.mean(pieces, axis=0)) ** 2).sum(axis=1)
        variance = squares.sum() / (len(squares) - 1) / unit
        empty = {"length": 0, "actual_look_back": 0, "bias2": 0, "variance_error": 0, "longest": NUM_STEPS}
        return empty | {"variance": float(f"{variance:.5g}")}
    length = length_of(scheme, look_back)
    xis = draws(scheme, length, rng)
    found = numpy.array([gradient(net, xi) for xi in xis])
    mean = found.mean(axis=0) if scheme == "chunks" else exact
    if scheme == "random lengths":
        mean = gradient(net, numpy.full(NUM_STEPS, 1 - 1 / length))
    squares = ((found - mean) ** 2).sum(axis=1) / unit
    columns = [xi if xi.ndim == 1 else xi[:, 0] for xi in xis]
    longest = [max(stop - start for start, stop in d2lutil.segments(xi)) for xi in columns]
    values = {
        "length": length,
        "actual_look_back": numpy.mean([truncations.look_back(xi) for xi in columns]),
        "bias2": ((mean - exact) ** 2).sum() / unit,
        "variance": squares.mean(),
        "variance_error": 0.0 if scheme == "chunks" else squares.std(ddof=1) / len(squares) ** 0.5,
        "longest": numpy.mean(longest),
    }
    return {name: float(f"{value:.5g}") for name, value in values.items()}
