"""Paths that a user hands in, resolved once and where they are given, and the text at such a path."""

import io
import os
from pathlib import Path

from d2lutil.validation import short


def absolute(name, value):
    """Return a path as an absolute one, ``~`` expanded, so that no later change of folder moves it.

    Raises
    ------
    TypeError
        Neither a string nor a path.
    ValueError
        Empty, or holding a NUL, or beginning with the home directory of a user who has none.
    """
    try:
        text = os.fspath(value)
    except TypeError:
        text = value
    if not isinstance(text, str):
        raise TypeError(f"{name}={short(value)}; allowed: a path")
    if not text or "\0" in text:
        raise ValueError(f"{name}={short(value)}; allowed: a path, not empty and without NUL characters")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        allowed = "a path without ~, because the home directory is unknown"
        raise ValueError(f"{name}={text!r}; allowed: {allowed}") from None


def read_text(name, path):
    """Return the text of a UTF-8 file: a byte-order mark left out, ends of lines as newlines.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        There is no file at this path.
    ValueError
        The bytes are not UTF-8; the message says from which on.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{name}={str(path)!r} is a folder; allowed: a text file")
    if not path.exists():
        raise FileNotFoundError(f"{name}={str(path)!r} does not exist; allowed: a text file")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{content[error.start]:02x} at position {error.start}"
        raise ValueError(f"{name}={str(path)!r} holds {wrong}; allowed: a text in UTF-8") from None
    return io.StringIO(text.removeprefix("\ufeff"), newline=None).read()
