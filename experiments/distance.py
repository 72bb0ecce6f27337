"""How far back the gradient comes from, along training, on the novel and on a shuffled text."""

import functools

import numpy

from experiments import lags, networks, novel, table, text_tuning

__all__ = ["MOMENTS", "TABLE", "measure", "runs"]

MOMENTS = ("0", "0.25", "1", "2", "4", "end")  # passes
SEEDS, NUM_STEPS, NUM_LAGS, FAR = range(10), 200, 100, 16
TABLE = table.Table(
    "distance",
    ["network", "seed", "text"],
    [*(f"{what}_{moment}" for what in ("reach", "window") for moment in MOMENTS), "agreement_end"],
)
LASTING = ("0", "2", "4", "end")  # the large updates of the first pass amplify rounding
MARGINS = {f"reach_{moment}": {"abs_tol": 5} for moment in LASTING}
SENSITIVE = True


def runs():
    """Return the settings of all runs. The text is what a network is measured on; all learn the novel."""
    return [
        {"network": network, "seed": seed, "text": text}
        for network in ("tanh", "lstm")
        for seed in SEEDS
        for text in ("novel", "shuffled")
    ]


@functools.lru_cache(maxsize=1)
def snapshots(network, seed, nudge=0.0):
    """Return the parameters of a network at the moments of its training on the whole window."""
    rate, passes = text_tuning.best(network, "whole"), novel.PASSES[network]
    vocab, (X, _), _ = novel.corpus()
    updates = [round(float(moment) * len(X) / novel.WINDOW) for moment in MOMENTS[1:-1]]
    kept = {0: parameters(networks.make(network, len(vocab), novel.NUM_HIDDENS, seed, nudge))}

    def keep(net, count):
        if count in updates:
            kept[count] = parameters(net)

    net, _ = novel.train(network, "whole", seed, rate, passes, callback=keep, nudge=nudge)
    return net, [kept[0], *(kept[count] for count in updates), parameters(net)]


def parameters(net):
    """Return copies of a network's parameters."""
    return {name: parameter.data().asnumpy().copy() for name, parameter in net.collect_params().items()}


def measure(network, seed, text, nudge=0.0):
    """Return how far back the gradient comes from at each moment, and how far terms agree at the end.

    Held-out text is measured. Its shuffled letters keep their frequencies and nothing else. The agreement
    is the cosine of the terms of lag 16 and more, summed over two pieces of the text.
    """
    net, moments = snapshots(network, seed, nudge)
    X, Y = (array.copy() for array in novel.corpus()[2])
    if text == "shuffled":
        order = numpy.random.default_rng([seed, 3]).permutation(X.size)
        X = X.reshape(-1)[order].reshape(X.shape)
        Y = numpy.concatenate([X[1:], X[:1]])
    found = {}
    for moment, values in zip(MOMENTS, moments, strict=True):
        for parameter, value in zip(net.collect_params().values(), values.values(), strict=True):
            parameter.data()[:] = value
        split = lags.by_lag(net, X[:NUM_STEPS], Y[:NUM_STEPS], NUM_LAGS)
        found |= {f"reach_{moment}": split.reach(), f"window_{moment}": split.window()}
    second = slice(NUM_STEPS, 2 * NUM_STEPS)
    other = lags.by_lag(net, X[second], Y[second], NUM_LAGS)
    a, b = (part.parts[FAR:].sum(axis=0).ravel() for part in (split, other))
    return found | {"agreement_end": float(f"{a @ b / numpy.sqrt((a @ a) * (b @ b)):.5g}")}
