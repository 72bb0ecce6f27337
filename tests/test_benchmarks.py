"""The benchmarks compare equals, and their tables say what was measured. No test asserts a time."""

import math
import os
from types import SimpleNamespace

import pytest

from benchmarks import contestants, machinery, memory, problem, report, step
from d2lutil import threads
from d2lutil.fast import products, strands

SHAPE = (60, 3, 5)
CELLS = list(problem.GATES)


@pytest.fixture
def clock(monkeypatch):
    """Let the time be what the test says, in place of the module `time` of the benchmarks."""
    clock = SimpleNamespace(now=0.0)
    clock.perf_counter = lambda: clock.now
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    for module in (step, contestants):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.mark.parametrize("cell", CELLS)
def test_contestants_compute_the_same_gradient(cell):
    step.check(cell, SHAPE)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("base", step.LAYERS)
def test_contestant_with_another_gradient_is_named(base, cell, monkeypatch):
    class Wrong(base):
        name = "wrong"

        def gradients(self):
            return [1.0001 * gradient for gradient in super().gradients()]

    monkeypatch.setattr(step, "KINDS", [contestants.Package, Wrong])
    with pytest.raises(AssertionError, match=cell + r": wrong differs by 1\.0e-04 under full"):
        step.check(cell, SHAPE)


def test_staggered_cuts_are_checked_too(monkeypatch):
    class Wrong(contestants.Package):
        def step(self, xi):
            return super().step(xi if xi.ndim == 1 else xi.round(0) * 0)

    monkeypatch.setattr(step, "KINDS", [Wrong])
    with pytest.raises(AssertionError, match="under regular, staggered"):
        step.check("lstm", SHAPE)


def test_staggered_cuts_spread_over_the_steps():
    xi = problem.schemes(200, 5)[problem.STAGGERED]
    cuts = [[t for t in range(200) if xi[t, column] == 0] for column in range(5)]
    assert cuts == [[10 * column + 50 * k for k in range(4)] for column in range(5)]


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_measured(cell):
    planned = step.plan(cell, SHAPE)
    assert len(set(planned)) == len(planned)
    own = {name for kind, name in planned if kind is contestants.Package}
    others = {kind: {name for k, name in planned if k is kind} for kind, _ in planned}
    del others[contestants.Package]
    assert set(step.LAYERS) <= set(others)
    if cell == "tanh":
        assert own == set(problem.schemes(60, 3))
        assert set(others) == set(step.KINDS) - {contestants.Package}
        assert all(names == own - {problem.STAGGERED} for names in others.values())
    else:
        assert own == {problem.REGULAR, problem.EVERY_STEP, problem.STAGGERED}
        assert set(others) == set(step.LAYERS)
        assert all(names == {problem.REGULAR} for names in others.values())
    assert problem.STAGGERED not in {name for _, name in step.plan(cell, (60, 1, 5))}


@pytest.mark.parametrize("cell", ["tanh", "lstm"])
def test_each_is_measured_under_each_scheme_and_what_is_long_in_part(cell, monkeypatch):
    monkeypatch.setattr(step, "LONG", 1e-9)
    monkeypatch.setattr(step, "FEW", 20)
    monkeypatch.setattr(step, "TURN", 0)
    seconds, scaled = step.measure(cell, SHAPE, deadline=0)
    planned = {(kind.name, name): kind for kind, name in step.plan(cell, SHAPE)}
    assert list(seconds) == list(planned)
    assert {len(values) for values in seconds.values()} == {1}  # the deadline was over
    gates = ["randomized every 25", "randomized every step"]
    fused = (contestants.Package, *step.LAYERS)
    assert scaled == {
        (name, scheme)
        for (name, scheme), kind in planned.items()
        if kind not in fused or (kind in step.LAYERS and scheme in gates)
    }


@pytest.mark.parametrize(("limit", "rounds"), [(math.inf, step.MAX_ROUNDS), (0, 1)])
def test_rounds_go_on_until_each_has_had_its_seconds(limit, rounds, clock, monkeypatch):
    monkeypatch.setattr(step, "TURN", 0)
    monkeypatch.setattr(step, "SECONDS", limit)
    monkeypatch.setattr(step, "KINDS", [contestants.Package])
    seconds, scaled = step.measure("tanh", SHAPE, deadline=math.inf)
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
        name, cells = "sleeper", ("gru",)

        def __init__(self, cell, weights, X, Y):
            self.num_steps = len(X)

        def tune(self, xi):
            assert len(xi) == self.num_steps

        def step(self, xi):
            clock.now += 0.002 * len(xi)

    monkeypatch.setattr(step, "KINDS", [Sleeper])
    monkeypatch.setattr(step, "LONG", 0.05)
    monkeypatch.setattr(step, "FEW", 10)
    seconds, scaled = step.measure("gru", (200, 1, 2), deadline=0)
    assert scaled == {("sleeper", problem.REGULAR)}
    assert seconds == {("sleeper", problem.REGULAR): pytest.approx([0.4])}


def test_gluon_gets_the_threads_that_are_quickest(clock, monkeypatch):
    class Tuned(contestants.Loop):
        def step(self, xi):
            asked.append(self.threads)
            clock.now += 0.02 if self.threads == 1 else 0.001

    asked = []
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    entrant = Tuned("tanh", *problem.problem("tanh", SHAPE, "float32"))
    entrant.tune(problem.schemes(60, 3)["full"])
    assert asked == [1, 1, 2]
    assert entrant.threads == 2


def test_trial_of_the_threads_is_short(clock, monkeypatch):
    class Tuned(contestants.Package):
        def tune(self, xi):
            tried.append(len(xi))

    tried = []
    monkeypatch.setattr(step, "KINDS", [Tuned])
    monkeypatch.setattr(step, "MAX_ROUNDS", 1)
    monkeypatch.setattr(step, "TURN", 0)
    monkeypatch.setattr(step, "TRIAL", 600)
    for shape in [(60, 3, 5), (300, 3, 5), (300, 20, 5)]:
        step.measure("gru", shape, deadline=0)
    assert tried == [60, 200, step.FEW]


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
        if scheme != problem.STAGGERED:
            steps[10, 2, 4]["other", scheme] = [0.006 * (k + 1)]
    rates = report.rates({"gru": steps}, {"gru": {(10, 2, 4): {("other", "full")}}})
    assert "| gru | (10, 2, 4) | `d2lutil.bptt` | 20 | 10 | 6.67 | 5 | 4 |" in rates
    assert "| gru | (10, 2, 4) | other | ≈ 3.33 | 1.67 | 1.11 | 0.833 | – |" in rates
    alone = {(contestants.Package.name, problem.REGULAR): [0.004]}
    ratios = report.ratios(steps | {(20, 1, 4): alone})
    assert ratios.splitlines() == [
        "| seconds over seconds | (10, 2, 4) | (20, 1, 4) |",
        "| --- | --- | --- |",
        "| full / regular | 0.50 (once) | – |",
        "| randomized every 25 / regular | 1.50 (once) | – |",
        "| randomized every step / regular | 2.00 (once) | – |",
        "| regular, staggered / regular | 2.50 (once) | – |",
        "| other / `d2lutil.bptt`, both regular | 6.00 (once) | – |",
    ]
    assert len(report.ratios({(20, 1, 4): alone}).splitlines()) == 2  # no row without an entry
    products = report.products(steps, {(10, 2, 4): (0.001, 5e9, 4_000_000)})
    assert "| products alone / `d2lutil.bptt`, full | 1.00 |" in products
    assert "| 10⁹ operations a second: the largest product | 5 |" in products
    assert "| 10⁹ operations a second: `d2lutil.bptt`, regular, τ = 50 | 2 |" in products
    report.figure(steps | {(20, 2, 4): steps[10, 2, 4]}, tmp_path / "step.svg")
    assert (tmp_path / "step.svg").read_text().startswith("<?xml")


def test_table_of_the_machinery_divides_by_the_seconds_with_all_of_it():
    measured = {("lstm", (10, 2, 4)): {machinery.ALL: [2.0, 4.0], "tiles": [3.0, 5.0]}}
    assert report.machinery(measured).splitlines() == [
        "| without | lstm (10, 2, 4) |",
        "| --- | --- |",
        "| tiles | 1.38 (1.25 to 1.50) |",
    ]


@pytest.mark.parametrize("cell", machinery.CELLS)
def test_without_a_part_the_gradient_is_the_same(cell):
    shape = (120, 16, 256)  # two threads, tiles, several segments
    xi = problem.schemes(*shape[:2])[problem.REGULAR]
    entrants = machinery.entrants(cell, shape, "float64")
    expected = entrants[machinery.ALL].step(xi), entrants[machinery.ALL].gradients()
    for entrant in entrants.values():
        assert entrant.step(xi) == pytest.approx(expected[0], rel=1e-12)
        for found, gradient in zip(entrant.gradients(), expected[1], strict=True):
            assert abs(found - gradient).max() < 1e-10 * abs(gradient).max()


def test_a_part_is_off_while_its_contestant_works(monkeypatch):
    def run(kernel, output, rings, found, *arrays):
        seen.append((len(found[0]), kernel.forth.tiles is None, strands.ROWS_AT_ONCE))
        return 0.0

    monkeypatch.setattr(products, "has_small_kernels", lambda: True)
    monkeypatch.setattr(strands, "_backward", run)
    monkeypatch.setattr(threads, "processors", lambda: 2)
    monkeypatch.setattr(threads, "user_setting", lambda: None)
    shape = (100, 16, 256)
    xi, seen, found = problem.schemes(*shape[:2])[problem.REGULAR], [], {}
    usual = (16, False, strands.ROWS_AT_ONCE)  # two segments of the eight columns of a thread
    for name, entrant in machinery.entrants("tanh", shape, "float32").items():
        entrant.step(xi)
        found[name], seen[:] = list(seen), []
    assert found == {
        machinery.ALL: [usual] * 2,
        "tiles for small products": [(16, True, usual[2])] * 2,
        "segments side by side": [(8, False, usual[2])] * 4,
        "threads by columns": [(32, False, usual[2])],
        "blocks of rows": [(16, False, 10**9)] * 2,
    }


def test_machinery_is_measured_for_each_cell_and_shape(monkeypatch):
    monkeypatch.setattr(machinery, "SHAPES", [(60, 2, 4), (20, 1, 4)])
    monkeypatch.setattr(step, "TURN", 0)
    monkeypatch.setattr(step, "PAUSE", 0)
    measured = machinery.measure_all(0)
    assert list(measured) == [(cell, shape) for cell in machinery.CELLS for shape in machinery.SHAPES]
    for seconds in measured.values():
        assert list(seconds) == list(machinery.without(1, 1))
        assert {len(values) for values in seconds.values()} == {1}


def test_products_are_timed_together_and_the_largest_alone(clock):
    ticks = iter([0, 1, 1.5, 10, 12, 12.5, 20, 29, 30])
    clock.perf_counter = lambda: next(ticks)
    num_steps, batch_size, num_hiddens = SHAPE
    assert step.products(SHAPE) == (2, 2 * num_steps * batch_size * num_hiddens**2 / 0.5)


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="reads Linux's /proc")
def test_memory_is_that_of_one_step():
    before, (few, many) = memory.peaks(contestants.Package.name, "tanh", "full", [1000, 30_000])
    states = 4 * memory.BATCH_SIZE * memory.NUM_HIDDENS / 1e6  # MB a step
    assert few - before < 10
    assert many - few > 29_000 * states


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="reads Linux's /proc")
@pytest.mark.parametrize("cell", CELLS)
def test_memory_of_staggered_cuts_does_not_hold_the_states(cell):
    _, (few, many) = memory.peaks(contestants.Package.name, cell, problem.STAGGERED, [4000, 30_000])
    states = 4 * memory.BATCH_SIZE * memory.NUM_HIDDENS / 1e6  # MB a step, of h alone
    assert many - few < 26_000 * states / 4
