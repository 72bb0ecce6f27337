"""What the tests of `make translations` share: MXNet's values, and the largest difference from them."""

import json
import os
import sys
from pathlib import Path

import numpy
import pytest

os.environ |= {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}  # JAX reads them when it is imported
FOLDER = Path(__file__).resolve().parents[2] / "book" / "translations"
sys.path.insert(0, str(FOLDER))

BOUND = 1e-10
LARGEST = {}


@pytest.fixture(scope="session")
def mxnet():
    """Return the problem and what MXNet made of it."""
    return json.loads((FOLDER / "values.json").read_text(encoding="utf-8"))


def close(label, ours, theirs):
    """Compare arrays by name, two of the same shape; keep the largest difference under a label."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        value, own = numpy.array(value), numpy.array(ours[name])
        assert own.shape == value.shape, name
        assert own.dtype == value.dtype == "float64", name
        difference = float(abs(own - value).max())
        LARGEST[label] = max(LARGEST.get(label, 0), difference)
        assert difference < BOUND, (label, name)


@pytest.fixture(params=["tanh", "lstm"])
def cell(request):
    return request.param


@pytest.fixture(params=["train_chunks", "train_gated"])
def loop(request):
    return request.param


@pytest.fixture
def agree():
    """Return the comparison."""
    return close


def pytest_terminal_summary(terminalreporter):
    """Say how far the frameworks are apart."""
    terminalreporter.section("largest differences from MXNet")
    for label, difference in sorted(LARGEST.items()):
        terminalreporter.write_line(f"{label:40s} {difference:.1e}")
