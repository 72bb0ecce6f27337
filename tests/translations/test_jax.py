"""The loops of the page in JAX: states, gradients and updated parameters are MXNet's."""

import itertools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import loop_jax
import numpy
import optax
import pytest
import witnesses

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


def run(given, cell, loop, window=None, optimizer=None, **changed):
    """Run a loop; return the parameters, the last state, and what the optimizer remembers."""
    params, X, Y, state, arrays = inputs(given, cell, loop)
    for place, name in enumerate(given["arrays"] if arrays else ()):
        arrays[place] = changed.get(name, arrays[place])
    chosen = optimizer or loop_jax.frozen()
    k = window or given["window"]
    return getattr(loop_jax, loop)(CELLS[cell], params, X, Y, state, k, chosen, *arrays)


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


def open_borders(given, cell, weights, closed=()):
    """Return the gradients of the windows' losses, with the gradient stopped at some borders alone."""
    params, X, Y, state, (xi, begins, _) = inputs(given, cell, "train_gated")
    k, batch = given["window"], X.shape[1]

    def loss(params, last):
        h = state
        for window in range(last + 1):
            rows = slice(k * window, k * (window + 1))
            h = jax.lax.stop_gradient(h) if window in closed else h
            O, h = loop_jax.forward(CELLS[cell], params, X[rows], h, xi[rows], begins[rows])
        return loop_jax.summed_loss(O, Y[rows], weights[rows]) / (k * batch)

    return [jax.grad(loss)(params, last) for last in range(len(X) // k)]


def test_witnesses(mxnet, cell, agree):
    given, expected = mxnet["problem"], mxnet["witnesses"]
    weights = jnp.array(given["arrays"]["weights"])
    lost, last = (jnp.array(given["losses"][name]) for name in ("lost", "last"))
    (whole,) = run(given, cell, "train_gated", len(given["X"]))[2]

    def three(closed=None, weights=weights, **changed):
        if closed is None:
            pair = [run(given, cell, "train_gated", weights=w, **changed)[2] for w in (weights, last)]
        else:
            pair = [open_borders(given, cell, w, closed) for w in (weights, last)]
        return [
            witnesses.entrance([g["W_xh"] for g in pair[0]], given["tokens"]),
            witnesses.missing([g["W_hq"] for g in pair[0]], whole["W_hq"]),
            witnesses.inside([g["W_xh"] for g in pair[1]], given["tokens"]),
        ]

    found = {"right": three(), "open": three(()), "first": three((1,))}
    found["lost"] = three(weights=lost)
    found["every"] = three(xi=jnp.zeros_like(weights))
    agree("JAX, witnesses", found, {name: expected[f"{cell} {name}"] for name in found})
    assert found["right"][0] == found["every"][2] == 0


def test_targets_of_weight_0_are_not_read():
    O, weights = jnp.zeros((2, 1, 3)), jnp.array([[1.0], [0.0]])
    for unread in (-1, 0, 7):
        loss = loop_jax.summed_loss(O, jnp.array([[2], [unread]]), weights)
        assert abs(float(loss) - numpy.log(3)) < 1e-15


def test_the_truncated_loop_passes_both(mxnet, cell):
    given = mxnet["problem"]
    (whole,), seen = (run(given, cell, "train_chunks", k)[2] for k in (len(given["X"]), None))
    assert witnesses.entrance([g["W_xh"] for g in seen], given["tokens"]) == 0
    assert witnesses.missing([g["W_hq"] for g in seen], whole["W_hq"]) < 1e-15


def test_the_mean_over_all_draws_is_the_gradient_of_the_windows(mxnet, cell):
    """Windows of four steps, π = 0.7: all outcomes of the last three weights, with their chances."""
    params, X, Y, state, (_, _, weights) = inputs(mxnet["problem"], cell, "train_gated")
    pi, ones = 0.7, jnp.ones_like(weights)
    rest = CELLS[cell], params, X, jnp.maximum(Y, 0), state, 4, loop_jax.frozen()
    expected = loop_jax.train_chunks(*rest)[2]
    mean, once = jax.tree.map(jnp.zeros_like, expected), 0
    for draw in itertools.product([0, 1 / pi], repeat=3):
        xi = jnp.array([0, *draw] * (len(X) // 4))[:, None] * ones
        chance = numpy.prod([pi if value else 1 - pi for value in draw])
        found = loop_jax.train_gated(*rest, xi, ones == 0, ones)[2]
        mean = jax.tree.map(lambda m, g: m + chance * g, mean, found)  # noqa: B023
        once = max(once, float(abs(found[0]["W_hh"] - expected[0]["W_hh"]).max()))
    apart = jax.tree.map(lambda m, e: float(abs(m - e).max()), mean, expected)
    assert max(jax.tree.leaves(apart)) < 1e-15
    assert once > 1e-3  # no single draw has it


def test_jax_is_single_precision_until_double_is_enabled():
    show = "print(jax.numpy.array(numpy.ones(2)).dtype)"
    enable = 'jax.config.update("jax_enable_x64", True)'  # after the import
    code = f"import jax.numpy, numpy; {show}; {enable}; {show}"
    environ = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert run.stdout.split() == ["float32", "float64"]


def test_a_forgotten_axis_is_silent_where_the_sizes_agree():
    xi = jnp.array([0.0, 0.5])
    gradient = jax.grad(lambda h: loop_jax.carry(h, xi).sum())(jnp.ones((2, 2)))
    assert (gradient == xi).all()
    assert loop_jax.carry(jnp.ones((2, 1)), xi).shape == (2, 2)  # one unit becomes two
    with pytest.raises(ValueError, match="Incompatible shapes"):
        loop_jax.carry(jnp.ones((2, 3)), xi)
