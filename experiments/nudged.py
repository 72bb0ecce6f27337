"""How far back the gradient comes from if the initial weights change by their rounding.

A training that returns to the same numbers does so on one processor. On another one, or with another
version of NumPy, sums are rounded in another order, and a training that amplifies this ends elsewhere.
The nudge imitates it: each initial weight changes by about the spacing of numbers in float32.
"""

import functools

import numpy

from experiments import distance, table

__all__ = ["NUDGE", "TABLE", "measure", "runs", "settled"]

NUDGE, MARGIN = 1e-7, 3  # relative; steps
REACHES = [f"reach_{moment}" for moment in distance.MOMENTS]
TABLE = table.Table("nudged", ["network", "seed"], REACHES)
MARGINS, SENSITIVE = distance.MARGINS, True


def runs():
    """Return the settings of all runs: the networks of :mod:`experiments.distance`."""
    return [{"network": network, "seed": seed} for network in ("tanh", "lstm") for seed in distance.SEEDS]


def measure(network, seed):
    """Return how far back the gradient comes from at each moment, on the novel."""
    found = distance.measure(network, seed, "novel", NUDGE)
    return {name: found[name] for name in REACHES}


@functools.cache
def settled(network, seed):
    """Return whether the training of a network survives the nudge: its reach returns at every moment."""

    def found(rows):
        (row,) = [row for row in rows if (row["network"], row["seed"]) == (network, seed)]
        return [row[name] for name in REACHES]

    before = found(row for row in distance.TABLE.rows() if row["text"] == "novel")
    return numpy.allclose(before, found(TABLE.rows()), rtol=0, atol=MARGIN)
