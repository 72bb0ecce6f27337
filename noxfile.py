"""Environments other than the book's own: other Pythons and NumPys, Colab's, PyTorch and JAX, a grader.

Called by ``make matrix``, ``make test-colab``, ``make translations`` and ``make exercises``. The
environments are in ``_build/nox``. A Python that this machine lacks is skipped, and is an error where CI
is set.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
MATRIX = [
    ("3.10", "1.23.5"),
    ("3.11", "1.26.4"),
    ("3.12", "2.0.2"),
    ("3.13", "2.1.3"),
    ("3.13", "2.4.6"),
    ("3.14", "2.4.6"),
]
# With the versions of requirements.txt.
PACKAGES = (
    "matplotlib",
    "pooch",
    "tqdm",
    "requests",
    "threadpoolctl",
    "setuptools",
    "pytest",
    "hypothesis",
)
MXNET = "mxnet==1.9.1"  # without dependencies: its metadata refuses NumPy 2
# Those of the package, which need nothing of the book; the cluster's start processes of their own.
PARTS = "compat corpus text own_text truncation schemes gradient blocks networks parameters copies fast"
PARTS += " jacobians clipping evaluation optimizers training"
TESTS = [f"tests/test_{part}.py" for part in PARTS.split()]
# Colab's present runtime, and the oldest one that can still be chosen there; what both have of Jupyter.
RUNTIMES = [("3.13", "2.1.3"), ("3.12", "2.0.2")]
BASE = ("matplotlib==3.10.0", "ipython==7.34.0", "ipykernel==6.17.1", "nbconvert==7.16.6")

# pyenv's programs on PATH run for the active versions alone: here all that are installed are.
if "PYENV_ROOT" in os.environ:
    versions = sorted(Path(os.environ["PYENV_ROOT"], "versions").glob("3.*"))
    os.environ["PYENV_VERSION"] = ":".join(path.name for path in versions)

nox.options.envdir = "_build/nox"
nox.options.download_python = "never"
WHEELS = ROOT / "_build" / "wheel"


def pinned():
    """Return the requirements of PACKAGES with the versions of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if re.split("[=#]", line)[0] in PACKAGES]


@functools.cache
def wheel():
    """Build the package from a copy, which leaves the working tree clean, and return its wheel."""
    source = WHEELS / "source"
    shutil.rmtree(WHEELS, ignore_errors=True)
    for name in ("d2lutil", "d2launcher"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(WHEELS), str(source)], check=True)
    return str(next(WHEELS.glob("*.whl")))


@nox.session(reuse_venv=True)
@nox.parametrize("python,numpy", MATRIX, ids=[f"{python}-numpy-{numpy}" for python, numpy in MATRIX])
def matrix(session, numpy):
    """Run the package's tests and doctests on the wheel."""
    session.install(f"numpy=={numpy}", *pinned())
    session.install("--no-deps", MXNET)
    session.install("--no-deps", "--force-reinstall", wheel())
    session.run("pytest", "-q", "-p", "no:cacheprovider", *TESTS, "--pyargs", "d2lutil")


@nox.session(reuse_venv=False)
@nox.parametrize("python,numpy", RUNTIMES, ids=[f"{python}-numpy-{numpy}" for python, numpy in RUNTIMES])
def colab(session, numpy):
    """Run the notebooks that `make colab` writes where only Jupyter and NumPy are; names choose some."""
    session.install(f"numpy=={numpy}", *BASE)
    tool = [sys.executable, "tools/colab.py", "test", wheel(), session.bin, *session.posargs]
    session.run(*tool, external=True)
    session.run("python", "-c", f"import numpy; assert numpy.__version__ == {numpy!r}, numpy.__version__")


@nox.session(reuse_venv=True)
def translations(session):
    """Run the book's PyTorch and JAX; the argument is what pip is to install as PyTorch."""
    if sys.version_info < (3, 11):
        session.error("JAX needs Python 3.11 or later: make env PYTHON=python3.12")
    session.install("--no-deps", "--require-hashes", "-r", "requirements-translations.lock")
    session.install(*session.posargs)
    tests = "tests/translations"
    session.run("pytest", "-q", "-s", "-p", "no:cacheprovider", "--confcutdir", tests, tests)


@nox.session(reuse_venv=True)
def exercises(session):
    """Write what grades the exercises, and see right and wrong answers graded; names choose some."""
    if sys.version_info < (3, 11):
        session.error("the lock of the grader needs Python 3.11 or later: make env PYTHON=python3.12")
    session.install("--no-deps", "--require-hashes", "-r", "requirements-exercises.lock")
    session.install("--no-deps", "--force-reinstall", wheel())
    session.run("python", "tools/grading.py", "build", *session.posargs)
