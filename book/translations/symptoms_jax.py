"""The mistakes of ``detach-clinic.ipynb`` in JAX.

A loop takes one gradient a chunk. Where a mistake needs a record that
outlives a chunk, one gradient is taken of a function that holds all chunks.
"""

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy
import optax
from jax.lax import stop_gradient
from symptoms import (
    CHUNKS,
    H0,
    LSTM,
    PARAMS,
    PI,
    SEGMENTS,
    TARGET,
    TAU,
    W,
    X,
    Y,
    h0,
    register,
)

jax.config.update("jax_enable_x64", True)
CASES, case = register()


def fresh(values=PARAMS):
    """Return new parameters."""
    return list(map(jnp.array, values))


def kept(h):
    """Cut nothing."""
    return h


def dropping(h):
    """Drop the result of stop_gradient."""
    stop_gradient(h)
    return h


def first_border():
    """Return a function that cuts the first of the two borders alone."""
    turns = iter([False, True, False])
    return lambda h: stop_gradient(h) if next(turns) else h


def step(params, h, t):
    """Return the next state and its loss."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    h = jnp.tanh(W_xh[X[t]] + h @ W_hh + b_h)
    scores = jax.nn.log_softmax(h @ W_hq + b_q)
    return h, -scores[jnp.arange(3), Y[t]].sum()


def chunk_loss(params, h, chunk, inside=None):
    """Return the loss of a chunk, and its last state."""
    L = 0.0
    for t in chunk:
        h = inside(h, t) if inside else h
        h, l_t = step(params, h, t)
        L = L + l_t
    return L, h


def add(total, gradients):
    """Add gradients up."""
    return [a + g for a, g in zip(total, gradients, strict=True)]


def unmoved(params, g):
    """Update nothing."""
    return params


def each_chunk(hand_on=kept, chunks=CHUNKS, inside=None, update=unmoved):
    """Yield the gradient of each chunk; between them comes the update."""
    params, h = fresh(), jnp.array(h0)
    for chunk in chunks:
        g, h = jax.grad(chunk_loss, has_aux=True)(
            params, hand_on(h), chunk, inside
        )
        params = update(params, g)
        yield g


def loop(hand_on=kept, **how):
    """Return the gradients of a loop with a gradient a chunk, added up."""
    return reduce(add, each_chunk(hand_on, **how))


def at_once(hand_on):
    """Return one gradient of a function that holds all chunks."""

    def loss(params):
        h, L = jnp.array(h0), 0.0
        for chunk in CHUNKS:
            part, h = chunk_loss(params, hand_on(h), chunk)
            L = L + part
        return L

    return jax.grad(loss)(fresh())


@case
def frozen():
    """Put an update that moves nothing in the place of the real one."""
    return loop(update=unmoved), at_once(stop_gradient)


def sgd(params, g):
    """Return the weights after an update."""
    return [p - 0.01 * d for p, d in zip(params, g, strict=True)]


@case
def moving():
    """Judge a right loop while its optimizer moves the weights."""
    return loop(update=sgd)[3:], loop()[3:]


@case
def none():
    """Hand the state on as it is: an array has no record."""
    return loop(kept), at_once(stop_gradient)


@case
def none_copy():
    """Hand on a copy of it."""
    return loop(lambda h: h * 1.0), at_once(stop_gradient)


@case
def none_retained():
    """Hand it on within one function."""
    return at_once(kept), at_once(stop_gradient)


@case
def none_updated():
    """Hand it on, and update the weights after each chunk."""
    return loop(update=sgd), loop(stop_gradient, update=sgd)


@case
def first_only():
    """Cut the first border alone, within one function."""
    return at_once(first_border()), at_once(stop_gradient)


@case
def dropped():
    """Drop the result of stop_gradient."""
    return loop(dropping), at_once(stop_gradient)


@case
def dropped_retained():
    """Drop it within one function."""
    return at_once(dropping), at_once(stop_gradient)


@case
def in_place():
    """Look for a detach in place."""
    return loop(inside=lambda h, t: h.detach_()), loop()


@case
def in_place_exit():
    """Take the exit of that loop."""
    return in_place()


@case
def in_place_border():
    """Look for it at the border."""
    return loop(lambda h: h.detach_()), loop()


@case
def written():
    """Write into a state whose gradient is stopped."""

    def loss(params):
        h, L = step(params, jnp.array(h0), 0)
        stop_gradient(h)[1] = 0
        return L

    params = fresh()
    return jax.grad(loss)(params), loop(chunks=[[0]])


@case
def rows():
    """Detach one row of the state in place."""

    def inside(h, t):
        if t == 2:
            h[1] = stop_gradient(h[1])
        return h

    return loop(inside=inside), loop()


@case
def rows_masked():
    """Detach one row by a mask: no mistake, compared with no such cut."""
    row = jnp.array([[False], [True], [False]])

    def inside(h, t):
        return jnp.where(row, stop_gradient(h), h) if t == 2 else h

    return loop(inside=inside), loop()


@case
def each_after():
    """Take the gradient of each loss."""

    def one_loss(params, t):
        h = chunk_loss(params, jnp.array(h0), range(t))[1]
        return step(params, h, t)[1]

    total, params = [0.0] * 5, fresh()
    for t in range(len(X)):
        total = add(total, jax.grad(one_loss)(params, t))
    return total, loop(chunks=[range(12)])


@case
def each_inside():
    """Take the gradient of each loss at once, and go on with the state."""
    each = [[t] for t in range(12)]
    return loop(chunks=each), loop(chunks=[range(12)])


@case
def stale():
    """Update between the forward pass and a backward pass over it."""
    h, back = jax.vjp(lambda w: w * (w * 1.0), 3.0)
    w_new = 5.0
    _, last = jax.vjp(lambda w, h: w * h, w_new, h)
    through_w, through_h = last(1.0)
    return [through_w + back(through_h)[0]], [3**2 + 2 * 5 * 3]


@case
def stale_data():
    """Look for an update through .data."""
    w = jnp.array(3.0)
    w.data += 2
    return [w], [w]


@case
def no_record():
    """Stop the gradient of the loss itself."""

    def loss(params):
        L, _ = chunk_loss(params, jnp.array(h0), range(12))
        return stop_gradient(L)

    params = fresh()
    return jax.grad(loss)(params), loop(chunks=[range(12)])


@case
def through_numpy():
    """Clip the state by NumPy inside a chunk."""

    def inside(h, t):
        return jnp.array(numpy.asarray(h).clip(-5, 5)) if t % TAU else h

    return loop(inside=inside), loop()


@case
def through_numpy_detached():
    """Stop the gradient of the state inside a chunk, as a copy would."""

    def inside(h, t):
        return stop_gradient(h).clip(-5, 5) if t % TAU else h

    return loop(inside=inside), loop()


@case
def not_zeroed():
    """Do nothing about gradients between chunks; one update for all."""
    *_, used = each_chunk()
    return used, loop()


@case
def not_zeroed_updates():
    """Do nothing about them, and use them after each chunk."""
    *_, used = each_chunk()
    return used, list(each_chunk())[2]


def passes(only_new=True, k1=2, k2=4):
    """Go back k2 steps every k1 steps."""

    def loss(params, h, first, start):
        old, h = chunk_loss(params, h, range(first, start))
        new, _ = chunk_loss(params, h, range(start, start + k1))
        return new if only_new else old + new

    params, states, total = fresh(), [], [0.0] * 5
    states.append(jnp.array(h0))
    for t in range(len(X)):
        states.append(step(params, states[t], t)[0])
    for start in range(0, len(X), k1):
        first = max(start + k1 - k2, 0)
        g = jax.grad(loss)(params, states[first], first, start)
        total = add(total, g)
    return total


@case
def twice():
    """Start each pass from all losses of the look-back, (k1, k2) = (2, 4)."""
    return passes(only_new=False), passes()


@case
def state_gradients():
    """Go back by hand from state to state: nothing is stored in a state."""
    h, backs = H0, []
    for _ in range(3):
        h, back = jax.vjp(lambda w, h: w * h, W, h)
        backs.append(back)
        used, delta = 0.0, 1.0
        for back in reversed(backs):
            part, delta = back(delta)
            used = used + part
    return [used], [3 * W**2 * H0]


@case
def split():
    """Give the length of a chunk to a function that takes a number."""
    parts = jnp.array_split(jnp.arange(len(X)), TAU)
    return loop(chunks=[part.tolist() for part in parts]), loop()


@case
def by_drawn_length():
    """Divide the loss of each segment by its drawn length."""
    parts = list(each_chunk(chunks=SEGMENTS))
    divided = [
        [a / (len(segment) * (1 - PI)) for a in g]
        for segment, g in zip(SEGMENTS, parts, strict=True)
    ]
    return reduce(add, divided), reduce(add, parts)


def first_states(optimizer):
    """Train a first state that only the first chunk uses."""
    params, h, after = (jnp.zeros(3), jnp.full(3, 0.5)), None, []
    memory = optimizer.init(params)

    def loss(params, h):
        start, w = params
        h = jnp.tanh(w * (start + 0.1 if h is None else h) + 0.2)
        return (h * h).sum(), h

    for _ in range(3):
        g, h = jax.grad(loss, has_aux=True)(params, h)
        change, memory = optimizer.update(g, memory, params)
        params = optax.apply_updates(params, change)
        after.append(params[0])
    return [after[2]], [after[0]]


@case
def unused():
    """Do so by plain gradient descent."""
    return first_states(optax.sgd(0.1))


@case
def unused_momentum():
    """Do so with momentum: the gradient is 0, and the parameter moves."""
    return first_states(optax.sgd(0.1, momentum=0.9))


@case
def unused_zero():
    """Do so: JAX knows no other than a gradient of 0."""
    return unused_momentum()


@case
def unused_adam():
    """Do so with Adam."""
    return first_states(optax.adam(0.1))


@case
def reset():
    """Begin every chunk from zero."""
    return loop(jnp.zeros_like), loop()


def lstm_step(params, h, c, t):
    """Return the next h and c of an LSTM."""
    W_xh, W_hh, b_h = params
    gates = W_xh[X[t]] + h @ W_hh + b_h
    i, f, g, o = jnp.split(gates, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def lstm_loss(params, h, c, chunk):
    """Return the loss of a chunk, and its last state."""
    L = 0.0
    for t in chunk:
        h, c = lstm_step(params, h, c, t)
        L = L + (h * TARGET[t]).sum()
    return L, (h, c)


def lstm_at_once(hand_on):
    """Return one gradient of a function that holds all chunks."""

    def loss(params):
        state, L = (jnp.zeros((3, 4)), jnp.zeros((3, 4))), 0.0
        for chunk in CHUNKS:
            part, state = lstm_loss(params, *hand_on(*state), chunk)
            L = L + part
        return L

    return jax.grad(loss)(fresh(LSTM))


def both(h, c):
    """Cut both halves."""
    return stop_gradient(h), stop_gradient(c)


@case
def half():
    """Detach only h, with a gradient a chunk: arrays have no record."""
    (h, c), total = (jnp.zeros((3, 4)), jnp.zeros((3, 4))), [0.0] * 3
    for chunk in CHUNKS:
        g, (h, c) = jax.grad(lstm_loss, has_aux=True)(
            fresh(LSTM), stop_gradient(h), c, chunk
        )
        total = add(total, g)
    return total, lstm_at_once(both)


@case
def half_retained():
    """Detach only h, within one function."""
    one = lstm_at_once(lambda h, c: (stop_gradient(h), c))
    return one, lstm_at_once(both)


@case
def rows_lstm():
    """Detach one row of its state in place."""

    def hand_on(h, c):
        h[1] = stop_gradient(h[1])
        return h, c

    return lstm_at_once(hand_on), lstm_at_once(both)


@case
def state_gradients_lstm():
    """Walk back from state to state with both halves: no mistake."""
    params, zero, backs = fresh(LSTM), jnp.zeros((3, 4)), []
    state = zero, zero
    for t in range(4):
        state, back = jax.vjp(partial(lstm_step, t=t), params, *state)
        backs.append(back)
    delta, total = (jnp.array(TARGET[3]), zero), [0.0] * 3
    for back in reversed(backs):
        part, *delta = back(tuple(delta))
        total = add(total, part)

    def last_loss(params):
        h, c = zero, zero
        for t in range(4):
            h, c = lstm_step(params, h, c, t)
        return (h * TARGET[3]).sum()

    return total, jax.grad(last_loss)(params)
