"""What a scheme must do and keep, counted before any clock starts."""

from typing import NamedTuple

import numpy

from benchmarks.problem import VOCAB_SIZE
from d2lutil.truncation import pieces


class Count(NamedTuple):
    """Of one column.

    Attributes
    ----------
    products : int
        Of a row with a Jacobian, on the way back.
    chain : int
        The most of them that wait for one another.
    states : int
        Kept at once: those of the longest segment.
    weights : int
        Multiplications of a row by ξ, other than 0 and 1.
    calls : int or None
        Of a layer that stops wherever ξ ≠ 1; None where no layer does it.
    """

    products: int
    chain: int
    states: int
    weights: int
    calls: int | None


def count(xi):
    """Return the :class:`Count` of a scheme, of one of two dimensions the largest of its columns."""
    if xi.ndim == 2:
        counts = [count(column) for column in xi.T]
        return Count(*(max(values) for values in list(zip(*counts, strict=True))[:4]), calls=None)
    longest = max(stop - start for start, stop in pieces(xi == 0))
    weights = ((xi[1:] != 0) & (xi[1:] != 1)).sum()
    products = (xi[1:] != 0).sum()  # nothing goes back beyond the first step
    return Count(int(products), longest - 1, longest, int(weights), len(pieces(xi != 1)))


def window(num_steps, tau):
    """Return the :class:`Count` of a window, where each loss goes back over tau steps by itself."""
    longest = min(num_steps, tau)
    products = sum(min(t, tau - 1) for t in range(num_steps))
    return Count(products, longest - 1, longest, 0, None)


def multiplications(counted, shape):
    """Return those of a training step of the tanh cell under a scheme, all columns together.

    A prediction needs n² for the carried state, n² for the gradient of W_hh, and 4 n V at the input and
    the output; a product with a Jacobian n², a weight n.
    """
    num_steps, batch_size, n = shape
    column = num_steps * (2 * n**2 + 4 * n * VOCAB_SIZE) + counted.products * n**2 + counted.weights * n
    return batch_size * column


def counts(schemes, tau):
    """Return the :class:`Count` of each scheme by name, and of the window of ``tau`` steps."""
    num_steps = len(next(iter(schemes.values())))
    counted = {name: count(numpy.asarray(xi)) for name, xi in schemes.items()}
    return counted | {f"window of {tau}": window(num_steps, tau)}
