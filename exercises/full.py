# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import numpy
from mxnet import autograd, np, npx


def make(seed=0, vocab_size=6, num_hiddens=8):
    """Return a network in double precision whose gradients add up."""
    draws = numpy.random.default_rng(seed)
    net = d2lutil.RNN(vocab_size, num_hiddens)
    net.initialize()
    net.cast("float64")
    for p in net.parameters():
        value = draws.normal(size=p.shape, scale=num_hiddens**-0.5)
        p.set_data(np.array(value, dtype="float64"))
    net.collect_params().setattr("grad_req", "add")  # over the segments
    return net


def segment(net, X, Y, h, returned):
    """Add the gradient of a segment; return its loss and what goes back."""
    h.attach_grad()
    with autograd.record():
        O, h_last = net(X, h)
        L = -npx.pick(npx.log_softmax(O), np.array(Y)).sum()
    autograd.backward([L, h_last], [np.ones_like(L), returned])
    return float(L), h.grad


def recompute(net, X, Y, h, length):
    """Add the exact gradient, and return the loss."""
    starts, states, total = range(0, len(X), length), [h], 0
    for s in starts[:-1]:
        _, h = net(X[s : s + length], h)  # not recorded
        states.append(h)
    returned = np.zeros_like(h)
    for s in reversed(starts):
        part = slice(s, s + length)
        h = states.pop()
        L, returned = segment(net, X[part], Y[part], h, returned)
        total += L
    return total


# %% stub exercise="ex-fu-length"
def best_length(T, c):
    """Return the s at which T/s + c s is least; it need not be whole."""
    ...


def least_states(T, c):
    """Return the memory at that s, in states."""
    ...


def times_worse(c):
    """Return by what factor s = √T needs more, a number of at least 1."""
    ...


# %% solution exercise="ex-fu-length"
def best_length(T, c):
    return (T / c) ** 0.5


def least_states(T, c):
    return 2 * (c * T) ** 0.5


def times_worse(c):
    return (1 + c) / (2 * c**0.5)


# %% wrong exercise="ex-fu-length" belief="√T is best whatever a recorded step keeps"
def best_length(T, c):
    return T**0.5


def least_states(T, c):
    return (1 + c) * T**0.5


def times_worse(c):
    return 1.0


# %% wrong exercise="ex-fu-length" belief="the more a step keeps, the longer the parts"
def best_length(T, c):
    return (T * c) ** 0.5


def least_states(T, c):
    return 2 * (c * T) ** 0.5


def times_worse(c):
    return (1 + c) / (2 * c**0.5)


# %% wrong exercise="ex-fu-length" belief="√T needs c times as much"
def best_length(T, c):
    return (T / c) ** 0.5


def least_states(T, c):
    return 2 * (c * T) ** 0.5


def times_worse(c):
    return c


# %% visible exercise="ex-fu-length"
for name, value in (
    ("best_length", best_length(400, 1)),
    ("least_states", least_states(400, 1)),
    ("times_worse", times_worse(1)),
):
    assert value is not None, f"{name} returns nothing yet"
    assert numpy.isfinite(float(value)), f"{name} returns a number"
assert abs(float(best_length(400, 1)) - 20) < 1, (
    "with c = 1 the best length of 400 steps is 20, as in the chapter"
)

# %% hidden exercise="ex-fu-length"
for T, c in ((10_000, 9), (40_000, 4), (10_000, 0.25), (90_000, 2.5)):
    lengths = numpy.arange(1, T)
    peaks = T / lengths + c * lengths
    s = float(best_length(T, c))
    assert s > 0, "a length is above 0"
    assert T / s + c * s < 1.002 * peaks.min(), (
        "your length is not the best: try its neighbours, also far ones, in "
        "T/s + c s"
    )
    assert abs(float(least_states(T, c)) / peaks.min() - 1) < 0.01, (
        "put the best length into T/s + c s"
    )
    ratio = peaks[round(T**0.5) - 1] / peaks.min()
    assert abs(float(times_worse(c)) / ratio - 1) < 0.01, (
        "compare T/s + c s at s = √T with the least; T drops out"
    )


# %% stub exercise="ex-fu-levels"
def states_with_levels(T, m):
    """Return about how many states are in memory with m levels.

    m = 1 is the chapter's 2 √T. Every level has as many checkpoints as a
    segment of the last one has steps, so T^(1/(m + 1)).
    """
    ...


def forward_passes(m):
    """Return how often a step runs forward at most."""
    ...


# %% solution exercise="ex-fu-levels"
def states_with_levels(T, m):
    return (m + 1) * T ** (1 / (m + 1))


def forward_passes(m):
    return m + 1


# %% wrong exercise="ex-fu-levels" belief="every level doubles the work"
def states_with_levels(T, m):
    return (m + 1) * T ** (1 / (m + 1))


def forward_passes(m):
    return 2**m


# %% wrong exercise="ex-fu-levels" belief="every level takes another square root"
def states_with_levels(T, m):
    return 2 * T ** (0.5**m)


def forward_passes(m):
    return m + 1


# %% wrong exercise="ex-fu-levels" belief="only the innermost level is in memory"
def states_with_levels(T, m):
    return 2 * T ** (1 / (m + 1))


def forward_passes(m):
    return m + 1


# %% visible exercise="ex-fu-levels"
assert states_with_levels(10_000, 1) is not None, (
    "states_with_levels returns nothing yet"
)
assert abs(float(states_with_levels(10_000, 1)) / 200 - 1) < 0.05, (
    "one level needs 2 √T states, 200 for 10,000 steps"
)
assert forward_passes(1) is not None, "forward_passes returns nothing yet"
assert float(forward_passes(1)) == 2, (
    "with one level a step runs forward twice"
)


# %% hidden exercise="ex-fu-levels"
def run_levels(r, m):
    """Return the most states in memory, and the most passes of a step.

    Counted by going through r^(m + 1) steps part by part.
    """
    passes, most = numpy.zeros(r ** (m + 1), dtype=int), 0

    def visit(start, length, waiting, level):
        nonlocal most
        passes[start : start + length] += 1  # sets checkpoints, or records
        if level == 0:
            most = max(most, waiting + length)
            return
        part = length // r
        for k in reversed(range(r)):
            visit(start + k * part, part, waiting + k + 1, level - 1)

    visit(0, r ** (m + 1), 0, m)
    return most, passes.max()


for r, m in ((30, 1), (20, 2), (12, 3), (6, 4)):
    most, passes = run_levels(r, m)
    given = float(states_with_levels(r ** (m + 1), m))
    assert abs(given / most - 1) < 0.03, (
        "while a segment of the last level is open, the checkpoints of ALL "
        "levels above it wait: how many has each level?"
    )
    assert float(forward_passes(m)) == passes, (
        "follow one step through the levels: how often does it run to set "
        "checkpoints, before it is recorded?"
    )


# %% stub exercise="ex-fu-fit"
def steps_kept(memory, num_hiddens, columns):
    """Return how many steps fit if every state is kept.

    memory is in bytes (a card of 16 GB has 16e9), numbers are float32.
    """
    ...


def steps_with_checkpoints(memory, num_hiddens, columns, c):
    """Return how many fit with checkpoints and the best s."""
    ...


# %% solution exercise="ex-fu-fit"
def steps_kept(memory, num_hiddens, columns):
    return memory / (4 * num_hiddens * columns)


def steps_with_checkpoints(memory, num_hiddens, columns, c):
    return (memory / (4 * num_hiddens * columns)) ** 2 / (4 * c)


# %% wrong exercise="ex-fu-fit" belief="memory grows in proportion to the steps, with checkpoints too"
def steps_kept(memory, num_hiddens, columns):
    return memory / (4 * num_hiddens * columns)


def steps_with_checkpoints(memory, num_hiddens, columns, c):
    return c * memory / (4 * num_hiddens * columns)


# %% wrong exercise="ex-fu-fit" belief="a number takes 8 bytes"
def steps_kept(memory, num_hiddens, columns):
    return memory / (8 * num_hiddens * columns)


def steps_with_checkpoints(memory, num_hiddens, columns, c):
    return (memory / (8 * num_hiddens * columns)) ** 2 / (4 * c)


# %% wrong exercise="ex-fu-fit" belief="all columns share one state"
def steps_kept(memory, num_hiddens, columns):
    return memory / (4 * num_hiddens)


def steps_with_checkpoints(memory, num_hiddens, columns, c):
    return (memory / (4 * num_hiddens)) ** 2 / (4 * c)


# %% wrong exercise="ex-fu-fit" belief="parts of √T steps are the best"
def steps_kept(memory, num_hiddens, columns):
    return memory / (4 * num_hiddens * columns)


def steps_with_checkpoints(memory, num_hiddens, columns, c):
    return (memory / (4 * num_hiddens * columns) / (1 + c)) ** 2


# %% visible exercise="ex-fu-fit"
few = steps_kept(4000.0, 10, 1)
assert few is not None, "steps_kept returns nothing yet"
assert float(few) > 0, "steps_kept returns a number of steps"
many = steps_with_checkpoints(4000.0, 10, 1, 1)
assert many is not None, "steps_with_checkpoints returns nothing yet"
assert float(many) > 0, "steps_with_checkpoints returns a number of steps"

# %% hidden exercise="ex-fu-fit"
cards = ((16e9, 1024, 64, 9), (4e9, 512, 16, 4), (1e9, 256, 8, 2.5))
for memory, n, columns, c in cards:
    state = numpy.zeros((columns, n), dtype="float32").nbytes
    fit = memory / state
    given = float(steps_kept(memory, n, columns))
    assert abs(given / fit - 1) < 0.01, (
        "how many bytes has the state of all columns after one step?"
    )
    low, high = 1.0, 1e14  # the longest text whose least memory still fits
    for _ in range(100):
        T = (low * high) ** 0.5
        lengths = (T / c) ** 0.5 * numpy.linspace(0.5, 2, 301)
        least = (T / lengths + c * lengths).min()
        low, high = (T, high) if least <= fit else (low, T)
    given = float(steps_with_checkpoints(memory, n, columns, c))
    assert abs(given / low - 1) < 0.01, (
        "the least of T/s + c s over s has to be the number of states that "
        "fit: solve this for T"
    )


# %% stub exercise="ex-fu-forget"
def forgetful(net, X, Y, h, length):
    """Add the gradient of `recompute` that hands no r on.

    Like recompute(net, X, Y, h, length) of the setup, it reads X and Y, int
    arrays (num_steps, columns), from the state h, and adds to the gradients.
    """
    ...


def scheme_of_forgetful(num_steps, length):
    """Return the weights ξ, (num_steps,), of the same gradient by `bptt`."""
    ...


# %% solution exercise="ex-fu-forget"
def forgetful(net, X, Y, h, length):
    for s in range(0, len(X), length):
        part = slice(s, s + length)
        segment(net, X[part], Y[part], h, np.zeros_like(h))
        _, h = net(X[part], h)


def scheme_of_forgetful(num_steps, length):
    return d2lutil.regular(num_steps, length)


# %% wrong exercise="ex-fu-forget" belief="without r every segment begins from zero"
def forgetful(net, X, Y, h, length):
    for s in range(0, len(X), length):
        part = slice(s, s + length)
        segment(net, X[part], Y[part], np.zeros_like(h), np.zeros_like(h))


def scheme_of_forgetful(num_steps, length):
    return d2lutil.regular(num_steps, length)


# %% wrong exercise="ex-fu-forget" belief="the losses of the segments add up, so the gradient is exact"
def forgetful(net, X, Y, h, length):
    recompute(net, X, Y, h, length)


def scheme_of_forgetful(num_steps, length):
    return d2lutil.full(num_steps)


# %% wrong exercise="ex-fu-forget" belief="the last step of a segment is the one with the weight 0"
def forgetful(net, X, Y, h, length):
    for s in range(0, len(X), length):
        part = slice(s, s + length)
        segment(net, X[part], Y[part], h, np.zeros_like(h))
        _, h = net(X[part], h)


def scheme_of_forgetful(num_steps, length):
    return numpy.roll(d2lutil.regular(num_steps, length), -1)


# %% visible exercise="ex-fu-forget"
weights = scheme_of_forgetful(12, 4)
assert weights is not None, "scheme_of_forgetful returns nothing yet"
assert numpy.shape(weights) == (12,), "there is one weight for each step"
assert numpy.asarray(weights, dtype=float).min() >= 0, "no weight is below 0"
net = make(1)
letters = numpy.arange(24).reshape(12, 2) % 6
forgetful(net, letters, letters, net.begin_state(2), 12)
in_one = [p.grad().asnumpy() for p in net.parameters()]
d2lutil.zero_gradients(net.parameters())
recompute(net, letters, letters, net.begin_state(2), 12)
whole = [p.grad().asnumpy() for p in net.parameters()]
assert any(abs(one).max() > 0 for one in in_one), (
    "forgetful adds nothing to the gradients yet"
)
assert all(
    abs(one - other).max() < 1e-6
    for one, other in zip(in_one, whole, strict=True)
), "with a single segment there is nothing to hand on, and nothing changes"

# %% hidden exercise="ex-fu-forget"
draws = numpy.random.default_rng(1)
for steps, length in ((20, 5), (23, 6), (9, 1)):
    net = make(steps)
    letters, targets = draws.integers(6, size=(2, steps, 3))
    start = np.array(draws.uniform(-1, 1, size=(3, 8)), dtype="float64")
    forgetful(net, letters.copy(), targets.copy(), start.copy(), length)
    given = [p.grad().asnumpy() for p in net.parameters()]
    d2lutil.zero_gradients(net.parameters())
    with autograd.record():  # one loop, detached at the borders
        h, L = start.copy(), 0
        for t in range(steps):
            h = h.detach() if t % length == 0 else h
            O, h = net(letters[t : t + 1], h)
            target = np.array(targets[t : t + 1])
            L = L - npx.pick(npx.log_softmax(O), target).sum()
    L.backward()
    cut = [p.grad().asnumpy() for p in net.parameters()]
    assert all(
        abs(one - other).max() < 1e-6
        for one, other in zip(given, cut, strict=True)
    ), (
        "the VALUE of the state crosses the border of a segment; only the "
        "gradient r that would come back over it is forgotten"
    )
    xi = numpy.asarray(scheme_of_forgetful(steps, length), dtype=float)
    d2lutil.zero_gradients(net.parameters())
    d2lutil.bptt(net, letters, targets, start.copy(), xi)
    by_scheme = [p.grad().asnumpy() for p in net.parameters()]
    assert all(
        abs(one - other).max() < 1e-6
        for one, other in zip(by_scheme, cut, strict=True)
    ), (
        "your ξ give another gradient: which step hands back to the state "
        "before the border?"
    )


# %% stub exercise="ex-fu-elementwise"
def forward_gradient(a, x, y):
    """Return the gradient of the loss by a, (n,), without recording.

    h_t = tanh(a ⊙ h_{t-1} + x_t) from h_0 = 0, and the loss is the sum of
    (h_t - y_t)²/2 over steps and units. a: (n,), x, y: (num_steps, n), arrays
    of MXNet's NumPy in double precision.
    """
    ...


def numbers_carried(n):
    """Return how many numbers dh_t/da needs from step to step."""
    ...


# %% solution exercise="ex-fu-elementwise"
def forward_gradient(a, x, y):
    h, S, gradient = np.zeros_like(a), np.zeros_like(a), np.zeros_like(a)
    for x_t, y_t in zip(x, y, strict=True):
        before, h = h, np.tanh(a * h + x_t)
        S = (1 - h**2) * (before + a * S)
        gradient = gradient + (h - y_t) * S
    return gradient


def numbers_carried(n):
    return n


# %% wrong exercise="ex-fu-elementwise" belief="the derivative of h_t by the weight is the slope times h_{t-1}"
def forward_gradient(a, x, y):
    h, gradient = np.zeros_like(a), np.zeros_like(a)
    for x_t, y_t in zip(x, y, strict=True):
        before, h = h, np.tanh(a * h + x_t)
        gradient = gradient + (h - y_t) * (1 - h**2) * before
    return gradient


def numbers_carried(n):
    return n


# %% wrong exercise="ex-fu-elementwise" belief="forward in time always carries a matrix"
def forward_gradient(a, x, y):
    h, S, gradient = np.zeros_like(a), np.zeros_like(a), np.zeros_like(a)
    for x_t, y_t in zip(x, y, strict=True):
        before, h = h, np.tanh(a * h + x_t)
        S = (1 - h**2) * (before + a * S)
        gradient = gradient + (h - y_t) * S
    return gradient


def numbers_carried(n):
    return n * n


# %% wrong exercise="ex-fu-elementwise" belief="the gradient is the same, so autograd may record it"
def forward_gradient(a, x, y):
    a.attach_grad()
    with autograd.record():
        h, L = np.zeros_like(a), 0
        for x_t, y_t in zip(x, y, strict=True):
            h = np.tanh(a * h + x_t)
            L = L + ((h - y_t) ** 2).sum() / 2
    L.backward()
    return a.grad


def numbers_carried(n):
    return n


# %% wrong exercise="ex-fu-elementwise" belief="the derivative is passed on without the weight"
def forward_gradient(a, x, y):
    h, S, gradient = np.zeros_like(a), np.zeros_like(a), np.zeros_like(a)
    for x_t, y_t in zip(x, y, strict=True):
        before, h = h, np.tanh(a * h + x_t)
        S = (1 - h**2) * (before + S)
        gradient = gradient + (h - y_t) * S
    return gradient


def numbers_carried(n):
    return n


# %% visible exercise="ex-fu-elementwise"
a_two, one_step = (np.ones(s, dtype="float64") for s in ((2,), (1, 2)))
found = forward_gradient(a_two, one_step, one_step)
assert found is not None, "forward_gradient returns nothing yet"
assert numpy.shape(found) == (2,), "the gradient has a number for each unit"
assert abs(numpy.asarray(found, dtype=float)).max() < 1e-9, (
    "after a single step from h_0 = 0 the weight has not acted yet"
)
assert numbers_carried(5) is not None, "numbers_carried returns nothing yet"
assert float(numbers_carried(5)) == int(numbers_carried(5)), (
    "a count is a whole number"
)

# %% hidden exercise="ex-fu-elementwise"
draws = numpy.random.default_rng(2)


def refuse():
    """Stand in for autograd.record."""
    raise AssertionError(
        "autograd.record keeps all steps for the way back: carry the "
        "derivative forward instead"
    )


for n, steps in ((1, 3), (5, 60), (3, 200)):
    a = draws.normal(size=n)
    x, y = draws.normal(size=(2, steps, n))
    given = [np.array(part, dtype="float64") for part in (a, x, y)]
    record, autograd.record = autograd.record, refuse
    try:
        given = numpy.asarray(forward_gradient(*given), dtype=float)
    finally:
        autograd.record = record
    h, stored = numpy.zeros(n), []
    for x_t in x:
        stored.append((h, numpy.tanh(a * h + x_t)))
        h = stored[-1][1]
    returned, expected = 0.0, 0.0
    for (before, h), y_t in zip(stored[::-1], y[::-1], strict=True):
        back = (h - y_t + returned) * (1 - h**2)  # backwards, not forward
        expected = expected + back * before
        returned = back * a
    assert abs(given - expected).max() < 1e-4 * (1 + abs(expected).max()), (
        "write down the derivative of h_2 by a for one unit: the weight acts "
        "at step 2, and at step 1 through h_1"
    )
    changes = numpy.zeros((n, n))  # unit by weight, measured
    for k in range(n):
        h, moved = numpy.zeros(n), numpy.zeros(n)
        a_moved = a + 1e-5 * (numpy.arange(n) == k)
        for x_t in x[:3]:
            h, moved = (
                numpy.tanh(a * h + x_t),
                numpy.tanh(a_moved * moved + x_t),
            )
        changes[:, k] = moved - h
    assert float(numbers_carried(n)) == numpy.count_nonzero(changes), (
        "on which of the n weights does one unit depend? Zeros need not be "
        "carried"
    )
