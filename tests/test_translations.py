"""What PyTorch and JAX are compared with is MXNet's, and the page shows what is run.

What needs PyTorch and JAX is in ``tests/translations``, for ``make translations``.
"""

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.requirements import Requirement

import d2lutil
from d2lutil import parameters
from d2lutil.compat import mxnet
from tools import reading

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "book" / "translations"
PAGE = (ROOT / "book" / "translations.md").read_text(encoding="utf-8")
NAMES = {"mxnet": "MXNet", "torch": "PyTorch", "jax": "JAX"}
SHOWN = re.findall(r"literalinclude\} translations/(\w+\.py)\n:pyobject: (\w+)\n", PAGE)

spec = importlib.util.spec_from_file_location("tool_translations", ROOT / "tools" / "translations.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
sys.path.insert(0, str(FOLDER))

import loop_mxnet  # noqa: E402
import schemes  # noqa: E402
import witnesses  # noqa: E402

np = mxnet.np


@pytest.fixture(scope="module")
def committed():
    return json.loads(tool.FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def given():
    return tool.problem()


def same(found, expected):
    """Compare two nestings of dictionaries, lists and arrays."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            same(found[name], expected[name])
    elif isinstance(expected, list) and expected and isinstance(found, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        assert numpy.shape(found) == numpy.shape(expected)
        assert abs(numpy.asarray(found, float) - numpy.asarray(expected, float)).max() < 1e-12


def test_the_committed_values_are_those_of_mxnet(committed, given):
    assert {"problem", "witnesses", *tool.values(given)} == committed.keys()
    same(given, committed["problem"])
    same(tool.values(given), {name: committed[name] for name in tool.values(given)})


def test_the_table_is_that_of_the_witnesses(committed, given):
    found = tool.witnesses(given)
    same(found, committed["witnesses"])
    assert tool.TABLE.read_text(encoding="utf-8") == tool.table(committed["witnesses"]) == tool.table(found)
    for cell in tool.GATES:
        right, opened, first, lost, every = (found[f"{cell} {name}"] for name in tool.LOOPS)
        assert right[0] == lost[0] == every[0] == every[2] == 0
        assert max(three[1] for three in (right, opened, first, every)) < 1e-15
        assert min(opened[0], first[0]) > 1e-4
        assert lost[1] > 1e-2
        assert min(three[2] for three in (right, opened, first, lost)) > 1e-5


@pytest.mark.parametrize("cell", tool.GATES)
def test_one_token_sees_one_border(cell, given):
    with tool.open_borders(closed=(1,)):
        seen = [g["W_xh"] for g in tool.gradients(loop_mxnet.train_gated, given, cell)]
    assert witnesses.entrance(seen, tool.TOKENS[:1]) == 0
    assert witnesses.entrance(seen, tool.TOKENS) > 1e-4


def test_each_token_is_read_at_the_first_step_of_its_window_alone(given):
    for window, token in enumerate(tool.TOKENS):
        steps, columns = numpy.nonzero(given["X"] == token)
        assert set(steps) == {window * tool.WINDOW}
        assert len(columns) == tool.BATCH


def test_a_state_may_be_a_list_and_hold_states():
    first, (second,) = loop_mxnet.each(lambda part: part + 1, [np.zeros(1), (np.zeros(2),)])
    assert (first.shape, second.shape) == ((1,), (2,))
    assert first.item() == 1


@pytest.mark.parametrize("cell", tool.GATES)
def test_the_gated_loop_gives_the_gradient_of_the_package(cell, given):
    own, arrays = given["cells"][cell], given["arrays"]
    for window in (tool.WINDOW, tool.NUM_STEPS):
        net = tool.network(cell, own["params"])
        state = tuple(np.array(part, dtype="float64") for part in own["state"])
        xi = arrays["xi"].copy()
        xi[::window] = 0
        h, rest = (state if cell == "lstm" else state[0]), {k: arrays[k] for k in ("begins", "weights")}
        d2lutil.bptt(net, given["X"], given["Y"], h, xi, **rest)
        seen = tool.gradients(loop_mxnet.train_gated, given, cell, window)
        for name in net.names:
            found = sum(gradient[name] for gradient in seen) * window * tool.BATCH
            assert abs(found - getattr(net, name).grad().asnumpy()).max() < 1e-12


@pytest.mark.parametrize("cell", tool.GATES)
def test_the_truncated_loop_gives_the_gradient_of_the_package(cell, given):
    own = given["cells"][cell]
    net = tool.network(cell, own["params"])
    state = tuple(np.array(part, dtype="float64") for part in own["state"])
    xi = d2lutil.regular(tool.NUM_STEPS, tool.WINDOW)
    d2lutil.bptt(net, given["X"], given["Y"].clip(0), state if cell == "lstm" else state[0], xi)
    seen = tool.gradients(loop_mxnet.train_chunks, given, cell)
    for name in net.names:
        found = sum(gradient[name] for gradient in seen) * tool.WINDOW * tool.BATCH
        assert abs(found - getattr(net, name).grad().asnumpy()).max() < 1e-12


@pytest.mark.parametrize("cell", tool.GATES)
def test_without_detach_mxnet_stops(cell, given, monkeypatch):
    monkeypatch.setattr(loop_mxnet, "each", lambda function, state: state)
    with pytest.raises(mxnet.base.MXNetError, match="any container is empty"):
        tool.gradients(loop_mxnet.train_chunks, given, cell)


def test_the_gate_is_that_of_the_package():
    h = np.array([[0.1, -0.0, 3e-7], [-2.5, 1e30, 1.0]], dtype="float64")
    for xi in (0.0, 0.25, 1.0):
        assert loop_mxnet.carry(h, xi).asnumpy().tobytes() == h.asnumpy().tobytes()
    xi = numpy.array([0.3, 0.0])
    grads = []
    for gate, weights in ((loop_mxnet.carry_columns, np.array(xi)), (d2lutil.carry, xi)):
        h.attach_grad()
        with mxnet.autograd.record():
            carried = gate(h, weights)
        carried.backward()
        grads.append(h.grad.asnumpy().copy())
    assert (grads[0] == grads[1]).all()
    assert (grads[0] == xi[:, None]).all()
    with pytest.raises(mxnet.base.MXNetError, match="broadcast"):
        loop_mxnet.carry(h, np.array(xi)).wait_to_read()  # without the axis


def test_the_draws_are_those_of_the_package():
    ours, theirs = (
        draw(50, rng=numpy.random.default_rng(5), pi=0.8)
        for draw in (schemes.randomized, d2lutil.randomized)
    )
    assert (ours == theirs).all()
    assert 0 < (ours == 0).mean() < 1
    rectangle = schemes.randomized((50, 3), 0.8, numpy.random.default_rng(5))
    assert rectangle.shape == (50, 3)
    assert rectangle.ravel()[:50].tolist() == ours.tolist()


def test_mxnet_reads_the_settings_of_an_optimizer_in_single_precision():
    """By hand: two updates move a weight by lr (2 + momentum) where its gradient is 1."""
    off = {}
    for momentum in (0.9, 0.875):
        weight = parameters.Parameter(f"w_{momentum}", shape=(1,), dtype="float64")
        weight.initialize(mxnet.init.Zero())
        settings = {"learning_rate": 0.5, "momentum": momentum}
        trainer = mxnet.gluon.Trainer({weight.name: weight}, "sgd", settings)
        for _ in range(2):
            with mxnet.autograd.record():
                L = weight.data().sum()
            L.backward()
            trainer.step(1)
        off[momentum] = abs(float(weight.data().item()) + 0.5 * (2 + momentum)) / 0.5
    assert off[0.875] == 0
    assert off[0.9] == pytest.approx(abs(float(numpy.float32(0.9)) - 0.9), rel=1e-6)
    assert f"{off[0.9]:.0e}" == "2e-08"
    assert "0.9 plus about 2 · 10⁻⁸" in PAGE


# The page and the files.


def sets():
    """Return the sets of tabs of the page: for each its items, as (title, sync, what is shown)."""
    found = []
    for inner in re.findall(
        r"^::::::\{tab-set\}\n:sync-group: framework\n(.*?)^::::::$", PAGE, re.M | re.S
    ):
        items = re.findall(
            r"^:::::\{tab-item\} (\w+)\n:sync: (\w+)\n(?::selected:\n)?(.*?)^:::::$", inner, re.M | re.S
        )
        found.append(
            [(title, sync, re.findall(r"translations/(\w+)\.py", rest)) for title, sync, rest in items]
        )
    return found


def definitions(path):
    """Return the names of the functions and classes of a file, in its order."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, kinds)]


def test_each_set_has_the_three_frameworks():
    assert len(sets()) == PAGE.count("{tab-set}") > 5
    for items in sets():
        assert [(title, sync) for title, sync, _ in items] == [(name, key) for key, name in NAMES.items()]
        for _, sync, files in items:
            assert set(files) == {f"loop_{sync}"}


@pytest.mark.parametrize(
    "path",
    [*FOLDER.glob("loop_*.py"), FOLDER / "schemes.py", FOLDER / "witnesses.py"],
    ids=lambda path: path.name,
)
def test_all_that_is_run_is_shown_in_its_order(path):
    assert [name for file, name in SHOWN if file == path.name] == definitions(path)


def test_the_page_has_no_code_of_its_own():
    assert len(SHOWN) == PAGE.count("literalinclude")
    assert not re.search(r"```(python|py|\{code)", PAGE)


def test_the_page_says_the_bound_of_the_comparison():
    text = (ROOT / "tests" / "translations" / "conftest.py").read_text(encoding="utf-8")
    (bound,) = re.findall(r"^BOUND = 1e-(\d+)$", text, re.M)
    raised = bound.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    assert f"The bound is 10⁻{raised}" in " ".join(PAGE.split())
    assert f"to 10⁻{raised}" in PAGE.split("## Overview")[0]


def test_the_page_says_the_settings_of_the_comparison(given):
    text = " ".join(PAGE.split())
    assert f"a learning rate of {given['lr']} and a momentum of {given['momentum']}" in text
    assert f"The text has {tool.NUM_STEPS} steps in three columns" in text
    weights = [sorted(set(column)) for column in given["arrays"]["xi"].T]
    assert weights == [[0, 2], [0, 1.25], [1]]
    assert "(0 or 2, 0 or 1.25, and 1)" in text
    assert tool.BATCH == 3


def test_the_page_reads_in_the_minutes_that_it_says():
    said = int(re.search(r"Time: (\d+) minutes", PAGE)[1])
    prose = re.sub(r"^::::::\{tab-set\}.*?^::::::$", "", PAGE, flags=re.M | re.S)
    prose = re.sub(r"```\{include\} (\S+)\n```", lambda m: (ROOT / "book" / m[1]).read_text("utf-8"), prose)
    longest = [new_markdown_cell(prose)]
    for file in {file for file, _ in SHOWN} - {"loop_mxnet.py", "loop_jax.py"}:  # one tab: the longest file
        text = (FOLDER / file).read_text(encoding="utf-8")
        spans = [node for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        shown = [line for node in spans for line in text.splitlines()[node.lineno - 1 : node.end_lineno]]
        longest.append(new_code_cell("\n".join(shown)))
    assert said == reading.measure(new_notebook(cells=longest)).minutes
    (row,) = re.findall(r"^\| translations \|.*", (ROOT / "STORYBOARD.md").read_text("utf-8"), re.M)
    assert row.endswith(f"| *{said}* |")


# The environment of `make translations`.


def pins(name):
    """Return the exact versions of some requirements."""
    lines = (ROOT / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]
    return {(pin.name, str(pin.specifier)) for pin in found}


def test_the_pins_are_exact_and_those_of_the_book():
    ours, book = pins("requirements-translations"), pins("requirements")
    assert all(version.startswith("==") for _, version in ours)
    shared = {name for name, _ in ours} & {name for name, _ in book}
    assert {"numpy", "pytest", "setuptools"} <= shared
    assert {pin for pin in ours if pin[0] in shared} <= book


def test_make_pins_pytorch():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^TORCH \?= torch==[\d.]+$", makefile, re.M)
    assert 'nox -s translations -- "$(TORCH)"' in makefile
