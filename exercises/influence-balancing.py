# %% setup
import itertools
from fractions import Fraction

import numpy


def line(n_plus, n_minus):
    """Return the Jacobian of a step, (n, n), and the push, (n,)."""
    n = n_plus + n_minus
    A = 0.5 * numpy.eye(n) + 0.5 * numpy.eye(n, k=1)
    return A, numpy.array([1.0] * n_plus + [-1.0] * n_minus)


def by_lag(A, v, num_lags):
    """Return u_0, u_1, …: what a push of k steps ago does to unit 1."""
    row, terms = numpy.eye(len(v))[0], []
    for _ in range(num_lags):
        terms.append(row @ v)
        row = row @ A
    return numpy.array(terms)


def runs(xi, lr, mean_length):
    """Train runs with random cuts side by side: 23 units, an update a cut.

    xi is (num_steps, num_runs). Returns w at each step, of the same shape;
    an update comes before the step at which xi is 0.
    """
    A, v = line(10, 13)
    w, h = numpy.full(xi.shape[1], 0.5), numpy.ones((xi.shape[1], 23))
    z, gradient, path = numpy.zeros_like(h), 0.0, numpy.empty(xi.shape)
    for t in range(len(xi)):
        w = w - (xi[t] == 0) * lr / mean_length * gradient
        gradient = gradient * (xi[t] != 0)
        h = h @ A.T + w[:, None] * v
        z = (xi[t][:, None] * z) @ A.T + v
        gradient = gradient + (h[:, 0] - 1) * z[:, 0]
        path[t] = w
    return path


# %% stub exercise="ex-ib-three"
last_terms = ...  # u_4, u_5 and u_6, three numbers
chunks_right = ...  # the length from which on chunks are right, a number


# %% solution exercise="ex-ib-three"
last_terms = (-9 / 16, -7 / 16, -5 / 16)
chunks_right = (3**2 - 2 * 1**2) / (2 - 1)


# %% wrong exercise="ex-ib-three" belief="chunks are right as soon as their longest window is"
last_terms = (-9 / 16, -7 / 16, -5 / 16)
chunks_right = 4


# %% wrong exercise="ex-ib-three" belief="the last unit keeps what moves on from it"
last_terms = (-14 / 16, -30 / 32, -62 / 64)
chunks_right = 6


# %% wrong exercise="ex-ib-three" belief="a truncated gradient still points downhill, however short it is"
last_terms = (-9 / 16, -7 / 16, -5 / 16)
chunks_right = 1


# %% visible exercise="ex-ib-three"
assert last_terms is not ..., "last_terms is still to be computed"
shape = numpy.shape(numpy.asarray(last_terms, dtype=float))
assert shape == (3,), "last_terms has three numbers, those of lags 4, 5, 6"
assert chunks_right is not ..., "chunks_right is still to be found"
assert numpy.shape(chunks_right) == (), "chunks_right is one number"

# %% hidden exercise="ex-ib-three"
row, terms = [Fraction(1), Fraction(0), Fraction(0)], []
for _ in range(40):
    terms.append(row[0] - row[1] - row[2])
    row = [row[0] / 2, (row[1] + row[0]) / 2, (row[2] + row[1]) / 2]
found = numpy.asarray(last_terms, dtype=float)
assert abs(found - [float(u) for u in terms[4:7]]).max() < 3e-3, (
    "last_terms: every entry of a row is half of the one above it plus half "
    "of that one's left neighbour"
)
windows = list(itertools.accumulate(terms))
chunks = list(itertools.accumulate(windows))  # times their length
turn = next(tau for tau, total in enumerate(chunks, start=1) if total < 0)
assert int(chunks_right) >= turn, (
    "chunks_right: add up the windows of all losses of such a chunk; the "
    "early ones still outvote the late ones"
)
assert int(chunks_right) <= turn, "chunks_right: shorter ones are right, too"


# %% stub exercise="ex-ib-normal"
eigenvalues = ...  # the diagonal, two numbers
pushes = ...  # what the parameter adds to h_1 and h_2, two numbers


# %% solution exercise="ex-ib-normal"
eigenvalues = (0.5, 0.95)
pushes = (1, -0.2)


# %% wrong exercise="ex-ib-normal" belief="a slow and a fast eigenvalue are enough"
eigenvalues = (0.5, 0.95)
pushes = (1, 0.2)


# %% wrong exercise="ex-ib-normal" belief="any two pushes of opposite sign do"
eigenvalues = (0.5, 0.6)
pushes = (1, -0.2)


# %% visible exercise="ex-ib-normal"
for name, pair in [("eigenvalues", eigenvalues), ("pushes", pushes)]:
    assert pair is not ..., f"{name} is still to be found"
    shape = numpy.shape(numpy.asarray(pair, dtype=float))
    assert shape == (2,), f"{name} has two numbers, one for each unit"
largest = abs(numpy.asarray(eigenvalues, dtype=float)).max()
assert largest < 1, "a stationary state needs eigenvalues below 1"

# %% hidden exercise="ex-ib-normal"
values = numpy.asarray(eigenvalues, dtype=float)
push = numpy.asarray(pushes, dtype=float)
whole = (push / (1 - values)).sum()
assert abs(whole) > 1e-9, "the sensitivity is 0: there is no sign to miss"
assert push.sum() * whole < 0, (
    f"a window of one step keeps {push.sum():g}, and the sensitivity is "
    f"{whole:g}: the same sign. Which unit must win in the long run?"
)


# %% stub exercise="ex-ib-unweighted"
def mean_sensitivity(n_plus, n_minus, pi):
    """Return the mean sensitivity for cuts without weights, a number.

    The formula of the exercise is that of n_plus = 10, n_minus = 13.
    """
    ...


right_from = ...  # the mean length, in whole steps, for 10 and 13 units


# %% solution exercise="ex-ib-unweighted"
def mean_sensitivity(n_plus, n_minus, pi):
    q = pi / (2 - pi)
    return (1 - 2 * q**n_plus + q ** (n_plus + n_minus)) / (1 - pi)


right_from = 88


# %% wrong exercise="ex-ib-unweighted" belief="random cuts are unbiased, with weights or without"
def mean_sensitivity(n_plus, n_minus, pi):
    return 2 * (n_plus - n_minus)


right_from = 2


# %% wrong exercise="ex-ib-unweighted" belief="random lengths do what a window of their mean length does"
def mean_sensitivity(n_plus, n_minus, pi):
    return by_lag(*line(n_plus, n_minus), round(1 / (1 - pi))).sum()


right_from = 41


# %% visible exercise="ex-ib-unweighted"
found = mean_sensitivity(10, 13, 0.75)
assert found is not None, "mean_sensitivity returns nothing yet"
assert numpy.shape(found) == (), "mean_sensitivity returns one number"
assert right_from is not ..., "right_from is still to be found"
assert numpy.shape(right_from) == (), "right_from is one number"

# %% hidden exercise="ex-ib-unweighted"
for n_plus, n_minus, pi in ((10, 13, 0.9), (1, 2, 0.5), (4, 7, 0.97)):
    A, v = line(n_plus, n_minus)
    inverse = numpy.linalg.inv(numpy.eye(len(v)) - pi * A)
    exact = inverse[0] @ v  # the sum of all pi^k u_k
    error = abs(float(mean_sensitivity(n_plus, n_minus, pi)) / exact - 1)
    assert error < 1e-5, (
        f"mean_sensitivity, {n_plus} and {n_minus} units, pi = {pi}: lag k "
        "survives with the probability pi^k; the sum of these terms differs"
    )
(A, v), length, total = line(10, 13), 1, 1.0
while total > 0:
    length += 1
    step = (1 - 1 / length) * A
    total = numpy.linalg.inv(numpy.eye(23) - step)[0] @ v
at = int(numpy.ceil(float(right_from)))
assert at >= length, "right_from: there the mean is still positive"
assert at <= length, "right_from: the mean is negative at shorter lengths"


# %% stub exercise="ex-ib-two"
def rest(tau):
    """Return where a window of tau steps comes to rest, a number."""
    ...


optimum = ...  # the parameter with the smallest loss, a number


# %% solution exercise="ex-ib-two"
def rest(tau):
    one = by_lag(*line(10, 13), tau).sum()
    two = by_lag(*line(9, 13), tau).sum()  # the line from unit 2 on
    return -(one + two) / (6 * one + 8 * two)


optimum = -14 / 100


# %% wrong exercise="ex-ib-two" belief="a bias scales the gradient and leaves the point of rest where it is"
def rest(tau):
    return -0.14


optimum = -0.14


# %% wrong exercise="ex-ib-two" belief="the optimum of a sum is the mean of the optima"
def rest(tau):
    return (-1 / 6 - 1 / 8) / 2


optimum = (-1 / 6 - 1 / 8) / 2


# %% visible exercise="ex-ib-two"
found = rest(50)
assert found is not None, "rest returns nothing yet"
assert numpy.shape(found) == (), "rest returns one number"
assert optimum is not ..., "optimum is still to be computed"
assert numpy.shape(optimum) == (), "optimum is one number"

# %% hidden exercise="ex-ib-two"
A, v = line(10, 13)
stationary = v @ numpy.linalg.inv(numpy.eye(23) - A.T)  # at w = 1


def root(tau):
    """Return where the gradient of both losses, tau steps back, is 0."""
    z = numpy.zeros(23)
    for _ in range(tau):
        z = z @ A.T + v
    at = [((w * stationary - 1) * z)[:2].sum() for w in (0, 1)]
    return at[0] / (at[0] - at[1])  # the gradient is linear in w


assert abs(float(optimum) - root(1000)) < 1e-5, (
    "optimum: with all steps the two gradients cancel somewhere else"
)
for tau in (45, 52, 60, 80):
    assert abs(float(rest(tau)) - root(tau)) < 1e-5, (
        f"rest({tau}): the gradients of the two losses, {tau} steps back, do "
        "not cancel there. Does a window shrink both by the same factor?"
    )


# %% stub exercise="ex-ib-mean"
def mean_distance(num_steps, lr, mean_length):
    """Return the mean of w - w* at the last of num_steps steps.

    The mean of all `runs` with unbiased cuts: xi is 0 with the constant
    probability 1/mean_length at each step, and otherwise the weight that
    makes its mean 1. Do not draw.
    """
    ...


# %% solution exercise="ex-ib-mean"
def mean_distance(num_steps, lr, mean_length):
    (A, v), n, pi, w_star = line(10, 13), 23, 1 - 1 / mean_length, -1 / 6
    z = (by_lag(A, v, num_steps) * pi ** -numpy.arange(num_steps)).cumsum()
    step, end = numpy.eye(n + 2), numpy.eye(n + 2)
    step[:n, :n], step[:n, n] = A, v
    end[n:, -1] = -lr / mean_length, 0  # the update, and a new sum
    settled = w_star * v @ numpy.linalg.inv(numpy.eye(n) - A.T)
    x = numpy.append(1 - settled, [0.5 - w_star, 0])[:, None]
    for t in range(num_steps):
        if t:  # means times probability, a column for each age
            cut = (end @ x).sum(axis=1, keepdims=True) / mean_length
            x = numpy.hstack([cut, pi * x])
        x = step @ x
        x[-1] += x[0] * z[: t + 1]
    return x[n].sum()


# %% wrong exercise="ex-ib-mean" belief="an unbiased estimate makes the mean run that of the exact gradient"
def mean_distance(num_steps, lr, mean_length):
    (A, v), w, h = line(10, 13), 0.5, numpy.ones(23)
    z, gradient = numpy.zeros(23), 0.0
    for t in range(num_steps):
        if t % mean_length == 0:
            w, gradient = w - lr / mean_length * gradient, 0.0
        h, z = h @ A.T + w * v, z @ A.T + v
        gradient += (h[0] - 1) * z[0]
    return w + 1 / 6


# %% wrong exercise="ex-ib-mean" belief="cuts at random places are enough; the weights only add variance"
def mean_distance(num_steps, lr, mean_length):
    (A, v), n, pi, w_star = line(10, 13), 23, 1 - 1 / mean_length, -1 / 6
    z = by_lag(A, v, num_steps).cumsum()
    step, end = numpy.eye(n + 2), numpy.eye(n + 2)
    step[:n, :n], step[:n, n] = A, v
    end[n:, -1] = -lr / mean_length, 0
    settled = w_star * v @ numpy.linalg.inv(numpy.eye(n) - A.T)
    x = numpy.append(1 - settled, [0.5 - w_star, 0])[:, None]
    for t in range(num_steps):
        if t:
            cut = (end @ x).sum(axis=1, keepdims=True) / mean_length
            x = numpy.hstack([cut, pi * x])
        x = step @ x
        x[-1] += x[0] * z[: t + 1]
    return x[n].sum()


# %% visible exercise="ex-ib-mean"
found = mean_distance(1, 0.003, 4)
assert found is not None, "mean_distance returns nothing yet"
assert numpy.shape(found) == (), "mean_distance returns one number"
assert abs(float(found) - 2 / 3) < 1e-6, (
    "before an update w - w* is 1/2 + 1/6"
)

# %% hidden exercise="ex-ib-mean"
for length, lr in ((4, 0.01), (3, 0.003)):
    kept = numpy.array(list(itertools.product([0, 1], repeat=9))).T
    kept = numpy.vstack([numpy.zeros(512), kept])  # (10, 512)
    chance = numpy.where(kept[1:], 1 - 1 / length, 1 / length).prod(axis=0)
    exact = chance @ runs(kept / (1 - 1 / length), lr, length)[-1] + 1 / 6
    error = abs(float(mean_distance(10, lr, length)) - exact)
    assert error < 1e-6, (
        f"mean length {length}, rate {lr}: all 512 outcomes of ten steps "
        "have another mean. What decides the estimate of a step, and what "
        "happens to the sum of the gradients at a cut?"
    )
draws = numpy.random.default_rng(1).random((120, 4000)) < 15 / 16
path = runs(draws * 16 / 15, 6e-4, 16)[-1] + 1 / 6
error = abs(float(mean_distance(120, 6e-4, 16)) - path.mean())
assert error < 5 * path.std() / 4000**0.5, (
    "ten steps are right, 120 are not: 4,000 runs have another mean"
)
