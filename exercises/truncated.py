# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import mxnet
import numpy
from d2lutil import example
from mxnet import gluon


def trials(rng, lag, batch_size):
    """Return inputs and targets: a symbol first, a cue at the end."""
    X = rng.integers(4, 24, (lag + 1, batch_size))  # they mean nothing
    Y = numpy.full((lag + 1, batch_size), 4)  # "nothing to say yet"
    X[0] = Y[lag] = rng.integers(0, 4, batch_size)  # the symbol
    X[lag] = 24  # the cue
    return X, Y


def network(seed):
    """Return an untrained network of 64 units."""
    mxnet.random.seed(seed)
    net = d2lutil.RNN(25, num_hiddens=64)
    net.initialize()
    return net


def train(net, parts, rng, updates, lag=8, learned=slice(None)):
    """Make updates by Adam, of 32 trials each, with clipping.

    parts holds pairs of xi and weights as d2lutil.bptt takes them; their
    gradients are added. learned picks the parameters that may change.
    """
    params, adam = net.parameters(), {"learning_rate": 0.01}
    trainer = gluon.Trainer(params[learned], "adam", adam, kvstore=None)
    for _ in range(updates):
        X, Y = trials(rng, lag, 32)
        d2lutil.zero_gradients(params)
        for xi, weights in parts:
            start = net.begin_state(32)
            d2lutil.bptt(net, X, Y, start, xi, weights=weights)
        d2lutil.clip_gradients(params, 32)
        trainer.step(32)


def accuracy(net, lag=8):
    """Return the share of 1,000 fresh trials whose symbol is recalled."""
    X, Y = trials(numpy.random.default_rng(99), lag, 1000)
    O, _ = net(X, net.begin_state(1000))
    return float((O[-1].asnumpy().argmax(axis=1) == Y[-1]).mean())


# %% stub exercise="ex-tr-two"
# what is left of the gradient 1.4316, to three digits or more
kept_by_chunks = ...  # two numbers: a first border before step 1, before 2
kept_by_window = ...  # one number


# %% solution exercise="ex-tr-two"
diagonal = 0.32 - 0.384 + 0.432 + 0.768 - 0.128 - 0.384
kept_by_chunks = (
    diagonal - 0.256 + 0.2592 + 0.1024,  # neighbours (2, 1), (4, 3), (6, 5)
    diagonal + 0.3456 - 0.6144,  # neighbours (3, 2), (5, 4)
)
kept_by_window = diagonal - 0.256 + 0.3456 + 0.2592 - 0.6144 + 0.1024


# %% wrong exercise="ex-tr-two" belief="with τ steps every loss sees τ steps back, in chunks as well"
kept_by_chunks = (0.4608, 0.4608)
kept_by_window = 0.4608


# %% wrong exercise="ex-tr-two" belief="two steps go over two links, so a window of two keeps the lags 0, 1 and 2"
kept_by_chunks = (0.7296, 0.3552)
kept_by_window = 0.6240 - 0.1632 + 0.7219


# %% visible exercise="ex-tr-two"
assert kept_by_chunks is not ..., "kept_by_chunks is still to be computed"
assert kept_by_window is not ..., "kept_by_window is still to be computed"
shape = numpy.shape(numpy.asarray(kept_by_chunks, dtype=float))
assert shape == (2,), "kept_by_chunks has two numbers, one for each place"
assert numpy.shape(kept_by_window) == (), "kept_by_window is one number"

# %% hidden exercise="ex-tr-two"
terms = example.terms()
lags = [numpy.trace(terms, -k) for k in range(6)]
found = numpy.asarray(kept_by_chunks, dtype=float)
assert abs(found.mean() - lags[0] - lags[1] / 2) < 1e-3, (
    "the chapter's formula gives the two chunks another mean: how many of the "
    "links between neighbours are cut?"
)
for place, kept in enumerate(found):
    xi = numpy.ones(6)
    xi[place::2] = 0
    assert abs(kept - example.terms(xi).sum()) < 1e-3, (
        f"first border before step {place + 1}: which neighbours are left?"
    )
assert abs(float(kept_by_window) - lags[0] - lags[1]) < 1e-3, (
    "a window of two steps keeps two terms of each row but the first"
)


# %% stub exercise="ex-tr-double"
def colleague(G, tau):
    """Return the colleague's sum, one number, from the terms by lag.

    G[k] is the sum of all terms of lag k, for all lags of the text, an
    array (num_lags,). tau is the length of a stretch. A stretch that hangs
    over an end of the text has the steps that are there.
    """
    ...


# %% solution exercise="ex-tr-double"
def colleague(G, tau):
    lags = numpy.arange(len(G))
    return (numpy.maximum(tau - lags, 0) * G).sum()


# %% wrong exercise="ex-tr-double" belief="a window is backpropagation over every stretch of τ steps, added up"
def colleague(G, tau):
    return numpy.sum(G[:tau])


# %% wrong exercise="ex-tr-double" belief="every term that fits into a stretch is counted τ times"
def colleague(G, tau):
    return tau * numpy.sum(G[:tau])


# %% visible exercise="ex-tr-double"
by_lag = numpy.array([numpy.trace(example.terms(), -k) for k in range(6)])
value = colleague(by_lag, 1)
assert value is not None, "colleague returns nothing yet"
assert numpy.shape(value) == (), "colleague returns one number"
assert abs(float(value) - 0.624) < 1e-5, (
    "stretches of one step hold the diagonal of the triangle, 0.624"
)

# %% hidden exercise="ex-tr-double"
rng = numpy.random.default_rng(1)
for num_steps, tau in ((6, 2), (9, 4), (12, 5), (5, 8)):
    terms = numpy.tril(rng.normal(size=(num_steps, num_steps)))
    added = 0.0
    for start in range(1 - tau, num_steps):
        part = slice(max(start, 0), start + tau)
        added += terms[part, part].sum()
    by_lag = numpy.array([numpy.trace(terms, -k) for k in range(num_steps)])
    assert abs(float(colleague(by_lag, tau)) - added) < 1e-4, (
        f"{num_steps} steps, tau = {tau}: the stretches add up to something "
        "else. How many of them hold both a loss and a use k steps before?"
    )


# %% stub exercise="ex-tr-luck"
def learn_output(net, rng, updates):
    """Train the output layer alone, in place, on trials of lag 8.

    W_hq and b_q of the network learn to recall the symbol; W_xh, W_hh and
    b_h stay as they were drawn. rng draws the trials. The test asks for 300
    updates. Use `train` in the place of the chapter's `recall`, or learn in
    another way.
    """
    ...


# %% solution exercise="ex-tr-luck"
def learn_output(net, rng, updates):
    border = numpy.ones(9)
    border[8] = 0
    parts = [(border, None)]
    train(net, parts, rng, updates, learned=slice(-2, None))


# %% wrong exercise="ex-tr-luck" belief="without training of the recurrence the state shows nothing of the symbol"
def learn_output(net, rng, updates):
    border = numpy.ones(9)
    border[8] = 0
    train(net, [(border, None)], rng, updates)


# %% wrong exercise="ex-tr-luck" belief="without a gradient through time the network sees the last character only, and can but guess"
def learn_output(net, rng, updates):
    parts = [(numpy.zeros(9), numpy.arange(9) == 8)]
    train(net, parts, rng, updates, learned=slice(-1, None))


# %% visible exercise="ex-tr-luck"
net = network(0)
before = [p.data().asnumpy().copy() for p in net.parameters()[3:]]
learn_output(net, numpy.random.default_rng(0), 2)
after = [p.data().asnumpy() for p in net.parameters()[3:]]
pairs = zip(before, after, strict=True)
assert any((a != b).any() for a, b in pairs), "the output layer is untouched"

# %% hidden exercise="ex-tr-luck"
net = network(5)
before = [p.data().asnumpy().copy() for p in net.parameters()[:3]]
learn_output(net, numpy.random.default_rng(5), 300)
names = "W_xh", "W_hh", "b_h"
for name, p, value in zip(names, net.parameters()[:3], before, strict=True):
    assert (p.data().asnumpy() == value).all(), (
        f"{name} has moved; only the output layer may learn"
    )
share = accuracy(net)
assert share > 0.4, (
    f"{share:.0%} of 1,000 trials are right. Compare the states behind the "
    "four symbols: what could W_hq read there?"
)


# %% stub exercise="ex-tr-window"
def to_blame(lag):
    """Return which losses keep a window of `lag` steps from learning.

    One number a step, 1 for a loss to blame, else 0: an array (lag + 1,).
    The symbol stands at the first step, the recall at the last. Without the
    losses to blame the window learns as the border behind the symbol does.
    """
    ...


# %% solution exercise="ex-tr-window"
def to_blame(lag):
    blame = numpy.ones(lag + 1)
    blame[[0, lag]] = 0  # step 1 is reached in both cases; in neither case
    return blame


# %% wrong exercise="ex-tr-window" belief="the same terms teach the same, so no loss is to blame"
def to_blame(lag):
    return numpy.zeros(lag + 1)


# %% wrong exercise="ex-tr-window" belief="the recall is to blame, because it does not reach the symbol"
def to_blame(lag):
    return (numpy.arange(lag + 1) == lag).astype(float)


# %% visible exercise="ex-tr-window"
blame = to_blame(8)
assert numpy.shape(blame) == (9,), "nine steps, nine numbers"
assert set(map(float, blame)) <= {0, 1}, "1 for a loss to blame, else 0"

# %% hidden exercise="ex-tr-window"
for lag in (8, 5):
    found = numpy.asarray(to_blame(lag), dtype=float)
    assert found[lag] == 0, "who leaves out the recall teaches no recall"
    net, (X, Y) = network(3), trials(numpy.random.default_rng(3), lag, 16)
    for t in range(1, lag):
        reaches = []
        for first in (max(t - lag + 1, 0), 1):  # the window; the border
            xi, one = numpy.ones(lag + 1), numpy.zeros(lag + 1)
            xi[first], one[t] = 0, 1
            d2lutil.zero_gradients(net.parameters())
            d2lutil.bptt(net, X, Y, net.begin_state(16), xi, weights=one)
            reaches.append(bool((net.W_xh.grad()[:4] != 0).any()))
        assert found[t] == (reaches[0] and not reaches[1]), (
            f"lag {lag}, loss of step {t + 1}: does it reach the symbol "
            "under the window? and with the border behind the symbol?"
        )
counts = 1 - numpy.asarray(to_blame(8), dtype=float)
border, recall = numpy.ones(9), numpy.arange(9) == 8
border[1] = 0
net, draws = network(1), numpy.random.default_rng([1, 0])
parts = [(border, counts * recall), (numpy.ones(9), counts * ~recall)]
train(net, parts, draws, 200)
assert accuracy(net) > 0.9, "the window without these losses does not learn"
