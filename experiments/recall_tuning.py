"""The learning rates of recall: the best of three for each network and lag, on the full gradient."""

import numpy

from experiments import table, trials

__all__ = ["TABLE", "best", "measure", "runs"]

RATES, SEEDS = (0.003, 0.01, 0.03), (100, 101)
TABLE = table.Table("recall_tuning", ["network", "lag", "rate", "seed"], ["accuracy", "learned_after"])
MARGINS = {"accuracy": {"abs_tol": 0.15}}


def runs():
    """Return the settings of all runs."""
    return [
        {"network": network, "lag": lag, "rate": rate, "seed": seed}
        for network in ("tanh", "lstm")
        for lag in (4, 8, 16, 32)
        for rate in RATES
        for seed in SEEDS
    ]


def measure(network, lag, rate, seed):
    """Train on the full gradient."""
    found = trials.train(network, lag, "full", 0, seed, rate)
    return {name: found[name] for name in ("accuracy", "learned_after")}


def best(network, lag):
    """Return the rate with which the seeds learned after the fewest updates, then the most accurate one."""
    rows = [row for row in TABLE.rows() if (row["network"], row["lag"]) == (network, lag)]
    if len(rows) < len(RATES) * len(SEEDS):
        missing = f"{network}, lag {lag}: run recall_tuning first"
        raise LookupError(f"{TABLE.path} has no complete tuning of {missing}")

    def merit(rate):
        mine = [row for row in rows if row["rate"] == rate]
        return tuple(numpy.mean([[row["learned_after"], -row["accuracy"]] for row in mine], axis=0))

    return min(RATES, key=merit)
