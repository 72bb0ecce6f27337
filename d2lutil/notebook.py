"""Results that the prose quotes."""

__all__ = ["glue"]


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
