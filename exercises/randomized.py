# %% setup
import itertools

import numpy
from d2lutil import example


def outcomes(pi, num_gates):
    """Return all outcomes of random gates, and the probability of each.

    xi is (2^num_gates, num_gates), 1/pi or 0; chance is (2^num_gates,).
    """
    kept = numpy.array(list(itertools.product([1, 0], repeat=num_gates)))
    chance = numpy.where(kept == 1, pi, 1 - pi).prod(axis=1)
    return kept / pi, chance


# %% stub exercise="ex-ra-weights"
def least_variance(pi):
    """Return the smallest variance that such a weight can have.

    With probability 1 - pi the weight is 0; otherwise it is any random
    number, so that its mean is 1. The proof stays on paper.
    """
    ...


# %% solution exercise="ex-ra-weights"
def least_variance(pi):
    return 1 / pi - 1


# %% wrong exercise="ex-ra-weights" belief="the variance is the mean of the square"
def least_variance(pi):
    return 1 / pi


# %% wrong exercise="ex-ra-weights" belief="the weight scatters as the coin does"
def least_variance(pi):
    return pi * (1 - pi)


# %% visible exercise="ex-ra-weights"
found = least_variance(0.5)
assert found is not None, "least_variance returns nothing yet"
assert numpy.shape(found) == (), "least_variance returns one number"

# %% hidden exercise="ex-ra-weights"
rng = numpy.random.default_rng(1)
for pi in (0.3, 0.5, 0.9):
    xi, chance = outcomes(pi, 1)
    scatter = float(chance @ (xi[:, 0] - 1) ** 2)
    found = float(least_variance(pi))
    assert found < scatter + 1e-5, (
        f"pi = {pi}: the chapter's weights have mean 1 and scatter less"
    )
    survivors = rng.uniform(0.999, 1.001, size=1000)
    survivors *= 1 / pi / survivors.mean()  # mean 1/pi, nearly constant
    close = pi * (survivors**2).mean() - 1
    assert found > close - 1e-4, (
        f"pi = {pi}: no weight of mean 1 scatters so little. Which mean has "
        "it, given that it is not forced to 0?"
    )


# %% stub exercise="ex-ra-lookback"
def look_back(pi):
    """Return how many steps a loss looks back on average, a number.

    Random cuts in a sequence without end; pi is the probability to go on.
    """
    ...


# %% solution exercise="ex-ra-lookback"
def look_back(pi):
    return pi / (1 - pi)


# %% wrong exercise="ex-ra-lookback" belief="random cuts look back as far as chunks of the same mean length"
def look_back(pi):
    return (1 / (1 - pi) - 1) / 2


# %% wrong exercise="ex-ra-lookback" belief="a loss looks back over the mean length of a segment"
def look_back(pi):
    return 1 / (1 - pi)


# %% visible exercise="ex-ra-lookback"
found = look_back(0.5)
assert found is not None, "look_back returns nothing yet"
assert numpy.shape(found) == (), "look_back returns one number"

# %% hidden exercise="ex-ra-lookback"
for pi in (0.2, 0.75, 0.9, 0.98):
    expected = 0.0  # of the first step; then one step further, or cut
    for _ in range(5000):
        expected = pi * (1 + expected)
    error = abs(float(look_back(pi)) - expected)
    assert error < 1e-5 * (1 + expected), (
        f"pi = {pi}: from where the look-back of step t - 1 is known, a "
        "gate makes that of step t; repeated, this settles elsewhere"
    )


# %% stub exercise="ex-ra-unweighted"
def mean_estimate(F, J, pi):
    """Return E[z_1], …, E[z_T] for cuts without weights: an array (T,).

    F and J are the derivatives of the steps, (T,) each, F[0] is F_1. A gate
    is 1 with probability pi, else 0.
    """
    ...


# %% solution exercise="ex-ra-unweighted"
def mean_estimate(F, J, pi):
    z, means = 0.0, []
    for F_t, J_t in zip(F, J, strict=True):
        z = F_t + pi * J_t * z
        means.append(z)
    return numpy.array(means)


# %% wrong exercise="ex-ra-unweighted" belief="random cuts are unbiased, with weights or without"
def mean_estimate(F, J, pi):
    z, means = 0.0, []
    for F_t, J_t in zip(F, J, strict=True):
        z = F_t + J_t * z
        means.append(z)
    return numpy.array(means)


# %% wrong exercise="ex-ra-unweighted" belief="the exact derivative comes from the step before, and is cut once"
def mean_estimate(F, J, pi):
    total, means = 0.0, []
    for F_t, J_t in zip(F, J, strict=True):
        means.append(F_t + pi * J_t * total)
        total = F_t + J_t * total
    return numpy.array(means)


# %% visible exercise="ex-ra-unweighted"
F, J = example.step_derivatives()
shape = numpy.shape(mean_estimate(F, J, 0.5))
assert shape == (6,), f"six steps, six means; yours has the shape {shape}"
by_one = numpy.asarray(mean_estimate(F, J, 1), dtype=float)
exact = example.state_terms().sum(axis=1)
assert abs(by_one - exact).max() < 1e-5, "nothing is cut if pi is 1"

# %% hidden exercise="ex-ra-unweighted"
rng = numpy.random.default_rng(2)
for pi in (0.3, 0.5, 0.8):
    F, J = rng.normal(size=6), rng.uniform(0.5, 1.5, size=6)
    xi, chance = outcomes(pi, 6)
    z, means = 0.0, []
    for t in range(6):
        z = F[t] + (xi[:, t] > 0) * J[t] * z
        means.append(chance @ z)
    found = numpy.asarray(mean_estimate(F, J, pi), dtype=float)
    error = abs(found - means)
    assert error[:2].max() < 1e-5, (
        f"pi = {pi}: already z_2 has another mean over all outcomes"
    )
    assert error.max() < 1e-5, (
        f"pi = {pi}: z_1 and z_2 are right, a later mean is not. How many "
        "gates does a term of lag k pass?"
    )


# %% stub exercise="ex-ra-every"
def moments_every(k, j, mean_length, num_steps):
    """Return mean and variance of z_1, …, z_T: two arrays (num_steps,).

    F_t = 1 and J_t = j at every step. A weight is drawn at the steps 1,
    1 + k, 1 + 2k, …, counted from 1; elsewhere it is 1. mean_length is the
    mean number of steps between two cuts.
    """
    ...


# %% solution exercise="ex-ra-every"
def moments_every(k, j, mean_length, num_steps):
    m, v, mean, variance = 0.0, 0.0, [], []
    for t in range(num_steps):
        p = 1 - k / mean_length if t % k == 0 else 1.0
        v = j**2 * (v / p + (1 - p) / p * m**2)
        m = 1 + j * m
        mean.append(m)
        variance.append(v)
    return numpy.array(mean), numpy.array(variance)


# %% wrong exercise="ex-ra-every" belief="the mean length needs the same probability whatever k is"
def moments_every(k, j, mean_length, num_steps):
    m, v, mean, variance = 0.0, 0.0, [], []
    for t in range(num_steps):
        p = 1 - 1 / mean_length if t % k == 0 else 1.0
        v = j**2 * (v / p + (1 - p) / p * m**2)
        m = 1 + j * m
        mean.append(m)
        variance.append(v)
    return numpy.array(mean), numpy.array(variance)


# %% wrong exercise="ex-ra-every" belief="at equal mean length it does not matter how often a weight is drawn"
def moments_every(k, j, mean_length, num_steps):
    m, v, mean, variance, p = 0.0, 0.0, [], [], 1 - 1 / mean_length
    for _ in range(num_steps):
        v = j**2 * (v / p + (1 - p) / p * m**2)
        m = 1 + j * m
        mean.append(m)
        variance.append(v)
    return numpy.array(mean), numpy.array(variance)


# %% wrong exercise="ex-ra-every" belief="the weights drawn are too few, so the estimate is biased"
def moments_every(k, j, mean_length, num_steps):
    m, v, mean, variance = 0.0, 0.0, [], []
    for t in range(num_steps):
        p = 1 - k / mean_length if t % k == 0 else 1.0
        v = j**2 * (v / p + (1 - p) / p * m**2)
        m = 1 + p * j * m
        mean.append(m)
        variance.append(v)
    return numpy.array(mean), numpy.array(variance)


# %% visible exercise="ex-ra-every"
found = moments_every(2, 0.9, 20, 5)
assert numpy.shape(found) == (2, 5), "five means and five variances"
assert float(found[0][0]) == 1, "z_1 = F_1 = 1, whatever is drawn"
assert float(found[1][0]) == 0, "z_1 does not depend on a draw"

# %% hidden exercise="ex-ra-every"
for k, j, length in ((1, 0.9, 20), (2, 0.9, 20), (3, 1.1, 7), (5, 0.5, 9)):
    xi, chance = outcomes(1 - k / length, len(range(0, 12, k)))
    z, mean, variance = numpy.zeros(len(xi)), [], []
    for t in range(12):
        z = 1 + (xi[:, t // k] if t % k == 0 else 1) * j * z
        mean.append(chance @ z)
        variance.append(chance @ (z - mean[-1]) ** 2)
    found = numpy.asarray(moments_every(k, j, length, 12), dtype=float)
    assert abs(found[0] - mean).max() < 1e-5 * max(mean), (
        f"mean, k = {k}: what is the mean of a weight that is always 1?"
    )
    error = abs(found[1] - variance) / max(variance)
    assert error.max() < 1e-5, (
        f"variance, k = {k}: all outcomes together scatter otherwise. How "
        "likely must a cut be, so that segments have the mean length? And "
        "at which steps does new noise arise?"
    )


# %% stub exercise="ex-ra-tail"
def tail_exponent(j, pi):
    """Return kappa for a constant Jacobian j > pi, a number."""
    ...


def cut_limit(j):
    """Return the probability c of a cut above which kappa is below 2."""
    ...


# %% solution exercise="ex-ra-tail"
def tail_exponent(j, pi):
    return numpy.log(1 / pi) / numpy.log(j / pi)


def cut_limit(j):
    return 1 - j**2


# %% wrong exercise="ex-ra-tail" belief="the variance is finite as long as the weighted Jacobian, j/π, is below 1"
def tail_exponent(j, pi):
    return numpy.log(1 / pi) / numpy.log(j / pi)


def cut_limit(j):
    return 1 - j


# %% wrong exercise="ex-ra-tail" belief="the weights alone make the tail, whatever the Jacobian is"
def tail_exponent(j, pi):
    return numpy.log(1 / pi) / numpy.log(1 / pi)


def cut_limit(j):
    return 0.0


# %% visible exercise="ex-ra-tail"
for name, found in [
    ("tail_exponent", tail_exponent(0.9, 0.7)),
    ("cut_limit", cut_limit(0.9)),
]:
    assert found is not None, f"{name} returns nothing yet"
    assert numpy.shape(found) == (), f"{name} returns one number"

# %% hidden exercise="ex-ra-tail"
for j, pi in ((0.9, 0.7), (0.95, 0.8), (0.8, 0.4)):
    z_by_age = numpy.cumsum((j / pi) ** numpy.arange(300.0))
    late = numpy.array([149, 299])  # ages 150 and 300
    fall = numpy.diff(late * numpy.log(pi)) / numpy.diff(
        numpy.log(z_by_age[late])
    )
    error = abs(float(tail_exponent(j, pi)) + fall.item())
    assert error < 1e-3, (
        f"j = {j}, pi = {pi}: from age 150 to age 300 the logarithm of the "
        "probability falls by another multiple of the logarithm of z"
    )
for j in (0.9, 0.95, 0.7):
    for near, settles in ((0.98, True), (1.02, False)):
        pi, m, v = 1 - near * float(cut_limit(j)), 0.0, [0.0]
        for _ in range(4000):
            v.append(j**2 * (v[-1] / pi + (1 - pi) / pi * m**2))
            m = 1 + j * m
        assert (v[-1] < 1.5 * v[-1000] and v[-1] > 0) == settles, (
            f"j = {j}: by the chapter's recursion the variance "
            + ("does not settle at" if settles else "still settles at")
            + f" {near:.2f} times your limit"
        )


# %% stub exercise="ex-ra-matrix"
def covariance_step(C, m, J, pi):
    """Return C_t, (n, n), from C_{t-1} and the mean m_{t-1}, a row (n,).

    z_t = u + xi_t z_{t-1} J^T with rows z_t, and J of the shape (n, n).
    """
    ...


def stays_bounded(J, pi):
    """Return whether C_t stays bounded for every u, True or False."""
    ...


# %% solution exercise="ex-ra-matrix"
def covariance_step(C, m, J, pi):
    return J @ (C / pi + (1 - pi) / pi * numpy.outer(m, m)) @ J.T


def stays_bounded(J, pi):
    return max(abs(numpy.linalg.eigvals(J))) ** 2 < pi


# %% wrong exercise="ex-ra-matrix" belief="a matrix whose norm lets the variance grow in one step lets it grow for ever"
def covariance_step(C, m, J, pi):
    return J @ (C / pi + (1 - pi) / pi * numpy.outer(m, m)) @ J.T


def stays_bounded(J, pi):
    return numpy.linalg.norm(J, 2) ** 2 < pi


# %% wrong exercise="ex-ra-matrix" belief="eigenvalues below pi are needed, as the gradient is divided by pi"
def covariance_step(C, m, J, pi):
    return J @ (C / pi + (1 - pi) / pi * numpy.outer(m, m)) @ J.T


def stays_bounded(J, pi):
    return max(abs(numpy.linalg.eigvals(J))) < pi


# %% wrong exercise="ex-ra-matrix" belief="on which side the transposed matrix stands does not matter"
def covariance_step(C, m, J, pi):
    return J.T @ (C / pi + (1 - pi) / pi * numpy.outer(m, m)) @ J


def stays_bounded(J, pi):
    return max(abs(numpy.linalg.eigvals(J))) ** 2 < pi


# %% visible exercise="ex-ra-matrix"
found = covariance_step(numpy.zeros((2, 2)), numpy.ones(2), numpy.eye(2), 0.5)
shape = numpy.shape(found)
assert shape == (2, 2), f"a covariance is (n, n); yours has the shape {shape}"
answer = stays_bounded(0.1 * numpy.eye(2), 0.5)
assert answer in (True, False), "stays_bounded returns True or False"
assert answer, "without any memory to speak of the covariance is bounded"

# %% hidden exercise="ex-ra-matrix"
rng = numpy.random.default_rng(3)
for pi in (0.4, 0.8):
    J, u = 0.6 * rng.normal(size=(3, 3)), rng.normal(size=3)
    xi, chance = outcomes(pi, 6)
    z, C, m = numpy.zeros((len(xi), 3)), numpy.zeros((3, 3)), numpy.zeros(3)
    for t in range(6):
        C = numpy.asarray(covariance_step(C, m, J, pi), dtype=float)
        m = u + m @ J.T
        z = u + xi[:, t, None] * z @ J.T
        exact = (z - m).T @ (chance[:, None] * (z - m))
        error = abs(C - exact).max()
        assert error < 1e-5 * (1 + abs(exact).max()), (
            f"covariance_step, t = {t + 1}: all outcomes together have "
            "another covariance"
        )
shear = 0.5 * numpy.eye(4) + 0.5 * numpy.eye(4, k=1)
turn = 0.9 * numpy.array([[0.6, -0.8], [0.8, 0.6]])
cases = [(shear, 0.4, True), (shear, 0.2, False), (turn, 0.9, True)]
cases += [(turn, 0.7, False), (numpy.diag([0.1, 0.95]), 0.8, False)]
for J, pi, settles in cases:
    assert bool(stays_bounded(J, pi)) == settles, (
        f"stays_bounded, pi = {pi}: what are k steps after each other, "
        f"J^k, worth beside pi^-k, for a large k? The matrix is {J.tolist()}"
    )
