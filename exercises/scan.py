# %% setup
# left out: ex-sc-frozen: it trains 30 chains for 2,000 updates, and its numbers are those of the chapter's program
import numpy
from d2lutil.notebook import numbers


def combine(first, second):
    """Join pairs (a, b) with the pairs that come next, as the chapter."""
    (a_1, b_1), (a_2, b_2) = first, second
    return a_2 * a_1, a_2 * b_1 + b_2


# %% stub exercise="ex-sc-paper"
left = ...  # steps 1 and 2 joined, a pair (a, b)
right = ...  # steps 2 and 3 joined
joined = ...  # all three
h_3 = ...  # for h_0 = 4
moves = ...  # how far h_3 moves if h_0 rises by 1

# %% solution exercise="ex-sc-paper"
left = (0.25, 2.5)
right = (0.4, 0.6)
joined = (0.2, 1)
h_3 = 1.8
moves = 0.2

# %% wrong exercise="ex-sc-paper" belief="the order of the steps is as free as their grouping"
left = (0.25, 2)
right = (0.4, 1.5)
joined = (0.2, 1.75)
h_3 = 2.55
moves = 0.2

# %% wrong exercise="ex-sc-paper" belief="what is written is added up, and only the state is multiplied"
left = (0.25, 3)
right = (0.4, 1)
joined = (0.2, 2)
h_3 = 2.8
moves = 0.2

# %% wrong exercise="ex-sc-paper" belief="the derivative of a state by an earlier one is the last factor"
left = (0.25, 2.5)
right = (0.4, 0.6)
joined = (0.2, 1)
h_3 = 1.8
moves = 0.8

# %% visible exercise="ex-sc-paper"
for name, value in [("left", left), ("right", right), ("joined", joined)]:
    numbers(name, value, (2,))
numbers("h_3", h_3)
numbers("moves", moves)

# %% hidden exercise="ex-sc-paper"
pairs = [(0.5, 1), (0.5, 2), (0.8, -1)]


def through(h, *steps):
    """Return the state after the given steps, counted from 1."""
    for t in steps:
        a_t, b_t = pairs[t - 1]
        h = a_t * h + b_t
    return h


for name, value, steps in [
    ("left", left, (1, 2)),
    ("right", right, (2, 3)),
    ("joined", joined, (1, 2, 3)),
]:
    a_joined, b_joined = numbers(name, value, (2,))
    for h in (0.0, 1.0, -3.0):
        assert abs(a_joined * h + b_joined - through(h, *steps)) < 5e-3, (
            f"{name}: take the steps {steps} one after the other from the "
            f"state {h:g}; your pair leads elsewhere"
        )
assert abs(numbers("h_3", h_3) - through(4.0, 1, 2, 3)) < 5e-3, (
    "h_3: the three steps, one after the other, lead elsewhere"
)
rise = through(5.0, 1, 2, 3) - through(4.0, 1, 2, 3)
assert abs(numbers("moves", moves) - rise) < 5e-3, (
    "moves: take the three steps from 5 as well"
)

# %% stub exercise="ex-sc-half"
halves = ...  # steps until half is lost, for a = 0.9, 0.99, 0.999
largest = ...  # the largest state if 1 is written at every step
factors = ...  # the gradient's factors over 1,000 steps, one digit does

# %% solution exercise="ex-sc-half"
a = numpy.array([0.9, 0.99, 0.999])
halves = numpy.log(0.5) / numpy.log(a)
largest = 1 / (1 - a)
factors = a**1000

# %% wrong exercise="ex-sc-half" belief="a unit loses the same amount at every step"
halves = [5, 50, 500]
largest = [10, 100, 1000]
factors = [0, 0, 0]

# %% wrong exercise="ex-sc-half" belief="a factor below 1 holds the state below what is written"
halves = [6.6, 69, 693]
largest = [1, 1, 1]
factors = [1.7e-46, 4.3e-5, 0.37]

# %% wrong exercise="ex-sc-half" belief="below machine precision a factor is 0"
halves = [6.6, 69, 693]
largest = [10, 100, 1000]
factors = [0, 4.3e-5, 0.37]

# %% visible exercise="ex-sc-half"
for name, value in [
    ("halves", halves),
    ("largest", largest),
    ("factors", factors),
]:
    numbers(name, value, (3,))

# %% hidden exercise="ex-sc-half"
for k, keep in enumerate([0.9, 0.99, 0.999]):
    steps, share = 0, 1.0
    while share > 0.5:
        steps, share = steps + 1, keep * share
    state, product = 0.0, 1.0
    for _ in range(40_000):
        state = keep * state + 1
    for _ in range(1000):
        product = product * keep
    got = numbers("halves", halves, (3,))[k]
    assert 0.99 * steps - 1.5 < got < 1.01 * steps + 0.5, (
        f"halves, a = {keep}: write 1, and multiply until less than half is "
        "left; that takes another number of steps"
    )
    got = numbers("largest", largest, (3,))[k]
    assert abs(got / state - 1) < 0.05, (
        f"largest, a = {keep}: at the largest state a step adds as much as "
        "it loses"
    )
    got = numbers("factors", factors, (3,))[k]
    assert 0.7 < got / product < 1.4, (
        f"factors, a = {keep}: 1,000 Jacobians multiplied give another "
        "number; float64 holds it"
    )


# %% stub exercise="ex-sc-tree"
def by_tree(a, b, combine):
    """Return the scan of the pairs: two arrays of the shape of a and b.

    a and b are arrays (num_steps, n). Place t of the results holds the pair
    of the steps 0, …, t joined. Join pairs by combine(first, second) alone,
    as many side by side in one call as can be: combine((a_1, b_1), (a_2,
    b_2)) takes arrays (number, n). The grader's own `combine` counts work
    and depth.
    """
    ...


# %% solution exercise="ex-sc-tree"
def by_tree(a, b, combine):
    if len(b) == 1:
        return a, b
    even = 2 * (len(b) // 2)
    joined = combine((a[:even:2], b[:even:2]), (a[1::2], b[1::2]))
    half = by_tree(*joined, combine)
    A, B = a.copy(), b.copy()
    A[1::2], B[1::2] = half
    k = len(b[2::2])
    if k:
        before = half[0][:k], half[1][:k]
        A[2::2], B[2::2] = combine(before, (a[2::2], b[2::2]))
    return A, B


# %% wrong exercise="ex-sc-tree" belief="neighbours may be joined in either order"
def by_tree(a, b, combine):
    if len(b) == 1:
        return a, b
    even = 2 * (len(b) // 2)
    joined = combine((a[1::2], b[1::2]), (a[:even:2], b[:even:2]))
    half = by_tree(*joined, combine)
    A, B = a.copy(), b.copy()
    A[1::2], B[1::2] = half
    k = len(b[2::2])
    if k:
        before = half[0][:k], half[1][:k]
        A[2::2], B[2::2] = combine((a[2::2], b[2::2]), before)
    return A, B


# %% wrong exercise="ex-sc-tree" belief="fewer rounds are less work"
def by_tree(a, b, combine):
    distance = 1
    while distance < len(a):
        first = a[:-distance], b[:-distance]
        joined = combine(first, (a[distance:], b[distance:]))
        a, b = (
            numpy.concatenate([old[:distance], new])
            for old, new in zip((a, b), joined, strict=True)
        )
        distance = 2 * distance
    return a, b


# %% wrong exercise="ex-sc-tree" belief="a scan is parallel however it is written"
def by_tree(a, b, combine):
    A, B = a.copy(), b.copy()
    for t in range(1, len(b)):
        before = A[t - 1 : t], B[t - 1 : t]
        now = a[t : t + 1], b[t : t + 1]
        A[t : t + 1], B[t : t + 1] = combine(before, now)
    return A, B


# %% wrong exercise="ex-sc-tree" belief="NumPy's cumulative operations are the scan"
def by_tree(a, b, combine):
    A, B = numpy.cumprod(a, axis=0), b.copy()
    for t in range(1, len(b)):
        B[t] = a[t] * B[t - 1] + b[t]
    return A, B


# %% visible exercise="ex-sc-tree"
for num_steps in (1, 4, 7):
    ones = numpy.ones((num_steps, 2))
    found = by_tree(ones, 0 * ones, combine)
    assert found is not None, "by_tree returns nothing yet"
    assert len(found) == 2, "by_tree returns two arrays, of a and of b"
    for name, array in zip(["a", "b"], found, strict=True):
        array = numbers(f"the scan's {name}", array, (num_steps, 2))
        assert (array == (name == "a")).all(), (
            "steps that change nothing, (1, 0), join to one of that kind"
        )

# %% hidden exercise="ex-sc-tree"
rng = numpy.random.default_rng(1)
sizes = []


def counted(first, second):
    """Join pairs, and note how many."""
    shapes = {numpy.shape(part) for pair in (first, second) for part in pair}
    assert len(shapes) == 1, "combine joins arrays of one shape, (number, n)"
    sizes.append(len(second[1]))
    return combine(first, second)


for num_steps in (1, 2, 3, 6, 7, 100, 1023, 1024):
    a, b = rng.uniform(0.5, 1, size=(2, num_steps, 2))
    given, h, states = (a.copy(), b.copy()), numpy.zeros(2), []
    for a_t, b_t in zip(*given, strict=True):
        h = a_t * h + b_t
        states.append(h)
    sizes.clear()
    found = by_tree(a, b, counted)
    kept = (a == given[0]).all() and (b == given[1]).all()
    assert kept, "by_tree changes the arrays that it is given"
    B = numbers("the scan's b", found[1], (num_steps, 2))
    A = numbers("the scan's a", found[0], (num_steps, 2))
    assert sum(sizes) >= num_steps - 1, (
        f"{num_steps} steps: {sum(sizes):,} pairs went through the combine "
        "that by_tree is given; all are to be joined by it"
    )
    assert abs(B - states).max() < 1e-5, (
        f"{num_steps} steps: the loop gives other states. Which of two "
        "neighbours comes first?"
    )
    assert abs(A - numpy.cumprod(given[0], axis=0)).max() < 1e-5, (
        f"{num_steps} steps: the factors are not products from step 0 on"
    )
assert sum(sizes) < 3.1 * 1024, (
    f"1,024 steps: {sum(sizes):,} pairs were joined, and a tree takes about "
    "two a step. How many pairs are left after neighbours have been joined?"
)
assert len(sizes) <= 2 * 10 + 2, (
    f"1,024 steps: {len(sizes):,} calls, one after the other. Join all "
    "neighbours by a single call"
)


# %% stub exercise="ex-sc-shortcut"
def first_failure(a, b):
    """Return the first step at which the shortcut gives no finite number.

    The factor a, 0 < a < 1, and what is written, b > 0, are the same at
    every step, both float64. Steps count from 1. It may be off by 1 %.
    """
    ...


# %% solution exercise="ex-sc-shortcut"
def first_failure(a, b):
    largest = numpy.finfo("float64").max
    return int(numpy.log(b / largest) / numpy.log(a)) + 1


# %% wrong exercise="ex-sc-shortcut" belief="numbers below machine precision are lost"
def first_failure(a, b):
    return int(numpy.log(numpy.finfo("float64").eps) / numpy.log(a)) + 1


# %% wrong exercise="ex-sc-shortcut" belief="it fails where the product is 0"
def first_failure(a, b):
    return int(numpy.log(5e-324) / numpy.log(a)) + 1


# %% wrong exercise="ex-sc-shortcut" belief="the smallest normal number is the border, whatever is written"
def first_failure(a, b):
    return int(numpy.log(numpy.finfo("float64").tiny) / numpy.log(a)) + 1


# %% visible exercise="ex-sc-shortcut"
found = first_failure(0.5, 1.0)
assert found is not None, "first_failure returns nothing yet"
assert numbers("first_failure", found) > 1, "step 1 divides by a_1 alone"

# %% hidden exercise="ex-sc-shortcut"
for a, b in [(0.9, 1.0), (0.5, 1.0), (0.98, 1e60), (0.7, 1e-10)]:
    with numpy.errstate(all="ignore"):
        A = numpy.cumprod(numpy.full(60_000, a))
        h = A * numpy.cumsum(b / A)
    measured = int(numpy.argmin(numpy.isfinite(h))) + 1
    got = numbers("first_failure", first_failure(a, b))
    assert abs(got / measured - 1) < 0.01, (
        f"a = {a}, b = {b:g}: the three calls of NumPy fail at another step, "
        f"{'earlier' if got > measured else 'later'}. Which of the three is "
        "the first that float64 cannot hold: the product, the quotient or "
        "the sum?"
    )
