"""The loops of the page in PyTorch: states, gradients and updated parameters are MXNet's."""

import functools
import itertools

import loop_torch
import numpy
import pytest
import schemes
import torch
import witnesses

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
    state = tuple(part[None].clone() for part in state) if fused else tuple(state)
    return net, state if cell == "lstm" else state[0]


def package_names(values):
    """Return what moves of a network, in the order of its parameters, as the package has it: transposed."""
    W_xh, W_hh, b_h, W_hq, b_q = (value.detach().numpy() for value in values)
    return {"W_xh": W_xh.T, "W_hh": W_hh.T, "b_h": b_h, "W_hq": W_hq.T, "b_q": b_q}


def run(given, cell, loop, window=None, optimizer=None, **changed):
    """Run a loop; return the network, the last state, and the gradients that a frozen optimizer keeps."""
    net, state = network(given, cell, loop)
    X, Y, arrays = tensors(given, loop)
    for place, name in enumerate(given["arrays"] if arrays else ()):
        arrays[place] = changed.get(name, arrays[place])
    chosen = optimizer(net.parameters()) if optimizer else loop_torch.Frozen(net)
    last = getattr(loop_torch, loop)(net, X, Y, state, window or given["window"], chosen, *arrays)
    return net, last, [] if optimizer else chosen.seen


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


def inputs(seen, name="cell.weight_ih"):
    """Return the gradients of the input weights, a row a token."""
    return [g[name].T for g in seen]


def both(seen, whole, given, names):
    """Return the two witnesses."""
    found = witnesses.entrance(inputs(seen, names[0]), given["tokens"])
    return [found, witnesses.missing([g[names[1]] for g in seen], whole[0][names[1]])]


def open_borders(monkeypatch, closed=()):
    """Leave out the detach at all borders but some, of which 1 is the first, and retain the record."""
    windows = itertools.count()

    def some(function, state):
        if function is torch.detach and next(windows) not in closed:
            return state
        return tuple(map(function, state)) if isinstance(state, tuple) else function(state)

    backward = functools.partialmethod(torch.Tensor.backward, retain_graph=True)
    monkeypatch.setattr(loop_torch, "each", some)
    monkeypatch.setattr(torch.Tensor, "backward", backward)


def test_witnesses(mxnet, cell, agree, monkeypatch):
    given, expected = mxnet["problem"], mxnet["witnesses"]
    names = ("cell.weight_ih", "out.weight")
    whole = run(given, cell, "train_gated", len(given["X"]))[2]
    lost, last = (torch.tensor(given["losses"][name], **F64) for name in ("lost", "last"))

    def three(closed=None, weights=None, **changed):
        seen = []
        for losses in ({} if weights is None else {"weights": weights}, {"weights": last}):
            with monkeypatch.context() as patch:
                if closed is not None:
                    open_borders(patch, closed)
                seen.append(run(given, cell, "train_gated", **losses, **changed)[2])
        return [*both(seen[0], whole, given, names), witnesses.inside(inputs(seen[1]), given["tokens"])]

    found = {"right": three(), "open": three(()), "first": three((1,)), "lost": three(weights=lost)}
    found["every"] = three(xi=torch.zeros_like(lost))
    agree("PyTorch, witnesses", found, {name: expected[f"{cell} {name}"] for name in found})
    assert found["right"][0] == found["every"][2] == 0


def test_one_token_sees_one_border(mxnet, cell, monkeypatch):
    open_borders(monkeypatch, closed=(1,))
    seen, tokens = run(mxnet["problem"], cell, "train_gated")[2], mxnet["problem"]["tokens"]
    assert witnesses.entrance(inputs(seen), tokens[:1]) == 0
    assert witnesses.entrance(inputs(seen), tokens) > 1e-4


@pytest.mark.parametrize("gates", [4, 8])
def test_the_control_finds_gates_that_are_open_at_every_fourth_step_alone(gates, mxnet, cell):
    given = mxnet["problem"]
    steps = torch.arange(len(given["X"])) % gates == 0
    xi = steps[:, None] * torch.ones(1, 3, **F64)
    last = torch.tensor(given["losses"]["last"], **F64)
    seen = run(given, cell, "train_gated", xi=xi, weights=last)[2]
    assert witnesses.inside(inputs(seen), given["tokens"]) == 0


@pytest.mark.parametrize("window", [w for w in range(1, 25) if w != 8])
def test_the_control_finds_windows_of_another_length(window, mxnet, cell):
    given = mxnet["problem"]
    last = torch.tensor(given["losses"]["last"], **F64)
    seen = run(given, cell, "train_gated", window, weights=last)[2]
    if len(seen) == len(given["tokens"]):
        assert witnesses.inside(inputs(seen), given["tokens"]) == 0
    else:
        with pytest.raises(ValueError, match="zip"):
            witnesses.inside(inputs(seen), given["tokens"])


class Embedded(torch.nn.Module):
    """The usual language model: an embedding, a layer and an output layer, perhaps of the same weights."""

    def __init__(self, tied):
        super().__init__()
        torch.manual_seed(0)
        self.emb, self.layer = torch.nn.Embedding(7, 4, **F64), torch.nn.RNN(4, 4, **F64)
        self.out = torch.nn.Linear(4, 7, **F64)
        if tied:
            self.out.weight = self.emb.weight

    def forward(self, X, state):
        H, state = self.layer(self.emb(X), state)
        return self.out(H), state


@pytest.mark.parametrize("tied", [False, True])
def test_a_token_is_a_row_of_an_embedding_and_tied_weights_deceive_the_test(tied, mxnet):
    given, net = mxnet["problem"], Embedded(tied)
    X, Y = torch.tensor(given["X"]), torch.tensor(given["Y"]).clamp(min=0)
    frozen = loop_torch.Frozen(net)
    loop_torch.train_chunks(net, X, Y, torch.zeros(1, 3, 4, **F64), given["window"], frozen)
    found = witnesses.entrance([g["emb.weight"] for g in frozen.seen], given["tokens"])
    assert found > 1e-3 if tied else found == 0
    if not tied:
        columns = witnesses.entrance(inputs(frozen.seen, "emb.weight"), [0, 1, 2])
        assert columns > 1e-4  # of a right loop


def test_the_truncated_loop_passes_both(mxnet, cell):
    given, names = mxnet["problem"], ("layer.weight_ih_l0", "out.weight")
    whole = run(given, cell, "train_chunks", len(given["X"]))[2]
    entrance, missing = both(run(given, cell, "train_chunks")[2], whole, given, names)
    assert entrance == 0
    assert missing < 1e-15


def test_the_frozen_optimizer_takes_a_scheduler_and_passes_over_what_is_not_in_use():
    net = torch.nn.ModuleDict({"used": torch.nn.Linear(2, 1), "unused": torch.nn.Linear(2, 1)})
    frozen = loop_torch.Frozen(net)
    scheduler = torch.optim.lr_scheduler.StepLR(frozen, step_size=1)
    net["used"](torch.ones(1, 2)).sum().backward()
    frozen.step()
    scheduler.step()
    assert list(frozen.seen[0]) == ["used.weight", "used.bias"]


def test_a_state_may_be_a_list_and_hold_states():
    state = [torch.zeros(1, requires_grad=True), (torch.zeros(2, requires_grad=True),)]
    first, (second,) = loop_torch.each(torch.detach, state)
    assert (first.shape, second.shape) == ((1,), (2,))
    assert not first.requires_grad
    assert not second.requires_grad


def test_the_exit_of_a_right_loop_fails_while_the_weights_move(mxnet, cell):
    given, kept = mxnet["problem"], []

    class Moving(torch.optim.SGD):
        def step(self):
            kept.append({"out.weight": self.param_groups[0]["params"][-2].grad.clone()})
            super().step()

    run(given, cell, "train_chunks", optimizer=functools.partial(Moving, lr=given["lr"]))
    whole = run(given, cell, "train_chunks", len(given["X"]))[2]
    assert witnesses.missing([g["out.weight"] for g in kept], whole[0]["out.weight"]) > 1e-3


@pytest.mark.parametrize("half", [lambda h, c: (h.detach(), c), lambda h, c: (h, c.detach())])
def test_half_a_detach_is_an_error(half, mxnet, monkeypatch):
    monkeypatch.setattr(loop_torch, "each", lambda function, state: half(*state))
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        run(mxnet["problem"], "lstm", "train_chunks")


@pytest.mark.parametrize("retain", [False, True])
def test_a_missing_detach_is_an_error(retain, mxnet, cell, loop, monkeypatch):
    """Without the past kept at once, and with it as soon as an update has been made."""
    if retain:
        open_borders(monkeypatch)
    else:
        monkeypatch.setattr(loop_torch, "each", lambda function, state: state)
    message = "modified by an inplace operation" if retain else "through the graph a second time"
    sgd = functools.partial(torch.optim.SGD, lr=0.1)
    with pytest.raises(RuntimeError, match=message):
        run(mxnet["problem"], cell, loop, optimizer=sgd)


def test_targets_of_weight_0_are_not_read():
    O = torch.zeros(2, 1, 3, **F64)
    weights = torch.tensor([[1.0], [0.0]], **F64)
    expected = numpy.log(3)
    for unread in (-1, 0, 7):
        loss = loop_torch.summed_loss(O, torch.tensor([[2], [unread]]), weights)
        assert abs(float(loss) - expected) < 1e-15


@pytest.mark.parametrize("cell_type", [torch.nn.RNNCell, torch.nn.LSTMCell])
def test_two_moving_biases_move_twice_as_far(cell_type):
    moved = []
    for frozen in (False, True):
        torch.manual_seed(0)
        cell = cell_type(3, 4, **F64)
        cell.bias_hh.requires_grad_(not frozen)
        before = (cell.bias_ih + cell.bias_hh).detach().clone()
        h = torch.ones(2, 4, **F64)
        found = cell(torch.ones(2, 3, **F64), (h, h) if cell_type is torch.nn.LSTMCell else h)
        (found[0] if isinstance(found, tuple) else found).sum().backward()
        torch.optim.SGD(cell.parameters(), lr=0.1).step()
        moved.append((cell.bias_ih + cell.bias_hh).detach() - before)
    assert abs(moved[1]).min() > 1e-4
    assert abs(moved[0] - 2 * moved[1]).max() < 1e-15


def test_the_two_biases_of_a_gru_are_not_only_added():
    torch.manual_seed(0)
    cell = torch.nn.GRUCell(3, 4, **F64)
    cell(torch.ones(2, 3, **F64), torch.ones(2, 4, **F64)).sum().backward()
    apart = abs(cell.bias_ih.grad - cell.bias_hh.grad)
    assert apart[:8].max() < 1e-15
    assert apart[8:].min() > 1e-3  # r times W_hn h + b_hn


def test_weights_of_numpy_are_float64_and_a_cell_of_float32_refuses():
    xi = torch.tensor(schemes.randomized((24, 3), 0.5, numpy.random.default_rng(0)))
    assert xi.shape == (24, 3)
    cell, h = torch.nn.RNNCell(5, 4), torch.zeros(3, 4)
    with pytest.raises(RuntimeError, match="same dtype"):
        cell(torch.zeros(3, 5), loop_torch.carry_columns(h, xi[0]))
    assert cell(torch.zeros(3, 5), loop_torch.carry_columns(h, xi[0].to(h.dtype))).dtype == h.dtype


def in_place(function, state, each=loop_torch.each):
    """Do what ``each`` does, with ``detach_`` in the place of ``detach``."""
    return each(torch.Tensor.detach_ if function is torch.detach else function, state)


def test_detach_in_place_does_the_same_behind_the_backward_pass(mxnet, cell, loop, monkeypatch):
    expected = run(mxnet["problem"], cell, loop)[2]
    monkeypatch.setattr(loop_torch, "each", in_place)
    found = run(mxnet["problem"], cell, loop)[2]
    assert all((a[name] == b[name]).all() for a, b in zip(found, expected, strict=True) for name in b)


def test_detach_in_place_is_an_error_on_a_view():
    h = torch.zeros(3, 4, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        h[None].detach_()


def test_a_forgotten_axis_is_silent_where_the_sizes_agree():
    xi = torch.tensor([0.0, 0.5], **F64)
    h = torch.ones(2, 2, **F64, requires_grad=True)
    loop_torch.carry(h, xi).sum().backward()
    assert (h.grad == xi).all()  # spread over the units; over the columns it would be xi[:, None]
    assert loop_torch.carry(torch.ones(2, 1, **F64), xi).shape == (2, 2)  # one unit becomes two
    with pytest.raises(RuntimeError, match="must match the size"):
        loop_torch.carry(torch.ones(2, 3, **F64), xi)
