"""What a user has configured for Python, pip, Jupyter and matplotlib reaches nothing that make runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Makes a notebook, executes it as `make run` does, and prints what its cell saw.
PROBE = """\
import sys
from pathlib import Path
sys.path.insert(0, {tools!r})
import nbformat, notebooks
from nbformat.v4 import new_code_cell, new_notebook
path = Path("probe.ipynb")
code = "import matplotlib, sys; print(matplotlib.rcParams['lines.linewidth'], sys.executable, mine)"
code = code.replace("mine", "[n for n in ('from_profile', 'from_startup') if n in globals()]")
nbformat.write(new_notebook(cells=[new_code_cell(code)]), path)
print(notebooks.execute(path).cells[0].outputs[0]["text"])
"""


@pytest.fixture
def dirty(tmp_path):
    """Return the environment of a user who has configured much, in a home of that kind."""
    home = tmp_path / "home"
    startup = home / "ipython" / "profile_default" / "startup"
    kernel = home / "jupyter" / "kernels" / "python3"
    for folder in (startup, kernel, home / "matplotlib"):
        folder.mkdir(parents=True)
    (startup / "00-mine.py").write_text("from_profile = 1\n")
    (home / "startup.py").write_text("from_startup = 1\n")
    (home / "matplotlib" / "matplotlibrc").write_text("lines.linewidth: 9\n")
    foreign = {"argv": ["/bin/false"], "display_name": "Foreign", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(foreign))
    mine = {
        "HOME": home,
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_PATH": home / "jupyter",
        "JUPYTER_DATA_DIR": home / "jupyter",
        "MPLCONFIGDIR": home / "matplotlib",
        "MATPLOTLIBRC": home / "matplotlib" / "matplotlibrc",
        "MPLBACKEND": "svg",
        "PYTHONSTARTUP": home / "startup.py",
        "PYTHONPATH": home,
        "PYTHONOPTIMIZE": "2",
        "PYTEST_ADDOPTS": "--collect-only",
        "RUFF_CONFIG": home / "ruff.toml",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return kept | {name: str(value) for name, value in mine.items()}


def make(recipe, folder, environ):
    """Return what a recipe prints that is added to the book's own."""
    (folder / "added.mk").write_text(f"added: ; @{recipe}\n")
    command = ["make", "-s", "-f", str(ROOT / "Makefile"), "-f", "added.mk", "added"]
    return subprocess.run(
        command, cwd=folder, env=environ, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def test_variables_of_the_user_are_gone(dirty, tmp_path):
    found = dict(line.partition("=")[::2] for line in make("env", tmp_path, dirty).splitlines())
    gone = {"JUPYTER_PATH", "MATPLOTLIBRC", "MPLBACKEND", "PYTEST_ADDOPTS", "RUFF_CONFIG"}
    gone |= {name for name in dirty if name.startswith("PYTHON")}
    assert not gone & found.keys()
    assert found["HOME"] == dirty["HOME"]
    assert found["PATH"] == dirty["PATH"]
    for name in ("IPYTHONDIR", "MPLCONFIGDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        assert Path(found[name]).is_relative_to(tmp_path / ".venv")


def test_a_chapter_sees_nothing_of_the_user(dirty, tmp_path):
    (tmp_path / "probe.py").write_text(PROBE.format(tools=str(ROOT / "tools")))
    seen = make(f"{sys.executable} probe.py", tmp_path, dirty).strip()
    assert seen == f"1.5 {sys.executable} []"
