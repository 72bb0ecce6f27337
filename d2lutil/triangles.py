"""The triangle: the gradient as a sum over pairs of a loss and an earlier use of the weight."""

import matplotlib
import matplotlib.colors
import numpy
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from d2lutil.figures import COLORS
from d2lutil.truncation import reach

__all__ = ["triangle"]

#: The line of each scheme, so that a figure can be read in grey: those of :func:`d2lutil.use_style`.
LINES = dict(zip(COLORS, ["-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1))], strict=True))

NUMBERED = 8  # most steps for which cells hold numbers unless asked
FAINTEST, STRONGEST = 0.1, 0.62  # shares of colour; black numbers stay readable on the strongest
DECADES = 6  # shown by the shades where cells hold no numbers


def triangle(terms, schemes=None, *, numbers=None, rows=False, columns=False, ylabel="loss of step $t$"):
    """Draw terms T(t, i), one cell each: row t is the loss of step t, column i the weight's use at step i.

    A cell is the darker the larger its term; where cells hold no numbers the shades are logarithmic, over
    six decades. Negative terms are hatched. A line in the scheme's colour and style surrounds the cells
    that a scheme keeps; a cell that it cuts is empty.

    Parameters
    ----------
    terms : array ``(num_steps, num_steps)``
        Whole terms, 0 above the diagonal.
    schemes : dict of str to array, optional
        A panel each. ``(num_steps,)`` is a scheme ξ, whose terms have the weights of :func:`d2lutil.reach`.
        ``(num_steps, num_steps)`` are the weights themselves, such as those of a window of τ losses,
        ``numpy.tri(T) - numpy.tri(T, k=-tau)``. The names of :data:`d2lutil.COLORS` have their colours.
        Default: one panel without a title that keeps everything.
    numbers : bool, optional
        Whether cells hold their numbers. Default: up to 8 steps.
    rows, columns : bool
        Whether the sums of the rows stand at the right, those of the columns below.
    ylabel : str
        What a row belongs to.

    Returns
    -------
    matplotlib.figure.Figure
        Its alt text should say which cells are kept, where the large ones are, and what a reader is to see:
        "A lower triangle of 21 cells in two panels. Full keeps all. Regular keeps two triangles of 6 cells
        along the diagonal; the square of 9 below them is empty."

    Raises
    ------
    TypeError, ValueError
        Terms that are no square array of numbers with zeros above the diagonal; a scheme of another size.
    """
    from matplotlib import pyplot  # here: it takes its time, and not everybody draws

    terms = _lower("terms", terms)
    num_steps = len(terms)
    kept = _weights({"full": numpy.ones(num_steps)} if schemes is None else schemes, num_steps)
    numbers = num_steps <= NUMBERED if numbers is None else numbers
    largest = max(abs(terms * weight).max() for weight in kept.values()) or 1
    side = min(3.7, 0.62 * num_steps + 0.4) if numbers else 3.3
    size = (side + 0.5 * rows) * len(kept) + 0.3, side + 0.35 * columns + 0.3
    figure, axes = pyplot.subplots(1, len(kept), figsize=size, sharey=True, squeeze=False)
    for ax, (name, weight) in zip(axes[0], kept.items(), strict=True):
        color, line = COLORS.get(name, "0.3"), LINES.get(name, "-")
        values = terms * weight
        _cells(ax, values, weight != 0, _shades(values, largest, numbers), color, numbers)
        outline = LineCollection(_outline(weight != 0), color=color, linestyle=line, lw=2, gid="outline")
        ax.add_collection(outline)
        _sums(ax, values, rows, columns)
        ax.set_title(name if schemes else "", color=color, fontweight="bold", fontsize=10)
        ax.set_xlabel("use of the weight at step $i$")
        _axis(ax, num_steps, rows, columns)
    axes[0, 0].set_ylabel(ylabel)
    return figure


def _lower(name, value):
    """Return a square array of finite numbers with zeros above the diagonal, or say what is wrong."""
    try:
        if numpy.iscomplexobj(value):
            raise TypeError
        value = numpy.array(value, dtype="float64")
    except (TypeError, ValueError):
        raise TypeError(f"{name}={value!r}; allowed: an array of numbers") from None
    if value.ndim != 2 or value.shape[0] != value.shape[1] or not value.size:
        raise ValueError(f"{name} has shape {value.shape}; allowed: (num_steps, num_steps)")
    if not numpy.isfinite(value).all() or numpy.triu(value, 1).any():
        raise ValueError(f"{name}={value}; allowed: finite numbers, 0 above the diagonal")
    return value


def _weights(schemes, num_steps):
    """Return the weights of the cells by scheme, each ``(num_steps, num_steps)``."""
    if not isinstance(schemes, dict) or not schemes:
        raise TypeError(f"schemes={schemes!r}; allowed: a dict of names to weights, at least one")
    weights = {}
    for name, value in schemes.items():
        flat = numpy.ndim(value) == 1
        weights[name] = _lower(f"schemes[{name!r}]", reach(value) if flat else value)
        if len(weights[name]) != num_steps:
            raise ValueError(f"schemes[{name!r}] has {len(weights[name])} steps; allowed: {num_steps}")
    return weights


def _shades(values, largest, linear):
    """Return the share of colour of each cell: by size, or by the logarithm of the size."""
    share = abs(values) / largest
    if not linear:
        share = 1 + numpy.log10(numpy.maximum(share, 10.0**-DECADES)) / DECADES
    return FAINTEST + (STRONGEST - FAINTEST) * numpy.minimum(share, 1)


def _cells(ax, values, kept, shades, color, numbers):
    """Draw the cells on and below the diagonal."""
    for t, i in zip(*numpy.tril_indices(len(values)), strict=True):
        shade = matplotlib.colors.to_rgba(color, shades[t, i]) if kept[t, i] else "none"
        hatch = "////" if numbers and values[t, i] < 0 else None
        style = {"facecolor": shade, "edgecolor": "0.8", "lw": 0.5 if numbers else 0, "hatch": hatch}
        # As many cells as there are without numbers are one image in an SVG or PDF.
        cell = Rectangle((i + 0.5, t + 0.5), 1, 1, gid=f"cell-{t}-{i}", rasterized=not numbers, **style)
        ax.add_patch(cell)
        if numbers and kept[t, i]:
            ax.text(i + 1, t + 1, _number(values[t, i]), size=8, ha="center", va="center")


def _number(value):
    """Return a number of two decimals, with a minus sign as wide as a digit."""
    return f"{value:.2f}".replace("-", "−")


def _outline(kept):
    """Return the lines, ``(start, stop)`` each, between cells that are kept and others."""
    lines = []
    for transposed in (False, True):
        cells = numpy.pad(kept.T if transposed else kept, 1).astype(int)
        for row, edges in enumerate(numpy.diff(cells, axis=0) != 0):
            ends = numpy.flatnonzero(numpy.diff(numpy.pad(edges.astype(int), 1)))
            for start, stop in ends.reshape(-1, 2) - 0.5:
                line = [(start, row + 0.5), (stop, row + 0.5)]
                lines.append([point[::-1] for point in line] if transposed else line)
    return lines


def _sums(ax, values, rows, columns):
    """Write the sums of rows at the right of the cells, those of columns below."""
    end, style = len(values) + 1.05, {"size": 8, "ha": "center", "va": "center"}
    if rows:
        ax.text(end, 0.25, "sum", **style)
        for k, total in enumerate(values.sum(axis=1), 1):
            ax.text(end, k, _number(total), gid=f"row-{k - 1}", weight="bold", **style)
    if columns:
        ax.text(0.05, end, "sum", **style)
        for k, total in enumerate(values.sum(axis=0), 1):
            ax.text(k, end, _number(total), gid=f"column-{k - 1}", weight="bold", **style)


def _axis(ax, num_steps, rows, columns):
    """Count steps from 1, the first row at the top."""
    step = max(1, round(num_steps / 8))
    ticks = numpy.arange(1, num_steps + 1, step)
    ax.set(xticks=ticks, yticks=ticks, aspect="equal")
    ax.set_xlim(-0.3 if columns else 0.4, num_steps + 0.6 + rows)
    ax.set_ylim(num_steps + 0.6 + 0.8 * columns, 0.0 if rows else 0.4)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
