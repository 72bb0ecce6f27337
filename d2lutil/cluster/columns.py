"""Which columns of a batch a worker owns, and how it reads these and no others."""

import os
from collections import Counter

import numpy

from d2lutil import validation
from d2lutil.text import Vocab, normalize


def rank_and_size():
    """Return which worker this process is, and of how many: ``(0, 1)`` without the launcher.

    The rank is the launcher's, so it names the same columns after a restart; that of the KVStore goes by
    the order of arrival.

    Examples
    --------
    >>> rank_and_size()
    (0, 1)
    """
    rank = os.environ.get("D2LUTIL_WORKER")
    return (0, 1) if rank is None else (int(rank), int(os.environ["DMLC_NUM_WORKER"]))


def shard(A, rank, size):
    """Return the columns that a worker owns: every ``size``-th, from ``rank`` on.

    Parameters
    ----------
    A : array ``(num_steps, batch_size)``
        As :func:`d2lutil.streams` gives.
    rank, size : int
        As :func:`rank_and_size` gives; at most one worker a column.

    Examples
    --------
    >>> shard(numpy.array([[0, 1, 2, 3, 4]]), rank=1, size=2)
    array([[1, 3]])
    """
    size = validation.integer("size", size, 1, A.shape[1])
    return A[:, validation.integer("rank", rank, 0, size - 1) :: size]


def read_columns(file, batch_size, exchange):
    """Read the columns that a worker owns, and number their characters as all workers do.

    Column b is the b-th of ``batch_size`` equal stretches of the file's bytes, normalized, and cut to the
    length of the shortest column. So it does not depend on the number of workers.

    Parameters
    ----------
    file : binary file
        UTF-8, open for reading; only the stretches of this worker are read.
    batch_size : int
        Of all workers.
    exchange : Exchange

    Returns
    -------
    vocab : Vocab
        Of the whole text.
    X, Y : int32 arrays ``(num_steps, columns)``
        Inputs and targets, as :func:`d2lutil.streams` gives.

    Raises
    ------
    ValueError
        More workers than columns, columns of fewer than two characters, or bytes that are not UTF-8.
    """
    validation.integer("batch_size", batch_size, exchange.size)
    edges = [file.seek(0, os.SEEK_END) * b // batch_size for b in range(batch_size + 1)]
    own = range(batch_size)[exchange.rank :: exchange.size]
    texts = [normalize(_stretch(file, edges[b], edges[b + 1])) for b in own]
    told = exchange.all_gather([min(map(len, texts)), Counter("".join(texts))])
    num_steps = min(shortest for shortest, _ in told) - 1
    if num_steps < 1:
        raise ValueError(f"batch_size={batch_size}; allowed: columns of at least two characters")
    counts = sum((Counter(counted) for _, counted in told), Counter())
    vocab = Vocab.from_tokens([Vocab.unknown, *sorted(counts, key=lambda c: (-counts[c], c))])
    ids = numpy.stack([vocab.encode(text[: num_steps + 1]) for text in texts], axis=1)
    return vocab, ids[:-1], ids[1:]


def _stretch(file, start, stop):
    """Return the characters of a file that begin at the bytes ``start … stop - 1``."""
    file.seek(start)
    content = file.read(stop - start + 3)  # a character has at most three bytes more
    first, end = (
        next((k for k in range(place, len(content)) if content[k] & 0xC0 != 0x80), len(content))
        for place in (0, stop - start)
    )
    try:
        return content[first:end].decode()
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{content[first + error.start]:02x} at position {start + first + error.start}"
        raise ValueError(f"the file holds {wrong}; allowed: a text in UTF-8") from None
