"""The learning rates on the novel: the best of three for each arm, in half of the passes."""

import math

import numpy

import d2lutil
from experiments import novel, table

__all__ = ["RATES", "TABLE", "best", "measure", "runs"]

RATES = {
    ("tanh", "sgd"): (2.0, 4.0, 8.0),
    ("tanh", "adam"): (0.003, 0.006, 0.012),
    ("lstm", "adam"): (0.008, 0.016, 0.032),
    ("lstm", "sgd"): (16.0, 32.0, 64.0),
    ("gru", "adam"): (0.004, 0.008, 0.016),
    ("linear", "adam"): (0.008, 0.016, 0.032),
}
UNCLIPPED = {"tanh": (0.125, 0.25, 0.5), "lstm": RATES["lstm", "adam"]}
SEEDS = (100, 101)  # none of those that are reported
TABLE = table.Table("text_tuning", ["network", "arm", "rate", "seed"], ["held_out"])
MARGINS = {"held_out": {"rel_tol": 0.03}}


def rates(network, arm):
    """Return the rates that are tried."""
    if arm.endswith("unclipped"):
        return UNCLIPPED[network]
    return RATES[network, novel.OPTIMIZERS[network][arm.endswith("other optimizer")]]


def runs():
    """Return the settings of all runs."""
    arms = [(network, arm) for network in ("tanh", "lstm") for arm in novel.ARMS]
    arms += [("gru", "whole"), ("linear", "whole")]
    return [
        {"network": network, "arm": arm, "rate": rate, "seed": seed}
        for network, arm in arms
        for rate in rates(network, arm)
        for seed in SEEDS
    ]


def measure(network, arm, rate, seed):
    """Train for half of the passes; a training that ended in numbers that are none counts as infinite."""
    net, _ = novel.train(network, arm, seed, rate, novel.PASSES[network] / 2)
    found = d2lutil.perplexity(net, *novel.corpus()[2])
    return {"held_out": round(found, 5) if math.isfinite(found) else math.inf}


def best(network, arm):
    """Return the rate with the lowest mean logarithm of the held-out perplexity."""
    rows = [row for row in TABLE.rows() if (row["network"], row["arm"]) == (network, arm)]
    tried = rates(network, arm)
    if len(rows) < len(tried) * len(SEEDS):
        missing = f"{network}, {arm}: run text_tuning first"
        raise LookupError(f"{TABLE.path} has no complete tuning of {missing}")

    def merit(rate):
        return numpy.mean([math.log(row["held_out"]) for row in rows if row["rate"] == rate])

    return min(tried, key=merit)
