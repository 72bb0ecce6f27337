import numpy
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mxnet import autograd, np

import d2lutil


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


def assert_mean_one(xi):
    """Assert a mean of 1 over the draws (axis 0) within five standard errors."""
    error = xi.std(axis=0, ddof=1) / len(xi) ** 0.5
    assert (abs(xi.mean(axis=0) - 1) < 5 * error).all()


def test_full_is_one_everywhere():
    xi = d2lutil.full(5)
    assert xi.dtype == "float64"
    assert xi.tolist() == [1] * 5


@pytest.mark.parametrize(
    ("num_steps", "tau", "expected"),
    [
        (7, 3, [0, 1, 1, 0, 1, 1, 0]),
        (4, 1, [0, 0, 0, 0]),
        (3, 3, [0, 1, 1]),
        (2, 9, [0, 1]),
        (1, 1, [0]),
    ],
)
def test_regular_is_zero_at_multiples_of_tau(num_steps, tau, expected):
    xi = d2lutil.regular(num_steps, tau)
    assert xi.dtype == "float64"
    assert xi.tolist() == expected


@pytest.mark.parametrize("pi", [0.2, 0.5, 0.9])
def test_randomized_draws_zero_or_the_inverse_of_pi(pi, rng):
    xi = d2lutil.randomized(4000, pi, rng=rng)
    assert xi.dtype == "float64"
    assert set(xi) == {0, 1 / pi}
    assert (xi > 0).mean() == pytest.approx(pi, abs=5 * (pi * (1 - pi) / 4000) ** 0.5)


@pytest.mark.parametrize("every", [1, 3])
def test_randomized_has_mean_one_at_each_drawn_step(every, rng):
    draws = numpy.stack([d2lutil.randomized(10, 0.3, rng=rng, every=every) for _ in range(4000)])
    assert_mean_one(draws[:, ::every])


def test_randomized_draws_steps_independently(rng):
    draws = numpy.stack([d2lutil.randomized(6, 0.5, rng=rng) for _ in range(4000)])
    correlation = numpy.corrcoef(draws, rowvar=False)
    assert abs(correlation - numpy.eye(6)).max() < 5 / 4000**0.5


@pytest.mark.parametrize("every", [2, 3, 100])
def test_randomized_is_one_between_the_drawn_steps(every, rng):
    xi = d2lutil.randomized(50, 0.5, rng=rng, every=every)
    drawn = numpy.arange(50) % every == 0
    assert (xi[~drawn] == 1).all()
    assert set(xi[drawn]) <= {0, 2}


def test_randomized_with_pi_one_is_full(rng):
    assert (d2lutil.randomized(9, 1, rng=rng) == d2lutil.full(9)).all()


def test_randomized_schemes_depend_on_the_generator_alone():
    first, again = (d2lutil.randomized(50, 0.5, rng=numpy.random.default_rng(7)) for _ in range(2))
    assert (first == again).all()


def cut_probability(length, mean_length, alpha):
    return (alpha - 1) / ((alpha - 2) * mean_length + length)


def lengths_before(xi):
    """Return how many steps the segment has lasted before each step t > 0."""
    lengths = [1]
    for weight in xi[1:-1]:
        lengths.append(1 if weight == 0 else lengths[-1] + 1)
    return numpy.array(lengths)


def test_length_dependent_weights_follow_the_formula(rng):
    xi = d2lutil.length_dependent(300, 8, 4, rng=rng)
    inverse = 1 / (1 - cut_probability(lengths_before(xi), 8, 4))
    assert xi[0] == 0
    assert xi[1:] == pytest.approx(numpy.where(xi[1:] == 0, 0, inverse))


def test_length_dependent_has_mean_one_at_each_length(rng):
    xi = d2lutil.length_dependent(40_000, 6, 5, rng=rng)
    lengths = lengths_before(xi)
    for length in range(1, 8):
        assert_mean_one(xi[1:][lengths == length])


def test_length_dependent_has_mean_one_at_each_step(rng):
    draws = numpy.stack([d2lutil.length_dependent(12, 5, 6, rng=rng) for _ in range(4000)])
    assert_mean_one(draws[:, 1:])


@pytest.mark.parametrize(("mean_length", "alpha"), [(5, 6), (20, 6), (3.5, 8)])
def test_length_dependent_segments_have_the_promised_mean_length(mean_length, alpha, rng):
    parts = d2lutil.segments(d2lutil.length_dependent(40_000, mean_length, alpha, rng=rng))
    lengths = numpy.diff(parts).ravel()[:-1]
    error = lengths.std(ddof=1) / len(lengths) ** 0.5
    assert error < 0.05 * mean_length
    assert abs(lengths.mean() - mean_length) < 5 * error


@pytest.mark.parametrize(
    ("xi", "expected"),
    [
        ([1, 1, 1], [(0, 3)]),
        ([0, 1, 1], [(0, 3)]),
        ([0.5, 0, 2, 0], [(0, 1), (1, 3), (3, 4)]),
        ([1, 0.5, 0.25, 0, 0.125], [(0, 3), (3, 5)]),
        ([0, 0], [(0, 1), (1, 2)]),
        ([7], [(0, 1)]),
    ],
)
@pytest.mark.parametrize("convert", [list, tuple, numpy.array, np.array])
def test_segments_begin_at_zeros(xi, expected, convert):
    assert d2lutil.segments(convert(xi)) == expected


def test_segments_cover_the_sequence(rng):
    parts = d2lutil.segments(d2lutil.randomized(200, 0.6, rng=rng))
    assert [t for start, stop in parts for t in range(start, stop)] == list(range(200))


@st.composite
def carried(draw):
    """Return a state, from zeros of either sign to the largest numbers, and a weight or one a column."""
    dtype, weight = draw(st.sampled_from(["float32", "float64"])), st.floats(0, MOST)
    numbers = st.floats(allow_nan=False, allow_infinity=False, width=32 if dtype == "float32" else 64)
    value = draw(arrays(dtype, array_shapes(min_dims=2, max_dims=2, max_side=4), elements=numbers))
    return value, draw(weight | st.lists(weight, min_size=len(value), max_size=len(value)))


MOST = 3.4e38  # a weight that float32 holds
SMALL, LARGE = numpy.finfo("float32").tiny, numpy.finfo("float32").max


@pytest.mark.parametrize("recording", [False, True])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(case=carried())
@example(case=(numpy.array([[0.0, -0.0]]), 1 / 0.7))
@example(case=(numpy.float32([[SMALL / 1000, -SMALL / 3]]), 0.1))
@example(case=(numpy.float32([[SMALL, -LARGE]]), MOST))
@example(case=(numpy.array([[0.5, -0.5]]), 5e-324))
@example(case=(numpy.array([[-0.0, 1e300], [-1.7e308, 0.1]]), [1e-30, MOST]))
def test_carry_returns_the_value_to_the_bit(recording, case):
    value, xi = case
    h = np.array(value, dtype=value.dtype)
    h.attach_grad()
    with autograd.record() if recording else autograd.pause():
        carried = d2lutil.carry(h, xi)
    assert carried.dtype == value.dtype
    assert carried.asnumpy().tobytes() == value.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("xi", [1e-3, 0.5, 1, 1 / 0.7, 30])
def test_carry_multiplies_the_gradient(dtype, xi, rng):
    h, head = (np.array(rng.normal(size=(3, 2)), dtype=dtype) for _ in range(2))
    h.attach_grad()
    with autograd.record():
        carried = d2lutil.carry(h, xi)
    carried.backward(head)
    assert h.grad.asnumpy() == pytest.approx(xi * head.asnumpy(), rel=1e-6)


def test_carry_with_one_is_the_state_itself():
    h = np.ones(3)
    assert d2lutil.carry(h, 1) is h
    assert d2lutil.carry(h, 1.0) is h


def test_carry_with_zero_stops_the_gradient():
    h = np.array([0.5, -0.5])
    h.attach_grad()
    with autograd.record():
        loss = (h + 3 * d2lutil.carry(h, 0)).sum()
    loss.backward()
    assert h.grad.tolist() == [1, 1]


@pytest.mark.parametrize("xi", [numpy.float32(2), numpy.int64(2), numpy.array(2.0), np.array(2)])
def test_carry_takes_weights_from_arrays(xi):
    h = np.array([0.25])
    h.attach_grad()
    with autograd.record():
        carried = d2lutil.carry(h, xi)
    carried.backward()
    assert h.grad.tolist() == [2]


RNG = numpy.random.default_rng(0)
BAD = [
    (d2lutil.full, (0,), {}, ValueError, "num_steps=0; allowed: an integer of at least 1"),
    (d2lutil.full, (2.0,), {}, TypeError, "num_steps=2.0; allowed: an integer of at least 1"),
    (d2lutil.full, (True,), {}, TypeError, "num_steps=True; allowed: an integer"),
    (d2lutil.regular, (-1, 2), {}, ValueError, "num_steps=-1; allowed"),
    (d2lutil.regular, (5, 0), {}, ValueError, "tau=0; allowed: an integer of at least 1"),
    (d2lutil.regular, (5, "2"), {}, TypeError, "tau='2'; allowed: an integer of at least 1"),
    (d2lutil.randomized, (5, 0), {"rng": RNG}, ValueError, "pi=0.0; allowed: .* 0 < pi <= 1"),
    (d2lutil.randomized, (5, 1.5), {"rng": RNG}, ValueError, "pi=1.5; allowed: .* 0 < pi <= 1"),
    (d2lutil.randomized, (5, numpy.nan), {"rng": RNG}, ValueError, "pi=nan; allowed"),
    (d2lutil.randomized, (5, 1e-320), {"rng": RNG}, ValueError, "pi=1e-320; allowed: .* a finite 1/pi"),
    (d2lutil.randomized, (5, 10**400), {"rng": RNG}, ValueError, "pi=inf; allowed"),
    (d2lutil.randomized, (5, None), {"rng": RNG}, TypeError, "pi=None; allowed"),
    (d2lutil.randomized, (5, 0.5), {"rng": 3}, TypeError, "rng=3; allowed: a numpy.random.Gen"),
    (d2lutil.randomized, (5, 0.5), {"rng": RNG, "every": 0}, ValueError, "every=0; allowed"),
    (d2lutil.randomized, (5, 0.5), {"rng": RNG, "every": 1.5}, TypeError, "every=1.5; allowed"),
    (d2lutil.length_dependent, (0, 5, 4), {"rng": RNG}, ValueError, "num_steps=0; allowed"),
    (d2lutil.length_dependent, (9, 1, 4), {"rng": RNG}, ValueError, "mean_length=1.0; .* above 1"),
    (d2lutil.length_dependent, (9, 5, 2), {"rng": RNG}, ValueError, "alpha=2.0; .* above 2"),
    (d2lutil.length_dependent, (9, 5, 4), {"rng": None}, TypeError, "rng=None; allowed"),
    (d2lutil.segments, ([],), {}, ValueError, r"xi has shape \(0,\); allowed: \(num_steps,\)"),
    (d2lutil.segments, ([[[1.0]]],), {}, ValueError, r"xi has shape \(1, 1, 1\); allowed"),
    (d2lutil.segments, (numpy.ones((3, 0)),), {}, ValueError, r"xi has shape \(3, 0\); allowed"),
    (d2lutil.segments, ([[1.0, -1.0]],), {}, ValueError, r"xi\[0, 1\]=-1.0; allowed: finite"),
    (d2lutil.segments, ([1, -2],), {}, ValueError, r"xi\[1\]=-2.0; allowed: finite numbers >= 0"),
    (d2lutil.segments, ([numpy.nan],), {}, ValueError, r"xi\[0\]=nan; allowed: finite"),
    (d2lutil.segments, ([1j],), {}, TypeError, r"allowed for xi: a sequence of numbers; given \[1j\]"),
    (
        d2lutil.segments,
        (numpy.ones(2) + 0j,),
        {},
        TypeError,
        "allowed for xi: a sequence of numbers; given nd",
    ),
    (d2lutil.segments, ([10**400],), {}, TypeError, "allowed for xi: a sequence of numbers; given"),
    (d2lutil.segments, ([[1], [1, 0]],), {}, (TypeError, ValueError), "allowed for xi: "),
    (d2lutil.segments, ("one",), {}, TypeError, "allowed for xi: a sequence of numbers; given 'one'"),
    (d2lutil.carry, (np.ones(1), -1), {}, ValueError, "xi=-1.0; allowed: a finite number >= 0"),
    (d2lutil.carry, (np.ones(1), numpy.nan), {}, ValueError, "xi=nan; allowed: a finite number"),
    (d2lutil.carry, (np.ones(1), numpy.inf), {}, ValueError, "xi=inf; allowed: a finite number"),
    (d2lutil.carry, (np.ones(1), "1"), {}, TypeError, "xi='1'; allowed: a finite number >= 0"),
    (d2lutil.carry, (np.ones(1), numpy.ones(2)), {}, ValueError, r"xi has shape \(2,\) .*one number "),
    (d2lutil.carry, (np.ones((3, 2)), numpy.ones(2)), {}, ValueError, r"xi has .* a column, \(3,\)"),
    (d2lutil.carry, (np.ones((2, 1)), [1, -1]), {}, ValueError, r"xi\[1\]=-1.0; allowed: finite"),
    (d2lutil.carry, (np.ones(1), 1e39), {}, ValueError, r"=1e\+39; allowed: .* >= 0 of float32"),
    (d2lutil.carry, (np.ones(1), None), {}, TypeError, "xi=None; allowed: a finite number >= 0"),
    (d2lutil.carry, (numpy.ones(1), 0.5), {}, TypeError, "^allowed for h: an mxnet.np.ndarray"),
]


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # NumPy 1.23
@pytest.mark.parametrize(("function", "args", "kwargs", "error", "message"), BAD)
def test_bad_arguments_are_named(function, args, kwargs, error, message):
    with pytest.raises(error, match=message):
        function(*args, **kwargs)


@pytest.mark.parametrize("xi", [0.5, [0.5, 1]])
def test_carry_refuses_integers(xi):
    with pytest.raises(TypeError, match=r"allowed for h: an mxnet\.np\.ndarray of floats; given .*int32"):
        d2lutil.carry(np.ones((2, 3), dtype="int32"), xi)
