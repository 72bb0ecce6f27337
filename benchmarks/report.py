"""The tables and the figure of what was measured, for the page ``book/cost.md``."""

import matplotlib.pyplot as plt
import numpy

import d2lutil
from benchmarks.contestants import Package

REGULAR = "regular, τ = 50"
MARKERS = {"full": "s", REGULAR: "o", "randomized every 25": "^", "randomized every step": "v"}


def table(head, rows):
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def shape_name(shape):
    """Return (T, B, n) as text."""
    return f"({shape[0]:,}, {shape[1]}, {shape[2]})"


def rates(steps):
    """Return the table of thousands of predictions a second."""
    names = list(MARKERS)
    rows = []
    for shape, seconds in steps.items():
        for contestant in dict.fromkeys(name for name, _ in seconds):
            cells = [
                f"{shape[0] * shape[1] / numpy.median(seconds[contestant, name]) / 1e3:.3g}"
                if (contestant, name) in seconds
                else "–"
                for name in names
            ]
            rows.append([shape_name(shape), f"`{contestant}`" if "." in contestant else contestant, *cells])
    return table(["$(T, B, n)$", "", *names], rows)


def spread(numerator, denominator):
    """Return the ratio of two lists of seconds, round by round: median, least, most."""
    rounds = min(len(numerator), len(denominator))
    ratios = numpy.array(numerator[:rounds]) / numpy.array(denominator[:rounds])
    return f"{numpy.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def ratios(steps, products):
    """Return the table of ratios: the package's schemes, and the others' seconds over the package's."""
    names = dict.fromkeys(name for seconds in steps.values() for name, _ in seconds)
    others = [name for name in names if name != Package.name]
    rows = []
    for scheme in [name for name in MARKERS if name != REGULAR]:
        cells = [spread(s[Package.name, scheme], s[Package.name, REGULAR]) for s in steps.values()]
        rows.append([f"{scheme} / regular", *cells])
    for other in others:
        cells = [
            spread(s[other, REGULAR], s[Package.name, REGULAR]) if (other, REGULAR) in s else "–"
            for s in steps.values()
        ]
        rows.append([f"{other} / `d2lutil.bptt`, both regular", *cells])
    cells = [
        f"{alone / numpy.median(s[Package.name, REGULAR]):.2f}"
        for s, (alone, _, _) in zip(steps.values(), products.values(), strict=True)
    ]
    rows.append(["the matrix products alone / `d2lutil.bptt`, regular", *cells])
    cells = [f"{rate / 1e9:.0f}" for _, rate, _ in products.values()]
    rows.append(["largest product, 10⁹ operations a second", *cells])
    cells = [
        f"{operations / numpy.median(s[Package.name, REGULAR]) / 1e9:.0f}"
        for s, (_, _, operations) in zip(steps.values(), products.values(), strict=True)
    ]
    rows.append(["`d2lutil.bptt`, regular, 10⁹ operations a second", *cells])
    return table(["seconds over seconds", *map(shape_name, steps)], rows)


def memory(peaks):
    """Return the table of memory: what one gradient adds to the process, and the process's peak."""
    lengths = list(dict.fromkeys(num_steps for *_, num_steps in peaks))
    rows = [
        [f"`{contestant}`", scheme]
        + [
            f"{after - before:.0f} of {after:.0f}"
            for before, after in (peaks[contestant, scheme, num_steps] for num_steps in lengths)
        ]
        for contestant, scheme in dict.fromkeys(key[:2] for key in peaks)
    ]
    return table(["", "", *(f"T = {num_steps:,}" for num_steps in lengths)], rows)


def book(imported, built, chapters):
    """Return the table of the book's own seconds."""
    rows = [["`import d2lutil`", f"{imported:.1f}"]]
    rows += [["the site, first build", f"{built[0]:.0f}"], ["the site, nothing changed", f"{built[1]:.0f}"]]
    rows += [[f"[]({name}.ipynb)", f"{seconds:.0f}"] for name, seconds in chapters.items()]
    return table(["", "seconds"], rows)


def figure(steps, path):
    """Draw the predictions a second by contestant, scheme and shape."""
    d2lutil.use_style()
    plt.rcParams["svg.hashsalt"] = "cost"
    colors = {
        "full": d2lutil.COLORS["full"],
        REGULAR: d2lutil.COLORS["regular"],
        "randomized every 25": d2lutil.COLORS["randomized"],
        "randomized every step": d2lutil.COLORS["randomized"],
    }
    names = list(dict.fromkeys(name for seconds in steps.values() for name, _ in seconds))[::-1]
    _, axes = plt.subplots(len(steps), 1, figsize=(7, 1.45 * len(steps)), sharex=True, layout="constrained")
    for ax, (shape, seconds) in zip(axes, steps.items(), strict=True):
        for (name, scheme), values in seconds.items():
            rate = shape[0] * shape[1] / numpy.array(values) / 1e3
            # shapes of the markers tell the schemes apart without colour
            style = {"marker": MARKERS[scheme], "color": colors[scheme], "ms": 6, "ls": ""}
            filled = "none" if scheme == "randomized every step" else "full"
            ax.plot(numpy.median(rate), names.index(name), fillstyle=filled, label=scheme, **style)
        ax.set(xscale="log", yticks=range(len(names)), yticklabels=names, ylim=(-0.6, len(names) - 0.4))
        ax.set_title(f"T = {shape[0]:,}, batch {shape[1]}, {shape[2]} units", loc="left", fontsize=9)
        ax.grid(axis="x", alpha=0.4)
    handles, labels = axes[0].get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    axes[0].figure.legend(by_label.values(), by_label, loc="outside upper center", ncols=4, fontsize=8)
    axes[-1].set_xlabel("thousand predictions a second (more is faster)")
    plt.savefig(path, metadata={"Date": None})
    plt.close()
