# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import mxnet
import numpy
from mxnet import autograd, np

text = d2lutil.normalize(d2lutil.load_corpus().text)
vocab, (X, Y), (X_held, Y_held) = d2lutil.split_streams(text, 16)
X, Y = X.asnumpy(), Y.asnumpy()


def integers(array):
    """Return an array of MXNet or NumPy as integers of NumPy."""
    array = array.asnumpy() if hasattr(array, "asnumpy") else array
    return numpy.asarray(array, dtype=int)


def build(kind, seed, num_hiddens=32):
    """Return an untrained network: kind is d2lutil.RNN or d2lutil.LSTM."""
    mxnet.random.seed(seed)
    net = kind(len(vocab), num_hiddens)
    net.initialize()
    return net


def reach_after_training(kind, X, Y, seed=0, lag=40):
    """Train for 30,000 characters, and return the influence at a lag.

    The norm of the state's derivative by the state lag steps before, on
    held-out text: the geometric mean of three places.
    """
    net = build(kind, seed)
    how = {"optimizer": "adam", "lr": 0.01, "num_tokens": 30_000}
    d2lutil.train(net, X, Y, d2lutil.Regular(35), **how)
    J = d2lutil.jacobians(net, X_held[:140, :1])
    places = [J[stop - lag : stop] for stop in (60, 100, 140)]
    logs = [numpy.log(d2lutil.influence(part)[lag]) for part in places]
    return numpy.exp(numpy.mean(logs))


# %% stub exercise="ex-ga-paper"
# The derivative of c_3 by c_0 with f = 0.9, 0.5, 0.9.
derivative = ...


def weights_for(f):
    """Return the ξ that give the gradient of the number kept whole the same.

    f: the gates, a list of numbers, of any length; ξ has the same length.
    """
    ...


def value_under(xi, c_0):
    """Return the number kept whole, c_0 at first, after steps under xi."""
    ...


# %% solution exercise="ex-ga-paper"
derivative = 0.9 * 0.5 * 0.9


def weights_for(f):
    """Return the ξ that give the gradient of the number kept whole the same."""
    return list(f)


def value_under(xi, c_0):
    """Return the number kept whole, c_0 at first, after steps under xi."""
    return c_0


# %% wrong exercise="ex-ga-paper" belief="a truncation weight multiplies the value, too"
derivative = 0.405


def weights_for(f):
    return list(f)


def value_under(xi, c_0):
    return numpy.prod(xi) * c_0


# %% wrong exercise="ex-ga-paper" belief="a weight below 1 is a cut"
derivative = 0.405


def weights_for(f):
    return [0.0 for _ in f]


def value_under(xi, c_0):
    return c_0


# %% wrong exercise="ex-ga-paper" belief="only the product of the weights matters"
derivative = 0.405


def weights_for(f):
    return [numpy.prod(f)] + [1.0] * (len(f) - 1)


def value_under(xi, c_0):
    return c_0


# %% wrong exercise="ex-ga-paper" belief="the first gate acts before the start and does not count"
derivative = 0.45


def weights_for(f):
    return list(f)


def value_under(xi, c_0):
    return c_0


# %% visible exercise="ex-ga-paper"
assert derivative is not ..., "derivative is still empty"
assert numpy.isfinite(float(derivative)), "derivative is a number"
assert weights_for([0.9, 0.5, 0.9]) is not None, (
    "weights_for returns nothing yet"
)
assert numpy.shape(weights_for([0.9, 0.5, 0.9])) == (3,), (
    "there is one weight for each step"
)
assert value_under([1.0, 1.0], 0.8) is not None, (
    "value_under returns nothing yet"
)
assert abs(float(value_under([1.0, 1.0], 0.8)) - 0.8) < 1e-4, (
    "under weights 1 a number that is kept whole stays"
)


# %% hidden exercise="ex-ga-paper"
def passed_on(first, gates, xi):
    """Return value and derivative after steps with both kinds of factors."""
    start = np.array(first, dtype="float64")
    start.attach_grad()
    with autograd.record():
        c = start
        for gate, weight in zip(gates, xi, strict=True):
            c = float(gate) * d2lutil.carry(c, float(weight))
        recorded = c + 0 * start  # also where every weight is 0
    recorded.backward()
    return c.item(), start.grad.item()


three, ones = [0.9, 0.5, 0.9], [1.0, 1.0, 1.0]
assert abs(float(derivative) - passed_on(0.5, three, ones)[1]) < 1e-3, (
    "multiply on from step to step, from c_0 to c_1, to c_2, to c_3"
)
draws = numpy.random.default_rng(1)
for T in (1, 3, 6):
    gates, whole = draws.uniform(0.1, 1, size=T), numpy.ones(T)
    xi = numpy.asarray(weights_for(gates.tolist()), dtype=float)
    for t in range(T):
        given = passed_on(0.7, whole[t:], xi[t:])
        expected = passed_on(0.7, gates[t:], whole[t:])
        assert abs(given[1] - expected[1]) < 1e-4, (
            f"under your weights the gradient at c_{t} is not that of the gates"
        )
    kept = float(value_under(xi.tolist(), 0.7))
    assert abs(kept - passed_on(0.7, whole, xi)[0]) < 1e-4, (
        "run the steps with d2lutil.carry: what does ξ act on, and what does "
        "a gate act on?"
    )

# %% stub exercise="ex-ga-plus"
# The Jacobian of the state (h, c) of one step, two rows of two numbers.
J_plus = ...

# The derivative of c_3 by c_0.
third = ...

# The share of it that goes straight on, between 0 and 1.
straight_share = ...

# %% solution exercise="ex-ga-plus"
f_1, m_1, K_1, O_1 = 0.5, 0.4, 0.5, 0.1
J_plus = numpy.array([[m_1 * K_1 + O_1, m_1 * f_1], [K_1, f_1]])
third = numpy.linalg.matrix_power(J_plus, 3)[1, 1]
straight_share = f_1**3 / third

# %% wrong exercise="ex-ga-plus" belief="the product of the forget gates is the derivative"
J_plus = [[0.3, 0.2], [0.5, 0.5]]
third = 0.125
straight_share = 1.0

# %% wrong exercise="ex-ga-plus" belief="the way through the output gate never returns to c"
J_plus = numpy.array([[0.2, 0.2], [0.5, 0.5]])
third = numpy.linalg.matrix_power(J_plus, 3)[1, 1]
straight_share = 0.125 / third

# %% wrong exercise="ex-ga-plus" belief="out to h and back, once, is all that is added"
J_plus = [[0.3, 0.2], [0.5, 0.5]]
third = 0.125 + 0.5 * 0.2
straight_share = 0.125 / 0.225

# %% visible exercise="ex-ga-plus"
assert J_plus is not ..., "J_plus is still empty"
assert numpy.shape(J_plus) == (2, 2), "J_plus has two rows of two numbers"
assert abs(float(numpy.asarray(J_plus, dtype=float)[1, 1]) - 0.5) < 1e-4, (
    "the last entry of the Jacobian is the forget gate"
)
for number in (third, straight_share):
    assert number is not ..., "third or straight_share is still empty"
    assert numpy.isfinite(float(number)), "third and the share are numbers"
assert 0 <= float(straight_share) <= 1, "a share lies between 0 and 1"

# %% hidden exercise="ex-ga-plus"
f, m, K, O = 0.5, 0.4, 0.5, 0.1


def one_step(h, c):
    """Return the next state of the linear step with these four numbers."""
    c_new = K * h + f * c
    return m * c_new + O * h, c_new


columns = [one_step(1.0, 0.0), one_step(0.0, 1.0)]
given = numpy.asarray(J_plus, dtype=float)
assert abs(given - numpy.transpose(columns)).max() < 1e-3, (
    "the four blocks of the chapter with one unit: row h, then row c"
)
h, c = 0.0, 1.0
for _ in range(3):
    h, c = one_step(h, c)
assert abs(float(third) - c) < 1e-3, (
    "start with a change of 1 in c_0 and follow h and c for three steps: how "
    "many ways lead from c_0 to c_3?"
)
assert abs(float(straight_share) - f**3 / c) < 1e-2, (
    "straight on means through the forget gates alone, out of the whole"
)


# %% stub exercise="ex-ga-bias"
def halving_time(b_f):
    """Return after how many steps what goes straight on has halved.

    f = σ(b_f) at every step; the number need not be whole.
    """
    ...


def influence_with_bias(net, b_f, x, lag):
    """Return the influence over lag steps with forget gates of bias b_f.

    Sets the bias of net's forget gates, (num_hiddens,) of net.b_h in the
    order i, f, g, o, and returns the spectral norm of ds_T/ds_{T-lag} at the
    end of x, an int array (T, 1), read from the zero state. s is (h, c).
    build(d2lutil.LSTM, seed) and X_held[:100, :1] are there to try it.
    """
    ...


# %% solution exercise="ex-ga-bias"
def halving_time(b_f):
    """Return after how many steps what goes straight on has halved."""
    return numpy.log(0.5) / numpy.log(1 / (1 + numpy.exp(-b_f)))


def influence_with_bias(net, b_f, x, lag):
    """Return the influence over lag steps with forget gates of bias b_f."""
    n, bias = net.num_hiddens, net.b_h.data().asnumpy()
    bias[n : 2 * n] = b_f
    net.b_h.set_data(np.array(bias, dtype=net.b_h.dtype))
    return d2lutil.influence(d2lutil.jacobians(net, x)[-lag:])[lag]


# %% wrong exercise="ex-ga-bias" belief="an LSTM keeps the gradient by its construction"
def halving_time(b_f):
    return numpy.inf


def influence_with_bias(net, b_f, x, lag):
    return 1.0


# %% wrong exercise="ex-ga-bias" belief="the influence is the product of the forget gates"
def halving_time(b_f):
    return numpy.log(0.5) / numpy.log(1 / (1 + numpy.exp(-b_f)))


def influence_with_bias(net, b_f, x, lag):
    return (1 / (1 + numpy.exp(-b_f))) ** lag


# %% wrong exercise="ex-ga-bias" belief="the forget gates come first"
def halving_time(b_f):
    return numpy.log(0.5) / numpy.log(1 / (1 + numpy.exp(-b_f)))


def influence_with_bias(net, b_f, x, lag):
    n, bias = net.num_hiddens, net.b_h.data().asnumpy()
    bias[:n] = b_f
    net.b_h.set_data(np.array(bias, dtype=net.b_h.dtype))
    return d2lutil.influence(d2lutil.jacobians(net, x)[-lag:])[lag]


# %% wrong exercise="ex-ga-bias" belief="a gate that keeps f loses half in half of 1 / (1 - f) steps"
def halving_time(b_f):
    return 0.5 / (1 - 1 / (1 + numpy.exp(-b_f)))


def influence_with_bias(net, b_f, x, lag):
    n, bias = net.num_hiddens, net.b_h.data().asnumpy()
    bias[n : 2 * n] = b_f
    net.b_h.set_data(np.array(bias, dtype=net.b_h.dtype))
    return d2lutil.influence(d2lutil.jacobians(net, x)[-lag:])[lag]


# %% visible exercise="ex-ga-bias"
assert halving_time(0.0) is not None, "halving_time returns nothing yet"
assert float(halving_time(0.0)) > 0, "halving_time returns a number of steps"
tried = build(d2lutil.LSTM, 0, num_hiddens=4)
influenced = influence_with_bias(tried, 0.0, X_held[:30, :1], 5)
assert influenced is not None, "influence_with_bias returns nothing yet"
assert float(influenced) > 0, "influence_with_bias returns a norm"

# %% hidden exercise="ex-ga-bias"
for b in (0.0, 1.0, 2.5):
    half = float(halving_time(b))
    assert half < 1e6, "f is below 1: what is left after very many steps?"
    left = (1 / (1 + numpy.exp(-b))) ** half
    assert abs(left - 0.5) < 1e-3, (
        "multiply f by itself as many times as your answer says: is a half "
        "left?"
    )


def sigma(a):
    """Return the logistic function."""
    return 1 / (1 + numpy.exp(-a))


def after_steps(h, c, letters, W_xh, W_hh, b_h):
    """Return (h, c) after reading letters, a row for each starting state."""
    for letter in letters:
        i, f, g, o = numpy.split(W_xh[letter] + h @ W_hh + b_h, 4, axis=1)
        c = sigma(f) * c + sigma(i) * numpy.tanh(g)
        h = sigma(o) * numpy.tanh(c)
    return numpy.concatenate([h, c], axis=1)


draws, n = numpy.random.default_rng(2), 5
for b, lag in ((0.0, 6), (1.5, 9), (3.0, 20)):
    drawn = d2lutil.LSTM(7, n)
    drawn.initialize()
    drawn.cast("float64")
    for q in drawn.parameters():
        value = 0.6 * draws.normal(size=q.shape)
        q.set_data(np.array(value, dtype="float64"))
    weights = [q.data().asnumpy() for q in drawn.parameters()[:3]]
    weights[2][n : 2 * n] = b
    letters = draws.integers(7, size=30)
    start = numpy.zeros((1, n))
    state = after_steps(start, start, letters[:-lag], *weights)
    ends = []
    for nudge in (1e-5, -1e-5):
        moved = state + nudge * numpy.eye(2 * n)
        last = letters[-lag:]
        ends.append(after_steps(moved[:, :n], moved[:, n:], last, *weights))
    measured = numpy.linalg.norm((ends[0] - ends[1]) / 2e-5, 2)
    given = float(influence_with_bias(drawn, b, letters[:, None], lag))
    assert abs(given / measured - 1) < 1e-3, (
        "nudge the state (h, c) and see what arrives lag steps later: the "
        "ways out to h and back count, and the bias belongs to the forget "
        "gates alone"
    )


# %% stub exercise="ex-ga-carousel"
def straight_on(J):
    """Return what remains of dc_t/dc_{t-k} without the ways through h.

    J, (k, 2n, 2n), has the Jacobians of the state (h, c), the oldest first.
    The way back through h is cut at every step. Shape (n, n).
    """
    ...


# %% solution exercise="ex-ga-carousel"
def straight_on(J):
    """Return what remains of dc_t/dc_{t-k} without the ways through h."""
    n = J.shape[1] // 2
    cut, product = J.copy(), numpy.eye(2 * n)
    cut[:, :, :n] = 0  # nothing goes back through h
    for J_t in cut:
        product = J_t @ product
    return product[n:, n:]


# %% wrong exercise="ex-ga-carousel" belief="to leave h out at the end is enough"
def straight_on(J):
    n = J.shape[1] // 2
    product = numpy.eye(2 * n)
    for J_t in J:
        product = J_t @ product
    return product[n:, n:]


# %% wrong exercise="ex-ga-carousel" belief="a cut at h takes the cell state along"
def straight_on(J):
    n = J.shape[1] // 2
    return numpy.zeros((n, n))


# %% wrong exercise="ex-ga-carousel" belief="one cut, at the last step, is enough"
def straight_on(J):
    n = J.shape[1] // 2
    cut, product = J.copy(), numpy.eye(2 * n)
    cut[-1, :, :n] = 0
    for J_t in cut:
        product = J_t @ product
    return product[n:, n:]


# %% visible exercise="ex-ga-carousel"
single = numpy.array([[[0.3, 0.2], [0.5, 0.7]]])
remains = straight_on(single.copy())
assert remains is not None, "straight_on returns nothing yet"
assert numpy.shape(remains) == (1, 1), (
    "one unit has one entry, c by c, and n units have (n, n)"
)
assert numpy.isfinite(float(numpy.asarray(remains, dtype=float)[0, 0])), (
    "the entry is a finite number"
)

# %% hidden exercise="ex-ga-carousel"
draws, n = numpy.random.default_rng(3), 4
for k in (1, 2, 7):
    drawn = d2lutil.LSTM(6, n)
    drawn.initialize()
    drawn.cast("float64")
    for q in drawn.parameters():
        q.set_data(np.array(draws.normal(size=q.shape), dtype="float64"))
    letters = draws.integers(6, size=(k + 3, 1))
    J_t = d2lutil.jacobians(drawn, letters)[-k:]
    W_xh, W_hh, b_h = (q.data().asnumpy() for q in drawn.parameters()[:3])
    H, _ = drawn.states(letters, drawn.begin_state(1))
    before = numpy.concatenate([numpy.zeros((1, n)), H.asnumpy()[:, 0]])
    gates = numpy.ones(n)
    for t in range(3, k + 3):  # the forget gates, from their equation
        a = W_xh[letters[t, 0]] + before[t] @ W_hh + b_h
        gates = gates / (1 + numpy.exp(-a[n : 2 * n]))
    given = numpy.asarray(straight_on(J_t.copy()), dtype=float)
    assert given.shape == (n, n), "the answer is c by c, (n, n)"
    assert abs(given - numpy.diag(gates)).max() < 1e-4, (
        "at EVERY step a gradient arrives at h and at c, and only what "
        "arrives at c may go on: which columns of the Jacobian are that?"
    )


# %% stub exercise="ex-ga-shuffled"
def control(X, rng):
    """Return the streams X, Y of the same characters in random order.

    X: int array (num_steps, batch_size) of the text. rng: a
    numpy.random.Generator. Y is one step ahead of the new X; a row may be
    missing at the end.
    """
    ...


# reach_after_training(d2lutil.LSTM, *control(X, rng)) trains on them. Does the
# state of the LSTM then reach much farther back than that of the tanh network
# (at lag 40 more than ten times as strongly)? True or False.
keeps_without_reason = ...


# %% solution exercise="ex-ga-shuffled"
def control(X, rng):
    """Return the streams X, Y of the same characters in random order."""
    mixed = rng.permutation(X.ravel())
    return d2lutil.streams(mixed, X.shape[1])


keeps_without_reason = True


# %% wrong exercise="ex-ga-shuffled" belief="the LSTM learns to keep because the text asks for it"
def control(X, rng):
    mixed = rng.permutation(X.ravel())
    return d2lutil.streams(mixed, X.shape[1])


keeps_without_reason = False


# %% wrong exercise="ex-ga-shuffled" belief="shuffled rows are a shuffled text"
def control(X, rng):
    order = rng.permutation(len(X) - 1)
    return X[:-1][order], X[1:][order]


keeps_without_reason = True


# %% wrong exercise="ex-ga-shuffled" belief="random characters are as good as shuffled ones"
def control(X, rng):
    letters = rng.integers(X.max() + 1, size=X.size)
    return d2lutil.streams(letters, X.shape[1])


keeps_without_reason = True

# %% visible exercise="ex-ga-shuffled"
toy = numpy.arange(40).reshape(4, 10).T  # (10, 4): four streams
pair = control(toy, numpy.random.default_rng(0))
assert pair is not None, "control returns nothing yet"
assert len(pair) == 2, "control returns X and Y"
shapes = [integers(part).shape for part in pair]
assert shapes[0] == shapes[1], "X and Y have the same shape"
assert shapes[0] in ((9, 4), (10, 4)), (
    "the streams are as many and as long as before, save for one row"
)
assert keeps_without_reason in (True, False), (
    "keeps_without_reason is True or False"
)

# %% hidden exercise="ex-ga-shuffled"
draws = numpy.random.default_rng(4)
turns = (draws.random(8000) < 0.1).cumsum() % 3  # seldom another letter
long = turns.reshape(4, 2000).T
x, y = map(integers, control(long.copy(), numpy.random.default_rng(5)))
assert (y[:-1] == x[1:]).all(), (
    "Y has to be the next character of the shuffled X, in every stream: "
    "shuffle first, and lay out then"
)
lost = numpy.bincount(long.ravel(), minlength=3)
lost = lost - numpy.bincount(x.ravel(), minlength=3)
assert abs(lost).sum() <= 12, "the characters and their numbers are the same"
assert abs((x == y).mean() - 1 / 3) < 0.03, (
    "one character still tells much about the next, so the order is not random"
)
mixed = control(X.copy(), numpy.random.default_rng(6))
reach = {
    kind: reach_after_training(kind, *mixed)
    for kind in (d2lutil.RNN, d2lutil.LSTM)
}
farther = reach[d2lutil.LSTM] > 10 * reach[d2lutil.RNN]
assert bool(keeps_without_reason) == farther, (
    "train both networks on your control, and compare what reach_after_training "
    "returns"
)
