"""The novel at one learning rate for all arms of a network, at which every seed trains steadily.

Added after the runs of :mod:`experiments.text` with clipping. There the ladder led the LSTM to rates at
which some seeds fall behind, so that ten seeds see large effects only; and it gave short chunks of the tanh
network twice the rate of the others. At an equal rate the two questions come apart.
"""

from experiments import novel, table, text

__all__ = ["TABLE", "measure", "runs"]

RATES = {"tanh": 4.0, "lstm": 0.016}
ARMS = {"tanh": ("whole", "chunks 5", "chunks 1"), "lstm": novel.ARMS[:7]}
SEEDS = range(10)
TABLE = table.Table("equal_rate", text.TABLE.settings, text.MEASURED)
MARGINS = text.MARGINS


def runs():
    """Return the settings of all runs."""
    return [
        {"network": network, "arm": arm, "seed": seed}
        for network, arms in ARMS.items()
        for arm in arms
        for seed in SEEDS
    ]


def measure(network, arm, seed):
    """Train a network at the rate of its kind and return what :data:`TABLE` has of it."""
    return text.measure(network, arm, seed, RATES[network])
