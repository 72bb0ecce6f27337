# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import mxnet
import numpy
from mxnet import np

text = d2lutil.normalize(d2lutil.load_corpus().text)
vocab, (X, Y), held_out = d2lutil.split_streams(text, batch_size=32)
vocab_size, batch_size = len(vocab), X.shape[1]


def fresh(seed, num_hiddens=64):
    """Return an untrained network."""
    mxnet.random.seed(seed)
    net = d2lutil.RNN(vocab_size, num_hiddens)
    net.initialize()
    return net


def trained():
    """Return a small network, trained for some seconds."""
    net, how = fresh(0), {"lr": 2, "theta": 0.25, "num_tokens": 100_000}
    d2lutil.train(net, X, Y, d2lutil.Regular(35), **how)
    return net


def forty_updates(clip, part, seed, lr=2, theta=0.25):
    """Train for 40 updates and return perplexity and mean of h².

    Before each update, clip(params, part, …) is called on the gradients. The
    perplexity is that of the last five updates.
    """
    net, size = fresh(seed, 128), 35 * batch_size
    params, h, losses = net.parameters(), net.begin_state(batch_size), []
    for k in range(40):
        start = 35 * k % (len(X) - 35)  # a short text is read again
        rows = slice(start, start + 35)
        d2lutil.zero_gradients(params)
        L, h = d2lutil.bptt(net, X[rows], Y[rows], h, d2lutil.full(35))
        clip(params, part, theta * size)
        for q in params:
            q.set_data(q.data() - lr / size * q.grad())
        losses.append(L / size)
    return numpy.exp(numpy.mean(losses[-5:])), float((h**2).mean())


def with_gradients(values):
    """Return a network whose gradients are the given rows of numbers."""
    held = d2lutil.RNN(2, 2)
    held.initialize()
    held.cast("float64")
    for q, row in zip(held.parameters(), values, strict=True):
        wanted = numpy.resize(row, q.shape)
        q.grad()[:] = np.array(wanted, dtype="float64")
    return held


# %% stub exercise="ex-rnn-count"
def count_parameters(vocab_size, num_hiddens):
    """Return the number of parameters, biases included."""
    ...


# The parameter that grows fastest with num_hiddens: "W_xh", "W_hh", "b_h",
# "W_hq" or "b_q".
grows_fastest = ...


# %% solution exercise="ex-rnn-count"
def count_parameters(vocab_size, num_hiddens):
    """Return the number of parameters, biases included."""
    V, n = vocab_size, num_hiddens
    return n**2 + (2 * V + 1) * n + V


grows_fastest = "W_hh"


# %% wrong exercise="ex-rnn-count" belief="each of the 35 steps has weights of its own"
def count_parameters(vocab_size, num_hiddens):
    V, n = vocab_size, num_hiddens
    return 35 * (n**2 + (2 * V + 1) * n + V)


grows_fastest = "W_hh"


# %% wrong exercise="ex-rnn-count" belief="the wide input and output matrices grow fastest"
def count_parameters(vocab_size, num_hiddens):
    V, n = vocab_size, num_hiddens
    return n**2 + (2 * V + 1) * n + V


grows_fastest = "W_xh"


# %% wrong exercise="ex-rnn-count" belief="biases are no parameters"
def count_parameters(vocab_size, num_hiddens):
    V, n = vocab_size, num_hiddens
    return n**2 + 2 * V * n


grows_fastest = "W_hh"

# %% visible exercise="ex-rnn-count"
assert count_parameters(28, 128) is not None, (
    "count_parameters returns nothing yet"
)
assert float(count_parameters(28, 128)) == int(count_parameters(28, 128)), (
    "a number of parameters is a whole number"
)
assert count_parameters(28, 129) > count_parameters(28, 128), (
    "more hidden units need more parameters"
)
assert grows_fastest in ("W_xh", "W_hh", "b_h", "W_hq", "b_q"), (
    "grows_fastest is the name of a parameter, in quotation marks"
)

# %% hidden exercise="ex-rnn-count"
sizes = {}
for V, n in ((28, 128), (5, 7), (100, 16), (28, 2000)):
    shaped = d2lutil.RNN(V, n)
    sizes[V, n] = [numpy.prod(q.shape) for q in shaped.parameters()]
    assert float(count_parameters(V, n)) == sum(sizes[V, n]), (
        "add up the shapes of W_xh, W_hh, b_h, W_hq and b_q; the steps share "
        "them"
    )
growth = numpy.divide(sizes[28, 2000], sizes[28, 128])
names = ("W_xh", "W_hh", "b_h", "W_hq", "b_q")
assert growth[names.index(grows_fastest)] == growth.max(), (
    "double the number of hidden units: by which factor does each of the five "
    "grow?"
)

# %% stub exercise="ex-rnn-clip"
# Write down why the direction may change, and hand in the angle.


def angle_of_clipping(gamma, theta):
    """Return the angle between gamma, (n,), and gamma clipped, in degrees.

    Every entry of gamma is clipped to the interval from -theta to theta.
    """
    ...


# %% solution exercise="ex-rnn-clip"
def angle_of_clipping(gamma, theta):
    """Return the angle between gamma, (n,), and gamma clipped, in degrees."""
    a = numpy.asarray(gamma)
    b = a.clip(-theta, theta)
    cosine = a @ b / numpy.sqrt((a @ a) * (b @ b))
    return numpy.degrees(numpy.arccos(cosine))


# %% wrong exercise="ex-rnn-clip" belief="clipping every entry is the same as clipping the norm"
def angle_of_clipping(gamma, theta):
    a = numpy.asarray(gamma)
    b = a * min(1, theta / numpy.linalg.norm(a))
    cosine = a @ b / numpy.sqrt((a @ a) * (b @ b))
    return numpy.degrees(numpy.arccos(min(1, cosine)))


# %% wrong exercise="ex-rnn-clip" belief="only large positive entries are clipped"
def angle_of_clipping(gamma, theta):
    a = numpy.asarray(gamma)
    b = numpy.minimum(a, theta)
    cosine = a @ b / numpy.sqrt((a @ a) * (b @ b))
    return numpy.degrees(numpy.arccos(cosine))


# %% visible exercise="ex-rnn-clip"
inside = angle_of_clipping(numpy.array([3.0, 4.0]), 10.0)
assert inside is not None, "angle_of_clipping returns nothing yet"
assert abs(float(inside)) < 1e-3, (
    "where no entry is above theta, the gradient keeps its direction"
)

# %% hidden exercise="ex-rnn-clip"
draws = numpy.random.default_rng(1)
cases = [(numpy.array([3.0, 1.0]), 1.0), (numpy.array([-3.0, 1.0]), 1.0)]
cases += [(2 * draws.normal(size=k), 0.7) for k in (2, 3, 5, 8, 20)]
for gamma, theta in cases:
    cut = numpy.array([max(-theta, min(theta, part)) for part in gamma])
    one, other = (row / (row**2).sum() ** 0.5 for row in (gamma, cut))
    half = numpy.arcsin(((one - other) ** 2).sum() ** 0.5 / 2)
    given = float(angle_of_clipping(gamma.copy(), theta))
    assert abs(given - numpy.degrees(2 * half)) < 1e-3, (
        "draw the gradient and the clipped gradient as arrows: each entry is "
        "clipped by itself, negative ones too, and the angle is in degrees"
    )

# %% stub exercise="ex-rnn-temperature"
# Two limits of the probabilities from which `generate` draws.


def frozen(logits):
    """Return the probabilities as the temperature goes to 0.

    logits, (vocab_size,), has a single largest entry. Shape (vocab_size,).
    """
    ...


def molten(logits):
    """Return them as the temperature grows without bound, (vocab_size,)."""
    ...


# %% solution exercise="ex-rnn-temperature"
def frozen(logits):
    """Return the probabilities as the temperature goes to 0."""
    p = numpy.zeros(len(logits))
    p[numpy.argmax(logits)] = 1
    return p


def molten(logits):
    """Return them as the temperature grows without bound, (vocab_size,)."""
    return numpy.full(len(logits), 1 / len(logits))


# %% wrong exercise="ex-rnn-temperature" belief="the temperature multiplies the logits"
def frozen(logits):
    return numpy.full(len(logits), 1 / len(logits))


def molten(logits):
    p = numpy.zeros(len(logits))
    p[numpy.argmax(logits)] = 1
    return p


# %% wrong exercise="ex-rnn-temperature" belief="a low temperature leaves the probabilities of the network"
def frozen(logits):
    p = numpy.exp(logits - numpy.max(logits))
    return p / p.sum()


def molten(logits):
    return numpy.full(len(logits), 1 / len(logits))


# %% visible exercise="ex-rnn-temperature"
three = numpy.array([1.0, 0.0, 0.0])
for limit in (frozen, molten):
    assert limit(three) is not None, f"{limit.__name__} returns nothing yet"
    p = numpy.asarray(limit(three), dtype=float)
    assert p.shape == (3,), (
        f"{limit.__name__} returns one probability a token"
    )
    assert p.min() >= 0, "a probability is not negative"
    assert abs(p.sum() - 1) < 1e-6, "probabilities add up to 1"


# %% hidden exercise="ex-rnn-temperature"
def softened(logits, temperature):
    """Return softmax(logits / temperature)."""
    p = numpy.exp((logits - logits.max()) / temperature)
    return p / p.sum()


draws = numpy.random.default_rng(2)
for size in (2, 5, 28):
    logits = 3 * draws.permutation(size) / size - 1.0
    given = numpy.asarray(frozen(logits), dtype=float)
    assert abs(given - softened(logits, 1e-4)).max() < 1e-3, (
        "divide the logits by a very small temperature: what becomes of the "
        "difference between the largest and the next?"
    )
    given = numpy.asarray(molten(logits), dtype=float)
    assert abs(given - softened(logits, 1e6)).max() < 1e-3, (
        "divide the logits by a very large temperature: how different are "
        "they then?"
    )

# %% stub exercise="ex-rnn-zero"
# The names of the parameters whose gradient in the first step is not zero, a
# list of some of "W_xh", "W_hh", "b_h", "W_hq", "b_q".
receive = ...


def best_perplexity(Y, vocab_size):
    """Return the perplexity after very many updates on the same minibatch.

    Y is the int array (num_steps, batch_size) of its targets. The perplexity
    is the one on these targets; the learning rate is small enough.
    """
    ...


# %% solution exercise="ex-rnn-zero"
receive = ["b_q"]


def best_perplexity(Y, vocab_size):
    """Return the perplexity after very many updates on the same minibatch."""
    p = numpy.bincount(numpy.ravel(Y), minlength=vocab_size) / numpy.size(Y)
    return numpy.exp(-numpy.log(p[numpy.ravel(Y)]).mean())


# %% wrong exercise="ex-rnn-zero" belief="the output layer learns as a whole"
receive = ["W_hq", "b_q"]


def best_perplexity(Y, vocab_size):
    p = numpy.bincount(numpy.ravel(Y), minlength=vocab_size) / numpy.size(Y)
    return numpy.exp(-numpy.log(p[numpy.ravel(Y)]).mean())


# %% wrong exercise="ex-rnn-zero" belief="the network learns a table of counts, each with 1 added"
receive = ["b_q"]


def best_perplexity(Y, vocab_size):
    p = numpy.bincount(numpy.ravel(Y), minlength=vocab_size) + 1
    return numpy.exp(-numpy.log((p / p.sum())[numpy.ravel(Y)]).mean())


# %% wrong exercise="ex-rnn-zero" belief="from zero nothing can be learned"
receive = []


def best_perplexity(Y, vocab_size):
    return vocab_size


# %% wrong exercise="ex-rnn-zero" belief="the first update breaks the symmetry, and the network learns as usual"
receive = ["W_xh", "W_hh", "b_h", "W_hq", "b_q"]


def best_perplexity(Y, vocab_size):
    return 1.0


# %% visible exercise="ex-rnn-zero"
assert receive is not ..., "receive is still empty"
assert set(receive) <= {"W_xh", "W_hh", "b_h", "W_hq", "b_q"}, (
    "receive is a list of names of parameters"
)
same = numpy.zeros((6, 2), dtype=int)
assert best_perplexity(same, 5) is not None, (
    "best_perplexity returns nothing yet"
)
assert 1 <= float(best_perplexity(same, 5)) <= 5, (
    "a perplexity of 5 tokens lies between 1 and 5 here"
)

# %% hidden exercise="ex-rnn-zero"
draws = numpy.random.default_rng(3)
x = draws.integers(5, size=(30, 2))
y = (x + (draws.random((30, 2)) < 0.2)) % 5  # mostly a copy of x
y[y == 4] = 1
zero, found = d2lutil.RNN(5, 6), set()
zero.initialize(mxnet.init.Zero())
zero.cast("float64")
for _ in range(80):
    d2lutil.zero_gradients(zero.parameters())
    d2lutil.bptt(zero, x, y, zero.begin_state(2), d2lutil.full(30))
    if not found:
        names = ("W_xh", "W_hh", "b_h", "W_hq", "b_q")
        pairs = zip(names, zero.parameters(), strict=True)
        found = {name for name, q in pairs if abs(q.grad()).max() > 0}
    for q in zero.parameters():
        q.set_data(q.data() - 3 / y.size * q.grad())
assert set(receive) == found, (
    "follow the gradient from the loss back to each of the five: by what is "
    "it multiplied on the way, and which of these factors are zero?"
)
reached = d2lutil.perplexity(zero, x, y)
assert abs(float(best_perplexity(y.copy(), 5)) / reached - 1) < 0.008, (
    "train such a network: which parameters ever move, and what can its "
    "predictions depend on?"
)

# %% stub exercise="ex-rnn-reset"
# trained() makes a network, and held_out is the pair X, Y to try it on. Is it
# worse with k = 3, and with k = 35?


def perplexity_with_resets(net, X, Y, k):
    """Return the perplexity with the state set to zero every k steps.

    X, Y: int arrays (num_steps, batch_size). The first reset is at the first
    step. The perplexity is that of all predictions together.
    """
    ...


# %% solution exercise="ex-rnn-reset"
def perplexity_with_resets(net, X, Y, k):
    """Return the perplexity with the state set to zero every k steps."""
    begins = numpy.arange(len(X)) % k == 0
    return d2lutil.perplexity(net, X, Y, begins=begins)


# %% wrong exercise="ex-rnn-reset" belief="a reset is a cut of the gradient"
def perplexity_with_resets(net, X, Y, k):
    xi = d2lutil.regular(len(X), k)
    h = net.begin_state(X.shape[1])
    loss, _ = d2lutil.bptt(net, X, Y, h, xi)
    return numpy.exp(loss / (X.shape[0] * X.shape[1]))


# %% wrong exercise="ex-rnn-reset" belief="the perplexity of the whole is the mean of the parts' perplexities"
def perplexity_with_resets(net, X, Y, k):
    starts = range(0, len(X), k)
    parts = [(X[s : s + k], Y[s : s + k]) for s in starts]
    return numpy.mean([d2lutil.perplexity(net, *part) for part in parts])


# %% wrong exercise="ex-rnn-reset" belief="the k-th step is the first to begin anew, so step k - 1 in code"
def perplexity_with_resets(net, X, Y, k):
    begins = numpy.arange(len(X)) % k == k - 1
    return d2lutil.perplexity(net, X, Y, begins=begins)


# %% visible exercise="ex-rnn-reset"
x, y = (part[:60].asnumpy() for part in held_out)
untrained = fresh(1, 16)
once = perplexity_with_resets(untrained, x, y, 60)
assert once is not None, "perplexity_with_resets returns nothing yet"
assert abs(float(once) / d2lutil.perplexity(untrained, x, y) - 1) < 0.01, (
    "a reset at the first of 60 steps alone changes nothing"
)

# %% hidden exercise="ex-rnn-reset"
draws = numpy.random.default_rng(4)
small = d2lutil.RNN(6, 8)
small.initialize()
small.cast("float64")
for q in small.parameters():
    q.set_data(np.array(draws.normal(size=q.shape), dtype="float64"))
x, y = draws.integers(6, size=(2, 50, 3))
for k in (1, 3, 7, 35, 49):
    surprise = 0.0
    for s in range(0, 50, k):
        O, _ = small(x[s : s + k], small.begin_state(3))
        O = O.asnumpy()
        log_p = O - numpy.log(numpy.exp(O).sum(axis=-1, keepdims=True))
        targets = y[s : s + k, :, None]
        surprise -= numpy.take_along_axis(log_p, targets, axis=-1).sum()
    given = float(perplexity_with_resets(small, x.copy(), y.copy(), k))
    assert abs(given / numpy.exp(surprise / y.size) - 1) < 1e-5, (
        "read each stretch of k steps by itself, from the zero state, and "
        "take all losses together: a reset changes values, and the last "
        "stretch may be shorter"
    )

# %% stub exercise="ex-rnn-part"
# forty_updates(clip_part, "recurrent", seed) trains with your function, and
# returns the perplexity and the mean of h² at the end.


def clip_part(params, part, theta):
    """Clip the gradients of one part of the parameters together, in place.

    params is [W_xh, W_hh, b_h, W_hq, b_q] of a network, each with its
    grad(); part is "recurrent", the first three, or "output", the last two.
    Afterwards the joint norm of the part is at most theta. The other part
    stays as it is.
    """
    ...


# Which part has to be clipped to keep the states away from -1 and 1:
# "recurrent" or "output".
must_clip = ...


# %% solution exercise="ex-rnn-part"
def clip_part(params, part, theta):
    """Clip the gradients of one part of the parameters together, in place."""
    chosen = params[:3] if part == "recurrent" else params[3:]
    d2lutil.clip_gradients(chosen, theta)


must_clip = "recurrent"


# %% wrong exercise="ex-rnn-part" belief="the loss explodes in the output layer, so clip that"
def clip_part(params, part, theta):
    chosen = params[:3] if part == "recurrent" else params[3:]
    d2lutil.clip_gradients(chosen, theta)


must_clip = "output"


# %% wrong exercise="ex-rnn-part" belief="each array may be clipped by itself"
def clip_part(params, part, theta):
    for q in params[:3] if part == "recurrent" else params[3:]:
        d2lutil.clip_gradients([q], theta)


must_clip = "recurrent"


# %% wrong exercise="ex-rnn-part" belief="clipping scales all parameters at once"
def clip_part(params, part, theta):
    d2lutil.clip_gradients(params, theta)


must_clip = "recurrent"

# %% visible exercise="ex-rnn-part"
short = with_gradients([[0.1]] * 5)
clip_part(short.parameters(), "recurrent", 5.0)
assert all(abs(q.grad() - 0.1).max() < 1e-6 for q in short.parameters()), (
    "a gradient shorter than theta stays as it is"
)
long = with_gradients([[9.0]] * 5)
clip_part(long.parameters(), "recurrent", 5.0)
assert any(abs(q.grad() - 9.0).max() > 0.1 for q in long.parameters()), (
    "clip_part does not change a gradient longer than theta yet"
)
assert must_clip in ("recurrent", "output"), (
    'must_clip is "recurrent" or "output"'
)

# %% hidden exercise="ex-rnn-part"
draws = numpy.random.default_rng(5)
for part, inside in (("recurrent", slice(0, 3)), ("output", slice(3, 5))):
    shapes = [(2, 2), (2, 2), (2,), (2, 2), (2,)]
    rows = [3 * draws.normal(size=shape) for shape in shapes]
    long = with_gradients(rows)
    clip_part(long.parameters(), part, 0.5)
    norm = sum((row**2).sum() for row in rows[inside]) ** 0.5
    for k, q in enumerate(long.parameters()):
        chosen = k in range(5)[inside]
        expected = rows[k] * (0.5 / norm if chosen else 1)
        near = abs(q.grad().asnumpy() - expected).max() < 1e-5
        assert near or chosen, "the other part has to stay as it is"
        assert near, (
            "the part is one vector: its joint norm becomes theta, and its "
            "direction stays"
        )


def clip_reference(params, part, theta):
    """Scale the named part down to the norm theta."""
    chosen = params[:3] if part == "recurrent" else params[3:]
    squares = sum(
        float((q.grad().astype("float64") ** 2).sum()) for q in chosen
    )
    for q in chosen:
        q.grad()[:] *= min(1, theta / squares**0.5)


saturated = {}
for part in ("recurrent", "output"):
    saturated[part] = forty_updates(clip_reference, part, seed=0)[1]
assert must_clip == min(saturated, key=saturated.get), (
    "run both, and compare the mean of h²: a saturated state has h² near 1"
)
