import math
import sys

import numpy
import pytest
import reference
from reference import BATCH_SIZE, NUM_STEPS

import d2lutil
from d2lutil import training

X, Y = reference.make_text()
SETTINGS = {"lr": 0.5, "theta": None, "mean_length": NUM_STEPS, "num_tokens": X.size}


@pytest.fixture
def net():
    return reference.make_net()


def train(net, draw=d2lutil.full, **changes):
    return d2lutil.train(net, X, Y, draw, **{**SETTINGS, **changes})


def by_hand(net, xi, lr, mean_length, theta=None):
    """Return the parameters after an epoch of one update a segment, and the norms."""
    params, h, norms = reference.values(net), numpy.zeros((BATCH_SIZE, reference.NUM_HIDDENS)), []
    for start, stop in d2lutil.segments(xi):
        part = slice(start, stop)
        state = reference.forward(params, X[part], h)[-1]
        _, grads, _ = reference.backward(params, X[part], Y[part], h, xi[part])
        grads = {name: g / (mean_length * BATCH_SIZE) for name, g in grads.items()}
        norms.append(math.sqrt(sum((g**2).sum() for g in grads.values())))
        factor = min(1, theta / norms[-1]) if theta else 1
        params = {name: value - lr * factor * grads[name] for name, value in params.items()}
        h = state
    return params, norms


@pytest.mark.parametrize("theta", [None, 0.05, 100])
@pytest.mark.parametrize("name", reference.make_schemes())
def test_an_epoch_equals_the_updates_by_hand(name, theta, net):
    xi = reference.make_schemes()[name]
    mean_length = NUM_STEPS if len(d2lutil.segments(xi)) == 1 else 4
    expected, norms = by_hand(net, xi, lr=0.5, mean_length=mean_length, theta=theta)
    history = train(net, lambda _: xi, theta=theta, mean_length=mean_length)
    assert reference.difference(reference.values(net), expected) < 1e-12
    assert history[0]["norm"] == pytest.approx(max(norms))
    assert history[0]["updates"] == len(norms)


def test_updates_are_divided_by_the_expected_length(net):
    before = reference.values(net)
    steps = []
    for mean_length in (NUM_STEPS, 2 * NUM_STEPS):
        net = reference.make_net()
        train(net, mean_length=mean_length)
        after = reference.values(net)
        steps.append({name: after[name] - before[name] for name in before})
    assert reference.difference(steps[0], {name: 2 * step for name, step in steps[1].items()}) < 1e-13


def test_training_reduces_the_perplexity():
    text = d2lutil.normalize(d2lutil.load_corpus("noon_road").text)
    vocab = d2lutil.Vocab(text)
    whole = d2lutil.streams(vocab.encode(text[:3000]), 8)
    held_out = d2lutil.streams(vocab.encode(text[3000:4000]), 1)
    net = reference.make_net("float32", vocab_size=len(vocab), num_hiddens=32)
    before = d2lutil.perplexity(net, *whole), d2lutil.perplexity(net, *held_out)
    history = d2lutil.train(
        net,
        *whole,
        lambda n: d2lutil.regular(n, 20),
        lr=2,
        theta=1,
        mean_length=20,
        num_tokens=30_000,
        held_out=held_out,
    )
    assert d2lutil.perplexity(net, *whole) < 0.6 * before[0]
    assert history[-1]["perplexity"] < 0.7 * history[0]["perplexity"]
    assert history[-1]["held_out"] == d2lutil.perplexity(net, *held_out) < before[1]


def test_history_has_an_entry_an_epoch(net):
    history = train(net, lambda n: d2lutil.regular(n, 6), num_tokens=3 * X.size)
    keys = {"perplexity", "held_out", "norm", "updates", "tokens", "seconds"}
    assert all(entry.keys() == keys for entry in history)
    assert [entry["updates"] for entry in history] == [4, 8, 12]
    assert [entry["tokens"] for entry in history] == [X.size, 2 * X.size, 3 * X.size]
    assert 0 < history[0]["seconds"] < history[1]["seconds"] < history[2]["seconds"]
    assert math.isnan(history[0]["held_out"])


@pytest.mark.parametrize(
    ("num_tokens", "updates", "tokens"),
    [(1, [1], [18]), (18, [1], [18]), (19, [2], [36]), (X.size + 1, [4, 5], [69, 87])],
)
def test_training_ends_with_the_update_that_reaches_num_tokens(num_tokens, updates, tokens, net):
    history = train(net, lambda n: d2lutil.regular(n, 6), num_tokens=num_tokens)
    assert [entry["updates"] for entry in history] == updates
    assert [entry["tokens"] for entry in history] == tokens


def test_first_perplexity_is_that_of_the_text_before_a_single_update(net):
    before = d2lutil.perplexity(net, X, Y)
    history = train(net)
    assert history[0]["perplexity"] == pytest.approx(before)


def test_a_scheme_is_drawn_an_epoch(net):
    asked = []

    def draw(num_steps):
        asked.append(num_steps)
        return d2lutil.full(num_steps)

    train(net, draw, num_tokens=2 * X.size)
    assert asked == [NUM_STEPS, NUM_STEPS]


def test_parameters_without_gradient_stay(net):
    net.W_hh.grad_req = "null"
    before = reference.values(net)
    train(net)
    after = reference.values(net)
    assert (after["W_hh"] == before["W_hh"]).all()
    assert (after["W_xh"] != before["W_xh"]).any()


def test_training_stops_where_the_loss_is_not_finite(net):
    net.b_q.data()[0] = math.nan
    history = train(net, lambda n: d2lutil.regular(n, 5), num_tokens=4 * X.size)
    assert len(history) == 1
    assert history[0]["updates"] == 0
    assert math.isnan(history[0]["perplexity"])


@pytest.mark.parametrize("theta", [None, 1])
def test_an_update_that_is_not_finite_is_left_out(theta, net, monkeypatch):
    """The norm of the second segment is infinite, while its loss is finite."""
    bptt = training.bptt

    def explode(net, X, Y, h, xi):
        loss, h = bptt(net, X, Y, h, xi)
        calls.append(X)
        if len(calls) == 2:
            net.W_hh.grad()[0, 0] = math.inf
        return loss, h

    calls = []
    monkeypatch.setattr(training, "bptt", explode)
    (epoch,) = train(net, lambda n: d2lutil.regular(n, 5), theta=theta, num_tokens=4 * X.size)
    assert (epoch["updates"], epoch["tokens"], epoch["norm"]) == (1, 10 * BATCH_SIZE, math.inf)
    assert math.isnan(epoch["perplexity"])
    assert math.isfinite(d2lutil.perplexity(net, X, Y))
    assert all(numpy.isfinite(value).all() for value in reference.values(net).values())


def test_progress_is_shown_on_a_terminal_only(net, capsys, monkeypatch):
    train(net)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(net)
    assert "100%" in capsys.readouterr().err


BAD = [
    ({"lr": 0}, ValueError, r"lr=0\.0; allowed: a number above 0"),
    ({"lr": math.nan}, ValueError, "lr=nan; allowed: a number above 0"),
    ({"lr": None}, TypeError, "lr=None; allowed: a number above 0"),
    ({"theta": 0}, ValueError, r"theta=0\.0; allowed: a number above 0, or None"),
    ({"theta": "1"}, TypeError, "theta='1'; allowed: a number above 0, or None"),
    ({"mean_length": 0}, ValueError, r"mean_length=0\.0; allowed: a number above 0"),
    ({"num_tokens": 0}, ValueError, "num_tokens=0; allowed: an integer of at least 1"),
    ({"num_tokens": 1.0}, TypeError, r"num_tokens=1\.0; allowed: an integer of at least 1"),
    ({"draw": lambda n: [1.0] * (n - 1)}, ValueError, r"xi has shape \(22,\); allowed: \(23,\)"),
    ({"draw": lambda n: [-1.0] * n}, ValueError, r"xi\[0\]=-1\.0; allowed: finite numbers >= 0"),
    ({"Y": Y[1:]}, ValueError, r"Y has shape \(22, 3\); allowed: that of X, \(23, 3\)"),
    ({"draw": [1.0] * NUM_STEPS}, TypeError, "draw=.*; allowed: a function of num_steps, or a Scheme"),
    ({"held_out": X}, TypeError, r"(?s)held_out=.*; allowed: a pair \(X, Y\), or None"),
    ({"held_out": (X, Y[1:])}, ValueError, r"held_out\[1\] has shape \(22, 3\); allowed: that of held_out"),
    ({"held_out": [X + 9, Y]}, ValueError, r"held_out\[0\] holds indices"),
    ({"X": X * 1.0}, ValueError, r"X has .* type float64; allowed: integers"),
]


def test_divergence_without_clipping_is_silent():
    net = reference.make_net("float32")
    history = train(net, lr=1e30, num_tokens=20 * X.size)
    assert not math.isfinite(history[-1]["perplexity"])


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_bad_arguments_are_named_and_the_network_stays(change, error, message, net):
    before = reference.values(net)
    arguments = {"X": X, "Y": Y, "draw": d2lutil.full, **SETTINGS, **change}
    with pytest.raises(error, match=message):
        d2lutil.train(net, **arguments)
    assert reference.difference(reference.values(net), before) == 0
