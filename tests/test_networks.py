import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mxnet
import numpy
import pytest
import reference
from mxnet import autograd, gluon, np, npx
from reference import BATCH_SIZE, CELLS, NUM_HIDDENS, NUM_STEPS, VOCAB_SIZE

import d2lutil

SCHEMES = reference.make_schemes()
GATES = {"tanh": 1, "gru": 3, "lstm": 4}
LAYERS = {"tanh": gluon.rnn.RNN, "gru": gluon.rnn.GRU, "lstm": gluon.rnn.LSTM}
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
}


@pytest.fixture(params=CELLS)
def cell(request):
    return request.param


@pytest.fixture
def net(cell):
    return reference.make_net(cell=cell)


@pytest.fixture
def text():
    return reference.make_text()


@pytest.fixture
def state(cell):
    return reference.make_state(cell=cell)


def parts(state):
    return list(state) if isinstance(state, tuple) else [state]


def closeness(a, b):
    """Return the largest difference of two states."""
    return max(float(abs(x - y).max()) for x, y in zip(parts(a), parts(b), strict=True))


def columns(seed):
    """Return ξ and begins of their own for each column, with steps where both act and some where none do."""
    rng = numpy.random.default_rng(seed)
    xi = rng.uniform(0, 2, (NUM_STEPS, BATCH_SIZE))
    xi[4:9], xi[11, 0], xi[12] = 1, 0, 0
    begins = rng.random((NUM_STEPS, BATCH_SIZE)) < 0.15
    begins[6], begins[15] = False, True
    begins[8, 1] = begins[11, 2] = True
    return xi, begins


def gradients(run, net, state, Y):
    """Return the gradients of the parameters and of the state, of a loss that reads the last state too."""
    for part in parts(state):
        part.attach_grad()
    with autograd.record():
        O, last = run()
        loss = -npx.pick(npx.log_softmax(O), np.array(Y)).sum()
        for k, part in enumerate(parts(last)):
            loss = loss + (part * part).sum() * (k + 0.5)
    loss.backward()
    return reference.gradients(net) | {
        f"state {k}": part.grad.asnumpy() for k, part in enumerate(parts(state))
    }


def in_thread(function, *args):
    """Return what a function returns in another thread than the one that imported the package."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(function, *args).result()


def test_parameters_have_the_documented_shapes(cell):
    net, width = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS), GATES[cell] * NUM_HIDDENS
    expected = {
        "W_xh": (VOCAB_SIZE, width),
        "W_hh": (NUM_HIDDENS, width),
        "b_h": (width,),
        **({"b_hn": (NUM_HIDDENS,)} if cell == "gru" else {}),
        "W_hq": (NUM_HIDDENS, VOCAB_SIZE),
        "b_q": (VOCAB_SIZE,),
    }
    assert [parameter.shape for parameter in net.parameters()] == list(expected.values())
    assert {name: getattr(net, name).shape for name in expected} == expected


def test_collect_params_holds_the_parameters(net):
    assert list(net.collect_params().values()) == net.parameters()


def test_initialize_draws_matrices_and_zero_biases(cell):
    net = CELLS[cell](50, 400)
    net.initialize()
    for name, value in reference.values(net).items():
        if name.startswith("W"):
            assert value.std() == pytest.approx(400**-0.5, rel=0.05)
        else:
            assert not value.any()


def test_initialize_depends_on_the_seed_alone(cell):
    first, again, other = (reference.values(reference.make_net(seed=s, cell=cell)) for s in (5, 5, 6))
    assert reference.difference(first, again) == 0
    assert reference.difference(first, other) > 0


def test_a_network_that_is_float64_before_it_is_initialized(cell):
    drawn = []
    for cast_first in (True, False):
        mxnet.random.seed(1)
        net = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
        if cast_first:
            net.cast("float64")
        net.initialize()
        net.cast("float64")
        drawn.append(reference.values(net))
        assert all(parameter.data().dtype == "float64" for parameter in net.parameters())
    assert reference.difference(*drawn) == 0


def test_initialize_takes_another_initializer_for_the_matrices(cell):
    net = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
    net.initialize(mxnet.init.Constant(0.25))
    for name, value in reference.values(net).items():
        assert (value == (0.25 if name.startswith("W") else 0)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_begin_state_is_zero_in_the_type_of_the_parameters(dtype, cell):
    state = reference.make_net(dtype, cell=cell).begin_state(4)
    assert isinstance(state, tuple) == (cell == "lstm")
    assert len(parts(state)) == len(CELLS[cell].state_kinds)
    for part in parts(state):
        assert part.shape == (4, NUM_HIDDENS)
        assert part.dtype == dtype
        assert not part.asnumpy().any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_has_the_documented_shapes_and_types(dtype, cell, text):
    net = reference.make_net(dtype, cell=cell)
    O, state = net(text[0], net.begin_state(BATCH_SIZE))
    assert O.shape == (NUM_STEPS, BATCH_SIZE, VOCAB_SIZE)
    assert O.dtype == dtype
    assert isinstance(state, tuple) == (cell == "lstm")
    for part in parts(state):
        assert part.shape == (BATCH_SIZE, NUM_HIDDENS)
        assert part.dtype == dtype


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_forward_equals_numpy(dtype, tolerance, text):
    net, state = reference.make_net(dtype), reference.make_state(dtype)
    O, h = net(text[0], state)
    params = reference.values(net)
    H = reference.forward(params, text[0], state.asnumpy())
    assert abs(O.asnumpy() - (H[1:] @ params["W_hq"] + params["b_q"])).max() < tolerance
    assert abs(h.asnumpy() - H[-1]).max() < tolerance


@pytest.mark.parametrize("recording", [False, True])
def test_forward_equals_a_loop_of_steps(recording, net, text, state):
    xi, begins = columns(5)
    O_loop, state_loop = reference.unrolled(net, text[0], state, xi, begins)
    with autograd.record() if recording else autograd.pause():
        O, last = net(text[0], state, xi, begins)
    assert abs(O - O_loop).max() < 1e-12
    assert closeness(last, state_loop) < 1e-12


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("recording", [False, True])
def test_forward_value_does_not_depend_on_the_scheme(name, recording, net, text, state):
    O_plain, plain = net(text[0], state)
    with autograd.record() if recording else autograd.pause():
        O, last = net(text[0], state, SCHEMES[name])
    assert abs(O - O_plain).max() < 1e-12
    assert closeness(last, plain) < 1e-12


@pytest.mark.parametrize("recording", [False, True])
def test_the_kernel_runs_from_gate_to_gate(recording, net, text, state, monkeypatch):
    calls, kernel = [], npx.rnn
    monkeypatch.setattr(npx, "rnn", lambda data, *args, **kw: calls.append(len(data)) or kernel(data, *args, **kw))
    xi, begins = numpy.ones((NUM_STEPS, BATCH_SIZE)), numpy.zeros((NUM_STEPS, BATCH_SIZE), bool)
    xi[4, 1], begins[10, 2] = 0.5, True
    with autograd.record() if recording else autograd.pause():
        net(text[0], state, xi, begins)
    assert calls == ([4, 6, 13] if recording else [10, 13])


def test_states_are_what_the_logits_are_read_from(net, text, state):
    xi, begins = columns(6)
    H, last = net.states(text[0], state, xi, begins)
    O, same = net(text[0], state, xi, begins)
    assert abs(np.dot(H, net.W_hq.data()) + net.b_q.data() - O).max() == 0
    assert closeness(last, same) == 0
    assert abs(H[-1] - parts(last)[0]).max() == 0


def test_forward_goes_on_from_the_returned_state(net, text, state):
    O_whole, whole = net(text[0], state)
    O_first, state = net(text[0][:9], state)
    O_second, state = net(text[0][9:], state)
    assert abs(np.concatenate([O_first, O_second]) - O_whole).max() < 1e-13
    assert closeness(state, whole) < 1e-13


def test_a_beginning_forgets_all_that_was_before(net, text, state):
    begins = numpy.zeros((NUM_STEPS, BATCH_SIZE), dtype=bool)
    begins[7, 1] = True
    O, _ = net(text[0], state, begins=begins)
    O_whole, _ = net(text[0], state)
    O_alone, _ = net(text[0][7:, 1:2], net.begin_state(1))
    assert abs(O[7:, 1:2] - O_alone).max() < 1e-13
    assert abs(O[:, ::2] - O_whole[:, ::2]).max() < 1e-13


def test_nothing_flows_back_from_a_beginning_even_where_the_state_is_infinite(net, text, state):
    for part in parts(state):
        part[1] = numpy.inf
        part.attach_grad()
    begins = numpy.zeros((NUM_STEPS, BATCH_SIZE), dtype=bool)
    begins[0, 1] = True
    with autograd.record():
        O, _ = net(text[0], state, begins=begins)
        O.sum().backward()
    for part in parts(state):
        assert numpy.isfinite(part.grad.asnumpy()).all()
        assert not part.grad[1].asnumpy().any()
        assert part.grad[0].asnumpy().any()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_forward_takes_indices_of_any_integer_type(dtype, net, text, state):
    O, _ = net(text[0].astype(dtype), state)
    assert abs(O - reference.unrolled(net, text[0], state)[0]).max() < 1e-13


@pytest.mark.parametrize("convert", [list, numpy.ndarray.tolist, np.array])
def test_forward_takes_lists_and_mxnet_arrays(convert, net, text, state):
    O, _ = net(convert(text[0]), state)
    assert abs(O - reference.unrolled(net, text[0], state)[0]).max() < 1e-13


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("convert", [numpy.asarray, list, np.array])
def test_autograd_gradient_equals_the_one_by_hand(name, convert, text):
    net, state, (X, Y), xi = reference.make_net(), reference.make_state(), text, SCHEMES[name]
    state.attach_grad()
    with autograd.record():
        O, _ = net(X, state, convert(xi))
        loss = -npx.pick(npx.log_softmax(O), np.array(Y)).sum()
    loss.backward()
    rounded = np.array(xi).asnumpy().astype("float64") if convert is np.array else xi
    _, grads, dh = reference.backward(reference.values(net), X, Y, state.asnumpy(), rounded)
    assert reference.difference(reference.gradients(net), grads) < 1e-10
    assert abs(state.grad.asnumpy() - dh).max() < 1e-10


@pytest.mark.parametrize("name", [*SCHEMES, "columns", "begins", "begins alike", "columns and begins"])
def test_gradient_equals_a_loop_of_steps(name, net, text, state):
    xi, begins = columns(7)
    arrays = {
        "columns": {"xi": xi},
        "begins": {"begins": begins},
        "begins alike": {"xi": SCHEMES["arbitrary"], "begins": begins[:, 0]},
        "columns and begins": {"xi": xi, "begins": begins},
    }.get(name, {"xi": SCHEMES.get(name)})
    (X, Y), run = text, {}
    for way in (net, lambda *args, **kw: reference.unrolled(net, *args, **kw)):
        run[way] = gradients(lambda way=way: way(X, state, **arrays), net, state, Y)
    kernel, loop = run.values()
    assert reference.difference(kernel, loop) < 1e-10
    assert max(abs(value).max() for value in loop.values()) > 0.1


def test_values_and_gradients_equal_those_of_gluon(cell, net, text, state):
    (X, Y), n = text, NUM_HIDDENS
    layer = LAYERS[cell](n, input_size=VOCAB_SIZE, **({"activation": "tanh"} if cell == "tanh" else {}))
    layer.initialize()
    layer.cast("float64")
    bias = np.zeros(GATES[cell] * n, dtype="float64")
    if cell == "gru":
        bias[2 * n :] = net.b_hn.data()
    layer.l0_i2h_weight.set_data(net.W_xh.data().T)
    layer.l0_h2h_weight.set_data(net.W_hh.data().T)
    layer.l0_i2h_bias.set_data(net.b_h.data())
    layer.l0_h2h_bias.set_data(bias)

    def gluons():
        one_hot = npx.one_hot(np.array(X), VOCAB_SIZE, dtype="float64")
        H, last = layer(one_hot, [np.expand_dims(part, 0) for part in parts(state)])
        last = tuple(part[0] for part in last)
        return np.dot(H, net.W_hq.data()) + net.b_q.data(), last if len(last) > 1 else last[0]

    assert abs(net(X, state)[0] - gluons()[0]).max() < 1e-10
    assert closeness(net(X, state)[1], gluons()[1]) < 1e-10
    ours = gradients(lambda: net(X, state), net, state, Y)
    theirs = gradients(gluons, net, state, Y)
    theirs |= {
        "W_xh": layer.l0_i2h_weight.grad().asnumpy().T,
        "W_hh": layer.l0_h2h_weight.grad().asnumpy().T,
        "b_h": layer.l0_i2h_bias.grad().asnumpy(),
    }
    if cell == "gru":
        theirs["b_hn"] = layer.l0_h2h_bias.grad().asnumpy()[2 * n :]
    assert reference.difference(ours, theirs) < 1e-10


def test_no_scheme_means_full(net, text, state):
    grads = []
    for xi in (None, d2lutil.full(NUM_STEPS), numpy.ones((NUM_STEPS, BATCH_SIZE))):
        with autograd.record():
            O, _ = net(text[0], state, xi)
            (O**2).sum().backward()
        grads.append(reference.gradients(net))
    assert reference.difference(*grads[:2]) == reference.difference(*grads[1:]) == 0


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("num_steps", [1, 2])
def test_smallest_sizes(num_steps, batch_size, cell):
    net = CELLS[cell](1, 1)
    net.initialize()
    X = numpy.zeros((num_steps, batch_size), dtype="int32")
    O, state = net(X, net.begin_state(batch_size), d2lutil.regular(num_steps, 1))
    assert O.shape == (num_steps, batch_size, 1)
    assert {part.shape for part in parts(state)} == {(batch_size, 1)}


@pytest.mark.parametrize("convert", [str, Path])
@pytest.mark.parametrize("dtype", ["float32", "float64", None])
def test_saved_parameters_load_into_another_network(dtype, convert, cell, net, text, state, tmp_path):
    path = convert(tmp_path / "net.params")
    net.save_parameters(path)
    other = reference.make_net(dtype, seed=8, cell=cell) if dtype else CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
    other.load_parameters(path)
    assert reference.difference(reference.values(net), reference.values(other)) == 0
    assert (other(text[0], state)[0] == net(text[0], state)[0]).all()


def test_loaded_parameters_learn(cell, net, text, state, tmp_path):
    net.save_parameters(tmp_path / "net.params")
    other = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
    other.load_parameters(tmp_path / "net.params")
    ours, others = (gradients(lambda n=n: n(text[0], state), n, state, text[1]) for n in (net, other))
    assert reference.difference(ours, others) == 0


def test_a_network_stays_on_its_device(net, text, state, tmp_path):
    O_plain, plain = net(text[0], state)
    net.save_parameters(tmp_path / "net.params")
    net.collect_params().reset_ctx(mxnet.cpu(1))
    for load in (False, True):
        if load:
            net.load_parameters(tmp_path / "net.params")
        assert [parameter.list_ctx() for parameter in net.parameters()] == [[mxnet.cpu(1)]] * len(net.names)
        assert {part.ctx for part in parts(net.begin_state(2))} == {mxnet.cpu(1)}
        moved = tuple(part.as_in_ctx(mxnet.cpu(1)) for part in parts(state))
        moved = moved if len(moved) > 1 else moved[0]
        with autograd.record():
            O, last = net(text[0], moved, *columns(3))
            O.sum().backward()
        O, last = net(text[0], moved)
        assert {array.ctx for array in (O, *parts(last), net.W_hh.grad())} == {mxnet.cpu(1)}
        assert abs(O.asnumpy() - O_plain.asnumpy()).max() == 0
        assert abs(parts(last)[0].asnumpy() - parts(plain)[0].asnumpy()).max() == 0


def test_parameters_load_onto_another_device(cell, net, tmp_path):
    net.save_parameters(tmp_path / "net.params")
    for other in (net, CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)):
        other.load_parameters(tmp_path / "net.params", ctx=mxnet.cpu(2))
        assert other.W_hq.list_ctx() == [mxnet.cpu(2)]
    net.load_parameters(tmp_path / "net.params", ctx=[mxnet.cpu(0), mxnet.cpu(1)])
    assert net.b_q.list_ctx() == [mxnet.cpu(0), mxnet.cpu(1)]
    for ctx in net.b_q.list_ctx():
        state = net.begin_state(1)
        state = [part.as_in_ctx(ctx) for part in parts(state)]
        O, _ = net([[1]], state if cell == "lstm" else state[0])
        assert O.ctx == ctx
    with pytest.raises(TypeError, match="ctx='cpu'; allowed: an mxnet.Context or a list of them"):
        net.load_parameters(tmp_path / "net.params", ctx="cpu")


def test_bptt_trains_a_network_on_its_device():
    (X, Y), grads = reference.make_text(), []
    for device in (mxnet.cpu(0), mxnet.cpu(1)):
        net = reference.make_net()
        net.collect_params().reset_ctx(device)
        _, h = d2lutil.bptt(net, X, Y, net.begin_state(BATCH_SIZE), d2lutil.regular(NUM_STEPS, 4))
        assert h.ctx == net.W_hh.grad().ctx == device
        grads.append(reference.gradients(net))
    assert reference.difference(*grads) == 0


def test_a_state_on_another_device_is_refused(net, text, state):
    net.collect_params().reset_ctx(mxnet.cpu(1))
    with pytest.raises(ValueError, match=r"h is on cpu\(0\).*; allowed: one of \[cpu\(1\)\]"):
        net(text[0], state)


@pytest.mark.parametrize("way", [*COPIES, "load"])
def test_a_changed_grad_req_survives(way, cell, net, tmp_path):
    net.b_q.grad_req, net.W_hh.grad_req, net.W_hq.lr_mult = "null", "add", 0.5
    if way == "load":
        net.save_parameters(tmp_path / "net.params")
        net.load_parameters(tmp_path / "net.params")
        other = net
    else:
        other = COPIES[way](net)
    assert [other.b_q.grad_req, other.W_hh.grad_req, other.b_h.grad_req] == ["null", "add", "write"]
    assert other.W_hq.lr_mult == 0.5
    with pytest.raises(RuntimeError, match="grad_req='null'"):
        other.b_q.grad()
    sums = []
    for _ in range(2):
        with autograd.record():
            O, _ = other([[1]], other.begin_state(1))
            O.sum().backward()
        sums.append([float(abs(other.W_hh.grad()).sum()), float(abs(other.W_hq.grad()).sum())])
    assert sums[1][1] == sums[0][1] > 0


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_whole(way, cell, net, text, state):
    net.collect_params().reset_ctx(mxnet.cpu(1))
    state = [part.as_in_ctx(mxnet.cpu(1)) for part in parts(state)]
    state = tuple(state) if cell == "lstm" else state[0]
    with autograd.record():
        net(text[0], state)[0].sum().backward()
    other = COPIES[way](net)
    assert type(other) is type(net)
    assert [other.vocab_size, other.num_hiddens] == [VOCAB_SIZE, NUM_HIDDENS]
    assert list(other.collect_params().values()) == other.parameters()
    assert {parameter.data().ctx for parameter in other.parameters()} == {mxnet.cpu(1)}
    assert all(parameter.data().dtype == parameter.dtype == "float64" for parameter in other.parameters())
    assert all(parameter.data()._fresh_grad for parameter in other.parameters())
    assert reference.difference(reference.values(net), reference.values(other)) == 0
    assert reference.difference(reference.gradients(net), reference.gradients(other)) == 0


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_learns_and_leaves_the_original_alone(way, net, text, state):
    trainer = gluon.Trainer(net.collect_params(), "adam", kvstore=None)
    expected = gradients(lambda: net(text[0], state), net, state, text[1])
    values = reference.values(net)
    other = COPIES[way](net)
    assert other.W_hh is not net.W_hh
    for parameter in other.parameters():
        parameter.grad()[:] = 0
    computed = gradients(lambda: other(text[0], state), other, state, text[1])
    assert reference.difference(computed, expected) == 0
    gluon.Trainer(other.collect_params(), "sgd", {"learning_rate": 0.5}).step(1)
    assert reference.difference(reference.values(other), values) > 0.01
    assert reference.difference(reference.values(net), values) == 0
    assert reference.difference(reference.gradients(net), {n: expected[n] for n in net.names}) == 0
    trainer.step(1)
    assert reference.difference(reference.values(net), values) > 0


@pytest.mark.parametrize("way", COPIES)
def test_bptt_trains_a_copy(way, text, state):
    net = reference.make_net()
    other = COPIES[way](net)
    state = reference.make_state()
    for each in (net, other):
        d2lutil.bptt(each, *text, state, d2lutil.regular(NUM_STEPS, 4))
    assert reference.difference(reference.gradients(net), reference.gradients(other)) == 0
    history = d2lutil.train(
        other, *text, d2lutil.full, lr=0.5, theta=1, mean_length=NUM_STEPS, num_tokens=200
    )
    assert history[-1]["perplexity"] < history[0]["perplexity"]


@pytest.mark.parametrize("way", COPIES)
def test_a_network_without_values_is_copied_too(way, cell):
    other = COPIES[way](CELLS[cell](VOCAB_SIZE, NUM_HIDDENS))
    other.cast("float64")
    other.initialize()
    assert other.W_hh.grad().dtype == "float64"


def test_a_block_that_holds_a_network_is_copied(net):
    outer = gluon.nn.Sequential()
    outer.add(net)
    other = pickle.loads(pickle.dumps(outer))
    assert reference.difference(reference.values(other[0]), reference.values(net)) == 0
    with autograd.record():
        other[0]([[1]], other[0].begin_state(1))[0].sum().backward()
    assert other[0].W_hh.grad() is not None
    assert other[0].b_q.grad().asnumpy().any()


def test_a_network_lives_in_another_thread(cell, text, tmp_path):
    def life():
        net = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
        net.initialize()
        net.cast("float64")
        state = net.begin_state(BATCH_SIZE)
        grads = gradients(lambda: net(text[0], state, *columns(2)), net, state, text[1])
        net.save_parameters(tmp_path / "net.params")
        other = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
        other.load_parameters(tmp_path / "net.params")
        perplexity = d2lutil.perplexity(copy.deepcopy(other), *text)
        vocab = d2lutil.Vocab("abcdef")
        return net, grads, perplexity, d2lutil.generate(net, vocab, "abc", 5), pickle.dumps(other)

    net, grads, perplexity, story, pickled = in_thread(life)
    assert perplexity == d2lutil.perplexity(net, *text)
    assert story == d2lutil.generate(net, d2lutil.Vocab("abcdef"), "abc", 5)
    assert reference.difference(reference.values(pickle.loads(pickled)), reference.values(net)) == 0
    state = net.begin_state(BATCH_SIZE)
    here = gradients(lambda: net(text[0], state, *columns(2)), net, state, text[1])
    assert reference.difference(here, grads) == 0


def test_the_gradient_by_hand_and_training_in_another_thread(text):
    def learn(seed=0):
        net = reference.make_net()
        loss, h = d2lutil.bptt(net, *text, net.begin_state(BATCH_SIZE), d2lutil.regular(NUM_STEPS, 4))
        norm = d2lutil.clip_gradients(net.collect_params(), 1)
        d2lutil.zero_gradients(net.parameters())
        history = d2lutil.train(
            net, *text, d2lutil.full, lr=0.5, theta=1, mean_length=NUM_STEPS, num_tokens=200, held_out=tuple(text)
        )
        J = d2lutil.jacobians(net, text[0][:, :1])
        return loss, h.tolist(), norm, history[-1]["held_out"], J.tolist()

    assert in_thread(learn) == learn()


def test_a_missing_file_is_named(net, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"filename='.*nowhere' is no file; allowed"):
        net.load_parameters(tmp_path / "nowhere")


def test_a_file_that_cannot_be_written_is_named(net, tmp_path):
    with pytest.raises(OSError, match=r"filename='.*nowhere/p' cannot be written: .*No such file"):
        net.save_parameters(tmp_path / "nowhere" / "p")


@pytest.mark.parametrize("method", ["save_parameters", "load_parameters"])
def test_a_name_that_is_no_path_is_refused(method, net):
    with pytest.raises(TypeError, match="filename=3; allowed: a string or a path"):
        getattr(net, method)(3)


@pytest.mark.parametrize("stop", [0, 30, -10])
def test_a_damaged_file_is_named(stop, net, tmp_path):
    path = tmp_path / "net.params"
    net.save_parameters(path)
    path.write_bytes(path.read_bytes()[:stop])
    with unchanged(net), pytest.raises(ValueError, match=r"filename='.*net.params' is damaged: .+\Z"):
        net.load_parameters(path)


class unchanged:
    """Assert that a block of code leaves a network as it was: values, gradients, type and device."""

    def __init__(self, net):
        self.net = net

    def look(self):
        return [
            [p.data().asnumpy().tolist(), p.grad().asnumpy().tolist(), p.dtype, p.list_ctx(), p.grad_req]
            for p in self.net.parameters()
        ]

    def __enter__(self):
        for parameter in self.net.parameters():
            parameter.grad()[:] = 0.5
        self.before = self.look()

    def __exit__(self, kind, error, trace):
        assert self.look() == self.before
        with autograd.record():
            self.net([[1]], self.net.begin_state(1))[0].sum().backward()
        assert self.net.b_q.grad().tolist() == [1.0] * VOCAB_SIZE


@pytest.mark.parametrize("last", ["set_data", "initialize", "cast"])
def test_a_failure_halfway_leaves_the_network_as_it_was(last, net, tmp_path, monkeypatch):
    source = reference.make_net("float32", seed=9, cell=net.cell)
    source.save_parameters(tmp_path / "p")
    method = getattr(net.b_q, last)

    def fail(*args, **kwargs):
        method(*args, **kwargs)
        raise MemoryError

    monkeypatch.setattr(net.b_q, last, fail)
    changes = {
        "load": lambda: net.load_parameters(tmp_path / "p", ctx=mxnet.cpu(1)),
        "cast": lambda: net.cast("float32"),
        "initialize": lambda: net.initialize(force_reinit=True, ctx=mxnet.cpu(1)),
    }
    touched = {"set_data": ["load"], "initialize": ["load", "initialize"], "cast": list(changes)}[last]
    for change in touched:
        with unchanged(net), pytest.raises(MemoryError):
            changes[change]()
    assert "fail" in repr(net.b_q.__dict__[last])


def test_a_device_that_is_not_there_leaves_the_network_as_it_was(net, tmp_path):
    net.save_parameters(tmp_path / "p")
    with unchanged(net), pytest.raises(mxnet.base.MXNetError):
        net.load_parameters(tmp_path / "p", ctx=[mxnet.cpu(0), mxnet.gpu(7)])
    with unchanged(net), pytest.raises(mxnet.base.MXNetError):
        net.initialize(ctx=mxnet.gpu(7), force_reinit=True)


def test_parameters_of_another_type_are_not_loaded(net, tmp_path):
    for change, held in (
        (dict.fromkeys(net.names, "int32"), "int32"),
        ({"b_q": "float32"}, "float32', "),
    ):
        values = {name: getattr(net, name).data() for name in net.names}
        npx.save(str(tmp_path / "p"), {n: v.astype(change.get(n, "float64")) for n, v in values.items()})
        message = rf"filename='.*p' holds \['{held}.*; allowed: one of float32"
        with unchanged(net), pytest.raises(ValueError, match=message):
            net.load_parameters(tmp_path / "p")


def test_loading_can_keep_the_networks_type(cell, net, tmp_path):
    source = reference.make_net("float32", seed=9, cell=cell)
    source.save_parameters(tmp_path / "p")
    net.load_parameters(tmp_path / "p", cast_dtype=True)
    assert reference.difference(reference.values(net), reference.values(source)) == 0
    assert all(p.data().dtype == p.grad().dtype == "float64" for p in net.parameters())
    assert net.begin_state(1)[0].dtype == "float64"
    net.load_parameters(tmp_path / "p", cast_dtype=True, dtype_source="saved")
    assert net.begin_state(1)[0].dtype == net.W_xh.data().dtype == "float32"
    with pytest.raises(ValueError, match="dtype_source='old'; allowed: 'current', 'saved'"):
        net.load_parameters(tmp_path / "p", dtype_source="old")


def test_missing_and_extra_parameters_load_only_if_told_so(net, tmp_path):
    before = reference.values(net)
    values = {name: getattr(net, name).data() * 2 for name in net.names if name != "W_hh"}
    npx.save(str(tmp_path / "p"), {**values, "W_2": np.zeros(2)})
    for allowed in ({}, {"allow_missing": True}, {"ignore_extra": True}):
        with unchanged(net), pytest.raises(ValueError, match=r"filename='.*p' holds .*; allowed: {'W_xh'"):
            net.load_parameters(tmp_path / "p", **allowed)
    net.load_parameters(tmp_path / "p", allow_missing=True, ignore_extra=True)
    after = reference.values(net)
    assert all((after[name] == before[name] * (1 if name == "W_hh" else 2)).all() for name in net.names)


def test_a_file_without_names_is_not_loaded(net, tmp_path):
    npx.save(str(tmp_path / "list"), [np.ones((2, 2))])
    with pytest.raises(ValueError, match=r"filename='.*list' holds no names; allowed: "):
        net.load_parameters(tmp_path / "list")


@pytest.mark.parametrize("dtype", ["float16", "int32", "nonsense", None])
def test_other_types_are_refused(dtype, net):
    with unchanged(net), pytest.raises(ValueError, match=f"dtype={dtype}; allowed: float32, float64"):
        net.cast(dtype)


@pytest.mark.parametrize("dtype", ["f4", "<f4", numpy.float32, numpy.dtype("float32")])
def test_a_type_may_be_written_as_numpy_writes_it(dtype, net):
    net.cast(dtype)
    assert net.W_hh.data().dtype == net.W_hh.grad().dtype == numpy.float32


def test_parameters_of_another_shape_are_not_loaded(cell, net, tmp_path):
    net.save_parameters(tmp_path / "net.params")
    with pytest.raises(ValueError, match=r"filename='.*net.params' holds .*; allowed: "):
        CELLS[cell](VOCAB_SIZE, NUM_HIDDENS + 1).load_parameters(tmp_path / "net.params")
    other = CELLS["gru" if cell == "lstm" else "lstm"](VOCAB_SIZE, NUM_HIDDENS)
    with pytest.raises(ValueError, match=r"filename='.*net.params' holds .*; allowed: "):
        other.load_parameters(tmp_path / "net.params", allow_missing=True, ignore_extra=True)


@pytest.mark.parametrize("value", [0, -3])
@pytest.mark.parametrize("name", ["vocab_size", "num_hiddens"])
def test_sizes_below_one_are_refused(name, value, cell):
    with pytest.raises(ValueError, match=f"{name}={value}; allowed: an integer of at least 1"):
        CELLS[cell](**{"vocab_size": 5, "num_hiddens": 5, name: value})


def test_sizes_that_are_no_integers_are_refused(net):
    with pytest.raises(TypeError, match=r"num_hiddens=2\.5; allowed: an integer"):
        type(net)(5, 2.5)
    with pytest.raises(TypeError, match="batch_size='2'; allowed: an integer"):
        net.begin_state("2")
    with pytest.raises(ValueError, match="batch_size=0; allowed: an integer of at least 1"):
        net.begin_state(0)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (0, 3), (3, 0)])
def test_text_of_another_shape_is_refused(shape, net, state):
    for read in (net, net.states):
        with pytest.raises(ValueError, match=r"X has shape \(.*allowed: integers \(num_steps"):
            read(numpy.zeros(shape, dtype="int32"), state)


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # NumPy 1.23
def test_text_in_rows_that_differ_in_length_is_refused(net, state):
    with pytest.raises(ValueError, match=r"(allowed for X: rows of one length; given|X has shape)"):
        net([[1, 2], [3]], state)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_text_that_is_no_integers_is_refused(dtype, net, text, state):
    with pytest.raises(ValueError, match=f"X has .* type {dtype}; allowed: integers"):
        net(text[0].astype(dtype), state)


@pytest.mark.parametrize("index", [-1, VOCAB_SIZE])
def test_index_outside_the_vocabulary_is_refused(index, net, text, state):
    text[0][4, 1] = index
    for read in (net, net.states):
        with pytest.raises(ValueError, match=rf"X holds indices .*{index}.*; allowed: 0 to 6"):
            read(text[0], state)


@pytest.mark.parametrize("shape", [(BATCH_SIZE + 1, NUM_HIDDENS), (BATCH_SIZE, 1), (NUM_HIDDENS,)])
def test_state_of_another_shape_is_refused(shape, net, text, state):
    wrong = np.zeros(shape, dtype="float64")
    for k, name in enumerate(net.state_kinds):
        given = [*parts(state)[:k], wrong, *parts(state)[k + 1 :]]
        with pytest.raises(ValueError, match=rf"{name} has shape .*; allowed: .*\(3, 5\)"):
            net(text[0], given if len(given) > 1 else given[0])


def test_state_of_another_type_is_refused(net, text, state):
    narrow = tuple(part.astype("float32") for part in parts(state))
    with pytest.raises(ValueError, match=r"h has .* type float32; allowed: .*float64"):
        net(text[0], narrow if len(narrow) > 1 else narrow[0])


@pytest.mark.parametrize("h", [None, [[0.0]], numpy.zeros((BATCH_SIZE, NUM_HIDDENS)), (None, None)])
def test_state_that_is_no_mxnet_array_is_refused(h, net, text):
    with pytest.raises(TypeError, match=r"allowed for h: .*mxnet.np.ndarray float64 \(3, 5\)"):
        net(text[0], h)


def test_the_state_of_another_cell_is_refused(cell, net, text, state):
    with pytest.raises(TypeError, match="allowed for h: .*; given "):
        net(text[0], state[0] if cell == "lstm" else (state, state))


@pytest.mark.parametrize("value", [-0.5, numpy.nan, numpy.inf])
def test_weight_that_is_negative_or_not_finite_is_refused(value, net, text, state):
    xi = d2lutil.full(NUM_STEPS)
    xi[6] = value
    with pytest.raises(ValueError, match=rf"xi\[6\]={value}; allowed: finite numbers >= 0"):
        net(text[0], state, xi)


def test_weight_beyond_the_range_of_the_states_is_refused(cell, net, text, state):
    xi = numpy.full(NUM_STEPS, 1e39)
    net(text[0], state, xi)
    with pytest.raises(ValueError, match=r"xi\[0\]=1e\+39; allowed: finite numbers >= 0 of float32"):
        reference.make_net("float32", cell=cell)(text[0], reference.make_state("float32", cell=cell), xi)


@pytest.mark.parametrize("shape", [(NUM_STEPS - 1,), (NUM_STEPS, BATCH_SIZE + 1), (1, NUM_STEPS, BATCH_SIZE)])
def test_arrays_of_another_shape_are_refused(shape, net, text, state):
    with pytest.raises(ValueError, match=r"xi has shape \(.*; allowed: "):
        net(text[0], state, numpy.ones(shape))
    with pytest.raises(ValueError, match=r"begins has shape \(.*; allowed: "):
        net(text[0], state, begins=numpy.ones(shape, dtype=bool))


def test_beginnings_that_are_no_booleans_are_refused(net, text, state):
    with pytest.raises(TypeError, match="allowed for begins: an array of booleans; given type float64"):
        net(text[0], state, begins=numpy.ones(NUM_STEPS))
