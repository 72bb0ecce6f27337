"""Training: gradients under a truncation scheme, clipping, epochs, perplexity, generated text."""

import math
import sys

import numpy
from tqdm.auto import tqdm

from d2lutil import checks
from d2lutil.compat import mxnet
from d2lutil.truncation import segments

__all__ = ["bptt", "clip_gradients", "generate", "perplexity", "train"]

np, npx, autograd = mxnet.np, mxnet.npx, mxnet.autograd


def cross_entropy(O, Y):
    """Return the cross-entropy of each prediction, in nats: O ``(…, vocab_size)``, Y ``(…)``."""
    return -npx.pick(npx.log_softmax(O, axis=-1), Y, axis=-1)


def bptt(net, X, Y, h, xi):
    """Add the gradient of the summed cross-entropy under a scheme to the parameters' gradients.

    Each segment runs forward and backward before the next begins, so the memory needed is that of the
    longest segment.

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
    X, Y = net.tokens("X", X), net.tokens("Y", Y)
    if X.shape != Y.shape:
        raise ValueError(f"Y has shape {Y.shape}; allowed: that of X, {X.shape}")
    xi = checks.weights(xi, len(X))
    h = net.state(h, X.shape[1])
    leaves = [net.packed(), net.W_hq.data().copy(), net.b_q.data().copy()]
    for leaf in leaves:
        leaf.attach_grad("add")
    packed, W_hq, b_q = leaves
    loss = 0.0
    for start, stop in segments(xi):
        with autograd.record():
            H, h = net.states(packed, X[start:stop], h.detach(), xi[start:stop])
            L = cross_entropy(np.dot(H, W_hq) + b_q, Y[start:stop]).sum()
        L.backward()
        loss += float(L)  # waits: else the segments would queue up in memory
    gradients = [*net.unpacked(packed.grad), W_hq.grad, b_q.grad]
    for parameter, gradient in zip(_parameters(net), gradients, strict=True):
        if parameter.grad_req != "null":
            parameter.grad()[:] += gradient
    return loss, h.detach()


def _parameters(net):
    return [net.W_xh, net.W_hh, net.b_h, net.W_hq, net.b_q]


def zero_gradients(params):
    """Set the gradients of parameters to 0 (``Parameter.zero_grad`` fails in MXNet 1.9.1)."""
    for parameter in _listed(params):
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
    gradients = [parameter.grad() for parameter in _listed(params)]
    norm = math.sqrt(sum(float((g.astype("float64") ** 2).sum()) for g in gradients))
    if theta < norm < math.inf:
        for gradient in gradients:
            gradient *= theta / norm
    return norm


def _listed(params):
    params = params.values() if hasattr(params, "values") else params
    return [parameter for parameter in params if parameter.grad_req != "null"]


def train(net, X, Y, draw, *, lr, theta, mean_length, num_epochs=1, held_out=None):
    """Train by stochastic gradient descent, one update a segment.

    The gradient is divided by the *expected* number of predictions in a segment. Dividing by the
    drawn number would weigh short segments up and bias the gradient.

    Parameters
    ----------
    net : RNN
        Changed in place.
    X, Y : int arrays ``(num_steps, batch_size)``
        As :func:`streams` gives.
    draw : callable
        ``draw(num_steps)`` returns the scheme of an epoch.
    lr : float
        Learning rate, above 0.
    theta : float or None
        Clips the gradient's norm, per prediction; None does not clip.
    mean_length : float
        Expected steps in a segment, above 0.
    num_epochs : int
    held_out : (X, Y), optional
        Text whose perplexity is measured after each epoch.

    Returns
    -------
    list of dict
        For each epoch the ``perplexity`` over the text while training, the ``held_out`` perplexity
        (NaN without such text), the largest gradient ``norm`` before clipping and the number of
        ``updates``. Training stops early where the loss is no longer finite.
    """
    lr = checks.real("lr", lr, "a number above 0", lambda value: value > 0)
    mean_length = checks.real("mean_length", mean_length, "a number above 0", lambda v: v > 0)
    num_epochs = checks.integer("num_epochs", num_epochs, 1)
    num_steps, batch_size = X.shape
    params, predictions = net.collect_params(), mean_length * batch_size
    history = []
    epochs = tqdm(range(num_epochs), "epochs", disable=not sys.stderr.isatty())
    for _ in epochs:
        h, total, norms = net.begin_state(batch_size), 0.0, []
        xi = draw(num_steps)
        parts = segments(xi)
        for start, stop in parts:
            zero_gradients(params)
            loss, h = bptt(net, X[start:stop], Y[start:stop], h, xi[start:stop])
            total += loss
            norms.append(clip_gradients(params, (theta or math.inf) * predictions) / predictions)
            for parameter in _listed(params):
                parameter.data()[:] -= lr / predictions * parameter.grad()
            if not math.isfinite(loss):
                break
        history.append(
            {
                "perplexity": _exp(total / (num_steps * batch_size)),
                "held_out": perplexity(net, *held_out) if held_out else math.nan,
                "norm": max(norms),
                "updates": len(norms),
            }
        )
        epochs.set_postfix(perplexity=f"{history[-1]['perplexity']:.2f}")
        if not math.isfinite(total):
            break
    return history


def perplexity(net, X, Y):
    """Return exp of the mean cross-entropy of a network on a text, read from the zero state.

    Parameters
    ----------
    net : RNN
    X, Y : int arrays ``(num_steps, batch_size)``

    Returns
    -------
    float
        1 for perfect predictions, vocab_size for guessing.
    """
    X, Y = net.tokens("X", X), net.tokens("Y", Y)
    if X.shape != Y.shape:
        raise ValueError(f"Y has shape {Y.shape}; allowed: that of X, {X.shape}")
    h, total, step = net.begin_state(X.shape[1]), 0.0, 1000
    for start in range(0, len(X), step):
        O, h = net(X[start : start + step], h)
        total += float(cross_entropy(O, Y[start : start + step]).sum())
    return _exp(total / X.size)


def _exp(x):
    return math.exp(x) if x < 700 else math.inf if x == x else math.nan


def generate(net, vocab, prefix, num_chars, *, temperature=0.0, rng=None):
    """Continue a text, a character at a time.

    Parameters
    ----------
    net : RNN
    vocab : Vocab
    prefix : str
        What the network reads first: at least one character.
    num_chars : int
        How many to add, at least 0.
    temperature : float
        0 takes the likeliest character; above 0 draws from softmax(O / temperature).
    rng : numpy.random.Generator, optional
        Draws the characters; needed if temperature > 0.

    Returns
    -------
    str
        The prefix and the added characters, never the unknown token.
    """
    if not isinstance(prefix, str) or not prefix:
        raise ValueError(f"prefix={prefix!r}; allowed: a string of at least one character")
    if len(vocab) != net.vocab_size:
        raise ValueError(f"vocab holds {len(vocab)} tokens; allowed: the network's {net.vocab_size}")
    num_chars = checks.integer("num_chars", num_chars, 0)
    temperature = checks.real("temperature", temperature, "a number >= 0", lambda v: v >= 0)
    if temperature and not isinstance(rng, numpy.random.Generator):
        raise TypeError(f"rng={rng!r}; allowed with temperature > 0: a numpy.random.Generator")
    O, h = net(vocab.encode(prefix)[:, None], net.begin_state(1))
    added = []
    for _ in range(num_chars):
        scores = O[-1, 0].asnumpy().astype("float64")
        scores[0] = -numpy.inf  # the unknown token
        if temperature:  # the largest of the scores with Gumbel noise is a draw from the softmax
            scores = scores / temperature + rng.gumbel(size=len(scores))
        added.append(int(scores.argmax()))
        O, h = net([[added[-1]]], h)
    return prefix + vocab.decode(added)
