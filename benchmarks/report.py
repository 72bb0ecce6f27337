"""The tables and the figure of what was measured, for the page ``book/cost.md``."""

import matplotlib.pyplot as plt
import numpy

import d2lutil
from benchmarks.contestants import Package
from benchmarks.machinery import ALL
from benchmarks.memory import LENGTHS
from benchmarks.problem import EVERY_STEP, REGULAR, STAGGERED

MARKERS = {"full": "s", REGULAR: "o", "randomized every 25": "^", EVERY_STEP: "v", STAGGERED: "D"}
NONE = "–"  # not measured


def table(head, rows):
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def shape_name(shape):
    """Return (T, B, n) as text."""
    return f"({shape[0]:,}, {shape[1]}, {shape[2]})"


def rates(steps, scaled):
    """Return the table of thousands of predictions a second; ≈ marks what was measured on a part."""

    def entry(cell, shape, key):
        if key not in steps[cell][shape]:
            return NONE
        rate = shape[0] * shape[1] / numpy.median(steps[cell][shape][key]) / 1e3
        return ("≈ " if key in scaled[cell][shape] else "") + f"{rate:.3g}"

    rows = [
        [cell, shape_name(shape), code(contestant)]
        + [entry(cell, shape, (contestant, scheme)) for scheme in MARKERS]
        for cell, shapes in steps.items()
        for shape, seconds in shapes.items()
        for contestant in dict.fromkeys(name for name, _ in seconds)
    ]
    return table(["", "$(T, B, n)$", "", *MARKERS], rows)


def code(contestant):
    """Return the name of a contestant as Markdown."""
    return f"`{contestant}`" if "." in contestant else contestant


def spread(numerator, denominator):
    """Return the ratio of two lists of seconds, round by round: median, least, most, or the only one."""
    rounds = min(len(numerator), len(denominator))
    ratios = numpy.array(numerator[:rounds]) / numpy.array(denominator[:rounds])
    if rounds == 1:
        return f"{ratios[0]:.2f} (once)"
    return f"{numpy.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def ratios(steps):
    """Return a cell's table of ratios: the package's schemes, the others' seconds over the package's."""

    def row(label, key):
        cells = [spread(s[key], s[Package.name, REGULAR]) if key in s else NONE for s in steps.values()]
        return [label, *cells]

    keys = dict.fromkeys(key for seconds in steps.values() for key in seconds)
    schemes = [name for name in MARKERS if (Package.name, name) in keys and name != REGULAR]
    others = dict.fromkeys(name for name, _ in keys if name != Package.name)
    rows = [row(f"{name} / regular", (Package.name, name)) for name in schemes]
    rows += [row(f"{code(o)} / {code(Package.name)}, both regular", (o, REGULAR)) for o in others]
    return table(["seconds over seconds", *map(shape_name, steps)], rows)


def machinery(measured):
    """Return the table of the seconds without a part of the machinery over those with all."""
    parts = [name for name in next(iter(measured.values())) if name != ALL]
    rows = [[name, *(spread(s[name], s[ALL]) for s in measured.values())] for name in parts]
    return table(["without", *(f"{cell} {shape_name(shape)}" for cell, shape in measured)], rows)


def products(steps, measured):
    """Return the table that compares a training step with its matrix products."""
    schemes = ("full", REGULAR)
    least = [{name: numpy.median(s[Package.name, name]) for name in schemes} for s in steps.values()]
    alone, largest, count = zip(*(measured[shape] for shape in steps), strict=True)
    rows = [
        [f"products alone / {code(Package.name)}, {scheme}"]
        + [f"{seconds / own[scheme]:.2f}" for seconds, own in zip(alone, least, strict=True)]
        for scheme in schemes
    ]
    rows.append(
        ["10⁹ operations a second: the largest product", *(f"{rate / 1e9:.0f}" for rate in largest)]
    )
    rows += [
        [f"10⁹ operations a second: {code(Package.name)}, {scheme}"]
        + [f"{number / own[scheme] / 1e9:.0f}" for number, own in zip(count, least, strict=True)]
        for scheme in schemes
    ]
    return table(["", *map(shape_name, steps)], rows)


def memory(peaks):
    """Return the table of memory: what one gradient adds to the process, and the process's peak."""
    rows = [
        [cell, code(contestant), scheme, *(f"{peak - before:.0f} of {peak:.0f}" for peak in after)]
        for (contestant, cell, scheme), (before, after) in peaks.items()
    ]
    return table(["", "", "", *(f"T = {num_steps:,}" for num_steps in LENGTHS)], rows)


def book(imported, built, chapters):
    """Return the table of the book's own seconds."""
    rows = [["`import d2lutil`", f"{imported:.1f}"]]
    rows += [["the site, first build", f"{built[0]:.0f}"], ["the site, nothing changed", f"{built[1]:.0f}"]]
    rows += [[f"[]({name}.ipynb)", f"{seconds:.0f}"] for name, seconds in chapters.items()]
    return table(["", "seconds"], rows)


def figure(steps, path):
    """Draw a cell's predictions a second by contestant, scheme and shape."""
    d2lutil.use_style()
    plt.rcParams["svg.hashsalt"] = "cost"
    colors = {
        "full": d2lutil.COLORS["full"],
        REGULAR: d2lutil.COLORS["regular"],
        "randomized every 25": d2lutil.COLORS["randomized"],
        EVERY_STEP: d2lutil.COLORS["randomized"],
        STAGGERED: d2lutil.COLORS["regular"],
    }
    names = list(dict.fromkeys(name for seconds in steps.values() for name, _ in seconds))[::-1]
    _, axes = plt.subplots(len(steps), 1, figsize=(7, 1.45 * len(steps)), sharex=True, layout="constrained")
    for ax, (shape, seconds) in zip(axes, steps.items(), strict=True):
        for (name, scheme), values in seconds.items():
            rate = shape[0] * shape[1] / numpy.array(values) / 1e3
            # shapes of the markers tell the schemes apart without colour
            style = {"marker": MARKERS[scheme], "color": colors[scheme], "ms": 6, "ls": ""}
            filled = "none" if scheme in (EVERY_STEP, STAGGERED) else "full"
            ax.plot(numpy.median(rate), names.index(name), fillstyle=filled, label=scheme, **style)
        ax.set(xscale="log", yticks=range(len(names)), yticklabels=names, ylim=(-0.6, len(names) - 0.4))
        ax.set_title(f"T = {shape[0]:,}, batch {shape[1]}, {shape[2]} units", loc="left", fontsize=9)
        ax.grid(axis="x", alpha=0.4)
    handles, labels = axes[0].get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    axes[0].figure.legend(by_label.values(), by_label, loc="outside upper center", ncols=5, fontsize=8)
    axes[-1].set_xlabel("thousand predictions a second (more is faster)")
    plt.savefig(path, metadata={"Date": None})
    plt.close()
