"""Trials of recall: a symbol is shown, and asked for ``lag`` steps later, behind other characters."""

import mxnet
import numpy

import d2lutil
from d2lutil.blocks import flatten, regroup
from d2lutil.optimizers import updater
from experiments import lags, networks

__all__ = ["BORDERS", "train"]

NUM_SYMBOLS, NUM_OTHERS = 4, 20
CUE = NUM_SYMBOLS + NUM_OTHERS
NUM_HIDDENS, BATCH_SIZE, NUM_UPDATES, THETA = 64, 32, 600, 1.0
LEARNED, LOOK_EVERY = 0.9, 25
BORDERS = {"border behind the symbol": 1, "border midway": 5, "border at the recall": 8}  # at lag 8


def trials(lag, rng, batch_size):
    """Return inputs and targets ``(lag + 1, batch_size)``: a symbol, other characters, the cue.

    The target at the cue is the symbol; before it there is one that says that nothing is asked for yet.
    """
    X = rng.integers(NUM_SYMBOLS, CUE, (lag + 1, batch_size))
    Y = numpy.full((lag + 1, batch_size), NUM_SYMBOLS)
    X[0] = Y[lag] = rng.integers(0, NUM_SYMBOLS, batch_size)
    X[lag] = CUE
    return X, Y


def scheme_of(name, tau, rng):
    """Return the scheme of a name. Chunks have their border at a random phase, drawn for every update."""
    if name in BORDERS:
        return d2lutil.Regular(100, phase=BORDERS[name])
    if name == "full" or tau == 1:
        return d2lutil.Full() if name == "full" else d2lutil.Regular(1)
    if name == "chunks":
        return d2lutil.Regular(tau, rng=rng)
    randomized = d2lutil.Randomized(1 - 1 / tau, rng=rng)
    return randomized if name == "randomized" else d2lutil.Unweighted(randomized)


def windows(net, X, Y, tau):
    """Add the gradient in which each loss looks back tau steps, its own counted: a column a window."""
    num_steps, batch_size = X.shape
    state, before = net.begin_state(batch_size), []
    for x in X:
        before.append(state)
        state = net.states(x[None], state)[1]
    size = (tau, num_steps, batch_size)
    X_w, Y_w, begins = numpy.zeros(size, int), numpy.zeros(size, int), numpy.zeros(size, bool)
    for t in range(num_steps):
        rows = min(tau, t + 1)  # a window at the start is shorter: it begins further down
        X_w[tau - rows :, t], Y_w[tau - rows :, t] = X[t + 1 - rows : t + 1], Y[t + 1 - rows : t + 1]
        begins[tau - rows, t] = t < tau
    starts = [flatten(before[max(0, t - tau + 1)]) for t in range(num_steps)]
    h = regroup(state, (mxnet.np.concatenate(part) for part in zip(*starts, strict=True)))
    flat = [array.reshape(tau, -1) for array in (X_w, Y_w, begins)]
    weights = (numpy.arange(tau) == tau - 1)[:, None] * numpy.ones(num_steps * batch_size)
    d2lutil.bptt(net, *flat[:2], h, d2lutil.full(tau), begins=flat[2], weights=weights)


def accuracy(net, X, Y):
    """Return the share of the trials that are answered correctly."""
    O, _ = net(X, net.begin_state(X.shape[1]))
    return float((O[-1].asnumpy().argmax(axis=1) == Y[-1]).mean())


def slope(net, lag):
    """Return β, fitted to the sizes of the recall's gradient at the states of the trial."""
    X, Y = trials(lag, numpy.random.default_rng(98), 100)
    return lags.decay(lags.by_lag(net, X, Y, lag + 1, warm=lag).sizes)


def train(network, lag, scheme, tau, seed, rate):
    """Train a network for :data:`NUM_UPDATES` updates on fresh trials; return how well it recalls.

    Parameters
    ----------
    network : str
    lag : int
    scheme : str
        "full", "chunks", "random lengths", "randomized", "window", or one of :data:`BORDERS`.
    tau, seed : int
    rate : float
        Of Adam.
    """
    rng, cuts = (numpy.random.default_rng([seed, stream]) for stream in range(2))
    net = networks.make(network, CUE + 1, NUM_HIDDENS, seed)
    params, learned_after = list(net.collect_params().values()), NUM_UPDATES + 1
    step = updater(params, "adam", None, rate)
    draw = None if scheme == "window" else scheme_of(scheme, tau, cuts)
    fresh, beta_untrained = trials(lag, numpy.random.default_rng(99), 1000), slope(net, lag)
    for update in range(1, NUM_UPDATES + 1):
        X, Y = trials(lag, rng, BATCH_SIZE)
        d2lutil.zero_gradients(params)
        if draw is None:
            windows(net, X, Y, tau)
        else:
            d2lutil.bptt(net, X, Y, net.begin_state(BATCH_SIZE), draw(lag + 1))
        d2lutil.clip_gradients(params, THETA * BATCH_SIZE)
        step(BATCH_SIZE)
        if update % LOOK_EVERY == 0 and learned_after > NUM_UPDATES:
            learned_after = update if accuracy(net, *fresh) >= LEARNED else learned_after
    return {
        "accuracy": accuracy(net, *fresh),
        "learned_after": learned_after,  # updates; one more than there were if it never was
        "beta_untrained": round(beta_untrained, 5),
        "beta": round(slope(net, lag), 5),
    }
