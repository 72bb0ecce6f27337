"""The gradient under a truncation scheme, and its clipping."""

import math

import numpy

from d2lutil import checks
from d2lutil.compat import mxnet
from d2lutil.truncation import pieces

__all__ = ["bptt", "clip_gradients", "zero_gradients"]

PREDICTIONS_AT_ONCE = 2048  # short segments are computed together up to this many predictions


def bptt(net, X, Y, h, xi):
    """Add the gradient of the summed cross-entropy under a scheme to the parameters' gradients.

    The values do not depend on ξ, so MXNet's fused kernel computes all states at once; the gradient
    then runs backwards by hand, where ξ is one factor a step:
    δ_t = ∂l_t/∂h_t + ξ_{t+1} ((1 - h_{t+1}²) δ_{t+1}) W_hhᵀ. The result is that of ``autograd`` through
    :func:`carry`, to round-off, at the same speed for every ξ. The memory needed is that of the
    longest segment, or of ``PREDICTIONS_AT_ONCE`` predictions if those are more.

    Parameters
    ----------
    net : RNN
    X, Y : int arrays ``(num_steps, batch_size)``
        Inputs and targets.
    h : ``(batch_size, num_hiddens)``
        The state before the first step.
    xi : sequence of num_steps weights
        The truncation scheme.

    Returns
    -------
    loss : float
        Σ_t Σ_b l, in nats.
    h : ``(batch_size, num_hiddens)``
        The state after the last step, detached.

    Raises
    ------
    ValueError, TypeError
        Wrong shapes, indices outside the vocabulary, weights that are no scheme.
    """
    X, Y = net.pair(X, Y)
    xi = checks.weights(xi, len(X))
    h = net.state(h, X.shape[1]).detach()
    packed, loss = net.packed(), 0.0
    weights = [parameter.data().asnumpy() for parameter in net.parameters()]
    gradients = [numpy.zeros_like(weight) for weight in weights]
    overflow = numpy.errstate(over="ignore", invalid="ignore")  # an exploding gradient is a result
    with mxnet.autograd.pause(), overflow:
        for start, stop in _blocks(xi, X.shape[1]):
            H, h_next = net.states(packed, X[start:stop], h, None)
            H = numpy.concatenate([h.asnumpy()[None], H.asnumpy()])
            loss += _backward(
                weights,
                gradients,
                X[start:stop].asnumpy(),
                Y[start:stop].asnumpy(),
                H,
                xi[start:stop],
            )
            h = h_next
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        if parameter.grad_req != "null":
            parameter.grad()[:] += mxnet.np.array(gradient, dtype=gradient.dtype)
    return loss, h


def _blocks(xi, batch_size):
    """Return the ``(start, stop)`` of runs of whole segments, short ones together."""
    blocks = []
    for start, stop in pieces(xi, xi == 0):  # the segments
        if blocks and (stop - blocks[-1][0]) * batch_size <= PREDICTIONS_AT_ONCE:
            blocks[-1] = (blocks[-1][0], stop)
        else:
            blocks.append((start, stop))
    return blocks


def _backward(weights, gradients, X, Y, H, xi):
    """Add the gradients of W_xh, W_hh, b_h, W_hq, b_q in place and return the summed loss.

    H, of shape ``(num_steps + 1, batch_size, num_hiddens)``, begins with the state before the first step.
    """
    (_, W_hh, _, W_hq, b_q), (dW_xh, dW_hh, db_h, dW_hq, db_q) = weights, gradients
    num_steps, batch_size, num_hiddens = H[1:].shape
    flat, rows = H[1:].reshape(-1, num_hiddens), numpy.arange(num_steps * batch_size)
    # l = log Σ exp(o) - o_y, so ∂l/∂o = softmax(o) - one-hot(y)
    O = flat @ W_hq + b_q
    O -= O.max(axis=1, keepdims=True)
    chosen = O[rows, Y.reshape(-1)]
    dO = numpy.exp(O, out=O)
    total = dO.sum(axis=1, keepdims=True)
    loss = float((numpy.log(total[:, 0]) - chosen).sum(dtype="float64"))
    dO /= total
    dO[rows, Y.reshape(-1)] -= 1
    dW_hq += flat.T @ dO
    db_q += dO.sum(axis=0)
    # dA: the gradient at the argument of tanh; step t + 1 hands back ξ_{t+1} dA_{t+1} W_hhᵀ
    dA = (dO @ W_hq.T).reshape(num_steps, batch_size, num_hiddens)
    slope = 1 - H[1:] ** 2
    returned = numpy.zeros_like(dA[0])
    W_hh_T = numpy.ascontiguousarray(W_hh.T)
    for t in reversed(range(num_steps)):
        dA[t] += returned
        dA[t] *= slope[t]
        if xi[t] == 0:
            returned[:] = 0
            continue
        numpy.dot(dA[t], W_hh_T, out=returned)
        if xi[t] != 1:
            returned *= xi[t]
    dA = dA.reshape(-1, num_hiddens)
    one_hot = numpy.zeros((len(rows), len(dW_xh)), dA.dtype)
    one_hot[rows, X.reshape(-1)] = 1
    dW_xh += one_hot.T @ dA
    dW_hh += H[:-1].reshape(-1, num_hiddens).T @ dA
    db_h += dA.sum(axis=0)
    return loss


def zero_gradients(params):
    """Set the gradients of parameters to 0 (``Parameter.zero_grad`` fails in MXNet 1.9.1)."""
    for parameter in trainable(params):
        parameter.grad()[:] = 0


def clip_gradients(params, theta):
    """Scale the gradients down to a joint norm of at most theta.

    g ← min(1, θ/‖g‖) g, as in Pascanu, Mikolov and Bengio (2013).

    Parameters
    ----------
    params : ParameterDict or list of Parameter
        As ``net.collect_params()`` gives.
    theta : float
        The largest norm allowed, above 0.

    Returns
    -------
    float
        The norm before clipping. One that is not finite leaves the gradients as they are.
    """
    theta = checks.real("theta", theta, "a number above 0", lambda value: value > 0)
    gradients = [parameter.grad() for parameter in trainable(params)]
    norms = [numpy.linalg.norm(g.asnumpy().astype("float64").ravel()) for g in gradients]
    norm = float(numpy.linalg.norm(norms))
    if theta < norm < math.inf:
        for gradient in gradients:
            gradient *= theta / norm
    return norm


def trainable(params):
    """Return the parameters that have a gradient, from a ParameterDict or a list."""
    params = params.values() if hasattr(params, "values") else params
    return [parameter for parameter in params if parameter.grad_req != "null"]
