"""How far a truncation looks back on average, the borders of a stretch counted."""

import numpy

import d2lutil

__all__ = ["expected", "look_back", "matching"]


def look_back(xi):
    """Return how many steps a loss term looks back, on average over the steps of a pass.

    Parameters
    ----------
    xi : array ``(num_steps,)``

    Returns
    -------
    float
    """
    lengths = numpy.array([stop - start for start, stop in d2lutil.segments(xi)])
    return float((lengths * (lengths - 1) / 2).sum() / lengths.sum())


def expected(cut, num_steps):
    """Return the expected look-back in a stretch of num_steps steps, at whose border nothing is kept.

    Parameters
    ----------
    cut : callable
        ``cut(age)``: the probability of a cut at a step, given that the last one was ``age`` ≥ 1 steps ago.
    num_steps : int

    Returns
    -------
    float
        The mean over the steps. The distribution of the look-back is carried from step to step.
    """
    ages = numpy.arange(1, num_steps + 1)
    probability = numpy.array([cut(age) for age in ages])
    at, total = numpy.zeros(num_steps + 1), 0.0
    at[0] = 1.0
    for _ in range(num_steps - 1):
        ends = (at[:-1] * probability).sum()
        at[1:] = at[:-1] * (1 - probability)
        at[0] = ends
        total += (at[:-1] * (ages - 1)).sum() + at[-1] * num_steps
    return float(total / num_steps)


def chunks(tau, num_steps):
    """Return the expected look-back of chunks whose borders lie at a random phase."""
    steps = numpy.arange(num_steps)
    lags = numpy.arange(1, tau)
    return float((numpy.clip(1 - lags / tau, 0, None) * (lags[None] <= steps[:, None])).sum() / num_steps)


def matching(function, target, low, high):
    """Return where an increasing function takes a value, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < target else (low, middle)
    return (low + high) / 2
