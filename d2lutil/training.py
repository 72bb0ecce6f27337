"""Training: epochs under a truncation scheme, perplexity, generated text."""

import math
import sys
import time

import numpy
from tqdm import tqdm

from d2lutil import validation
from d2lutil.compat import mxnet
from d2lutil.gradient import bptt, clip_gradients, trainable, zero_gradients
from d2lutil.truncation import segments

__all__ = ["generate", "perplexity", "train"]

PREDICTIONS_AT_ONCE = 8192  # whose logits are in memory together


def train(net, X, Y, draw, *, lr, theta, mean_length, num_tokens, held_out=None):
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
    num_tokens : int
        How many predictions to train on. The text is read again as often as that takes; the last
        update ends the training, wherever in the text it is.
    held_out : (X, Y), optional
        Text whose perplexity is measured after each epoch.

    Returns
    -------
    list of dict
        For each epoch, the last of which may be a part of one: the ``perplexity`` over the text while
        training, the ``held_out`` perplexity after it (NaN without such text), the largest gradient
        ``norm`` before clipping, per prediction; and since the start of the training the number of
        ``updates``, of ``tokens``, and of ``seconds``, tests on held-out text left out. Training stops
        early where the loss or the norm is not finite: the last perplexity is then NaN, and the
        parameters are those before that update.
    """
    X, Y = _pair(net, X, Y)
    lr = validation.real("lr", lr, "a number above 0", lambda value: value > 0)
    if theta is not None:
        theta = validation.real("theta", theta, "a number above 0, or None", lambda v: v > 0)
    mean_length = validation.real("mean_length", mean_length, "a number above 0", lambda v: v > 0)
    num_tokens = validation.integer("num_tokens", num_tokens, 1)
    if not callable(draw):
        raise TypeError(f"draw={draw!r}; allowed: a function of num_steps")
    if held_out is not None:
        if not isinstance(held_out, (tuple, list)) or len(held_out) != 2:
            raise TypeError(f"held_out={held_out!r}; allowed: a pair (X, Y), or None")
        held_out = _pair(net, *held_out, names=("held_out[0]", "held_out[1]"))
    predictions = mean_length * X.shape[1]
    highest = sys.float_info.max if theta is None else theta * predictions
    history, tokens, updates, seconds = [], 0, 0, 0.0
    with tqdm(total=num_tokens, unit="token", disable=not sys.stderr.isatty()) as bar:
        while tokens < num_tokens:
            begin, total, read, norms = time.perf_counter(), 0.0, 0, []
            h = net.begin_state(X.shape[1])
            xi = validation.scheme(draw(len(X)), len(X))
            for start, stop in segments(xi):
                zero_gradients(net.parameters())
                loss, h = bptt(net, X[start:stop], Y[start:stop], h, xi[start:stop])
                norms.append(clip_gradients(net.parameters(), highest) / predictions)
                read += X[start:stop].size
                bar.update(X[start:stop].size)
                if not (math.isfinite(loss) and math.isfinite(norms[-1])):
                    total = math.nan
                    break
                total, updates = total + loss, updates + 1
                for parameter in trainable(net.parameters()):
                    value = parameter.data()
                    value -= lr / predictions * parameter.grad()
                if tokens + read >= num_tokens:
                    break
            tokens += read
            seconds += time.perf_counter() - begin
            history.append(
                {
                    "perplexity": _exp(total / read),
                    "held_out": math.nan if held_out is None else perplexity(net, *held_out),
                    "norm": max(norms),
                    "updates": updates,
                    "tokens": tokens,
                    "seconds": seconds,
                }
            )
            if not math.isfinite(total):
                break
    return history


def _pair(net, X, Y, names=("X", "Y")):
    X, Y = (validation.tokens(n, A, net.vocab_size) for n, A in zip(names, (X, Y), strict=True))
    if X.shape != Y.shape:
        raise ValueError(f"{names[1]} has shape {Y.shape}; allowed: that of {names[0]}, {X.shape}")
    return X, Y


def cross_entropy(O, Y):
    """Return the cross-entropy of each prediction, in nats: O ``(…, vocab_size)``, Y ``(…)``."""
    return -mxnet.npx.pick(mxnet.npx.log_softmax(O, axis=-1), Y, axis=-1)


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
    X, Y = _pair(net, X, Y)
    h, total, step = net.begin_state(X.shape[1]), 0.0, max(1, PREDICTIONS_AT_ONCE // X.shape[1])
    for start in range(0, len(X), step):
        O, h = net(X[start : start + step], h)
        total += float(cross_entropy(O, mxnet.np.array(Y[start : start + step], ctx=O.ctx)).sum())
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

    Raises
    ------
    ValueError, TypeError
        Bad arguments, another vocabulary than the network's, or parameters that give no finite logits.
    """
    if not isinstance(prefix, str) or not prefix:
        raise ValueError(f"prefix={prefix!r}; allowed: a string of at least one character")
    if len(vocab) != net.vocab_size:
        raise ValueError(f"vocab holds {len(vocab)} tokens; allowed: the net's {net.vocab_size}")
    num_chars = validation.integer("num_chars", num_chars, 0)
    temperature = validation.real("temperature", temperature, "a number >= 0", lambda v: v >= 0)
    if temperature and not isinstance(rng, numpy.random.Generator):
        raise TypeError(f"rng={rng!r}; allowed with temperature > 0: a numpy.random.Generator")
    O, h = net(vocab.encode(prefix)[:, None], net.begin_state(1))
    added = []
    for _ in range(num_chars):
        scores = O[-1, 0].asnumpy().astype("float64")
        if not numpy.isfinite(scores).all():
            raise ValueError("net gives logits that are not finite; allowed: finite parameters")
        scores[0] = -numpy.inf  # the unknown token
        if temperature:  # the largest of the scores with Gumbel noise is a draw from the softmax
            scores = scores / temperature + rng.gumbel(size=len(scores))
        added.append(int(scores.argmax()))
        O, h = net([[added[-1]]], h)
    return prefix + vocab.decode(added)
