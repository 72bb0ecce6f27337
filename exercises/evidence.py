# %% setup
import numpy
from d2lutil.notebook import numbers

num_questions = 55  # the comparisons of the chapter


# %% stub exercise="ex-ev-bound"
alone = ...  # the smallest effect that is resolved, in percent, two decimals
among = ...  # the same as one of the comparisons of the chapter

# %% solution exercise="ex-ev-bound"
alone = 2.26 * 0.3
among = 4.85 * 0.3

# %% wrong exercise="ex-ev-bound" belief="a question of one's own does not depend on how many others were asked"
alone = 2.26 * 0.3
among = 2.26 * 0.3

# %% wrong exercise="ex-ev-bound" belief="ten differences scatter like normal numbers, so two errors are 95 %"
alone = 1.96 * 0.3
among = 3.32 * 0.3

# %% wrong exercise="ex-ev-bound" belief="the bound rises in proportion to the number of questions"
alone = 2.26 * 0.3
among = 55 * 2.26 * 0.3

# %% visible exercise="ex-ev-bound"
for name, value in [("alone", alone), ("among", among)]:
    assert numbers(name, value) > 0, f"{name} is above 0"

# %% hidden exercise="ex-ev-bound"
# how often ten differences around 0 stray by more than x of their errors:
# Student's distribution with nine degrees of freedom, integrated
x = numpy.linspace(0, 200, 400_001)
density = (1 + x**2 / 9) ** -5
tail = numpy.cumsum(density[::-1])[::-1]
tail = tail / tail[0]
for name, value, questions in [
    ("alone", alone, 1),
    ("among", among, num_questions),
]:
    errors = x[numpy.argmax(tail < 0.05 / questions)]
    got = numbers(name, value) / 0.3
    assert abs(got / errors - 1) < 0.03, (
        f"{name}: {got:.2f} standard errors are "
        f"{'too few' if got < errors else 'more than needed'}. The standard "
        "error comes from ten numbers, and accidents of all questions "
        "together may have 5 %"
    )


# %% stub exercise="ex-ev-seeds"
def seeds(effect, bound, num_seeds):
    """Return how many seeds resolve an effect, roughly.

    num_seeds seeds have the given bound. effect and bound are numbers above
    0, in percent.
    """
    ...


# %% solution exercise="ex-ev-seeds"
def seeds(effect, bound, num_seeds):
    return num_seeds * (bound / effect) ** 2


# %% wrong exercise="ex-ev-seeds" belief="twice the seeds, half the error"
def seeds(effect, bound, num_seeds):
    return num_seeds * bound / effect


# %% wrong exercise="ex-ev-seeds" belief="the root over n is a root for the number of seeds, too"
def seeds(effect, bound, num_seeds):
    return num_seeds * (bound / effect) ** 0.5


# %% visible exercise="ex-ev-seeds"
found = seeds(0.59, 0.82, 10)
assert found is not None, "seeds returns nothing yet"
assert numbers("seeds", found) > 10, "ten seeds have not resolved row 38"

# %% hidden exercise="ex-ev-seeds"
for effect, bound, now in [(0.594, 0.816, 10), (1.0, 5.0, 5), (0.3, 0.7, 8)]:
    n = now
    while bound * (now / n) ** 0.5 > effect:  # that of n seeds
        n += 1
    got = numbers("seeds", seeds(effect, bound, now))
    assert abs(got - n) <= max(1, 0.05 * n), (
        f"effect {effect} %, bound {bound} % with {now} seeds: with yours the "
        f"bound would be {bound * abs(now / got) ** 0.5:.2f} %"
    )


# %% stub exercise="ex-ev-pairs"
def gain(a, b):
    """Return the standard error without pairs over the one with pairs.

    a and b are the held-out perplexities of the two arms, arrays of one
    length; a[k] and b[k] are a pair. An effect is 100 times the mean of
    ln(a / b).
    """
    ...


# %% solution exercise="ex-ev-pairs"
def gain(a, b):
    a, b = 100 * numpy.log(a), 100 * numpy.log(b)
    unpaired = numpy.hypot(a.std(ddof=1), b.std(ddof=1))
    return unpaired / (a - b).std(ddof=1)


# %% wrong exercise="ex-ev-pairs" belief="standard errors of two groups add up"
def gain(a, b):
    a, b = 100 * numpy.log(a), 100 * numpy.log(b)
    return (a.std(ddof=1) + b.std(ddof=1)) / (a - b).std(ddof=1)


# %% wrong exercise="ex-ev-pairs" belief="without pairs the two arms are one group"
def gain(a, b):
    a, b = 100 * numpy.log(a), 100 * numpy.log(b)
    n = len(a)
    group = numpy.concatenate([a, b]).std(ddof=1) / (2 * n) ** 0.5
    return group / ((a - b).std(ddof=1) / n**0.5)


# %% wrong exercise="ex-ev-pairs" belief="percents of one number are as good as logarithms"
def gain(a, b):
    unpaired = numpy.hypot(a.std(ddof=1), b.std(ddof=1))
    return unpaired / (a - b).std(ddof=1)


# %% wrong exercise="ex-ev-pairs" belief="pairs can only help"
def gain(a, b):
    a, b = 100 * numpy.log(a), 100 * numpy.log(b)
    unpaired = numpy.hypot(a.std(ddof=1), b.std(ddof=1))
    return max(unpaired / (a - b).std(ddof=1), 1.0)


# %% visible exercise="ex-ev-pairs"
found = gain(
    numpy.array([175.0, 174.5, 175.5]), numpy.array([176.0, 175.4, 176.4])
)
assert found is not None, "gain returns nothing yet"
assert numbers("gain", found) > 1, "here the networks of a pair share luck"

# %% hidden exercise="ex-ev-pairs"
rng = numpy.random.default_rng(1)
for shared, size in [(1.0, 10), (0.5, 10), (0.0, 20), (-0.6, 10)]:
    luck, own = rng.normal(size=size), rng.normal(size=size)
    a_drawn = 170 * numpy.exp(luck / 100)
    b_drawn = 40 * numpy.exp((shared * luck + own / 2) / 100)
    logs = numpy.log([a_drawn, b_drawn])
    (v_a, c), (_, v_b) = numpy.cov(logs)  # var(a - b) = v_a + v_b - 2 c
    wanted = numpy.sqrt((v_a + v_b) / (v_a + v_b - 2 * c))
    got = numbers("gain", gain(a_drawn, b_drawn))
    assert abs(got / wanted - 1) < 0.03, (
        f"gain, correlation {c / (v_a * v_b) ** 0.5:.2f} in {size} pairs: "
        f"{got:.2f} is too {'large' if got > wanted else 'small'}. What is "
        "the variance of a difference of numbers that are independent, and "
        "which numbers scatter here?"
    )


# %% stub exercise="ex-ev-holm"
def holm(ratios, num_questions, bound):
    """Return how many rows Holm's correction resolves.

    ratios are |effect| / error of the rows, in any order; num_questions were
    asked, perhaps more than there are ratios. bound(m) is the bound in
    standard errors if m questions share the 5 %.
    """
    ...


# %% solution exercise="ex-ev-holm"
def holm(ratios, num_questions, bound):
    passed = 0
    for ratio in sorted(ratios, reverse=True):
        if ratio < bound(num_questions - passed):
            break
        passed += 1
    return passed


# %% wrong exercise="ex-ev-holm" belief="all rows have to pass the bound of all questions"
def holm(ratios, num_questions, bound):
    return sum(ratio >= bound(num_questions) for ratio in ratios)


# %% wrong exercise="ex-ev-holm" belief="each row has its own bound, whatever became of the others"
def holm(ratios, num_questions, bound):
    ordered = sorted(ratios, reverse=True)
    return sum(r >= bound(num_questions - k) for k, r in enumerate(ordered))


# %% wrong exercise="ex-ev-holm" belief="the questions are taken in the order in which they were asked"
def holm(ratios, num_questions, bound):
    passed = 0
    for ratio in ratios:
        if ratio < bound(num_questions - passed):
            break
        passed += 1
    return passed


# %% visible exercise="ex-ev-holm"
found = holm([9.0, 8.0, 1.0], 5, lambda m: 2 + numpy.log(m))
assert found is not None, "holm returns nothing yet"
assert numbers("holm", found) == 2, "9 and 8 errors pass all, 1 passes none"

# %% hidden exercise="ex-ev-holm"


def common(m):
    """Return a bound that grows with the number of questions."""
    return 2.26 + 0.65 * numpy.log(m)


def by_elimination(rows, questions):
    """Resolve the largest row that is left, as long as one passes."""
    rows, resolved = list(rows), 0
    while rows and max(rows) >= common(questions):
        rows.remove(max(rows))
        questions, resolved = questions - 1, resolved + 1
    return resolved


rng = numpy.random.default_rng(2)
cases = [([4.87, 4.86, 4.85, 4.84], 55), ([2.3, 3.6, 2.9], 4)]
cases += [([2.9, 2.7, 2.7, 2.6, 2.5], 5), ([2.3] * 3 + [9.0], 4)]
cases += [(rng.exponential(3, size=45), 55) for _ in range(20)]
for rows, questions in cases:
    got = numbers("holm", holm(list(rows), questions, common))
    wanted = by_elimination(rows, questions)
    listed = numpy.sort(rows)[::-1].round(2).tolist()
    assert got == wanted, (
        f"holm: it is not {got:g} of {listed[:5]} … with {questions} "
        "questions. Take the largest ratio first, lower the bound after each "
        "row that passes, and stop at the first that fails"
    )


# %% stub exercise="ex-ev-flips"
def share(d):
    """Return the share of all flips whose mean is as far from 0, or farther.

    d holds the differences of the pairs, at most twelve. All 2ⁿ patterns of
    signs count, the real one among them, and both directions.
    """
    ...


fewest = ...  # pairs that could pass the bound of 55 questions in this way

# %% solution exercise="ex-ev-flips"


def share(d):
    d = numpy.asarray(d, dtype=float)
    n = len(d)
    signs = 1 - 2 * ((numpy.arange(2**n)[:, None] >> numpy.arange(n)) & 1)
    means = signs @ d / n
    return (abs(means) >= abs(d.mean()) - 1e-12).mean()


fewest = 12  # 2 of 4096 are below 0.05/55, 2 of 2048 are not

# %% wrong exercise="ex-ev-flips" belief="only flips in the direction that was seen count"


def share(d):
    d = numpy.asarray(d, dtype=float)
    n = len(d)
    signs = 1 - 2 * ((numpy.arange(2**n)[:, None] >> numpy.arange(n)) & 1)
    means = signs @ d / n * numpy.sign(d.mean())
    return (means >= abs(d.mean()) - 1e-12).mean()


fewest = 11

# %% wrong exercise="ex-ev-flips" belief="the real signs are no flip"


def share(d):
    d = numpy.asarray(d, dtype=float)
    n = len(d)
    signs = 1 - 2 * ((numpy.arange(2**n)[:, None] >> numpy.arange(n)) & 1)
    means = signs @ d / n
    return (abs(means) > abs(d.mean()) + 1e-12).mean()


fewest = 12

# %% wrong exercise="ex-ev-flips" belief="a large enough effect passes with any number of pairs"


def share(d):
    d = numpy.asarray(d, dtype=float)
    n = len(d)
    signs = 1 - 2 * ((numpy.arange(2**n)[:, None] >> numpy.arange(n)) & 1)
    means = signs @ d / n
    return (abs(means) >= abs(d.mean()) - 1e-12).mean()


fewest = 2

# %% visible exercise="ex-ev-flips"
found = share(numpy.array([1.0, -2.0, 0.5]))
assert found is not None, "share returns nothing yet"
assert 0 <= numbers("share", found) <= 1, "a share lies between 0 and 1"
assert numbers("fewest", fewest) >= 2, "fewest is 2 or more"

# %% hidden exercise="ex-ev-flips"


def all_sums(differences):
    """Return the sums of all flips, difference after difference."""
    sums = [0.0]
    for value in differences:
        sums = [total + sign * value for total in sums for sign in (1, -1)]
    return numpy.array(sums)


rng = numpy.random.default_rng(3)
for size, middle in [(3, 1.0), (8, 0.0), (10, 0.8), (10, -0.5), (6, 9.0)]:
    drawn = (4 * rng.normal(loc=middle, size=size)).round() / 4  # exact sums
    sums = abs(all_sums(drawn))
    wanted = (sums >= abs(drawn.sum()) - 1e-9).mean()
    got = numbers("share", share(drawn))
    assert abs(got - wanted) < 1e-9, (
        f"share of {drawn.tolist()}: not {got * 2**size:g} of {2**size}. "
        "Which flips are as far from 0 as the real signs, and does that "
        "depend on the direction?"
    )
pairs, least = 1, 1.0
while least > 0.05 / num_questions:
    pairs += 1  # and equal differences are the most extreme
    least = (abs(all_sums(numpy.ones(pairs))) >= pairs).mean()
assert numbers("fewest", fewest) == pairs, (
    "fewest: with equal differences of one sign, how many of the 2ⁿ flips "
    "are as far out, and how small a share does one of 55 questions have?"
)
