"""The lines of Python with which the pages let readers bring a text of their own."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = "Il était une fois, à İstanbul, un réseau qui lisait हिन्दी.\n"
NORMALIZED = "il était une fois à i̇stanbul un réseau qui lisait हिन्दी "
CHECK = """
net = d2lutil.RNN(len(vocab), 8)
net.initialize()
loss, _ = d2lutil.bptt(net, X, Y, net.begin_state(X.shape[1]), d2lutil.regular(len(X), 5))
print(X.shape, held_out[0].shape, loss > 0, vocab.decode(X[:, 0])[:27], "".join(sorted(vocab.tokens[1:])))
"""


def lines(page):
    """Return the Python of the block that loads a reader's file."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "load_corpus(" in block]
    return block


@pytest.mark.parametrize("page", ["README.md", "book/intro.md"])
def test_three_lines_load_a_text_of_the_reader(page, tmp_path, monkeypatch, capsys):
    block = lines(page)
    assert len([line for line in block.splitlines() if line]) == 3
    (name,) = re.findall(r'load_corpus\("(.*)"\)', block)
    (tmp_path / name).write_text(TEXT * 100, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(block + CHECK, {})  # a warning is an error, as in all tests
    length = len(NORMALIZED) * 100
    steps, held = (length * 9 // 10 - 1) // 32, (length - length * 9 // 10 - 1) // 8
    letters = "".join(sorted(set(NORMALIZED)))
    assert capsys.readouterr().out == f"({steps}, 32) ({held}, 8) True {NORMALIZED[:27]} {letters}\n"
