# %% setup
import numpy

norm = numpy.linalg.norm  # norm(A, 2) is the spectral norm


def step(h, W, x):
    """Return the next state, tanh(h W + x)."""
    return numpy.tanh(h @ W + x)


# %% stub exercise="ex-st-scalar"
# The proof stays on paper. Hand in the Jacobian itself.


def jacobian_at_rest(w):
    """Return ∂h_t/∂h_{t-1} at the rest point h* > 0, for any w > 1."""
    ...


# %% solution exercise="ex-st-scalar"
def jacobian_at_rest(w):
    """Return ∂h_t/∂h_{t-1} at the rest point h* > 0, for any w > 1."""
    h = 1.0
    for _ in range(1000):
        h = numpy.tanh(w * h)
    return w * (1 - h**2)


# %% wrong exercise="ex-st-scalar" belief="a recurrent weight above 1 explodes"
def jacobian_at_rest(w):
    return w


# %% wrong exercise="ex-st-scalar" belief="the Jacobian is the slope of the tanh"
def jacobian_at_rest(w):
    h = 1.0
    for _ in range(1000):
        h = numpy.tanh(w * h)
    return 1 - h**2


# %% visible exercise="ex-st-scalar"
at_rest = jacobian_at_rest(2.0)
assert at_rest is not None, "jacobian_at_rest returns nothing yet"
assert numpy.isfinite(float(at_rest)), "jacobian_at_rest returns a number"
assert float(at_rest) > 0, "w and the slope are both positive"

# %% hidden exercise="ex-st-scalar"
for w in (1.2, 1.7, 2.5, 4.0):
    low, high = 1e-3, 1.0  # w tanh is above h at low, and below it at high
    for _ in range(60):
        middle = (low + high) / 2
        above = numpy.tanh(w * middle) > middle
        low, high = (middle, high) if above else (low, middle)
    ends = numpy.tanh(w * (low + 1e-5)), numpy.tanh(w * (low - 1e-5))
    measured = (ends[0] - ends[1]) / 2e-5
    assert abs(float(jacobian_at_rest(w)) - measured) < 1e-4, (
        "let the unit come to rest first, then nudge the state there: a large "
        "state has a small slope, and the nudge also passes the weight"
    )

# %% stub exercise="ex-st-jordan"
# The matrix is [[a, 1], [0, a]] with 0 < a < 1.


def corner(a, k):
    """Return the entry in the corner, upper right, of its k-th power."""
    ...


def highest(a):
    """Return the k, whole or not, at which this entry is largest."""
    ...


# %% solution exercise="ex-st-jordan"
def corner(a, k):
    """Return the entry in the corner, upper right, of its k-th power."""
    return k * a ** (k - 1)


def highest(a):
    """Return the k, whole or not, at which this entry is largest."""
    return -1 / numpy.log(a)


# %% wrong exercise="ex-st-jordan" belief="with eigenvalues below 1 every entry fades from the first power on"
def corner(a, k):
    return a ** (k - 1)


def highest(a):
    return 1


# %% wrong exercise="ex-st-jordan" belief="k paths lead to the corner, so it grows for ever"
def corner(a, k):
    return k * a ** (k - 1)


def highest(a):
    return numpy.inf


# %% wrong exercise="ex-st-jordan" belief="each of the k paths passes k diagonal entries"
def corner(a, k):
    return a ** (k - 1) * (1 if k == 1 else k * a)


def highest(a):
    return -1 / numpy.log(a)


# %% visible exercise="ex-st-jordan"
assert corner(0.9, 1) is not None, "corner returns nothing yet"
assert abs(float(corner(0.9, 1)) - 1) < 1e-6, (
    "the corner of the matrix itself is 1"
)
assert highest(0.9) is not None, "highest returns nothing yet"
assert float(highest(0.9)) >= 0, "highest returns a number of factors"

# %% hidden exercise="ex-st-jordan"
for a in (0.3, 0.6, 0.85, 0.93, 0.97):
    matrix = numpy.array([[a, 1.0], [0.0, a]])
    product, entries = numpy.eye(2), []
    for k in range(1, 200):
        product = product @ matrix
        entries.append(product[0, 1])
        assert abs(float(corner(a, k)) - entries[-1]) < 1e-6, (
            "write down the second and the third power, and see what one "
            "more factor does to the corner"
        )
    peak = 1 + int(numpy.argmax(entries))
    assert abs(float(highest(a)) - peak) <= 1, (
        "where does the corner stop growing? Differentiate it, or its "
        "logarithm, by k; eigenvalues below 1 speak about the long run"
    )


# %% stub exercise="ex-st-orthogonal"
def linear_norm_and_bound(rho, k):
    """Return two numbers for W_hh = ρ Q: the norm of W_hh^k, and its bound.

    The bound is the right side of the chapter's inequality for k factors.
    """
    ...


def tanh_norm(Q, inputs):
    """Return the norm of dh_T/dh_0 of the tanh network with W_hh = Q.

    h_t = step(h_{t-1}, Q, inputs[t]), with rows as states, from h_0 = 0.
    inputs has shape (T, n). The norm is the spectral norm.
    """
    ...


# Does the tanh network with ρ = 1 keep its gradient over many steps, as the
# linear one does? True or False.
tanh_keeps = ...


# %% solution exercise="ex-st-orthogonal"
def linear_norm_and_bound(rho, k):
    """Return two numbers for W_hh = ρ Q: the norm of W_hh^k, and its bound."""
    return rho**k, rho**k


def tanh_norm(Q, inputs):
    """Return the norm of dh_T/dh_0 of the tanh network with W_hh = Q."""
    h, P = numpy.zeros(len(Q)), numpy.eye(len(Q))
    for x in inputs:
        h = step(h, Q, x)
        P = (1 - h**2)[:, None] * (Q.T @ P)  # J_t P
    return norm(P, 2)


tanh_keeps = False


# %% wrong exercise="ex-st-orthogonal" belief="orthogonal weights keep every gradient, with tanh too"
def linear_norm_and_bound(rho, k):
    return rho**k, rho**k


def tanh_norm(Q, inputs):
    return 1.0


tanh_keeps = True


# %% wrong exercise="ex-st-orthogonal" belief="the Jacobian is the slopes times W_hh, not transposed"
def linear_norm_and_bound(rho, k):
    return rho**k, rho**k


def tanh_norm(Q, inputs):
    h, P = numpy.zeros(len(Q)), numpy.eye(len(Q))
    for x in inputs:
        h = step(h, Q, x)
        P = (1 - h**2)[:, None] * (Q @ P)
    return norm(P, 2)


tanh_keeps = False


# %% wrong exercise="ex-st-orthogonal" belief="the norm of a product is the product of the norms"
def linear_norm_and_bound(rho, k):
    return rho**k, rho**k


def tanh_norm(Q, inputs):
    h, product = numpy.zeros(len(Q)), 1.0
    for x in inputs:
        h = step(h, Q, x)
        product *= norm((1 - h**2)[:, None] * Q.T, 2)
    return product


tanh_keeps = False

# %% visible exercise="ex-st-orthogonal"
once = linear_norm_and_bound(0.9, 1)
assert once is not None, "linear_norm_and_bound returns nothing yet"
assert numpy.shape(once) == (2,), (
    "linear_norm_and_bound returns the norm and the bound"
)
turn = numpy.array([[0.0, 1.0], [-1.0, 0.0]])
silent = tanh_norm(turn, numpy.zeros((3, 2)))
assert silent is not None, "tanh_norm returns nothing yet"
assert abs(float(silent) - 1) < 1e-6, (
    "without inputs all states are 0, all slopes 1, and the norm is 1"
)
assert tanh_keeps in (True, False), "tanh_keeps is True or False"

# %% hidden exercise="ex-st-orthogonal"
draws = numpy.random.default_rng(1)


def orthogonal(n):
    """Return a random orthogonal matrix."""
    return numpy.linalg.qr(draws.normal(size=(n, n)))[0]


for rho, k in ((0.9, 7), (1.0, 30), (1.3, 4)):
    W = rho * orthogonal(6)
    expected = norm(numpy.linalg.matrix_power(W, k), 2), norm(W, 2) ** k
    given = numpy.array(linear_norm_and_bound(rho, k), dtype=float)
    assert abs(given - expected).max() < 1e-6, (
        "by how much does one factor stretch a vector, and the next one?"
    )
for n, T in ((4, 1), (4, 6), (8, 10)):
    Q, inputs = orthogonal(n), 0.5 * draws.normal(size=(T, n))
    ends = []
    for nudge in (1e-5, -1e-5):
        h = nudge * numpy.eye(n)
        for x in inputs:
            h = step(h, Q, x)
        ends.append(h)
    measured = norm((ends[0] - ends[1]) / 2e-5, 2)
    assert abs(float(tanh_norm(Q, inputs)) - measured) < 1e-5, (
        "nudge h_0 and see what arrives at h_T: every factor is the slopes "
        "of the NEW state times a matrix, and only the product has the norm "
        "that is asked for"
    )
Q, inputs = orthogonal(50), 0.5 * draws.normal(size=(100, 50))
h, rows = numpy.zeros(50), numpy.eye(50)
for x in inputs:
    h = step(h, Q, x)
    rows = rows @ Q * (1 - h**2)
assert bool(tanh_keeps) == (norm(rows, 2) > 0.1), (
    "run 100 steps with random inputs, and compare the norm with 1"
)


# %% stub exercise="ex-st-ridge"
def jacobian_radius(W_hh, h):
    """Return the spectral radius of the Jacobian at the new state h, (n,).

    That of W_hh itself is the one at h = 0.
    """
    ...


def two_ends(W_hh, h_star):
    """Return where the first unit ends, from h* plus and minus 10⁻⁶.

    Two numbers. W_hh has two units, and the bias makes h_star, (2,), a rest
    point. The first unit is moved; 1000 steps are run.
    """
    ...


# %% solution exercise="ex-st-ridge"
def jacobian_radius(W_hh, h):
    """Return the spectral radius of the Jacobian at the new state h, (n,)."""
    J_t = (1 - h**2)[:, None] * W_hh.T
    return abs(numpy.linalg.eigvals(J_t)).max()


def two_ends(W_hh, h_star):
    """Return where the first unit ends, from h* plus and minus 10⁻⁶."""
    b_h = numpy.arctanh(h_star) - h_star @ W_hh
    ends = h_star + 1e-6 * numpy.array([[1, 0], [-1, 0]])
    for _ in range(1000):
        ends = step(ends, W_hh, b_h)
    return ends[:, 0]


# %% wrong exercise="ex-st-ridge" belief="eigenvalues of the weights below 1 fade"
def jacobian_radius(W_hh, h):
    return abs(numpy.linalg.eigvals(W_hh)).max()


def two_ends(W_hh, h_star):
    return h_star[0], h_star[0]


# %% wrong exercise="ex-st-ridge" belief="the radius is the largest eigenvalue, with its sign"
def jacobian_radius(W_hh, h):
    J_t = (1 - h**2)[:, None] * W_hh.T
    return numpy.linalg.eigvals(J_t).real.max()


def two_ends(W_hh, h_star):
    b_h = numpy.arctanh(h_star) - h_star @ W_hh
    ends = h_star + 1e-6 * numpy.array([[1, 0], [-1, 0]])
    for _ in range(1000):
        ends = step(ends, W_hh, b_h)
    return ends[:, 0]


# %% wrong exercise="ex-st-ridge" belief="the radius is the norm"
def jacobian_radius(W_hh, h):
    return norm((1 - h**2)[:, None] * W_hh.T, 2)


def two_ends(W_hh, h_star):
    b_h = numpy.arctanh(h_star) - h_star @ W_hh
    ends = h_star + 1e-6 * numpy.array([[1, 0], [-1, 0]])
    for _ in range(1000):
        ends = step(ends, W_hh, b_h)
    return ends[:, 0]


# %% wrong exercise="ex-st-ridge" belief="the radius is the largest real part"
def jacobian_radius(W_hh, h):
    return abs(numpy.linalg.eigvals(W_hh * (1 - h**2)).real).max()


def two_ends(W_hh, h_star):
    b_h, ends = numpy.arctanh(h_star) - h_star @ W_hh, []
    for nudge in (1e-6, -1e-6):
        h = h_star + numpy.array([nudge, 0.0])
        for _ in range(1000):
            h = step(h, W_hh, b_h)
        ends.append(h[0])
    return ends


# %% visible exercise="ex-st-ridge"
ridge = numpy.array([[2.0, 1.9], [-1.9, -2.0]])
diagonal = jacobian_radius(numpy.diag([0.5, 0.2]), numpy.zeros(2))
assert diagonal is not None, "jacobian_radius returns nothing yet"
assert abs(float(diagonal) - 0.5) < 1e-6, (
    "at h = 0 a diagonal matrix with 0.5 and 0.2 has the radius 0.5"
)
pair = two_ends(ridge, numpy.array([0.0, 0.99]))
assert pair is not None, "two_ends returns nothing yet"
assert numpy.shape(pair) == (2,), "two_ends returns two numbers"
assert abs(numpy.asarray(pair, dtype=float)).max() <= 1, (
    "a tanh unit lies between -1 and 1"
)

# %% hidden exercise="ex-st-ridge"
ridge = numpy.array([[2.0, 1.9], [-1.9, -2.0]])
draws = numpy.random.default_rng(2)
cases = [(ridge, [0.0, 0.0]), (ridge, [0.0, 0.99]), (-ridge, [0.3, 0.9])]
turn = numpy.array([[0.6, 0.8], [-0.8, 0.6]])
cases += [(numpy.diag([0.5, -1.25]), [0.0, 0.4]), (turn, [0.3, -0.5])]
cases += [
    (draws.normal(size=(2, 2)), draws.uniform(-0.9, 0.9, 2)) for _ in "ab"
]
for W, h in cases:
    h = numpy.array(h)
    (a, b), (c, d) = (1 - h**2)[:, None] * W.T
    root = numpy.sqrt(complex((a - d) ** 2 + 4 * b * c))  # of two units
    expected = max(abs(a + d + root), abs(a + d - root)) / 2
    assert abs(float(jacobian_radius(W.copy(), h)) - expected) < 1e-6, (
        "a factor is slopes times weights, and its radius the largest "
        "MAGNITUDE of an eigenvalue"
    )
for strength, second in ((1.9, 0.99), (1.7, 0.95), (1.8, 0.98)):
    W = numpy.array([[2.0, strength], [-strength, -2.0]])
    rest = numpy.array([0.0, second])
    b = numpy.arctanh(rest) - rest @ W
    u, v = [1e-6, -1e-6], [second, second]
    for _ in range(400):
        u, v = (
            [
                numpy.tanh(W[0, j] * p + W[1, j] * q + b[j])
                for p, q in zip(u, v, strict=True)
            ]
            for j in range(2)
        )
    given = numpy.asarray(two_ends(W.copy(), rest), dtype=float)
    assert abs(given - u).max() < 1e-3, (
        "what does the Jacobian at h* do to the difference, step after step? "
        "Choose b_h so that h* stays, move the first unit, and run the network"
    )


# %% stub exercise="ex-st-spectrum"
def exponents(W_hh, inputs):
    """Return all n Lyapunov exponents, an array (n,) in any order.

    h_t = step(h_{t-1}, W_hh, inputs[t]) from h_0 = 0; inputs: (T, n). Begin
    with the identity as the n orthogonal directions.
    """
    ...


# %% solution exercise="ex-st-spectrum"
def exponents(W_hh, inputs):
    """Return all n Lyapunov exponents, an array (n,) in any order."""
    h, Q, logs = numpy.zeros(len(W_hh)), numpy.eye(len(W_hh)), []
    for x in inputs:
        h = step(h, W_hh, x)
        Q, R = numpy.linalg.qr((1 - h**2)[:, None] * W_hh.T @ Q)
        logs.append(numpy.log(abs(numpy.diag(R))))
    return numpy.mean(logs, axis=0)


# %% wrong exercise="ex-st-spectrum" belief="the stretches of the single steps, averaged, are the exponents"
def exponents(W_hh, inputs):
    h, logs = numpy.zeros(len(W_hh)), []
    for x in inputs:
        h = step(h, W_hh, x)
        J_t = (1 - h**2)[:, None] * W_hh.T
        logs.append(numpy.log(numpy.linalg.svd(J_t, compute_uv=False)))
    return numpy.mean(logs, axis=0)


# %% wrong exercise="ex-st-spectrum" belief="the eigenvalues of the weights decide"
def exponents(W_hh, inputs):
    return numpy.log(abs(numpy.linalg.eigvals(W_hh)))


# %% wrong exercise="ex-st-spectrum" belief="all directions may be followed without making them orthogonal again"
def exponents(W_hh, inputs):
    n = len(W_hh)
    h, V, logs = numpy.zeros(n), numpy.eye(n), []
    for x in inputs:
        h = step(h, W_hh, x)
        V = (1 - h**2)[:, None] * W_hh.T @ V
        q = norm(V, axis=0)
        V = V / q
        logs.append(numpy.log(q))
    return numpy.mean(logs, axis=0)


# %% visible exercise="ex-st-spectrum"
halves = exponents(0.5 * numpy.eye(3), numpy.zeros((10, 3)))
assert halves is not None, "exponents returns nothing yet"
assert numpy.shape(halves) == (3,), "three units have three exponents"
assert (
    abs(numpy.asarray(halves, dtype=float) - numpy.log(0.5)).max() < 1e-6
), "units at rest whose weight is a half halve every change"

# %% hidden exercise="ex-st-spectrum"
draws = numpy.random.default_rng(3)
for n, scale, T in ((20, 1.5, 1000), (6, 2.5, 800), (5, 0.6, 300)):
    W = draws.normal(size=(n, n))
    W = W * (scale / abs(numpy.linalg.eigvals(W)).max())
    inputs, volume, growth = 0.5 * draws.normal(size=(T, n)), 0.0, 0.0
    h, v = numpy.zeros(n), numpy.ones(n)
    for x in inputs:
        h = step(h, W, x)
        volume += numpy.linalg.slogdet((1 - h**2)[:, None] * W.T)[1] / T
        v = (1 - h**2) * (v @ W)
        growth, v = growth + numpy.log(norm(v)) / T, v / norm(v)
    given = numpy.asarray(exponents(W.copy(), inputs), dtype=float)
    assert abs(given.sum() - volume) < 1e-4, (
        "your exponents have another sum: at which rate grows the volume that "
        "n directions span, and which number says that of one Jacobian?"
    )
    assert abs(given.max() - growth) < 0.03, (
        "the largest exponent is the rate at which a single change grows in "
        "the long run, not what single steps can do at most"
    )
weights = numpy.array([1.5, 0.3, -0.8])
inputs, h, logs = draws.normal(size=(400, 3)), numpy.zeros(3), []
for x in inputs:
    h = numpy.tanh(weights * h + x)
    logs.append(numpy.log(abs(weights) * (1 - h**2)))
expected = numpy.sort(numpy.mean(logs, axis=0))
given = numpy.sort(
    numpy.asarray(exponents(numpy.diag(weights), inputs), float)
)
assert abs(given - expected).max() < 0.03, (
    "where units do not mix, each has an exponent of its own: the mean of the "
    "logarithm of its factor"
)
