"""Mistakes in a truncated loop, made in PyTorch and in JAX: what each shows.

``detach-clinic.ipynb`` makes the same mistakes in MXNet, on the same numbers,
and prints the three side by side. ``python symptoms.py`` makes them again and
writes what is seen to ``symptoms.csv``.
"""

import csv
import importlib
import re
from pathlib import Path

import numpy

TABLE = Path(__file__).with_suffix(".csv")
FRAMEWORKS = ("torch", "jax")
COLUMNS = ("case", "framework", "outcome", "off", "message")

T, TAU, V, N = 12, 4, 5, 6  # steps, steps a chunk, characters, units
CHUNKS = [range(start, start + TAU) for start in range(0, T, TAU)]
SEGMENTS = [range(5), range(5, 7), range(7, T)]  # of one random draw
PI = 0.7  # the chance that the text goes on, so that 1 / (1 - PI) is expected

_rng = numpy.random.default_rng(0)
X, Y = _rng.integers(V, size=(2, T, 3))  # 3 columns
h0 = _rng.normal(size=(3, N))
#: W_xh, W_hh, b_h, W_hq, b_q
PARAMS = [
    0.5 * _rng.normal(size=shape) for shape in [(V, N), (N, N), N, (N, V), V]
]
#: An LSTM's W_xh, W_hh, b_h: the gates i, f, g, o of 4 units each.
LSTM = [0.5 * _rng.normal(size=shape) for shape in [(V, 16), (4, 16), 16]]
TARGET = _rng.normal(size=(T, 3, 4))

#: The network of a reader's question: h_t = w h_{t-1}, and the loss is h_t.
W, H0 = 0.2, 0.9


def register():
    """Return an empty table, and a decorator that puts a mistake into it."""
    cases = {}

    def case(function):
        cases[function.__name__] = function
        return function

    return cases, case


def observe(framework):
    """Return the rows of a framework, one a mistake.

    Parameters
    ----------
    framework : {"torch", "jax"}

    Returns
    -------
    list of dict
        By :data:`COLUMNS`. The outcome is "right", "wrong" or "error";
        ``off`` is the largest deviation from the right numbers, None after an
        error, whose class and first clause are ``message``.
    """
    cases = importlib.import_module(f"symptoms_{framework}").CASES
    return [
        {"case": name, "framework": framework, **outcome(case)}
        for name, case in cases.items()
    ]


def outcome(case):
    """Make a mistake, and return what is seen."""
    try:
        found, right = case()
    except Exception as error:  # what a reader sees is the point
        clause = re.split(r" \(|: \[|\. |; | with shape|\n", str(error))[0]
        message = f"{type(error).__name__}: {clause}"
        return {"outcome": "error", "off": None, "message": message}
    pairs = zip(found, right, strict=True)
    off = max(abs(numpy.subtract(*pair)).max() for pair in pairs)
    word = "right" if off < 1e-12 else "wrong"
    return {"outcome": word, "off": float(off), "message": ""}


def write():
    """Make every mistake in every framework, and write the table."""
    rows = [row for name in FRAMEWORKS for row in observe(name)]
    with open(TABLE, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in rows:
            digits = "" if row["off"] is None else f"{row['off']:.12f}"
            table.writerow({**row, "off": digits})


if __name__ == "__main__":
    write()
