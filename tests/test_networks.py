import threading

import numpy
import pytest
import reference
from mxnet import autograd, np, npx
from reference import BATCH_SIZE, NUM_HIDDENS, NUM_STEPS, VOCAB_SIZE

import d2lutil

SCHEMES = reference.make_schemes()


@pytest.fixture
def net():
    return reference.make_net()


@pytest.fixture
def text():
    return reference.make_text()


@pytest.fixture
def state():
    return reference.make_state()


def logits(net, text, state):
    """Return O and the states by hand, in float64."""
    params = reference.values(net)
    H = reference.forward(params, text[0], state.asnumpy())
    return H[1:] @ params["W_hq"] + params["b_q"], H


def test_parameters_have_the_documented_shapes():
    net = d2lutil.RNN(VOCAB_SIZE, NUM_HIDDENS)
    shapes = {name: getattr(net, name).shape for name in reference.NAMES}
    assert shapes == {
        "W_xh": (VOCAB_SIZE, NUM_HIDDENS),
        "W_hh": (NUM_HIDDENS, NUM_HIDDENS),
        "b_h": (NUM_HIDDENS,),
        "W_hq": (NUM_HIDDENS, VOCAB_SIZE),
        "b_q": (VOCAB_SIZE,),
    }


def test_collect_params_holds_the_five_parameters(net):
    attributes = {id(getattr(net, name)) for name in reference.NAMES}
    assert {id(parameter) for parameter in net.collect_params().values()} == attributes


def test_initialize_draws_matrices_and_zero_biases():
    net = d2lutil.RNN(50, 400)
    net.initialize()
    params = reference.values(net)
    for name in ("W_xh", "W_hh", "W_hq"):
        assert params[name].std() == pytest.approx(400**-0.5, rel=0.05)
    assert not params["b_h"].any()
    assert not params["b_q"].any()


def test_initialize_depends_on_the_seed_alone():
    first, again, other = (reference.values(reference.make_net(seed=s)) for s in (5, 5, 6))
    assert reference.difference(first, again) == 0
    assert reference.difference(first, other) > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_begin_state_is_zero_in_the_type_of_the_parameters(dtype):
    h = reference.make_net(dtype).begin_state(4)
    assert h.shape == (4, NUM_HIDDENS)
    assert h.dtype == dtype
    assert not h.asnumpy().any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_has_the_documented_shapes_and_types(dtype, text):
    net = reference.make_net(dtype)
    O, h = net(text[0], net.begin_state(BATCH_SIZE))
    assert O.shape == (NUM_STEPS, BATCH_SIZE, VOCAB_SIZE)
    assert h.shape == (BATCH_SIZE, NUM_HIDDENS)
    assert O.dtype == h.dtype == dtype


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_forward_equals_numpy(dtype, tolerance, text):
    net, state = reference.make_net(dtype), reference.make_state(dtype)
    O, h = net(text[0], state)
    O_reference, H = logits(net, text, state)
    assert abs(O.asnumpy() - O_reference).max() < tolerance
    assert abs(h.asnumpy() - H[-1]).max() < tolerance


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("recording", [False, True])
def test_forward_value_does_not_depend_on_the_scheme(name, recording, net, text, state):
    O_plain, h_plain = net(text[0], state)
    with autograd.record() if recording else autograd.pause():
        O, h = net(text[0], state, SCHEMES[name])
    assert abs(O.asnumpy() - O_plain.asnumpy()).max() < 1e-12
    assert abs(h.asnumpy() - h_plain.asnumpy()).max() < 1e-12


def test_forward_goes_on_from_the_returned_state(net, text, state):
    O_whole, h_whole = net(text[0], state)
    O_first, h = net(text[0][:9], state)
    O_second, h = net(text[0][9:], h)
    assert abs(np.concatenate([O_first, O_second]) - O_whole).max() < 1e-13
    assert abs(h - h_whole).max() < 1e-13


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_forward_takes_indices_of_any_integer_type(dtype, net, text, state):
    O, _ = net(text[0].astype(dtype), state)
    assert abs(O.asnumpy() - logits(net, text, state)[0]).max() < 1e-13


@pytest.mark.parametrize("convert", [list, numpy.ndarray.tolist, np.array])
def test_forward_takes_lists_and_mxnet_arrays(convert, net, text, state):
    O, _ = net(convert(text[0]), state)
    assert abs(O.asnumpy() - logits(net, text, state)[0]).max() < 1e-13


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("convert", [numpy.asarray, list, np.array])
def test_autograd_gradient_equals_the_one_by_hand(name, convert, net, text, state):
    (X, Y), xi = text, SCHEMES[name]
    state.attach_grad()
    with autograd.record():
        O, _ = net(X, state, convert(xi))
        loss = -npx.pick(npx.log_softmax(O), np.array(Y)).sum()
    loss.backward()
    rounded = np.array(xi).asnumpy().astype("float64") if convert is np.array else xi
    _, grads, dh = reference.backward(reference.values(net), X, Y, state.asnumpy(), rounded)
    assert reference.difference(reference.gradients(net), grads) < 1e-10
    assert abs(state.grad.asnumpy() - dh).max() < 1e-10


def test_no_scheme_means_full(net, text, state):
    grads = []
    for xi in (None, d2lutil.full(NUM_STEPS)):
        with autograd.record():
            O, _ = net(text[0], state, xi)
            (O**2).sum().backward()
        grads.append(reference.gradients(net))
    assert reference.difference(*grads) == 0


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("num_steps", [1, 2])
def test_smallest_sizes(num_steps, batch_size):
    net = d2lutil.RNN(1, 1)
    net.initialize()
    X = numpy.zeros((num_steps, batch_size), dtype="int32")
    O, h = net(X, net.begin_state(batch_size), d2lutil.regular(num_steps, 1))
    assert O.shape == (num_steps, batch_size, 1)
    assert h.shape == (batch_size, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64", None])
def test_saved_parameters_load_into_another_network(dtype, net, text, state, tmp_path):
    path = str(tmp_path / "net.params")
    net.save_parameters(path)
    other = reference.make_net(dtype, seed=8) if dtype else d2lutil.RNN(VOCAB_SIZE, NUM_HIDDENS)
    other.load_parameters(path)
    assert reference.difference(reference.values(net), reference.values(other)) == 0
    assert (other(text[0], state)[0] == net(text[0], state)[0]).all()


def test_loaded_parameters_learn(net, text, state, tmp_path):
    net.save_parameters(str(tmp_path / "net.params"))
    other = d2lutil.RNN(VOCAB_SIZE, NUM_HIDDENS)
    other.load_parameters(tmp_path / "net.params")
    for either in (net, other):
        d2lutil.bptt(either, *text, state, d2lutil.full(NUM_STEPS))
    assert reference.difference(reference.gradients(net), reference.gradients(other)) == 0


def test_parameters_load_in_another_thread(net, tmp_path):
    net.save_parameters(str(tmp_path / "net.params"))
    other = d2lutil.RNN(VOCAB_SIZE, NUM_HIDDENS)
    thread = threading.Thread(target=other.load_parameters, args=(tmp_path / "net.params",))
    thread.start()
    thread.join()
    assert reference.difference(reference.values(net), reference.values(other)) == 0


def test_a_missing_file_is_named(net, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"filename='.*nowhere' is no file; allowed"):
        net.load_parameters(tmp_path / "nowhere")


@pytest.mark.parametrize("stop", [0, 30, -10])
def test_a_damaged_file_is_named(stop, net, tmp_path):
    path = tmp_path / "net.params"
    net.save_parameters(str(path))
    path.write_bytes(path.read_bytes()[:stop])
    with pytest.raises(ValueError, match=r"filename='.*net.params' is damaged: "):
        net.load_parameters(path)


@pytest.mark.parametrize(
    ("change", "held"),
    [(dict.fromkeys(reference.NAMES, "int32"), "int32"), ({"b_q": "float32"}, "float32', ")],
)
def test_parameters_of_another_type_are_not_loaded(change, held, net, tmp_path):
    values = {name: getattr(net, name).data() for name in reference.NAMES}
    npx.save(str(tmp_path / "p"), {n: v.astype(change.get(n, "float64")) for n, v in values.items()})
    with pytest.raises(ValueError, match=rf"filename='.*p' holds \['{held}.*; allowed: one of float32"):
        net.load_parameters(tmp_path / "p")


def test_a_file_without_names_is_not_loaded(net, tmp_path):
    npx.save(str(tmp_path / "list"), [np.ones((2, 2))])
    with pytest.raises(ValueError, match=r"filename='.*list' holds no names; allowed: "):
        net.load_parameters(tmp_path / "list")


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_other_types_are_refused(dtype, net):
    with pytest.raises(ValueError, match=f"dtype={dtype}; allowed: float32, float64"):
        net.cast(dtype)


def test_parameters_of_another_shape_are_not_loaded(net, tmp_path):
    path = str(tmp_path / "net.params")
    net.save_parameters(path)
    with pytest.raises(ValueError, match=r"filename='.*net.params' holds .*; allowed: "):
        d2lutil.RNN(VOCAB_SIZE, NUM_HIDDENS + 1).load_parameters(path)


@pytest.mark.parametrize("value", [0, -3])
@pytest.mark.parametrize("name", ["vocab_size", "num_hiddens"])
def test_sizes_below_one_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}; allowed: an integer of at least 1"):
        d2lutil.RNN(**{"vocab_size": 5, "num_hiddens": 5, name: value})


def test_sizes_that_are_no_integers_are_refused(net):
    with pytest.raises(TypeError, match=r"num_hiddens=2\.5; allowed: an integer"):
        d2lutil.RNN(5, 2.5)
    with pytest.raises(TypeError, match="batch_size='2'; allowed: an integer"):
        net.begin_state("2")
    with pytest.raises(ValueError, match="batch_size=0; allowed: an integer of at least 1"):
        net.begin_state(0)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (0, 3), (3, 0)])
def test_text_of_another_shape_is_refused(shape, net, state):
    with pytest.raises(ValueError, match=r"X has shape \(.*allowed: integers \(num_steps"):
        net(numpy.zeros(shape, dtype="int32"), state)


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # NumPy 1.23
def test_text_in_rows_that_differ_in_length_is_refused(net, state):
    with pytest.raises(ValueError, match=r"X(=\[\[1, 2\], \[3\]\]| has shape .*); allowed"):
        net([[1, 2], [3]], state)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_text_that_is_no_integers_is_refused(dtype, net, text, state):
    with pytest.raises(ValueError, match=f"X has .* type {dtype}; allowed: integers"):
        net(text[0].astype(dtype), state)


@pytest.mark.parametrize("index", [-1, VOCAB_SIZE])
def test_index_outside_the_vocabulary_is_refused(index, net, text, state):
    text[0][4, 1] = index
    with pytest.raises(ValueError, match=rf"X holds indices .*{index}.*; allowed: 0 to 6"):
        net(text[0], state)


@pytest.mark.parametrize("shape", [(BATCH_SIZE + 1, NUM_HIDDENS), (BATCH_SIZE, 1), (NUM_HIDDENS,)])
def test_state_of_another_shape_is_refused(shape, net, text):
    with pytest.raises(ValueError, match=r"h has shape .*; allowed: .*\(3, 5\)"):
        net(text[0], np.zeros(shape, dtype="float64"))


def test_state_of_another_type_is_refused(net, text, state):
    with pytest.raises(ValueError, match=r"h has .* type float32; allowed: .*float64"):
        net(text[0], state.astype("float32"))


@pytest.mark.parametrize("h", [None, [[0.0]], numpy.zeros((BATCH_SIZE, NUM_HIDDENS))])
def test_state_that_is_no_mxnet_array_is_refused(h, net, text):
    with pytest.raises(TypeError, match=r"(?s)h=.*; allowed: an mxnet.np.ndarray float64 \(3, 5\)"):
        net(text[0], h)


@pytest.mark.parametrize("value", [-0.5, numpy.nan, numpy.inf])
def test_weight_that_is_negative_or_not_finite_is_refused(value, net, text, state):
    xi = d2lutil.full(NUM_STEPS)
    xi[6] = value
    with pytest.raises(ValueError, match=rf"xi\[6\]={value}; allowed: finite numbers >= 0"):
        net(text[0], state, xi)


def test_weight_beyond_the_range_of_the_states_is_refused(net, text, state):
    xi = numpy.full(NUM_STEPS, 1e39)
    net(text[0], state, xi)
    with pytest.raises(ValueError, match=r"xi\[0\]=1e\+39; allowed: finite numbers >= 0 of float32"):
        reference.make_net("float32")(text[0], reference.make_state("float32"), xi)


def test_scheme_of_another_length_is_refused(net, text, state):
    with pytest.raises(ValueError, match="xi holds 22 weights for num_steps=23; allowed"):
        net(text[0], state, d2lutil.full(NUM_STEPS - 1))
