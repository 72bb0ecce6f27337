"""What is compared, by which number, and what counts as resolved: written down before the runs.

Every comparison is paired: the two arms of a pair have the same seed, hence the same initial weights, and
the same text in the same order or the same trials. An effect is the mean over the seeds of a difference,
and its error the standard error of that mean. The family is all of :data:`COMPARISONS`, under Bonferroni's
correction: an effect is *resolved* if it exceeds the two-sided 5 % point of Student's t, divided among the
comparisons, times its standard error. What an experiment does not resolve it still bounds: effects outside
of the simultaneous interval are excluded. The smallest effect that so many seeds resolve in four of five
repetitions is, in standard errors, that point plus the one-sided 80 % point; by simulation ten
seeds resolve it in three of four.

The learning rate of an arm is the best of a ladder on two seeds of its own, in trainings half as long;
while the best rate is at an end of the ladder, the ladder grows.

The comparisons of :mod:`experiments.equal_rate` were added when the first results on the novel were known,
and before its runs; the correction counts them.

Trials before this plan, of one or two seeds each, chose the sizes, the numbers of passes and the grids of
rates. Nothing of them is reported.
"""

from typing import NamedTuple

__all__ = ["COMPARISONS", "EXPERIMENTS", "LEVEL", "Comparison"]

EXPERIMENTS = (
    "text_tuning",
    "text",
    "equal_rate",
    "recall_tuning",
    "recall",
    "estimators",
    "distance",
    "nudged",
    "rule",
)
LEVEL = 0.05  # of all comparisons together


class Comparison(NamedTuple):
    """One question: which number of which arm, against which other arm."""

    experiment: str
    network: str
    question: str
    metric: str
    arm: dict
    other: dict


def compared(experiment, network, metric, pairs):
    """Return a comparison for each ``(question, arm, other)``; an arm is a name, or columns of its rows."""

    def columns(arm):
        return {"arm": arm} if isinstance(arm, str) else arm

    return [
        Comparison(experiment, network, question, metric, columns(arm), columns(other))
        for question, arm, other in pairs
    ]


def text_comparisons(network):
    """Return the comparisons on the novel; in percent of the other arm's perplexity."""
    pairs = [
        ("Do chunks of 35 cost anything against the whole window?", "chunks 35", "whole"),
        ("Do chunks of 5?", "chunks 5", "whole"),
        ("Does no backpropagation through time at all?", "chunks 1", "whole"),
        ("Do random cuts with weights beat chunks of the same length?", "randomized 35", "chunks 35"),
        ("Do they beat chunks that look back as far?", "randomized 35", "chunks 53"),
        ("Do the weights help?", "randomized 35", "random lengths 35"),
        ("Do random lengths help?", "random lengths 35", "chunks 53"),
        ("No backpropagation through time, without clipping", "chunks 1, unclipped", "whole, unclipped"),
        ("No backpropagation through time, the state not carried", "chunks 1, no state", "whole, no state"),
        (
            "No backpropagation through time, the other optimizer",
            "chunks 1, other optimizer",
            "whole, other optimizer",
        ),
    ]
    gap = "Is truncation a regularizer: a smaller ratio of held-out to training perplexity?"
    return compared("text", network, "held_out", pairs) + compared(
        "text", network, "gap", [(gap, "chunks 5", "whole")]
    )


def equal_rate_comparisons(network):
    """Return the comparisons at an equal rate; in percent of the other arm's perplexity."""
    pairs = [("chunks 5", "whole"), ("chunks 1", "whole")]
    if network == "lstm":
        pairs += [
            ("chunks 35", "whole"),
            ("randomized 35", "random lengths 35"),
            ("randomized 35", "chunks 53"),
        ]
    asked = [(f"{arm} against {other}, at an equal rate", arm, other) for arm, other in pairs]
    gap = "chunks 5 against whole, at an equal rate: held-out over training perplexity"
    return compared("equal_rate", network, "held_out", asked) + compared(
        "equal_rate", network, "gap", [(gap, "chunks 5", "whole")]
    )


def recall_comparisons(network):
    """Return the comparisons on recall; the metric is the accuracy, in percentage points."""

    def at(scheme, tau, lag=8):
        return {"scheme": scheme, "tau": tau, "lag": lag}

    pairs = [
        (
            "Does the place of the border decide: behind the symbol, against at the recall?",
            at("border behind the symbol", 0),
            at("border at the recall", 0),
        ),
        ("Do chunks of half the lag beat chunks of 1?", at("chunks", 4), at("chunks", 1)),
        (
            "Do random lengths of the lag beat chunks of it?",
            at("random lengths", 8),
            at("chunks", 8),
        ),
        ("Do the weights help, at the length of the lag?", at("randomized", 8), at("random lengths", 8)),
        ("At a lag of 32, too?", at("randomized", 32, 32), at("random lengths", 32, 32)),
        (
            "Do chunks of the lag fall behind the full gradient?",
            at("chunks", 8),
            at("full", 0),
        ),
    ]
    return compared("recall", network, "accuracy", pairs)


def estimator_comparisons(network):
    """Return the comparisons of errors; the metric is the logarithm of bias² + variance, in percent."""

    def at(scheme, look_back):
        return {"scheme": scheme, "look_back": look_back}

    pairs = [
        (
            "Error of random cuts against chunks, look-back 17",
            at("randomized", 17.0),
            at("chunks", 17.0),
        ),
        (
            "Error of random cuts against chunks, look-back 34",
            at("randomized", 34.0),
            at("chunks", 34.0),
        ),
        (
            "Cuts of each column's own, against shared ones",
            at("randomized, per column", 17.0),
            at("randomized", 17.0),
        ),
    ]
    return compared("estimators", network, "error", pairs)


def distance_comparisons(network):
    """Return the comparisons of how far back; the metric is the number of lags to 1 %, in steps."""

    def at(moment, text="novel"):
        return {"text": text, "moment": moment}

    shrinks = "Does the reach shrink from the first pass to the end of the training?"
    agrees = "Do far terms agree between pieces of the novel more than between pieces of shuffled text?"
    return [
        *compared("distance", network, "reach", [(shrinks, at("end"), at("1"))]),
        *compared("distance", network, "agreement", [(agrees, at("end"), at("end", "shuffled"))]),
    ]


def rule_comparisons(network):
    """Return the comparison of the rule for τ on the novel: held-out perplexity, in percent."""
    question = "Training at the τ of the rule, 5/(1-β), against the whole window"
    whole = {"experiment": "text", "arm": "whole"}
    return compared("rule", network, "held_out", [(question, {"factor": 5}, whole)])


COMPARISONS = tuple(
    comparison
    for network in ("tanh", "lstm")
    for part in (
        text_comparisons,
        equal_rate_comparisons,
        recall_comparisons,
        estimator_comparisons,
        distance_comparisons,
        rule_comparisons,
    )
    for comparison in part(network)
)
