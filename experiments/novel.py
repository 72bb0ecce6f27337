"""Training on the novel, at equal rhythm: an update every 70 steps, the state carried on."""

import functools

import numpy

import d2lutil
from experiments import lags, networks

__all__ = ["ARMS", "CASES", "OPTIMIZERS", "PASSES", "THETA", "by_lag", "corpus", "train"]

NUM_HIDDENS, STREAMS, WINDOW, THETA = 128, 32, 70, 0.25
PASSES = {"tanh": 14, "lstm": 6, "gru": 6, "linear": 6}
OPTIMIZERS = {"tanh": ("sgd", "adam"), "lstm": ("adam", "sgd"), "gru": ("adam",), "linear": ("adam",)}
ARMS = [  # the seven with clipping, two without, then what is taken away
    *("whole", "chunks 35", "chunks 5", "chunks 1", "randomized 35", "random lengths 35", "chunks 53"),
    *("whole, unclipped", "chunks 1, unclipped"),
    *("whole, no state", "chunks 1, no state", "whole, other optimizer", "chunks 1, other optimizer"),
]
CASES = [(network, arm) for network in ("tanh", "lstm") for arm in ARMS] + [
    ("gru", "whole"),
    ("linear", "whole"),
]


@functools.cache
def corpus():
    """Return the vocabulary, the text to train on and the text held out, as pairs of int arrays."""
    text = d2lutil.normalize(d2lutil.load_corpus().text)
    vocab, *pairs = d2lutil.split_streams(text, STREAMS)
    return vocab, *([array.asnumpy() for array in pair] for pair in pairs)


def scheme_of(arm, seed):
    """Return the scheme of an arm."""
    name, _, length = arm.partition(",")[0].rpartition(" ")
    rng = numpy.random.default_rng([seed, 1])
    if not name:
        return d2lutil.Full()
    if name == "chunks":
        # 53 with borders at a random phase look back as far as the random cuts; the others fit the window
        return d2lutil.Regular(int(length), rng=rng if WINDOW % int(length) else None)
    randomized = d2lutil.Randomized(1 - 1 / int(length), rng=rng)
    return randomized if name == "randomized" else d2lutil.Unweighted(randomized)


def train(network, arm, seed, rate, passes, callback=None, nudge=0.0):
    """Train a network in the way of an arm.

    Parameters
    ----------
    network, arm : str
        Of :data:`PASSES` and :data:`ARMS`.
    seed : int
        Of the initial weights and of the cuts; the same for all arms.
    rate : float
        The learning rate at the start; it falls linearly to a twentieth.
    passes : float
        Over the text.
    callback : callable, optional
        ``callback(net, updates)`` after each update.
    nudge : float
        Relative change of the initial weights.

    Returns
    -------
    net, norms
        The network, and the norm of each update's gradient before clipping, per prediction.
    """
    vocab, (X, Y), _ = corpus()
    net = networks.make(network, len(vocab), NUM_HIDDENS, seed, nudge)
    num_tokens, norms = int(passes * X.size), []
    updates = num_tokens / (WINDOW * STREAMS)

    def note(entry):
        norms.append(entry["norm"])
        if callback is not None:
            callback(net, entry["updates"])

    d2lutil.train(
        net,
        X,
        Y,
        scheme_of(arm, seed),
        num_tokens=num_tokens,
        lr=lambda n: rate * (1 - 0.95 * min(1, n / updates)),
        theta=None if arm.endswith("unclipped") else THETA,
        update_every=WINDOW,
        optimizer=OPTIMIZERS[network][arm.endswith("other optimizer")],
        begins=numpy.arange(len(X)) % WINDOW == 0 if arm.endswith("no state") else None,
        after_update=note,
    )
    return net, numpy.array(norms)


def by_lag(net):
    """Return the gradient of held-out text by lag, and β of its first 40 lags."""
    split = lags.by_lag(net, *(array[:200] for array in corpus()[2]), num_lags=100)
    return split, round(lags.decay(split.sizes[:40]), 5)
