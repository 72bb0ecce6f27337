# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import mxnet
import numpy


def trials(rng, lag, batch_size):
    """Return inputs and targets: a symbol first, a cue at the end."""
    X = rng.integers(4, 24, (lag + 1, batch_size))  # they mean nothing
    Y = numpy.full_like(X, 4)  # nothing is asked for yet
    X[0] = Y[lag] = rng.integers(0, 4, batch_size)  # the symbol
    X[lag] = 24  # the cue
    return X, Y


# %% stub exercise="ex-ct-factor"
def extra_terms(c, beta):
    """Return how many terms more a rule takes that trusts the bound.

    Rounded to a whole number or not.
    """
    ...


# %% solution exercise="ex-ct-factor"
def extra_terms(c, beta):
    return numpy.log(c) / numpy.log(1 / beta)


# %% wrong exercise="ex-ct-factor" belief="a bound that is c times too large asks for c times as many terms"
def extra_terms(c, beta):
    return c


# %% wrong exercise="ex-ct-factor" belief="what a loose bound costs depends on how loose it is, and on nothing else"
def extra_terms(c, beta):
    return numpy.log(c)


# %% visible exercise="ex-ct-factor"
found = extra_terms(10, 0.5)
assert found is not None, "extra_terms returns nothing yet"
assert numpy.shape(found) == (), "extra_terms returns one number"

# %% hidden exercise="ex-ct-factor"
for c, beta in ((40, 0.7), (300, 0.97), (8, 0.9)):
    bias = beta ** numpy.arange(3000.0)
    counted = (c * bias > 1e-3).sum() - (bias > 1e-3).sum()
    found = float(extra_terms(c, beta))
    assert abs(found - counted) < 1.1, (
        f"c = {c}, beta = {beta}: count the terms until β^K is below 0.001, "
        f"and those until {c} β^K is; the counts do not differ by {found:.3g}"
    )


# %% stub exercise="ex-ct-hold"
def chunk_length(lag, share):
    """Return the length of chunks, at a random phase, that hold a share.

    share is that of the effects whose cause, lag steps before them, lies in
    the same chunk. Do not round.
    """
    ...


def random_length(lag, share):
    """Return the mean length of random cuts that hold a share, as above."""
    ...


# %% solution exercise="ex-ct-hold"
def chunk_length(lag, share):
    return lag / (1 - share)


def random_length(lag, share):
    return 1 / (1 - share ** (1 / lag))


# %% wrong exercise="ex-ct-hold" belief="with τ steps every loss sees τ steps back, so a little more than the lag will do"
def chunk_length(lag, share):
    return lag + 1


def random_length(lag, share):
    return 1 / (1 - share ** (1 / lag))


# %% wrong exercise="ex-ct-hold" belief="random cuts hold as much as chunks of the same mean length"
def chunk_length(lag, share):
    return lag / (1 - share)


def random_length(lag, share):
    return lag / (1 - share)


# %% visible exercise="ex-ct-hold"
for name, found in [
    ("chunk_length", chunk_length(20, 0.9)),
    ("random_length", random_length(20, 0.9)),
]:
    assert found is not None, f"{name} returns nothing yet"
    assert numpy.shape(found) == (), f"{name} returns one number"
    assert float(found) > 20, f"{name}: shorter than the lag holds nothing"

# %% hidden exercise="ex-ct-hold"
for lag, share in ((20, 0.9), (5, 0.75), (8, 0.6)):
    tau = round(float(chunk_length(lag, share)))
    places = [d2lutil.Regular(tau, phase=k) for k in range(tau)]
    held = numpy.mean([place(lag + 1)[1:].all() for place in places])
    assert abs(held - share) < 1e-9, (
        f"chunks of {tau} hold the lag {lag} in {held:.1%} of their places, "
        f"not in {share:.0%}"
    )
    go_on = 1 - 1 / float(random_length(lag, share))
    held = numpy.prod([go_on] * lag)
    assert abs(held - share) < 4e-3, (
        f"random cuts: {lag} gates in a row let {held:.1%} through, not "
        f"{share:.0%}"
    )


# %% stub exercise="ex-ct-chunks"
# G, (num_lags, n, n), holds the gradient by lag, all lags that count.
def chunks_for(G, bound):
    """Return the smallest tau at which chunks are biased below the bound.

    The bias is that of the mean over all places of the borders, relative to
    the full gradient.
    """
    ...


def window_for(G, bound):
    """Return the smallest window that is biased below the bound."""
    ...


def predicted_chunks(G, bound):
    """Return the tau by the formula for large tau, not rounded."""
    ...


# %% solution exercise="ex-ct-chunks"
def chunks_for(G, bound):
    g, tau, lags, bias = numpy.sum(G, axis=0), 0, numpy.arange(len(G)), 1.0
    while bias >= bound:
        tau += 1
        share = numpy.maximum(1 - lags / tau, 0)
        kept = numpy.tensordot(share, G, axes=1)
        bias = numpy.linalg.norm(kept - g) / numpy.linalg.norm(g)
    return tau


def window_for(G, bound):
    g = numpy.sum(G, axis=0)
    missing = numpy.linalg.norm(numpy.cumsum(G, axis=0) - g, axis=(1, 2))
    return numpy.argmax(missing < bound * numpy.linalg.norm(g)) + 1


def predicted_chunks(G, bound):
    spread = numpy.tensordot(numpy.arange(len(G)), G, axes=1)
    whole = numpy.linalg.norm(numpy.sum(G, axis=0))
    return numpy.linalg.norm(spread) / whole / bound


# %% wrong exercise="ex-ct-chunks" belief="with τ steps every loss sees τ steps back, in chunks as in a window"
def chunks_for(G, bound):
    return window_for(G, bound)


def window_for(G, bound):
    g = numpy.sum(G, axis=0)
    missing = numpy.linalg.norm(numpy.cumsum(G, axis=0) - g, axis=(1, 2))
    return numpy.argmax(missing < bound * numpy.linalg.norm(g)) + 1


def predicted_chunks(G, bound):
    spread = numpy.tensordot(numpy.arange(len(G)), G, axes=1)
    whole = numpy.linalg.norm(numpy.sum(G, axis=0))
    return numpy.linalg.norm(spread) / whole / bound


# %% wrong exercise="ex-ct-chunks" belief="what is missing is as large as the sizes of the missing terms together"
def chunks_for(G, bound):
    sizes, lags = numpy.linalg.norm(G, axis=(1, 2)), numpy.arange(len(G))
    whole, tau = numpy.linalg.norm(numpy.sum(G, axis=0)), 1
    while numpy.minimum(lags / tau, 1) @ sizes >= bound * whole:
        tau += 1
    return tau


def window_for(G, bound):
    sizes = numpy.linalg.norm(G, axis=(1, 2))
    whole, tau = numpy.linalg.norm(numpy.sum(G, axis=0)), 1
    while sizes[tau:].sum() >= bound * whole:
        tau += 1
    return tau


def predicted_chunks(G, bound):
    sizes, lags = numpy.linalg.norm(G, axis=(1, 2)), numpy.arange(len(G))
    return lags @ sizes / numpy.linalg.norm(numpy.sum(G, axis=0)) / bound


# %% wrong exercise="ex-ct-chunks" belief="the formula for large τ holds for every τ"
def chunks_for(G, bound):
    return numpy.ceil(predicted_chunks(G, bound))


def window_for(G, bound):
    g = numpy.sum(G, axis=0)
    missing = numpy.linalg.norm(numpy.cumsum(G, axis=0) - g, axis=(1, 2))
    return numpy.argmax(missing < bound * numpy.linalg.norm(g)) + 1


def predicted_chunks(G, bound):
    spread = numpy.tensordot(numpy.arange(len(G)), G, axes=1)
    whole = numpy.linalg.norm(numpy.sum(G, axis=0))
    return numpy.linalg.norm(spread) / whole / bound


# %% visible exercise="ex-ct-chunks"
G = 0.5 ** numpy.arange(30.0)[:, None, None] * numpy.ones((30, 2, 2))
for name, found in [
    ("chunks_for", chunks_for(G, 0.1)),
    ("window_for", window_for(G, 0.1)),
    ("predicted_chunks", predicted_chunks(G, 0.1)),
]:
    assert found is not None, f"{name} returns nothing yet"
    assert numpy.shape(found) == (), f"{name} returns one number"
assert int(window_for(G, 0.1)) == 4, "of 1, 1/2, 1/4, … four make 15/16"

# %% hidden exercise="ex-ct-chunks"
rng = numpy.random.default_rng(1)
for beta, bound in ((0.7, 0.1), (0.8, 0.05), (-0.6, 0.1), (0.9, 0.5)):
    fade = beta ** numpy.arange(60.0)[:, None, None]
    G = fade * (rng.normal(size=(3, 3)) + 0.1 * rng.normal(size=(60, 3, 3)))
    g = G.sum(axis=0)
    limit, chunks, window = bound * numpy.linalg.norm(g), [], []
    for tau in range(1, 150):
        place = numpy.arange(tau)[:, None]
        links = (place + numpy.arange(1, 60)) % tau != 0  # (tau, 59)
        share = numpy.cumprod(links, axis=1).mean(axis=0)
        kept = G[0] + numpy.tensordot(share, G[1:], axes=1)
        chunks.append(numpy.linalg.norm(kept - g) < limit)
        window.append(numpy.linalg.norm(G[tau:].sum(axis=0)) < limit)
    lags = sum(k * G_k for k, G_k in enumerate(G))
    formula = numpy.linalg.norm(lags) / limit
    first = window.index(True) + 1
    assert int(window_for(G, bound)) == first, (
        "window_for: the tail is a sum, and its terms may cancel; take the "
        "norm last"
    )
    found = int(chunks_for(G, bound))
    assert found >= chunks.index(True) + 1, (
        f"chunks_for: averaged over all places, chunks of {found} miss more. "
        "Which share of lag k do they keep?"
    )
    assert found <= chunks.index(True) + 1, (
        f"chunks_for: fewer than {found} steps do, averaged over all places"
    )
    error = abs(float(predicted_chunks(G, bound)) / formula - 1)
    assert error < 1e-4, (
        "predicted_chunks: with your τ the formula of the exercise does not "
        f"give {bound}. The norm is that of a sum, over all entries"
    )


# %% stub exercise="ex-ct-probe"
def answered(scheme, lag, updates):
    """Return the share of 1,000 fresh trials whose recall is right.

    scheme(num_steps) draws a ξ, as d2lutil.Regular does. Train an LSTM of 64
    units on batches of 32 `trials`, as the exercise says; the test asks for
    the lag 8 and 200 updates.
    """
    ...


# %% solution exercise="ex-ct-probe"
def answered(scheme, lag, updates):
    rng = numpy.random.default_rng([0, 0])
    mxnet.random.seed(0)
    net = d2lutil.LSTM(25, 64)
    net.initialize()
    params = net.collect_params()
    trainer = mxnet.gluon.Trainer(params, "adam", {"learning_rate": 0.03})
    for _ in range(updates):
        X, Y = trials(rng, lag, 32)
        d2lutil.zero_gradients(params)
        d2lutil.bptt(net, X, Y, net.begin_state(32), scheme(lag + 1))
        d2lutil.clip_gradients(params, 32)
        trainer.step(32)
    X, Y = trials(numpy.random.default_rng(99), lag, 1000)
    O, _ = net(X, net.begin_state(1000))
    return (O[-1].asnumpy().argmax(axis=1) == Y[-1]).mean()


# %% wrong exercise="ex-ct-probe" belief="the values of the states pass every border, so the scheme does not matter"
def answered(scheme, lag, updates):
    rng = numpy.random.default_rng([0, 0])
    mxnet.random.seed(0)
    net = d2lutil.LSTM(25, 64)
    net.initialize()
    params, whole = net.collect_params(), d2lutil.full(lag + 1)
    trainer = mxnet.gluon.Trainer(params, "adam", {"learning_rate": 0.03})
    for _ in range(updates):
        scheme(lag + 1)
        X, Y = trials(rng, lag, 32)
        d2lutil.zero_gradients(params)
        d2lutil.bptt(net, X, Y, net.begin_state(32), whole)
        d2lutil.clip_gradients(params, 32)
        trainer.step(32)
    X, Y = trials(numpy.random.default_rng(99), lag, 1000)
    O, _ = net(X, net.begin_state(1000))
    return (O[-1].asnumpy().argmax(axis=1) == Y[-1]).mean()


# %% wrong exercise="ex-ct-probe" belief="only the length of the chunks counts, so one draw of the borders serves all updates"
def answered(scheme, lag, updates):
    rng, xi = numpy.random.default_rng([0, 0]), scheme(lag + 1)
    mxnet.random.seed(0)
    net = d2lutil.LSTM(25, 64)
    net.initialize()
    params = net.collect_params()
    trainer = mxnet.gluon.Trainer(params, "adam", {"learning_rate": 0.03})
    for _ in range(updates):
        X, Y = trials(rng, lag, 32)
        d2lutil.zero_gradients(params)
        d2lutil.bptt(net, X, Y, net.begin_state(32), xi)
        d2lutil.clip_gradients(params, 32)
        trainer.step(32)
    X, Y = trials(numpy.random.default_rng(99), lag, 1000)
    O, _ = net(X, net.begin_state(1000))
    return (O[-1].asnumpy().argmax(axis=1) == Y[-1]).mean()


# %% visible exercise="ex-ct-probe"
found = answered(d2lutil.Full(), 2, 1)
assert found is not None, "answered returns nothing yet"
assert numpy.shape(found) == (), "answered returns one number"
assert 0 <= float(found) <= 1, "a share lies between 0 and 1"

# %% hidden exercise="ex-ct-probe"
cuts, drawn = numpy.random.default_rng(1), []
chunks = d2lutil.Regular(8, rng=cuts)
lengths = d2lutil.Unweighted(d2lutil.Randomized(1 - 1 / 8, rng=cuts))


class Watched(d2lutil.Scheme):
    """The chunks, and a list of what was drawn."""

    mean_length = 8.0

    def __call__(self, num_steps):
        """Draw a scheme and remember it."""
        drawn.append(chunks(num_steps))
        return drawn[-1]


share = float(answered(Watched(), 8, 200))
assert len(drawn) >= 200, "each update wants a scheme drawn anew"
assert {len(xi) for xi in drawn} == {9}, "a trial of lag 8 has nine steps"
assert share < 0.75, (
    f"chunks of 8: {share:.0%} are right. No term of the recall can reach "
    "the symbol; does your training use the drawn scheme?"
)
for name, scheme in (("full", d2lutil.Full()), ("random", lengths)):
    share = float(answered(scheme, 8, 200))
    assert share > 0.9, f"{name}: only {share:.0%} of the trials are right"
