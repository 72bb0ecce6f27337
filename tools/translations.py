"""Write the values with which ``make translations`` compares PyTorch and JAX: MXNet's, in float64.

``book/translations/values.json`` holds a small problem, and what ``loop_mxnet.py`` makes of it;
``witnesses.md`` is the table of its witnesses. After a change: ``.venv/bin/python tools/translations.py``.
"""

import contextlib
import functools
import json
import sys
from pathlib import Path

import numpy

import d2lutil  # before MXNet

# isort: split
from mxnet import gluon, np

FOLDER = Path(__file__).resolve().parent.parent / "book" / "translations"
FILE, TABLE = FOLDER / "values.json", FOLDER / "witnesses.md"
NUM_STEPS, BATCH, HIDDENS, VOCAB, WINDOW = 24, 3, 4, 5, 8
GATES = {"tanh": 1, "lstm": 4}
LOOPS = {
    "right": "as shown",
    "open": "borders open",
    "lost": "the first loss of each window left out",
}
sys.path.insert(0, str(FOLDER))

import loop_mxnet  # noqa: E402  (what is run is what the page shows)
from schemes import randomized  # noqa: E402


def problem():
    """Draw the text, the three arrays, and for each cell parameters and a state, from one seed.

    The last token occurs in the first window alone. In the second window column 0 begins anew at step 11;
    the last two steps of column 2 are padding, whose targets are no token.
    """
    rng = numpy.random.default_rng(18)
    X = rng.integers(0, VOCAB - 1, (NUM_STEPS, BATCH))
    X[2:5] = VOCAB - 1
    Y = rng.integers(0, VOCAB, (NUM_STEPS, BATCH))
    columns = [randomized(NUM_STEPS, pi, rng) for pi in (0.5, 0.8, 1)]
    begins = numpy.zeros((NUM_STEPS, BATCH), bool)
    weights = rng.uniform(0.5, 2, (NUM_STEPS, BATCH))
    begins[11, 0], weights[-2:, 2], Y[-2:, 2] = True, 0, -1
    arrays = {"xi": numpy.transpose(columns), "begins": begins, "weights": weights}
    cells = {}
    for cell, gates in GATES.items():
        width = gates * HIDDENS
        shapes = {"W_xh": (VOCAB, width), "W_hh": (HIDDENS, width), "b_h": width}
        shapes |= {"W_hq": (HIDDENS, VOCAB), "b_q": VOCAB}
        params = {name: rng.normal(scale=0.5, size=shape) for name, shape in shapes.items()}
        state = [rng.normal(size=(BATCH, HIDDENS)) for _ in range(1 + (cell == "lstm"))]
        cells[cell] = {"params": params, "state": state}
    settings = {"window": WINDOW, "lr": 0.5, "momentum": 0.875}  # no error in single precision
    return {"X": X, "Y": Y, **settings, "arrays": arrays, "cells": cells}


def network(cell, params):
    """Return the network of the package with these parameters."""
    net = {"tanh": d2lutil.RNN, "lstm": d2lutil.LSTM}[cell](VOCAB, HIDDENS)
    net.initialize()
    net.cast("float64")
    for name, value in params.items():
        getattr(net, name).set_data(value)
    return net


def run(loop, given, cell, optimizer, window=WINDOW, weights=None):
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
    weights : array, optional
        In the place of those of the problem.

    Returns
    -------
    dict
        ``params`` and ``state`` at the end, and the ``names`` of the parameters in MXNet.
    """
    own, arrays = given["cells"][cell], dict(given["arrays"])
    net = network(cell, own["params"])
    state = tuple(np.array(part, dtype="float64") for part in own["state"])
    X, Y = (np.array(given[key], dtype="int32") for key in "XY")
    if weights is not None:
        arrays["weights"] = weights
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


def gradients(loop, given, cell, window=WINDOW, weights=None):
    """Return the gradients of each update, by the package's names of the parameters."""
    frozen = loop_mxnet.Frozen()
    names = run(loop, given, cell, [frozen], window, weights)["names"]
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
def open_borders():
    """Leave out the detach of MXNet's loop, and retain the record, without which it would be an error."""
    detach, backward = loop_mxnet.each, np.ndarray.backward
    loop_mxnet.each = lambda function, state: state
    np.ndarray.backward = functools.partialmethod(backward, retain_graph=True)
    try:
        yield
    finally:
        loop_mxnet.each, np.ndarray.backward = detach, backward


def witnesses(given):
    """Return both witnesses of the loops of LOOPS, for each cell."""

    def both(seen, whole):
        token = VOCAB - 1
        return [loop_mxnet.entrance(seen, "W_xh", token), loop_mxnet.missing(seen, whole, "W_hq")]

    found = {}
    for cell in GATES:
        whole = gradients(loop_mxnet.train_gated, given, cell, NUM_STEPS)[0]
        found[f"{cell} right"] = both(gradients(loop_mxnet.train_gated, given, cell), whole)
        lost = given["arrays"]["weights"].copy()
        lost[::WINDOW] = 0
        found[f"{cell} lost"] = both(gradients(loop_mxnet.train_gated, given, cell, weights=lost), whole)
        whole = gradients(loop_mxnet.train_chunks, given, cell, NUM_STEPS)[0]
        with open_borders():
            found[f"{cell} open"] = both(gradients(loop_mxnet.train_chunks, given, cell), whole)
    return found


def table(found):
    """Return the table of the witnesses, in Markdown."""
    lines = [
        "| loop | entrance, tanh | exit, tanh | entrance, LSTM | exit, LSTM |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, loop in LOOPS.items():
        numbers = map(plain, [*found[f"tanh {name}"], *found[f"lstm {name}"]])
        lines.append(f"| {loop} | {' | '.join(numbers)} |")
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
