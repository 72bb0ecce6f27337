"""Text as numbers: normalized, numbered by a vocabulary, laid out as streams."""

import re
from collections import Counter

import numpy

from d2lutil.validation import array, integer
from d2lutil.compat import mxnet

__all__ = ["Vocab", "normalize", "split_streams", "streams"]


def normalize(text):
    """Lower the case of a text and turn each run of non-letters (``str.isalpha``) into one space.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> normalize("The Time Machine, by H. G. Wells [1898]")
    'the time machine by h g wells '
    """
    if not isinstance(text, str):
        raise TypeError(f"text={text!r}; allowed: a string")
    letters = (c if c.isalpha() else " " for c in text.lower())
    return re.sub(" +", " ", "".join(letters))


class Vocab:
    """The characters of a text, numbered: 0 is the unknown token, then by falling frequency.

    Parameters
    ----------
    text : str
        Not empty.

    Attributes
    ----------
    tokens : list of str
        The token of each index.

    Examples
    --------
    >>> vocab = Vocab("banana")
    >>> vocab.encode("bananas")
    array([3, 1, 2, 1, 2, 1, 0], dtype=int32)
    >>> vocab.decode([3, 1, 2])
    'ban'
    """

    unknown = "<unk>"

    def __init__(self, text):
        if not isinstance(text, str) or not text:
            raise ValueError(f"text={text!r}: a vocabulary needs a string of at least one character")
        by_frequency = sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))
        self.tokens = [self.unknown] + [character for character, _ in by_frequency]
        self._index = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self):
        return len(self.tokens)

    def encode(self, text):
        """Return the indices of the characters of a string, int32 ``(len(text),)``."""
        if not isinstance(text, str):
            raise TypeError(f"text={text!r}; allowed: a string")
        return numpy.array([self._index.get(character, 0) for character in text], dtype="int32")

    def decode(self, ids):
        """Return the string of a sequence of indices in ``0 … len(vocab) - 1``."""
        try:
            each = list(ids.asnumpy() if hasattr(ids, "asnumpy") else ids)
        except TypeError:
            raise TypeError(f"ids={ids!r}; allowed: a sequence of integers") from None
        return "".join(self.tokens[integer("ids", i, 0, len(self) - 1)] for i in each)


def streams(ids, batch_size):
    """Cut a text into columns of consecutive characters.

    Column b holds the characters b·num_steps … (b+1)·num_steps - 1; what does not fill a column is left
    out at the end.

    Parameters
    ----------
    ids : sequence of int, ``(length,)``
        At least ``batch_size + 1`` of them.
    batch_size : int
        The number of columns, at least 1.

    Returns
    -------
    X, Y : int32 arrays ``(num_steps, batch_size)``
        Inputs and targets: ``Y`` is one character ahead of ``X``.

    Examples
    --------
    >>> X, Y = streams([0, 1, 2, 3, 4, 5, 6], batch_size=2)
    >>> print(X.T, Y.T)
    [[0 1 2]
     [3 4 5]] [[1 2 3]
     [4 5 6]]
    """
    ids = array("ids", ids)
    if ids.ndim != 1 or not numpy.issubdtype(ids.dtype, numpy.integer):
        raise ValueError(f"ids has shape {ids.shape} and type {ids.dtype}; allowed: integers (length,)")
    if len(ids) < 2:
        raise ValueError(f"ids holds {len(ids)} characters; allowed: at least 2")
    lowest, highest = ids.min(), ids.max()
    if lowest < 0 or highest > numpy.iinfo("int32").max:
        raise ValueError(f"ids holds {lowest} to {highest}; allowed: 0 to the largest int32")
    batch_size = integer("batch_size", batch_size, 1, len(ids) - 1)
    num_steps = (len(ids) - 1) // batch_size
    used = num_steps * batch_size
    X, Y = (
        mxnet.np.array(part.reshape(batch_size, num_steps).T, dtype="int32")
        for part in (ids[:used], ids[1 : used + 1])
    )
    return X, Y


def split_streams(text, batch_size=32, held_out_batch_size=8):
    """Lay out nine tenths of a text for training and hold out the last tenth.

    Parameters
    ----------
    text : str
        As :func:`normalize` gives; at least 20 characters, better some hundred.
    batch_size, held_out_batch_size : int
        Columns of the two parts.

    Returns
    -------
    vocab : Vocab
        Of the training part alone.
    train, held_out : (X, Y)
        As :func:`streams` gives.
    """
    if not isinstance(text, str) or len(text) < 20:
        raise ValueError(f"text={text!r}; allowed: a string of at least 20 characters")
    split = len(text) * 9 // 10
    integer("held_out_batch_size", held_out_batch_size, 1, len(text) - split - 1)
    vocab = Vocab(text[:split])
    return (
        vocab,
        streams(vocab.encode(text[:split]), batch_size),
        streams(vocab.encode(text[split:]), held_out_batch_size),
    )
