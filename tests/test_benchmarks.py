"""The benchmarks compare equals, and their tables say what was measured. No test asserts a time."""

import pytest

from benchmarks import contestants, memory, report, step

SHAPE = (60, 3, 5)


def test_contestants_compute_the_same_gradient():
    step.check(SHAPE)


def test_contestant_with_another_gradient_is_named(monkeypatch):
    class Wrong(contestants.Gluon):
        name = "wrong"

        def gradients(self):
            return [1.0001 * gradient for gradient in super().gradients()]

    monkeypatch.setattr(step, "CONTESTANTS", [contestants.Package, Wrong])
    with pytest.raises(AssertionError, match=r"wrong differs by 1\.0e-04 under full"):
        step.check(SHAPE)


def test_measure_alternates_and_leaves_out_what_needs_too_many_calls(monkeypatch):
    monkeypatch.setattr(step, "SECONDS", 0)
    monkeypatch.setattr(step, "MOST_CALLS", 10)
    seconds = step.measure(SHAPE)
    assert {len(values) for values in seconds.values()} == {step.MIN_ROUNDS}
    package = {scheme for name, scheme in seconds if name == contestants.Package.name}
    assert package == set(step.schemes(60))
    assert (contestants.Gluon.name, "regular, τ = 50") in seconds
    assert (contestants.Gluon.name, "randomized every step") not in seconds


def test_operations_count_the_products():
    num_steps, batch_size, n = SHAPE
    output = 8 * batch_size * n * step.VOCAB_SIZE
    recurrent = 3 * 2 * batch_size * n * n  # forwards, backwards, the gradient of W_hh
    assert step.operations(SHAPE) == num_steps * (recurrent + output)


def test_ratios_are_those_of_the_rounds():
    assert report.spread([2, 6, 4], [1, 2, 4, 9]) == "2.00 (1.00 to 3.00)"


def test_tables_hold_what_was_measured(tmp_path):
    steps = {(10, 2, 4): {}}
    for k, scheme in enumerate(report.MARKERS):
        steps[10, 2, 4][contestants.Package.name, scheme] = [0.001 * (k + 1)]
        steps[10, 2, 4]["other", scheme] = [0.006 * (k + 1)]
    assert "| (10, 2, 4) | `d2lutil.bptt` | 20 | 10 | 6.67 | 5 |" in report.rates(steps)
    ratios = report.ratios(steps, {(10, 2, 4): (0.001, 5e9, 4_000_000)})
    assert "| full / regular | 0.50 (0.50 to 0.50) |" in ratios
    assert "| other / `d2lutil.bptt`, both regular | 6.00 (6.00 to 6.00) |" in ratios
    assert "| the matrix products alone / `d2lutil.bptt`, regular | 0.50 |" in ratios
    assert "| `d2lutil.bptt`, regular, 10⁹ operations a second | 2 |" in ratios
    report.figure(steps | {(20, 2, 4): steps[10, 2, 4]}, tmp_path / "step.svg")
    assert (tmp_path / "step.svg").read_text().startswith("<?xml")


def test_memory_is_that_of_one_step():
    before, after = memory.peak(contestants.Package.name, "full", 20_000)
    assert after - before > 2 * 20_000 * memory.NUM_HIDDENS * 4 / 2**20 / 2
