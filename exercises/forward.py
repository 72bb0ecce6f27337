# %% setup
# left out: ex-fw-rate: it compares trainings of the chapter's own program, for minutes, and asks for a verdict
import d2lutil  # noqa: F401  (first: it makes MXNet load under today's NumPy)
import numpy
from d2lutil import example
from d2lutil.notebook import numbers
from mxnet import autograd, np

# %% stub exercise="ex-fw-row"
z_7 = ...  # three decimals do
so_far = ...  # the gradient after step 7
again = ...  # how many of the steps 1 to 6 backpropagation walks again

# %% solution exercise="ex-fw-row"
z_7 = 0.216 + 0.45 * 0.596992
so_far = 1.431552 - z_7
again = 6

# %% wrong exercise="ex-fw-row" belief="the derivative by the weight is the slope times the state before"
z_7 = 0.36 * 0.6
so_far = 1.431552 - z_7
again = 6

# %% wrong exercise="ex-fw-row" belief="what was is passed on by the weight, and the slope belongs to F alone"
z_7 = 0.216 + 1.25 * 0.596992
so_far = 1.431552 - z_7
again = 6

# %% wrong exercise="ex-fw-row" belief="the influence is the gradient"
z_7 = 0.4846
so_far = 1.431552 + z_7
again = 6

# %% wrong exercise="ex-fw-row" belief="going back, the new loss adds a term of its own and changes no other"
z_7 = 0.4846
so_far = 0.9469
again = 0

# %% visible exercise="ex-fw-row"
for name, value in [("z_7", z_7), ("so_far", so_far), ("again", again)]:
    numbers(name, value)
assert again in range(7), "again is one of the numbers 0, …, 6"

# %% hidden exercise="ex-fw-row"


def seven_steps(copies):
    """Return h_7 and the sum of seven losses, each step with its weight."""
    h, loss = example.h_0, 0.0
    x = numpy.append(example.x, numpy.arctanh(0.8) - example.w * 0.6)
    y = numpy.append(example.y, example.v * 0.8 + 1 / example.v)  # e_7 = -1
    for w_t, x_t, y_t in zip(copies, x, y, strict=True):
        h = numpy.tanh(w_t * h + x_t)
        loss = loss + (example.v * h - y_t) ** 2 / 2
    return h, loss


up, down = (seven_steps([example.w + eps] * 7) for eps in (1e-6, -1e-6))
measured = [(a - b) / 2e-6 for a, b in zip(up, down, strict=True)]
assert abs(numbers("z_7", z_7) - measured[0]) < 2e-3, (
    "z_7: a finite difference of h_7 by the weight gives another number. "
    "By which two ways does the weight reach h_7?"
)
assert abs(numbers("so_far", so_far) - measured[1]) < 2e-3, (
    "so_far: a finite difference of all seven losses gives another number"
)
copies = numpy.full(7, example.w) + 1e-20j * numpy.eye(7)
both = numpy.array([seven_steps(c)[1].imag for c in copies]) / 1e-20
known = numpy.append(example.terms().sum(axis=0), 0)
changed = int((abs(both - known)[:6] > 1e-9).sum())
assert numbers("again", again) == changed, (
    "again: δ_t collects what every later loss says. At how many steps is it "
    "another number after step 7?"
)

# %% stub exercise="ex-fw-row-3"
four = ...  # the four stand-ins for z_3, in any order; three decimals do
mean = ...  # their mean

# %% solution exercise="ex-fw-row-3"
four = [1.488, 0.084, 0.293, 0.151]
mean = 0.504

# %% wrong exercise="ex-fw-row-3" belief="the signs cancel, so a stand-in is the sum of the two parts"
four = [0.786, 0.786, 0.222, 0.222]
mean = 0.504

# %% wrong exercise="ex-fw-row-3" belief="the coin decides the sign of the new part"
four = [0.786, 0.354, 0.222, -0.210]
mean = 0.288

# %% wrong exercise="ex-fw-row-3" belief="row 2 is passed on by the weight, 1.25"
four = [2.970, 0.629, 0.351, 0.114]
mean = 1.016

# %% visible exercise="ex-fw-row-3"
numbers("four", four, (4,))
numbers("mean", mean)

# %% hidden exercise="ex-fw-row-3"
F, J = example.step_derivatives()
found = {numpy.sqrt(F[0])}  # equal factors of z_1 = F_1
for t in (1, 2):
    found = {
        round(numpy.sqrt(J[t]) * factor + sign * numpy.sqrt(F[t]), 12)
        for factor in found
        for sign in (-1, 1)
    }
wanted = numpy.sort([factor**2 for factor in found])
off = abs(numpy.sort(numbers("four", four, (4,))) - wanted)
assert off.max() < 4e-3, (
    f"four: {int((off > 4e-3).sum())} of 4 are no square of a sum or a "
    "difference of the two factors. How large are the two parts of row 3?"
)
exact = example.state_terms()[2].sum()
assert abs(numbers("mean", mean) - exact) < 2e-3, (
    "mean: UORO is unbiased, so you know what it has to be"
)


# %% stub exercise="ex-fw-any"
def uoro_parts(step, W, h, nu, s):
    """Return ν F, of the shape of W, and s Jᵀ, of the shape of h.

    step(W, h) is the next state, by any operations that MXNet records. W,
    h, nu and s are arrays of mxnet.np in float64; h, nu and s are rows (n,).
    """
    ...


# %% solution exercise="ex-fw-any"
def uoro_parts(step, W, h, nu, s):
    W = W.copy()
    W.attach_grad()
    with autograd.record():
        h_next = step(W, h.detach())
    h_next.backward(nu)
    up, down = step(W, h + 1e-5 * s), step(W, h - 1e-5 * s)
    return W.grad.asnumpy(), (up - down).asnumpy() / 2e-5


# %% wrong exercise="ex-fw-any" belief="a backward pass with s at the new state gives s Jᵀ"
def uoro_parts(step, W, h, nu, s):
    W, h = W.copy(), h.copy()
    results = []
    for head in (nu, s):
        W.attach_grad()
        h.attach_grad()
        with autograd.record():
            h_next = step(W, h)
        h_next.backward(head)
        results.append((W.grad.asnumpy(), h.grad.asnumpy()))
    return results[0][0], results[1][1]


# %% wrong exercise="ex-fw-any" belief="a weight acts on one unit, so its gradient can be multiplied by that sign later"
def uoro_parts(step, W, h, nu, s):
    W = W.copy()
    W.attach_grad()
    with autograd.record():
        h_next = step(W, h)
    h_next.backward()
    up, down = step(W, h + 1e-5 * s), step(W, h - 1e-5 * s)
    return (W.grad * nu).asnumpy(), (up - down).asnumpy() / 2e-5


# %% visible exercise="ex-fw-any"
W_seen = np.array([[0.5, 0.1, 0], [0, -0.2, 0.3], [0.2, 0, 0.4]], "float64")
h_seen, nu_seen, s_seen = np.array(
    [[0.1, -0.3, 0.2], [1, -1, 1], [0.5, 0.2, -0.4]], dtype="float64"
)
found = uoro_parts(
    lambda W, h: np.tanh(np.dot(h, W)), W_seen, h_seen, nu_seen, s_seen
)
assert found is not None, "uoro_parts returns nothing yet"
assert len(found) == 2, "uoro_parts returns two arrays, ν F and s Jᵀ"
numbers("ν F", found[0], (3, 3))
numbers("s Jᵀ", found[1], (3,))

# %% hidden exercise="ex-fw-any"


def tanh_step(W, h):
    """Return the next state of the chapter's network, with an input."""
    u = np.concatenate([np.array([0.3, -0.1], dtype="float64"), h])
    return np.tanh(np.dot(u, W))


def gated_step(W, h):
    """Return a state that is kept in part."""
    gate = 1 / (1 + np.exp(-np.dot(h, W[0])))
    return gate * h + (1 - gate) * np.tanh(np.dot(h, W[1]))


def deep_step(W, h):
    """Return the next state through a layer between."""
    return np.tanh(np.dot(np.tanh(np.dot(h, W[0])), W[1]))


rng = numpy.random.default_rng(1)
eps = 1e-5
for step, shape in [
    (tanh_step, (6, 4)),
    (gated_step, (2, 3, 3)),
    (deep_step, (2, 3, 3)),
]:
    n = shape[-1]
    W, h, s = rng.normal(size=shape), rng.normal(size=n), rng.normal(size=n)
    nu = (-1.0) ** numpy.arange(n)

    def moved(dW, dh, step=step, W=W, h=h):
        """Return the state of weights and a state that have moved."""
        parts = [np.array(v, dtype="float64") for v in (W + dW, h + dh)]
        return step(*parts).asnumpy()

    def slope(dW, dh):
        """Return the derivative of the new state along a move."""
        move = eps * dW, eps * dh
        return (moved(*move) - moved(*(-part for part in move))) / (2 * eps)

    nu_F, unit = numpy.zeros(W.size), numpy.eye(W.size)
    for k in range(W.size):
        nu_F[k] = nu @ slope(unit[k].reshape(shape), 0 * h)
    s_J = slope(0 * W, s)
    given = [np.array(part, dtype="float64") for part in (W, h, nu, s)]
    found = uoro_parts(step, *given)
    off = abs(numbers("ν F", found[0], shape) - nu_F.reshape(shape))
    assert off.max() < 1e-5, (
        f"ν F, {step.__name__}: differs from finite differences. Which "
        "number does an entry of W change: a state, or ν times the states?"
    )
    off = abs(numbers("s Jᵀ", found[1], (n,)) - s_J)
    assert off.max() < 2e-3, (  # from one side, too
        f"s Jᵀ, {step.__name__}: differs from finite differences. A row "
        "that goes back is multiplied by J; here a change goes forward"
    )


# %% stub exercise="ex-fw-blocks"
def lossless(num_groups, size):
    """Return Ξ for groups of units, and how many numbers it keeps a weight.

    Ξ has the shape (n, n), n = num_groups · size; units 0, …, size - 1 are
    the first group, and so on. The exercise has lossless(4, 2).
    """
    ...


# %% solution exercise="ex-fw-blocks"
def lossless(num_groups, size):
    return numpy.kron(numpy.eye(num_groups), numpy.ones((size, size))), size


# %% wrong exercise="ex-fw-blocks" belief="a weight enters one unit, so the diagonal is all that it needs"
def lossless(num_groups, size):
    return numpy.eye(num_groups * size), 1


# %% wrong exercise="ex-fw-blocks" belief="only the full matrix loses nothing"
def lossless(num_groups, size):
    n = num_groups * size
    return numpy.ones((n, n)), n


# %% wrong exercise="ex-fw-blocks" belief="units at the same place of their groups belong together"
def lossless(num_groups, size):
    return numpy.kron(numpy.ones((size, size)), numpy.eye(num_groups)), size


# %% visible exercise="ex-fw-blocks"
found = lossless(3, 1)
assert found is not None, "lossless returns nothing yet"
assert len(found) == 2, "lossless returns Ξ and one number"
numbers("Ξ", found[0], (3, 3))
numbers("numbers kept a weight", found[1])

# %% hidden exercise="ex-fw-blocks"
rng = numpy.random.default_rng(2)


def run(W, x):
    """Yield the state before each step, and the state after it."""
    h = numpy.zeros(len(W))
    for x_t in x:
        before, h = h, numpy.tanh(h @ W + x_t)
        yield before, h


def loss(W, x, c):
    """Return Σ c_t · h_t."""
    states = numpy.array([h for _, h in run(W, x)])
    return (c * states).sum()


def masked(W, x, c, Xi):
    """Return the gradient of W_hh by the recursion with Ξ ⊙ J."""
    n = len(W)
    Z = numpy.zeros((n, n, n))  # the unit, and the weight W[k, a]
    gradient = numpy.zeros((n, n))
    for (before, h), e in zip(run(W, x), c, strict=True):
        slope = 1 - h**2
        J = slope[:, None] * W.T
        F = numpy.diag(slope)[:, None] * before[:, None]
        Z = F + numpy.tensordot(Xi * J, Z, 1)
        gradient += numpy.tensordot(e, Z, 1)
    return gradient


for num_groups, size in [(4, 2), (2, 3), (3, 1)]:
    n = num_groups * size
    group = numpy.arange(n) // size
    W = rng.normal(size=(n, n)) * (group == group[:, None])
    x, c = rng.normal(size=(2, 8, n)) / 2
    exact = numpy.array(
        [
            [
                loss(W + 1e-20j * numpy.outer(k, a), x, c).imag / 1e-20
                for a in numpy.eye(n)
            ]
            for k in numpy.eye(n)
        ]
    )
    Xi, kept = lossless(num_groups, size)
    Xi = numbers("Ξ", Xi, (n, n))
    off = abs(masked(W, x, c, Xi) - exact).max() / abs(exact).max()
    name = f"{num_groups} groups of {size}"
    assert off < 1e-9, (
        f"{name}: the recursion with your Ξ is off by {off:.0%}. Which units "
        "does unit 1 reach in one step, and which of them later?"
    )
    assert numbers("numbers kept a weight", kept) == size, (
        f"{name}: exact, but that is not the number of units which a weight "
        "ever reaches; the others' entries of Z are always 0"
    )
