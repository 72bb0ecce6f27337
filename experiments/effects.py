"""What the tables say about the comparisons of the plan: effects, errors, and the power to see them."""

import functools
import importlib
from typing import NamedTuple

import numpy

from experiments import plan, table

__all__ = ["Effect", "effect", "effects", "quantile", "write"]

PATH = table.RESULTS / "effects.csv"
ABOUT = ("experiment", "network", "question", "metric")
NUMBERS = ("arm", "other", "effect", "error", "bound", "smallest")


class Effect(NamedTuple):
    """A comparison and what came out of it, in the unit of its metric."""

    comparison: plan.Comparison
    seeds: int
    arm: float
    other: float
    effect: float
    error: float
    bound: float
    """Half of the simultaneous interval: what |effect| must exceed to be resolved."""
    smallest: float
    """The smallest effect that so many seeds would resolve in four of five repetitions."""

    @property
    def resolved(self):
        """Whether the interval leaves 0 out."""
        return abs(self.effect) > self.bound


@functools.cache
def quantile(probability, degrees):
    """Return the quantile of Student's t, by integrating its density.

    Parameters
    ----------
    probability : float
        Between 0.5 and 1.
    degrees : int
    """
    # t = √degrees tan u has the density cos u^(degrees - 1)
    u = numpy.linspace(0, numpy.pi / 2, 200_001)[:-1]
    mass = numpy.cumsum(numpy.cos(u) ** (degrees - 1))
    below = 0.5 + 0.5 * mass / mass[-1]
    return float(degrees**0.5 * numpy.tan(numpy.interp(probability, below, u)))


@functools.cache
def rows(experiment):
    """Return the rows of an experiment."""
    return importlib.import_module(f"experiments.{experiment}").TABLE.rows()


def value(row, metric, moment=None):
    """Return the number that a comparison reads from a row; logarithms where a ratio is meant."""
    if metric == "gap":
        return 100 * numpy.log(row["held_out"] / row["training"])
    if metric == "held_out":
        return 100 * numpy.log(row["held_out"])
    if metric == "error":
        return 100 * numpy.log(row["bias2"] + row["variance"])
    if metric == "accuracy":
        return 100 * row["accuracy"]
    return row[f"{metric}_{moment}"]


def values(comparison, arm):
    """Return the numbers of an arm by seed."""
    wanted = {"network": comparison.network} | arm
    experiment, moment = wanted.pop("experiment", comparison.experiment), wanted.pop("moment", None)
    found = [row for row in rows(experiment) if all(row[name] == wanted[name] for name in wanted)]
    return {row["seed"]: value(row, comparison.metric, moment) for row in found}


def effect(comparison):
    """Return what came out of a comparison.

    Raises
    ------
    LookupError
        The two arms have not the same seeds, or none.
    """
    arm, other = (values(comparison, side) for side in (comparison.arm, comparison.other))
    if not arm or arm.keys() != other.keys():
        raise LookupError(
            f"{comparison.experiment}: the arms of {comparison.question!r} differ in their seeds"
        )
    difference = numpy.array([arm[seed] - other[seed] for seed in sorted(arm)])
    seeds = len(difference)
    error = float(difference.std(ddof=1) / seeds**0.5)
    point = quantile(1 - plan.LEVEL / 2 / len(plan.COMPARISONS), seeds - 1)
    return Effect(
        comparison,
        seeds,
        float(numpy.mean(list(arm.values()))),
        float(numpy.mean(list(other.values()))),
        float(difference.mean()),
        error,
        point * error,
        (point + quantile(0.8, seeds - 1)) * error,
    )


def effects():
    """Return the effects of all comparisons as rows, in the order of the plan.

    The verdict is "more", "less" or "not resolved". Numbers are in the unit of the metric: hundredths of a
    natural logarithm, which are percent as long as they are small, for perplexities, their ratios and
    errors; percentage points for the accuracy; steps for the reach; the agreement is a cosine.
    """
    found = []
    for number, comparison in enumerate(plan.COMPARISONS, 1):
        result = effect(comparison)
        verdict = ("less", "more")[result.effect > 0] if result.resolved else "not resolved"
        numbers = {name: float(f"{getattr(result, name):.4g}") for name in NUMBERS}
        about = {name: getattr(comparison, name) for name in ABOUT}
        found.append({"number": number, **about, "seeds": result.seeds, **numbers, "verdict": verdict})
    return found


def write():
    """Write the effects to ``results/effects.csv``."""
    found = effects()
    table.write(PATH, list(found[0]), found)
