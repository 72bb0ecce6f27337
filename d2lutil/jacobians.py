"""How one state depends on an earlier one."""

from __future__ import annotations

import numpy
from numpy.typing import ArrayLike

from d2lutil import validation
from d2lutil.cells import CELLS
from d2lutil.networks import Network

__all__ = ["influence", "jacobians"]


def jacobians(net: Network, X: ArrayLike, h=None) -> numpy.ndarray:
    """Return the Jacobian of each step along one text.

    J_t[a, b] = ∂s_{t,a}/∂s_{t-1,b} with the state s as a row: h, or (h, c) of an LSTM side by side. A
    gradient goes back as δ J_t. For the tanh network J_t = diag(1 - h_t²) W_hhᵀ.

    Parameters
    ----------
    net : RNN, GRU or LSTM
    X : int array ``(num_steps, 1)``
        One column of text.
    h : ``(1, num_hiddens)``, or a pair of them for ``LSTM``, optional
        The state before the first step; without it zeros.

    Returns
    -------
    float64 ``(num_steps, m, m)``
        m is num_hiddens, for an LSTM twice that.
    """
    if not isinstance(net, Network):
        raise TypeError(f"allowed for net: an RNN, GRU or LSTM of d2lutil; given {type(net).__name__}")
    X = validation.tokens("X", X, net.vocab_size)
    if X.shape[1] != 1:
        raise ValueError(f"X has shape {X.shape}; allowed: one column, (num_steps, 1)")
    h = net.begin_state(1) if h is None else h
    given = validation.state(h, net.state_kinds, 1, net.num_hiddens, net.W_hh.dtype)
    state = [part.asnumpy().astype("float64") for part in given]
    params = [parameter.data().asnumpy().astype("float64") for parameter in net.parameters()[:-2]]
    (forward, backward, _), n, m = CELLS[net.cell], net.num_hiddens, net.num_hiddens * len(state)
    identity = numpy.eye(m)  # row a is the gradient of the part a of the state
    J = numpy.empty((len(X), m, m))
    for t, x in enumerate(X):
        before, (state, kept) = state, forward(params, x, state)
        rows, *_ = backward(params, before, kept, [identity[:, k : k + n] for k in range(0, m, n)])
        J[t] = numpy.concatenate(rows, axis=1)
    return J


def influence(J: ArrayLike) -> numpy.ndarray:
    """Return how strongly the last state depends on the state k steps before it.

    ‖∂s_T/∂s_{T-k}‖ = ‖J_T J_{T-1} … J_{T-k+1}‖, the spectral norm: the factor by which a small change of
    the earlier state grows at most.

    Parameters
    ----------
    J : float64 ``(num_steps, m, m)``
        As :func:`jacobians` gives.

    Returns
    -------
    float64 ``(num_steps + 1,)``
        Entry k is the norm for lag k; entry 0 is 1. Infinite beyond the largest float.
    """
    J = validation.array("J", J)
    if J.ndim != 3 or J.shape[1] != J.shape[2] or not J.shape[1]:
        raise ValueError(f"J has shape {J.shape}; allowed: (num_steps, m, m)")
    if J.dtype.kind not in "biuf" or not numpy.isfinite(J).all():
        raise ValueError(f"J holds {J.dtype}; allowed: finite real numbers, nothing else")
    product, exponent, norms = numpy.eye(J.shape[1]), 0, [1.0]
    with numpy.errstate(over="ignore"):
        for J_t in J[::-1]:
            product = product @ J_t
            norm = numpy.linalg.norm(product, ord=2)
            norms.append(float(numpy.ldexp(norm, exponent)))
            shift = int(numpy.frexp(norm)[1])  # a power of 2, so that the scaling is exact
            product, exponent = numpy.ldexp(product, -shift), exponent + shift
    return numpy.array(norms)
