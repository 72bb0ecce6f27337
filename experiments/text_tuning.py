"""The learning rates on the novel: the best of a ladder for each arm, in half of the passes."""

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
MOST_RATES = 7
TABLE = table.Table("text_tuning", ["network", "arm", "rate", "seed"], ["held_out"])
MARGINS = {"held_out": {"rel_tol": 0.03}}


def rates(network, arm):
    """Return the rates that are tried."""
    if arm.endswith("unclipped"):
        return UNCLIPPED[network]
    return RATES[network, novel.OPTIMIZERS[network][arm.endswith("other optimizer")]]


def ladder(network, arm, rows):
    """Return the rates to try: three, and while the best is the last or the first of them, one beyond it.

    Parameters
    ----------
    network, arm : str
    rows : list of dict
        The runs that there are.
    """
    tried = sorted(rates(network, arm))
    while len(tried) < MOST_RATES:
        found = merits(tried, network, arm, rows)
        if len(found) < len(tried):  # some have not been run yet
            break
        best = min(tried, key=found.get)
        if best not in (tried[0], tried[-1]):
            break
        tried = sorted([*tried, best / 2 if best == tried[0] else best * 2])
    return tried


def merits(tried, network, arm, rows):
    """Return the mean logarithm of the held-out perplexity of each rate that all seeds have tried."""
    found = {}
    for rate in tried:
        of = [row for row in rows if (row["network"], row["arm"], row["rate"]) == (network, arm, rate)]
        if len(of) == len(SEEDS):
            found[rate] = float(numpy.mean([math.log(row["held_out"]) for row in of]))
    return found


def runs():
    """Return the settings of all runs; more of them, where those that are done call for another rate."""
    rows = TABLE.rows()
    return [
        {"network": network, "arm": arm, "rate": rate, "seed": seed}
        for network, arm in novel.CASES
        for rate in ladder(network, arm, rows)
        for seed in SEEDS
    ]


def measure(network, arm, rate, seed):
    """Train for half of the passes; a training that ended in numbers that are none counts as infinite."""
    net, _ = novel.train(network, arm, seed, rate, novel.PASSES[network] / 2)
    found = d2lutil.perplexity(net, *novel.corpus()[2])
    return {"held_out": round(found, 5) if math.isfinite(found) else math.inf}


def best(network, arm):
    """Return the rate with the lowest mean logarithm of the held-out perplexity."""
    rows = TABLE.rows()
    tried = ladder(network, arm, rows)
    found = merits(tried, network, arm, rows)
    if len(found) < len(tried):
        missing = f"{network}, {arm}: run text_tuning first"
        raise LookupError(f"{TABLE.path} has no complete tuning of {missing}")
    return min(tried, key=found.get)
