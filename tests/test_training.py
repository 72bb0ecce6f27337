import math
import sys

import mxnet
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


def by_hand(net, xi, lr, mean_length, theta=None, borders=None):
    """Return the parameters after an epoch of one update a segment, or between borders, and the norms."""
    params, h, norms = reference.values(net), numpy.zeros((BATCH_SIZE, reference.NUM_HIDDENS)), []
    for start, stop in borders or d2lutil.segments(xi):
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


@pytest.mark.parametrize("update_every", [1, 5, 8, NUM_STEPS])
@pytest.mark.parametrize("name", reference.make_schemes())
def test_updates_every_k_steps_equal_those_by_hand(name, update_every, net):
    """Cuts lie inside a stretch; the last one has fewer steps and is divided by the same number."""
    xi, ends = reference.make_schemes()[name], [*range(update_every, NUM_STEPS, update_every), NUM_STEPS]
    borders = list(zip([0, *ends], ends, strict=False))
    expected, norms = by_hand(net, xi, 0.5, update_every, theta=0.05, borders=borders)
    (epoch,) = train(net, lambda _: xi, theta=0.05, mean_length=None, update_every=update_every)
    assert reference.difference(reference.values(net), expected) < 1e-12
    assert (epoch["updates"], epoch["norm"]) == (len(borders), pytest.approx(max(norms)))


SCHEMES = {
    "regular": lambda: d2lutil.Regular(6),
    "phase": lambda: d2lutil.Regular(6, phase=2),
    "randomized": lambda: d2lutil.Randomized(0.8, rng=numpy.random.default_rng(5)),
    "length dependent": lambda: d2lutil.LengthDependent(5, 4, rng=numpy.random.default_rng(5)),
    "no weights": lambda: d2lutil.Unweighted(d2lutil.Randomized(0.8, rng=numpy.random.default_rng(5))),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_brings_its_mean_length(name, net):
    scheme = SCHEMES[name]()
    draw, other = SCHEMES[name](), reference.make_net()
    expected = train(other, lambda n: draw(n), mean_length=scheme.mean_length, num_tokens=3 * X.size)
    history = train(net, scheme, mean_length=None, num_tokens=3 * X.size)
    assert reference.difference(reference.values(net), reference.values(other)) == 0
    assert [e["updates"] for e in history] == [e["updates"] for e in expected]


def test_a_mean_length_beside_a_scheme_agrees_with_it(net):
    before = reference.values(net)
    draw = d2lutil.Randomized(1 - 1 / 35, rng=numpy.random.default_rng(0))  # 34.999999999999986
    with pytest.raises(ValueError, match=r"mean_length=36\.0; allowed with this scheme: its own, 34\.99"):
        train(net, draw, mean_length=36)
    with pytest.raises(ValueError, match=r"mean_length=7\.0; allowed with this scheme: its own, 6\.0"):
        train(net, d2lutil.Regular(6), mean_length=7, update_every=4)
    assert reference.difference(reference.values(net), before) == 0
    assert train(net, draw, mean_length=35)


def damped(num_steps):
    """ξ = 0.5 at every fifth step: no cut, so nothing says when the weights move."""
    xi = d2lutil.full(num_steps)
    xi[::5] = 0.5
    return xi


def alternating(num_steps):
    """The first column is cut where the others are not."""
    xi = numpy.ones((num_steps, BATCH_SIZE))
    xi[::2, 0] = xi[1::2, 1:] = 0
    return xi


NEVER = [
    (d2lutil.Full(), None, "update_every=None; allowed with a scheme that never cuts: the steps between"),
    (d2lutil.Randomized(1, rng=numpy.random.default_rng(0)), None, "update_every=None; .* never cuts"),
    (damped, 5, "update_every=None; .* no cut that all columns share in its 23 steps"),
    (alternating, 2, "update_every=None; .* no cut that all columns share in its 23 steps"),
    (d2lutil.full, 4, "update_every=None; .* no cut that all columns share in its 23 steps"),
]


@pytest.mark.parametrize(("draw", "mean_length", "message"), NEVER)
def test_updates_are_asked_for_where_nothing_cuts(draw, mean_length, message, net):
    before = reference.values(net)
    with pytest.raises(ValueError, match=message):
        train(net, draw, mean_length=mean_length)
    assert reference.difference(reference.values(net), before) == 0
    (epoch,) = train(net, draw, mean_length=None, update_every=5)
    assert epoch["updates"] == 5


def test_a_random_scheme_without_a_cut_in_a_pass_moves_the_weights_at_its_end(net):
    scheme = d2lutil.LengthDependent(20, 4, rng=numpy.random.default_rng(0))
    history = train(net, scheme, mean_length=None, num_tokens=20 * X.size)
    updates = numpy.diff([0, *(entry["updates"] for entry in history)])
    assert updates.min() == 1 < updates.max()


CELLS = {"RNN": d2lutil.RNN, "GRU": d2lutil.GRU, "LSTM": d2lutil.LSTM}


def make_cell(name):
    mxnet.random.seed(1)
    net = CELLS[name](reference.VOCAB_SIZE, reference.NUM_HIDDENS)
    net.initialize()
    net.cast("float64")
    return net


def by_bptt(net, xi, borders, step, h=None, **arrays):
    """Move the parameters by the gradient that bptt gives between borders; return Σ w l."""
    total, h = 0, net.begin_state(BATCH_SIZE) if h is None else h
    loss = {"loss": arrays.pop("loss")} if "loss" in arrays else {}
    for start, stop in borders:
        d2lutil.zero_gradients(net.collect_params())
        rows = slice(start, stop)
        parts = {name: value[rows] for name, value in arrays.items()}
        value, h = d2lutil.bptt(net, X[rows], Y[rows], h, xi[rows], **parts, **loss)
        for parameter in net.collect_params().values():
            parameter.data()[:] -= step * parameter.grad()
        total += value
    return total


def block_values(net):
    return [parameter.data().asnumpy() for parameter in net.collect_params().values()]


def test_columns_share_the_updates_where_all_are_cut(net):
    xi, other = alternating(NUM_STEPS), reference.make_net()
    xi[[6, 15]] = 0
    by_bptt(other, xi, [(0, 6), (6, 15), (15, 23)], 0.5 / (8 * BATCH_SIZE))
    (epoch,) = train(net, lambda _: xi, mean_length=8)
    assert reference.difference(reference.values(net), reference.values(other)) < 1e-12
    assert epoch["updates"] == 3


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_all_arrays_reach_the_gradient_of_every_cell(cell, by_column):
    rng = numpy.random.default_rng(6)
    shape = (NUM_STEPS, BATCH_SIZE) if by_column else (NUM_STEPS,)
    arrays = {"begins": rng.random(shape) < 0.2, "weights": rng.integers(0, 3, shape).astype(float)}
    xi, (net, other) = rng.uniform(0, 2, shape), (make_cell(cell) for _ in range(2))
    mean, borders = arrays["weights"].mean(), [(0, 7), (7, 14), (14, 21), (21, 23)]
    total = by_bptt(other, xi, borders, 0.5 / (7 * BATCH_SIZE * mean), **arrays)
    (epoch,) = train(net, lambda _: xi, mean_length=None, update_every=7, **arrays)
    assert (
        max(abs(a - b).max() for a, b in zip(block_values(net), block_values(other), strict=True)) < 1e-12
    )
    assert epoch["perplexity"] == pytest.approx(math.exp(total / (mean * NUM_STEPS * BATCH_SIZE)))


def test_weights_divide_by_the_expected_count_and_hide_targets(net):
    weights = numpy.where(numpy.arange(NUM_STEPS) % 6 < 2, 0, 1.5)
    hidden, other = Y.copy(), reference.make_net()
    hidden[weights == 0] = -1
    borders = d2lutil.segments(d2lutil.regular(NUM_STEPS, 6))
    by_bptt(
        other, d2lutil.full(NUM_STEPS), borders, 0.5 / (6 * BATCH_SIZE * weights.mean()), weights=weights
    )
    d2lutil.train(net, X, hidden, d2lutil.Regular(6), lr=0.5, num_tokens=X.size, weights=weights)
    assert reference.difference(reference.values(net), reference.values(other)) < 1e-12


class Regressor(mxnet.gluon.Block):
    """Two layers of a Gluon LSTM over real numbers; the shapes of its parameters are not known at first."""

    def __init__(self, begins_itself):
        super().__init__()
        self.lstm = mxnet.gluon.rnn.LSTM(4, num_layers=2)
        self.dense = mxnet.gluon.nn.Dense(1, flatten=False)
        if begins_itself:
            self.begin_state = self.lstm.begin_state

    def forward(self, X, h):
        H, h = self.lstm(X, h)
        return self.dense(H), h


def squares(O, Y):
    return (O[..., 0] - Y) ** 2


@pytest.mark.parametrize("begins_itself", [False, True])
def test_any_block_trains_with_a_loss_of_its_own(begins_itself):
    rng = numpy.random.default_rng(0)
    X = rng.normal(size=(60, 4, 3))  # float64, while the block's parameters are float32
    Y = X.sum(axis=-1)
    mxnet.random.seed(0)
    net = Regressor(begins_itself)
    net.initialize()
    first = {} if begins_itself else {"state": net.lstm.begin_state(batch_size=4)}
    settings = {"lr": 0.03, "optimizer": "adam", "num_tokens": 20 * X[:, :, 0].size, "loss": squares}
    settings |= {"held_out": (X[:20], Y[:20])} if begins_itself else {}
    history = d2lutil.train(net, X, Y, d2lutil.Regular(10), **settings, **first)
    assert history[-1]["loss"] < 0.3 * history[0]["loss"]
    assert history[-1].keys() == {"loss", "held_out", "norm", "updates", "tokens", "seconds"}
    assert math.isnan(history[0]["held_out"]) != begins_itself
    if begins_itself:
        assert history[-1]["held_out"] < 0.3 * history[0]["held_out"]


def test_a_pass_starts_from_the_state_given(net):
    h, other = reference.make_state(), reference.make_net()
    by_bptt(other, d2lutil.full(NUM_STEPS), [(0, NUM_STEPS)], 0.5 / X.size, h)
    train(net, mean_length=None, update_every=NUM_STEPS, state=h)
    assert reference.difference(reference.values(net), reference.values(other)) < 1e-12


def test_callbacks_see_each_pass_and_each_update(net):
    passes, updates = [], []
    history = train(
        net,
        d2lutil.Regular(6),
        mean_length=None,
        num_tokens=2 * X.size,
        callback=passes.append,
        after_update=lambda entry: updates.append({**entry, "gradient": net.b_q.grad().copy()}),
    )
    assert [entry["updates"] for entry in passes] == [4, 8]
    assert passes[1] is history[1]
    assert [entry["updates"] for entry in updates] == list(range(1, 9))
    assert [entry["tokens"] for entry in updates[:4]] == [18, 36, 54, 69]
    assert max(entry["norm"] for entry in updates[:4]) == history[0]["norm"]
    sizes = numpy.array([18, 18, 18, 15])
    mean = (sizes @ [entry["loss"] for entry in updates[:4]]) / X.size
    assert math.exp(mean) == pytest.approx(history[0]["perplexity"])
    assert all(abs(entry["gradient"]).sum() > 0 for entry in updates)


@pytest.mark.parametrize(
    ("name", "last", "updates"), [("callback", 2, [4, 8]), ("after_update", 6, [4, 6])]
)
def test_a_callback_that_returns_true_ends_the_training(name, last, updates, net):
    calls = []

    def count(entry):
        calls.append(entry)
        return len(calls) == last

    history = train(net, d2lutil.Regular(6), mean_length=None, num_tokens=5 * X.size, **{name: count})
    assert [entry["updates"] for entry in history] == updates
    assert all(math.isfinite(entry["perplexity"]) for entry in history)


def test_what_a_callback_returns_means_nothing_unless_true(net):
    history = train(net, num_tokens=3 * X.size, callback=lambda entry: entry["perplexity"])
    assert len(history) == 3


def test_training_goes_on_where_it_ended(net):
    other = reference.make_net()
    train(other, d2lutil.Regular(6), mean_length=None, num_tokens=2 * X.size)
    for _ in range(2):
        train(net, d2lutil.Regular(6), mean_length=None)
    assert reference.difference(reference.values(net), reference.values(other)) == 0


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
    accumulate = training.accumulate

    def explode(net, X, *args):
        loss, h = accumulate(net, X, *args)
        calls.append(X)
        if len(calls) == 2:
            net.W_hh.grad()[0, 0] = math.inf
        return loss, h

    calls = []
    monkeypatch.setattr(training, "accumulate", explode)
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
    ({"mean_length": None}, TypeError, "mean_length=None; allowed for a plain function: .* update_every="),
    ({"update_every": 0}, ValueError, "update_every=0; allowed: an integer of at least 1, at most 23"),
    ({"update_every": NUM_STEPS + 1}, ValueError, "update_every=24; allowed: .* at most 23"),
    ({"draw": d2lutil.Regular}, TypeError, "draw=.*; allowed: a function of num_steps, or a Scheme"),
    ({"callback": 3}, TypeError, "callback=3; allowed: a function, or None"),
    ({"after_update": 3}, TypeError, "after_update=3; allowed: a function, or None"),
    ({"loss": "mse"}, TypeError, "loss='mse'; allowed: a function, or None"),
    ({"weights": [0.0] * NUM_STEPS}, ValueError, "weights sum to 0; allowed: at least one above 0"),
    ({"weights": [1.0]}, ValueError, r"weights has shape \(1,\)"),
    ({"begins": [2] * NUM_STEPS}, TypeError, "allowed for begins: an array of booleans"),
    ({"state": 0}, TypeError, "allowed for h: "),
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


class Staggered(d2lutil.Scheme):
    """Cuts every 5 steps, in each column at another one."""

    mean_length = 5.0

    def __call__(self, num_steps):
        xi = numpy.ones((num_steps, BATCH_SIZE))
        for column in range(BATCH_SIZE):
            xi[column + 1 :: 5, column] = 0
        return xi


def test_a_scheme_whose_cuts_no_columns_share_needs_update_every(net):
    before = [p.data().asnumpy() for p in net.parameters()]
    with pytest.raises(ValueError, match="update_every=None; allowed where xi has no cut that all columns"):
        d2lutil.train(net, X, Y, Staggered(), num_tokens=X.size, lr=0.1)
    assert all((p.data().asnumpy() == old).all() for p, old in zip(net.parameters(), before, strict=True))
    history = d2lutil.train(net, X, Y, Staggered(), num_tokens=X.size, lr=0.1, update_every=5)
    assert history[-1]["updates"] == -(-NUM_STEPS // 5)


def test_the_largest_theta_clips_nothing():
    theta, none = reference.make_net(), reference.make_net()
    train(theta, theta=1e308)
    train(none)
    assert (theta.W_hh.data() == none.W_hh.data()).all()


def test_a_network_without_gradients_is_refused(net):
    net.collect_params().setattr("grad_req", "null")
    with pytest.raises(ValueError, match="net=RNN has no parameter with a gradient"):
        train(net)


def test_training_is_not_recorded():
    recorded, plain = reference.make_net(), reference.make_net()
    with mxnet.autograd.record():
        train(recorded, optimizer="adam")
    train(plain, optimizer="adam")
    assert (recorded.W_hh.data() == plain.W_hh.data()).all()
