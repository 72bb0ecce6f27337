"""The line in which a check compares numbers."""

import numpy
import pytest

import d2lutil
from d2lutil.notebook import numbers


def test_the_largest_difference_counts(capsys):
    assert d2lutil.compare("sum", [1.0, 2.0], [1.0, 2.05], 0.1)
    assert not d2lutil.compare("sum", [1.0, 2.0], [1.0, 2.5], 0.1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("largest difference < 1e-01  agree")
    assert lines[1].endswith("largest difference > 1e-01  DIFFER")


def test_what_is_not_a_number_differs():
    assert not d2lutil.compare("sum", [1.0, numpy.nan], [1.0, 2.0], 10)


def test_a_number_is_compared_with_every_entry():
    assert not d2lutil.compare("sum", [1.0, 1.0, 2.0], 1.0, 0.1)


def test_it_refuses_what_numpy_would_broadcast():
    with pytest.raises(ValueError, match=r"value has shape \(2,\); allowed: \(2, 1\)"):
        d2lutil.compare("sum", numpy.ones(2), numpy.ones((2, 1)), 0.1)
    with pytest.raises(ValueError, match=r"bound=0\.0; allowed"):
        d2lutil.compare("sum", 1, 1, 0)


def test_unsigned_integers_and_booleans_are_numbers():
    assert d2lutil.compare("sum", numpy.uint8([1]), numpy.uint8([2]), 2)
    assert d2lutil.compare("sum", numpy.array([True]), numpy.array([True]), 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], [], 1), ValueError, "value has shape"),
        (("a", "a", 1), TypeError, "allowed: numbers"),
        ((1, 1, "x"), TypeError, "bound='x'; allowed: a number above 0"),
    ],
)
def test_it_names_what_it_cannot_compare(arguments, error, message):
    with pytest.raises(error, match=message):
        d2lutil.compare("sum", *arguments)


@pytest.mark.parametrize("value", [2, [1.0, 2.0], numpy.ones((2, 3))])
def test_an_answer_becomes_an_array(value):
    found = numbers("answer", value, numpy.shape(value))
    assert found.dtype == float
    assert (found == value).all()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (..., "answer is still to be computed"),
        (None, "answer is still to be computed"),
        ("two", "answer is no finite number, and no list of them"),
        ({1, 2}, "answer is no finite number, and no list of them"),
        (numpy.inf, "answer is no finite number, and no list of them"),
        ([1, 2], r"answer has the shape \(2,\); wanted: \(\)"),
    ],
)
def test_an_answer_of_another_form_is_named(value, said):
    with pytest.raises(AssertionError, match=said):
        numbers("answer", value)
