"""The data of the figure "reach over text" are the package's, those of training within a margin."""

import importlib.util
from pathlib import Path

import numpy
import pytest

import d2lutil

spec = importlib.util.spec_from_file_location(
    "reach", Path(__file__).resolve().parent.parent / "tools" / "reach.py"
)
reach = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reach)

LEVELS = reach.read(reach.DATA.read_text(encoding="utf-8"))
STEPS = len(reach.LINE)
#: Levels within which a training on another machine lies, a factor of 1.12. Training in float32 and in
#: float64 differs by less than a tenth of a level, beyond the rounding to one.
MARGIN = 20


def table(kind, stage):
    """Return what the figure draws, from the file: NaN above the diagonal."""
    found = numpy.full((STEPS, STEPS), numpy.nan)
    found[numpy.tril_indices(STEPS)] = 10.0 ** (LEVELS[kind, stage] / reach.LEVELS * 10 - 9)
    return found


def test_the_line_was_held_out():
    text = d2lutil.normalize(d2lutil.load_corpus("noon_road").text)
    assert reach.LINE in text[len(text) * 9 // 10 :]
    assert reach.LINE not in text[: len(text) * 9 // 10]


def test_a_file_reads_as_it_was_written():
    text = reach.DATA.read_text(encoding="utf-8")
    assert reach.write(LEVELS) == text
    assert len(text) <= 60_000


@pytest.mark.parametrize("kind", reach.KINDS)
def test_untrained_influences_are_the_packages(kind):
    net, vocab = reach.network(kind, 0)
    exact = reach.influences(net, vocab)
    assert abs(reach.levels(exact) - LEVELS[kind, "untrained"]).max() <= 1  # half a level, and rounding
    product = numpy.eye(len(d2lutil.jacobians(net, [[0]])[0]))
    J = d2lutil.jacobians(net, vocab.encode(reach.LINE)[:, None])
    for t in range(41, 61):
        product = J[t] @ product
    assert abs(table(kind, "untrained")[60, 40] / numpy.linalg.norm(product, 2) - 1) < 0.006


@pytest.mark.parametrize("kind", reach.KINDS)
def test_trained_influences_are_the_packages_within_a_margin(kind):
    exact = reach.influences(*reach.network(kind, reach.STAGES["trained"]))
    assert abs(reach.levels(exact) - LEVELS[kind, "trained"]).max() <= MARGIN


def test_training_turns_the_order_around():
    ratio = {stage: table("LSTM", stage) / table("tanh", stage) for stage in reach.STAGES}
    assert numpy.median(numpy.diagonal(ratio["untrained"], -20)) < 0.1
    assert numpy.median(numpy.diagonal(ratio["trained"], -20)) > 10
