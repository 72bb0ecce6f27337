# %% setup
import numpy
from d2lutil import example


def difference(phi, w, eps=1e-5):
    """Return the derivative of a function at w, by finite differences."""
    return (phi(w + eps) - phi(w - eps)) / (2 * eps)


# %% stub exercise="ex-re-row"
def next_row(row, h_before, h_now, w):
    """Return row t of the triangle, with one term more than row t - 1.

    row is row t - 1, an array (t - 1,); h_before is h_{t-1}, h_now is h_t,
    and w is the recurrent weight.
    """
    ...


# The derivative of h_7 by the weight, to four digits. Row 6 is
# example.state_terms()[-1], h_6 is 0.6, and the weight is 1.25.
dh_7 = ...


# %% solution exercise="ex-re-row"
def next_row(row, h_before, h_now, w):
    slope = 1 - h_now**2
    return numpy.append(slope * w * numpy.asarray(row), slope * h_before)


dh_7 = next_row(example.state_terms()[-1], 0.6, 0.8, 1.25).sum()


# %% wrong exercise="ex-re-row" belief="the Jacobian of the step itself is in the product, too"
def next_row(row, h_before, h_now, w):
    slope = 1 - h_now**2
    return slope * w * numpy.append(row, slope * h_before)


dh_7 = next_row(example.state_terms()[-1], 0.6, 0.8, 1.25).sum()


# %% wrong exercise="ex-re-row" belief="the weight multiplies the state that the step leaves"
def next_row(row, h_before, h_now, w):
    slope = 1 - h_now**2
    return numpy.append(slope * w * numpy.asarray(row), slope * h_now)


dh_7 = next_row(example.state_terms()[-1], 0.6, 0.8, 1.25).sum()

# %% visible exercise="ex-re-row"
sixth = example.state_terms()[-1]
shape = numpy.shape(next_row(sixth, 0.2, -0.3, 0.5))
assert shape == (7,), f"row 7 has 7 terms; yours has the shape {shape}"
assert dh_7 is not ..., "dh_7 is still to be computed"
assert numpy.shape(dh_7) == (), "dh_7 is one number"

# %% hidden exercise="ex-re-row"
rng = numpy.random.default_rng(1)
for _ in range(5):
    w_drawn, inputs = rng.uniform(-1.5, 1.5), rng.normal(size=4)

    def last(copies, inputs=inputs):
        """Return the last two states, each step with its own weight."""
        h = [0.3]
        for w_t, x_t in zip(copies, inputs, strict=True):
            h.append(numpy.tanh(w_t * h[-1] + x_t))
        return numpy.array(h[-2:])

    measured = numpy.transpose(
        [
            difference(lambda u, i=i: last(w_drawn + u * numpy.eye(4)[i]), 0)
            for i in range(4)
        ]
    )  # (2, 4): the cells of rows 3 and 4
    before, now = last(numpy.full(4, w_drawn))
    got = next_row(measured[0, :3], before, now, w_drawn)
    right = abs(numpy.asarray(got, dtype=float) - measured[1]) < 1e-6
    assert right[:-1].all(), "old terms: what does step t do to them?"
    assert right[-1], "new term: move the copy w_t alone, and measure"


def seventh(w):
    """Return h_7; the input of step 7 makes it 0.8 at w = 1.25."""
    return numpy.tanh(
        w * example.states(w)[-1] + numpy.arctanh(0.8) - 1.25 * 0.6
    )


error = abs(float(dh_7) - difference(seventh, 1.25))
assert error < 2e-4, "dh_7: finite differences give another number"


# %% stub exercise="ex-re-linear"
def linear_derivative(w, x):
    """Return dh_t/dw of the linear model, a number, from your polynomial.

    x holds the inputs x_1, …, x_t, an array (t,); x[0] is x_1.
    """
    ...


# %% solution exercise="ex-re-linear"
def linear_derivative(w, x):
    t = len(x)
    return sum((t - k) * w ** (t - k - 1) * x[k - 1] for k in range(1, t))


# %% wrong exercise="ex-re-linear" belief="every input appears once in the derivative"
def linear_derivative(w, x):
    t = len(x)
    return sum(w ** (t - k - 1) * x[k - 1] for k in range(1, t))


# %% wrong exercise="ex-re-linear" belief="the immediate derivative h_{t-1} is the derivative"
def linear_derivative(w, x):
    h = 0.0
    for x_t in x[:-1]:
        h = w * h + x_t
    return h


# %% visible exercise="ex-re-linear"
shape = numpy.shape(linear_derivative(0.5, numpy.ones(3)))
found = linear_derivative(0.5, numpy.ones(3))
assert found is not None, "linear_derivative returns nothing yet"
assert shape == (), f"one number is wanted; yours has the shape {shape}"
assert linear_derivative(0.5, numpy.ones(1)) == 0, "h_1 = x_1 has no w"

# %% hidden exercise="ex-re-linear"
rng = numpy.random.default_rng(2)
for t in (2, 3, 7):
    w_drawn, inputs = rng.uniform(0.5, 1.5), rng.normal(size=t)

    def linear_state(w, inputs=inputs):
        """Return h_t of the linear model."""
        h = 0.0
        for x_t in inputs:
            h = w * h + x_t
        return h

    measured = difference(linear_state, w_drawn)
    error = abs(float(linear_derivative(w_drawn, inputs)) - measured)
    assert error < 1e-6, (
        f"t = {t}: finite differences give another number. At t = 3, in how "
        "many ways does the weight carry x_1 to h_3?"
    )


# %% stub exercise="ex-re-blind"
def factor(w, t):
    """Return the false sum over the right one, at step t of the model."""
    ...


blind_w = ...  # the weight at which the test does not notice, a number


# %% solution exercise="ex-re-blind"
def factor(w, t):
    return w


blind_w = 1


# %% wrong exercise="ex-re-blind" belief="each of the t terms has a factor of its own, so the sum has t"
def factor(w, t):
    return w**t


blind_w = 1


# %% wrong exercise="ex-re-blind" belief="a factor too many makes the sum larger"
def factor(w, t):
    return abs(w)


blind_w = 1


# %% wrong exercise="ex-re-blind" belief="at w = 0 every product is 0, so the sums agree"
def factor(w, t):
    return w


blind_w = 0

# %% visible exercise="ex-re-blind"
found = factor(0.8, 3)
assert found is not None, "factor returns nothing yet"
assert numpy.shape(found) == (), "factor returns one number"
assert blind_w is not ..., "blind_w is still to be found"
assert numpy.shape(blind_w) == (), "blind_w is one number"

# %% hidden exercise="ex-re-blind"
rng = numpy.random.default_rng(3)


def two_sums(w, inputs):
    """Return the right sum, and the one with products from j = i."""
    h, t = [0.0], len(inputs)
    for x_t in inputs:
        h.append(w * h[-1] + x_t)
    J = numpy.full(t, w)
    return [
        sum(numpy.prod(J[i + late :]) * h[i] for i in range(t))
        for late in (1, 0)
    ]


for t in (3, 4, 6):
    w_drawn = rng.uniform(-1.5, 1.5)
    right, false = two_sums(w_drawn, rng.uniform(1, 2, size=t))
    error = abs(float(factor(w_drawn, t)) * right - false)
    assert error < 1e-5, f"factor: add up both sums for t = {t}, w = 2"
right, false = two_sums(float(blind_w), rng.uniform(1, 2, size=5))
assert abs(false - right) < 1e-9, (
    f"blind_w: the sums differ there, by {abs(false - right):.2g} for some "
    "inputs. The product of no factors is 1."
)


# %% stub exercise="ex-re-start"
def learned_start(F, J):
    """Return dh_1/dw, …, dh_t/dw where h_0 = w: an array (t,).

    F and J are the immediate derivatives and the Jacobians of the steps,
    (t,) each; F[0] is F_1.
    """
    ...


def gained(J):
    """Return the term that each of these sums gains: an array (t,)."""
    ...


# %% solution exercise="ex-re-start"
def learned_start(F, J):
    total, dh_dw = 1.0, []
    for F_t, J_t in zip(F, J, strict=True):
        total = F_t + J_t * total
        dh_dw.append(total)
    return numpy.array(dh_dw)


def gained(J):
    return numpy.cumprod(J)


# %% wrong exercise="ex-re-start" belief="dh_0/dw is 0, as before: no step computes h_0"
def learned_start(F, J):
    total, dh_dw = 0.0, []
    for F_t, J_t in zip(F, J, strict=True):
        total = F_t + J_t * total
        dh_dw.append(total)
    return numpy.array(dh_dw)


def gained(J):
    return numpy.zeros(len(J))


# %% wrong exercise="ex-re-start" belief="the gained term begins as F_1 does: J_1 is not in its product"
def learned_start(F, J):
    total, dh_dw = F[0] + 1, [F[0] + 1]
    for F_t, J_t in zip(F[1:], J[1:], strict=True):
        total = F_t + J_t * total
        dh_dw.append(total)
    return numpy.array(dh_dw)


def gained(J):
    return numpy.append(1.0, numpy.cumprod(J[1:]))


# %% visible exercise="ex-re-start"
F, J = example.step_derivatives()
shapes = numpy.shape(learned_start(F, J)), numpy.shape(gained(J))
assert shapes[0] == (6,), f"one derivative a step; shape {shapes[0]}"
assert shapes[1] == (6,), f"one gained term a step; shape {shapes[1]}"

# %% hidden exercise="ex-re-start"
rng = numpy.random.default_rng(4)
for _ in range(5):
    w_drawn, inputs = rng.uniform(-1.5, 1.5), rng.normal(size=5)

    def states(w, h_0, inputs=inputs):
        """Return the states h_1, …, h_5."""
        h = [h_0]
        for x_t in inputs:
            h.append(numpy.tanh(w * h[-1] + x_t))
        return numpy.array(h[1:])

    h = numpy.append(w_drawn, states(w_drawn, w_drawn))
    slope = 1 - h[1:] ** 2
    F, J = slope * h[:-1], slope * w_drawn
    by_both = difference(lambda w: states(w, w), w_drawn)
    by_start = difference(lambda h_0: states(w_drawn, h_0), w_drawn)
    errors = [
        abs(numpy.asarray(found, dtype=float) - measured).max()
        for found, measured in [
            (learned_start(F, J), by_both),
            (gained(J), by_start),
        ]
    ]
    assert errors[0] < 1e-6, (
        "learned_start: finite differences of the whole network, with "
        "h_0 = w, give other derivatives. What is dh_0/dw?"
    )
    assert errors[1] < 1e-6, (
        "gained: move h_0 alone and measure what arrives at h_1, h_2, …"
    )


# %% stub exercise="ex-re-newest-first"
def newest_first(F, J):
    """Return how the sum grows, from the newest term on: an array (t,).

    Entry 0 is the term i = t alone, entry 1 has two terms, and the last
    entry is dh_t/dw. F and J are (t,) each. At most 4t multiplications.
    """
    ...


# %% solution exercise="ex-re-newest-first"
def newest_first(F, J):
    product, total, sums = 1.0, 0.0, []
    for F_i, J_i in zip(F[::-1], J[::-1], strict=True):
        total = total + product * F_i
        sums.append(total)
        product = product * J_i
    return numpy.array(sums)


# %% wrong exercise="ex-re-newest-first" belief="the order is a matter of taste: the oldest first is the same sum"
def newest_first(F, J):
    product, terms = 1.0, []
    for F_i, J_i in zip(F[::-1], J[::-1], strict=True):
        terms.append(product * F_i)
        product = product * J_i
    return numpy.cumsum(terms[::-1])


# %% wrong exercise="ex-re-newest-first" belief="a term begins with the Jacobian of its own step"
def newest_first(F, J):
    product, total, sums = 1.0, 0.0, []
    for F_i, J_i in zip(F[::-1], J[::-1], strict=True):
        product = product * J_i
        total = total + product * F_i
        sums.append(total)
    return numpy.array(sums)


# %% wrong exercise="ex-re-newest-first" belief="each product has to be multiplied afresh"
def newest_first(F, J):
    total, sums = 0.0, []
    for i in reversed(range(len(F))):
        term = F[i]
        for J_j in J[i + 1 :]:
            term = J_j * term
        total = total + term
        sums.append(total)
    return numpy.array(sums)


# %% visible exercise="ex-re-newest-first"
shape = numpy.shape(newest_first(*example.step_derivatives()))
assert shape == (6,), f"six steps, six sums; yours has the shape {shape}"

# %% hidden exercise="ex-re-newest-first"
rng = numpy.random.default_rng(5)
F, J = rng.normal(size=8), rng.uniform(0.5, 1.5, size=8)
newest = [numpy.prod(J[i + 1 :]) * F[i] for i in reversed(range(8))]
found = numpy.asarray(newest_first(F, J), dtype=float)
assert abs(found[0] - newest[0]) < 1e-5, "entry 0: no step passes F_t on"
assert abs(found[-1] - sum(newest)) < 1e-5, "the last entry is no dh_t/dw"
error = abs(found - numpy.cumsum(newest)).max()
assert error < 1e-5, "entries 0 and t - 1 are right, one between is not"


class Counted(float):
    """A number that counts multiplications."""

    count = 0

    def __mul__(self, other):
        Counted.count += 1
        return Counted(float(self) * float(other))

    __rmul__ = __mul__

    def __add__(self, other):
        return Counted(float(self) + float(other))

    __radd__ = __add__


F, J = (
    numpy.array([Counted(value) for value in values], dtype=object)
    for values in (F.repeat(5), J.repeat(5))
)
newest_first(F, J)
assert Counted.count <= 4 * len(F), (
    f"t = {len(F)} took {Counted.count} multiplications; carry along what "
    "the next term needs"
)


# %% stub exercise="ex-re-hold"
def held_input(c, w):
    """Return the input that holds the state at c, a number."""
    ...


def term(lag, c, w):
    """Return the term of a lag in dh_t/dw while the state is held at c."""
    ...


def smallest_weight(c):
    """Return the weight above which the terms grow with the lag."""
    ...


# %% solution exercise="ex-re-hold"
def held_input(c, w):
    return numpy.arctanh(c) - w * c


def term(lag, c, w):
    return ((1 - c**2) * w) ** lag * (1 - c**2) * c


def smallest_weight(c):
    return 1 / (1 - c**2)


# %% wrong exercise="ex-re-hold" belief="the terms grow as soon as the weight is above 1"
def held_input(c, w):
    return numpy.arctanh(c) - w * c


def term(lag, c, w):
    return w**lag * (1 - c**2) * c


def smallest_weight(c):
    return 1.0


# %% wrong exercise="ex-re-hold" belief="the input alone decides the state"
def held_input(c, w):
    return numpy.arctanh(c)


def term(lag, c, w):
    return ((1 - c**2) * w) ** lag * (1 - c**2) * c


def smallest_weight(c):
    return 1 / (1 - c**2)


# %% visible exercise="ex-re-hold"
for name, found in [
    ("held_input", held_input(0.1, 1.5)),
    ("term", term(3, 0.1, 1.5)),
    ("smallest_weight", smallest_weight(0.1)),
]:
    assert found is not None, f"{name} returns nothing yet"
    assert numpy.shape(found) == (), f"{name} returns one number"

# %% hidden exercise="ex-re-hold"
rng = numpy.random.default_rng(6)
for _ in range(5):
    c, w = rng.choice([-0.4, 0.2]), rng.uniform(0.8, 1.8)
    x_held = float(held_input(c, w))

    def held(copies, c=c, x_held=x_held):
        """Return the state after six steps, each with its own weight."""
        h = c
        for w_t in copies:
            h = numpy.tanh(w_t * h + x_held)
        return h

    drift = abs(held(numpy.full(6, w)) - c)
    assert drift < 1e-5, f"held_input: the state moves by {drift:.1g}"
    for lag in (0, 2, 5):
        copy = numpy.eye(6)[5 - lag]
        measured = difference(lambda u, copy=copy: held(w + u * copy), 0)
        assert abs(float(term(lag, c, w)) - measured) < 1e-6, (
            f"term of lag {lag}: moving that copy of the weight alone "
            "changes the state by another amount"
        )
    edge = float(smallest_weight(c))
    growth = [
        term(9, c, edge * near) / term(8, c, edge * near)
        for near in (0.999, 1.001)
    ]
    assert growth[0] < 1 < growth[1], (
        "smallest_weight: just above it your terms must grow, just below "
        "it they must fade"
    )
