"""Compute the data of the figure "reach over text": how strongly each state depends on the earlier ones.

Four networks read one line of the embedded story, which none was trained on: tanh and LSTM, untrained and
after 60,000 characters of the rest. The numbers go, in logarithmic steps, to
``book/_static/live/reach-data.js``.
"""

from pathlib import Path

import numpy

import d2lutil
from d2lutil.compat import mxnet

DATA = Path(__file__).resolve().parent.parent / "book" / "_static" / "live" / "reach-data.js"
LINE = "the wire was mended on christmas eve and that day she was at home"
KINDS = {"tanh": d2lutil.RNN, "LSTM": d2lutil.LSTM}
STAGES = {"untrained": 0, "trained": 60_000}  # characters
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LEAST, MOST, LEVELS = -9, 1, len(DIGITS) ** 2 - 1  # powers of ten, and steps between them


def network(kind, num_tokens):
    """Return a network of 32 units that has read so many characters of the story, and its vocabulary."""
    text = d2lutil.normalize(d2lutil.load_corpus("noon_road").text)
    vocab, (X, Y), _ = d2lutil.split_streams(text, 16)
    mxnet.random.seed(0)
    net = KINDS[kind](len(vocab), 32)
    net.initialize()
    if num_tokens:
        how = {"optimizer": "adam", "lr": 0.01, "num_tokens": num_tokens}
        d2lutil.train(net, X, Y, d2lutil.Regular(35), **how)
    return net, vocab


def influences(net, vocab):
    """Return ‖∂s_t/∂s_i‖ along the line.

    Returns
    -------
    float64 ``(num_steps, num_steps)``
        Row t, column i; 0 above the diagonal, 1 on it.
    """
    J = d2lutil.jacobians(net, vocab.encode(LINE)[:, None])
    table = numpy.eye(len(J))
    for t in range(1, len(J)):
        table[t, : t + 1] = d2lutil.influence(J[1 : t + 1])[::-1]
    return table


def levels(table):
    """Return the rows of the lower triangle in steps from 0 (10⁻⁹ or less) to 4095 (10)."""
    logs = numpy.log10(table[numpy.tril_indices(len(table))])
    return numpy.rint((numpy.clip(logs, LEAST, MOST) - LEAST) / (MOST - LEAST) * LEVELS).astype(int)


def write(levels_of):
    """Return the file: two digits a number."""
    lines = ["// By tools/reach.py: powers of ten from -9 to 1 in 4095 steps, two digits each, row by row."]
    lines += ["live.reach = {", f'  text: "{LINE}",']
    for kind in KINDS:
        lines.append(f"  {kind}: {{")
        for stage in STAGES:
            digits = "".join(DIGITS[level // 64] + DIGITS[level % 64] for level in levels_of[kind, stage])
            lines.append(f'    {stage}: "{digits}",')
        lines.append("  },")
    return "\n".join([*lines, "};", ""])


def read(text):
    """Return the levels of a file that :func:`write` has made."""
    kept = [line.split('"')[1] for line in text.splitlines() if line.startswith("    ")]
    numbers = [[DIGITS.index(digit) for digit in digits] for digits in kept]
    pairs = [64 * numpy.array(found[::2]) + numpy.array(found[1::2]) for found in numbers]
    return dict(zip([(kind, stage) for kind in KINDS for stage in STAGES], pairs, strict=True))


if __name__ == "__main__":
    DATA.write_text(
        write({(k, s): levels(influences(*network(k, STAGES[s]))) for k in KINDS for s in STAGES}),
        encoding="utf-8",
    )
