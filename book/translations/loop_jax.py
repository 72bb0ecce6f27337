"""The book's loop in JAX, shown on the page *translations*."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax.lax import stop_gradient
from jax.nn import sigmoid


def carry(h, xi):
    """Hand a state on: its value as it is, its gradient times xi."""
    return stop_gradient(h) - xi * (stop_gradient(h) - h)


def carry_columns(h, xi):
    """Do the same with one weight a column, (batch_size,)."""
    return carry(h, xi[:, None])


def enter(state, xi, begins):
    """Return the state that a step begins with: gated, or zero."""

    def part(s):
        return jnp.where(begins[:, None], 0, carry_columns(s, xi))

    return jax.tree.map(part, state)


def tanh_cell(params, x, h):
    """Return the next state, and the hidden state in it."""
    A = x @ params["W_xh"] + h @ params["W_hh"] + params["b_h"]
    return jnp.tanh(A), jnp.tanh(A)


def lstm_cell(params, x, state):
    """Return the next state (h, c), and the hidden state in it."""
    h, c = state
    A = x @ params["W_xh"] + h @ params["W_hh"] + params["b_h"]
    i, f, g, o = jnp.split(A, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    h = sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def forward(cell, params, X, state, xi, begins):
    """Return the logits of all steps, and the last state."""

    def step(state, inputs):
        x, weight, begin = inputs
        return cell(params, x, enter(state, weight, begin))

    state, H = jax.lax.scan(step, state, (X, xi, begins))
    return H @ params["W_hq"] + params["b_q"], state


def summed_loss(O, Y, weights):
    """Return Σ weights · l; where a weight is 0, the target is not read."""
    Y = jnp.where(weights > 0, Y, 0)
    l = optax.softmax_cross_entropy_with_integer_labels(O, Y)
    return (weights * l).sum()


@partial(jax.jit, static_argnums=0)
def gradient(cell, params, state, X, Y, xi, begins, weights):
    """Return the gradient of a window's loss, and its last state."""

    def loss(params):
        O, last = forward(cell, params, X, state, xi, begins)
        return summed_loss(O, Y, weights), last

    return jax.grad(loss, has_aux=True)(params)


def train_chunks(cell, params, X, Y, state, k, optimizer):
    """Update after every k steps; each gradient ends where they begin."""
    memory, batch = optimizer.init(params), X.shape[1]
    for start in range(0, len(X), k):
        x, y = X[start : start + k], Y[start : start + k]
        ones = jnp.ones((len(x), batch))
        gates = ones, ones == 0, ones / (k * batch)
        g, state = gradient(cell, params, state, x, y, *gates)
        updates, memory = optimizer.update(g, memory, params)
        params = optax.apply_updates(params, updates)
    return params, state, memory


def train_gated(cell, params, X, Y, state, k, optimizer, xi, begins, weights):
    """Update after every k steps, with the three arrays in between."""
    memory, weights = optimizer.init(params), weights / (k * X.shape[1])
    for start in range(0, len(X), k):
        window = [a[start : start + k] for a in (X, Y, xi, begins, weights)]
        g, state = gradient(cell, params, state, *window)
        updates, memory = optimizer.update(g, memory, params)
        params = optax.apply_updates(params, updates)
    return params, state, memory


def frozen():
    """Return an optimizer that moves nothing and keeps every gradient."""

    def update(gradients, seen, params=None):
        rest = jax.tree.map(jnp.zeros_like, gradients)
        return rest, (*seen, gradients)

    return optax.GradientTransformation(lambda params: (), update)
