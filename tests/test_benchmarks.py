"""The benchmarks compare equals, and their tables say what was measured. No test asserts a time."""

import math
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

import d2lutil
from benchmarks import __main__ as bench
from benchmarks import contestants, counts, machinery, memory, problem, products, report, step
from d2lutil import example, threads
from d2lutil.compat import mxnet
from d2lutil.fast import products as small_products
from d2lutil.fast import strands
from d2lutil.fast.kernels import KERNELS
from tools import reading

SHAPE = (60, 3, 5)
CELLS = list(problem.GATES)
BOOK = Path(__file__).resolve().parent.parent / "book"


@pytest.fixture
def clock(monkeypatch):
    """Let the time be what the test says, in place of the module `time` of the benchmarks."""
    clock = SimpleNamespace(now=0.0)
    clock.perf_counter = lambda: clock.now
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    for module in (step, contestants, products):
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


@pytest.mark.parametrize("kind", [contestants.Loop, contestants.Gluon])
def test_a_step_in_mxnet_ends_when_its_gradients_are_there(kind):
    entrant = kind("tanh", *problem.problem("tanh", (60, 32, 256), "float32"))
    xi = d2lutil.full(60)
    shares = []  # of a step's time, what is left to do after it
    for _ in range(5):
        start = time.perf_counter()
        entrant.step(xi)
        middle = time.perf_counter()
        mxnet.npx.waitall()
        shares.append((time.perf_counter() - middle) / (middle - start))
    assert min(shares) < 0.05


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_measured(cell):
    planned = step.plan(cell, SHAPE)
    assert len(set(planned)) == len(planned)
    by_kind = {kind: {name for k, name in planned if k is kind} for kind, _ in planned}
    assert set(by_kind) == {kind for kind in step.KINDS if cell in kind.cells}
    assert {contestants.Package, *step.LAYERS} <= set(by_kind)
    every = set(problem.schemes(60, 3))
    assert by_kind.pop(contestants.Package) == every
    assert all(names == every - {problem.STAGGERED} for names in by_kind.values())
    assert problem.STAGGERED not in {name for _, name in step.plan(cell, (60, 1, 5))}


@pytest.mark.parametrize("cell", ["tanh", "lstm"])
def test_each_is_measured_under_each_scheme_and_what_is_long_in_part(cell, monkeypatch):
    monkeypatch.setattr(step, "LONG", 1e-9)
    monkeypatch.setattr(step, "FEW", 20)
    monkeypatch.setattr(step, "TURN", 0)
    seconds, scaled = step.measure(cell, SHAPE, deadline=0)
    planned = {(kind.name, name): kind for kind, name in step.plan(cell, SHAPE)}
    alone = [(products.Products.name, "full")] if cell == "tanh" else []
    assert list(seconds) == [*planned, *alone]
    assert {len(values) for values in seconds.values()} == {step.MIN_ROUNDS}  # the deadline was over
    gates = ["randomized every 25", "randomized every step"]
    fused = (contestants.Package, *step.LAYERS)
    assert scaled == {
        (name, scheme)
        for (name, scheme), kind in planned.items()
        if kind not in fused or (kind in step.LAYERS and scheme in gates)
    }


@pytest.mark.parametrize(("limit", "rounds"), [(math.inf, step.MAX_ROUNDS), (0, step.MIN_ROUNDS)])
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
    shared = {("sleeper", name) for name, xi in problem.schemes(200, 1).items() if xi.ndim == 1}
    assert scaled == shared
    assert seconds == dict.fromkeys(shared, pytest.approx([0.4] * step.MIN_ROUNDS))


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
    assert products.operations(SHAPE) == num_steps * (recurrent + output)


def test_ratios_are_those_of_at_least_three_rounds():
    assert report.spread([2, 6, 4], [1, 2, 8, 9]) == "2.00 (0.50 to 3.00)"
    with pytest.raises(ValueError, match="2 rounds; allowed: at least 3"):
        report.spread([2, 6], [1, 2, 4, 9])


def measured(cells, shapes):
    """Return seconds of every scheme: k ms for the package, six times as long for "gluon.rnn"."""
    seconds = {(products.Products.name, "full"): [0.001] * 3}
    for k, scheme in enumerate(report.MARKERS, start=1):
        seconds[contestants.Package.name, scheme] = [0.001 * k, 0.001 * k, 0.002 * k]
        if scheme != problem.STAGGERED:
            seconds["gluon.rnn", scheme] = [0.006 * k, 0.006 * k, 0.012 * k]
    return {cell: dict.fromkeys(shapes, seconds) for cell in cells}


def test_tables_hold_what_was_measured(tmp_path):
    wide, narrow = (10, 2, 4), (20, 1, 4)
    steps = measured(["tanh", "gru"], [wide]) | measured(["lstm"], [wide, narrow])
    scaled = {cell: {shape: set() for shape in shapes} for cell, shapes in steps.items()}
    scaled["gru"][wide] = {("gluon.rnn", "full")}
    rates = report.rates(steps, scaled)
    assert "| GRU | (10, 2, 4) | `d2lutil.bptt` | 20 | 10 | 6.67 | 5 | 4 |" in rates
    assert "| GRU | (10, 2, 4) | `gluon.rnn` | ≈ 3.33 | 1.67 | 1.11 | 0.833 | – |" in rates
    assert products.Products.name not in rates
    half = "0.50 (0.50 to 0.50)"
    rest = ["1.50 (1.50 to 1.50)", "2.00 (2.00 to 2.00)"]
    assert report.over_chunks(steps, scaled, wide).splitlines()[2:6] == [
        "| " + " | ".join(row) + " |"
        for row in [
            ["tanh", "`d2lutil.bptt`", half, *rest, "2.50 (2.50 to 2.50)"],
            ["tanh", "`gluon.rnn`", half, *rest, "–"],
            ["GRU", "`d2lutil.bptt`", half, *rest, "2.50 (2.50 to 2.50)"],
            ["GRU", "`gluon.rnn`", f"≈ {half}", *rest, "–"],
        ]
    ]
    assert len(report.over_chunks(steps, scaled, narrow).splitlines()) == 2 + 2
    assert report.over_package(steps).splitlines() == [
        "| cell | program | (10, 2, 4) | (20, 1, 4) |",
        "| --- | --- | --- | --- |",
        "| tanh | `gluon.rnn` | 6.00 (6.00 to 6.00) | – |",
        "| GRU | `gluon.rnn` | 6.00 (6.00 to 6.00) | – |",
        "| LSTM | `gluon.rnn` | 6.00 (6.00 to 6.00) | 6.00 (6.00 to 6.00) |",
    ]
    table = report.products(steps["tanh"], {wide: 5e9})
    assert "| seconds: products alone / `d2lutil.bptt`, full | 1.00 (0.50 to 1.00) |" in table
    assert "| 10⁹ operations a second: the largest product | 5 |" in table
    report.figure({"lstm": steps["lstm"]}, [wide, narrow], tmp_path / "step.svg")
    drawn = (tmp_path / "step.svg").read_text()
    assert drawn.startswith("<?xml")
    assert "gluon.rnn" in drawn
    assert products.Products.name not in drawn


# The triangle knows what a scheme must do: a cell (t, i) is kept where reach is not 0.
SIX = {
    "full": d2lutil.full(6),
    "chunks": d2lutil.regular(6, 3),
    "drawn": numpy.array([0, 1.25, 1.25, 1.25, 0, 1.25]),
    "wholes": numpy.array([1.0, 2, 0, 2, 2, 0]),
}


@pytest.mark.parametrize("xi", SIX.values(), ids=SIX)
def test_counts_are_those_of_the_triangle(xi):
    kept = example.terms(xi) != 0
    found = counts.count(xi)
    assert found.products == numpy.diag(kept, -1).sum()  # a Jacobian between two neighbours
    assert found.states == kept.sum(axis=1).max() == found.chain + 1
    assert found.weights == ((numpy.diag(kept, -1)) & (xi[1:] != 1)).sum()
    assert counts.count(numpy.stack([xi, xi], axis=1))[:4] == found[:4]


def test_calls_are_those_of_a_layer(monkeypatch):
    for xi in SIX.values():
        entrant = contestants.Gluon("tanh", *problem.problem("tanh", (6, 1, 4), "float32"))
        calls, layer = [], entrant.rnn
        entrant.rnn = lambda *given, calls=calls, layer=layer: calls.append(1) or layer(*given)
        entrant.step(xi)
        assert counts.count(xi).calls == len(calls)


def test_a_window_goes_back_from_each_loss():
    band = numpy.tri(6) - numpy.tri(6, k=-3)
    found = counts.window(6, 3)
    assert found.products == sum(row.sum() - 1 for row in band)
    assert (found.states, found.chain) == (3, 2)
    assert counts.window(6, 9) == counts.window(6, 6)


def test_multiplications_are_half_of_the_operations():
    shape = (100, 3, 7)
    first = 3 * 7**2  # step 0 hands nothing back
    full = counts.count(d2lutil.full(100))
    assert counts.multiplications(full, shape) == products.operations(shape) / 2 - first
    cut = counts.count(d2lutil.regular(100, 50))
    assert counts.multiplications(full, shape) - counts.multiplications(cut, shape) == 3 * 7**2


def rows_of(page, anchor):
    """Return the rows of the first table behind an anchor, without its head."""
    lines = page[page.index(f"({anchor})=") :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| ---")) + 1
    table = [line for line in lines[start : start + 9] if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_page_counts_six_steps_right():
    page = (BOOK / "cost.md").read_text(encoding="utf-8")
    xi = {"full": "full", "chunks of three": "chunks", "drawn cuts": "drawn"}
    rows = rows_of(page, "co-hand")
    assert len(rows) == 4
    for name, terms, *numbers in rows:
        found = counts.count(SIX[xi[name]]) if name in xi else counts.window(6, 3)
        expected = [found.products, found.weights, found.chain, found.states, found.calls]
        assert numbers == ["–" if number is None else str(number) for number in expected]
        kept = (example.terms(SIX[xi[name]]) != 0).sum() if name in xi else 6 + 5 + 4
        assert int(terms) == kept


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ("{:,} in all", counts.window(1000, 50).products),
        ("which makes {:,}", counts.window(49, 50).products),
        ("as many as {:,}", counts.count(d2lutil.full(1000)).products),
        ("{} products, no weights", counts.count(d2lutil.regular(6, 2)).products),
        ("{} terms. Two cuts", int((example.terms(d2lutil.regular(6, 2)) != 0).sum())),
        ("longest chain of {}", counts.count(d2lutil.regular(6, 2)).chain),
        ("groups of about {:,} predictions", strands.STATES_AT_ONCE),
        ("takes {} bytes, so", 4 * memory.NUM_HIDDENS),
        ("take {:,} bytes a step", 4 * memory.NUM_HIDDENS * memory.BATCH_SIZE),
        ("{:.0f} MB. Compare", 4 * memory.NUM_HIDDENS * memory.BATCH_SIZE * memory.LENGTHS[-1] / 1e6),
        ("with {} characters", problem.VOCAB_SIZE),
    ],
)
def test_a_number_of_the_page_is_that_of_the_code(said, counted):
    page = " ".join((BOOK / "cost.md").read_text(encoding="utf-8").split())
    assert said.format(counted) in page


def test_rows_that_a_prediction_keeps():
    widths = {cell: sum(KERNELS[cell].widths) for cell in CELLS}
    assert widths == {"tanh": 1, "gru": 5, "lstm": 6}  # the page says one, five and six


def test_the_page_reads_in_the_minutes_that_it_says():
    page = (BOOK / "cost.md").read_text(encoding="utf-8")
    said = int(re.search(r"Time: (\d+) minutes", page)[1])
    tables = re.sub(r"```\{include\} (\S+)\n```", lambda m: (BOOK / m[1]).read_text("utf-8"), page)
    minutes = reading.measure(new_notebook(cells=[new_markdown_cell(tables)])).minutes
    assert abs(said - minutes) <= 1  # a renewed table may have another word
    assert said <= 20


@pytest.mark.skipif(len(step.LAYERS) < 2, reason="PyTorch is not installed")
def test_only_the_lstm_is_fused_in_pytorch():
    torch = sys.modules["torch"]

    def nodes(cell, num_steps):
        layer = step.LAYERS[1](cell, *problem.problem(cell, (num_steps, 2, 4), "float32"))
        H, _ = layer.read(layer.X, layer.state)
        found, open_ends = set(), [H.grad_fn]
        while open_ends:
            node = open_ends.pop()
            if node is not None and node not in found:
                found.add(node)
                open_ends += [before for before, _ in node.next_functions]
        return len(found)

    assert torch.backends.mkldnn.is_available()
    assert nodes("lstm", 10) == nodes("lstm", 30)
    for cell in ("tanh", "gru"):  # several nodes a step
        assert nodes(cell, 30) - nodes(cell, 10) >= 3 * 20


def test_the_counts_of_the_page_are_renewed():
    drawn = problem.schemes(*step.WIDE[:2])
    written = (BOOK / "cost" / "counts.md").read_text(encoding="utf-8")
    assert written == report.count(drawn, step.WIDE, problem.TAU)


def test_the_parts_write_what_the_page_includes(tmp_path, monkeypatch):
    wide, narrow, short = (60, 3, 5), (60, 1, 5), (20, 3, 5)
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    monkeypatch.setattr(bench, "NAMED", {"wide": wide, "narrow": narrow, "short": short})
    monkeypatch.setattr(bench, "MACHINERY", 0)
    monkeypatch.setattr(memory, "peaks", lambda *case: (100.0, [101.0] * len(memory.LENGTHS)))
    monkeypatch.setattr(step, "WIDE", wide)
    monkeypatch.setattr(step, "NARROW", narrow)
    monkeypatch.setattr(step, "SHAPES", {cell: [wide, narrow, short] for cell in CELLS})
    monkeypatch.setattr(step, "TURN", 0)
    monkeypatch.setattr(step, "PAUSE", 0)
    monkeypatch.setattr(machinery, "SHAPES", [short])
    for part in bench.PARTS.values():
        part(0)
    files = {path.name for path in (BOOK / "cost").iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == files
    assert "| LSTM | `gluon.rnn` | full | 1 of 101 |" in (tmp_path / "memory.md").read_text("utf-8")


def test_the_page_includes_every_table_and_every_ratio_has_its_range():
    page = (BOOK / "cost.md").read_text(encoding="utf-8")
    files = {path.name for path in (BOOK / "cost").iterdir()}
    assert set(re.findall(r"cost/([\w.-]+\.(?:md|svg))", page)) == files
    for path in (BOOK / "cost").glob("*.md"):
        assert "once" not in path.read_text(encoding="utf-8")


def test_table_of_the_machinery_divides_by_the_seconds_with_all_of_it():
    seconds = {("lstm", (10, 2, 4)): {machinery.ALL: [2.0, 4.0, 2.0], "tiles": [3.0, 5.0, 4.0]}}
    assert report.machinery(seconds).splitlines() == [
        "| without | LSTM (10, 2, 4) |",
        "| --- | --- |",
        "| tiles | 1.50 (1.25 to 2.00) |",
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

    monkeypatch.setattr(small_products, "has_small_kernels", lambda: True)
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
        assert {len(values) for values in seconds.values()} == {step.MIN_ROUNDS}


def test_products_alone_are_those_of_a_step(monkeypatch):
    def dot(a, b, out):
        multiplied.append(a.size * b.shape[1])

    multiplied = []
    monkeypatch.setattr(products.numpy, "dot", dot)
    shape = (60, 3, 5)
    products.Products(shape).step(d2lutil.full(60))
    assert sum(multiplied) == 2 * 60 * 3 * 5**2  # forwards and backwards


def test_largest_product_is_timed_alone(clock):
    ticks = iter([0, 1, 10, 10.5, 20, 20.25])
    clock.perf_counter = lambda: next(ticks)
    num_steps, batch_size, num_hiddens = SHAPE
    assert products.largest(SHAPE) == 2 * num_steps * batch_size * num_hiddens**2 / 0.5


def test_pytorch_is_imported_for_its_own_memory_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "benchmarks.rivals", None)
    assert memory.contestant("gluon.rnn") is contestants.Gluon
    with pytest.raises(ModuleNotFoundError):
        memory.contestant("torch.nn")


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
