import math
import subprocess
import sys

import mxnet
import numpy
import pytest
import reference
from mxnet import autograd, np, npx
from reference import NUM_HIDDENS, NUM_STEPS

import d2lutil
from d2lutil import gradient

SCHEMES = reference.make_schemes()
X, Y = reference.make_text()
H = reference.make_state().asnumpy()
MEMORY = """
import resource
import numpy
import d2lutil
net = d2lutil.RNN(28, 32)
net.initialize()
X = numpy.zeros((20_000, 4), dtype="int32")
cut = d2lutil.regular(20_000, 50)
staggered = numpy.stack([numpy.roll(cut, 7 * b) for b in range(4)], axis=1)
for num_steps, xi in [(50, cut), (2_000, cut), (20_000, cut), (20_000, staggered), (20_000, 0 * cut + 1)]:
    part = X[:num_steps]
    d2lutil.bptt(net, part, part, net.begin_state(4), xi[:num_steps])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.fixture
def net():
    return reference.make_net()


@pytest.fixture
def state():
    return reference.make_state()


@pytest.mark.parametrize("name", SCHEMES)
def test_bptt_equals_the_gradient_by_hand(name, net, state):
    loss, h = d2lutil.bptt(net, X, Y, state, SCHEMES[name])
    params = reference.values(net)
    loss_reference, grads, _ = reference.backward(params, X, Y, H, SCHEMES[name])
    assert reference.difference(reference.gradients(net), grads) < 1e-10
    assert loss == pytest.approx(loss_reference, rel=1e-13)
    assert abs(h.asnumpy() - reference.forward(params, X, H)[-1]).max() < 1e-13


@pytest.mark.parametrize("tau", [1, 3, 700, 1500])
def test_bptt_equals_the_gradient_by_hand_on_a_long_text(tau, net, state):
    X, Y = reference.make_text(num_steps=1500)
    xi = d2lutil.regular(1500, tau)
    loss, h = d2lutil.bptt(net, X, Y, state, xi)
    params = reference.values(net)
    loss_reference, grads, _ = reference.backward(params, X, Y, H, xi)
    assert reference.difference(reference.gradients(net), grads) < 1e-9
    assert loss == pytest.approx(loss_reference, rel=1e-12)
    assert abs(h.asnumpy() - reference.forward(params, X, H)[-1]).max() < 1e-12


@pytest.mark.parametrize("name", SCHEMES)
def test_bptt_equals_autograd_through_single_steps(name, net, state):
    loss, _ = d2lutil.bptt(net, X, Y, state, SCHEMES[name])
    grads = reference.gradients(net)
    loss_loop = reference.step_loop(net, X, Y, state, SCHEMES[name])
    assert reference.difference(reference.gradients(net), grads) < 1e-10
    assert loss == pytest.approx(loss_loop, rel=1e-13)


def central_difference(params, name, index, xi, step=1e-5):
    """Return the slope of the loss along one entry; the carried state follows it times ξ."""
    stopped, losses = reference.forward(params, X, H), []
    for sign in (1, -1):
        moved = {key: value.copy() for key, value in params.items()}
        moved[name][index] += sign * step
        states = reference.forward(moved, X, H, xi, stopped)
        losses.append(reference.summed_loss(moved, states[1:], Y))
    return (losses[0] - losses[1]) / (2 * step)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", reference.NAMES)
def test_bptt_equals_finite_differences(name, scheme, net, state):
    xi, params = SCHEMES[scheme], reference.values(net)
    d2lutil.bptt(net, X, Y, state, xi)
    gradient = reference.gradients(net)[name]
    for flat in numpy.random.default_rng(5).choice(gradient.size, 4, replace=False):
        index = numpy.unravel_index(flat, gradient.shape)
        slope = central_difference(params, name, index, xi)
        assert gradient[index] == pytest.approx(slope, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("first", [0, 0.3, 1, 2])
def test_first_weight_changes_no_gradient_of_a_parameter(first, net, state):
    grads = []
    for xi in (d2lutil.full(NUM_STEPS), numpy.array([first, *[1] * (NUM_STEPS - 1)])):
        d2lutil.zero_gradients(net.collect_params())
        d2lutil.bptt(net, X, Y, state, xi)
        grads.append(reference.gradients(net))
    assert reference.difference(*grads) < 1e-13


@pytest.mark.parametrize("name", SCHEMES)
def test_two_halves_add_up_to_one_pass(name, net, state):
    cut, xi = 11, SCHEMES[name].copy()
    xi[cut] = 0
    loss, h = d2lutil.bptt(net, X, Y, state, xi)
    grads = reference.gradients(net)
    d2lutil.zero_gradients(net.collect_params())
    first, middle = d2lutil.bptt(net, X[:cut], Y[:cut], state, xi[:cut])
    second, last = d2lutil.bptt(net, X[cut:], Y[cut:], middle, xi[cut:])
    assert reference.difference(reference.gradients(net), grads) < 1e-12
    assert first + second == pytest.approx(loss, rel=1e-13)
    assert abs(last - h).max() < 1e-13


@pytest.mark.parametrize("grad_req", ["write", "add"])
def test_bptt_adds_to_the_gradients(grad_req, net, state):
    net.collect_params().setattr("grad_req", grad_req)
    d2lutil.bptt(net, X, Y, state, SCHEMES["regular"])
    once = reference.gradients(net)
    d2lutil.bptt(net, X, Y, state, SCHEMES["regular"])
    twice = reference.gradients(net)
    assert reference.difference(twice, {name: 2 * g for name, g in once.items()}) < 1e-12


def test_bptt_leaves_parameters_without_gradient_alone(net, state):
    d2lutil.bptt(net, X, Y, state, SCHEMES["regular"])
    expected = net.W_hh.grad().asnumpy()
    net.W_xh.grad_req = "null"
    d2lutil.zero_gradients(net.collect_params())
    d2lutil.bptt(net, X, Y, state, SCHEMES["regular"])
    assert (net.W_hh.grad().asnumpy() == expected).all()
    with pytest.raises(RuntimeError, match="grad_req='null'"):
        net.W_xh.grad()


def test_bptt_leaves_values_and_state_as_they_were(net, state):
    before = reference.values(net)
    d2lutil.bptt(net, X, Y, state, SCHEMES["arbitrary"])
    assert reference.difference(reference.values(net), before) == 0
    assert (state.asnumpy() == H).all()


@pytest.mark.parametrize("name", SCHEMES)
def test_bptt_returns_a_float_and_a_detached_state(name, net, state):
    loss, h = d2lutil.bptt(net, X, Y, state, SCHEMES[name])
    assert type(loss) is float
    assert h.dtype == "float64"
    with pytest.raises(mxnet.MXNetError, match="not in a computational graph"):
        h.backward()


@pytest.mark.parametrize("convert", [list, tuple, numpy.asarray])
def test_bptt_takes_any_sequence_of_weights(convert, net, state):
    d2lutil.bptt(net, X.tolist(), np.array(Y, "int32"), state, convert(SCHEMES["arbitrary"]))
    _, grads, _ = reference.backward(reference.values(net), X, Y, H, SCHEMES["arbitrary"])
    assert reference.difference(reference.gradients(net), grads) < 1e-10


def test_bptt_in_float32_is_near_float64(net, state):
    single = reference.make_net("float32")
    for name in reference.NAMES:
        getattr(single, name).set_data(getattr(net, name).data().astype("float32"))
    d2lutil.bptt(net, X, Y, state, SCHEMES["arbitrary"])
    d2lutil.bptt(single, X, Y, state.astype("float32"), SCHEMES["arbitrary"])
    grads = reference.gradients(net)
    assert reference.difference(reference.gradients(single), grads) < 1e-4


def peak_memory(code):
    """Run code that prints peaks of its memory and return them in MB.

    A shell stands in between, because a process inherits the peak of the one that starts it.
    """
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return numpy.array(run.stdout.split(), float) / (2**20 if sys.platform == "darwin" else 2**10)


def test_memory_is_bounded_by_the_segment_not_the_text():
    """Columns are cut together, or each elsewhere; a peak includes the earlier ones."""
    _, short, long, staggered, whole = peak_memory(MEMORY)
    assert long - short < 6
    assert staggered - long < 6
    assert whole - staggered > 5


def test_a_weight_that_the_type_cannot_hold_is_refused(net, state):
    X, Y = reference.make_text()
    xi = numpy.full(NUM_STEPS, 1e39)
    d2lutil.bptt(net, X, Y, state, xi)  # float64 holds it
    net.cast("float32")
    with pytest.raises(ValueError, match=r"xi\[0\]=1e\+39; allowed"):
        d2lutil.bptt(net, X, Y, state.astype("float32"), xi)


def test_gradient_that_overflows_is_not_finite_and_silent():
    net = reference.make_net("float32")
    net.W_xh.set_data(np.zeros(net.W_xh.shape))
    net.b_h.set_data(np.zeros(net.b_h.shape))
    net.W_hh.set_data(3 * np.eye(NUM_HIDDENS))
    X, Y = reference.make_text(num_steps=200)
    loss, _ = d2lutil.bptt(net, X, Y, net.begin_state(3), d2lutil.full(200))
    assert numpy.isfinite(loss)
    assert not numpy.isfinite(net.W_xh.grad().asnumpy()).any()


def test_loss_that_overflows_is_not_finite_and_silent():
    net = reference.make_net("float32")
    net.W_hq.set_data(3e38 * np.ones(net.W_hq.shape))
    loss, _ = d2lutil.bptt(net, X, Y, reference.make_state("float32"), d2lutil.full(NUM_STEPS))
    assert not numpy.isfinite(loss)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("X", X[0], r"X has shape \(3,\) .*allowed: integers \(num_steps, batch_size\)"),
        ("Y", Y * 1.0, "Y has shape .* type float64; allowed: integers"),
        ("Y", Y[1:], r"Y has shape \(22, 3\); allowed: that of X, \(23, 3\)"),
        ("X", X + 7, "X holds indices .*; allowed: 0 to 6"),
        ("Y", Y - 7, "Y holds indices .*; allowed: 0 to 6"),
        ("h", np.zeros((2, NUM_HIDDENS), "float64"), r"h has shape \(2, 5\).*allowed.*\(3, 5\)"),
        ("h", np.zeros((3, NUM_HIDDENS), "float32"), "h has .*float32; allowed: .*float64"),
        ("xi", 1.0, r"xi has shape \(\); allowed: \(num_steps,\) or \(num_steps, batch_size\)"),
        ("xi", [1.0] * 22, r"xi has shape \(22,\); allowed: \(23,\) or \(23, 3\)"),
        ("xi", [-1.0] * 23, r"xi\[0\]=-1.0; allowed: finite numbers >= 0"),
        ("xi", [math.nan] * 23, r"xi\[0\]=nan; allowed: finite numbers >= 0"),
    ],
)
def test_bad_arguments_of_bptt_are_named(argument, value, message, net, state):
    arguments = {"X": X, "Y": Y, "h": state, "xi": d2lutil.full(NUM_STEPS), argument: value}
    with pytest.raises(ValueError, match=message):
        d2lutil.bptt(net, **arguments)
    assert not any(gradient.any() for gradient in reference.gradients(net).values())


def oracle(net, X, Y, state, xi, begins, weights):
    """Return loss, gradients and last state by autograd through a loop of steps with a gate of its own."""
    d2lutil.zero_gradients(net.collect_params())
    with autograd.record():
        O, last = reference.unrolled(net, X, state, xi, begins)
        losses = -npx.pick(npx.log_softmax(O), np.array(Y))
        loss = (losses * np.array(weights, dtype="float64")).sum()
    loss.backward()
    return float(loss), reference.gradients(net), last


def three_arrays(seed):
    """Return ξ, begins and weights, each with values of its own in each column."""
    xi, begins = reference.columns(seed)
    weights = numpy.random.default_rng(seed).choice([0, 0.5, 1, 2], size=xi.shape)
    return xi, begins, weights


@pytest.mark.parametrize("cell", reference.CELLS)
@pytest.mark.parametrize("seed", range(3))
def test_bptt_equals_autograd_for_all_three_arrays_of_each_column(seed, cell):
    net, state = reference.make_net(cell=cell), reference.make_state(cell=cell)
    xi, begins, weights = three_arrays(seed)
    loss, grads, last = oracle(net, X, Y, state, xi, begins, weights)
    d2lutil.zero_gradients(net.collect_params())
    total, h = d2lutil.bptt(net, X, Y, state, xi, begins=begins, weights=weights)
    assert total == pytest.approx(loss, rel=1e-12)
    assert reference.difference(reference.gradients(net), grads) < 1e-10
    assert reference.closeness(h, last) < 1e-12


@pytest.mark.parametrize("cell", reference.CELLS)
def test_the_definition_equals_autograd(cell):
    net, state = reference.make_net(cell=cell), reference.make_state(cell=cell)
    xi, begins, weights = three_arrays(4)
    loss, grads, last = oracle(net, X, Y, state, xi, begins, weights)
    params = [p.data().asnumpy() for p in net.parameters()]
    parts = [part.asnumpy() for part in reference.parts(state)]
    total, by_hand, h = gradient.backward(cell, params, X, Y, parts, xi, begins, weights)
    assert total == pytest.approx(loss, rel=1e-12)
    assert reference.difference(dict(zip(net.names, by_hand, strict=True)), grads) < 1e-10
    assert max(abs(a - b.asnumpy()).max() for a, b in zip(h, reference.parts(last), strict=True)) < 1e-12


@pytest.mark.parametrize("cell", reference.CELLS)
@pytest.mark.parametrize("name", ["xi", "begins", "weights"])
def test_one_dimension_means_steps(name, cell):
    net, state = reference.make_net(cell=cell), reference.make_state(cell=cell)
    arrays = dict(zip(("xi", "begins", "weights"), three_arrays(5), strict=True))
    results = []
    for column in (arrays[name][:, 0], numpy.repeat(arrays[name][:, :1], reference.BATCH_SIZE, axis=1)):
        d2lutil.zero_gradients(net.collect_params())
        loss, _ = d2lutil.bptt(net, X, Y, state, **{**arrays, name: column})
        results.append({"loss": numpy.array(loss), **reference.gradients(net)})
    assert reference.difference(*results) < 1e-12


@pytest.mark.parametrize("cell", reference.CELLS)
def test_begins_wins_over_xi_and_equals_sequences_apart(cell):
    net, state, at = reference.make_net(cell=cell), reference.make_state(cell=cell), 9
    begins = numpy.arange(NUM_STEPS) == at
    loss, h = d2lutil.bptt(net, X, Y, state, d2lutil.full(NUM_STEPS), begins=begins)
    together = reference.gradients(net)
    d2lutil.zero_gradients(net.collect_params())
    first, _ = d2lutil.bptt(net, X[:at], Y[:at], state, d2lutil.full(at))
    zero = net.begin_state(reference.BATCH_SIZE)
    second, last = d2lutil.bptt(net, X[at:], Y[at:], zero, d2lutil.full(NUM_STEPS - at))
    assert first + second == pytest.approx(loss, rel=1e-13)
    assert reference.difference(reference.gradients(net), together) < 1e-12
    assert reference.closeness(h, last) < 1e-13


def test_a_target_that_does_not_count_is_not_read(net, state):
    weights = numpy.ones((NUM_STEPS, reference.BATCH_SIZE))
    weights[5, 1] = weights[20:, 2] = 0
    padded = numpy.where(weights == 0, -100, Y)
    expected, _ = d2lutil.bptt(net, X, Y, state, d2lutil.full(NUM_STEPS), weights=weights)
    grads = reference.gradients(net)
    d2lutil.zero_gradients(net.collect_params())
    loss, _ = d2lutil.bptt(net, X, padded, state, d2lutil.full(NUM_STEPS), weights=weights)
    assert loss == expected
    assert reference.difference(reference.gradients(net), grads) == 0
    with pytest.raises(ValueError, match="Y holds indices -100 to 6; allowed: 0 to 6"):
        d2lutil.bptt(net, X, padded, state, d2lutil.full(NUM_STEPS))


def test_a_loss_that_does_not_count_is_left_out_even_where_it_is_not_finite():
    net = reference.make_net("float32")
    net.W_hq.set_data(3e38 * np.sign(net.W_hq.data()))
    weights = numpy.zeros(NUM_STEPS)
    loss, _ = d2lutil.bptt(
        net, X, Y, reference.make_state("float32"), d2lutil.full(NUM_STEPS), weights=weights
    )
    assert loss == 0
    assert not any(g.any() for g in [net.W_hq.grad().asnumpy(), net.b_q.grad().asnumpy()])


def test_a_failure_changes_no_gradient(net, state):
    d2lutil.bptt(net, X, Y, state, SCHEMES["regular"])
    before = reference.gradients(net)
    net.b_q._grad = None  # one of five cannot take a gradient
    with pytest.raises(Exception, match=r".+"):
        d2lutil.bptt(net, X, Y, state, SCHEMES["regular"])
    for name in net.names[:-1]:
        assert (getattr(net, name).grad().asnumpy() == before[name]).all()


@pytest.mark.parametrize("cell", reference.CELLS)
def test_a_loss_of_the_readers_own_goes_by_autograd(cell):
    net, state = reference.make_net(cell=cell), reference.make_state(cell=cell)
    xi, begins, weights = three_arrays(6)
    arrays = {"begins": begins, "weights": weights}
    total, _ = d2lutil.bptt(net, X, Y, state, xi, **arrays)
    grads = reference.gradients(net)
    d2lutil.zero_gradients(net.collect_params())

    def loss(O, Y):
        return -npx.pick(npx.log_softmax(O, axis=-1), Y, axis=-1)

    again, _ = d2lutil.bptt(net, X, Y, state, xi, loss=loss, **arrays)
    assert again == pytest.approx(total, rel=1e-12)
    assert reference.difference(reference.gradients(net), grads) < 1e-10


def test_a_gluon_layer_is_added_to_as_well():
    net = Wrapped()
    net.initialize()
    h = net.begin_state(reference.BATCH_SIZE)
    d2lutil.bptt(net, X, Y, h, d2lutil.regular(NUM_STEPS, 4))
    once = [p.grad().asnumpy() for p in net.collect_params().values()]
    d2lutil.bptt(net, X, Y, h, d2lutil.regular(NUM_STEPS, 4))
    for parameter, gradient_once in zip(net.collect_params().values(), once, strict=True):
        assert abs(gradient_once).max() > 0
        assert parameter.grad().asnumpy() == pytest.approx(2 * gradient_once, rel=1e-5, abs=1e-6)


class Wrapped(mxnet.gluon.Block):
    """Two layers of MXNet's LSTM over one-hot characters."""

    def __init__(self):
        super().__init__()
        self.rnn = mxnet.gluon.rnn.LSTM(4, num_layers=2)
        self.out = mxnet.gluon.nn.Dense(reference.VOCAB_SIZE, flatten=False)

    def begin_state(self, batch_size):
        return self.rnn.begin_state(batch_size=batch_size)

    def forward(self, X, h):
        H, h = self.rnn(npx.one_hot(X, reference.VOCAB_SIZE), h)
        return self.out(H), h


def two_devices():
    net = d2lutil.RNN(reference.VOCAB_SIZE, NUM_HIDDENS)
    net.initialize(ctx=[mxnet.cpu(0), mxnet.cpu(1)])
    return net


@pytest.mark.parametrize("loss", [None, lambda O, Y: -npx.pick(npx.log_softmax(O, axis=-1), Y, axis=-1)])
def test_the_gradient_is_added_on_the_device_of_the_state(loss):
    net = two_devices()
    h = np.zeros((X.shape[1], NUM_HIDDENS), ctx=mxnet.cpu(1))
    _, last = d2lutil.bptt(net, X, Y, h, SCHEMES["full"], loss=loss)
    here, there = net.W_hh.list_grad()
    assert not here.asnumpy().any()
    assert there.asnumpy().any()
    assert last.ctx == mxnet.cpu(1)


def test_gradients_become_zero_on_every_device():
    net = two_devices()
    for values in net.W_hh.list_grad():
        values[:] = 1
    d2lutil.zero_gradients(net.parameters())
    assert not any(values.asnumpy().any() for values in net.W_hh.list_grad())


def test_a_state_on_another_device_is_refused():
    h = np.zeros((X.shape[1], NUM_HIDDENS), ctx=mxnet.cpu(1), dtype="float64")
    with pytest.raises(ValueError, match=r"h is on \[cpu\(1\)\]; allowed: one of \[cpu\(0\)\]"):
        d2lutil.bptt(reference.make_net(), X, Y, h, SCHEMES["full"])


def test_no_gradient_becomes_zero_if_one_is_missing():
    net = reference.make_net()
    d2lutil.bptt(net, X, Y, reference.make_state(), SCHEMES["full"])
    before = net.W_hh.grad().asnumpy()
    with pytest.raises(RuntimeError, match="has not been initialized"):
        d2lutil.zero_gradients([*net.parameters(), *d2lutil.RNN(3, 3).parameters()])
    assert before.any()
    assert (net.W_hh.grad().asnumpy() == before).all()


def test_gradients_are_cleared_and_clipped_while_autograd_records():
    net = reference.make_net()
    with autograd.record():
        d2lutil.bptt(net, X, Y, reference.make_state(), SCHEMES["full"])
        d2lutil.clip_gradients(net.parameters(), 0.5)
        assert d2lutil.clip_gradients(net.parameters(), 1) == pytest.approx(0.5)
        d2lutil.zero_gradients(net.parameters())
    assert not net.W_hh.grad().asnumpy().any()


def test_weights_beyond_the_networks_type_are_refused():
    net, state = reference.make_net("float32"), reference.make_state("float32")
    with pytest.raises(ValueError, match=r"weights\[0\]=1e\+39; allowed: finite numbers >= 0 of float32"):
        d2lutil.bptt(net, X, Y, state, SCHEMES["full"], weights=numpy.full(NUM_STEPS, 1e39))


@pytest.mark.parametrize(
    "function", [d2lutil.zero_gradients, lambda params: d2lutil.clip_gradients(params, 1)]
)
@pytest.mark.parametrize("params", [reference.make_net(), reference.make_net().W_hh.data(), "abc"])
def test_what_holds_no_parameters_is_named(function, params):
    with pytest.raises(TypeError, match=r"allowed: a ParameterDict or a list of Parameter"):
        function(params)


@pytest.mark.parametrize("net", [None, lambda X, h: (X, h)])
def test_what_is_no_network_is_named(net):
    with pytest.raises(TypeError, match=r"net=.*; allowed: a Gluon block"):
        d2lutil.bptt(net, X, Y, reference.make_state(), SCHEMES["full"])
