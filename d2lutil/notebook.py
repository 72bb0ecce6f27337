"""Results that the prose quotes, and the line in which a cell compares two of them."""

import numpy

from d2lutil import validation

__all__ = ["compare", "glue"]


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
