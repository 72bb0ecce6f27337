"""Write the values with which ``make translations`` compares PyTorch and JAX: MXNet's, in float64.

``book/translations/values.json`` holds a small problem, and what ``loop_mxnet.py`` makes of it;
``witnesses.md`` is the table of its witnesses. After a change: ``.venv/bin/python tools/translations.py``.
"""

import contextlib
import functools
import itertools
import json
import sys
from pathlib import Path

import numpy

import d2lutil  # before MXNet

# isort: split
from mxnet import gluon, np

FOLDER = Path(__file__).resolve().parent.parent / "book" / "translations"
FILE, TABLE = FOLDER / "values.json", FOLDER / "witnesses.md"
NUM_STEPS, BATCH, HIDDENS, VOCAB, WINDOW = 24, 3, 4, 7, 8
TOKENS = [4, 5, 6]  # each is read at the first step of a window, and nowhere else
GATES = {"tanh": 1, "lstm": 4}
LOOPS = {
    "right": "as shown",
    "open": "borders open",
    "first": "only the first border closed",
    "lost": "the first loss of each window left out",
    "every": "cut at every step",
}
sys.path.insert(0, str(FOLDER))

import loop_mxnet  # noqa: E402  (what is run is what the page shows)
from schemes import randomized  # noqa: E402
from witnesses import entrance, inside, missing  # noqa: E402


def problem():
    """Draw the text, the three arrays, and for each cell parameters and a state, from one seed.

    Each window begins with a token of its own. In the second window column 0 begins anew at step 11; the
    last two steps of column 1 are padding, whose targets are no token. ``losses`` are two other arrays of
    weights: without the first loss of each window, and with the last one alone.
    """
    rng = numpy.random.default_rng(18)
    X = rng.integers(0, TOKENS[0], (NUM_STEPS, BATCH))
    X[::WINDOW] = numpy.reshape(TOKENS, (-1, 1))
    Y = rng.integers(0, VOCAB, (NUM_STEPS, BATCH))
    columns = [randomized(NUM_STEPS, pi, rng) for pi in (0.5, 0.8, 1)]
    begins = numpy.zeros((NUM_STEPS, BATCH), bool)
    weights = rng.uniform(0.5, 2, (NUM_STEPS, BATCH))
    begins[11, 0], weights[-2:, 1], Y[-2:, 1] = True, 0, -1
    arrays = {"xi": numpy.transpose(columns), "begins": begins, "weights": weights}
    place = numpy.arange(NUM_STEPS)[:, None] % WINDOW  # of a step in its window
    losses = {"lost": numpy.where(place == 0, 0, weights)}
    losses["last"] = numpy.where(place == WINDOW - 1, weights, 0)
    cells = {}
    for cell, gates in GATES.items():
        width = gates * HIDDENS
        shapes = {"W_xh": (VOCAB, width), "W_hh": (HIDDENS, width), "b_h": width}
        shapes |= {"W_hq": (HIDDENS, VOCAB), "b_q": VOCAB}
        params = {name: rng.normal(scale=0.5, size=shape) for name, shape in shapes.items()}
        state = [rng.normal(size=(BATCH, HIDDENS)) for _ in range(1 + (cell == "lstm"))]
        cells[cell] = {"params": params, "state": state}
    settings = {"window": WINDOW, "lr": 0.5, "momentum": 0.875}  # no error in single precision
    text = {"X": X, "Y": Y, "tokens": TOKENS}
    return text | settings | {"arrays": arrays, "losses": losses, "cells": cells}


def network(cell, params):
    """Return the network of the package with these parameters."""
    net = {"tanh": d2lutil.RNN, "lstm": d2lutil.LSTM}[cell](VOCAB, HIDDENS)
    net.initialize()
    net.cast("float64")
    for name, value in params.items():
        getattr(net, name).set_data(value)
    return net


def run(loop, given, cell, optimizer, window=WINDOW, **changed):
    """Run one of the loops of ``loop_mxnet.py`` on a problem.

    Parameters
    ----------
    loop : callable
        ``train_chunks`` or ``train_gated``.
    given : dict
        The problem.
    cell : {"tanh", "lstm"}
    optimizer : list
        What ``gluon.Trainer`` takes after the parameters.
    window : int
        Steps between two updates.
    **changed : array
        In the place of ``xi`` or ``weights`` of the problem.

    Returns
    -------
    dict
        ``params`` and ``state`` at the end, and the ``names`` of the parameters in MXNet.
    """
    own, arrays = given["cells"][cell], given["arrays"] | changed
    net = network(cell, own["params"])
    state = tuple(np.array(part, dtype="float64") for part in own["state"])
    X, Y = (np.array(given[key], dtype="int32") for key in "XY")
    if loop.__name__ == "train_chunks":  # there every target counts
        arrays, Y = {}, np.where(Y < 0, np.zeros_like(Y), Y)
    arrays = [np.array(array, dtype=array.dtype) for array in arrays.values()]
    trainer = gluon.Trainer(net.collect_params(), *optimizer)
    last = loop(net, X, Y, state if cell == "lstm" else state[0], window, trainer, *arrays)
    last = last if cell == "lstm" else [last]
    names = {name: getattr(net, name) for name in net.names}
    params = {name: parameter.data().asnumpy() for name, parameter in names.items()}
    names = {name: parameter.name for name, parameter in names.items()}
    return {"params": params, "state": [part.asnumpy() for part in last], "names": names}


def gradients(loop, given, cell, window=WINDOW, **changed):
    """Return the gradients of each update, by the package's names of the parameters."""
    frozen = loop_mxnet.Frozen()
    names = run(loop, given, cell, [frozen], window, **changed)["names"]
    return [{name: g[own].asnumpy() for name, own in names.items()} for g in frozen.seen]


def values(given):
    """Return what MXNet makes of a problem: for each cell and loop parameters, state and gradients."""
    found, sgd = {}, ["sgd", {"learning_rate": given["lr"], "momentum": given["momentum"]}]
    for cell in GATES:
        for loop in (loop_mxnet.train_chunks, loop_mxnet.train_gated):
            done = run(loop, given, cell, sgd)
            del done["names"]
            found[f"{cell} {loop.__name__}"] = done | {
                "gradients": gradients(loop, given, cell),
                "whole": gradients(loop, given, cell, NUM_STEPS)[0],
            }
    return found


@contextlib.contextmanager
def open_borders(closed=()):
    """Leave out the detach of MXNet's loop at all borders but some, of which 1 is the first.

    The record is retained: without that PyTorch, and MXNet on most ways, would raise an error.
    """
    each, backward, windows = loop_mxnet.each, np.ndarray.backward, itertools.count()

    def some(function, state):
        if function.__name__ != "part" and next(windows) not in closed:  # part: what a step does first
            return state
        return tuple(map(function, state)) if isinstance(state, tuple) else function(state)

    loop_mxnet.each = some
    np.ndarray.backward = functools.partialmethod(backward, retain_graph=True)
    try:
        yield
    finally:
        loop_mxnet.each, np.ndarray.backward = each, backward


def witnesses(given):
    """Return for each cell and each loop of LOOPS the entrance, the exit, and the control."""
    never = numpy.zeros_like(given["arrays"]["xi"])
    changes = {
        "right": {},
        "open": {"closed": ()},
        "first": {"closed": (1,)},
        "lost": {"weights": given["losses"]["lost"]},
        "every": {"xi": never},
    }
    found = {}
    for cell in GATES:
        (whole,) = gradients(loop_mxnet.train_gated, given, cell, NUM_STEPS)
        for name, change in changes.items():
            found[f"{cell} {name}"] = three(given, cell, whole["W_hq"], **change)
    return found


def three(given, cell, whole, closed=None, **changed):
    """Return the entrance, the exit and the control of one loop."""

    def seen(**losses):
        with contextlib.nullcontext() if closed is None else open_borders(closed):
            return gradients(loop_mxnet.train_gated, given, cell, **changed | losses)

    all_losses, last = seen(), seen(weights=given["losses"]["last"])
    return [
        entrance([g["W_xh"] for g in all_losses], TOKENS),
        missing([g["W_hq"] for g in all_losses], whole),
        inside([g["W_xh"] for g in last], TOKENS),
    ]


def table(found):
    """Return the table of the witnesses, in Markdown."""
    lines = ["| loop | entrance | exit | control |", "| --- | --- | --- | --- |"]
    for name, loop in LOOPS.items():
        pairs = zip(found[f"tanh {name}"], found[f"lstm {name}"], strict=True)
        shown = [dict.fromkeys(map(plain, pair)) for pair in pairs]  # one number if both are the same
        lines.append(f"| {loop} | {' | '.join(map('; '.join, shown))} |")
    return "\n".join(lines) + "\n"


def plain(number):
    """Return a number with two digits; what is left of 0 after rounding is a bound."""
    if number < 1e-15:
        return "< 10⁻¹⁵" if number else "0"
    return f"{float(f'{number:.1e}'):f}".rstrip("0")


def main():
    """Write both files."""
    given = problem()
    entries = {"problem": given, **values(given), "witnesses": witnesses(given)}
    lines = [f"{json.dumps(key)}: {json.dumps(value, default=list_of)}" for key, value in entries.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    TABLE.write_text(table(entries["witnesses"]), encoding="utf-8")


def list_of(array):
    """Return an array as JSON can hold it."""
    return array.tolist()


if __name__ == "__main__":
    main()
