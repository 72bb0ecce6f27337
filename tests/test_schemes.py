import dataclasses
import math

import numpy
import pytest

import d2lutil
from d2lutil import Full, LengthDependent, Randomized, Regular, Unweighted


def generator(seed=0):
    return numpy.random.default_rng(seed)


PAIRS = {
    "full": (Full(), d2lutil.full),
    "regular": (Regular(7), lambda n: d2lutil.regular(n, 7)),
    "randomized": (Randomized(0.8, rng=generator()), lambda n: d2lutil.randomized(n, 0.8, rng=generator())),
    "randomized every 3": (
        Randomized(0.8, rng=generator(), every=3),
        lambda n: d2lutil.randomized(n, 0.8, rng=generator(), every=3),
    ),
    "length dependent": (
        LengthDependent(5, 4, rng=generator()),
        lambda n: d2lutil.length_dependent(n, 5, 4, rng=generator()),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_scheme_draws_what_its_function_draws(name):
    scheme, function = PAIRS[name]
    assert scheme(50).tobytes() == function(50).tobytes()


@pytest.mark.parametrize(
    ("scheme", "mean_length"),
    [
        (Full(), math.inf),
        (Regular(7), 7),
        (Regular(7, rng=generator()), 7),
        (Randomized(0.75, rng=generator()), 4),
        (Randomized(0.75, rng=generator(), every=5), 20),
        (Randomized(1, rng=generator()), math.inf),
        (LengthDependent(9.5, 4, rng=generator()), 9.5),
        (Unweighted(Randomized(0.75, rng=generator())), 4),
    ],
)
def test_a_scheme_knows_its_mean_length(scheme, mean_length):
    assert scheme.mean_length == mean_length


@pytest.mark.parametrize(
    "scheme",
    [
        Regular(7, rng=generator(1)),
        Randomized(0.9, rng=generator(1)),
        Randomized(0.75, rng=generator(2), every=4),
        LengthDependent(10, 5, rng=generator(3)),
        Unweighted(Randomized(0.8, rng=generator(4))),
    ],
)
def test_the_mean_length_is_that_between_cuts(scheme):
    cuts = numpy.flatnonzero(scheme(200_000) == 0)
    lengths = numpy.diff(cuts)
    error = lengths.std() / len(lengths) ** 0.5
    assert abs(lengths.mean() - scheme.mean_length) <= 4 * error + 1e-12


@pytest.mark.parametrize(("phase", "cuts"), [(0, [0, 3, 6]), (1, [1, 4]), (2, [2, 5])])
def test_chunks_start_at_the_phase(phase, cuts):
    assert numpy.flatnonzero(Regular(3, phase=phase)(7) == 0).tolist() == cuts


def test_a_random_phase_puts_the_border_everywhere_alike():
    scheme = Regular(4, rng=generator())
    drawn = numpy.stack([scheme(9) for _ in range(4000)])
    assert set(numpy.unique(drawn)) == {0, 1}
    assert (drawn[:, :5] == drawn[:, 4:]).all()  # a period of 4
    assert abs((drawn == 0).mean(axis=0) - 0.25).max() < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_a_phase_longer_than_the_pass_leaves_no_cut():
    assert (Regular(50, phase=20)(10) == 1).all()


def test_weights_taken_away_leave_the_cuts():
    weighted = Randomized(0.7, rng=generator())(300)
    unweighted = Unweighted(Randomized(0.7, rng=generator()))(300)
    assert set(numpy.unique(unweighted)) == {0, 1}
    assert ((weighted == 0) == (unweighted == 0)).all()


def test_passes_differ_and_making_a_scheme_draws_nothing():
    rng = generator()
    schemes = [Regular(9, rng=rng), Randomized(0.5, rng=rng), LengthDependent(5, 4, rng=rng)]
    assert rng.bit_generator.state == generator().bit_generator.state
    assert all(any((s(40) != s(40)).any() for _ in range(20)) for s in schemes)


def test_a_scheme_stays_as_it_is():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Regular(7).tau = 8


BAD = [
    (lambda: Regular(0), ValueError, "tau=0; allowed: an integer of at least 1"),
    (lambda: Regular(7.0), TypeError, r"tau=7\.0; allowed: an integer"),
    (lambda: Regular(7, phase=7), ValueError, "phase=7; allowed: an integer of at least 0, at most 6"),
    (lambda: Regular(7, rng=3), TypeError, r"rng=3; allowed: a numpy\.random\.Generator"),
    (lambda: Regular(7, rng=generator(), phase=2), ValueError, "phase=2; allowed with rng.*: 0"),
    (lambda: Randomized(0, rng=generator()), ValueError, r"pi=0\.0; allowed: a number with 0 < pi"),
    (lambda: Randomized(0.5, rng=None), TypeError, "rng=None; allowed: a numpy"),
    (lambda: Randomized(0.5, rng=generator(), every=0), ValueError, "every=0; allowed: an integer"),
    (lambda: LengthDependent(1, 4, rng=generator()), ValueError, r"mean_length=1\.0; allowed: .* above 1"),
    (lambda: LengthDependent(9, 2, rng=generator()), ValueError, r"alpha=2\.0; allowed: .* above 2"),
    (lambda: Unweighted(d2lutil.full), TypeError, "scheme=.*; allowed: a Scheme"),
    (lambda: Full()(0), ValueError, "num_steps=0; allowed: an integer of at least 1"),
    (lambda: Regular(3)(0), ValueError, "num_steps=0; allowed: an integer of at least 1"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD)
def test_bad_arguments_are_named_where_they_are_given(make, error, message):
    with pytest.raises(error, match=message):
        make()
