import threading

import mxnet
import numpy
import pytest
from mxnet import autograd, gluon, np, npx
from test_gradient import peak_memory

import d2lutil
from d2lutil import blocks

MEMORY = """
import resource
import numpy
import d2lutil
from d2lutil import blocks
from mxnet import gluon, np
net = gluon.rnn.LSTM(32, num_layers=2)
net.initialize()
state = [np.zeros((2, 8, 32))] * 2
X, Y = numpy.zeros((2_000, 8, 1), "float32"), numpy.zeros((2_000, 8), "int32")
cut, full = d2lutil.regular(2_000, 50), d2lutil.full(2_000)
cases = [(500, cut, None), (2_000, cut, None), (2_000, full, cut == 0), (2_000, full, None)]
for num_steps, xi, begins in cases:
    arrays = [array if array is None else array[:num_steps] for array in (xi, begins, None)]
    blocks.run(net, X[:num_steps], Y[:num_steps], state, *arrays, None)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
T, B, N, V = 19, 3, 4, 6
RNG = numpy.random.default_rng(1)
TOKENS, TARGETS = RNG.integers(V, size=(2, T, B))
REALS, AIMS = RNG.normal(size=(T, B, 5)), RNG.normal(size=(T, B, 2))
XI = RNG.uniform(0, 2, (T, B))
XI[RNG.random((T, B)) < 0.3] = 0
XI[RNG.random((T, B)) < 0.3] = 1
XI[[3, 4, 9, 10]], XI[7] = 1, 0
BEGINS = RNG.random((T, B)) < 0.15
BEGINS[0, 1] = BEGINS[12] = True
WEIGHTS = RNG.uniform(0, 2, (T, B)) * (RNG.random((T, B)) < 0.7)


class Characters(gluon.Block):
    """One of Gluon's layers between an embedding and logits."""

    def __init__(self, layer, dropout=0):
        super().__init__()
        with self.name_scope():
            self.embed, self.drop = gluon.nn.Embedding(V, 5), gluon.nn.Dropout(dropout)
            self.layer, self.out = layer, gluon.nn.Dense(V, flatten=False)

    def forward(self, X, h):
        H, h = self.layer(self.embed(X), h)
        return self.out(self.drop(H)), h


class Signals(gluon.Block):
    """A cell of its own with real inputs and a nested state; counts how often it is called."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        with self.name_scope():
            self.mix, self.out = gluon.nn.Dense(N), gluon.nn.Dense(2)
            self.decay = self.params.get("decay", shape=(1, N), init=mxnet.init.Uniform(1))

    def forward(self, X, h):
        O, a, b, c = [], h["fast"][0], h["deep"][1]["slow"], h["deep"][0]
        self.calls += 1
        for x in X:
            a = np.tanh(self.mix(np.concatenate([x, a, b], axis=-1)))
            b, c = b * self.decay.data() + a, c * 0.5 + a
            O.append(self.out(a * b + c))
        return np.stack(O), {"deep": (c, {"slow": b}), "fast": [a]}


def make(name, dtype="float64", **options):
    """Return a network and a state that is not zero."""
    mxnet.random.seed(5)
    if name == "Signals":
        net, shapes = Signals(), [(B, N)] * 3
    else:
        net = Characters(
            getattr(gluon.rnn, name)(N, num_layers=2, dropout=options.get("dropout", 0)), **options
        )
        shapes = [(2, B, N)] * (2 if name == "LSTM" else 1)
    rng = numpy.random.default_rng(6)
    state = [np.array(rng.normal(size=shape), dtype=dtype) for shape in shapes]
    if name == "Signals":
        state = {"fast": state[:1], "deep": (state[1], {"slow": state[2]})}
    net.initialize()
    X = np.array(data(name)[0][:1], dtype="float32" if name == "Signals" else "int32")
    net(X, mapped(lambda part: part.astype("float32"), state))  # MXNet infers shapes in float32 alone
    net.cast(dtype)
    return net, state


def squares(O, Y):
    return ((O - Y) ** 2).sum(axis=-1)


def entropy(O, Y):
    return -npx.pick(npx.log_softmax(O), Y)


def data(name):
    return (REALS, AIMS, squares) if name == "Signals" else (TOKENS, TARGETS, None)


def mapped(function, state):
    """Return a state with a function applied to its arrays."""
    if isinstance(state, dict):
        return {key: mapped(function, part) for key, part in sorted(state.items())}
    if isinstance(state, (list, tuple)):
        return type(state)(mapped(function, part) for part in state)
    return function(state)


def arrays(state):
    found = []
    mapped(lambda part: found.append(part.asnumpy()), state)
    return found


def step_loop(net, X, Y, state, xi, begins, weights, loss=None):
    """Return what ``blocks.run`` returns, by a recorded loop of single steps and a gate of its own."""
    total = 0
    with autograd.record():
        for t in range(len(X)):
            xi_t, stay = (np.array(row[:, None], dtype="float64") for row in (xi[t], 1.0 - begins[t]))
            gate = lambda h: stay * (h.detach() + xi_t * (h - h.detach()))  # noqa: B023, E731
            O, state = net(np.array(X[t : t + 1], dtype=X.dtype), mapped(gate, state))
            losses = (loss or entropy)(O, np.array(Y[t : t + 1], dtype=Y.dtype))
            total = total + (np.array(weights[t], dtype="float64") * losses).sum()
    total.backward()
    return float(total), net_gradients(net), arrays(state)


def net_gradients(net):
    return {name: p.grad().asnumpy().copy() for name, p in net.collect_params().items()}


def by_name(gradients):
    return {parameter.name: gradient for parameter, gradient in gradients}


def difference(a, b):
    assert a.keys() == b.keys()
    return max(float(abs(a[name] - b[name]).max()) for name in a)


@pytest.mark.parametrize("arrays_given", ["all", "xi", "begins", "weights", "steps"])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM", "Signals"])
def test_gradient_equals_a_loop_of_single_steps(name, arrays_given):
    net, state = make(name)
    X, Y, loss = data(name)
    xi, begins, weights = XI, BEGINS, WEIGHTS
    if arrays_given == "steps":  # one number a step
        xi, begins, weights = XI[:, 0], BEGINS.all(axis=1), WEIGHTS[:, 0]
    xi = xi if arrays_given in ("all", "xi", "steps") else numpy.ones(T)
    begins = begins if arrays_given in ("all", "begins", "steps") else None
    weights = weights if arrays_given in ("all", "weights", "steps") else None
    total, gradients, last = blocks.run(net, X, Y, state, xi, begins, weights, loss)
    full = [
        numpy.broadcast_to(a if a.ndim == 2 else a[:, None], (T, B))
        for a in (
            xi,
            numpy.zeros(T) if begins is None else begins,
            numpy.ones(T) if weights is None else weights,
        )
    ]
    total_loop, expected, last_loop = step_loop(net, X, Y, state, *full, loss)
    assert difference(by_name(gradients), expected) < 1e-10
    assert type(total) is float
    assert total == pytest.approx(total_loop, rel=1e-12)
    for part, part_loop in zip(arrays(last), last_loop, strict=True):
        assert abs(part - part_loop).max() < 1e-12


def run(name="GRU", net=None, state=None, xi=XI, begins=None, weights=None, **given):
    """Return what ``blocks.run`` returns for a network of the tests."""
    X, Y, loss = data(name)
    arguments = {"X": X, "Y": Y, "loss": loss} | given
    net, state = make(name) if net is None else (net, state)
    return blocks.run(net, state=state, xi=xi, begins=begins, weights=weights, **arguments)


def same(one, other, tolerance=0):
    """Tell whether two results of ``blocks.run`` agree."""
    total, gradients, last = one
    total_other, gradients_other, last_other = other
    assert total == pytest.approx(total_other, rel=tolerance, abs=0)
    for (_, g), (_, g_other) in zip(gradients, gradients_other, strict=True):
        assert abs(g - g_other).max() <= tolerance
    for part, part_other in zip(arrays(last), arrays(last_other), strict=True):
        assert abs(part - part_other).max() <= tolerance
    return True


def test_state_keeps_its_nesting_is_detached_and_the_given_one_is_as_it_was():
    net, state = make("Signals")
    before = arrays(state)
    _, _, last = run("Signals", net, state, begins=BEGINS)
    assert list(last) == ["fast", "deep"]
    assert [type(last), type(last["fast"]), type(last["deep"]), type(last["deep"][1])] == [
        dict,
        list,
        tuple,
        dict,
    ]
    for part in (last["fast"][0], last["deep"][0], last["deep"][1]["slow"]):
        with pytest.raises(mxnet.MXNetError, match="not in a computational graph"):
            part.backward()
    assert all((a == b).all() for a, b in zip(before, arrays(state), strict=True))


def test_one_array_given_to_a_layer_that_returns_a_list_comes_back_as_one_array():
    net, state = make("GRU")
    _, _, last = run("GRU", net, state[0])
    assert isinstance(last, np.ndarray)
    assert (last.asnumpy() == arrays(run("GRU")[2])[0]).all()


def test_a_block_is_called_once_from_one_gate_to_the_next():
    net, state = make("Signals")
    for xi, begins, calls in [
        (d2lutil.full(T), None, 1),
        (d2lutil.regular(T, 5), None, 4),
        (XI, BEGINS, 1 + ((XI != 1) | BEGINS)[1:].any(axis=1).sum()),
    ]:
        net.calls = 0
        run("Signals", net, state, xi, begins)
        assert net.calls == calls


@pytest.mark.parametrize("xi", [d2lutil.full(T), d2lutil.regular(T, 5)], ids=["full", "regular"])
def test_dropout_draws_each_mask_once(xi):
    """The same draws as one recorded pass, in the values and in the gradient."""
    net, state = make("LSTM", dropout=0.4)
    mxnet.random.seed(8)
    total, gradients, _ = run("LSTM", net, state, xi)
    mxnet.random.seed(8)
    losses = 0
    with autograd.record():
        for start, stop in d2lutil.segments(xi):
            O, state = net(np.array(TOKENS[start:stop]), [part.detach() for part in state])
            losses = losses + entropy(O, np.array(TARGETS[start:stop])).sum()
    losses.backward()
    assert total == pytest.approx(float(losses), rel=1e-13)
    assert difference(by_name(gradients), net_gradients(net)) < 1e-12
    assert abs(total - run("LSTM", *make("LSTM", dropout=0.4), xi)[0]) > 1e-3  # another draw, another loss


@pytest.mark.parametrize("value", [numpy.nan, -100, 10**6])
@pytest.mark.parametrize("name", ["LSTM", "Signals"])
def test_a_target_of_weight_zero_is_not_read(name, value):
    X, Y, _ = data(name)
    where = WEIGHTS == 0
    Y = numpy.where(where if Y.ndim == 2 else where[..., None], value, Y)
    if name == "LSTM":
        Y = numpy.where(where, -100 if numpy.isnan(value) else value, TARGETS).astype("int64")
    result = run(name, X=X, Y=Y, weights=WEIGHTS, begins=BEGINS)
    assert numpy.isfinite(result[0])
    assert same(result, run(name, weights=WEIGHTS, begins=BEGINS))


def test_a_loss_that_is_nan_where_it_does_not_count_is_left_out():
    def loss(O, Y):  # its value and its slope are NaN at O = 0 and at a negative target
        return (np.log(abs(O)) * np.sqrt(Y)).sum(axis=-1)

    clean = abs(AIMS)
    Y = numpy.where((WEIGHTS == 0)[..., None], -1, clean)
    result = run("Signals", Y=Y, weights=WEIGHTS, loss=loss)
    assert numpy.isfinite(result[0])
    assert all(numpy.isfinite(gradient).all() for _, gradient in result[1])
    assert same(result, run("Signals", Y=clean, weights=WEIGHTS, loss=loss))
    assert numpy.isnan(run("Signals", Y=Y, loss=loss)[0])


def test_outputs_that_are_nan_where_nothing_counts_leave_the_gradient_finite():
    class Broken(Signals):
        def forward(self, X, h):
            O, h = super().forward(X, h)
            return np.where(X[..., :1] > 9, O + np.array(numpy.nan, dtype=O.dtype), O), h

    mxnet.random.seed(5)
    net = Broken()
    net.initialize()
    state = make("Signals")[1]
    net(np.array(REALS[:1], dtype="float32"), mapped(lambda part: part.astype("float32"), state))
    net.cast("float64")
    X = numpy.where((WEIGHTS == 0)[..., None] & (numpy.arange(5) == 0), 10, REALS)
    total, gradients, _ = run("Signals", net, state, X=X, weights=WEIGHTS)
    assert numpy.isfinite(total)
    assert all(numpy.isfinite(gradient).all() for _, gradient in gradients)


def test_weights_of_zero_everywhere_give_nothing():
    total, gradients, _ = run(weights=numpy.zeros(T), Y=numpy.full((T, B), -100))
    assert total == 0
    assert not any(gradient.any() for _, gradient in gradients)


@pytest.mark.parametrize("grad_req", ["write", "add"])
def test_no_gradient_of_a_parameter_changes(grad_req):
    net, state = make("LSTM")
    net.collect_params().setattr("grad_req", grad_req)
    for parameter in net.collect_params().values():
        parameter.grad()[:] = 7
    result = run("LSTM", net, state)
    for name, gradient in net_gradients(net).items():
        assert (gradient == 7).all(), name
    assert not any(p.data()._fresh_grad for p in net.collect_params().values())
    assert same(result, run("LSTM"))


def test_parameters_without_gradient_are_left_out_and_those_not_reached_have_zero():
    net, state = make("LSTM")
    with net.name_scope():
        extra = net.params.get("extra", shape=(2, 3), dtype="float64", init=mxnet.init.One())
    extra.initialize()
    extra.grad()[:] = 5
    net.unused = gluon.nn.Dense(3)  # of no shape, because nothing calls it
    net.unused.initialize()
    frozen = net.out.weight
    frozen.grad_req = "null"
    found = by_name(run("LSTM", net, state)[1])
    expected = by_name(run("LSTM")[1])
    assert found.keys() == net.collect_params().keys() - {frozen.name, net.unused.weight.name}
    assert found[extra.name].shape == (2, 3)
    assert not found[extra.name].any()
    renamed = {n.split("_", 1)[1]: g for n, g in expected.items()}
    for name, gradient in found.items():
        if name not in (extra.name, net.unused.bias.name):
            assert (gradient == renamed[name.split("_", 1)[1]]).all()


def test_a_block_whose_parameters_are_all_frozen_has_a_loss_and_no_gradient():
    net, state = make("GRU")
    net.collect_params().setattr("grad_req", "null")
    total, gradients, _ = run("GRU", net, state)
    assert total == run("GRU")[0]
    assert gradients == []


def test_a_loss_that_reaches_no_parameter_gives_zeros():
    class Bare(gluon.Block):
        def __init__(self):
            super().__init__()
            self.unused = self.params.get("unused", shape=(2,), init=mxnet.init.One())

        def forward(self, X, h):
            return np.ones((*X.shape, V)), h * self.unused.data()[0]

    net = Bare()
    net.initialize()
    total, [(parameter, gradient)], last = run(net=net, state=np.zeros((B, N)))
    assert total == pytest.approx(T * B * numpy.log(V), rel=1e-5)
    assert parameter is net.unused
    assert not gradient.any()
    with pytest.raises(mxnet.MXNetError, match="not in a computational graph"):
        last.backward()


def test_a_shared_parameter_counts_once():
    class Tied(gluon.Block):
        def __init__(self):
            super().__init__()
            self.one = gluon.nn.Dense(V, in_units=V, flatten=False)
            self.other = gluon.nn.Dense(V, in_units=V, flatten=False, params=self.one.params)

        def forward(self, X, h):
            h = np.tanh(self.one(npx.one_hot(X, V, dtype="float64")[-1] + h))
            return self.other(np.broadcast_to(h, (len(X), *h.shape))), h

    net = Tied()
    net.initialize()
    net.cast("float64")
    state = np.ones((B, V), dtype="float64")
    xi, begins, weights = XI * (XI != 1), BEGINS, WEIGHTS  # a gate at every step
    xi[xi == 0] = 0.5
    total, gradients, _ = run(net=net, state=state, xi=xi, begins=begins, weights=weights)
    total_loop, expected, _ = step_loop(net, TOKENS, TARGETS, state, xi, begins, weights)
    assert len(gradients) == 2
    assert difference(by_name(gradients), expected) < 1e-10
    assert total == pytest.approx(total_loop, rel=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"static_alloc": True}, {"static_alloc": True, "static_shape": True}]
)
def test_hybridized_blocks_and_deferred_shapes(options):
    class Hybrid(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            with self.name_scope():
                self.layer, self.out = gluon.rnn.LSTM(N, num_layers=2), gluon.nn.Dense(2, flatten=False)

        def hybrid_forward(self, F, X, h):
            H, h = self.layer(X, h)
            return self.out(H), h

    results, state = [], [np.ones((2, B, N)), np.ones((2, B, N))]
    for hybrid in (False, True):
        mxnet.random.seed(3)
        net = Hybrid()
        net.initialize()
        if hybrid:
            net.hybridize(**options)
        results.append(run("Signals", net, state, begins=BEGINS, weights=WEIGHTS))
        assert same(results[-1], run("Signals", net, state, begins=BEGINS, weights=WEIGHTS), 1e-6)
    assert results[0][1][0][1].shape == (4 * N, 5)
    assert same(*results, 1e-4)


@pytest.mark.parametrize("scope", [autograd.record, autograd.pause, autograd.predict_mode])
def test_within_another_scope_of_autograd(scope):
    net, state = make("LSTM")
    own = np.ones(3, dtype="float64")
    own.attach_grad()
    with scope():
        recording, training = autograd.is_recording(), autograd.is_training()
        square = own * own
        part = [h * own[0] for h in state]
        result = run("LSTM", net, part, begins=BEGINS, weights=WEIGHTS)
        assert (autograd.is_recording(), autograd.is_training()) == (recording, training)
        outer = (square + own).sum() + part[0].sum()
    if recording:
        outer.backward()
        expected = [3 + arrays(state)[0].sum(), 3, 3]
        assert own.grad.asnumpy() == pytest.approx(expected)
    assert same(result, run("LSTM", begins=BEGINS, weights=WEIGHTS))


def test_in_a_thread():
    results, (net, state) = [], make("LSTM")
    work = lambda: results.append(run("LSTM", net, state, begins=BEGINS, weights=WEIGHTS))  # noqa: E731
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert same(results[0], run("LSTM", begins=BEGINS, weights=WEIGHTS))


def test_memory_is_that_of_the_longest_stretch():
    short, cut, begun, whole = peak_memory(MEMORY)
    assert cut - short < 8
    assert begun - cut < 8
    assert whole - begun > 40


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("convert", [numpy.asarray, np.array, numpy.ndarray.tolist])
def test_reals_take_the_type_of_the_state(dtype, convert):
    net, state = make("Signals", dtype)
    total, gradients, _ = run("Signals", net, state, X=convert(REALS), Y=convert(AIMS))
    assert total == pytest.approx(run("Signals")[0], rel=1e-5)
    assert {str(gradient.dtype) for _, gradient in gradients} == {dtype}


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_tokens_of_any_integer_type(dtype):
    assert same(run(X=TOKENS.astype(dtype), Y=TARGETS.astype(dtype)), run())


@pytest.mark.parametrize(
    ("average", "loss", "Y"),
    [
        (gluon.loss.L2Loss(), lambda O, Y: squares(O, Y) / 4, AIMS),
        (gluon.loss.SoftmaxCELoss(), entropy, TARGETS % 2),
    ],
)
def test_the_advice_on_losses_that_average_works(average, loss, Y):
    message = rf"shape \({T}, {B}\); given ndarray of shape \({T},\)"
    with pytest.raises(ValueError, match=message) as raised:
        run("Signals", xi=d2lutil.full(T), loss=gluon.loss.L2Loss(), Y=AIMS)
    names = {"mxnet": mxnet}
    exec("\n".join(str(raised.value).splitlines()[-2:]), names)
    names["l2"] = average
    assert same(run("Signals", loss=names["loss"], Y=Y), run("Signals", loss=loss, Y=Y), 1e-12)


class Failing(Signals):
    """A block that returns something else at one of its calls."""

    def __init__(self, call, wrong):
        super().__init__()
        self.call, self.wrong = call, wrong

    def forward(self, X, h):
        O, h = super().forward(X, h)
        return self.wrong(O, h) if self.calls == self.call else (O, h)


def failing(call, wrong):
    net, state = Failing(0, wrong), make("Signals")[1]
    net.initialize()
    state = mapped(lambda part: part.astype("float32"), state)
    net(np.array(REALS[:1], dtype="float32"), state)
    net.call = net.calls + call
    for parameter in net.collect_params().values():
        parameter.grad()[:] = 7
    return net, state


def crash(O, h):
    raise ZeroDivisionError


@pytest.mark.parametrize("call", [1, 4])
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (crash, ZeroDivisionError, None),
        (
            lambda O, h: O,
            TypeError,
            r"^allowed for net: a block with net\(X, h\) -> O, h; given one that returns ndarray",
        ),
        (lambda O, h: (O, h, h), TypeError, "allowed for net: .*given one that returns"),
        (
            lambda O, h: (O[0], h),
            ValueError,
            r"allowed for net: .*\(\d, 3, …\); given O: ndarray of shape \(3, 2\)",
        ),
        (lambda O, h: (O.asnumpy().tolist(), h), ValueError, "allowed for net: .*given O: list of"),
        (
            lambda O, h: (O, h["fast"]),
            ValueError,
            r"allowed for net: .*as given; returned ndarray of shape \(3, 4\) and",
        ),
        (
            lambda O, h: (O, mapped(lambda part: part[:1], h)),
            ValueError,
            r"returned ndarray of shape \(1, 4\)",
        ),
        (
            lambda O, h: (O, mapped(lambda part: part.astype("float64"), h)),
            ValueError,
            "returned .* type float64",
        ),
        (lambda O, h: (O, mapped(str, h)), ValueError, "allowed for net: .*; returned"),
    ],
)
def test_a_block_that_fails_at_any_call_changes_no_gradient(call, wrong, error, message):
    net, state = failing(call, wrong)
    with pytest.raises(error, match=message):
        run("Signals", net, state, d2lutil.regular(T, 5))
    assert all((gradient == 7).all() for gradient in net_gradients(net).values())
    assert not autograd.is_recording()


def test_a_state_that_fails_in_the_background_changes_no_gradient():
    def singular(O, h):
        return O, h | {"fast": [np.linalg.inv(np.zeros((N, N)))[:B]]}

    net, state = failing(4, singular)
    with pytest.raises(mxnet.MXNetError, match="non-convertible"):
        run("Signals", net, state, d2lutil.regular(T, 5))
    assert all((gradient == 7).all() for gradient in net_gradients(net).values())


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (
            lambda O, Y: squares(O, Y).asnumpy(),
            ValueError,
            "^allowed for loss: one that returns a floating mxnet.np.ndarray",
        ),
        (lambda O, Y: squares(O, Y).sum(), ValueError, r"given ndarray of shape \(\)"),
        (lambda O, Y: O - Y, ValueError, r"given ndarray of shape .*\. Gluon's losses average"),
        (lambda O, Y: squares(O, Y).astype("int32"), ValueError, "floating"),
        (
            lambda O, Y: squares(O, Y).detach(),
            ValueError,
            "^allowed for loss: MXNet's operations on O; given one",
        ),
        (lambda O, Y: 1 / 0, ZeroDivisionError, None),
        (
            None,
            ValueError,
            r"^Y has shape \(19, 3, 2\) and type float32; allowed without a loss of your own: integers",
        ),
        (0, TypeError, "loss=0; allowed: a callable loss\\(O, Y\\)"),
    ],
)
def test_losses_that_are_refused(loss, error, message):
    net, state = failing(-1, crash)
    with pytest.raises(error, match=message):
        run("Signals", net, state, loss=loss)
    assert all((gradient == 7).all() for gradient in net_gradients(net).values())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"X": TOKENS[0]},
            ValueError,
            r"X has shape \(3,\); allowed: \(num_steps, batch_size, …\), nothing empty",
        ),
        ({"X": TOKENS[:0]}, ValueError, r"X has shape \(0, 3\); allowed"),
        ({"X": [[1], [1, 2]]}, ValueError, "allowed for X: rows of one length"),
        ({"X": [["a"]]}, TypeError, "allowed for X: an array of numbers; given"),
        ({"Y": TARGETS[1:]}, ValueError, r"Y has shape \(18, 3\); allowed: \(19, 3, …\), as X begins"),
        (
            {"Y": TARGETS * 1.0},
            ValueError,
            r"Y has shape .* float64; allowed without a loss of your own: integers \(19, 3\)",
        ),
        ({"Y": TARGETS + 1}, ValueError, "Y holds indices 1 to 6; allowed: 0 to 5"),
        ({"Y": TARGETS - 1}, ValueError, "Y holds indices -1 to 4; allowed: 0 to 5"),
        ({"xi": XI[1:]}, ValueError, r"xi has shape \(18, 3\); allowed: \(19,\) or \(19, 3\)"),
        ({"xi": -XI}, ValueError, r"xi\[.*; allowed: finite numbers >= 0"),
        ({"begins": BEGINS[:, 1:]}, ValueError, r"begins has shape \(19, 2\); allowed"),
        ({"weights": -WEIGHTS}, ValueError, r"weights\[.*; allowed: finite numbers >= 0"),
        ({"state": None}, TypeError, "allowed for h: floating mxnet.np.ndarray, or lists.*; given None"),
        ({"state": []}, TypeError, r"allowed for h: floating .*; given \[\]"),
        ({"state": [numpy.zeros((2, B, N))]}, TypeError, "allowed for h: floating mxnet.np.ndarray"),
        ({"state": np.zeros((2, B, N), dtype="int32")}, TypeError, "given ndarray of shape .* type int32"),
        (
            {"state": np.zeros((B, 2, N))},
            ValueError,
            r"h holds an array of shape \(3, 2, 4\); allowed: \(…, 3, n\)",
        ),
        (
            {"state": [np.zeros((2, B, N)), np.zeros(B)]},
            ValueError,
            r"h holds an array of shape \(3,\); allowed",
        ),
    ],
)
def test_bad_arguments_are_named_and_change_nothing(arguments, error, message):
    net, state = make("GRU")
    for parameter in net.collect_params().values():
        parameter.grad()[:] = 7
    with pytest.raises(error, match=message):
        run("GRU", net, **({"state": state} | arguments))
    assert all((gradient == 7).all() for gradient in net_gradients(net).values())


def test_logits_of_two_axes_need_a_loss():
    class Flat(Signals):
        def forward(self, X, h):
            O, h = super().forward(X, h)
            return O.sum(axis=-1), h

    net = Flat()
    net.initialize()
    state = mapped(lambda part: part.astype("float32"), make("Signals")[1])
    with pytest.raises(
        ValueError,
        match=r"net returns O of shape \(\d+, 3\); allowed: \(num_steps, batch_size, vocab_size\)",
    ):
        run("Signals", net, state, Y=TARGETS, loss=None)


def test_parameters_without_values_and_a_state_elsewhere_are_named():
    net = Signals()
    state = mapped(lambda part: part.astype("float32"), make("Signals")[1])
    with pytest.raises(
        RuntimeError, match=r"net lacks values of signals.*; allowed: .*call net.initialize\(\) first"
    ):
        run("Signals", net, state)
    assert net.calls == 0
    net.initialize(ctx=mxnet.cpu(1))
    with pytest.raises(RuntimeError, match=r"signals.* was not initialized on context cpu\(0\)"):
        run("Signals", net, state)
    total, _, last = run("Signals", net, mapped(lambda part: part.as_in_ctx(mxnet.cpu(1)), state), XI[:, 0])
    assert numpy.isfinite(total)
    assert last["fast"][0].ctx == mxnet.cpu(1)


@pytest.mark.parametrize("grad_req", ["write", "add"])
def test_bptt_adds_the_gradient_of_a_block(grad_req):
    net, state = make("LSTM")
    net.collect_params().setattr("grad_req", grad_req)
    net.out.bias.grad_req = "null"
    total, gradients, last = run("LSTM", net, state, XI, BEGINS, WEIGHTS)
    for parameter, _ in gradients:
        parameter.grad()[:] = 7
    found, h = d2lutil.bptt(net, TOKENS, TARGETS, state, XI, begins=BEGINS, weights=WEIGHTS)
    assert (found, [part.tolist() for part in h]) == (total, [part.tolist() for part in last])
    for parameter, gradient in gradients:
        assert abs(parameter.grad().asnumpy() - 7 - gradient).max() < 1e-12
        assert parameter.data()._fresh_grad


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_own_cells_with_a_given_loss(cell):
    mxnet.random.seed(7)
    net = getattr(d2lutil, cell)(V, N)
    net.initialize()
    net.cast("float64")
    arguments = (TOKENS, TARGETS, net.begin_state(B), XI)
    found = []
    for loss in (None, entropy, lambda O, Y: 2 * entropy(O, Y)):
        d2lutil.zero_gradients(net.collect_params())
        total, _ = d2lutil.bptt(net, *arguments, begins=BEGINS, weights=WEIGHTS, loss=loss)
        found.append((total, net_gradients(net)))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-12)
    assert difference(found[1][1], found[0][1]) < 1e-10
    assert difference(found[2][1], {name: 2 * g for name, g in found[0][1].items()}) < 1e-10
