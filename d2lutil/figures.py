"""Figures: one style for all, one colour for each scheme, and what a scheme looks like."""

import matplotlib
import matplotlib.colors
import numpy
from cycler import cycler
from matplotlib.patches import FancyBboxPatch, Polygon

from d2lutil import paths, validation
from d2lutil.truncation import full, randomized, reach, regular, segments

__all__ = ["COLORS", "cover", "cover_schemes", "partition", "reach_map", "use_style"]

#: The colour of each scheme in every figure (Okabe and Ito's palette, told apart by the colour-blind).
COLORS = {
    "full": "#0072B2",
    "regular": "#D55E00",
    "randomized": "#009E73",
    "random lengths": "#CC79A7",
    "sliding window": "#E69F00",
    "length-dependent": "#56B4E9",
}

COVER_TEXT = "The Time Machine, by H. G. Wells"

# Lengths of the partition figure, in widths of a character.
HEAD, BOX, ARROW, GAP = 1.9, 2.2, 2.9, 1.1
THINNEST, THICKEST = 0.24, 1.5
INCHES, POINTS = 0.2, 20  # width of a character, and the size of its type


def use_style():
    """Set matplotlib's defaults for the book's figures."""
    matplotlib.rcParams.update(
        {
            "figure.figsize": (7, 3.2),
            "figure.dpi": 160,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": cycler(color=list(COLORS.values()))
            + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1))]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "font.size": 10,
            "legend.frameon": False,
            "svg.hashsalt": "bptt",
            "pdf.fonttype": 42,  # TrueType, which journals accept
        }
    )


def reach_map(schemes):
    """Draw :func:`reach` for several schemes side by side, on one scale.

    Parameters
    ----------
    schemes : dict of str to sequence of float, each ``(num_steps,)``
        ξ by name, in the order of the panels.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib import pyplot  # here: it takes its time, and not everybody draws

    weights = {name: reach(xi) for name, xi in _schemes(schemes).items()}
    highest = max(2, *(weight.max() for weight in weights.values()))
    blues = matplotlib.colors.ListedColormap(matplotlib.colormaps["Blues"](numpy.linspace(0.3, 1, 256)))
    figure, axes = pyplot.subplots(1, len(weights), figsize=(7.4, 3), sharey=True, squeeze=False)
    for ax, (name, weight) in zip(axes[0], weights.items(), strict=True):
        norm = matplotlib.colors.LogNorm(1, highest)
        image = ax.imshow(numpy.ma.masked_equal(weight, 0), cmap=blues, norm=norm)
        ax.set_title(name, color=COLORS.get(name, "black"), fontweight="bold", fontsize=10)
        ax.set_xlabel("reaches step i")
        ax.grid(visible=False)
    axes[0, 0].set_ylabel("loss term t")
    bar = figure.colorbar(image, ax=axes, label="weight", shrink=0.75)
    ticks = [value for value in (1, 2, 5, 10, 20, 50, 100) if value <= highest]
    bar.set_ticks(ticks, labels=[f"×{value}" for value in ticks])
    bar.ax.minorticks_off()
    return figure


def partition(text, schemes, notes=None):
    """Draw how schemes cut a text into segments, and how far and how strongly the gradient reaches back.

    A row for each scheme: a box for each segment, and below it an arrow from the segment's last character
    back to its first. The arrow's width, and the number at its head, is the weight ∏ ξ with which
    the last loss term reaches each step.

    Parameters
    ----------
    text : str
        A character a step, at least 2.
    schemes : dict of str to sequence of float, each ``(len(text),)``
        ξ by name, in the order of the rows. The names of :data:`COLORS` have their colours.
    notes : dict of str to str, optional
        What each scheme does, in a few words.

    Returns
    -------
    matplotlib.figure.Figure
        0.2 inches a character wide.

    Raises
    ------
    TypeError, ValueError
        No text, no schemes, a note for an unknown scheme, a ξ of another length than the text.
    """
    from matplotlib import pyplot

    if not isinstance(text, str) or len(text) < 2:
        raise ValueError(f"text={text!r}; allowed: a string of at least two characters")
    schemes, notes = _schemes(schemes, len(text)), dict(notes or {})
    for name in notes.keys() - schemes.keys():
        raise ValueError(f"notes names {name!r}; allowed: {', '.join(schemes)}")
    rows = [(name, xi, reach(xi)) for name, xi in schemes.items()]
    unit = min(THINNEST, THICKEST / max(weight.max() for _, _, weight in rows))
    pitch = HEAD + BOX + ARROW + GAP
    width, height = len(text) + 1, pitch * len(rows) + 1.6
    figure = pyplot.figure(figsize=(width * INCHES, height * INCHES), layout="none", facecolor="white")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.5, len(text) + 0.5), ylim=(height, 0))
    ax.set_axis_off()
    for row, (name, xi, weight) in enumerate(rows):
        top, color = row * pitch + 0.4, COLORS.get(name, "0.35")
        ax.text(0, top + 0.9, name, color=color, weight="bold", size=0.8 * POINTS, va="center")
        note = {"color": "0.25", "size": 0.68 * POINTS, "ha": "right", "va": "center"}
        ax.text(len(text), top + 0.95, notes.get(name, ""), **note)
        for start, stop in segments(xi):
            gid = f"{name.replace(' ', '-')}-{start}-{stop}"
            _segment(ax, text, start, stop, top + HEAD, color).set_gid(f"box-{gid}")
            _arrow(ax, weight[stop - 1, start:stop], start, top + HEAD + BOX, unit, color, f"arrow-{gid}")
    legend = "arrow: how far the gradient reaches back; width, ×: its weight"
    note = {"color": "0.25", "size": 0.62 * POINTS, "ha": "center", "va": "center"}
    ax.text(len(text) / 2, height - 1.0, legend, **note)
    return figure


def cover(path=None):
    """Draw the cover of the book: the three schemes over the title line of the novel.

    Parameters
    ----------
    path : path, optional
        Where to save it as SVG; every box and arrow there is named by its scheme, start and stop.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with matplotlib.rc_context():
        use_style()
        figure = partition(COVER_TEXT, *cover_schemes())
        if path is not None:
            figure.savefig(paths.absolute("path", path), format="svg", metadata={"Date": None})
    return figure


def cover_schemes():
    """Return the schemes of the cover by name, and by name what each does: two dicts."""
    num_steps, rng = len(COVER_TEXT), numpy.random.default_rng(11)
    schemes = {
        "randomized": randomized(num_steps, 5 / 6, rng=rng),
        "regular": regular(num_steps, 6),
        "full": full(num_steps),
    }
    notes = {
        "randomized": "cut by chance, survivors count more",
        "regular": "cut every 6 steps, all count alike",
        "full": "never cut: all the way back",
    }
    return schemes, notes


def _schemes(schemes, num_steps=None):
    """Return schemes by name as arrays of one length, or say what is wrong with them."""
    if not isinstance(schemes, dict) or not schemes:
        raise TypeError(f"schemes={schemes!r}; allowed: a dict of names to weights, at least one")
    checked = {}
    for name, xi in schemes.items():
        checked[name] = validation.one_column(xi, num_steps)
        num_steps = len(checked[name])
        if not numpy.isfinite(reach(checked[name])).all():
            raise ValueError(f"schemes[{name!r}] has products beyond float64; allowed: finite ones")
    return checked


def _segment(ax, text, start, stop, top, color):
    """Draw a segment's box and characters."""
    box = FancyBboxPatch(
        (start + 0.06, top),
        stop - start - 0.12,
        BOX,
        boxstyle="round,pad=0,rounding_size=0.35",
        facecolor=matplotlib.colors.to_rgba(color, 0.13),
        edgecolor=color,
        linewidth=1.6,
    )
    style = {"family": "monospace", "size": 0.86 * POINTS, "color": "0.1", "ha": "center", "va": "baseline"}
    for t in range(start, stop):
        ax.text(t + 0.5, top + 1.5, text[t], **style)
    return ax.add_patch(box)


def _arrow(ax, weight, start, top, unit, color, gid):
    """Draw a segment's way back: as wide at each step as the weight that arrives there."""
    if len(weight) == 1:
        return
    x = start + numpy.arange(len(weight)) + 0.5
    x[-1] += 0.2
    middle, half = top + 1.0, unit * weight / 2
    head = max(half[0] + 0.22, 0.42)
    neck = start + 0.15 + 0.8
    half[0], x[0] = numpy.interp(neck, x, half), neck
    outline = [(start + 0.15, middle), (neck, middle - head), *zip(x, middle - half, strict=True)]
    outline += [*zip(x[::-1], middle + half[::-1], strict=True), (neck, middle + head)]
    ax.add_patch(Polygon(outline, closed=True, facecolor=color, edgecolor="none", gid=gid))
    if len(weight) > 2:
        ax.text(start + 0.1, top + 2.5, f"×{weight[0]:.3g}", size=0.6 * POINTS, color="0.25", va="center")
