import math

import mxnet
import numpy
import pytest
import reference

import d2lutil
from d2lutil import training

X, Y = reference.make_text()
SCHEME = d2lutil.Regular(6)


@pytest.fixture
def net():
    return reference.make_net()


def train(net, num_passes=1, **settings):
    return d2lutil.train(net, X, Y, SCHEME, num_tokens=num_passes * X.size, **settings)


def by_trainer(net, trainer, num_passes=1):
    """Update as Gluon does, at the cuts, the gradient divided by the mean length."""
    for _ in range(num_passes):
        h = net.begin_state(X.shape[1])
        for start, stop in d2lutil.segments(SCHEME(len(X))):
            d2lutil.zero_gradients(net.collect_params())
            rows = slice(start, stop)
            _, h = d2lutil.bptt(net, X[rows], Y[rows], h, numpy.ones(stop - start))
            trainer.step(6 * X.shape[1])


OPTIMIZERS = [
    ("adam", {}, "float64"),
    ("adam", {"beta1": 0.5}, "float64"),
    ("sgd", {"momentum": 0.9}, "float64"),
    ("rmsprop", {}, "float32"),
    ("adagrad", {"wd": 0.1}, "float32"),
]


@pytest.mark.parametrize("kind", ["name", "optimizer", "trainer"])
@pytest.mark.parametrize(("name", "params", "dtype"), OPTIMIZERS)
def test_an_optimizer_moves_the_weights_as_in_gluon(name, params, dtype, kind):
    net, other, settings = (
        reference.make_net(dtype),
        reference.make_net(dtype),
        {"learning_rate": 0.02, **params},
    )
    by_trainer(other, mxnet.gluon.Trainer(other.collect_params(), name, settings), 2)
    if kind == "name":
        train(net, 2, optimizer=name, optimizer_params=params, lr=0.02)
    elif kind == "optimizer":
        train(net, 2, optimizer=mxnet.optimizer.create(name, **settings))
    else:
        train(net, 2, optimizer=mxnet.gluon.Trainer(net.collect_params(), name, settings))
    assert reference.difference(reference.values(net), reference.values(other)) == 0


def test_plain_descent_keeps_the_precision_of_the_parameters(net):
    """MXNet's own update takes 0.1 as a float32, which is off by 1.5e-9."""
    before = reference.values(net)
    d2lutil.train(net, X, Y, d2lutil.full, lr=0.1, mean_length=len(X), num_tokens=X.size)
    expected = {
        name: value - 0.1 * reference.gradients(net)[name] / X.size for name, value in before.items()
    }
    assert reference.difference(reference.values(net), expected) < 1e-15


def test_a_trainer_goes_on_with_its_moments(net):
    other = reference.make_net()
    trainer = mxnet.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.02})
    for _ in range(3):
        train(net, optimizer=trainer)
    train(other, 3, optimizer="adam", lr=0.02)
    assert reference.difference(reference.values(net), reference.values(other)) == 0
    assert trainer.optimizer.num_update == 12


def test_a_used_optimizer_is_refused_without_its_moments(net):
    optimizer = mxnet.optimizer.Adam(learning_rate=0.02)
    train(net, optimizer=optimizer)
    before = reference.values(net)
    with pytest.raises(ValueError, match=r"optimizer=Adam has made 4 updates .* moments; allowed: a new"):
        train(net, optimizer=optimizer)
    assert reference.difference(reference.values(net), before) == 0


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_function_of_the_number_of_updates_sets_the_rate(name, net):
    asked, trainer_net = [], reference.make_net()

    def rate(update):
        asked.append(update)
        return 0.02 / (1 + update)

    train(net, 2, optimizer=name, lr=rate)
    assert asked == list(range(8))
    trainer = mxnet.gluon.Trainer(trainer_net.collect_params(), name)
    step, trainer.step = (
        trainer.step,
        lambda size: (
            trainer.set_learning_rate(0.02 / (1 + trainer.optimizer.num_update)),
            step(size),
        ),
    )
    by_trainer(trainer_net, trainer, 2)
    assert reference.difference(reference.values(net), reference.values(trainer_net)) < 1e-9


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_scheduler_sets_the_rate_as_in_gluon(name, net):
    def scheduler():
        return mxnet.lr_scheduler.CosineScheduler(6, base_lr=0.02, final_lr=0.001)

    other, params = reference.make_net(), {"learning_rate": 0.02, "lr_scheduler": scheduler()}
    by_trainer(other, mxnet.gluon.Trainer(other.collect_params(), name, params), 2)
    train(net, 2, optimizer=name, lr=scheduler())
    assert reference.difference(reference.values(net), reference.values(other)) < 1e-9


def test_a_rate_beside_a_trainer_sets_its_rate(net):
    trainer = mxnet.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.02})
    train(net, optimizer=trainer, lr=0.5)
    assert trainer.learning_rate == 0.5


def test_an_update_that_is_not_finite_leaves_the_optimizer_alone(net, monkeypatch):
    accumulate, calls = training.accumulate, []

    def explode(*args, **kwargs):
        result = accumulate(*args, **kwargs)
        calls.append(args)
        if len(calls) == 3:
            net.W_hh.grad()[0, 0] = math.nan
        return result

    other = reference.make_net()
    trainers = [
        mxnet.gluon.Trainer(n.collect_params(), "adam", {"learning_rate": 0.02}) for n in (net, other)
    ]
    d2lutil.train(other, X, Y, SCHEME, num_tokens=25, optimizer=trainers[1])  # two updates
    monkeypatch.setattr(training, "accumulate", explode)
    (epoch,) = train(net, optimizer=trainers[0])
    assert (epoch["updates"], trainers[0].optimizer.num_update) == (2, 2)
    assert reference.difference(reference.values(net), reference.values(other)) == 0
    monkeypatch.undo()
    train(net, optimizer=trainers[0])
    train(other, optimizer=trainers[1])
    assert reference.difference(reference.values(net), reference.values(other)) == 0


def scheduled():
    return mxnet.optimizer.Adam(lr_scheduler=mxnet.lr_scheduler.FactorScheduler(2, base_lr=0.001))


BAD = [
    ({"lr": None}, TypeError, "lr=None; allowed: a number above 0, a function of the number of updates"),
    ({"lr": lambda n: -1}, ValueError, r"lr=-1\.0; allowed: a number above 0"),
    ({"optimizer": "newton"}, ValueError, "optimizer='newton'; allowed: .*adam.*sgd"),
    ({"optimizer": 3}, TypeError, "optimizer=3; allowed: a name, an mxnet Optimizer, or a gluon.Trainer"),
    (
        {"optimizer_params": {"speed": 3}},
        TypeError,
        "optimizer_params={'speed': 3}; allowed: what sgd takes",
    ),
    ({"optimizer_params": 3}, TypeError, "optimizer_params=3; allowed: a dict"),
    ({"optimizer": scheduled(), "lr": 0.1}, ValueError, r"lr=0\.1; allowed with .* a scheduler: None"),
    (
        {"optimizer": mxnet.optimizer.Adam(), "optimizer_params": {"wd": 1}},
        TypeError,
        "optimizer_params={'wd': 1}; allowed: a dict with an optimizer given by name, else None",
    ),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_bad_optimizers_are_named_and_the_network_stays(change, error, message, net):
    before = reference.values(net)
    with pytest.raises(error, match=message):
        train(net, **{"lr": 0.1, **change})
    assert reference.difference(reference.values(net), before) == 0


def test_an_optimizer_that_keeps_float32_alone_is_refused_before_it_changes_anything(net):
    with pytest.raises(
        ValueError, match=r"optimizer=RMSProp keeps its state in float32; allowed: .* float64"
    ):
        train(net, optimizer="rmsprop", lr=0.1)


def test_a_trainer_of_other_parameters_is_refused(net):
    trainer = mxnet.gluon.Trainer(reference.make_net().collect_params(), "adam")
    with pytest.raises(ValueError, match=r"optimizer lacks .*W_xh.*; allowed: a Trainer of net's param"):
        train(net, optimizer=trainer)
