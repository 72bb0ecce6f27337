# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import mxnet
import numpy
from d2lutil import example
from d2lutil.notebook import numbers
from mxnet import gluon, np


def cells(name, value):
    """Return cells of the triangle as a set of pairs (t, i), i <= t."""
    try:
        found = {(int(t), int(i)) for t, i in value}
    except (TypeError, ValueError):
        found = {(0, 0)}
    inside = all(1 <= i <= t <= 6 for t, i in found)
    assert inside, f"{name} is to hold pairs (t, i) with 1 <= i <= t <= 6"
    return found


def keep_cue(X, state, begins):
    """Read as a network of "reset each" does that has learned its task.

    X and begins are arrays (num_steps, batch_size): tokens, and where an
    episode begins. The state (batch_size,) is the cue of the episode that
    is running. Returned are the answers that the network would give at each
    step, (num_steps, batch_size), and the state behind the last step.
    """
    answers = numpy.zeros(numpy.shape(X))
    for t, (tokens, fresh) in enumerate(zip(X, begins, strict=True)):
        cue = numpy.where(tokens == 5, 0, tokens)  # 5 is a question
        state = answers[t] = numpy.where(fresh, cue, state)
    return answers, state.copy()


# %% stub exercise="ex-bo-six"
gone = ...  # the terms that are gone, a set of pairs (t, i), as {(1, 1)}
h_6 = ...  # three decimals do, here and below
loss = ...  # the sum of the six losses
gradient = ...

# %% solution exercise="ex-bo-six"
gone = {(6, i) for i in range(1, 7)}
h_6 = 0.8943
loss = 1.5926
gradient = 0.8346

# %% wrong exercise="ex-bo-six" belief="a reset is a cut"
gone = {(6, i) for i in range(1, 6)}
h_6 = 0.6
loss = 1.125
gradient = 0.4506

# %% wrong exercise="ex-bo-six" belief="the step that begins uses the weight as every step does"
gone = {(6, i) for i in range(1, 6)}
h_6 = 0.8943
loss = 1.5926
gradient = 0.4506

# %% wrong exercise="ex-bo-six" belief="a reset takes the loss of its step with it"
gone = {(6, i) for i in range(1, 7)}
h_6 = 0.8943
loss = 1.0
gradient = 0.8346

# %% visible exercise="ex-bo-six"
cells("gone", gone)
for name, value in [("h_6", h_6), ("loss", loss), ("gradient", gradient)]:
    numbers(name, value)

# %% hidden exercise="ex-bo-six"


def begun_at_6(copies):
    """Return h_6 and the six losses; each step has its own weight."""
    h, states = example.h_0, []
    for t in range(6):
        h = 0.0 if t == 5 else h
        h = numpy.tanh(copies[t] * h + example.x[t])
        states.append(h)
    losses = (example.v * numpy.array(states) - example.y) ** 2 / 2
    return states[5], losses


def slopes(i, eps=1e-6):
    """Return the derivatives of all losses by the weight of step i."""
    moved = example.w + eps * numpy.eye(6)[i]
    back = example.w - eps * numpy.eye(6)[i]
    return (begun_at_6(moved)[1] - begun_at_6(back)[1]) / (2 * eps)


state, losses = begun_at_6(numpy.full(6, example.w))
remaining = numpy.transpose([slopes(i) for i in range(6)])
empty = {(t, i) for t in range(1, 7) for i in range(1, t + 1)}
empty = {(t, i) for t, i in empty if abs(remaining[t - 1, i - 1]) < 1e-8}
assert abs(numbers("h_6", h_6) - state) < 2e-3, (
    "h_6: what does tanh get at step 6, if the sequence begins there?"
)
assert abs(numbers("loss", loss) - losses.sum()) < 3e-3, (
    "loss: all six losses count, and one of them belongs to another state"
)
assert cells("gone", gone) == empty, (
    "gone: move the weight at each step alone. Which losses change? What "
    "does the weight multiply at step 6?"
)
assert abs(numbers("gradient", gradient) - remaining.sum()) < 3e-3, (
    "gradient: a finite difference of the loss gives another number"
)

# %% stub exercise="ex-bo-burn"
left = ...  # the cells that are left, a set of pairs (t, i), as {(1, 1)}
total = ...  # their sum, three decimals do
two = ...  # the two cells that the later cut would keep in row 3

# %% solution exercise="ex-bo-burn"
left = {(t, i) for t in range(3, 7) for i in range(3, t + 1)}
total = 0.8852
two = {(3, 1), (3, 2)}

# %% wrong exercise="ex-bo-burn" belief="a loss of weight 0 needs no cut: its steps are not trained"
left = {(t, i) for t in range(3, 7) for i in range(1, t + 1)}
total = 1.7516
two = {(3, 1), (3, 2)}

# %% wrong exercise="ex-bo-burn" belief="the cut at step 3 stands behind step 3"
left = {(3, 1), (3, 2), (3, 3)}
left |= {(t, i) for t in range(4, 7) for i in range(4, t + 1)}
total = 1.2435
two = {(3, 1), (3, 2)}

# %% visible exercise="ex-bo-burn"
cells("left", left)
numbers("total", total)
cells("two", two)
assert len(two) == 2, "two: it is two cells of row 3"
assert {t for t, _ in two} == {3}, "two: it is two cells of row 3"

# %% hidden exercise="ex-bo-burn"


def counted(copies, stop):
    """Return losses 3 to 6; step stop (from 0) starts from a constant."""
    h = numpy.float64(example.h_0)
    losses = []
    for t in range(6):
        h = h.real if t == stop else h  # a cut: no derivative goes on
        h = numpy.tanh(copies[t] * h + example.x[t])
        losses.append((example.v * h - example.y[t]) ** 2 / 2)
    return numpy.array(losses[2:])


def terms_left(stop):
    """Return what the weight of each step does to the losses 3 to 6."""
    steps = [example.w + 1e-20j * one for one in numpy.eye(6)]
    columns = [counted(copies, stop).imag / 1e-20 for copies in steps]
    return numpy.vstack([numpy.zeros((2, 6)), numpy.transpose(columns)])


here, later = terms_left(2), terms_left(3)
places = {(t, i) for t in range(1, 7) for i in range(1, t + 1)}
kept = {(t, i) for t, i in places if here[t - 1, i - 1]}
assert cells("left", left) == kept, (
    "left: the weights of the losses choose rows, the cut chooses columns. "
    "A step with ξ = 0 starts from a value and hands no gradient back"
)
assert abs(numbers("total", total) - here.sum()) < 3e-3, (
    "total: add up your cells in the triangle of the recursion chapter"
)
more = {(3, i) for i in range(1, 4) if later[2, i - 1] and not here[2, i - 1]}
assert cells("two", two) == more, "two: which cells of row 3 come back?"


# %% stub exercise="ex-bo-offset"
def count(num_predictions, tau, offsets):
    """Return how many chunks a pass has, and where the borders lie.

    The first result has one number for each of the offsets; the second one
    number for each place 0, …, tau - 1 of the borders in the text (a border
    at step t has the place t % tau): how many of the offsets have it. A pass
    has whole chunks only.
    """
    ...


# %% solution exercise="ex-bo-offset"
def count(num_predictions, tau, offsets):
    chunks = [
        len(range(offset, num_predictions - tau + 1, tau))
        for offset in offsets
    ]
    places = numpy.bincount([o % tau for o in offsets], minlength=tau)
    return chunks, places


# %% wrong exercise="ex-bo-offset" belief="an offset of tau is one place more, as likely as the others"
def count(num_predictions, tau, offsets):
    chunks = [(num_predictions - offset) // tau for offset in offsets]
    return chunks, numpy.ones(tau)


# %% wrong exercise="ex-bo-offset" belief="an offset moves the chunks and costs none"
def count(num_predictions, tau, offsets):
    chunks = [num_predictions // tau for _ in offsets]
    places = numpy.bincount([o % tau for o in offsets], minlength=tau)
    return chunks, places


# %% visible exercise="ex-bo-offset"
found = count(20, 5, [0])
assert found is not None, "count returns nothing yet"
assert len(found) == 2, "count returns two results"
assert numbers("chunks", found[0], (1,))[0] == 4, "20 steps, chunks of 5"
numbers("places", found[1], (5,))

# %% hidden exercise="ex-bo-offset"
for steps, tau, offsets in [
    (100, 10, range(11)),
    (100, 10, range(10)),
    (97, 7, range(8)),
    (31, 4, [3, 0, 4, 4]),
]:
    chunks, places = [], numpy.zeros(tau)
    for start in offsets:
        t = start
        while t + tau <= steps:
            t += tau
        chunks.append((t - start) // tau)
        places[start % tau] += 1
    found = count(steps, tau, offsets)
    name = f"{steps} predictions, chunks of {tau}, offsets {list(offsets)}"
    got = numbers("chunks", found[0], (len(chunks),))
    assert (got == chunks).all(), (
        f"{name}: take one offset at a time, and lay chunk after chunk until "
        "the next would not fit"
    )
    got = numbers("places", found[1], (tau,))
    assert (got == places).all(), (
        f"{name}: list the borders of the first and of the last offset, and "
        "compare the two lists"
    )


# %% stub exercise="ex-bo-dealt"
def read_dealt(net, X, begins, start, readers, tau):
    """Return what a network answers at each step, an array like X.

    The chunks of tau steps, of which the last may be shorter, are read in
    order, and the loop keeps one state for each reader; chunk k comes from
    reader k % readers. Every reader's state is `start` at first. net(X,
    state, begins) returns the answers of a chunk and the state behind it.
    `keep_cue` above is such a network: one that has learned to keep the cue,
    in place of the trained one.
    """
    ...


# %% solution exercise="ex-bo-dealt"
def read_dealt(net, X, begins, start, readers, tau):
    states, answers = [start] * readers, []
    for k, first in enumerate(range(0, len(X), tau)):
        rows, mine = slice(first, first + tau), k % readers
        found, states[mine] = net(X[rows], states[mine], begins[rows])
        answers.append(found)
    return numpy.concatenate(answers)


# %% wrong exercise="ex-bo-dealt" belief="chunks arrive in order, so the state of the chunk before is at hand"
def read_dealt(net, X, begins, start, readers, tau):
    state, answers = start, []
    for first in range(0, len(X), tau):
        rows = slice(first, first + tau)
        found, state = net(X[rows], state, begins[rows])
        answers.append(found)
    return numpy.concatenate(answers)


# %% wrong exercise="ex-bo-dealt" belief="a reader that comes back begins anew"
def read_dealt(net, X, begins, start, readers, tau):
    answers = []
    for first in range(0, len(X), tau):
        rows = slice(first, first + tau)
        answers.append(net(X[rows], start, begins[rows])[0])
    return numpy.concatenate(answers)


# %% visible exercise="ex-bo-dealt"
tokens = numpy.array([[1, 0, 5, 3, 5, 0, 5]] * 2).T
starts = numpy.array([[1, 0, 0, 1, 0, 0, 0]] * 2).T > 0
whole = keep_cue(tokens, numpy.zeros(2), starts)[0]
one = read_dealt(keep_cue, tokens, starts, numpy.zeros(2), 2, 7)
assert one is not None, "read_dealt returns nothing yet"
one = numbers("the answers", one, (7, 2))
assert (one == whole).all(), "a single chunk leaves nothing to deal out"

# %% hidden exercise="ex-bo-dealt"
rng = numpy.random.default_rng(1)


def linear(X, state, begins):
    """Read with a state that shows everything that was read."""
    answers = []
    for x, fresh in zip(X, begins, strict=True):
        state = numpy.where(fresh, 0, state) / 2 + x
        answers.append(state)
    return numpy.array(answers), state


def by_reader(net, X, begins, start, readers, tau):
    """Return the same, one reader after the other."""
    answers = numpy.zeros(X.shape)
    chunk = numpy.arange(len(X)) // tau
    for r in range(readers):
        own = chunk % readers == r
        answers[own] = net(X[own], start, begins[own])[0]
    return answers


X = rng.integers(0, 6, size=(70, 4))
begins = rng.random(X.shape) < 1 / 8
for net in (linear, keep_cue):
    for readers, tau in [(1, 8), (2, 8), (3, 5), (2, 1)]:
        arguments = net, X, begins, numpy.full(4, 2.0), readers, tau
        got = numbers("the answers", read_dealt(*arguments), X.shape)
        assert abs(got - by_reader(*arguments)).max() < 1e-5, (
            f"{readers} readers, chunks of {tau}: what was the last chunk "
            "that this reader has seen when it delivers its next one?"
        )


# %% stub exercise="ex-bo-cost"
def calls(begins):
    """Return how many calls a Gluon block needs for a batch.

    Times differ from machine to machine; hand in what explains them.
    begins (num_steps, batch_size) is true where an episode begins. The block
    calls its fused layer for all columns at once, from a state of which some
    columns may have been set to zero before.
    """
    ...


# %% solution exercise="ex-bo-cost"
def calls(begins):
    return 1 + int(numpy.asarray(begins)[1:].any(axis=1).sum())


# %% wrong exercise="ex-bo-cost" belief="each episode takes a call of its own"
def calls(begins):
    return int(numpy.asarray(begins).sum())


# %% wrong exercise="ex-bo-cost" belief="a begin in one column does not interrupt the others"
def calls(begins):
    return 1 + int(numpy.asarray(begins)[1:].all(axis=1).sum())


# %% wrong exercise="ex-bo-cost" belief="a batch with resets is called for every step"
def calls(begins):
    begins = numpy.asarray(begins)
    return len(begins) if begins[1:].any() else 1


# %% visible exercise="ex-bo-cost"
first_only = numpy.arange(5)[:, None] == 0
assert calls(first_only) is not None, "calls returns nothing yet"
assert numbers("calls", calls(first_only)) == 1, (
    "one column, and its only episode begins at step 0: nothing interrupts"
)

# %% hidden exercise="ex-bo-cost"


class Counting(gluon.Block):
    """A block that counts how often it is called."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.out = gluon.nn.Dense(2, flatten=False, in_units=1)

    def forward(self, X, state):
        self.number += 1
        X = np.array(X, dtype="float32")
        return self.out(X.reshape(*X.shape, 1)), state + X.sum()


rng = numpy.random.default_rng(2)
for columns, chance in [(1, 0.2), (3, 0.1), (16, 1 / 8), (16, 0.0)]:
    begins = rng.random((40, columns)) < chance
    begins[0] = rng.random(columns) < 0.5
    block = Counting()
    block.initialize()
    X = numpy.zeros((40, columns), dtype="int32")
    start = np.zeros((1, columns, 1))
    d2lutil.bptt(block, X, X, start, numpy.ones(40), begins=begins)
    assert numbers("calls", calls(begins)) == block.number, (
        f"batch of {columns}: the package needs {block.number} calls of a "
        f"block for {int(begins.sum())} begins in 40 steps. What ends a call?"
    )


# %% stub exercise="ex-bo-one"
def single_steps(begins):
    """Return the arrays xi and begins of training on single steps.

    begins (num_steps, batch_size) is true where an episode begins; both
    results have its shape. With them `d2lutil.bptt` over all steps has to
    give the gradient of a program that stored the state before every step,
    reset where an episode begins, and trains on each step by itself.
    """
    ...


six_steps = ...  # the gradient that is left of 1.4316, three decimals do


# %% solution exercise="ex-bo-one"
def single_steps(begins):
    return numpy.zeros(begins.shape), begins


six_steps = 0.624


# %% wrong exercise="ex-bo-one" belief="with a cut at every step the network sees only the last character"
def single_steps(begins):
    return numpy.zeros(begins.shape), numpy.ones(begins.shape, dtype=bool)


six_steps = 0.624


# %% wrong exercise="ex-bo-one" belief="a stored state brings its gradient along"
def single_steps(begins):
    return numpy.ones(begins.shape), begins


six_steps = 1.4316

# %% visible exercise="ex-bo-one"
starts = numpy.zeros((4, 2), dtype=bool)
found = single_steps(starts)
assert found is not None, "single_steps returns nothing yet"
assert len(found) == 2, "single_steps returns two arrays, xi and begins"
for name, array in zip(["xi", "begins"], found, strict=True):
    numbers(name, array, (4, 2))
numbers("six_steps", six_steps)

# %% hidden exercise="ex-bo-one"
rng = numpy.random.default_rng(3)
mxnet.random.seed(3)
net = d2lutil.GRU(vocab_size=6, num_hiddens=4)
net.initialize(mxnet.init.Normal(0.5))
net.cast("float64")
X, Y = rng.integers(6, size=(2, 9, 3))
begins = rng.random((9, 3)) < 0.3


def as_row():
    """Return the gradient of all parameters as one row."""
    parts = [p.grad().asnumpy().ravel() for p in net.parameters()]
    return numpy.concatenate(parts)


d2lutil.zero_gradients(net.parameters())
h = net.begin_state(3)
for t in range(9):  # from the state that was stored before step t
    rows, first = slice(t, t + 1), begins[t : t + 1]
    one = numpy.ones(1)
    _, h = d2lutil.bptt(net, X[rows], Y[rows], h, one, begins=first)
alone = as_row()
d2lutil.zero_gradients(net.parameters())
xi, starts = (numpy.asarray(part) for part in single_steps(begins))
start = net.begin_state(3)
d2lutil.bptt(net, X, Y, start, xi, begins=starts.astype(bool))
off = abs(as_row() - alone).max() / abs(alone).max()
assert off < 1e-10, (
    f"single_steps: off by {off:.0%} of the largest entry. Which values does "
    "step t start from, and how far back does its gradient go?"
)
own = 0.0
for t in range(6):  # h_{t-1} is held, the weight of step t moves
    before = example.states()[t]
    up, down = (
        example.v * numpy.tanh(w * before + example.x[t]) - example.y[t]
        for w in (example.w + 1e-6, example.w - 1e-6)
    )
    own += (up**2 - down**2) / 4e-6
assert abs(numbers("six_steps", six_steps) - own) < 3e-3, (
    "six_steps: which cells of the triangle does a single step know?"
)
