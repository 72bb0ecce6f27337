"""How one state depends on an earlier one."""

import numpy

from d2lutil import validation
from d2lutil.compat import mxnet

__all__ = ["influence", "jacobians"]


def jacobians(net, X, h=None):
    """Return the Jacobian of each step along one text.

    J_t = ∂h_t/∂h_{t-1} = diag(1 - h_t²) W_hhᵀ, with states as column vectors.

    Parameters
    ----------
    net : RNN
    X : int array ``(num_steps, 1)``
        One column of text.
    h : ``(1, num_hiddens)``, optional
        The state before the first step; without it zeros.

    Returns
    -------
    float64 ``(num_steps, num_hiddens, num_hiddens)``
    """
    X = validation.tokens("X", X, net.vocab_size)
    if X.shape[1] != 1:
        raise ValueError(f"X has shape {X.shape}; allowed: one column, (num_steps, 1)")
    h = net.begin_state(1) if h is None else h
    with mxnet.autograd.pause():
        H, _ = net.states(X, h)
    slope = 1 - H[:, 0].asnumpy().astype("float64") ** 2
    return slope[:, :, None] * net.W_hh.data().asnumpy().astype("float64").T


def influence(J):
    """Return how strongly the last state depends on the state k steps before it.

    ‖∂h_T/∂h_{T-k}‖ = ‖J_T J_{T-1} … J_{T-k+1}‖, the spectral norm: the factor by which a small change of
    the earlier state grows at most.

    Parameters
    ----------
    J : float64 ``(num_steps, num_hiddens, num_hiddens)``
        As :func:`jacobians` gives.

    Returns
    -------
    float64 ``(num_steps + 1,)``
        Entry k is the norm for lag k; entry 0 is 1.
    """
    J = numpy.asarray(J)
    if J.ndim != 3 or J.shape[1] != J.shape[2]:
        raise ValueError(f"J has shape {J.shape}; allowed: (num_steps, num_hiddens, num_hiddens)")
    product, norms = numpy.eye(J.shape[1]), [1.0]
    for J_t in J[::-1]:
        product = product @ J_t
        norms.append(float(numpy.linalg.norm(product, ord=2)))
    return numpy.array(norms)
