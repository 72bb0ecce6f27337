import pytest
from chromium import program

import d2lutil  # noqa: F401  (before MXNet, whatever order the test modules import in)

# isort: split
import reference

collect_ignore = ["translations"]  # they need PyTorch and JAX: `make translations`


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Give each test an empty cache of its own, and no directory with the text."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.delenv("D2LUTIL_DATA_DIR", raising=False)
    return tmp_path / "cache" / "d2lutil" / "timemachine.txt"


@pytest.fixture(params=reference.CELLS)
def cell(request):
    """Run a test for each cell; ``net`` and ``state`` are of that cell."""
    return request.param


@pytest.fixture
def net(cell):
    return reference.make_net(cell=cell)


@pytest.fixture
def text():
    return reference.make_text()


@pytest.fixture
def state(cell):
    return reference.make_state(cell=cell)


def pytest_terminal_summary(terminalreporter):
    """Say loudly what this machine could not show."""
    if program() is None:
        terminalreporter.section("NO BROWSER", red=True, bold=True)
        terminalreporter.line(
            "No Chromium on this machine: tests/test_browser.py was SKIPPED.", red=True, bold=True
        )
        terminalreporter.line("On Debian or Ubuntu: apt-get install chromium; then run make test again.")
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if report.when == "call" and name == "two hosts":
                terminalreporter.write_line(f"{name}: {value}")
