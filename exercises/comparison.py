# %% setup
import itertools

import d2lutil  # first: it makes MXNet load under today's NumPy
import mxnet
import numpy


def small_network():
    """Return a network of 4 units, an input and a target, (6, 2) each."""
    mxnet.random.seed(0)
    net = d2lutil.RNN(5, num_hiddens=4)
    net.initialize(mxnet.init.Normal(0.8))
    net.cast("float64")
    X, Y = numpy.random.default_rng(0).integers(5, size=(2, 6, 2))
    return net, X, Y


def text_gradient(net, X, Y, xi):
    """Return the gradient of W_xh, W_hh and b_h as one vector."""
    d2lutil.zero_gradients(net.parameters())
    d2lutil.bptt(net, X, Y, net.begin_state(X.shape[1]), xi)
    parts = net.W_xh.grad(), net.W_hh.grad(), net.b_h.grad()
    return numpy.concatenate([part.asnumpy().ravel() for part in parts])


# %% stub exercise="ex-cmp-moment"
def weight_variance(lag, pi):
    """Return the variance of R_ti at t - i = lag, a number."""
    ...


heavy_lag = ...  # the first lag at pi = 1 - 1/35, a whole number


# %% solution exercise="ex-cmp-moment"
def weight_variance(lag, pi):
    return pi**-lag - 1


heavy_lag = 24


# %% wrong exercise="ex-cmp-moment" belief="the variances of the gates add up"
def weight_variance(lag, pi):
    return lag * (1 - pi) / pi


heavy_lag = 35


# %% wrong exercise="ex-cmp-moment" belief="the variance of a product is the product of the variances"
def weight_variance(lag, pi):
    return ((1 - pi) / pi) ** lag


heavy_lag = 1


# %% visible exercise="ex-cmp-moment"
found = weight_variance(1, 0.5)
assert found is not None, "weight_variance returns nothing yet"
assert numpy.shape(found) == (), "weight_variance returns one number"
assert abs(float(found) - 1) < 1e-5, "one fair coin, 0 or 2: the variance 1"
assert heavy_lag is not ..., "heavy_lag is still to be found"
assert numpy.shape(heavy_lag) == (), "heavy_lag is one number"
assert float(heavy_lag) == int(heavy_lag), "a lag is a whole number"

# %% hidden exercise="ex-cmp-moment"
for pi in (0.5, 0.8, 1 - 1 / 35):
    for lag in (1, 2, 5, 9):
        gates = numpy.array(list(itertools.product([0, 1], repeat=lag)))
        chance = numpy.where(gates == 1, pi, 1 - pi).prod(axis=1)
        R = (gates / pi).prod(axis=1)
        exact = chance @ (R - 1) ** 2
        error = abs(float(weight_variance(lag, pi)) / exact - 1)
        assert error < 1e-4, (
            f"lag {lag}, pi = {pi:.2f}: all outcomes together have another "
            "variance. Begin with the mean of the square of the product."
        )
lag, scatter = 0, 0.0
while scatter <= 1:
    lag += 1
    kept = (1 - 1 / 35) ** lag  # the probability that all gates are open
    scatter = kept * (1 / kept - 1) ** 2 + (1 - kept)
assert int(heavy_lag) >= lag, "heavy_lag: there the mean is still larger"
assert int(heavy_lag) <= lag, "heavy_lag: it is so at a smaller lag already"


# %% stub exercise="ex-cmp-equal"
equal_chunks = ...  # steps in a chunk, a number


# %% solution exercise="ex-cmp-equal"
equal_chunks = 69


# %% wrong exercise="ex-cmp-equal" belief="chunks of the mean length of the segments look back as far"
equal_chunks = 35


# %% wrong exercise="ex-cmp-equal" belief="the look-back is half the length of a chunk, and the mean length of a segment"
equal_chunks = 70


# %% visible exercise="ex-cmp-equal"
assert equal_chunks is not ..., "equal_chunks is still to be computed"
assert numpy.shape(equal_chunks) == (), "equal_chunks is one number"

# %% hidden exercise="ex-cmp-equal"
pi, random_back = 1 - 1 / 35, 0.0
for _ in range(3000):
    random_back = pi * (1 + random_back)  # one step further, or cut
chunk_back = numpy.arange(round(float(equal_chunks))).mean()
assert chunk_back > random_back - 0.4, (
    "the losses of such a chunk look back less far: count 0, 1, 2, … steps"
)
assert chunk_back < random_back + 0.4, (
    "the losses of such a chunk look back farther: its first one looks back "
    "no step at all, as does a loss behind a random cut"
)


# %% stub exercise="ex-cmp-clip"
clipped_mean = ...  # the mean of the clipped estimate, a number
closer = ...  # on average closer to the truth: "clipped" or "constant"


# %% solution exercise="ex-cmp-clip"
clipped_mean = 0.5
closer = "constant"


# %% wrong exercise="ex-cmp-clip" belief="clipping leaves an unbiased estimate unbiased"
clipped_mean = 1.0
closer = "clipped"


# %% wrong exercise="ex-cmp-clip" belief="what comes from an unbiased estimate is better than a biased one"
clipped_mean = 0.5
closer = "clipped"


# %% visible exercise="ex-cmp-clip"
assert clipped_mean is not ..., "clipped_mean is still to be computed"
assert numpy.shape(clipped_mean) == (), "clipped_mean is one number"
allowed = "clipped", "constant"
assert closer in allowed, 'closer is "clipped" or "constant"'

# %% hidden exercise="ex-cmp-clip"
estimates = numpy.array([0.0, 2.0])
clipped = numpy.minimum(estimates, 1.0)
assert abs(float(clipped_mean) - clipped.mean()) < 1e-6, (
    "clipped_mean: clip each of the two estimates, then take the mean"
)
distance = {"clipped": abs(clipped - 1).mean(), "constant": 0.2}
assert closer == min(distance, key=distance.get), (
    "closer: how far from the truth 1 is each of the two, on average?"
)


# %% stub exercise="ex-cmp-stretch"
# The measurement itself needs the network of the chapter, trained on the
# novel. Here you make what measures, and what explains the result.
def error_parts(net, X, Y, xis):
    """Return bias² and variance, two numbers relative to ‖g‖².

    g is the full gradient, and the schemes of the list xis are equally
    likely, all that can occur. Use text_gradient.
    """
    ...


def relative_variance(parts, variances):
    """Return the relative variance of a sum over independent stretches.

    parts, (N, n), are the full gradients of N stretches; the estimate of
    each scatters by its own cuts, with the variances (N,).
    """
    ...


# %% solution exercise="ex-cmp-stretch"
def error_parts(net, X, Y, xis):
    whole = text_gradient(net, X, Y, d2lutil.full(len(X)))
    cut = numpy.array([text_gradient(net, X, Y, xi) for xi in xis])
    mean = cut.mean(axis=0)
    bias2 = ((mean - whole) ** 2).sum()
    variance = ((cut - mean) ** 2).sum(axis=1).mean()
    return bias2 / (whole**2).sum(), variance / (whole**2).sum()


def relative_variance(parts, variances):
    return sum(variances) / (numpy.sum(parts, axis=0) ** 2).sum()


# %% wrong exercise="ex-cmp-stretch" belief="the gradients of all stretches point the same way"
def error_parts(net, X, Y, xis):
    whole = text_gradient(net, X, Y, d2lutil.full(len(X)))
    cut = numpy.array([text_gradient(net, X, Y, xi) for xi in xis])
    mean = cut.mean(axis=0)
    bias2 = ((mean - whole) ** 2).sum()
    variance = ((cut - mean) ** 2).sum(axis=1).mean()
    return bias2 / (whole**2).sum(), variance / (whole**2).sum()


def relative_variance(parts, variances):
    return sum(variances) / numpy.linalg.norm(parts, axis=1).sum() ** 2


# %% wrong exercise="ex-cmp-stretch" belief="the error of a scheme is its variance"
def error_parts(net, X, Y, xis):
    whole = text_gradient(net, X, Y, d2lutil.full(len(X)))
    cut = numpy.array([text_gradient(net, X, Y, xi) for xi in xis])
    bias2 = ((cut.mean(axis=0) - whole) ** 2).sum()
    error = ((cut - whole) ** 2).sum(axis=1).mean()
    return bias2 / (whole**2).sum(), error / (whole**2).sum()


def relative_variance(parts, variances):
    return sum(variances) / (numpy.sum(parts, axis=0) ** 2).sum()


# %% wrong exercise="ex-cmp-stretch" belief="N stretches divide the relative variance of one by N"
def error_parts(net, X, Y, xis):
    whole = text_gradient(net, X, Y, d2lutil.full(len(X)))
    cut = numpy.array([text_gradient(net, X, Y, xi) for xi in xis])
    mean = cut.mean(axis=0)
    bias2 = ((mean - whole) ** 2).sum()
    variance = ((cut - mean) ** 2).sum(axis=1).mean()
    return bias2 / (whole**2).sum(), variance / (whole**2).sum()


def relative_variance(parts, variances):
    each = variances / (parts**2).sum(axis=1)
    return each.mean() / len(parts)


# %% visible exercise="ex-cmp-stretch"
found = error_parts(*small_network(), [d2lutil.full(6)])
assert numpy.shape(found) == (2,), "error_parts returns bias² and variance"
assert abs(float(found[0])) < 1e-6, "the full gradient has no bias"
assert abs(float(found[1])) < 1e-6, "the full gradient does not scatter"
found = relative_variance(numpy.array([[3.0, 4.0]]), numpy.array([5.0]))
assert found is not None, "relative_variance returns nothing yet"
assert numpy.shape(found) == (), "relative_variance returns one number"
assert abs(float(found) - 0.2) < 1e-6, "one stretch: 5 / (3² + 4²)"

# %% hidden exercise="ex-cmp-stretch"
net, X, Y = small_network()
whole = text_gradient(net, X, Y, d2lutil.full(6))
coins = [[0, *pair] for pair in itertools.product([0.0, 2.0], repeat=5)]
places = [d2lutil.Regular(4, phase=k)(6) for k in range(4)]
for name, xis in (("fair coins", coins), ("chunks of 4", places)):
    cut = numpy.array([text_gradient(net, X, Y, xi) for xi in xis])
    errors = ((cut - whole) ** 2).sum(axis=1) / (whole**2).sum()
    bias2 = ((cut.mean(axis=0) - whole) ** 2).sum() / (whole**2).sum()
    found = numpy.asarray(error_parts(net, X, Y, xis), dtype=float)
    assert abs(found[0] - bias2) < 1e-5 * (1 + bias2), (
        f"{name}: bias² is the error of the mean, relative to ‖g‖²"
    )
    assert abs(found.sum() - errors.mean()) < 1e-5 * (1 + errors.mean()), (
        f"{name}: bias² and variance do not add up to the mean squared error"
    )
rng = numpy.random.default_rng(1)
signs = numpy.array(list(itertools.product([-1, 1], repeat=5)))
for pull in (0.0, 3.0):  # the stretches cancel, or point the same way
    parts = pull + rng.normal(size=(5, 3))
    noise = rng.normal(size=(5, 3))
    errors = (numpy.tensordot(signs, noise, 1) ** 2).sum(axis=1)
    exact = errors.mean() / (parts.sum(axis=0) ** 2).sum()
    found = float(relative_variance(parts, (noise**2).sum(axis=1)))
    assert abs(found / exact - 1) < 1e-5, (
        "relative_variance: all outcomes of five stretches together give "
        f"{exact:.3f}, yours is {found:.3f}. What of the sum of the parts is "
        "left where they point in different directions?"
    )
