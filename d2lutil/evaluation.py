"""What a network predicts: the perplexity on a text, and generated text."""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.typing import ArrayLike

from d2lutil import validation
from d2lutil.blocks import flatten, regroup, select
from d2lutil.compat import mxnet
from d2lutil.networks import Network
from d2lutil.text import Vocab
from d2lutil.truncation import pieces

__all__ = ["generate", "perplexity"]

np = mxnet.np

PREDICTIONS_AT_ONCE = 8192  # whose logits are in memory together


def perplexity(
    net: Any,
    X: ArrayLike,
    Y: ArrayLike,
    *,
    begins: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """Return exp of the weighted mean cross-entropy of a network on a text, read from the zero state.

    Parameters
    ----------
    net : RNN, GRU, LSTM, or a Gluon block with ``net(X, h) -> O, h`` and a ``begin_state``
    X, Y : int arrays ``(num_steps, batch_size)``
        Inputs and targets; of a block X may hold anything whose axes start like this.
    begins : bool ``(num_steps,)`` or ``(num_steps, batch_size)``, optional
        Where a sequence begins, from the zero state.
    weights : ``(num_steps,)`` or ``(num_steps, batch_size)``, optional
        Weights w >= 0 of the predictions: exp(Σ w l / Σ w). Where one is 0, the target is not read.

    Returns
    -------
    float
        1 for perfect predictions, vocab_size for guessing.

    Raises
    ------
    ValueError, TypeError
        Wrong shapes, indices outside the vocabulary, weights that sum to 0.
    """
    X, Y, begins, weights = text(net, X, Y, begins, weights)
    return exp(mean_loss(net, X, Y, first_state(net, X.shape[1]), begins, weights))


def text(net, X, Y, begins=None, weights=None, loss=None, names=("X", "Y")):
    """Return inputs, targets, ``begins`` and ``weights``, or say what is wrong with them.

    For the package's networks X and Y are int32 indices of the vocabulary. For other blocks numbers that
    are not integers take the parameters' type; without a ``loss`` the targets are integers.
    """
    own = isinstance(net, Network)
    if not isinstance(net, mxnet.gluon.Block):
        raise TypeError(f"net={validation.short(net)}; allowed: an RNN, GRU, LSTM or another Gluon block")
    X = validation.tokens(names[0], X, net.vocab_size).astype("int32") if own else _data(names[0], X, net)
    shape = X.shape[:2]
    weights = validation.weights(weights, *shape)
    if weights is not None and not weights.any():
        raise ValueError("weights sum to 0; allowed: at least one above 0")
    Y = validation.array(names[1], Y)
    if Y.shape[:2] != shape:
        raise ValueError(f"{names[1]} has shape {Y.shape}; allowed: that of {names[0]}, {shape}")
    if loss is None:
        size = net.vocab_size if own else numpy.iinfo("int32").max
        Y = validation.tokens(names[1], Y, size, None if weights is None else weights > 0).astype("int32")
    else:
        Y = _data(names[1], Y, net)
    return X, Y, validation.begins(begins, *shape), weights


def _data(name, value, net):
    value = validation.array(name, value)
    if value.ndim < 2 or value.size == 0 or value.dtype.kind not in "biuf":
        allowed = "numbers (num_steps, batch_size, …), nothing empty"
        raise ValueError(f"{name} has shape {value.shape} and type {value.dtype}; allowed: {allowed}")
    dtypes = [parameter.dtype for parameter in net.collect_params().values()]
    return value.astype(dtypes[0], copy=False) if dtypes and value.dtype.kind == "f" else value


def first_state(net, batch_size, state=None):
    """Return the state before the first step: the one given, else the zero state."""
    if state is None:
        if not hasattr(net, "begin_state"):
            allowed = "a block with begin_state(batch_size); of others `train` takes the state"
            raise TypeError(f"allowed for net: {allowed}; given {type(net).__name__}")
        return net.begin_state(batch_size=batch_size)
    if isinstance(net, Network):
        kinds, dtype = net.state_kinds, net.W_hh.dtype
        net.check_device(validation.state(state, kinds, batch_size, net.num_hiddens, dtype))
    return state


def forward(net, X, h, begins=None):
    """Return outputs and the last state; columns that begin do so from the zero state."""
    if isinstance(net, Network):
        return net(X, h, begins=begins)
    ctx, O = flatten(h)[0].ctx, []
    for start, stop in [(0, len(X))] if begins is None else pieces(begins.any(axis=1)):
        if begins is not None and begins[start].any():
            parts = [select(~begins[start][:, None], part) for part in flatten(h)]
            h = regroup(h, iter(parts))
        part, h = net(np.array(X[start:stop], dtype=X.dtype, ctx=ctx), h)
        O.append(part)
    return (O[0] if len(O) == 1 else np.concatenate(O, axis=0)), h


def mean_loss(net, X, Y, h, begins=None, weights=None, loss=None):
    """Return Σ w l / Σ w over a text read from the state ``h``; :func:`text` gives the arguments."""
    total, step = 0.0, max(1, PREDICTIONS_AT_ONCE // X.shape[1])
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        O, h = forward(net, X[rows], h, None if begins is None else begins[rows])
        shape = X[rows].shape[:2]
        if loss is None and (O.ndim != 3 or Y.max() >= O.shape[2]):
            allowed = f"{(*shape, int(Y.max()) + 1)}, a logit for each of the targets"
            raise ValueError(f"net returns O of shape {O.shape}; allowed: {allowed}")
        if loss is None:
            losses = cross_entropy(O.asnumpy(), Y[rows])
        else:
            losses = loss(O, np.array(Y[rows], dtype=Y.dtype, ctx=O.ctx)).asnumpy().astype("float64")
        if losses.shape != shape:
            raise ValueError(f"loss returns an array of shape {losses.shape}; allowed: {shape}")
        if weights is None:
            total += float(losses.sum())
        else:
            counted = weights[rows] > 0
            total += float(losses[counted] @ weights[rows][counted])
    return total / (X.shape[0] * X.shape[1] if weights is None else float(weights.sum()))


def cross_entropy(O, Y):
    """Return the cross-entropy of each prediction, in nats, float64: O ``(…, vocab_size)``, Y ``(…)``.

    MXNet's own log_softmax is off by 1e-6 in float32, and all to one side; a sum in float16 is at once.
    """
    O = O.astype(numpy.promote_types(O.dtype, "float32"), copy=False)
    O = O - O.max(axis=-1, keepdims=True)
    chosen = numpy.take_along_axis(O, Y[..., None], axis=-1)[..., 0]
    return numpy.log(numpy.exp(O).sum(axis=-1)).astype("float64") - chosen


def exp(x):
    """Return e to the power x: infinite beyond the largest float, NaN for NaN."""
    return math.exp(x) if x < 700 else math.inf if x == x else math.nan


def generate(
    net: Network,
    vocab: Vocab,
    prefix: str,
    num_chars: int,
    *,
    temperature: float = 0.0,
    rng: numpy.random.Generator | None = None,
) -> str:
    """Continue a text, a character at a time.

    Parameters
    ----------
    net : RNN, GRU or LSTM
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
    if not isinstance(net, Network):
        raise TypeError(f"allowed for net: an RNN, GRU or LSTM of d2lutil; given {type(net).__name__}")
    if not isinstance(prefix, str) or not prefix:
        raise ValueError(f"prefix={prefix!r}; allowed: a string of at least one character")
    if not isinstance(vocab, Vocab):
        raise TypeError(f"vocab={validation.short(vocab)}; allowed: a Vocab")
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
        if (
            rng is not None and temperature
        ):  # the largest of the scores with Gumbel noise is a draw from the softmax
            with numpy.errstate(over="ignore"):  # the others are then at -inf, and the largest at 0
                scores = (scores - scores.max()) / temperature + rng.gumbel(size=len(scores))
        added.append(int(scores.argmax()))
        O, h = net([[added[-1]]], h)
    return prefix + vocab.decode(added)
