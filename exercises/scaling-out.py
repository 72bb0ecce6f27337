# %% setup
import itertools

import numpy

# %% stub exercise="ex-so-mean"
# The workers have 3, 3 and 2 columns. In the colleague's average a column of
# the first two counts 1.
third_counts = ...  # how much a column of the third worker counts


def average(parts, sizes):
    """Return the gradient of the mean loss, (n,), from those of the workers.

    parts, (N, n), are the summed gradients of the workers' columns; sizes,
    (N,), are the predictions that each of them made.
    """
    ...


# %% solution exercise="ex-so-mean"
third_counts = 3 / 2


def average(parts, sizes):
    return numpy.sum(parts, axis=0) / numpy.sum(sizes)


# %% wrong exercise="ex-so-mean" belief="the mean of the means is the mean"
third_counts = 1


def average(parts, sizes):
    return numpy.mean(parts / numpy.reshape(sizes, (-1, 1)), axis=0)


# %% wrong exercise="ex-so-mean" belief="a worker with fewer columns counts less"
third_counts = 2 / 3


def average(parts, sizes):
    return numpy.sum(parts, axis=0) / numpy.sum(sizes)


# %% wrong exercise="ex-so-mean" belief="every worker makes as many predictions as the others"
third_counts = 3 / 2


def average(parts, sizes):
    return numpy.sum(parts, axis=0) / (len(parts) * sizes[0])


# %% visible exercise="ex-so-mean"
assert third_counts is not ..., "third_counts is still to be computed"
assert numpy.shape(third_counts) == (), "third_counts is one number"
found = average(numpy.array([[4.0, 2.0]]), numpy.array([2]))
assert numpy.shape(found) == (2,), "average returns one gradient, (n,)"
error = abs(numpy.asarray(found, dtype=float) - [2, 1]).max()
assert error < 1e-5, "one worker alone divides by its own predictions"

# %% hidden exercise="ex-so-mean"
owners, weights = [[0, 3, 6], [1, 4, 7], [2, 5]], numpy.zeros(8)
for columns in owners:
    weights[columns] += 1 / len(columns) / 3  # each worker's own mean
error = abs(float(third_counts) - weights[2] / weights[0])
assert error < 5e-3, (
    "third_counts: with which weight does one of eight columns enter the "
    "mean of its worker, and this one the mean of the three?"
)
rng = numpy.random.default_rng(1)
for num_steps in (1, 20):
    columns = rng.normal(size=(8, 5))  # the gradient of each column
    parts = numpy.array([columns[own].sum(axis=0) for own in owners])
    sizes = numpy.array([num_steps * len(own) for own in owners])
    found = numpy.asarray(average(parts, sizes), dtype=float)
    error = abs(found - columns.sum(axis=0) / (8 * num_steps)).max()
    assert error < 1e-5, (
        "average: one process, with all eight columns, has another gradient "
        "of the mean loss"
    )


# %% stub exercise="ex-so-best"
def best_workers(S_column, B, epsilon):
    """Return the number of workers with the shortest time, not rounded."""
    ...


# %% solution exercise="ex-so-best"
def best_workers(S_column, B, epsilon):
    return numpy.sqrt(S_column * B / epsilon)


# %% wrong exercise="ex-so-best" belief="the best number grows in proportion to the batch"
def best_workers(S_column, B, epsilon):
    return S_column * B / epsilon


# %% wrong exercise="ex-so-best" belief="more workers are always faster, up to one a column"
def best_workers(S_column, B, epsilon):
    return B


# %% visible exercise="ex-so-best"
found = best_workers(1.0, 64, 0.5)
assert found is not None, "best_workers returns nothing yet"
assert numpy.shape(found) == (), "best_workers returns one number"
assert float(found) > 0, "at least one worker is needed"

# %% hidden exercise="ex-so-best"
for S_column, B, epsilon in ((0.5, 128, 4.0), (2.0, 512, 1.0), (1, 32, 8)):
    N = numpy.linspace(0.5, 2000, 400_000)
    shortest = N[numpy.argmin(S_column * B / N + epsilon * N)]
    found = float(best_workers(S_column, B, epsilon))
    assert abs(found - shortest) < 0.51, (
        f"S_column = {S_column}, B = {B}, epsilon = {epsilon}: {found:.3g} "
        "workers take longer than they must. Where is the derivative of S 0?"
    )


# %% stub exercise="ex-so-order"
def all_reduce(values, arrival, dtype):
    """Return the sum that every worker gets, a number.

    values[i] is what worker i holds; arrival lists the workers in the order
    of their arrival. The store adds up "float32" on the server; for
    "float64" the chapter's Exchange has a slot for each worker.
    """
    ...


fewest_workers = ...  # how many it takes at least for the order to show


# %% solution exercise="ex-so-order"
def all_reduce(values, arrival, dtype):
    order = arrival if dtype == "float32" else range(len(values))
    total = numpy.zeros((), dtype=dtype)
    for worker in order:
        total = total + numpy.asarray(values[worker], dtype=dtype)
    return float(total)


fewest_workers = 3


# %% wrong exercise="ex-so-order" belief="a sum does not depend on the order, so there is nothing to show"
def all_reduce(values, arrival, dtype):
    total = numpy.zeros((), dtype=dtype)
    for value in values:
        total = total + numpy.asarray(value, dtype=dtype)
    return float(total)


fewest_workers = 3


# %% wrong exercise="ex-so-order" belief="in float64 the order of arrival shows as well"
def all_reduce(values, arrival, dtype):
    total = numpy.zeros((), dtype=dtype)
    for worker in arrival:
        total = total + numpy.asarray(values[worker], dtype=dtype)
    return float(total)


fewest_workers = 3


# %% wrong exercise="ex-so-order" belief="float64 has digits enough for an exact sum"
def all_reduce(values, arrival, dtype):
    if dtype == "float64":
        return sum(map(int, values))
    total = numpy.zeros((), dtype=dtype)
    for worker in arrival:
        total = total + numpy.asarray(values[worker], dtype=dtype)
    return float(total)


fewest_workers = 3


# %% wrong exercise="ex-so-order" belief="two numbers have two orders, and two rounded sums"
def all_reduce(values, arrival, dtype):
    order = arrival if dtype == "float32" else range(len(values))
    total = numpy.zeros((), dtype=dtype)
    for worker in order:
        total = total + numpy.asarray(values[worker], dtype=dtype)
    return float(total)


fewest_workers = 2


# %% wrong exercise="ex-so-order" belief="the server rounds once, when all have arrived"
def all_reduce(values, arrival, dtype):
    if dtype == "float64":
        return sum(values)
    return numpy.float32(sum(values[i] for i in arrival))


fewest_workers = 3


# %% visible exercise="ex-so-order"
found = all_reduce([1, 2, 4], (2, 0, 1), "float32")
assert found is not None, "all_reduce returns nothing yet"
assert numpy.shape(found) == (), "all_reduce returns one number"
assert float(found) == 7, "1 + 2 + 4 is exact in any order"
assert fewest_workers is not ..., "fewest_workers is still to be found"
assert numpy.shape(fewest_workers) == (), "fewest_workers is one number"

# %% hidden exercise="ex-so-order"
places = list(itertools.permutations(range(3)))
for values in (
    [1e17, 1, -1e17],
    [3.0, -(2.0**60), 2.0**60],
    [2.0**24, 1.0, 1.0],  # float64 holds every sum of these
):
    single = numpy.array(values, dtype="float32")
    double = numpy.array(values, dtype="float64")
    for place in places:
        first, second, third = (single[i] for i in place)
        found = all_reduce(values, place, "float32")
        assert float(found) == float((first + second) + third), (
            f"float32, {values} arriving as {place}: the server adds the "
            "third number to what float32 keeps of the first two"
        )
        found = all_reduce(values, place, "float64")
        assert float(found) == float((double[0] + double[1]) + double[2]), (
            f"float64, {values} arriving as {place}: every worker adds up "
            "the slots. In which order, and with how many digits?"
        )
rng, fewest, different = numpy.random.default_rng(2), 1, False
while not different:
    fewest += 1
    for _ in range(200):
        numbers = rng.normal(size=fewest).astype("float32")
        sums = {
            list(itertools.accumulate(order))[-1]  # one after the other
            for order in itertools.permutations(numbers)
        }
        different = different or len(sums) > 1
assert int(fewest_workers) == fewest, (
    "fewest_workers: write down all orders in which so few numbers can be "
    "added, and compare the sums"
)


# %% stub exercise="ex-so-clip"
def cosine(parts, theta):
    """Return the cosine between the sum and the sum of the clipped parts.

    parts, (N, n), are the gradients of N workers. Each is clipped to a norm
    of theta / N.
    """
    ...


# %% solution exercise="ex-so-clip"
def cosine(parts, theta):
    whole = numpy.sum(parts, axis=0)
    norms = numpy.linalg.norm(parts, axis=1, keepdims=True)
    clipped = parts * numpy.minimum(1, theta / len(parts) / norms)
    total = clipped.sum(axis=0)
    return total @ whole / numpy.linalg.norm(total) / numpy.linalg.norm(whole)


# %% wrong exercise="ex-so-clip" belief="clipping keeps directions, so it does not matter what is clipped"
def cosine(parts, theta):
    return 1.0


# %% wrong exercise="ex-so-clip" belief="clipping gives every part the same norm"
def cosine(parts, theta):
    whole = numpy.sum(parts, axis=0)
    norms = numpy.linalg.norm(parts, axis=1, keepdims=True)
    total = (parts / norms).sum(axis=0)
    return total @ whole / numpy.linalg.norm(total) / numpy.linalg.norm(whole)


# %% visible exercise="ex-so-clip"
found = cosine(numpy.array([[3.0, 4.0]]), 1.0)
assert found is not None, "cosine returns nothing yet"
assert numpy.shape(found) == (), "cosine returns one number"
assert abs(float(found) - 1) < 1e-6, "one worker: clipping keeps direction"

# %% hidden exercise="ex-so-clip"
rng = numpy.random.default_rng(3)
for N in (2, 4, 8):
    scale = numpy.logspace(-1, 1, N)[:, None]  # norms between 0.1 and 10
    parts = scale * (rng.normal(size=(N, 6)) + 0.5)
    for theta in (1e-3, N, 1e3):  # all parts are clipped, some, none
        whole, total = numpy.zeros(6), numpy.zeros(6)
        for part in parts:
            norm = numpy.sqrt((part**2).sum())
            whole += part
            total += part if norm <= theta / N else part * theta / N / norm
        exact = (whole * total).sum() / numpy.sqrt(
            (whole**2).sum() * (total**2).sum()
        )
        assert abs(float(cosine(parts, theta)) - exact) < 1e-5, (
            f"{N} workers with norms from about 0.1 to 10, theta = {theta}: "
            f"the cosine is {exact:.3f}. What becomes of a part that is "
            "shorter than theta / N, and of one that is longer?"
        )
