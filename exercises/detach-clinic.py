# %% setup
import itertools

import d2lutil  # first: it makes MXNet load under today's NumPy
import numpy
from d2lutil import example
from mxnet import autograd, np

w = np.array(example.w, dtype="float64")
w.attach_grad()


def later_loss(start, hand_on):
    """Return the losses of steps 4 to 6, added up, of the six steps.

    start is the state before step 1, an array (1,); hand_on(h) hands the
    state before step 4 on. To be called while autograd records.
    """
    h, L = start, 0
    for t in range(6):
        h = hand_on(h) if t == 3 else h
        h = np.tanh(w * h + float(example.x[t]))
        if t >= 3:
            L = L + (example.v * h - float(example.y[t])) ** 2 / 2
    return L


# %% stub exercise="ex-dc-short"
lost_losses = ...  # the steps whose losses are dropped, from 1: a list
exit_short = ...  # the exit, the gradient of v, a number


# %% solution exercise="ex-dc-short"
lost_losses = [1, 4]
exit_short = 1.5 - 0.3 - 0.1


# %% wrong exercise="ex-dc-short" belief="no truncation changes the exit, so no loss is dropped"
lost_losses = []
exit_short = 1.5


# %% wrong exercise="ex-dc-short" belief="a look-back that is too short drops the losses at the end of a block"
lost_losses = [3, 6]
exit_short = 1.5 - 0.8 - 0.3


# %% visible exercise="ex-dc-short"
assert lost_losses is not ..., "lost_losses is still to be found"
assert numpy.ndim(lost_losses) == 1, "lost_losses is a list of steps"
assert set(lost_losses) <= set(range(1, 7)), "the steps count from 1 to 6"
assert exit_short is not ..., "exit_short is still to be computed"
assert numpy.shape(exit_short) == (), "exit_short is one number"

# %% hidden exercise="ex-dc-short"
h, v, covered = example.states(), np.array(example.v, dtype="float64"), []
v.attach_grad("add")
for end in (3, 6):  # the passes of the two blocks
    with autograd.record():
        L = 0
        for t in range(end - 2, end):  # two steps back, from 0
            covered.append(t + 1)
            L = L + (v * float(h[t + 1]) - float(example.y[t])) ** 2 / 2
    L.backward()
assert not set(map(int, lost_losses)).intersection(covered), (
    "lost_losses: one of yours lies within the two steps of a pass"
)
missing = set(range(1, 7)).difference(covered, map(int, lost_losses))
assert not missing, (
    "lost_losses: there is one more. Where does the pass of each block "
    "begin, and at which step does it end?"
)
assert abs(float(exit_short) - v.grad.item()) < 1e-3, (
    "exit_short: add up (o_t - y_t) h_t of the losses that are left"
)


# %% stub exercise="ex-dc-count"
def counts(k1, k2, num_steps):
    """Return how often the mistaken loop counts each loss: (num_steps,).

    k2 >= k1, and num_steps is a multiple of k1.
    """
    ...


# %% solution exercise="ex-dc-count"
def counts(k1, k2, num_steps):
    t = numpy.arange(1, num_steps + 1)
    last = numpy.minimum((t + k2 - 1) // k1, num_steps // k1)
    return last - -(-t // k1) + 1  # minus the first block, rounded up


# %% wrong exercise="ex-dc-count" belief="look-backs that are added up count every loss once"
def counts(k1, k2, num_steps):
    return numpy.ones(num_steps)


# %% wrong exercise="ex-dc-count" belief="every loss lies in k2/k1 look-backs"
def counts(k1, k2, num_steps):
    return numpy.full(num_steps, k2 / k1)


# %% wrong exercise="ex-dc-count" belief="the last losses are counted like the others"
def counts(k1, k2, num_steps):
    t = numpy.arange(1, num_steps + 1)
    return (t + k2 - 1) // k1 - -(-t // k1) + 1


# %% visible exercise="ex-dc-count"
found = counts(4, 4, 12)
shape = numpy.shape(found)
assert shape == (12,), f"12 steps, 12 numbers; yours has the shape {shape}"
assert set(map(float, found)) == {1}, "chunks, (4, 4), count a loss once"

# %% hidden exercise="ex-dc-count"
for k1, k2, num_steps in ((2, 4, 12), (3, 5, 12), (1, 3, 7), (2, 12, 12)):
    counted = numpy.zeros(num_steps)
    for end in range(k1, num_steps + 1, k1):
        counted[max(end - k2, 0) : end] += 1
    found = numpy.asarray(counts(k1, k2, num_steps), dtype=float)
    inner = abs(found - counted)[: num_steps - k2]
    assert not inner.any(), (
        f"({k1}, {k2}), {num_steps} steps: of which blocks is a loss in the "
        "look-back? One of those before the last look-back is wrong."
    )
    assert not abs(found - counted).any(), (
        f"({k1}, {k2}), {num_steps} steps: a loss near the end is wrong. How "
        "many blocks are there still to come?"
    )


# %% stub exercise="ex-dc-reuse"
def entrances(ways):
    """Return the entrance of each way to hand the state on, in a list.

    ways holds functions: each is a `hand_on` of `later_loss`. The entrance
    is what autograd returns for the derivative of later_loss by the state
    before step 1, a number.
    """
    ...


# %% solution exercise="ex-dc-reuse"
def entrances(ways):
    found = []
    for hand_on in ways:
        start = np.array([example.h_0], dtype="float64")  # a fresh one
        start.attach_grad()
        with autograd.record():
            L = later_loss(start, hand_on)
        L.backward()
        found.append(start.grad.item())
    return found


# %% wrong exercise="ex-dc-reuse" belief="a backward pass that does not reach an array leaves 0 in its gradient"
def entrances(ways):
    start, found = np.array([example.h_0], dtype="float64"), []
    start.attach_grad()
    for hand_on in ways:
        with autograd.record():
            L = later_loss(start, hand_on)
        L.backward()
        found.append(start.grad.item())
    return found


# %% wrong exercise="ex-dc-reuse" belief="detach acts on the array itself, so its result can be dropped"
def entrances(ways):
    found = []
    for hand_on in ways:

        def dropped(h, hand_on=hand_on):
            hand_on(h)
            return h

        start = np.array([example.h_0], dtype="float64")
        start.attach_grad()
        with autograd.record():
            L = later_loss(start, dropped)
        L.backward()
        found.append(start.grad.item())
    return found


# %% visible exercise="ex-dc-reuse"
found = entrances([lambda h: h])
assert numpy.shape(found) == (1,), "one way, one entrance"
assert abs(float(found[0]) - 0.2903) < 1e-4, "an open border lets 0.2903 in"

# %% hidden exercise="ex-dc-reuse"
_, J = example.step_derivatives()
reaching = sum(example.responses()[t] * J[: t + 1].prod() for t in (3, 4, 5))
for weights in ((0, 1), (1, 0), (0.5, 0, 2, 0, 1)):
    ways = [lambda h, xi=xi: d2lutil.carry(h, xi) for xi in weights]
    found = numpy.asarray(entrances(ways), dtype=float)
    for xi, entrance in zip(weights, found, strict=True):
        assert abs(entrance - xi * reaching) < 1e-6, (
            f"ways with the weights {weights}: at the weight {xi} the "
            f"entrance is {entrance:.4f}. Has the pass of this way written "
            "that number?"
        )


# %% stub exercise="ex-dc-independent"
unbiased = ...  # is the estimate unbiased? True or False


def reach_probability(num_steps, pi):
    """Return how likely the last loss reaches the start, a number.

    h and c have weights of their own at the steps 2, …, num_steps; each is
    0 with probability 1 - pi.
    """
    ...


# %% solution exercise="ex-dc-independent"
unbiased = True


def reach_probability(num_steps, pi):
    return (1 - (1 - pi) ** 2) ** (num_steps - 1)


# %% wrong exercise="ex-dc-independent" belief="a weight of its own for h and c cuts as often as one for both"
unbiased = True


def reach_probability(num_steps, pi):
    return pi ** (num_steps - 1)


# %% wrong exercise="ex-dc-independent" belief="both gates must be open, and a way that changes between h and c is weighted twice"
unbiased = False


def reach_probability(num_steps, pi):
    return pi ** (2 * (num_steps - 1))


# %% visible exercise="ex-dc-independent"
assert unbiased in (True, False), "unbiased is True or False"
found = reach_probability(3, 1)
assert found is not None, "reach_probability returns nothing yet"
assert numpy.shape(found) == (), "reach_probability returns one number"
assert abs(float(found) - 1) < 1e-6, "nothing is cut if pi is 1"

# %% hidden exercise="ex-dc-independent"
rng = numpy.random.default_rng(1)
for num_steps, pi in ((2, 0.6), (3, 0.6), (4, 0.3)):
    steps = rng.uniform(0.2, 1, size=(num_steps, 2, 2))  # h and c at each
    mean, reached = numpy.zeros(2), 0.0
    for open_ in itertools.product([0, 1], repeat=2 * (num_steps - 1)):
        chance = numpy.prod([pi if gate else 1 - pi for gate in open_])
        xi = numpy.reshape(open_, (-1, 2)) / pi
        gradient = numpy.ones(2)  # at h and c of the last step
        for weights, step in zip(xi[::-1], steps[:0:-1], strict=True):
            gradient = weights * (gradient @ step)
        mean += chance * gradient
        reached += chance * gradient.any()
    exact = numpy.ones(2)
    for step in steps[:0:-1]:
        exact = exact @ step
    assert bool(unbiased) == bool(abs(mean - exact).max() < 1e-12), (
        "unbiased: follow one way back through h or c, a step at a time. "
        "Which weights does it collect, and what is the mean of the product?"
    )
    error = abs(float(reach_probability(num_steps, pi)) - reached)
    assert error < 1e-5, (
        f"reach_probability, {num_steps} steps, pi = {pi}: all outcomes "
        "together reach the start otherwise. When is a border closed?"
    )
