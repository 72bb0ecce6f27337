"""Figures: one style for all, one colour for each scheme."""

import matplotlib
from cycler import cycler

__all__ = ["COLORS", "use_style"]

#: The colour of each scheme in every figure (Okabe and Ito's palette, told apart by the colour-blind).
COLORS = {
    "full": "#0072B2",
    "regular": "#D55E00",
    "randomized": "#009E73",
    "random lengths": "#CC79A7",
    "sliding window": "#E69F00",
}


def use_style():
    """Set matplotlib's defaults for the book's figures."""
    matplotlib.rcParams.update(
        {
            "figure.figsize": (7, 3.2),
            "figure.dpi": 160,
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": cycler(color=list(COLORS.values()))
            + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1))]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "font.size": 10,
            "legend.frameon": False,
            "svg.hashsalt": "bptt",
        }
    )
