"""The novel, at equal rhythm: an update every 70 steps for every arm, the state carried on."""

import functools

import numpy

import d2lutil
from experiments import lags, networks, table, text_tuning

__all__ = ["ARMS", "TABLE", "WINDOW", "corpus", "measure", "runs", "train"]

NUM_HIDDENS, STREAMS, WINDOW, THETA, TAU = 128, 32, 70, 0.25, 35
PASSES = {"tanh": 14, "lstm": 8, "gru": 8, "linear": 8}
SEEDS = range(10)
OPTIMIZERS = {"tanh": ("sgd", "adam"), "lstm": ("adam", "sgd"), "gru": ("adam",), "linear": ("adam",)}
ARMS = [  # the seven with clipping, two without, then what is taken away
    *("whole", "chunks 35", "chunks 5", "chunks 1", "randomized 35", "random lengths 35", "chunks 53"),
    *("whole, unclipped", "chunks 1, unclipped"),
    *("whole, no state", "chunks 1, no state", "whole, other optimizer", "chunks 1, other optimizer"),
]
TABLE = table.Table(
    "text",
    ["network", "arm", "seed"],
    ["rate", "held_out", "training", "norm", "clipped", "reach", "window", "beta"],
)


def runs():
    """Return the settings of all runs: every arm of tanh and LSTM, one of the GRU and of the linear network."""
    arms = [(network, arm) for network in ("tanh", "lstm") for arm in ARMS]
    arms += [("gru", "whole"), ("linear", "whole")]
    return [{"network": network, "arm": arm, "seed": seed} for network, arm in arms for seed in SEEDS]


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
        # 53 with borders at a random phase look back as far as the random cuts; 35 fits the window
        return (
            d2lutil.Regular(int(length), rng=rng) if WINDOW % int(length) else d2lutil.Regular(int(length))
        )
    randomized = d2lutil.Randomized(1 - 1 / int(length), rng=rng)
    return randomized if name == "randomized" else d2lutil.Unweighted(randomized)


def train(network, arm, seed, rate, passes, text=None, callback=None):
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
    text : pair of int arrays, optional
        Default: the novel.
    callback : callable, optional
        ``callback(net, updates)`` after each update.

    Returns
    -------
    net, norms
        The network, and the norm of each update's gradient before clipping, per prediction.
    """
    vocab, novel, _ = corpus()
    X, Y = novel if text is None else text
    net = networks.make(network, len(vocab), NUM_HIDDENS, seed)
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


def measure(network, arm, seed, rate=None, passes=None):
    """Train a network and return what :data:`TABLE` has of it."""
    rate = text_tuning.best(network, arm) if rate is None else rate
    net, norms = train(network, arm, seed, rate, passes or PASSES[network])
    _, (X, Y), held_out = corpus()
    found = {"reach": -1, "window": -1, "beta": -1}  # the linear network has no Jacobians worth it
    if network != "linear":
        split = lags.by_lag(net, *(array[:200] for array in held_out), num_lags=100)
        found = {
            "reach": split.reach(),
            "window": split.window(),
            "beta": round(lags.decay(split.sizes[:40]), 5),
        }
    return {
        "rate": rate,
        "held_out": round(d2lutil.perplexity(net, *held_out), 5),
        "training": round(d2lutil.perplexity(net, X[:2000], Y[:2000]), 5),
        "norm": round(float(numpy.median(norms)), 5),
        "clipped": round(float((norms > THETA).mean()), 4),
        **found,
    }
