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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_begin_state_is_zero_in_the_type_of_the_parameters(dtype, cell):
    state = reference.make_net(dtype, cell=cell).begin_state(4)
    assert isinstance(state, tuple) == (cell == "lstm")
    assert len(reference.parts(state)) == len(CELLS[cell].state_kinds)
    for part in reference.parts(state):
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
    for part in reference.parts(state):
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
    xi, begins = reference.columns(5)
    O_loop, state_loop = reference.unrolled(net, text[0], state, xi, begins)
    with autograd.record() if recording else autograd.pause():
        O, last = net(text[0], state, xi, begins)
    assert abs(O - O_loop).max() < 1e-12
    assert reference.closeness(last, state_loop) < 1e-12


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("recording", [False, True])
def test_forward_value_does_not_depend_on_the_scheme(name, recording, net, text, state):
    O_plain, plain = net(text[0], state)
    with autograd.record() if recording else autograd.pause():
        O, last = net(text[0], state, SCHEMES[name])
    assert abs(O - O_plain).max() < 1e-12
    assert reference.closeness(last, plain) < 1e-12


@pytest.mark.parametrize("recording", [False, True])
def test_the_kernel_runs_from_gate_to_gate(recording, net, text, state, monkeypatch):
    calls, kernel = [], npx.rnn

    def rnn(data, *args, **settings):
        calls.append(len(data))
        return kernel(data, *args, **settings)

    monkeypatch.setattr(npx, "rnn", rnn)
    xi, begins = numpy.ones((NUM_STEPS, BATCH_SIZE)), numpy.zeros((NUM_STEPS, BATCH_SIZE), bool)
    xi[4, 1], begins[10, 2] = 0.5, True
    with autograd.record() if recording else autograd.pause():
        net(text[0], state, xi, begins)
    assert calls == ([4, 6, 13] if recording else [10, 13])


def test_states_are_what_the_logits_are_read_from(net, text, state):
    xi, begins = reference.columns(6)
    H, last = net.states(text[0], state, xi, begins)
    O, same = net(text[0], state, xi, begins)
    assert abs(np.dot(H, net.W_hq.data()) + net.b_q.data() - O).max() == 0
    assert reference.closeness(last, same) == 0
    assert abs(H[-1] - reference.parts(last)[0]).max() == 0


def test_forward_goes_on_from_the_returned_state(net, text, state):
    O_whole, whole = net(text[0], state)
    O_first, state = net(text[0][:9], state)
    O_second, state = net(text[0][9:], state)
    assert abs(np.concatenate([O_first, O_second]) - O_whole).max() < 1e-13
    assert reference.closeness(state, whole) < 1e-13


def test_a_beginning_forgets_all_that_was_before(net, text, state):
    begins = numpy.zeros((NUM_STEPS, BATCH_SIZE), dtype=bool)
    begins[7, 1] = True
    O, _ = net(text[0], state, begins=begins)
    O_whole, _ = net(text[0], state)
    O_alone, _ = net(text[0][7:, 1:2], net.begin_state(1))
    assert abs(O[7:, 1:2] - O_alone).max() < 1e-13
    assert abs(O[:, ::2] - O_whole[:, ::2]).max() < 1e-13


def test_nothing_flows_back_from_a_beginning_even_where_the_state_is_infinite(net, text, state):
    for part in reference.parts(state):
        part[1] = numpy.inf
        part.attach_grad()
    begins = numpy.zeros((NUM_STEPS, BATCH_SIZE), dtype=bool)
    begins[0, 1] = True
    with autograd.record():
        O, _ = net(text[0], state, begins=begins)
        O.sum().backward()
    for part in reference.parts(state):
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


@pytest.mark.parametrize(
    "name", ["full", "arbitrary", "columns", "begins", "begins alike", "columns and begins"]
)
def test_gradient_equals_a_loop_of_steps(name, net, text, state):
    xi, begins = reference.columns(7)
    arrays = {
        "columns": {"xi": xi},
        "begins": {"begins": begins},
        "begins alike": {"xi": SCHEMES["arbitrary"], "begins": begins[:, 0]},
        "columns and begins": {"xi": xi, "begins": begins},
    }.get(name, {"xi": SCHEMES.get(name)})
    X, Y = text
    kernel = reference.autograd_gradients(lambda: net(X, state, **arrays), net, state, Y)
    loop = reference.autograd_gradients(lambda: reference.unrolled(net, X, state, **arrays), net, state, Y)
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
        H, last = layer(one_hot, [np.expand_dims(part, 0) for part in reference.parts(state)])
        last = tuple(part[0] for part in last)
        return np.dot(H, net.W_hq.data()) + net.b_q.data(), last if len(last) > 1 else last[0]

    assert abs(net(X, state)[0] - gluons()[0]).max() < 1e-10
    assert reference.closeness(net(X, state)[1], gluons()[1]) < 1e-10
    ours = reference.autograd_gradients(lambda: net(X, state), net, state, Y)
    theirs = reference.autograd_gradients(gluons, net, state, Y)
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
    assert {part.shape for part in reference.parts(state)} == {(batch_size, 1)}


def test_a_state_on_another_device_is_refused(net, text, state):
    net.collect_params().reset_ctx(mxnet.cpu(1))
    with pytest.raises(ValueError, match=r"h is on \[cpu\(0\).*; allowed: one of \[cpu\(1\)\]"):
        net(text[0], state)


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
        given = [*reference.parts(state)[:k], wrong, *reference.parts(state)[k + 1 :]]
        with pytest.raises(ValueError, match=rf"{name} has shape .*; allowed: .*\(3, 5\)"):
            net(text[0], given if len(given) > 1 else given[0])


def test_state_of_another_type_is_refused(net, text, state):
    narrow = tuple(part.astype("float32") for part in reference.parts(state))
    with pytest.raises(ValueError, match=r"h has .* type float32; allowed: .*float64"):
        net(text[0], narrow if len(narrow) > 1 else narrow[0])


@pytest.mark.parametrize("h", [None, [[0.0]], numpy.zeros((BATCH_SIZE, NUM_HIDDENS)), (None, None)])
def test_state_that_is_no_mxnet_array_is_refused(h, net, text):
    with pytest.raises(TypeError, match=r"allowed for h: .*mxnet.np.ndarray float64 \(3, 5\)"):
        net(text[0], h)


def test_the_state_of_another_cell_is_refused(cell, net, text, state):
    with pytest.raises(TypeError, match=r"allowed for h: .*; given "):
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


@pytest.mark.parametrize("shape", [(NUM_STEPS - 1,), (NUM_STEPS, BATCH_SIZE + 1), (1, 1, 1)])
def test_arrays_of_another_shape_are_refused(shape, net, text, state):
    with pytest.raises(ValueError, match=r"xi has shape \(.*; allowed: "):
        net(text[0], state, numpy.ones(shape))
    with pytest.raises(ValueError, match=r"begins has shape \(.*; allowed: "):
        net(text[0], state, begins=numpy.ones(shape, dtype=bool))


def test_beginnings_that_are_no_booleans_are_refused(net, text, state):
    with pytest.raises(TypeError, match="allowed for begins: an array of booleans; given type float64"):
        net(text[0], state, begins=numpy.ones(NUM_STEPS))
