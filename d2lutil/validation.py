"""Validation of arguments: a bad one raises, and the message names it, its value and what is allowed.

Arguments are validated once, where a user hands them in; private functions trust them.
"""

import numbers

import numpy


def short(value, longest=60):
    """Return how a value is printed in a message: what is long or an array, by its type and size."""
    text = repr(value)
    if hasattr(value, "shape"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if len(text) <= longest:
        return text
    size = f" of {len(value)} elements" if hasattr(value, "__len__") else ""
    return f"{type(value).__name__}{size}, {text[: longest // 2]} …"


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
        raise TypeError(f"{name}={short(value)}; allowed: {allowed}")
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
        raise TypeError(f"{name}={short(value)}; allowed: {allowed}")
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
        raise ValueError(f"allowed for {name}: rows of one length; given {short(value)}") from None


def scheme(xi, num_steps=None, batch_size=None, dtype=None):
    """Return ξ as float64 ``(num_steps,)`` or ``(num_steps, batch_size)``, or say what is wrong with it.

    Parameters
    ----------
    num_steps, batch_size : int, optional
        What the shape must agree with; without a batch size any number of columns is allowed.
    dtype : optional
        The type of the states that the weights multiply: its range must hold them.

    Raises
    ------
    TypeError
        Not an array of numbers.
    ValueError
        Empty, of another shape, or with an entry that is negative, NaN or too large.
    """
    return _non_negative("xi", xi, num_steps, batch_size, dtype)


def one_column(xi, num_steps=None):
    """Return the scheme of one column, ``(num_steps,)``, or say what is wrong with it."""
    xi = scheme(xi, num_steps)
    if xi.ndim != 1:
        raise ValueError(f"xi has shape {xi.shape}; allowed: (num_steps,), the scheme of one column")
    return xi


def weights(value, num_steps, batch_size, dtype=None):
    """Return the weights of the losses as float64 ``(num_steps, batch_size)``, or None for None."""
    if value is None:
        return None
    value = _non_negative("weights", value, num_steps, batch_size, dtype)
    return numpy.broadcast_to(value if value.ndim == 2 else value[:, None], (num_steps, batch_size))


def begins(value, num_steps, batch_size):
    """Return where sequences begin as bool ``(num_steps, batch_size)``, or None if nowhere.

    Raises
    ------
    TypeError, ValueError
        Not an array of booleans (or of 0 and 1), or of another shape.
    """
    if value is None:
        return None
    given = array("begins", value)
    if given.dtype.kind not in "biu" or not numpy.isin(given, (0, 1)).all():
        raise TypeError(f"allowed for begins: an array of booleans; given type {given.dtype}")
    _shape("begins", given, num_steps, batch_size)
    given = given.astype(bool)
    given = numpy.broadcast_to(given if given.ndim == 2 else given[:, None], (num_steps, batch_size))
    return given if given.any() else None


def _non_negative(name, value, num_steps, batch_size, dtype):
    """Return a float64 array of weights, one a step or one a step and column."""
    converted = array(name, value)
    try:
        if converted.dtype.kind not in "biufO":
            raise TypeError
        converted = converted.astype("float64")
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"allowed for {name}: a sequence of numbers; given {short(value)}") from None
    _shape(name, converted, num_steps, batch_size)
    wrong = numpy.argwhere(~((converted >= 0) & (converted <= numpy.finfo(dtype or "float64").max)))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        allowed = "finite numbers >= 0" + ("" if dtype is None else f" of {numpy.dtype(dtype)}")
        raise ValueError(f"{name}[{', '.join(map(str, index))}]={converted[index]}; allowed: {allowed}")
    return converted


def _shape(name, value, num_steps, batch_size):
    """Raise unless the shape is ``(num_steps,)`` or ``(num_steps, batch_size)``."""
    columns = "batch_size" if batch_size is None else batch_size
    if value.ndim not in (1, 2) or 0 in value.shape:
        allowed = "(num_steps,) or (num_steps, batch_size), nothing empty"
        raise ValueError(f"{name} has shape {value.shape}; allowed: {allowed}")
    steps = len(value) if num_steps is None else num_steps
    if len(value) != steps or (value.ndim == 2 and batch_size not in (None, value.shape[1])):
        raise ValueError(f"{name} has shape {value.shape}; allowed: ({steps},) or ({steps}, {columns})")


def tokens(name, value, vocab_size, counted=None, shape=None):
    """Return indices of a vocabulary as an integer array ``(num_steps, batch_size)``, or say what is wrong.

    Parameters
    ----------
    counted : bool array ``(num_steps, batch_size)``, optional
        Where the indices are read; elsewhere anything is allowed, and 0 stands in its place.
    shape : tuple, optional
        The shape of the inputs, which the targets must have.

    Raises
    ------
    ValueError
        No integers of two dimensions, nothing at all, another shape, or an index outside the vocabulary.
    """
    given = array(name, value)
    if given.ndim != 2 or given.size == 0 or not numpy.issubdtype(given.dtype, numpy.integer):
        raise ValueError(
            f"{name} has shape {given.shape} and type {given.dtype}; "
            "allowed: integers (num_steps, batch_size), nothing empty"
        )
    if shape is not None and given.shape != shape:
        raise ValueError(f"{name} has shape {given.shape}; allowed: that of X, {shape}")
    if counted is not None:
        given = numpy.where(counted, given, 0)
    lowest, highest = int(given.min()), int(given.max())
    if lowest < 0 or highest >= vocab_size:
        raise ValueError(f"{name} holds indices {lowest} to {highest}; allowed: 0 to {vocab_size - 1}")
    return given


def state(h, kinds, batch_size, num_hiddens, dtype):
    """Return a state as a list of arrays, or say what is wrong with it.

    Parameters
    ----------
    h : mxnet.np.ndarray, or a tuple of them
        ``(batch_size, num_hiddens)`` each.
    kinds : str
        The letters of its parts: ``"h"`` for one array, ``"hc"`` for a pair.

    Raises
    ------
    TypeError, ValueError
        Not what ``begin_state(batch_size)`` gives.
    """
    shape, dtype = (batch_size, num_hiddens), numpy.dtype(dtype)
    one = f"mxnet.np.ndarray {dtype} {shape}"
    allowed = one if len(kinds) == 1 else f"a tuple ({', '.join(kinds)}) of {one}"
    allowed += ", as begin_state(batch_size) gives"
    parts = [h] if len(kinds) == 1 else h
    if not isinstance(parts, (tuple, list)) or len(parts) != len(kinds):
        raise TypeError(f"allowed for h: {allowed}; given {short(h)}")
    for name, part in zip(kinds, parts, strict=True):
        if not (hasattr(part, "asnumpy") and hasattr(part, "detach") and hasattr(part, "as_nd_ndarray")):
            raise TypeError(f"allowed for {name}: {allowed}; given {short(part)}")
        if part.shape != shape or part.dtype != dtype:
            raise ValueError(f"{name} has shape {part.shape} and type {part.dtype}; allowed: {allowed}")
    return list(parts)
