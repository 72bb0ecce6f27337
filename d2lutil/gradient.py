"""The gradient under a truncation scheme, and its clipping."""

import math

import numpy

from d2lutil import passes, threads, validation
from d2lutil.compat import mxnet

__all__ = ["bptt", "clip_gradients", "zero_gradients"]


def bptt(net, X, Y, h, xi):
    """Add the gradient of the summed cross-entropy under a scheme to the parameters' gradients.

    The values do not depend on ξ, so the states come first; the gradient then runs backwards by hand,
    where ξ is one factor a step: δ_t = ∂l_t/∂h_t + ξ_{t+1} ((1 - h_{t+1}²) δ_{t+1}) W_hhᵀ. The result is
    that of ``autograd`` through :func:`carry`, to round-off. No gradient crosses a cut, so segments go
    back side by side. The memory needed is that of the states of the longest segment, or of some
    thousand predictions if that is more. Wide batches are shared between threads by columns;
    ``OMP_NUM_THREADS`` sets how many.

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
    X, Y = validation.tokens("X", X, net.vocab_size), validation.tokens("Y", Y, net.vocab_size)
    if X.shape != Y.shape:
        raise ValueError(f"Y has shape {Y.shape}; allowed: that of X, {X.shape}")
    xi = validation.scheme(xi, len(X), X.shape[1], net.W_hh.dtype)
    (h,) = validation.state(h, net.state_kinds, X.shape[1], net.num_hiddens, net.W_hh.dtype)
    device = h.ctx
    weights = [parameter.data(device).asnumpy() for parameter in net.parameters()]
    state = h.asnumpy()

    def states(X, h):
        if X.shape[1] >= threads.COLUMNS:
            return passes.forward(weights, X, h)
        with mxnet.autograd.pause():
            return net.states(X, mxnet.np.array(h, dtype=h.dtype, ctx=device))[0].asnumpy()

    def run(columns):
        return passes.run(weights, X[:, columns], Y[:, columns], state[columns], xi, states)

    losses, gradients, last = zip(*threads.map_columns(run, X.shape[1], net.num_hiddens), strict=True)
    gradients = [sum(parts) for parts in zip(*gradients, strict=True)]
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        if parameter.grad_req != "null":
            total = parameter.grad(device)
            total[:] = total.asnumpy() + gradient
            parameter.data(device)._fresh_grad = True  # as backward() does; gluon.Trainer asks for it
    return sum(losses), mxnet.np.array(numpy.concatenate(last), dtype=state.dtype, ctx=device)


def zero_gradients(params):
    """Set the gradients of parameters to 0 (``Parameter.zero_grad`` fails in MXNet 1.9.1)."""
    for parameter in trainable(params):
        gradient = parameter.grad()  # zeros_like(gradient, out=gradient) leaves it as it is in MXNet 1.9.1
        mxnet.np.full(gradient.shape, 0, dtype=gradient.dtype, out=gradient)


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
    theta = validation.real("theta", theta, "a number above 0", lambda value: value > 0)
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
