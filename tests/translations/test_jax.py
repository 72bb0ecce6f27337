"""The loops of the page in JAX: logits, states, gradients and updated parameters are MXNet's."""

import jax
import jax.numpy as jnp
import loop_jax
import numpy
import optax
import pytest

CELLS = {"tanh": loop_jax.tanh_cell, "lstm": loop_jax.lstm_cell}


def inputs(given, cell, loop):
    """Return parameters, text, state and the arrays that a loop takes."""
    own = given["cells"][cell]
    params = {name: jnp.array(value) for name, value in own["params"].items()}
    X, Y = (jnp.array(given[key]) for key in "XY")
    state = tuple(jnp.array(part) for part in own["state"])
    arrays = [jnp.array(array) for array in given["arrays"].values()]
    if loop == "train_chunks":
        Y, arrays = jnp.maximum(Y, 0), []
    return params, jax.nn.one_hot(X, len(params["W_xh"])), Y, state if cell == "lstm" else state[0], arrays


def run(given, cell, loop, window=None, optimizer=None, weights=None):
    """Run a loop; return the parameters, the last state, and what the optimizer remembers."""
    params, X, Y, state, arrays = inputs(given, cell, loop)
    if weights is not None:
        arrays[2] = weights
    chosen = optimizer or loop_jax.frozen()
    k = window or given["window"]
    return getattr(loop_jax, loop)(CELLS[cell], params, X, Y, state, k, chosen, *arrays)


@pytest.fixture(params=CELLS)
def cell(request):
    return request.param


@pytest.fixture(params=["train_chunks", "train_gated"])
def loop(request):
    return request.param


def test_gradients(mxnet, cell, loop, agree):
    expected = mxnet[f"{cell} {loop}"]
    _, _, seen = run(mxnet["problem"], cell, loop)
    for own, theirs in zip(seen, expected["gradients"], strict=True):
        agree("JAX, gradients", own, theirs)
    _, _, (whole,) = run(mxnet["problem"], cell, loop, len(mxnet["problem"]["X"]))
    agree("JAX, gradients", whole, expected["whole"])


def test_three_updates(mxnet, cell, loop, agree):
    given, expected = mxnet["problem"], mxnet[f"{cell} {loop}"]
    params, last, _ = run(given, cell, loop, optimizer=optax.sgd(given["lr"], momentum=given["momentum"]))
    agree("JAX, three updates", params, expected["params"])
    agree("JAX, states", dict(enumerate(jax.tree.leaves(last))), dict(enumerate(expected["state"])))


def open_borders(given, cell):
    """Return the gradients of the windows' losses, each taken back to the first step of the text."""
    params, X, Y, state, _ = inputs(given, cell, "train_chunks")
    k, batch = given["window"], X.shape[1]

    def loss(params, start):
        ones = jnp.ones((start + k, batch))
        O, _ = loop_jax.forward(CELLS[cell], params, X[: start + k], state, ones, ones == 0)
        return loop_jax.summed_loss(O[start:], Y[start : start + k], ones[start:]) / (k * batch)

    return [jax.grad(loss)(params, start) for start in range(0, len(X), k)]


def test_witnesses(mxnet, cell, agree):
    given, expected = mxnet["problem"], mxnet["witnesses"]

    def both(seen, whole):
        token = len(seen[0]["W_xh"]) - 1
        return [loop_jax.entrance(seen, "W_xh", token), loop_jax.missing(seen, whole[0], "W_hq")]

    _, _, whole = run(given, cell, "train_gated", len(given["X"]))
    found = {"right": both(run(given, cell, "train_gated")[2], whole)}
    lost = jnp.array(given["arrays"]["weights"]).at[:: given["window"]].set(0)
    found["lost"] = both(run(given, cell, "train_gated", weights=lost)[2], whole)
    _, _, whole = run(given, cell, "train_chunks", len(given["X"]))
    found["open"] = both(open_borders(given, cell), whole)
    agree("JAX, witnesses", found, {name: expected[f"{cell} {name}"] for name in found})
    assert found["right"][0] == 0


def test_targets_of_weight_0_are_not_read():
    O, weights = jnp.zeros((2, 1, 3)), jnp.array([[1.0], [0.0]])
    for unread in (-1, 0, 7):
        loss = loop_jax.summed_loss(O, jnp.array([[2], [unread]]), weights)
        assert abs(float(loss) - numpy.log(3)) < 1e-15
