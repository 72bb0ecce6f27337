from pathlib import Path

import mxnet
import numpy
import pytest
import reference
from mxnet import autograd, np, npx
from reference import BATCH_SIZE, CELLS, NUM_HIDDENS, NUM_STEPS, VOCAB_SIZE

import d2lutil

GATES = {"tanh": 1, "gru": 3, "lstm": 4}


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
    ours, others = (
        reference.autograd_gradients(lambda n=n: n(text[0], state), n, state, text[1]) for n in (net, other)
    )
    assert reference.difference(ours, others) == 0


def test_a_network_stays_on_its_device(net, text, state, tmp_path):
    O_plain, plain = net(text[0], state)
    net.save_parameters(tmp_path / "net.params")
    net.collect_params().reset_ctx(mxnet.cpu(1))
    for load in (False, True):
        if load:
            net.load_parameters(tmp_path / "net.params")
        assert [parameter.list_ctx() for parameter in net.parameters()] == [[mxnet.cpu(1)]] * len(net.names)
        assert {part.ctx for part in reference.parts(net.begin_state(2))} == {mxnet.cpu(1)}
        moved = tuple(part.as_in_ctx(mxnet.cpu(1)) for part in reference.parts(state))
        moved = moved if len(moved) > 1 else moved[0]
        with autograd.record():
            O, last = net(text[0], moved, *reference.columns(3))
            O.sum().backward()
        O, last = net(text[0], moved)
        assert {array.ctx for array in (O, *reference.parts(last), net.W_hh.grad())} == {mxnet.cpu(1)}
        assert abs(O.asnumpy() - O_plain.asnumpy()).max() == 0
        assert abs(reference.parts(last)[0].asnumpy() - reference.parts(plain)[0].asnumpy()).max() == 0


def test_parameters_load_onto_another_device(cell, net, tmp_path):
    net.save_parameters(tmp_path / "net.params")
    for other in (net, CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)):
        other.load_parameters(tmp_path / "net.params", ctx=mxnet.cpu(2))
        assert other.W_hq.list_ctx() == [mxnet.cpu(2)]
    net.load_parameters(tmp_path / "net.params", ctx=[mxnet.cpu(0), mxnet.cpu(1)])
    assert net.b_q.list_ctx() == [mxnet.cpu(0), mxnet.cpu(1)]
    for ctx in net.b_q.list_ctx():
        state = net.begin_state(1)
        state = [part.as_in_ctx(ctx) for part in reference.parts(state)]
        O, _ = net([[1]], state if cell == "lstm" else state[0])
        assert O.ctx == ctx
    with pytest.raises(TypeError, match=r"ctx='cpu'; allowed: an mxnet\.Context or a list of them"):
        net.load_parameters(tmp_path / "net.params", ctx="cpu")


def test_bptt_trains_a_network_on_its_device(cell):
    (X, Y), grads = reference.make_text(), []
    for device in (mxnet.cpu(0), mxnet.cpu(1)):
        net = reference.make_net(cell=cell)
        net.collect_params().reset_ctx(device)
        _, last = d2lutil.bptt(net, X, Y, net.begin_state(BATCH_SIZE), d2lutil.regular(NUM_STEPS, 4))
        assert {array.ctx for array in (*reference.parts(last), net.W_hh.grad())} == {device}
        grads.append(reference.gradients(net))
    assert reference.difference(*grads) == 0


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
