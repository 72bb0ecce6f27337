"""Results that the prose quotes, rows of the experiments, and the line in which a cell compares numbers."""

import csv
from pathlib import Path

import numpy

from d2lutil import validation

__all__ = ["compare", "glue", "numbers", "rows"]


def compare(name, value, reference, bound):
    """Print in one line whether numbers agree, and return it.

    Parameters
    ----------
    name : str
        What is compared.
    value, reference : arrays of one shape, or numbers
    bound : float
        Above 0. They agree if the largest difference is below it.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        Different shapes, which NumPy would broadcast, or a bound that is not above 0.

    Examples
    --------
    >>> compare("a third", 0.333, 1 / 3, 1e-3)
    a third                  largest difference < 1e-03  agree
    True
    """
    value, reference = validation.array("value", value), validation.array("reference", reference)
    if not {value.dtype.kind, reference.dtype.kind} <= set("biufc"):
        raise TypeError(f"value={value.dtype} and reference={reference.dtype}; allowed: numbers")
    if value.shape != reference.shape and reference.ndim:
        raise ValueError(f"value has shape {value.shape}; allowed: {reference.shape}, that of reference")
    if not value.size:
        raise ValueError(f"value has shape {value.shape}; allowed: at least one number")
    bound = validation.real("bound", bound, "a number above 0", lambda number: number > 0)
    wide = numpy.result_type(value, reference, "float64")  # differences of unsigned integers would wrap
    agree = bool(abs(numpy.subtract(value, reference, dtype=wide)).max() < bound)  # NaN never agrees
    sign, verdict = ("<", "agree") if agree else (">", "DIFFER")
    print(f"{name:24s} largest difference {sign} {bound:.0e}  {verdict}")
    return agree


def numbers(name, value, shape=()):
    """Return an answer to an exercise as an array of floats, or say what form it has.

    Parameters
    ----------
    name : str
        What the exercise calls it.
    value : number, list or array
        What a student typed or computed; ``...`` and None stand for nothing yet.
    shape : tuple of int, optional
        Default: one number.

    Returns
    -------
    numpy.ndarray, of ``shape``

    Raises
    ------
    AssertionError
        If nothing was answered, if it is not finite, or if its shape is another one.
    """
    if value is ... or value is None:
        raise AssertionError(f"{name} is still to be computed")
    try:
        array = numpy.asarray(value, dtype=float)
    except (TypeError, ValueError):
        array = numpy.array(numpy.nan)
    if not numpy.isfinite(array).all():
        raise AssertionError(f"{name} is no finite number, and no list of them")
    if array.shape != shape:
        raise AssertionError(f"{name} has the shape {array.shape}; wanted: {shape}")
    return array


def glue(name, text):
    """Keep a computed number in the notebook under a name, for the prose to quote.

    Jupyter Book shows it where the text says ``{result}`name```, and the claims page reads it from
    the executed notebook.

    Parameters
    ----------
    name : str
        Unique within the chapter.
    text : str
        The number as it is to be read, rounded and with its unit.
    """
    from IPython.display import display  # only notebooks have it, and only they call this

    if not isinstance(text, str):
        raise TypeError(f"text={text!r}; allowed: a string, so that the rounding is visible")
    prefix = "application/papermill.record/"
    display(
        {f"{prefix}text/plain": text},
        metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
        raw=True,
    )


def rows(name: str) -> list[dict]:
    """Return the rows of a table: of an experiment, or of what other frameworks do.

    Parameters
    ----------
    name : str
        Of the table: "text" as ``make experiments`` has written it, "symptoms" as ``make translations``
        checks it.

    Returns
    -------
    list of dict
        One a run: its settings and what it measured, by column; numbers as numbers.

    Raises
    ------
    ValueError
        The name is no plain word, so that it could lead elsewhere.
    FileNotFoundError
        ``NAME.csv`` lies neither beside the notebook, as in Colab, nor in its ``translations``, nor in
        ``experiments/results`` of a folder above.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"name={validation.short(name)}; allowed: that of a table, as 'text'")
    here, file = Path.cwd(), f"{name}.csv"
    places = [here / file, here / "translations" / file]
    places += [up / "experiments" / "results" / file for up in (here, *here.parents)]
    for path in places:
        if path.exists():
            with open(path, encoding="utf-8", newline="") as lines:
                return [{key: number(text) for key, text in row.items()} for row in csv.DictReader(lines)]
    raise FileNotFoundError(
        f"name={name!r}: {file} is neither in {here} nor its translations nor experiments/results above"
    )


def number(text):
    """Return a text that is a number as one, and any other as it is."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
