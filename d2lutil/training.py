"""Training: the scheme cuts the gradient, an optimizer moves the weights."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy
from numpy.typing import ArrayLike
from tqdm import tqdm

from d2lutil import validation
from d2lutil.evaluation import exp, first_state, forward, mean_loss, text
from d2lutil.gradient import accumulate, bptt, clip_gradients, trainable, zero_gradients
from d2lutil.networks import Network
from d2lutil.optimizers import updater
from d2lutil.schemes import Scheme
from d2lutil.truncation import pieces

__all__ = ["train"]


def train(
    net: Any,
    X: ArrayLike,
    Y: ArrayLike,
    draw: Scheme | Callable[[int], ArrayLike],
    *,
    num_tokens: int,
    lr: float | Callable[[int], float] | None = None,
    theta: float | None = None,
    mean_length: float | None = None,
    update_every: int | None = None,
    optimizer: Any = "sgd",
    optimizer_params: dict[str, Any] | None = None,
    begins: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    loss: Callable | None = None,
    state: Any = None,
    held_out: tuple[ArrayLike, ArrayLike] | None = None,
    callback: Callable[[dict], bool | None] | None = None,
    after_update: Callable[[dict], bool | None] | None = None,
) -> list[dict]:
    """Train a network: the scheme says where the gradient is cut, ``update_every`` when the weights move.

    An update is also a cut, because earlier states belong to old parameters. By default the weights
    move at the cuts that all columns share and at the end of a pass over the text. The gradient of an
    update is divided by the *expected* number of counted predictions in it, mean_length × batch_size ×
    the mean weight, or with ``update_every`` that number of steps × batch_size × the mean weight. To
    divide by the drawn number would weigh short segments up and bias the gradient. The last update of a
    pass, which may have fewer steps, is divided by the same number.

    Parameters
    ----------
    net : RNN, GRU, LSTM, or a Gluon block that :func:`bptt` takes
        Changed in place; a second call goes on from its parameters.
    X, Y : arrays ``(num_steps, batch_size)``
        As :func:`streams` gives, or what the block and its loss take.
    draw : Scheme, or callable
        ``draw(num_steps)`` returns the ξ of a pass.
    num_tokens : int
        How many predictions to train on, counted or not. The text is read again as often as that takes;
        the last update ends the training, wherever in the text it is.
    lr : float, callable or LRScheduler
        Learning rate, above 0: a number, ``lr(n)`` of the n updates the optimizer has made before, or a
        scheduler of MXNet. May be left out where the optimizer has its own.
    theta : float, optional
        Clips the gradient's norm, per counted prediction; None does not clip.
    mean_length : float, optional
        Expected steps between two shared cuts, above 0. A :class:`Scheme` knows it; a plain callable
        needs it unless ``update_every`` is given.
    update_every : int, optional
        Steps from one update to the next, 1 to num_steps. Needed where the ξ has no shared cuts.
    optimizer : str, Optimizer or Trainer
        What ``gluon.Trainer`` takes, or a Trainer, whose state (moments, counts) goes on. Default:
        stochastic gradient descent.
    optimizer_params : dict, optional
        Arguments of an optimizer given by name.
    begins, weights, loss
        As in :func:`bptt`.
    state : optional
        State before the first step of each pass; default zero, by the net's ``begin_state``.
    held_out : (X, Y), optional
        Text that is evaluated after each pass, from the zero state.
    callback : callable, optional
        ``callback(entry)`` is called after each pass with its entry of the history. Returning True
        ends the training.
    after_update : callable, optional
        The same after each update, with ``updates`` and ``tokens`` so far and this update's mean ``loss``
        and ``norm``. The parameters' gradients are those of the update, clipped.

    Returns
    -------
    list of dict
        For each pass, the last of which may be a part of one: the ``perplexity`` over the text while
        training, the ``held_out`` perplexity after it (NaN without such text), the largest gradient
        ``norm`` before clipping, per counted prediction; and since the start of the training the number
        of ``updates``, of ``tokens``, and of ``seconds``, held-out text and callbacks left out. With a
        ``loss`` of your own the mean ``loss`` stands in the place of ``perplexity``, and ``held_out`` is
        a mean too. Training stops early where the loss or the norm is not finite: the mean of that pass
        is then NaN, and parameters and optimizer are those before that update.

    Raises
    ------
    ValueError, TypeError
        A bad argument; a scheme without shared cuts and no ``update_every``; a ``mean_length`` other than
        the scheme's.
    """
    X, Y, begins, weights = text(net, X, Y, begins, weights, loss)
    num_steps, batch_size = X.shape[:2]
    first = first_state(net, batch_size, state)
    if theta is not None:
        theta = validation.real("theta", theta, "a number above 0, or None", lambda v: v > 0)
    num_tokens = validation.integer("num_tokens", num_tokens, 1)
    if update_every is not None:
        update_every = validation.integer("update_every", update_every, 1, num_steps)
    mean_length = _mean_length(draw, mean_length, update_every)
    for name, value in (("callback", callback), ("after_update", after_update), ("loss", loss)):
        if value is not None and not callable(value):
            raise TypeError(f"{name}={validation.short(value)}; allowed: a function, or None")
    outside = None
    if held_out is not None:
        if not isinstance(held_out, (tuple, list)) or len(held_out) != 2:
            given = validation.short(held_out)
            raise TypeError(f"held_out={given}; allowed: a pair (X, Y), or None")
        x, y, *_ = text(net, *held_out, loss=loss, names=("held_out[0]", "held_out[1]"))
        outside = (x, y, first_state(net, x.shape[1]))
    params = trainable(net.collect_params())
    if not params:
        raise ValueError(f"net={type(net).__name__} has no parameter with a gradient; allowed: some")
    dtype = next(iter(net.collect_params().values())).dtype
    update = updater(params, optimizer, optimizer_params, lr)
    if any(parameter._deferred_init for parameter in params):
        forward(net, X[:1], first)  # gives the parameters their shapes

    predictions = float(update_every or mean_length or math.nan) * batch_size
    predictions *= 1.0 if weights is None else float(weights.mean())
    highest = sys.float_info.max if theta is None else min(theta * predictions, sys.float_info.max)
    by_hand = isinstance(net, Network) and loss is None

    def gradients(rows, h, xi):
        """Return the loss, the gradient's norm and the next state; leave the clipped gradients in net."""
        zero_gradients(params)
        begin, weight = (None if array is None else array[rows] for array in (begins, weights))
        if by_hand:
            value, h = accumulate(net, X[rows], Y[rows], h, xi[rows], begin, weight)
        else:
            value, h = bptt(net, X[rows], Y[rows], h, xi[rows], begins=begin, weights=weight, loss=loss)
        return value, clip_gradients(params, highest) / predictions, h

    history, tokens, updates, seconds, going = [], 0, 0, 0.0, True
    with tqdm(total=num_tokens, unit="token", disable=not sys.stderr.isatty()) as bar:
        while going and tokens < num_tokens:
            begin, total, counted, norms, h = time.perf_counter(), 0.0, 0.0, [], first
            xi = validation.scheme(draw(num_steps), num_steps, batch_size, dtype)
            for start, stop in _stretches(xi, draw, mean_length, update_every):
                rows, size = slice(start, stop), (stop - start) * batch_size
                value, norm, h = gradients(rows, h, xi)
                going = math.isfinite(value) and math.isfinite(norm)
                if going:
                    update(predictions)
                    updates += 1
                weight = size if weights is None else float(weights[rows].sum())
                total, counted = total + (value if going else math.nan), counted + weight
                norms.append(norm)
                tokens += size
                bar.update(size)
                if going and after_update is not None:
                    seconds += time.perf_counter() - begin
                    mean = value / weight if weight else math.nan
                    entry = {"loss": mean, "norm": norm, "updates": updates, "tokens": tokens}
                    going = not _ends(after_update(entry))
                    begin = time.perf_counter()
                if not going or tokens >= num_tokens:
                    break
            seconds += time.perf_counter() - begin
            mean = total / counted if counted else math.nan
            test = math.nan if outside is None else mean_loss(net, *outside, loss=loss)
            if loss is None:
                entry = {"perplexity": exp(mean), "held_out": exp(test)}
            else:
                entry = {"loss": mean, "held_out": test}
            entry |= {"norm": max(norms), "updates": updates, "tokens": tokens, "seconds": seconds}
            history.append(entry)
            if callback is not None and _ends(callback(entry)):
                going = False
    return history


def _ends(answer):
    """Return whether a callback's answer is True; anything else that it returns has no meaning."""
    return isinstance(answer, (bool, numpy.bool_)) and bool(answer)


def _mean_length(draw, mean_length, update_every):
    """Return the expected steps between two shared cuts, None where it is not needed."""
    if not callable(draw) or isinstance(draw, type):
        raise TypeError(
            f"draw={validation.short(draw)}; allowed: a function of num_steps, or a Scheme, as Regular(35)"
        )
    if mean_length is not None:
        mean_length = validation.real("mean_length", mean_length, "a number above 0", lambda v: v > 0)
    own = getattr(draw, "mean_length", None)
    if own is None:
        if mean_length is None and update_every is None:
            raise TypeError(
                "mean_length=None; allowed for a plain function: a number above 0, or update_every="
            )
        return mean_length
    if own != math.inf:
        own = validation.real("draw.mean_length", own, "a number above 0, or inf", lambda v: v > 0)
    if mean_length is not None and not math.isclose(mean_length, own, rel_tol=1e-9):
        raise ValueError(f"mean_length={mean_length}; allowed with this scheme: its own, {own}, or None")
    if own == math.inf and update_every is None:
        raise ValueError(
            "update_every=None; allowed with a scheme that never cuts: the steps between two updates"
        )
    return own


def _stretches(xi, draw, mean_length, update_every):
    """Return the ``(start, stop)`` of the updates of a pass.

    A scheme's ξ may by chance have no cut in a pass; cuts of which all columns share none are no chance.
    The ξ of other callables must have a shared cut, unless the mean length they come with is that of the
    pass or longer.
    """
    if update_every is not None:
        starts = range(0, len(xi), update_every)
        return [(start, min(start + update_every, len(xi))) for start in starts]
    stretches = pieces(xi == 0)
    by_chance = isinstance(draw, Scheme) and (xi[1:] != 0).all()
    if len(stretches) == 1 and mean_length < len(xi) and not by_chance:
        raise ValueError(
            f"update_every=None; allowed where xi has no cut that all columns share in its {len(xi)} steps "
            f"(mean_length={mean_length}): the steps between two updates"
        )
    return stretches
