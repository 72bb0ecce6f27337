"""The loops of the page in PyTorch: states, gradients and updated parameters are MXNet's."""

import functools

import loop_torch
import numpy
import pytest
import torch

F64 = {"dtype": torch.float64}


def tensors(given, loop):
    """Return the text and the three arrays that a loop takes."""
    X, Y = (torch.tensor(given[key]) for key in "XY")
    one_hot = torch.nn.functional.one_hot(X).to(torch.float64)
    if loop == "train_chunks":
        return one_hot, Y.clamp(min=0), []
    arrays = given["arrays"]
    begins = torch.tensor(arrays["begins"])
    return one_hot, Y, [torch.tensor(arrays["xi"], **F64), begins, torch.tensor(arrays["weights"], **F64)]


def network(given, cell, loop):
    """Return a network with the parameters of the problem, and its first state."""
    own = given["cells"][cell]
    params = {name: torch.tensor(value, **F64) for name, value in own["params"].items()}
    vocab_size, num_hiddens = len(params["W_xh"]), len(params["W_hh"])
    fused = loop == "train_chunks"
    kinds = {"tanh": ("RNN", "RNNCell"), "lstm": ("LSTM", "LSTMCell")}[cell]
    inner = getattr(torch.nn, kinds[0 if fused else 1])(vocab_size, num_hiddens, **F64)
    net = (loop_torch.Fused if fused else loop_torch.Stepwise)(inner, vocab_size).to(torch.float64)
    ours = [params["W_xh"].T, params["W_hh"].T, params["b_h"], torch.zeros_like(params["b_h"])]
    with torch.no_grad():
        for target, value in zip(net.parameters(), [*ours, params["W_hq"].T, params["b_q"]], strict=True):
            target.copy_(value)
    state = [torch.tensor(part, **F64) for part in own["state"]]
    state = tuple(part[None] for part in state) if fused else tuple(state)
    return net, state if cell == "lstm" else state[0]


def package_names(values):
    """Return what moves of a network, in the order of its parameters, as the package has it: transposed."""
    W_xh, W_hh, b_h, W_hq, b_q = (value.detach().numpy() for value in values)
    return {"W_xh": W_xh.T, "W_hh": W_hh.T, "b_h": b_h, "W_hq": W_hq.T, "b_q": b_q}


def run(given, cell, loop, window=None, optimizer=None, weights=None):
    """Run a loop; return the network, the last state, and the gradients that a frozen optimizer keeps."""
    net, state = network(given, cell, loop)
    X, Y, arrays = tensors(given, loop)
    if weights is not None:
        arrays[2] = weights
    chosen = optimizer(net.parameters()) if optimizer else loop_torch.Frozen(net)
    last = getattr(loop_torch, loop)(net, X, Y, state, window or given["window"], chosen, *arrays)
    return net, last, [] if optimizer else chosen.seen


@pytest.fixture(params=["tanh", "lstm"])
def cell(request):
    return request.param


@pytest.fixture(params=["train_chunks", "train_gated"])
def loop(request):
    return request.param


def test_gradients(mxnet, cell, loop, agree):
    expected = mxnet[f"{cell} {loop}"]
    _, _, seen = run(mxnet["problem"], cell, loop)
    for own, theirs in zip(seen, expected["gradients"], strict=True):
        agree("PyTorch, gradients", package_names(own.values()), theirs)
    _, _, seen = run(mxnet["problem"], cell, loop, len(mxnet["problem"]["X"]))
    agree("PyTorch, gradients", package_names(seen[0].values()), expected["whole"])


def test_three_updates(mxnet, cell, loop, agree):
    given, expected = mxnet["problem"], mxnet[f"{cell} {loop}"]
    sgd = functools.partial(torch.optim.SGD, lr=given["lr"], momentum=given["momentum"])
    net, last, _ = run(given, cell, loop, optimizer=sgd)
    moved = [p for p in net.parameters() if p.requires_grad]
    agree("PyTorch, three updates", package_names(moved), expected["params"])
    parts = last if isinstance(last, tuple) else [last]
    state = {k: part.detach().numpy().reshape(3, -1) for k, part in enumerate(parts)}
    agree("PyTorch, states", state, dict(enumerate(expected["state"])))


def both(seen, whole, names):
    """Return the two witnesses."""
    token = next(iter(seen[0].values())).shape[1] - 1
    return [loop_torch.entrance(seen, names[0], token), loop_torch.missing(seen, whole[0], names[1])]


def test_witnesses(mxnet, cell, agree, monkeypatch):
    given, expected = mxnet["problem"], mxnet["witnesses"]
    names = "cell.weight_ih", "out.weight"
    whole = run(given, cell, "train_gated", len(given["X"]))[2]
    found = {"right": both(run(given, cell, "train_gated")[2], whole, names)}
    lost = torch.tensor(given["arrays"]["weights"], **F64)
    lost[:: given["window"]] = 0
    found["lost"] = both(run(given, cell, "train_gated", weights=lost)[2], whole, names)
    whole = run(given, cell, "train_chunks", len(given["X"]))[2]
    monkeypatch.setattr(loop_torch, "each", lambda function, state: state)
    backward = functools.partialmethod(torch.Tensor.backward, retain_graph=True)
    monkeypatch.setattr(torch.Tensor, "backward", backward)
    names = "layer.weight_ih_l0", "out.weight"
    found["open"] = both(run(given, cell, "train_chunks")[2], whole, names)
    agree("PyTorch, witnesses", found, {name: expected[f"{cell} {name}"] for name in found})
    assert found["right"][0] == 0


def test_the_truncated_loop_passes_both(mxnet, cell):
    given, names = mxnet["problem"], ("layer.weight_ih_l0", "out.weight")
    whole = run(given, cell, "train_chunks", len(given["X"]))[2]
    entrance, missing = both(run(given, cell, "train_chunks")[2], whole, names)
    assert entrance == 0
    assert missing < 1e-15


def test_the_exit_of_a_right_loop_fails_while_the_weights_move(mxnet, cell):
    given, kept = mxnet["problem"], []

    class Moving(torch.optim.SGD):
        def step(self):
            kept.append({"out.weight": self.param_groups[0]["params"][-2].grad.clone()})
            super().step()

    run(given, cell, "train_chunks", optimizer=functools.partial(Moving, lr=given["lr"]))
    whole = run(given, cell, "train_chunks", len(given["X"]))[2]
    assert loop_torch.missing(kept, whole[0], "out.weight") > 1e-3


@pytest.mark.parametrize("half", [lambda h, c: (h.detach(), c), lambda h, c: (h, c.detach())])
def test_half_a_detach_is_an_error(half, mxnet, monkeypatch):
    monkeypatch.setattr(loop_torch, "each", lambda function, state: half(*state))
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        run(mxnet["problem"], "lstm", "train_chunks")


def test_a_missing_detach_is_an_error(mxnet, cell, loop, monkeypatch):
    monkeypatch.setattr(loop_torch, "each", lambda function, state: state)
    if loop == "train_gated":
        monkeypatch.setattr(loop_torch, "enter", lambda state, xi, begins: state)
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        run(mxnet["problem"], cell, loop)


def test_a_retained_graph_does_not_survive_an_update(mxnet, cell, monkeypatch):
    monkeypatch.setattr(loop_torch, "each", lambda function, state: state)
    backward = functools.partialmethod(torch.Tensor.backward, retain_graph=True)
    monkeypatch.setattr(torch.Tensor, "backward", backward)
    sgd = functools.partial(torch.optim.SGD, lr=0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        run(mxnet["problem"], cell, "train_chunks", optimizer=sgd)


def test_targets_of_weight_0_are_not_read():
    O = torch.zeros(2, 1, 3, **F64)
    weights = torch.tensor([[1.0], [0.0]], **F64)
    expected = numpy.log(3)
    for unread in (-1, 0, 7):
        loss = loop_torch.summed_loss(O, torch.tensor([[2], [unread]]), weights)
        assert abs(float(loss) - expected) < 1e-15


def test_two_moving_biases_move_twice_as_far():
    moved = []
    for frozen in (False, True):
        torch.manual_seed(0)
        cell = torch.nn.RNNCell(3, 4, **F64)
        cell.bias_hh.requires_grad_(not frozen)
        before = (cell.bias_ih + cell.bias_hh).detach().clone()
        cell(torch.ones(2, 3, **F64)).sum().backward()
        torch.optim.SGD(cell.parameters(), lr=0.1).step()
        moved.append((cell.bias_ih + cell.bias_hh).detach() - before)
    assert abs(moved[1]).min() > 1e-3
    assert abs(moved[0] - 2 * moved[1]).max() < 1e-15


def in_place(function, state):
    """Do what ``each`` does, with ``detach_`` in the place of ``detach``."""
    pair = isinstance(state, tuple)
    function = torch.Tensor.detach_ if function is torch.detach else function
    return tuple(map(function, state)) if pair else function(state)


def test_detach_in_place_does_the_same_in_a_loop_of_cells(mxnet, cell, monkeypatch):
    expected = run(mxnet["problem"], cell, "train_gated")[2]
    monkeypatch.setattr(loop_torch, "each", in_place)
    found = run(mxnet["problem"], cell, "train_gated")[2]
    assert all((a[name] == b[name]).all() for a, b in zip(found, expected, strict=True) for name in b)


def test_detach_in_place_is_an_error_on_the_state_of_a_layer(mxnet, cell, monkeypatch):
    monkeypatch.setattr(loop_torch, "each", in_place)
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        run(mxnet["problem"], cell, "train_chunks")


def test_a_forgotten_axis_is_silent_where_the_sizes_agree():
    xi = torch.tensor([0.0, 0.5], **F64)
    h = torch.ones(2, 2, **F64, requires_grad=True)
    loop_torch.carry(h, xi).sum().backward()
    assert (h.grad == xi).all()  # spread over the units; over the columns it would be xi[:, None]
    with pytest.raises(RuntimeError, match="must match the size"):
        loop_torch.carry(torch.ones(2, 3, **F64), xi)
