"""The novel: a network trained under each truncation, clipped and not, and without what it rests on."""

import numpy

import d2lutil
from experiments import novel, table, text_tuning

__all__ = ["TABLE", "measure", "runs"]

SEEDS = range(10)
MEASURED = ["rate", "held_out", "training", "norm", "clipped", "reach", "window", "beta"]
TABLE = table.Table("text", ["network", "arm", "seed"], MEASURED)
MARGINS = {"held_out": {"rel_tol": 0.03}, "rate": {"rel_tol": 0}}


def runs():
    """Return the settings of all runs: all arms of tanh and LSTM, one of each other network."""
    return [
        {"network": network, "arm": arm, "seed": seed} for network, arm in novel.CASES for seed in SEEDS
    ]


def measure(network, arm, seed, rate=None):
    """Train a network and return what :data:`TABLE` has of it."""
    rate = text_tuning.best(network, arm) if rate is None else rate
    net, norms = novel.train(network, arm, seed, rate, novel.PASSES[network])
    _, (X, Y), held_out = novel.corpus()
    found = {"reach": -1, "window": -1, "beta": -1}  # the linear network has no Jacobians worth it
    if network != "linear":
        split, beta = novel.by_lag(net)
        found = {"reach": split.reach(), "window": split.window(), "beta": beta}
    return {
        "rate": rate,
        "held_out": round(d2lutil.perplexity(net, *held_out), 5),
        "training": round(d2lutil.perplexity(net, X[:2000], Y[:2000]), 5),
        "norm": round(float(numpy.median(norms)), 5),
        "clipped": round(float((norms > novel.THETA).mean()), 4),
        **found,
    }
