"""Checks of arguments: a bad one raises, and the message names it, its value and what is allowed."""

import numbers

import numpy


def integer(name, value, lowest, highest=None):
    """Return an integer argument, or say what is allowed.

    Raises
    ------
    TypeError
        Not an integer (``True`` is none either).
    ValueError
        Outside ``lowest … highest``.
    """
    allowed = f"an integer of at least {lowest}" + ("" if highest is None else f", at most {highest}")
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={value!r}; allowed: {allowed}")
    if value < lowest or (highest is not None and value > highest):
        raise ValueError(f"{name}={value}; allowed: {allowed}")
    return int(value)


def real(name, value, allowed, holds):
    """Return a real argument as a float, or say what is allowed.

    Parameters
    ----------
    allowed : str
        What the message says is allowed.
    holds : callable
        Tells of a float whether it is allowed.

    Raises
    ------
    TypeError
        Not a number.
    ValueError
        Not finite, or not allowed.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}={value!r}; allowed: {allowed}")
    try:
        value = float(value)
    except OverflowError:
        value = numpy.inf
    if not (numpy.isfinite(value) and holds(value)):
        raise ValueError(f"{name}={value}; allowed: {allowed}")
    return value


def array(name, value):
    """Return an argument as a NumPy array, or say that its rows differ in length."""
    try:
        return numpy.asarray(value.asnumpy() if hasattr(value, "asnumpy") else value)
    except ValueError:
        raise ValueError(f"{name}={value!r}; allowed: rows of one length") from None


def weights(xi, num_steps=None, dtype=None):
    """Return a truncation scheme as float64 ``(num_steps,)``, or say what is wrong with it.

    Parameters
    ----------
    dtype : optional
        Of the states that the weights are for: its range holds them.

    Raises
    ------
    TypeError
        Not a sequence of numbers.
    ValueError
        Empty, of another length than ``num_steps``, or with an entry that is negative, NaN or too large.
    """
    given, xi = xi, array("xi", xi)
    try:
        if xi.dtype.kind not in "biufO":
            raise TypeError
        xi = xi.astype("float64")
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"xi={given!r}; allowed: a sequence of numbers") from None
    if xi.ndim != 1 or len(xi) == 0:
        raise ValueError(f"xi has shape {xi.shape}; allowed: (num_steps,) with num_steps >= 1")
    if num_steps is not None and len(xi) != num_steps:
        raise ValueError(f"xi holds {len(xi)} weights for num_steps={num_steps}; allowed: one a step")
    wrong = numpy.flatnonzero(~((xi >= 0) & (xi <= numpy.finfo(dtype or "float64").max)))
    if len(wrong):
        allowed = "finite numbers >= 0" + ("" if dtype is None else f" of {numpy.dtype(dtype)}")
        raise ValueError(f"xi[{wrong[0]}]={xi[wrong[0]]}; allowed: {allowed}")
    return xi
