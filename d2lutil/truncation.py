"""Truncation schemes: sequences of weights ξ, one a step, and the gate that applies them.

Step t hands the gradient that arrives at h_t back to h_{t-1} multiplied by ξ_t. A scheme is the
sequence; steps are counted from 0, and ξ_0 gates the state that the sequence starts from.
"""

import numpy

from d2lutil import validation
from d2lutil.compat import mxnet

__all__ = ["carry", "full", "length_dependent", "randomized", "reach", "regular", "segments"]


def full(num_steps):
    """Return the scheme of the full sum: ξ = 1 everywhere.

    Parameters
    ----------
    num_steps : int
        At least 1.

    Returns
    -------
    float64 ``(num_steps,)``

    Examples
    --------
    >>> full(4)
    array([1., 1., 1., 1.])
    """
    return numpy.ones(validation.integer("num_steps", num_steps, 1))


def regular(num_steps, tau):
    """Return the scheme that cuts the sequence into chunks of ``tau`` steps.

    Parameters
    ----------
    num_steps, tau : int
        At least 1.

    Returns
    -------
    float64 ``(num_steps,)``
        0 at t = 0, tau, 2 tau, …; 1 elsewhere.

    Examples
    --------
    >>> regular(7, tau=3)
    array([0., 1., 1., 0., 1., 1., 0.])
    """
    xi = full(num_steps)
    xi[:: validation.integer("tau", tau, 1)] = 0
    return xi


def randomized(num_steps, pi, *, rng, every=1):
    """Draw a scheme with mean 1: ξ = 0 with probability 1 - pi, else 1/pi.

    Parameters
    ----------
    num_steps : int
        At least 1.
    pi : float
        Probability of going on, 0 < pi <= 1; 1/pi is finite.
    rng : numpy.random.Generator
        Draws the cuts.
    every : int
        A weight is drawn at t = 0, every, 2 every, …; it is 1 elsewhere.

    Returns
    -------
    float64 ``(num_steps,)``

    Examples
    --------
    >>> randomized(6, 0.5, rng=numpy.random.default_rng(3))
    array([2., 2., 0., 0., 2., 2.])
    """
    xi = full(num_steps)
    allowed = "a number with 0 < pi <= 1 and a finite 1/pi"
    pi = validation.real("pi", pi, allowed, lambda value: 0 < value <= 1 and numpy.isfinite(1 / value))
    drawn = xi[:: validation.integer("every", every, 1)]  # a view
    drawn[:] = numpy.where(_generator(rng).random(len(drawn)) < pi, 1 / pi, 0)
    return xi


def length_dependent(num_steps, mean_length, alpha, *, rng):
    """Draw Tallec and Ollivier's scheme: the longer a segment, the less likely its cut.

    A segment that has lasted r steps is cut with probability
    c_r = (α - 1) / ((α - 2) L₀ + r), else the gradient is multiplied by 1/(1 - c_r). The mean length of a
    segment is L₀ and P(length > n) falls like n^-(α - 1).

    Parameters
    ----------
    num_steps : int
        At least 1.
    mean_length : float
        L₀ > 1, in steps.
    alpha : float
        Tail exponent, above 2 (finite mean); above 3 the length has a finite variance.
    rng : numpy.random.Generator
        Draws the cuts.

    Returns
    -------
    float64 ``(num_steps,)``
        ξ_0 = 0: the sequence starts with a new segment.

    References
    ----------
    Tallec and Ollivier (2017), arXiv 1705.08209.
    """
    num_steps = validation.integer("num_steps", num_steps, 1)
    mean_length = validation.real("mean_length", mean_length, "a number above 1", lambda v: v > 1)
    alpha = validation.real("alpha", alpha, "a number above 2", lambda v: v > 2)
    xi, uniform, length = numpy.zeros(num_steps), _generator(rng).random(num_steps), 1
    for t in range(1, num_steps):
        cut = (alpha - 1) / ((alpha - 2) * mean_length + length)
        length = 1 if uniform[t] < cut else length + 1
        xi[t] = 0 if length == 1 else 1 / (1 - cut)
    return xi


def reach(xi):
    """Return with which weight each loss term reaches each earlier step under a scheme.

    The gradient of the loss at step t arrives at step i ≤ t times ∏_{j=i+1..t} ξ_j.

    Parameters
    ----------
    xi : sequence of float, ``(num_steps,)``
        Weights >= 0. The first gates the state before the sequence and plays no part.

    Returns
    -------
    float64 ``(num_steps, num_steps)``
        Row t, column i; 0 above the diagonal, 1 on it.

    Examples
    --------
    >>> reach([0, 2, 0, 1])
    array([[1., 0., 0., 0.],
           [2., 1., 0., 0.],
           [0., 0., 1., 0.],
           [0., 0., 1., 1.]])
    """
    xi = validation.one_column(xi)
    weight = numpy.eye(len(xi))
    with numpy.errstate(over="ignore", invalid="ignore"):
        for t in range(1, len(xi)):
            weight[t, :t] = xi[t] * weight[t - 1, :t]
    return weight


def segments(xi):
    """Return the parts of the sequence between which no gradient flows in any column.

    Parameters
    ----------
    xi : array of float, ``(num_steps,)`` or ``(num_steps, batch_size)``
        Weights >= 0.

    Returns
    -------
    list of (int, int)
        ``(start, stop)``: a new segment at every t > 0 with ξ_t = 0, of two dimensions in all columns.

    Examples
    --------
    >>> segments(regular(7, tau=3))
    [(0, 3), (3, 6), (6, 7)]
    >>> segments([[0, 0], [0, 1], [0, 0]])
    [(0, 2), (2, 3)]
    """
    return pieces(validation.scheme(xi) == 0)


def pieces(begin):
    """Return the ``(start, stop)`` of the parts that begin at step 0 and at each step marked.

    ``begin`` is bool ``(num_steps,)``, or ``(num_steps, batch_size)`` where all columns count.
    """
    begin = begin if begin.ndim == 1 else begin.all(axis=1)
    starts = [0, *(int(t) for t in numpy.flatnonzero(begin) if t > 0)]
    return list(zip(starts, [*starts[1:], len(begin)], strict=True))


def carry(h, xi):
    """Hand a state on: its value as it is, its gradient times ``xi``.

    Parameters
    ----------
    h : mxnet.np.ndarray
        Any shape; with one weight a column ``(…, batch_size, num_hiddens)``.
    xi : float, or array of float ``(batch_size,)``
        Weight >= 0 of the gradient that returns, or one a column, within the range of h's type.

    Returns
    -------
    mxnet.np.ndarray
        ``h`` to the bit: h itself for ξ = 1, ``h.detach()`` for ξ = 0.
    """
    if not isinstance(h, mxnet.np.ndarray) or numpy.dtype(h.dtype).kind != "f":
        given = f"{validation.short(h)} and type {getattr(h, 'dtype', type(h))}"
        raise TypeError(f"allowed for h: an mxnet.np.ndarray of floats; given {given}")
    xi = xi.item() if getattr(xi, "size", 0) == 1 and xi.ndim == 0 else xi
    if isinstance(xi, (list, tuple, numpy.ndarray, mxnet.np.ndarray)):
        xi = _per_column(xi, h)
        if (xi == xi[0]).all():
            return carry(h, float(xi[0]))
        xi = mxnet.np.array(xi[:, None], dtype=h.dtype)
    else:
        xi = validation.real("xi", xi, "a finite number >= 0, or one a column", lambda value: value >= 0)
        if xi == 1:
            return h
        if xi == 0:
            return h.detach()
        validation.scheme([xi], dtype=h.dtype)  # beyond the range ξ·0 is NaN
        xi = mxnet.np.array(xi, dtype=h.dtype, ctx=h.ctx)  # as a scalar MXNet refuses subnormal numbers
    stopped = h.detach()
    return stopped - xi * (stopped - h)  # x - ξ·0 is x to the bit, even for x = -0.0


def _per_column(xi, h):
    """Return weights ``(batch_size,)`` for the second-to-last axis of a state."""
    columns = h.shape[-2] if h.ndim >= 2 else None
    given = validation.array("xi", xi)
    if columns is None or given.shape != (columns,):
        allowed = "one number" if columns is None else f"one number, or one a column, ({columns},)"
        raise ValueError(
            f"xi has shape {given.shape} for h of shape {h.shape}; allowed: {allowed} "
            "(the columns are the second-to-last axis of h)"
        )
    return validation.scheme(xi, dtype=h.dtype)


def _generator(rng):
    if not isinstance(rng, numpy.random.Generator):
        raise TypeError(
            f"rng={validation.short(rng)}; allowed: a numpy.random.Generator, as default_rng(seed) gives"
        )
    return rng
