"""The benchmarks compare equals, and their tables say what was measured. No test asserts a time."""

import math
import os
from types import SimpleNamespace

import pytest

from benchmarks import contestants, memory, problem, report, step

SHAPE = (60, 3, 5)


@pytest.fixture
def clock(monkeypatch):
    """Let the time be what the test says, in place of the module `time` of the benchmarks."""
    clock = SimpleNamespace(now=0.0)
    clock.perf_counter = lambda: clock.now
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    for module in (step, contestants):
        monkeypatch.setattr(module, "time", clock)
    return clock


def test_contestants_compute_the_same_gradient():
    step.check(SHAPE)


def test_contestant_with_another_gradient_is_named(monkeypatch):
    class Wrong(contestants.Gluon):
        name = "wrong"

        def gradients(self):
            return [1.0001 * gradient for gradient in super().gradients()]

    monkeypatch.setattr(step, "KINDS", [contestants.Package, Wrong])
    with pytest.raises(AssertionError, match=r"wrong differs by 1\.0e-04 under full"):
        step.check(SHAPE)


def test_each_is_measured_under_each_scheme_and_what_is_long_in_part(monkeypatch):
    monkeypatch.setattr(step, "LONG", 1e-9)
    monkeypatch.setattr(step, "FEW", 20)
    monkeypatch.setattr(step, "TURN", 0)
    seconds, scaled = step.measure(SHAPE, deadline=0)
    assert set(seconds) == {(kind.name, name) for kind in step.KINDS for name in problem.schemes(60)}
    assert {len(values) for values in seconds.values()} == {1}  # the deadline was over
    gates = ["randomized every 25", "randomized every step"]
    loops = [kind.name for kind in step.KINDS if kind not in (contestants.Package, *step.LAYERS)]
    expected = {(kind.name, name) for kind in step.LAYERS for name in gates}
    assert scaled == expected | {(name, scheme) for name in loops for scheme in problem.schemes(60)}


@pytest.mark.parametrize(("limit", "rounds"), [(math.inf, step.MAX_ROUNDS), (0, 1)])
def test_rounds_go_on_until_each_has_had_its_seconds(limit, rounds, clock, monkeypatch):
    monkeypatch.setattr(step, "TURN", 0)
    monkeypatch.setattr(step, "SECONDS", limit)
    monkeypatch.setattr(step, "KINDS", [contestants.Package])
    seconds, scaled = step.measure(SHAPE, deadline=math.inf)
    assert {len(values) for values in seconds.values()} == {rounds}
    assert scaled == set()


def test_short_steps_are_repeated_and_their_median_counts(clock):
    class Entrant:
        def step(self, xi):
            clock.now += next(pauses)

    pauses = iter([0.5, 0.1, 0.01, 0.03, 0.02, 0.05, 1000])
    assert step.timed(Entrant(), None) == pytest.approx(0.5)  # one that is long is not repeated
    assert step.timed(Entrant(), None) == pytest.approx(0.03)


def test_a_part_is_scaled_to_the_whole(clock, monkeypatch):
    class Sleeper:
        name = "sleeper"

        def __init__(self, weights, X, Y):
            self.num_steps = len(X)

        def tune(self, xi):
            assert len(xi) == self.num_steps

        def step(self, xi):
            clock.now += 0.002 * len(xi)

    monkeypatch.setattr(step, "KINDS", [Sleeper])
    monkeypatch.setattr(step, "LONG", 0.05)
    monkeypatch.setattr(step, "FEW", 10)
    seconds, scaled = step.measure((200, 1, 2), deadline=0)
    assert len(scaled) == 4
    assert list(seconds.values()) == [pytest.approx([0.4])] * 4


def test_gluon_gets_the_threads_that_are_quickest(clock, monkeypatch):
    class Tuned(contestants.Loop):
        def step(self, xi):
            asked.append(self.threads)
            clock.now += 0.02 if self.threads == 1 else 0.001

    asked = []
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    entrant = Tuned(*problem.problem(SHAPE, "float32"))
    entrant.tune(problem.schemes(60)["full"])
    assert asked == [1, 1, 2]
    assert entrant.threads == 2


def test_operations_count_the_products():
    num_steps, batch_size, n = SHAPE
    output = 8 * batch_size * n * problem.VOCAB_SIZE
    recurrent = 3 * 2 * batch_size * n * n  # forwards, backwards, the gradient of W_hh
    assert step.operations(SHAPE) == num_steps * (recurrent + output)


def test_ratios_are_those_of_the_rounds():
    assert report.spread([2, 6, 4], [1, 2, 4, 9]) == "2.00 (1.00 to 3.00)"
    assert report.spread([2], [1, 2]) == "2.00 (once)"


def test_tables_hold_what_was_measured(tmp_path):
    steps = {(10, 2, 4): {}}
    for k, scheme in enumerate(report.MARKERS):
        steps[10, 2, 4][contestants.Package.name, scheme] = [0.001 * (k + 1)]
        steps[10, 2, 4]["other", scheme] = [0.006 * (k + 1)]
    rates = report.rates(steps, {(10, 2, 4): {("other", "full")}})
    assert "| (10, 2, 4) | `d2lutil.bptt` | 20 | 10 | 6.67 | 5 |" in rates
    assert "| (10, 2, 4) | other | ≈ 3.33 | 1.67 | 1.11 | 0.833 |" in rates
    ratios = report.ratios(steps)
    assert "| full / regular | 0.50 (once) |" in ratios
    assert "| other / `d2lutil.bptt`, both regular | 6.00 (once) |" in ratios
    products = report.products(steps, {(10, 2, 4): (0.001, 5e9, 4_000_000)})
    assert "| products alone / `d2lutil.bptt`, full | 1.00 |" in products
    assert "| 10⁹ operations a second: the largest product | 5 |" in products
    assert "| 10⁹ operations a second: `d2lutil.bptt`, regular, τ = 50 | 2 |" in products
    report.figure(steps | {(20, 2, 4): steps[10, 2, 4]}, tmp_path / "step.svg")
    assert (tmp_path / "step.svg").read_text().startswith("<?xml")


def test_products_are_timed_together_and_the_largest_alone(clock):
    ticks = iter([0, 1, 1.5, 10, 12, 12.5, 20, 29, 30])
    clock.perf_counter = lambda: next(ticks)
    num_steps, batch_size, num_hiddens = SHAPE
    assert step.products(SHAPE) == (2, 2 * num_steps * batch_size * num_hiddens**2 / 0.5)


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="reads Linux's /proc")
def test_memory_is_that_of_one_step():
    before, (few, many) = memory.peaks(contestants.Package.name, "full", [1000, 30_000])
    states = 4 * memory.NUM_HIDDENS / 1e6  # MB a step
    assert few - before < 10
    assert many - few > 29_000 * states
