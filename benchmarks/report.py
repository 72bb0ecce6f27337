"""The tables and the figure of what was measured, for the page ``book/cost.md``."""

import matplotlib.pyplot as plt
import numpy

import d2lutil
from benchmarks.contestants import Package
from benchmarks.counts import counts, multiplications
from benchmarks.machinery import ALL
from benchmarks.memory import LENGTHS
from benchmarks.problem import EVERY_STEP, REGULAR, STAGGERED
from benchmarks.products import Products, operations
from benchmarks.step import MIN_ROUNDS

MARKERS = {"full": "s", REGULAR: "o", "randomized every 25": "^", EVERY_STEP: "v", STAGGERED: "D"}
NAMES = {"tanh": "tanh", "gru": "GRU", "lstm": "LSTM"}
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
        [NAMES[cell], shape_name(shape), code(contestant)]
        + [entry(cell, shape, (contestant, scheme)) for scheme in MARKERS]
        for cell, shapes in steps.items()
        for shape, seconds in shapes.items()
        for contestant in programs(seconds)
    ]
    return table(["cell", "(T, B, n)", "program", *MARKERS], rows)


def code(contestant):
    """Return the name of a contestant as Markdown."""
    return f"`{contestant}`" if "." in contestant else contestant


def spread(numerator, denominator):
    """Return the ratio of two lists of seconds, round by round, as text: its median, least and most."""
    rounds = min(len(numerator), len(denominator))
    if rounds < MIN_ROUNDS:
        raise ValueError(f"{rounds} rounds; allowed: at least {MIN_ROUNDS} for a ratio")
    ratios = numpy.array(numerator[:rounds]) / numpy.array(denominator[:rounds])
    return f"{numpy.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def programs(seconds):
    """Return the names of the programs that were measured, in their order."""
    return [name for name in dict.fromkeys(name for name, _ in seconds) if name != Products.name]


def over_chunks(steps, scaled, shape):
    """Return, for every cell and program at a shape, the seconds of each scheme over those of chunks."""
    names = [name for name in MARKERS if name != REGULAR]

    def entry(cell, program, scheme):
        seconds = steps[cell][shape]
        if (program, scheme) not in seconds:
            return NONE
        mark = "≈ " if {(program, scheme), (program, REGULAR)} & scaled[cell][shape] else ""
        return mark + spread(seconds[program, scheme], seconds[program, REGULAR])

    rows = [
        [NAMES[cell], code(program), *(entry(cell, program, scheme) for scheme in names)]
        for cell, shapes in steps.items()
        if shape in shapes
        for program in programs(shapes[shape])
    ]
    return table(["cell", "program", *names], rows)


def over_package(steps):
    """Return, for every cell and shape, the other programs' seconds over the package's, under chunks."""
    shapes = list(dict.fromkeys(shape for measured in steps.values() for shape in measured))

    def entry(measured, shape, program):
        if shape not in measured:
            return NONE
        return spread(measured[shape][program, REGULAR], measured[shape][Package.name, REGULAR])

    rows = [
        [NAMES[cell], code(program), *(entry(measured, shape, program) for shape in shapes)]
        for cell, measured in steps.items()
        for program in programs(next(iter(measured.values())))
        if program != Package.name
    ]
    return table(["cell", "program", *map(shape_name, shapes)], rows)


def machinery(measured):
    """Return the table of the seconds without a part of the machinery over those with all."""
    parts = [name for name in next(iter(measured.values())) if name != ALL]
    rows = [[name, *(spread(s[name], s[ALL]) for s in measured.values())] for name in parts]
    return table(["without", *(f"{NAMES[cell]} {shape_name(shape)}" for cell, shape in measured)], rows)


def products(steps, largest):
    """Return the table that compares a training step with its matrix products.

    ``largest`` holds by shape the operations a second of the largest product.
    """
    schemes = ("full", REGULAR)
    rows = [
        [f"seconds: products alone / {code(Package.name)}, {scheme}"]
        + [spread(s[Products.name, "full"], s[Package.name, scheme]) for s in steps.values()]
        for scheme in schemes
    ]
    rows.append(
        ["10⁹ operations a second: the largest product", *(f"{largest[s] / 1e9:.0f}" for s in steps)]
    )
    rows += [
        [f"10⁹ operations a second: {code(Package.name)}, {scheme}"]
        + [
            f"{operations(shape) / numpy.median(s[Package.name, scheme]) / 1e9:.0f}"
            for shape, s in steps.items()
        ]
        for scheme in schemes
    ]
    return table(["(T, B, n)", *map(shape_name, steps)], rows)


def count(schemes, shape, tau):
    """Return the table of what each scheme must do and keep at a shape."""
    counted = counts(schemes, tau)
    full = multiplications(counted["full"], shape)
    rows = [
        [
            name,
            f"{100 * multiplications(c, shape) / full:,.1f} %",
            *(f"{number:,}" for number in (c.chain, c.states)),
            NONE if c.calls is None else f"{c.calls:,}",
        ]
        for name, c in counted.items()
    ]
    head = [
        "scheme",
        "multiplications, full = 100 %",
        "longest chain back",
        "states kept",
        "calls of a layer",
    ]
    return table(head, rows)


def memory(peaks):
    """Return the table of memory: what one gradient adds to the process, and the process's peak."""
    rows = [
        [NAMES[cell], code(contestant), scheme, *(f"{peak - before:.0f} of {peak:.0f}" for peak in after)]
        for (contestant, cell, scheme), (before, after) in peaks.items()
    ]
    return table(["cell", "program", "scheme", *(f"T = {num_steps:,}" for num_steps in LENGTHS)], rows)


def figure(steps, shapes, path):
    """Draw predictions a second by program and scheme, a row of panels a cell, a column a shape."""
    d2lutil.use_style()
    plt.rcParams["svg.hashsalt"] = "cost"
    colors = {
        "full": d2lutil.COLORS["full"],
        REGULAR: d2lutil.COLORS["regular"],
        "randomized every 25": d2lutil.COLORS["randomized"],
        EVERY_STEP: d2lutil.COLORS["randomized"],
        STAGGERED: d2lutil.COLORS["regular"],
    }
    names = {cell: programs(measured[shapes[0]])[::-1] for cell, measured in steps.items()}
    heights = [1 + len(own) for own in names.values()]
    figure, axes = plt.subplots(
        len(steps),
        len(shapes),
        figsize=(7, 0.33 * sum(heights) + 0.8),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for row, (cell, measured) in zip(axes, steps.items(), strict=True):
        for ax, shape in zip(row, shapes, strict=True):
            own = names[cell]
            for (name, scheme), values in measured[shape].items():
                if name not in own:
                    continue
                rate = shape[0] * shape[1] / numpy.median(values) / 1e3
                # shapes of the markers tell the schemes apart without colour
                style = {"marker": MARKERS[scheme], "color": colors[scheme], "ms": 6, "ls": ""}
                filled = "none" if scheme in (EVERY_STEP, STAGGERED) else "full"
                ax.plot(rate, own.index(name), fillstyle=filled, label=scheme, **style)
            ax.set(xscale="log", ylim=(-0.6, len(own) - 0.4))
            ax.set_yticks(range(len(own)), own if ax is row[0] else [""] * len(own))
            ax.set_title(f"{NAMES[cell]}, {columns(shape)}, {shape[2]} units", loc="left", fontsize=9)
            ax.grid(axis="x", alpha=0.4)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    figure.legend(by_label.values(), by_label, loc="outside upper center", ncols=5, fontsize=8)
    figure.supxlabel("thousand predictions a second (more is faster)", fontsize=9)
    plt.savefig(path, metadata={"Date": None})
    plt.close()


def columns(shape):
    """Return how many columns a batch has, in words."""
    return "one column" if shape[1] == 1 else f"{shape[1]} columns"
