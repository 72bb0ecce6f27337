import importlib
import multiprocessing.pool
from types import SimpleNamespace

import numpy
import pytest

import d2lutil
from experiments import (
    distance,
    effects,
    lags,
    networks,
    nudged,
    plan,
    runs,
    table,
    text_tuning,
    trials,
    truncations,
)


@pytest.fixture
def store(tmp_path):
    return table.Table("toy", ["seed"], ["value"], tmp_path)


@pytest.fixture
def pool():
    with multiprocessing.pool.ThreadPool(2) as pool:
        yield pool


@pytest.fixture
def toy(store, monkeypatch):
    """An experiment of six runs, which counts those that were really made."""
    made = []

    def measure(seed):
        made.append(seed)
        return {"value": seed / 8}

    settings = [{"seed": seed} for seed in range(6)]
    module = SimpleNamespace(TABLE=store, runs=lambda: settings, measure=measure, made=made, MARGINS={})
    monkeypatch.setitem(importlib.sys.modules, "experiments.toy", module)
    return module


def test_an_interrupted_experiment_goes_on(toy, store, pool):
    for seed in (4, 0):
        store.append({"seed": seed, "value": seed / 8, "seconds": 1.0, "commit": "before"})
    with open(store.path, "a") as file:
        file.write("5,0.6")  # the power went
    assert not runs.complete("toy")
    runs.execute("toy", pool, "now")
    rows = store.rows()
    assert sorted(toy.made) == [1, 2, 3, 5]
    assert [row["seed"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row["value"] for row in rows] == [seed / 8 for seed in range(6)]
    assert [row["commit"] for row in rows] == ["before", "now", "now", "now", "before", "now"]
    runs.execute("toy", pool, "later")
    assert len(toy.made) == 4
    assert runs.complete("toy")
    assert '"runs": 6' in store.path.with_suffix(".json").read_text()


def test_ended_runs_may_call_for_more(toy, store, pool):
    toy.runs = lambda: [{"seed": seed} for seed in range(2 + 3 * bool(store.rows()))]
    runs.execute("toy", pool, "now")
    assert [row["seed"] for row in store.rows()] == [0, 1, 2, 3, 4]


def test_the_best_rate_of_an_arm_is_inside_of_its_ladder():
    def rows(at):
        return [
            {
                "network": "tanh",
                "arm": "whole",
                "rate": rate,
                "seed": seed,
                "held_out": abs(rate - at) + 5,
            }
            for rate in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
            for seed in text_tuning.SEEDS
        ]

    for best, tried in ((4, [2, 4, 8]), (16, [2, 4, 8, 16, 32]), (2, [1, 2, 4, 8])):
        assert text_tuning.ladder("tanh", "whole", rows(best)) == tried
    assert text_tuning.ladder("tanh", "whole", []) == [2, 4, 8]
    assert text_tuning.ladder("tanh", "whole", rows(8)[:8]) == [2, 4, 8, 16]  # of which 16 is to be run


def test_rows_that_the_plan_no_longer_has_leave(toy, store, pool):
    store.append({"seed": 77, "value": 1, "seconds": 1, "commit": "before"})
    runs.execute("toy", pool, "now")
    assert [row["seed"] for row in store.rows()] == [0, 1, 2, 3, 4, 5]


def test_a_run_that_fails_keeps_those_that_ended(toy, store, pool):
    toy.measure = lambda seed: {"value": 1 / (seed - 5)}
    with pytest.raises(ZeroDivisionError):
        runs.execute("toy", pool, "now")
    assert {row["seed"] for row in store.rows()} <= set(range(5))
    toy.measure = lambda seed: {"value": 0}
    runs.execute("toy", pool, "later")
    assert len(store.rows()) == 6


def test_a_table_of_other_columns_is_refused(store, tmp_path):
    store.write([])
    with pytest.raises(ValueError, match=r"toy\.csv has columns .* allowed: \['seed', 'other'"):
        table.Table("toy", ["seed"], ["other"], tmp_path).rows()


@pytest.mark.parametrize(("margin", "good"), [({"abs_tol": 0.1}, True), ({"abs_tol": 0.01}, False)])
def test_check_finds_numbers_that_do_not_return(toy, store, pool, capsys, margin, good):
    runs.execute("toy", pool, "now")
    store.write([row | {"value": row["value"] + 0.05} for row in store.rows()])
    toy.MARGINS = {"value": margin}
    assert runs.check(["toy"], pool, lambda rows: rows[2:4]) is good
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["seed 2", "seed 3"]
    assert ["instead of" in line for line in lines] == [not good] * 2


@pytest.mark.parametrize("sensitive", [False, True])
def test_check_leaves_out_what_a_nudge_moves(monkeypatch, sensitive):
    rows = [{"network": "tanh", "seed": seed} for seed in range(4)]
    module = SimpleNamespace(TABLE=SimpleNamespace(rows=lambda: rows), SENSITIVE=sensitive)
    monkeypatch.setattr(runs.nudged, "settled", lambda network, seed: seed % 2 == 0)
    assert runs.returning(module) == (rows[::2] if sensitive else rows)


def test_a_training_is_settled_if_its_reach_returns_at_every_moment():
    rows = {(row["network"], row["seed"]): row for row in nudged.TABLE.rows()}
    settled = {key for key in rows if nudged.settled(*key)}
    for row in distance.TABLE.rows():
        key = row["network"], row["seed"]
        moved = max(abs(row[name] - rows[key][name]) for name in nudged.REACHES)
        assert row["text"] != "novel" or (key in settled) == (moved <= nudged.MARGIN)
    assert 0 < len(settled) < len(rows)


@pytest.mark.parametrize("name", plan.EXPERIMENTS)
def test_every_run_of_the_plan_has_its_row(name):
    module = importlib.import_module(f"experiments.{name}")
    assert [module.TABLE.key(row) for row in module.TABLE.rows()] == [
        module.TABLE.key(settings) for settings in module.runs()
    ]
    about = module.TABLE.path.with_suffix(".json").read_text()
    assert f'"runs": {len(module.runs())}' in about


@pytest.mark.parametrize("name", ["text", "recall"])
def test_rates_are_those_that_the_tuning_chose(name):
    module = importlib.import_module(f"experiments.{name}")
    tuning = importlib.import_module(f"experiments.{name}_tuning")
    by = "arm" if name == "text" else "lag"
    for row in module.TABLE.rows():
        assert row["rate"] == tuning.best(row["network"], row[by])


def test_expected_look_back():
    """Against all 2^7 outcomes, and against the mean of the draws."""
    pi, steps = 0.7, 8
    total = 0.0
    for outcome in range(2 ** (steps - 1)):
        xi = numpy.array([0, *((outcome >> k) & 1 for k in range(steps - 1))])
        chance = numpy.prod(numpy.where(xi[1:], pi, 1 - pi))
        total += chance * truncations.look_back(xi)
    assert truncations.expected(lambda age: 1 - pi, steps) == pytest.approx(total, abs=1e-12)
    rng = numpy.random.default_rng(0)
    found = [truncations.look_back(d2lutil.length_dependent(40, 10, 4, rng=rng)) for _ in range(2000)]
    expected = truncations.expected(lambda age: 3 / (2 * 10 + age), 40)
    assert abs(numpy.mean(found) - expected) < 4 * numpy.std(found) / len(found) ** 0.5
    for tau in (1, 3, 53):
        phases = [truncations.look_back(d2lutil.Regular(tau, phase=k)(70)) for k in range(tau)]
        assert truncations.chunks(tau, 70) == pytest.approx(numpy.mean(phases), abs=1e-12)
    assert truncations.matching(lambda x: x**3, 8, 0, 100) == pytest.approx(2)


@pytest.mark.parametrize("name", ["tanh", "lstm", "gru"])
def test_lags_are_the_terms_of_the_gradient(name):
    net, rng = networks.make(name, 7, 5, seed=1), numpy.random.default_rng(2)
    net.cast("float64")
    X, Y = rng.integers(0, 7, (2, 20, 3))
    split, params = lags.by_lag(net, X, Y, 10), list(net.collect_params().values())
    total = 0.0
    for t in range(10, 20):  # each loss alone, cut behind its tenth lag
        xi, weights = d2lutil.full(20), (numpy.arange(20) == t).astype(float)
        xi[t - 9] = 0
        d2lutil.zero_gradients(params)
        d2lutil.bptt(net, X, Y, net.begin_state(3), xi, weights=weights)
        total = total + net.W_hh.grad().asnumpy()
    numpy.testing.assert_allclose(split.parts.sum(axis=0), total, atol=1e-13)
    last = numpy.linalg.norm(split.parts.sum(axis=0) - split.parts[: split.window()].sum(axis=0))
    assert last <= 0.01 * numpy.linalg.norm(split.parts.sum(axis=0))


def test_reach_window_and_decay():
    sizes = 3.0 * 0.8 ** numpy.arange(60)
    split = lags.Lags(sizes, sizes[:, None])
    assert lags.decay(sizes) == pytest.approx(0.8)
    assert sizes[split.reach()] < 0.01 * sizes[0] <= sizes[split.reach() - 1]
    tail = [sizes[k:].sum() / sizes.sum() for k in (split.window(), split.window() - 1)]
    assert tail[0] <= 0.01 < tail[1]


@pytest.mark.parametrize("name", ["tanh", "lstm"])
@pytest.mark.parametrize("tau", [1, 4, 16])
def test_windows_look_back_tau_steps(name, tau):
    net, rng = networks.make(name, trials.CUE + 1, 6, seed=0), numpy.random.default_rng(0)
    net.cast("float64")
    X, Y = trials.trials(8, rng, 3)
    params, states = list(net.collect_params().values()), [net.begin_state(3)]
    d2lutil.zero_gradients(params)
    trials.windows(net, X, Y, tau)
    found = [parameter.grad().asnumpy().copy() for parameter in params]
    for x in X:
        states.append(net.states(x[None], states[-1])[1])
    d2lutil.zero_gradients(params)
    for t in range(9):
        rows = slice(max(0, t - tau + 1), t + 1)
        size = rows.stop - rows.start
        alone = (numpy.arange(size) == size - 1).astype(float)
        d2lutil.bptt(net, X[rows], Y[rows], states[rows.start], d2lutil.full(size), weights=alone)
    for parameter, value in zip(params, found, strict=True):
        numpy.testing.assert_allclose(value, parameter.grad().asnumpy(), atol=1e-12)


def test_the_linear_network_is_its_recurrence():
    net = networks.make("linear", 9, 6, seed=3)
    X = numpy.random.default_rng(0).integers(0, 9, (15, 4))
    h = numpy.random.default_rng(1).normal(size=(4, 6)).astype("float32")
    O, last = net(networks.np.array(X), networks.np.array(h))
    a = 1 / (1 + numpy.exp(-net.r.data().asnumpy()))
    for x in X:
        h = a * h + net.inputs(networks.np.array(x)).asnumpy()
    numpy.testing.assert_allclose(last.asnumpy(), h, atol=1e-5)
    expected = net.outputs(net.hidden(networks.np.array(h))).asnumpy()
    numpy.testing.assert_allclose(O[-1].asnumpy(), expected, atol=1e-5)


def test_quantiles_of_students_t():
    """Against a printed table."""
    printed = {(0.975, 9): 2.262, (0.995, 4): 4.604, (0.95, 1): 6.314, (0.9, 30): 1.310}
    for (probability, degrees), value in printed.items():
        assert effects.quantile(probability, degrees) == pytest.approx(value, abs=2e-3)


@pytest.fixture
def made_up(monkeypatch):
    """Rows whose arms differ by one half of a logarithm, and by noise alone."""
    rng = numpy.random.default_rng(0)
    rows = [
        {"network": "tanh", "arm": arm, "seed": seed, "held_out": float(numpy.exp(shift + level))}
        for seed in range(10)
        for level in [rng.normal()]
        for arm, shift in (("a", 0.5 + 0.01 * rng.normal()), ("b", 0.0), ("c", 0.1 * rng.normal()))
    ]
    monkeypatch.setattr(effects, "rows", lambda experiment: rows)
    return rows


def compare(arm, other):
    return effects.effect(plan.Comparison("text", "tanh", "?", "held_out", {"arm": arm}, {"arm": other}))


def test_effects(made_up):
    found = compare("a", "b")
    assert found.effect == pytest.approx(50, abs=2)
    assert found.resolved
    assert 0 < found.bound < found.smallest < 5
    assert not compare("c", "b").resolved
    assert compare("b", "a").effect == -found.effect


def test_arms_of_different_seeds_are_refused(made_up):
    made_up.pop()
    with pytest.raises(LookupError, match="differ in their seeds"):
        compare("c", "b")
    with pytest.raises(LookupError, match="differ in their seeds"):
        compare("none", "none")


def test_the_written_effects_are_those_of_the_tables():
    assert d2lutil.rows("effects") == effects.effects()


def test_arguments(capsys):
    from experiments import __main__

    with pytest.raises(SystemExit):
        __main__.main(["other"])
    assert "NAME=other; allowed: text_tuning, text" in capsys.readouterr().err
