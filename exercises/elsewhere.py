# %% setup
import d2lutil  # first: it makes MXNet load under today's NumPy
import numpy
from d2lutil import example
from d2lutil.notebook import numbers


def chunk_losses(w_1, w_2):
    """Return L_1 and L_2 of the six steps, with a weight for each chunk.

    The weights are numbers, or arrays of one shape, which the losses have.
    """
    h, L = example.h_0, [0.0, 0.0]
    for t in range(6):
        h = numpy.tanh((w_1 if t < 3 else w_2) * h + example.x[t])
        L[t // 3] = L[t // 3] + (example.v * h - example.y[t]) ** 2 / 2
    return L


# %% stub exercise="ex-el-read"
xi = ...  # six numbers
counted = ...  # of the six losses: what the gradient knows of them
kept = ...  # the terms that are kept, a set of pairs (t, i), as {(1, 1)}
total = ...  # their sum, three decimals do

# %% solution exercise="ex-el-read"
xi = [1, 1, 1, 0, 1, 1]
counted = [0, 0, 0, 0, 0, 1]
kept = {(6, 4), (6, 5), (6, 6)}
total = 0.2099

# %% wrong exercise="ex-el-read" belief="what is added to the loss is in the gradient"
xi = [1, 1, 1, 0, 1, 1]
counted = [0, 0, 1, 0, 0, 1]
kept = {(3, 1), (3, 2), (3, 3), (6, 4), (6, 5), (6, 6)}
total = 1.2179

# %% wrong exercise="ex-el-read" belief="the cut behind step 3 is the weight of step 3"
xi = [1, 1, 0, 1, 1, 1]
counted = [0, 0, 0, 0, 0, 1]
kept = {(6, 3), (6, 4), (6, 5), (6, 6)}
total = 0.3758

# %% wrong exercise="ex-el-read" belief="every loss behind the cut counts"
xi = [1, 1, 1, 0, 1, 1]
counted = [0, 0, 0, 1, 1, 1]
kept = {(t, i) for t in (4, 5, 6) for i in range(4, t + 1)}
total = 0.2355

# %% visible exercise="ex-el-read"
for name, value in [("xi", xi), ("counted", counted)]:
    assert (numbers(name, value, (6,)) >= 0).all(), f"{name} is never < 0"
numbers("total", total)
assert kept is not ..., "kept is still to be written down"
for t, i in kept:
    assert 1 <= i <= t <= 6, "kept holds pairs (t, i) with 1 <= i <= t <= 6"

# %% hidden exercise="ex-el-read"


def printed(copies):
    """Return what the loop adds up; copies are the weights of the steps."""
    h, states = example.h_0, []
    for t in range(6):
        weight = copies[t] if t >= 3 else copies[t].real  # not recorded
        h = numpy.tanh(weight * h + example.x[t])
        states.append(h)
    error = example.v * numpy.array(states) - example.y
    return error[5] ** 2 / 2 + error[2] ** 2 / 2


moves = example.w + 1e-20j * numpy.eye(6)
by_step = numpy.array([printed(copies).imag for copies in moves]) / 1e-20
left = numpy.zeros((6, 6))
left[5] = by_step  # no other loss has a gradient
answer = numpy.asarray(counted, dtype=float)[:, None] * example.terms()
answer = answer * d2lutil.reach(numpy.asarray(xi, dtype=float))
assert abs(answer - left).max() < 1e-9, (
    "xi and counted: together they keep other cells than the loop does. "
    "Which operations are recorded, and what does a loss of a state from "
    "before the recording tell the weight?"
)
cells = {(int(t), int(i)) for t, i in kept}
wanted = {(int(t) + 1, int(i) + 1) for t, i in numpy.argwhere(left)}
assert cells == wanted, "kept: your xi and counted keep other cells"
assert abs(numbers("total", total) - left.sum()) < 3e-3, (
    "total: the derivative of the printed number, taken as the loop records "
    "it, is another one"
)

# %% stub exercise="ex-el-wheel"
lag_weights = ...  # of the lags 0, …, 5
wheel_mean = ...  # of the estimate on the six steps, three decimals do
lost = ...  # the first lag that never survives on a longer chain

# %% solution exercise="ex-el-wheel"
lag_weights = [1, 6 / 5, 6 / 4, 2, 3, 6]
wheel_mean = 1.4316
lost = 6

# %% wrong exercise="ex-el-wheel" belief="a term is divided by the probability that the wheel stops there"
lag_weights = [6, 6, 6, 6, 6, 6]
wheel_mean = 1.4316
lost = 6

# %% wrong exercise="ex-el-wheel" belief="a random length is unbiased by itself"
lag_weights = [1, 1, 1, 1, 1, 1]
wheel_mean = 1.4316
lost = 6

# %% wrong exercise="ex-el-wheel" belief="weights of this kind are unbiased on every chain"
lag_weights = [1, 6 / 5, 6 / 4, 2, 3, 6]
wheel_mean = 1.4316
lost = 1000

# %% visible exercise="ex-el-wheel"
found = numbers("lag_weights", lag_weights, (6,))
assert (found > 0).all(), "lag_weights are above 0"
numbers("wheel_mean", wheel_mean)
numbers("lost", lost)

# %% hidden exercise="ex-el-wheel"
lags = [numpy.diagonal(example.terms(), -k).sum() for k in range(6)]
given = numbers("lag_weights", lag_weights, (6,))
for k in range(6):
    # how often is lag k there, over the six outcomes of N?
    there = given[k] * sum(k <= N for N in range(6)) / 6
    assert abs(there - 1) < 0.01, (
        f"lag_weights: over the six outcomes of N, lag {k} is counted too "
        f"{'often' if there > 1 else 'rarely'} on average; it has to be once"
    )
outcomes = [(given[: N + 1] * lags[: N + 1]).sum() for N in range(6)]
assert abs(numbers("wheel_mean", wheel_mean) - numpy.mean(outcomes)) < 3e-2, (
    "wheel_mean: average the six outcomes of N, each with its weights"
)
survives = [lag for lag in range(20) if any(lag <= N for N in range(6))]
assert numbers("lost", lost) == max(survives) + 1, (
    "lost: from which lag on does no outcome of N reach?"
)


# %% stub exercise="ex-el-repair"
def repaired(K):
    """Return ξ, six numbers, and the weight of the last loss.

    K = 0, …, 6 is what was drawn: the gradient enters the steps after K
    only, those from K + 1 to 6.
    """
    ...


# %% solution exercise="ex-el-repair"
def repaired(K):
    i = numpy.arange(1, 7)
    xi = numpy.where(i > K + 1, i / numpy.maximum(i - 1, 1), 0)
    return xi, (7 / 6 if K < 6 else 0)


# %% wrong exercise="ex-el-repair" belief="a random cut is right on average as it is"
def repaired(K):
    return (numpy.arange(1, 7) > K + 1) * 1.0, (1 if K < 6 else 0)


# %% wrong exercise="ex-el-repair" belief="each link is divided by the probability that its step is kept"
def repaired(K):
    i = numpy.arange(1, 7)
    xi = numpy.where(i > K + 1, 7 / numpy.maximum(i - 1, 1), 0)
    return xi, (7 / 6 if K < 6 else 0)


# %% wrong exercise="ex-el-repair" belief="the loss is always there, so it needs no weight"
def repaired(K):
    i = numpy.arange(1, 7)
    xi = numpy.where(i > K + 1, i / numpy.maximum(i - 1, 1), 0)
    return xi, (1 if K < 6 else 0)


# %% visible exercise="ex-el-repair"
for K in range(7):
    found = repaired(K)
    assert found is not None, "repaired returns nothing yet"
    assert len(found) == 2, "repaired returns ξ and the weight of the loss"
    assert (numbers("ξ", found[0], (6,)) >= 0).all(), "ξ is never below 0"
    assert numbers("the weight", found[1]) >= 0, "the weight is never below 0"

# %% hidden exercise="ex-el-repair"
mean = numpy.zeros(6)
for K in range(7):
    gates, weight = repaired(K)
    reach = d2lutil.reach(numpy.asarray(gates, dtype=float))[5]
    factors = float(weight) * reach  # of the cells of row 6
    assert not factors[:K].any(), f"K = {K}: steps up to {K} must be cut off"
    assert factors[K:].all(), f"K = {K}: the steps from {K + 1} on are kept"
    mean += factors / 7
for i in range(6, 0, -1):
    assert abs(mean[i - 1] - 1) < 1e-3, (
        f"cell (6, {i}): over all K it counts too "
        f"{'much' if mean[i - 1] > 1 else 'little'}. How likely is it that "
        "this step is kept, given that the one after it is?"
    )


# %% stub exercise="ex-el-reuse"
def reused(u, sigma):
    """Return ĝ of a pair of opposite moves, ε = σ u and ε = -σ u.

    A pair's estimate is the mean of the two. u is an array of numbers of
    mean 0 and variance 1; the result has its shape. See `chunk_losses`.
    """
    ...


pair_mean = ...  # of a pair with normal u, at σ = 0.01
spread = ...  # its standard deviation, two digits do
persistent = ...  # that of a pair with a move for each chunk

# %% solution exercise="ex-el-reuse"
nodes, mass = numpy.polynomial.hermite_e.hermegauss(30)
mass = mass / mass.sum()


def reused(u, sigma):
    up = sum(chunk_losses(example.w + sigma * u, example.w + sigma * u))
    down = sum(chunk_losses(example.w - sigma * u, example.w - sigma * u))
    return (up - down) * u / (2 * sigma)


draws = reused(nodes, 0.01)
pair_mean = mass @ draws
spread = numpy.sqrt(mass @ (draws - pair_mean) ** 2)
one, two = numpy.meshgrid(nodes, nodes, indexing="ij")
both = numpy.outer(mass, mass)
pair = 0.0
for sign in (0.01, -0.01):
    L_1, L_2 = chunk_losses(example.w + sign * one, example.w + sign * two)
    pair = pair + (L_1 * one + L_2 * (one + two)) / sign / 2
persistent = numpy.sqrt((both * (pair - (both * pair).sum()) ** 2).sum())

# %% wrong exercise="ex-el-reuse" belief="a move that comes twice is counted twice"
nodes, mass = numpy.polynomial.hermite_e.hermegauss(30)
mass = mass / mass.sum()


def reused(u, sigma):
    estimate = 0.0
    for move in (sigma * u, -sigma * u):
        L_1, L_2 = chunk_losses(example.w + move, example.w + move)
        estimate = estimate + (L_1 * move + L_2 * 2 * move) / sigma**2 / 2
    return estimate


draws = reused(nodes, 0.01)
pair_mean = mass @ draws
spread = numpy.sqrt(mass @ (draws - pair_mean) ** 2)
persistent = 1.88

# %% wrong exercise="ex-el-reuse" belief="the square of a move scatters as the move does, by 1"
nodes, mass = numpy.polynomial.hermite_e.hermegauss(30)
mass = mass / mass.sum()


def reused(u, sigma):
    up = sum(chunk_losses(example.w + sigma * u, example.w + sigma * u))
    down = sum(chunk_losses(example.w - sigma * u, example.w - sigma * u))
    return (up - down) * u / (2 * sigma)


pair_mean = 1.4316
spread = 1.4316
persistent = 1.88

# %% wrong exercise="ex-el-reuse" belief="the opposite move only tells the same once more"
nodes, mass = numpy.polynomial.hermite_e.hermegauss(30)
mass = mass / mass.sum()


def reused(u, sigma):
    return sum(chunk_losses(*2 * [example.w + sigma * u])) * u / sigma


draws = reused(nodes, 0.01)
pair_mean = mass @ draws
spread = numpy.sqrt(mass @ (draws - pair_mean) ** 2)
persistent = 1.88

# %% visible exercise="ex-el-reuse"
found = reused(numpy.array([1.0, -0.5, 2.0]), 0.01)
assert found is not None, "reused returns nothing yet"
numbers("reused", found, (3,))
for name, value in [
    ("pair_mean", pair_mean),
    ("spread", spread),
    ("persistent", persistent),
]:
    numbers(name, value)
assert min(spread, persistent) > 0, "standard deviations are above 0"

# %% hidden exercise="ex-el-reuse"
slope = 1e20 * example.losses(example.w + 1e-20j).sum().imag
u_drawn = numpy.random.default_rng(1).normal(size=5)
for width in (0.01, 0.2):
    wanted = [
        example.losses(example.w + width * u).sum()
        - example.losses(example.w - width * u).sum()
        for u in u_drawn
    ]
    wanted = numpy.array(wanted) * u_drawn / (2 * width)
    got = numbers("reused", reused(u_drawn, width), (5,))
    assert abs(got - wanted).max() < 1e-6, (
        f"reused, σ = {width}: not the mean of the two estimates. To which "
        "move is the loss of a chunk credited, if there is only one?"
    )
assert abs(numbers("pair_mean", pair_mean) / slope - 1) < 0.05, (
    "pair_mean: for a small σ, the estimate is unbiased"
)
# the derivative of L_j by the weight of chunk k
chunks = example.terms().reshape(2, 3, 2, 3).sum(axis=(1, 3))
quadratic = numpy.array(
    [
        [chunks[0, 0] + chunks[1, 0], (chunks[1, 0] + chunks[1, 1]) / 2],
        [(chunks[1, 0] + chunks[1, 1]) / 2, chunks[1, 1]],
    ]
)
for name, value, form in [
    ("spread", spread, numpy.array([[slope]])),
    ("persistent", persistent, quadratic),
]:
    # the variance of u A u with normal u and a symmetric A
    wanted = numpy.sqrt(2 * numpy.trace(form @ form))
    assert abs(numbers(name, value) / wanted - 1) < 0.05, (
        f"{name}: draw many pairs; they scatter "
        f"{'more' if wanted > value else 'less'}. How large is the variance "
        "of the square of a normal number?"
    )

# %% stub exercise="ex-el-turn"
turn = ...  # the c beyond which one step points away
steps = ...  # how many steps are enough at c = -3
e_turn = ...  # for the quarter turn: a row e for which one step points
# away from the exact gradient, two numbers; None if there is none

# %% solution exercise="ex-el-turn"
turn = -1
steps = 2
e_turn = (1, -0.47)

# %% wrong exercise="ex-el-turn" belief="a step that shrinks every vector makes one step safe"
turn = -1
steps = 2
e_turn = None

# %% wrong exercise="ex-el-turn" belief="it points away as soon as one entry has the wrong sign"
turn = -0.5
steps = 5
e_turn = (1, -0.47)

# %% wrong exercise="ex-el-turn" belief="if one step points away, two do so as well"
turn = -1
steps = 3
e_turn = (1, -0.47)

# %% visible exercise="ex-el-turn"
numbers("turn", turn)
assert numbers("steps", steps) >= 1, "steps is 1 or more"
assert e_turn is not ..., "e_turn is still to be found, or None"
if e_turn is not None:
    numbers("e_turn", e_turn, (2,))

# %% hidden exercise="ex-el-turn"


def product(e, J, F, k):
    """Return the last k steps times the gradient of a settled chain."""
    e, J, F = (numpy.array(value, dtype=float) for value in (e, J, F))
    kept, row, whole = numpy.zeros(2), e, numpy.zeros(2)
    for lag in range(700):  # the row e J^lag F, lag after lag
        kept = kept + row @ F * (lag < k)
        whole, row = whole + row @ F, row @ J
    return kept @ whole


unit = numpy.eye(2)
near = [float(turn) + change for change in (0.02, -0.02)]
signs = [product((1, 1), [[0.5, c], [0, 0.5]], unit, 1) > 0 for c in near]
assert signs == [True, False], (
    f"turn: just above {float(turn):g} one step has to point along the "
    "exact gradient, just below it away; look at the product of the two rows"
)
skew = [[0.5, -3], [0, 0.5]]
enough = [k for k in range(1, 10) if product((1, 1), skew, unit, k) > 0]
assert numbers("steps", steps) == enough[0], (
    "steps: at c = -3 fewer are enough, or more are needed; keep one step "
    "more at a time"
)
quarter = 0.95 * numpy.array([[0, 1], [-1, 0]])
F = numpy.diag([1.0, 10.0])
assert e_turn is not None, (
    "e_turn: there is one. F stretches one direction more than the other; "
    "try rows e all around the circle"
)
row = numbers("e_turn", e_turn, (2,))
both = [product(row, J, F, 1) for J in (quarter, quarter.T)]  # left or right
assert min(both) < 0, (
    "e_turn: for this row one step and the exact gradient have an angle "
    "below 90 degrees; try rows all around the circle"
)


# %% stub exercise="ex-el-start"
def stop(tau, m_0):
    """Return the α at which descent along the truncated gradient stops.

    tau is the length of an unroll, m_0 the start, two numbers. The chain has
    1000 steps, m_t = (1 - α a)² m_{t-1} + α² a² with the curvatures a = 1 and
    0.01, and the losses Σ a m_t / 2; α lies between 0.01 and 1. It is the
    smallest α at which the truncated gradient of the sum of all losses is
    above 0; it may be off by 2 %.
    """
    ...


harmless = ...  # a start for which unrolls of one step and of 1000 steps
# stop at rates that differ by less than a factor of 2
harmful = ...  # a start for which they differ by a factor above 10; all
# four numbers lie between 0.01 and 1000

# %% solution exercise="ex-el-start"
a = numpy.array([1.0, 0.01])
alphas = numpy.geomspace(0.01, 1, 401)


def stop(tau, m_0):
    alpha = alphas[:, None]
    z, slope, m = 0.0, 0.0, numpy.array(m_0, dtype=float)
    for t in range(1000):
        z = 0.0 if t % tau == 0 else z
        F_t = -2 * a * (1 - alpha * a) * m + 2 * alpha * a**2
        z = F_t + (1 - alpha * a) ** 2 * z
        m = (1 - alpha * a) ** 2 * m + (alpha * a) ** 2
        slope = slope + z @ a / 2
    return alphas[numpy.argmax(slope > 0)]


harmless = (100, 100)
harmful = (0.02, 100)

# %% wrong exercise="ex-el-start" belief="a new unroll begins from the start again: a cut is a reset"
a = numpy.array([1.0, 0.01])
alphas = numpy.geomspace(0.01, 1, 401)


def stop(tau, m_0):
    alpha = alphas[:, None]
    z, slope, m = 0.0, 0.0, numpy.array(m_0, dtype=float)
    for t in range(1000):
        if t % tau == 0:
            z, m = 0.0, numpy.array(m_0, dtype=float)
        F_t = -2 * a * (1 - alpha * a) * m + 2 * alpha * a**2
        z = F_t + (1 - alpha * a) ** 2 * z
        m = (1 - alpha * a) ** 2 * m + (alpha * a) ** 2
        slope = slope + z @ a / 2
    return alphas[numpy.argmax(slope > 0)]


harmless = (100, 100)
harmful = (0.02, 100)

# %% wrong exercise="ex-el-start" belief="where the steep direction has settled, little is left to miss"
a = numpy.array([1.0, 0.01])
alphas = numpy.geomspace(0.01, 1, 401)


def stop(tau, m_0):
    alpha = alphas[:, None]
    z, slope, m = 0.0, 0.0, numpy.array(m_0, dtype=float)
    for t in range(1000):
        z = 0.0 if t % tau == 0 else z
        F_t = -2 * a * (1 - alpha * a) * m + 2 * alpha * a**2
        z = F_t + (1 - alpha * a) ** 2 * z
        m = (1 - alpha * a) ** 2 * m + (alpha * a) ** 2
        slope = slope + z @ a / 2
    return alphas[numpy.argmax(slope > 0)]


harmless = (0.02, 100)
harmful = (100, 100)

# %% visible exercise="ex-el-start"
found = stop(1000, (1, 100))
assert found is not None, "stop returns nothing yet"
assert 0.01 <= numbers("stop", found) <= 1, "α lies between 0.01 and 1"
for name, value in [("harmless", harmless), ("harmful", harmful)]:
    start = numbers(name, value, (2,))
    assert ((start >= 0.01) & (start <= 1000)).all(), (
        f"{name} holds two numbers between 0.01 and 1000"
    )

# %% hidden exercise="ex-el-start"


def rate(tau, start):
    """Return the α of stop; each unroll is a chain of its own."""
    curve, m = numpy.array([1.0, 0.01]), numpy.array(start, dtype=float)
    grid = numpy.geomspace(0.01, 1, 801)[:, None]
    gradient = numpy.zeros(len(grid))
    for first in range(0, 1000, tau):
        alpha, value = grid + 1e-20j, m  # the value passes, no derivative
        for _ in range(min(tau, 1000 - first)):
            value = ((1 - alpha * curve) ** 2) * value + (alpha * curve) ** 2
            gradient = gradient + (value.imag * curve).sum(axis=1)
        m = value.real
    return float(grid[numpy.argmax(gradient > 0), 0])


for tau, start in [(1, (1, 100)), (10, (3, 50)), (300, (1, 400))]:
    got, wanted = numbers("stop", stop(tau, start)), rate(tau, start)
    assert abs(got / wanted - 1) < 0.025, (
        f"stop, unrolls of {tau} from {start}: between two unrolls the value "
        f"passes and the gradient does not"
    )
for name, start, low, high in [
    ("harmless", harmless, 1 / 2, 2),
    ("harmful", harmful, 1 / 10, 10),
]:
    factor = rate(1000, start) / rate(1, start)
    within = low < factor < high
    assert within == (name == "harmless"), (
        f"{name}: from this start the two rates differ by a factor of "
        f"{factor:.2g}. Which direction costs at once, and which pays late?"
    )
