"""The example of six steps whose gradient can be computed by hand: one hidden unit, one weight.

h_t = tanh(w h_{t-1} + x_t),   o_t = v h_t,   l_t = (o_t - y_t)²/2,   w = 1.25, v = 2, h_0 = 0.5

The inputs are chosen so that the six states are round numbers, .6, .6, .8, .2, -.6, .6, and so are the
slopes 1 - h_t². The gradient has 21 terms, T(t, i) = e_t J_t ⋯ J_{i+1} F_i for i ≤ t, e_t = ∂l_t/∂h_t:
what the use of the weight at step i does to the loss of step t. Steps count from 1 in formulas and from 0
in arrays.
"""

import numpy

from d2lutil import validation
from d2lutil.figures import reach

__all__ = [
    "NUM_STEPS",
    "h_0",
    "losses",
    "responses",
    "state_terms",
    "states",
    "step_derivatives",
    "terms",
    "v",
    "w",
    "x",
    "y",
]

NUM_STEPS = 6

#: The recurrent weight, the weight of the output, and the state before the first step.
w, v, h_0 = 1.25, 2.0, 0.5

_ROUND = numpy.array([h_0, 0.6, 0.6, 0.8, 0.2, -0.6, 0.6])

#: Inputs and targets, ``(6,)`` each.
x = numpy.arctanh(_ROUND[1:]) - w * _ROUND[:-1]
y = numpy.array([0.7, 1.7, 0.6, -0.1, -0.7, 0.7])

x.flags.writeable = y.flags.writeable = False


def states(w=w):
    """Return the states h_0, …, h_6.

    Parameters
    ----------
    w : float, complex, or array ``(6,)``
        The weight, or a copy of it for each step.

    Returns
    -------
    array ``(7,)``

    Examples
    --------
    >>> states().round(9).tolist()
    [0.5, 0.6, 0.6, 0.8, 0.2, -0.6, 0.6]
    """
    w, h = numpy.broadcast_to(w, NUM_STEPS), [h_0]
    for t in range(NUM_STEPS):
        h.append(numpy.tanh(w[t] * h[t] + x[t]))
    return numpy.array(h)


def step_derivatives(w=w):
    """Return the two derivatives of each step: F_t by the weight and J_t by the state before.

    F_t = (1 - h_t²) h_{t-1} and J_t = (1 - h_t²) w.

    Returns
    -------
    F, J : arrays ``(6,)``

    Examples
    --------
    >>> F, J = step_derivatives()
    >>> F.round(9).tolist()
    [0.32, 0.384, 0.216, 0.768, 0.128, -0.384]
    >>> J.round(9).tolist()
    [0.8, 0.8, 0.45, 1.2, 0.8, 0.8]
    """
    h = states(w)
    slope = 1 - h[1:] ** 2
    return slope * h[:-1], slope * w


def losses(w=w, v=v):
    """Return the losses l_1, …, l_6 as an array ``(6,)``."""
    return (v * states(w)[1:] - y) ** 2 / 2


def responses(w=w, v=v):
    """Return e_t = ∂l_t/∂h_t = (o_t - y_t) v for each step, an array ``(6,)``.

    Examples
    --------
    >>> responses().round(9).tolist()
    [1.0, -1.0, 2.0, 1.0, -1.0, 1.0]
    """
    return (v * states(w)[1:] - y) * v


def state_terms(w=w):
    """Return the terms of the derivatives of the states: J_t ⋯ J_{i+1} F_i in row t and column i.

    Returns
    -------
    array ``(6, 6)``
        0 above the diagonal. The sum of row t is dh_t/dw.

    Examples
    --------
    >>> state_terms()[:3, :3].round(9).tolist()
    [[0.32, 0.0, 0.0], [0.256, 0.384, 0.0], [0.1152, 0.1728, 0.216]]
    """
    F, J = step_derivatives(w)
    return _chains(J) * F


def terms(xi=None, w=w, v=v):
    """Return the terms of the gradient of the loss, T(t, i) in row t and column i.

    Parameters
    ----------
    xi : sequence of 6 weights >= 0, optional
        A truncation scheme. Term (t, i) is multiplied by ξ_t ⋯ ξ_{i+1}. Without it the terms are whole.

    Returns
    -------
    array ``(6, 6)``
        0 above the diagonal. The sum of row t is dl_t/dw, that of column i is δ_i F_i, and the sum of all
        is dL/dw, where v is held fixed.

    Examples
    --------
    >>> float(terms().sum().round(9))
    1.431552
    >>> float(terms(xi=[0, 1, 1, 0, 1, 1]).sum().round(9))
    0.92352
    """
    kept = 1 if xi is None else reach(validation.scheme(xi, NUM_STEPS))
    return responses(w, v)[:, None] * state_terms(w) * kept


def _chains(J):
    """Return J_t ⋯ J_{i+1} in row t and column i, 1 on the diagonal."""
    chains = numpy.eye(len(J))
    for t in range(1, len(J)):
        chains[t, :t] = J[t] * chains[t - 1, :t]
    return chains
