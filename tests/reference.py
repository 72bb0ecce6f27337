"""The network by hand: NumPy in float64 under any ξ, and MXNet a step at a time.

The networks, texts and schemes that the tests share are here too.
"""

import mxnet
import numpy
from mxnet import autograd, np, npx

import d2lutil

NAMES = ("W_xh", "W_hh", "b_h", "W_hq", "b_q")
VOCAB_SIZE, NUM_HIDDENS, NUM_STEPS, BATCH_SIZE = 7, 5, 23, 3
CELLS = {"tanh": d2lutil.RNN, "gru": d2lutil.GRU, "lstm": d2lutil.LSTM}


def make_net(dtype="float64", seed=1, vocab_size=VOCAB_SIZE, num_hiddens=NUM_HIDDENS, cell="tanh"):
    """Return a network with parameters drawn from a seed, the biases too."""
    mxnet.random.seed(seed)
    net = CELLS[cell](vocab_size, num_hiddens)
    net.initialize()
    net.cast(dtype)
    for b in net.parameters():
        if len(b.shape) == 1:
            b.set_data(np.random.normal(0, 0.3, b.shape).astype(dtype))
    return net


def make_text(num_steps=NUM_STEPS, batch_size=BATCH_SIZE, seed=2):
    """Return random X and Y, int32 (num_steps, batch_size)."""
    rng = numpy.random.default_rng(seed)
    return rng.integers(VOCAB_SIZE, size=(2, num_steps, batch_size)).astype("int32")


def make_state(dtype="float64", seed=3, cell="tanh"):
    """Return a state that is not zero, of an LSTM a pair."""
    rng = numpy.random.default_rng(seed)
    parts = [
        np.array(rng.uniform(-0.9, 0.9, size=(BATCH_SIZE, NUM_HIDDENS)), dtype=dtype)
        for _ in CELLS[cell].state_kinds
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


def make_schemes(num_steps=NUM_STEPS):
    """Return schemes of every kind by name."""
    rng = numpy.random.default_rng(4)
    arbitrary = rng.uniform(0, 2, num_steps)
    arbitrary[5:9], arbitrary[12], arbitrary[-1] = 1, 0, 0
    return {
        "full": d2lutil.full(num_steps),
        "regular": d2lutil.regular(num_steps, 4),
        "randomized": d2lutil.randomized(num_steps, 0.5, rng=rng),
        "randomized every 3": d2lutil.randomized(num_steps, 0.5, rng=rng, every=3),
        "length dependent": d2lutil.length_dependent(num_steps, 5, 4, rng=rng),
        "arbitrary": arbitrary,
        "one segment": numpy.where(arbitrary == 0, 0.5, arbitrary),
        "all cut": numpy.zeros(num_steps),
    }


def values(net):
    """Return the parameters' values by name, float64."""
    return {name: getattr(net, name).data().asnumpy().astype("float64") for name in net.names}


def gradients(net):
    """Return the parameters' gradients by name."""
    return {name: getattr(net, name).grad().asnumpy() for name in net.names}


def difference(a, b):
    """Return the largest absolute difference between two dictionaries of arrays."""
    return max(float(abs(a[name] - b[name]).max()) for name in a)


def forward(params, X, h, xi=None, stopped=None):
    """Return h_{-1}, h_0, … as one array (num_steps + 1, batch_size, num_hiddens).

    With ``stopped``, the states at other parameters, the carried state is
    stopped_{t-1} + ξ_t (h_{t-1} - stopped_{t-1}): what the gate is to finite differences.
    """
    H = [h]
    for t, x in enumerate(X):
        if stopped is not None:
            h = stopped[t] + xi[t] * (h - stopped[t])
        h = numpy.tanh(params["W_xh"][x] + h @ params["W_hh"] + params["b_h"])
        H.append(h)
    return numpy.stack(H)


def log_probabilities(params, H):
    """Return the logarithm of the softmax of H W_hq + b_q."""
    O = H @ params["W_hq"] + params["b_q"]
    O = O - O.max(axis=-1, keepdims=True)
    return O - numpy.log(numpy.exp(O).sum(axis=-1, keepdims=True))


def summed_loss(params, H, Y):
    """Return the cross-entropy summed over steps and streams."""
    return -numpy.take_along_axis(log_probabilities(params, H), Y[..., None], axis=-1).sum()


def backward(params, X, Y, h, xi):
    """Return the summed loss, the gradients by name, and the gradient of the first state."""
    H = forward(params, X, h)
    dO = numpy.exp(log_probabilities(params, H[1:])) - numpy.eye(VOCAB_SIZE)[Y]
    grads = {name: numpy.zeros_like(value) for name, value in params.items()}
    dh = numpy.zeros_like(h)
    for t in reversed(range(len(X))):
        grads["W_hq"] += H[t + 1].T @ dO[t]
        grads["b_q"] += dO[t].sum(axis=0)
        da = (dO[t] @ params["W_hq"].T + dh) * (1 - H[t + 1] ** 2)
        numpy.add.at(grads["W_xh"], X[t], da)
        grads["W_hh"] += H[t].T @ da
        grads["b_h"] += da.sum(axis=0)
        dh = xi[t] * (da @ params["W_hh"].T)
    return summed_loss(params, H[1:], Y), grads, dh


def parts(state):
    """Return the arrays of a state."""
    return list(state) if isinstance(state, tuple) else [state]


def closeness(a, b):
    """Return the largest difference of two states."""
    return max(float(abs(x - y).max()) for x, y in zip(parts(a), parts(b), strict=True))


def columns(seed):
    """Return ξ and begins of their own for each column: at some steps both act, at some neither."""
    rng = numpy.random.default_rng(seed)
    xi = rng.uniform(0, 2, (NUM_STEPS, BATCH_SIZE))
    xi[4:9], xi[11, 0], xi[12] = 1, 0, 0
    begins = rng.random((NUM_STEPS, BATCH_SIZE)) < 0.15
    begins[6], begins[15] = False, True
    begins[8, 1] = begins[11, 2] = True
    return xi, begins


def autograd_gradients(read, net, state, Y):
    """Return the gradients of the parameters and of the state, of a loss that reads the last state too.

    ``read()`` returns logits and the last state.
    """
    for part in parts(state):
        part.attach_grad()
    with autograd.record():
        O, last = read()
        loss = -npx.pick(npx.log_softmax(O), np.array(Y)).sum()
        for k, part in enumerate(parts(last)):
            loss = loss + (part * part).sum() * (k + 0.5)
    loss.backward()
    of_state = {f"state {k}": part.grad.asnumpy() for k, part in enumerate(parts(state))}
    return gradients(net) | of_state


def unrolled(net, X, state, xi=None, begins=None):
    """Return the logits and the last state by a loop of single steps, under autograd if it records.

    The gate and the cells are written out: nothing here is the package's but the parameters. ``xi`` and
    ``begins`` have one or two dimensions.
    """
    carried, n = parts(state), net.num_hiddens
    column = (len(X), -1, 1)
    xi = np.array(numpy.reshape(numpy.ones(len(X)) if xi is None else xi, column), dtype="float64")
    ends = numpy.zeros(len(X)) if begins is None else begins
    goes_on = np.array(1 - numpy.reshape(ends, column).astype("float64"), dtype="float64")
    W_xh, W_hh, b_h = (getattr(net, name).data() for name in NAMES[:3])
    outputs = []
    X = npx.one_hot(np.array(X, dtype="int32"), net.vocab_size, dtype="float64")
    for t, x in enumerate(X):
        carried = [goes_on[t] * (part.detach() * (1 - xi[t]) + xi[t] * part) for part in carried]
        h, A = carried[0], np.dot(x, W_xh) + b_h
        if net.cell == "tanh":
            carried = [np.tanh(A + np.dot(h, W_hh))]
        elif net.cell == "gru":
            B = np.dot(h, W_hh)
            r, z = (npx.sigmoid(A[:, k : k + n] + B[:, k : k + n]) for k in (0, n))
            new = np.tanh(A[:, 2 * n :] + r * (B[:, 2 * n :] + net.b_hn.data()))
            carried = [(1 - z) * new + z * h]
        else:
            A = A + np.dot(h, W_hh)
            i, f, o = (npx.sigmoid(A[:, k : k + n]) for k in (0, n, 3 * n))
            c = f * carried[1] + i * np.tanh(A[:, 2 * n : 3 * n])
            carried = [o * np.tanh(c), c]
        outputs.append(np.dot(carried[0], net.W_hq.data()) + net.b_q.data())
    return np.stack(outputs), carried[0] if len(carried) == 1 else tuple(carried)


def step_loop(net, X, Y, h, xi):
    """Write the gradients by autograd through a loop of single steps; return the summed loss."""
    loss = 0
    with autograd.record():
        for x, y, weight in zip(X, Y, xi, strict=True):
            X_t = npx.one_hot(np.array(x), VOCAB_SIZE, dtype="float64")
            carried = np.dot(d2lutil.carry(h, weight), net.W_hh.data())
            h = np.tanh(np.dot(X_t, net.W_xh.data()) + carried + net.b_h.data())
            O = np.dot(h, net.W_hq.data()) + net.b_q.data()
            loss = loss - npx.pick(npx.log_softmax(O), np.array(y)).sum()
    loss.backward()
    return float(loss)
