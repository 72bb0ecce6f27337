"""The gradient under a truncation scheme: its definition, the call that computes it fast, and clipping."""

from __future__ import annotations

import math
from typing import Any

import numpy

from d2lutil import blocks, threads, validation
from d2lutil.cells import CELLS
from d2lutil.compat import mxnet
from d2lutil.fast import strands
from d2lutil.fast.kernels import KERNELS
from d2lutil.networks import Network

__all__ = ["backward", "bptt", "clip_gradients", "zero_gradients"]


def backward(cell, params, X, Y, state, xi, begins, weights):
    """Run the chain rule backwards, one step at a time: the definition that ``bptt`` keeps to.

    Forward, step t begins from the zero state where ``begins``. Backward, δ is the gradient at the state
    that step t leaves: from its own prediction, and what the step after returned. The gate multiplies by
    ξ_t what step t returns to the state before.

    Parameters
    ----------
    cell : {"tanh", "gru", "lstm"}
    params : list of arrays
        In the order of ``net.parameters()``.
    X, Y : int arrays ``(num_steps, batch_size)``
    state : list of arrays ``(batch_size, num_hiddens)``
        ``[h]``, or ``[h, c]`` for the LSTM.
    xi, begins, weights : ``(num_steps, batch_size)``

    Returns
    -------
    loss : float
        Σ weights · l, in nats.
    gradients : list of arrays
        Of ``params``.
    state : list of arrays
        After the last step.
    """
    forward, back, parameter_gradients = CELLS[cell]
    *recurrent, W_hq, b_q = params
    steps, loss = [], 0.0
    for t in range(len(X)):
        before = [numpy.where(begins[t, :, None], 0, h) for h in state]
        state, kept = forward(recurrent, X[t], before)
        steps.append((before, kept, state[0]))
    gradients = [numpy.zeros_like(W) for W in params]
    returned = [numpy.zeros_like(h) for h in state]  # nothing comes after the last step
    for t in reversed(range(len(X))):
        before, kept, h = steps[t]
        l, dO = cross_entropy(h @ W_hq + b_q, Y[t], weights[t])
        delta = [returned[0] + dO @ W_hq.T, *returned[1:]]
        returned, *dA = back(recurrent, before, kept, delta)
        parts = parameter_gradients(recurrent, X[t], before[0], *dA)
        parts += [h.T @ dO, dO.sum(axis=0)]
        for gradient, part in zip(gradients, parts, strict=True):
            gradient += part
        gate = numpy.where(begins[t], 0, xi[t])[:, None]
        returned = [gate * part for part in returned]
        loss += l
    return loss, gradients, state


def cross_entropy(O, y, weights):
    """Return Σ w l with l = log Σ exp(o) - o_y, and its gradient w (softmax(o) - one-hot(y))."""
    rows = numpy.arange(len(y))
    O = O - O.max(axis=1, keepdims=True)  # changes no probability, and keeps exp finite
    log_p = O - numpy.log(numpy.exp(O).sum(axis=1, keepdims=True))
    dO = numpy.exp(log_p)
    dO[rows, y] -= 1
    return -(weights * log_p[rows, y]).sum(), weights[:, None] * dO


def bptt(
    net: Any, X: Any, Y: Any, h: Any, xi: Any, *, begins: Any = None, weights: Any = None, loss: Any = None
) -> tuple[float, Any]:
    """Add the gradient of the summed loss under a truncation scheme to the parameters' gradients.

    Step t hands the gradient that arrives at its state back to the state before it multiplied by ξ_t. The
    result is that of ``autograd`` through :func:`carry`, to round-off.

    The gradients are *added* to those that are there, whatever ``grad_req`` says, unless it is "null":
    call :func:`zero_gradients` before a new sum. They change only after the whole call has succeeded.

    For ``RNN``, ``GRU`` and ``LSTM`` the gradient is computed by hand: segments go back side by side, and
    wide batches are shared between threads by columns (``OMP_NUM_THREADS`` sets how many). Memory is that
    of some thousand predictions plus the longest segment of any column. For any other block the
    gradient is ``autograd``'s; memory is that of the longest stretch between cuts that all columns share.

    Parameters
    ----------
    net : RNN, GRU, LSTM, or any Gluon block
        A block takes ``net(X, h)`` and returns ``(O, h)``; its state is any nesting of arrays whose
        second-to-last axis is the batch.
    X, Y : int arrays ``(num_steps, batch_size)``
        Inputs and targets. A block takes any arrays whose axes start so.
    h : ``(batch_size, num_hiddens)``, or a pair of them for ``LSTM``
        The state before the first step, as ``net.begin_state(batch_size)`` gives. It is detached: ξ_0
        changes nothing.
    xi : array of float, ``(num_steps,)`` or ``(num_steps, batch_size)``
        The truncation scheme, at least 0: one weight a step, or one a step and column.
    begins : array of bool, ``(num_steps,)`` or ``(num_steps, batch_size)``, optional
        Where a sequence begins: the step starts from the zero state, and nothing flows back, whatever ξ is.
    weights : array of float, ``(num_steps,)`` or ``(num_steps, batch_size)``, optional
        The weight of each prediction's loss, at least 0; where it is 0, the target is not read.
    loss : callable, optional
        ``loss(O, Y)`` returns the losses ``(num_steps, batch_size)``; by default the cross-entropy of the
        logits O. A given loss is differentiated by ``autograd``, for any network.

    Returns
    -------
    loss : float
        Σ weights · l; in nats for the cross-entropy.
    h : as given
        The state after the last step, detached.

    Raises
    ------
    ValueError, TypeError
        Wrong shapes, indices outside the vocabulary, weights that are no scheme. Nothing has changed then.
    """
    if not isinstance(net, Network) or loss is not None:
        total, gradients, h = blocks.run(net, X, Y, h, xi, begins, weights, loss)
        add(gradients, blocks.device(h))
        return total, h
    X = validation.tokens("X", X, net.vocab_size)
    weights = validation.weights(weights, *X.shape, dtype=net.W_hh.dtype)
    Y = validation.tokens("Y", Y, net.vocab_size, None if weights is None else weights > 0, X.shape)
    xi = validation.scheme(xi, *X.shape, dtype=net.W_hh.dtype)
    begins = validation.begins(begins, *X.shape)
    net.check_device(validation.state(h, net.state_kinds, X.shape[1], net.num_hiddens, net.W_hh.dtype))
    return accumulate(net, X, Y, h, xi, begins, weights)


def accumulate(net, X, Y, h, xi, begins, weights):
    """Do the work of :func:`bptt` for ``RNN``, ``GRU`` and ``LSTM``; arguments are not checked."""
    parts = h if isinstance(h, (tuple, list)) else [h]
    ctx, state = parts[0].ctx, [part.asnumpy() for part in parts]
    params = [parameter.data(ctx).asnumpy() for parameter in net.parameters()]
    kernel = KERNELS[net.cell](params)

    def run(columns):
        x, y, *own = (a if a is None or a.ndim == 1 else a[:, columns] for a in (X, Y, xi, begins, weights))
        return strands.run(kernel, params, x, y, [part[columns] for part in state], *own)

    losses, gradients, last = zip(*threads.map_columns(run, X.shape[1], params[1].size), strict=True)
    gradients = [sum(each) for each in zip(*gradients, strict=True)]
    last = [numpy.concatenate(each) for each in zip(*last, strict=True)]
    arrays = [mxnet.np.array(part, dtype=part.dtype, ctx=ctx) for part in last]
    add(list(zip(net.parameters(), gradients, strict=True)), ctx)
    return sum(losses), tuple(arrays) if isinstance(h, (tuple, list)) else arrays[0]


def add(gradients, ctx):
    """Add arrays to the gradients of parameters on a device: to all, or, if one has none, to none."""
    gradients = [(parameter, value) for parameter, value in gradients if parameter.grad_req != "null"]
    buffers = [parameter.grad(ctx) for parameter, _ in gradients]
    totals = [buffer.asnumpy() + value for buffer, (_, value) in zip(buffers, gradients, strict=True)]
    for buffer, total, (parameter, _) in zip(buffers, totals, gradients, strict=True):
        buffer[:] = total
        parameter.data(ctx)._fresh_grad = True  # as backward() does; gluon.Trainer asks for it


def zero_gradients(params: Any) -> None:
    """Set the gradients of parameters to 0, on all their devices.

    ``Parameter.zero_grad`` fails in MXNet 1.9.1.

    Parameters
    ----------
    params : ParameterDict or list of Parameter
        As ``net.collect_params()`` or ``net.parameters()`` gives.
    """
    gradients = [gradient for parameter in trainable(params) for gradient in parameter.list_grad()]
    with mxnet.autograd.pause():
        for gradient in gradients:  # zeros_like(gradient, out=gradient) leaves it as it is in MXNet 1.9.1
            mxnet.np.full(gradient.shape, 0, dtype=gradient.dtype, ctx=gradient.ctx, out=gradient)


def clip_gradients(params: Any, theta: float) -> float:
    """Scale the gradients down to a joint norm of at most theta.

    g ← min(1, θ/‖g‖) g, as in Pascanu, Mikolov and Bengio (2013).

    Parameters
    ----------
    params : ParameterDict or list of Parameter
        As ``net.collect_params()`` or ``net.parameters()`` gives.
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
        with mxnet.autograd.pause():
            for gradient in gradients:
                gradient *= theta / norm
    return norm


def trainable(params):
    """Return the parameters that have a gradient, from a ParameterDict or a list."""
    try:
        params = list(params.values() if hasattr(params, "values") else params)
    except TypeError:
        params = [params]
    for parameter in params:
        if not isinstance(parameter, mxnet.gluon.Parameter):
            allowed = "a ParameterDict or a list of Parameter, as net.collect_params() gives"
            raise TypeError(f"params holds {validation.short(parameter)}; allowed: {allowed}")
    return [parameter for parameter in params if parameter.grad_req != "null"]
