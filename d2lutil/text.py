"""Text as numbers: normalized, numbered by a vocabulary, laid out as streams."""

import re
import unicodedata
from collections import Counter

import numpy

from d2lutil.compat import mxnet
from d2lutil.validation import array, integer, short

__all__ = ["Vocab", "normalize", "split_streams", "streams"]


def normalize(text):
    """Lower the case of a text and turn each run of non-letters into one space.

    A letter (``str.isalpha``) keeps the marks that follow it (Unicode category M), such as accents and
    vowel signs; both are composed where Unicode has one character for them (NFC). The step may be skipped:
    everything below takes any string, and a model of the text as it is learns case and punctuation too.

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
    >>> normalize("हिन्दी, 2 words")
    'हिन्दी words'
    """
    if not isinstance(text, str):
        raise TypeError(f"text={short(text)}; allowed: a string")
    lowered = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    return re.sub(" +", " ", "".join(_letters(lowered)))


def _letters(text):
    """Yield the letters of a text and their marks as they are, and a space for anything else."""
    in_word = False
    for character in text:
        is_mark = in_word and unicodedata.category(character)[0] == "M"
        in_word = character.isalpha() or is_mark
        yield character if in_word else " "


class Vocab:
    """The characters of a text, numbered: 0 is the unknown token, then by falling frequency.

    A character is a Unicode code point. What a reader sees as one may be several: an accent that does not
    compose, a syllable of Hindi, many an emoji.

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
            raise ValueError(f"text={short(text)}: a vocabulary needs a string of at least one character")
        by_frequency = sorted(Counter(text).items(), key=lambda item: (-item[1], item[0]))
        self._number([self.unknown] + [character for character, _ in by_frequency])

    @classmethod
    def from_tokens(cls, tokens):
        """Rebuild a vocabulary from its ``tokens``, saved beside a network's parameters.

        Parameters
        ----------
        tokens : sequence of str
            The unknown token ``"<unk>"``, then single characters, each once and at least one.

        Returns
        -------
        Vocab

        Examples
        --------
        >>> import json
        >>> saved = json.dumps(Vocab("banana").tokens)
        >>> Vocab.from_tokens(json.loads(saved)).encode("nab")
        array([2, 1, 3], dtype=int32)
        """
        allowed = f"a sequence of {cls.unknown!r}, then single characters, each once and at least one"
        try:
            tokens = list(tokens)
        except TypeError:
            raise TypeError(f"tokens={short(tokens)}; allowed: {allowed}") from None
        seen = set()
        for i, token in enumerate(tokens):
            if not isinstance(token, str):
                raise TypeError(f"tokens[{i}]={short(token)}; allowed: {allowed}")
            if token in seen or (token != cls.unknown if i == 0 else len(token) != 1):
                raise ValueError(f"tokens[{i}]={short(token)}; allowed: {allowed}")
            seen.add(token)
        if len(tokens) < 2:
            raise ValueError(f"tokens={tokens}; allowed: {allowed}")
        vocab = cls.__new__(cls)
        vocab._number(map(str, tokens))
        return vocab

    def _number(self, tokens):
        self.tokens = list(tokens)
        self._index = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self):
        return len(self.tokens)

    def encode(self, text):
        """Return the indices of the characters of a string, int32 ``(len(text),)``."""
        if not isinstance(text, str):
            raise TypeError(f"text={short(text)}; allowed: a string")
        return numpy.array([self._index.get(character, 0) for character in text], dtype="int32")

    def decode(self, ids):
        """Return the string of a sequence of indices in ``0 … len(vocab) - 1``."""
        try:
            each = list(ids.asnumpy() if hasattr(ids, "asnumpy") else ids)
        except TypeError:
            raise TypeError(f"ids={short(ids)}; allowed: a sequence of integers") from None
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
    batch_size = _columns("batch_size", batch_size, len(ids), "the text")
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
        raise ValueError(f"text={short(text)}; allowed: a string of at least 20 characters")
    split = len(text) * 9 // 10
    _columns("batch_size", batch_size, split, "the training part")
    _columns("held_out_batch_size", held_out_batch_size, len(text) - split, "the held-out part")
    vocab = Vocab(text[:split])
    return (
        vocab,
        streams(vocab.encode(text[:split]), batch_size),
        streams(vocab.encode(text[split:]), held_out_batch_size),
    )


def _columns(name, batch_size, length, part):
    """Return a number of columns, or say which part of the text is too short for it."""
    try:
        return integer(name, batch_size, 1, length - 1)
    except ValueError as error:
        raise ValueError(f"{error}, because {part} has {length} characters") from None
