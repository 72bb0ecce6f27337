# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import numpy
from d2lutil import example
from mxnet import np

F, J = example.step_derivatives()  # (6,) each: immediate, Jacobian
e = example.responses()  # (6,): ∂l_t/∂h_t


def go_back(e, J):
    """Return δ, an array (num_steps,), and what arrives at h_0."""
    delta, returned = numpy.zeros(len(e)), 0.0  # nothing comes after
    for t in reversed(range(len(e))):
        delta[t] = e[t] + returned
        returned = delta[t] * J[t]  # to the state before
    return delta, returned


def cross_entropy(O, y):
    """Return the losses' sum and ∂l/∂o, for logits (batch_size, V)."""
    rows = numpy.arange(len(y))
    O = O - O.max(axis=1, keepdims=True)  # keeps exp finite
    log_p = O - numpy.log(numpy.exp(O).sum(axis=1, keepdims=True))
    dO = numpy.exp(log_p)  # softmax
    dO[rows, y] -= 1
    return -log_p[rows, y].sum(), dO


# %% stub exercise="ex-bw-seven"
# Seven numbers, that of the first step first.
delta_seven = ...

# By how much the gradient changes, with its sign.
change_seven = ...

# The numbers of those rows and columns, of the six that there were, whose sum
# has changed: lists, counted from 1.
rows_changed = ...
columns_changed = ...

# %% solution exercise="ex-bw-seven"
delta_seven, _ = go_back([*e, 1], [*J, 0.45])
change_seven = delta_seven @ [*F, 0.216] - go_back(e, J)[0] @ F
rows_changed = []
columns_changed = [1, 2, 3, 4, 5, 6]

# %% wrong exercise="ex-bw-seven" belief="a new step adds one term and leaves the others"
delta_seven = [1.28288, 0.3536, 3.008, 0.84, -0.2, 1, 1]
change_seven = 0.216
rows_changed = []
columns_changed = []

# %% wrong exercise="ex-bw-seven" belief="a step returns with the Jacobian of the step before"
delta_seven, back = [], 0.0
for e_t, J_t in zip([1, *e[::-1]], [0.45, *J[::-1]], strict=True):
    back = e_t + J_t * back
    delta_seven.insert(0, back)
change_seven = delta_seven @ numpy.array([*F, 0.216]) - 1.431552
rows_changed = []
columns_changed = [1, 2, 3, 4, 5, 6]

# %% wrong exercise="ex-bw-seven" belief="only the columns near the new step change"
delta_seven, _ = go_back([*e, 1], [*J, 0.45])
change_seven = delta_seven @ [*F, 0.216] - go_back(e, J)[0] @ F
rows_changed = []
columns_changed = [5, 6]

# %% visible exercise="ex-bw-seven"
assert delta_seven is not ..., "delta_seven is still empty"
assert numpy.shape(delta_seven) == (7,), "there are seven responses δ"
assert abs(float(delta_seven[6]) - 1) < 1e-4, (
    "nothing comes after step 7, so its δ is its own response"
)
assert change_seven is not ..., "change_seven is still empty"
assert numpy.isfinite(float(change_seven)), "change_seven is a number"
for listed in (rows_changed, columns_changed):
    assert listed is not ..., "a list is still empty; none at all is []"
    numbers = {int(number) for number in listed}
    assert numbers <= set(range(1, 7)), "the six are counted from 1 to 6"

# %% hidden exercise="ex-bw-seven"
F_t, J_t = (
    numpy.append(a, b)
    for a, b in zip(example.step_derivatives(), (0.216, 0.45), strict=True)
)
e_t = numpy.append(example.responses(), 1.0)
cells = numpy.array(
    [
        [
            e_t[t] * J_t[i + 1 : t + 1].prod() * F_t[i] * (i <= t)
            for i in range(7)
        ]
        for t in range(7)
    ]
)  # every term by itself
given = numpy.asarray(delta_seven, dtype=float)
assert abs(given - cells.sum(axis=0) / F_t).max() < 5e-3, (
    "begin at step 7 and go back: which Jacobian stands between two states?"
)
assert abs(float(change_seven) - cells[6].sum()) < 2e-3, (
    "by how much does the sum of all cells change when row 7 is added?"
)
for axis, listed, name in (
    (1, rows_changed, "row"),
    (0, columns_changed, "column"),
):
    moved = abs(cells[:6, :6].sum(axis) - cells[:, :6].sum(axis)[:6]) > 1e-9
    numbers = {int(number) for number in listed}
    assert numbers == set((numpy.flatnonzero(moved) + 1).tolist()), (
        f"add up each {name} of the six before and after: where did a cell "
        "come in?"
    )

# %% stub exercise="ex-bw-twice"
# The sum over three steps of δ_t times the total derivative of h_t, where
# step 3 is the last.
sum_of_totals = ...


def times_counted(t, i):
    """Return how often that sum counts the term (t, i), for i <= t."""
    ...


# %% solution exercise="ex-bw-twice"
totals = example.state_terms()[:3].sum(axis=1)
sum_of_totals = go_back(e[:3], J[:3])[0] @ totals


def times_counted(t, i):
    """Return how often that sum counts the term (t, i), for i <= t."""
    return t - i + 1


# %% wrong exercise="ex-bw-twice" belief="δ times the total derivative is the gradient"
sum_of_totals = 0.688


def times_counted(t, i):
    return 1


# %% wrong exercise="ex-bw-twice" belief="a term is counted once for each of its Jacobians"
sum_of_totals = 1.2384


def times_counted(t, i):
    return t - i


# %% wrong exercise="ex-bw-twice" belief="every term below the diagonal is counted twice"
sum_of_totals = 1.2384


def times_counted(t, i):
    return 1 if t == i else 2


# %% visible exercise="ex-bw-twice"
assert sum_of_totals is not ..., "sum_of_totals is still empty"
assert numpy.isfinite(float(sum_of_totals)), "sum_of_totals is a number"
assert times_counted(5, 2) is not None, "times_counted returns nothing yet"
assert float(times_counted(5, 2)) == int(times_counted(5, 2)), (
    "a term is counted a whole number of times"
)

# %% hidden exercise="ex-bw-twice"
F_t, J_t = example.step_derivatives()
e_t = example.responses()
total = expected = 0.0
for s in range(3):  # one state after the other, each derivative by its paths
    to_loss = sum(e_t[t] * J_t[s + 1 : t + 1].prod() for t in range(s, 3))
    to_state = sum(J_t[i + 1 : s + 1].prod() * F_t[i] for i in range(s + 1))
    expected += to_loss * to_state
assert abs(float(sum_of_totals) - expected) < 2e-3, (
    "take the three δ of the chapter's first table, and the derivatives of "
    "h_1, h_2 and h_3 by the weight, with all earlier uses in them"
)
for t in range(1, 9):
    for i in range(1, t + 1):
        often = sum(i <= s <= t for s in range(1, 10))
        assert times_counted(t, i) == often, (
            "for which states s is the use at step i in the total derivative "
            "of h_s, and the loss of step t in the δ of h_s?"
        )


# %% stub exercise="ex-bw-count"
def products_by_columns(T):
    """Return the number of products of a row with a Jacobian, T steps."""
    ...


def products_one_by_one(T):
    """Return it where each term is computed by itself, from the left."""
    ...


# %% solution exercise="ex-bw-count"
def products_by_columns(T):
    """Return the number of products of a row with a Jacobian, T steps."""
    return T - 1


def products_one_by_one(T):
    """Return it where each term is computed by itself, from the left."""
    return (T - 1) * T * (T + 1) // 6


# %% wrong exercise="ex-bw-count" belief="a term costs one product"
def products_by_columns(T):
    return T - 1


def products_one_by_one(T):
    return T * (T + 1) // 2


# %% wrong exercise="ex-bw-count" belief="the work by columns is that of the terms"
def products_by_columns(T):
    return T * (T - 1) // 2


def products_one_by_one(T):
    return (T - 1) * T * (T + 1) // 6


# %% visible exercise="ex-bw-count"
for count in (products_by_columns, products_one_by_one):
    assert count(6) is not None, f"{count.__name__} returns nothing yet"
    assert float(count(6)) == int(count(6)), "a count is a whole number"
    assert count(60) > count(6), "more steps need more products"


# %% hidden exercise="ex-bw-count"
class Counted:
    """A number that counts how often a row is multiplied by a Jacobian."""

    def __init__(self, value):
        self.value = value

    def __matmul__(self, jacobian):
        counts[-1] += 1
        return Counted(self.value * jacobian)


counts = []
for T in (1, 2, 3, 6, 20, 41):
    counts.append(0)
    arriving = Counted(1.0)
    for _ in range(T - 1):
        arriving = Counted((arriving @ 0.5).value + 1.0)
    assert products_by_columns(T) == counts[-1], (
        "how many products does the loop backwards need? Try it with one, two "
        "and three steps"
    )
    counts.append(0)
    for t in range(T):
        for i in range(t + 1):
            row = Counted(1.0)
            for _ in range(i + 1, t + 1):
                row = row @ 0.5
    assert products_one_by_one(T) == counts[-1], (
        "how many Jacobians does the term (t, i) contain? Add that up over "
        "all terms of three steps by hand"
    )


# %% stub exercise="ex-bw-gate"
def go_back_gated(e, J, xi):
    """Return δ, an array (num_steps,), under the weights xi.

    Step t hands what it returns to the state before it on times xi[t]. All
    three are arrays (num_steps,).
    """
    ...


# %% solution exercise="ex-bw-gate"
def go_back_gated(e, J, xi):
    """Return δ, an array (num_steps,), under the weights xi."""
    delta, returned = numpy.zeros(len(e)), 0.0
    for t in reversed(range(len(e))):
        delta[t] = e[t] + returned
        returned = xi[t] * delta[t] * J[t]
    return delta


# %% wrong exercise="ex-bw-gate" belief="the weight of a step is on what arrives there"
def go_back_gated(e, J, xi):
    delta, returned = numpy.zeros(len(e)), 0.0
    for t in reversed(range(len(e))):
        delta[t] = e[t] + xi[t] * returned
        returned = delta[t] * J[t]
    return delta


# %% wrong exercise="ex-bw-gate" belief="a cut takes the step's own loss away as well"
def go_back_gated(e, J, xi):
    delta, returned = numpy.zeros(len(e)), 0.0
    for t in reversed(range(len(e))):
        delta[t] = xi[t] * (e[t] + returned)
        returned = delta[t] * J[t]
    return delta


# %% visible exercise="ex-bw-gate"
uncut = go_back_gated(e, J, numpy.ones(6))
assert uncut is not None, "go_back_gated returns nothing yet"
assert numpy.shape(uncut) == (6,), "there is one δ for each of the six steps"
six = [1.28288, 0.3536, 3.008, 0.84, -0.2, 1]
assert abs(numpy.asarray(uncut, dtype=float) - six).max() < 1e-4, (
    "with all weights 1 these are the six brackets of the chapter"
)

# %% hidden exercise="ex-bw-gate"
F_t, J_t = example.step_derivatives()
draws = numpy.random.default_rng(1)
schemes = [d2lutil.regular(6, 3), draws.choice([0, 0.5, 1, 2], size=6)]
schemes += [draws.uniform(0, 2, size=6)]
for xi in schemes:
    kept = numpy.asarray(go_back_gated(example.responses(), J_t, xi), float)
    assert abs(kept * F_t - example.terms(xi).sum(axis=0)).max() < 1e-4, (
        "multiply what step t RETURNS to the state before; what the step "
        "itself adds to the weights' gradient stays"
    )
for T in (1, 4, 9):
    responses, jacobians, xi = draws.uniform(0.2, 2, size=(3, T))
    ways = numpy.array(
        [
            [
                responses[t]
                * (xi * jacobians)[s + 1 : t + 1].prod()
                * (s <= t)
                for s in range(T)
            ]
            for t in range(T)
        ]
    )  # from the loss of step t to the state of step s
    kept = numpy.asarray(go_back_gated(responses, jacobians, xi), float)
    assert kept.shape == (T,), "one δ for each step, however many there are"
    assert abs(kept - ways.sum(axis=0)).max() < 1e-4, (
        "on its way from step t to step s a gradient passes the weights of "
        "the steps t, t - 1, …, s + 1"
    )


# %% stub exercise="ex-bw-start"
def response_to_start(h_0):
    """Return dL/dh_0 of the six steps at any first state, a number.

    The inputs and targets are example.x and example.y, the weights example.w
    and example.v. By hand or measured, both will do.
    """
    ...


# %% solution exercise="ex-bw-start"
def loss_of_start(h):
    """Return the six losses' sum with the first state h."""
    loss = 0.0
    for x_t, y_t in zip(example.x, example.y, strict=True):
        h = numpy.tanh(example.w * h + x_t)
        loss += (example.v * h - y_t) ** 2 / 2
    return loss


def response_to_start(h_0):
    """Return dL/dh_0 of the six steps at any first state, a number."""
    return (loss_of_start(h_0 + 1e-5) - loss_of_start(h_0 - 1e-5)) / 2e-5


# %% wrong exercise="ex-bw-start" belief="the response to the first state is δ_1"
def response_to_start(h_0):
    h = [h_0]
    for x_t in example.x:
        h.append(numpy.tanh(example.w * h[-1] + x_t))
    h = numpy.array(h[1:])
    responses = (example.v * h - example.y) * example.v
    return go_back(responses, (1 - h**2) * example.w)[0][0]


# %% wrong exercise="ex-bw-start" belief="the first state matters to the first loss only"
def response_to_start(h_0):
    h = numpy.tanh(example.w * h_0 + example.x[0])
    e_1 = (example.v * h - example.y[0]) * example.v
    return e_1 * (1 - h**2) * example.w


# %% visible exercise="ex-bw-start"
assert response_to_start(0.5) is not None, (
    "response_to_start returns nothing yet"
)
assert numpy.shape(response_to_start(0.5)) in ((), (1,)), (
    "response_to_start returns one number"
)
assert numpy.isfinite(float(response_to_start(0.5))), (
    "response_to_start returns a finite number"
)

# %% hidden exercise="ex-bw-start"
for first in (example.h_0, -0.3, 0.9, 0.0):
    h, loss = first + 1e-20j, 0.0  # the derivative is in the imaginary part
    for x_t, y_t in zip(example.x, example.y, strict=True):
        h = numpy.tanh(example.w * h + x_t)
        loss = loss + (example.v * h - y_t) ** 2 / 2
    assert abs(float(response_to_start(first)) - loss.imag / 1e-20) < 1e-4, (
        "nudge the first state and leave all else alone: which Jacobian "
        "stands between it and h_1, and which losses move?"
    )


# %% stub exercise="ex-bw-direction"
def change_along(params, moves, X, Y, h_0):
    """Return by how much the loss changes per unit of the move, a number.

    params is [W_xh, W_hh, b_h, W_hq, b_q] as NumPy arrays, moves five arrays
    of the same shapes. X, Y: int arrays (num_steps, batch_size). h_0:
    (batch_size, num_hiddens). The loss is the sum over steps and columns.
    """
    ...


# %% solution exercise="ex-bw-direction"
def change_along(params, moves, X, Y, h_0):
    """Return by how much the loss changes per unit of the move, a number."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    dW_xh, dW_hh, db_h, dW_hq, db_q = moves
    h, h_dot, change = h_0, numpy.zeros_like(h_0), 0.0
    for x, y in zip(X, Y, strict=True):
        a_dot = dW_xh[x] + h @ dW_hh + db_h + h_dot @ W_hh
        h = numpy.tanh(W_xh[x] + h @ W_hh + b_h)
        h_dot = a_dot * (1 - h**2)
        o_dot = h @ dW_hq + db_q + h_dot @ W_hq
        _, dO = cross_entropy(h @ W_hq + b_q, y)
        change += (dO * o_dot).sum()
    return change


# %% wrong exercise="ex-bw-direction" belief="the derivative of h_t by the weight is the slope times h_{t-1}"
def change_along(params, moves, X, Y, h_0):
    W_xh, W_hh, b_h, W_hq, b_q = params
    dW_xh, dW_hh, db_h, dW_hq, db_q = moves
    h, change = h_0, 0.0
    for x, y in zip(X, Y, strict=True):
        a_dot = dW_xh[x] + h @ dW_hh + db_h
        h = numpy.tanh(W_xh[x] + h @ W_hh + b_h)
        h_dot = a_dot * (1 - h**2)
        o_dot = h @ dW_hq + db_q + h_dot @ W_hq
        _, dO = cross_entropy(h @ W_hq + b_q, y)
        change += (dO * o_dot).sum()
    return change


# %% wrong exercise="ex-bw-direction" belief="only the state carries the change to the logits"
def change_along(params, moves, X, Y, h_0):
    W_xh, W_hh, b_h, W_hq, b_q = params
    dW_xh, dW_hh, db_h, _, _ = moves
    h, h_dot, change = h_0, numpy.zeros_like(h_0), 0.0
    for x, y in zip(X, Y, strict=True):
        a_dot = dW_xh[x] + h @ dW_hh + db_h + h_dot @ W_hh
        h = numpy.tanh(W_xh[x] + h @ W_hh + b_h)
        h_dot = a_dot * (1 - h**2)
        _, dO = cross_entropy(h @ W_hq + b_q, y)
        change += (dO * (h_dot @ W_hq)).sum()
    return change


# %% visible exercise="ex-bw-direction"
shapes = [(3, 2), (2, 2), (2,), (2, 3), (3,)]
weights = [numpy.full(shape, 0.1) for shape in shapes]
rest = [numpy.zeros(shape) for shape in shapes]
letters = numpy.array([[0, 1], [2, 0], [1, 1]])
still = change_along(weights, rest, letters, letters, numpy.zeros((2, 2)))
assert still is not None, "change_along returns nothing yet"
assert numpy.shape(still) in ((), (1,)), "change_along returns one number"
assert abs(float(still)) < 1e-4, "where nothing moves, nothing changes"

# %% hidden exercise="ex-bw-direction"
draws = numpy.random.default_rng(2)
for V, n, T, B in ((5, 6, 12, 3), (3, 4, 1, 2), (4, 8, 20, 1)):
    through = d2lutil.RNN(V, n)
    through.initialize()
    through.cast("float64")
    for q in through.parameters():
        value = draws.normal(size=q.shape, scale=0.5)
        q.set_data(np.array(value, dtype="float64"))
    x, y = draws.integers(V, size=(2, T, B))
    start = 0.5 * draws.normal(size=(B, n))
    h = np.array(start, dtype="float64")
    d2lutil.bptt(through, x, y, h, d2lutil.full(T))
    own = [q.data().asnumpy() for q in through.parameters()]
    steps = [draws.normal(size=part.shape) for part in own]
    slopes = [q.grad().asnumpy() for q in through.parameters()]
    expected = sum(
        (one * other).sum() for one, other in zip(slopes, steps, strict=True)
    )
    given = float(change_along(own, steps, x, y, start))
    assert abs(given - expected) < 1e-4 * (1 + abs(expected)), (
        "all five parameters move at every step, and h_{t-1} has moved "
        "already; compare with the loss at params + 1e-5 moves"
    )


# %% stub exercise="ex-bw-checkpoints"
def thrifty(inputs, targets, k):
    """Return the gradient, the most states at once, and the steps run.

    The network is that of example.w and example.v, from the state 0; inputs
    and targets have shape (num_steps,). It keeps every k-th state and
    computes the others again. Returned are dL/dw, the largest number of
    states in memory at any time (kept and of the part at hand), and how many
    steps ran forward in all. Try k = 10, 30 and 90 with 900 steps.
    """
    ...


# %% solution exercise="ex-bw-checkpoints"
def thrifty(inputs, targets, k):
    """Return the gradient, the most states at once, and the steps run."""
    w, v, h, kept, steps = example.w, example.v, 0.0, [], 0
    for t, x_t in enumerate(inputs):
        if t % k == 0:
            kept.append(h)  # and no other state
        h, steps = numpy.tanh(w * h + x_t), steps + 1
    gradient, returned, most = 0.0, 0.0, 0
    for start in reversed(range(0, len(inputs), k)):
        h = [kept.pop()]
        for x_t in inputs[start : start + k]:
            h.append(numpy.tanh(w * h[-1] + x_t))
            steps += 1
        most = max(most, len(kept) + len(h))
        h = numpy.array(h)
        responses = (v * h[1:] - targets[start : start + k]) * v
        responses[-1] += returned
        delta, returned = go_back(responses, (1 - h[1:] ** 2) * w)
        gradient += (delta * (1 - h[1:] ** 2) * h[:-1]).sum()
    return gradient, most, steps


# %% wrong exercise="ex-bw-checkpoints" belief="each part is a gradient of its own"
def thrifty(inputs, targets, k):
    w, v, h, gradient, parts = example.w, example.v, 0.0, 0.0, 0
    for start in range(0, len(inputs), k):
        states, parts = [h], parts + 1
        for x_t in inputs[start : start + k]:
            states.append(numpy.tanh(w * states[-1] + x_t))
        h = states[-1]
        states = numpy.array(states)
        responses = (v * states[1:] - targets[start : start + k]) * v
        delta, _ = go_back(responses, (1 - states[1:] ** 2) * w)
        gradient += (delta * (1 - states[1:] ** 2) * states[:-1]).sum()
    return gradient, parts + k, 2 * len(inputs)


# %% wrong exercise="ex-bw-checkpoints" belief="a smaller part always needs less memory"
def thrifty(inputs, targets, k):
    w, v, h = example.w, example.v, [0.0]
    for x_t in inputs:
        h.append(numpy.tanh(w * h[-1] + x_t))
    h = numpy.array(h)
    responses = (v * h[1:] - targets) * v
    delta, _ = go_back(responses, (1 - h[1:] ** 2) * w)
    gradient = (delta * (1 - h[1:] ** 2) * h[:-1]).sum()
    return gradient, k + 1, 2 * len(inputs)


# %% wrong exercise="ex-bw-checkpoints" belief="every state is computed anew from the very first one"
def thrifty(inputs, targets, k):
    w, v, h = example.w, example.v, [0.0]
    for x_t in inputs:
        h.append(numpy.tanh(w * h[-1] + x_t))
    h = numpy.array(h)
    responses = (v * h[1:] - targets) * v
    delta, _ = go_back(responses, (1 - h[1:] ** 2) * w)
    gradient = (delta * (1 - h[1:] ** 2) * h[:-1]).sum()
    T = len(inputs)
    return gradient, T // k + k, T + sum(range(k, T + 1, k))


# %% visible exercise="ex-bw-checkpoints"
few = numpy.array([0.3, -0.2, 0.5, 0.1])
three = thrifty(few, few, 2)
assert three is not None, "thrifty returns nothing yet"
assert numpy.shape(three) == (3,), (
    "thrifty returns the gradient, the states in memory, and the steps run"
)
assert float(three[1]) == int(three[1]), "states are counted in whole numbers"
assert float(three[2]) == int(three[2]), "steps are counted in whole numbers"

# %% hidden exercise="ex-bw-checkpoints"
draws = numpy.random.default_rng(3)
for T, k in ((900, 10), (900, 30), (900, 90), (120, 12)):
    inputs, targets = draws.normal(size=(2, T))
    h = z = expected = 0.0
    for x_t, y_t in zip(inputs, targets, strict=True):
        before, h = h, numpy.tanh(example.w * h + x_t)
        z = (1 - h**2) * (before + example.w * z)  # forward in time
        expected += (example.v * h - y_t) * example.v * z
    gradient, most, steps = thrifty(inputs.copy(), targets.copy(), k)
    assert abs(float(gradient) / expected - 1) < 1e-4, (
        "the gradient must not depend on k: what does a part hand on to the "
        "part before it?"
    )
    assert abs(int(most) - (T // k + k)) <= 2, (
        "when the last part is open, which states are in memory? Count the "
        "kept ones and those of the part"
    )
    assert 2 * T - k <= int(steps) <= 2 * T, (
        "count each evaluation of the tanh, in a first run and on the way back"
    )
