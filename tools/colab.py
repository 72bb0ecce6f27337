"""Write the chapters as notebooks that need nothing beside them (``write``), or run those (``test``).

Called by ``make colab`` and ``make test-colab``. The notebooks go to ``_build/colab``; which addresses
they name is told by the environment (``book/_ext/colab.py``). The test installs what Colab has, without
Jupyter Book and without ``d2lutil``, into environments that stay in ``_build/colab-test``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matrix
import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "_build" / "colab"
ENVIRONMENTS = ROOT / "_build" / "colab-test"
BASE = ("matplotlib==3.10.0", "ipython==7.34.0", "ipykernel==6.17.1", "nbconvert==7.16.6")
# Colab's present runtime, and the oldest one that can still be chosen there.
RUNTIMES = [("3.13", "2.1.3"), ("3.12", "2.0.2")]
SECONDS_PER_CELL = 900


def write(**variables):
    """Write the notebooks, and beside them what Binder reads."""
    shutil.rmtree(NOTEBOOKS, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", "."]
    command += ["--builder", "custom", "--custom-builder", "colab", "-W", "--keep-going", "-n", "-q"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)
    shutil.rmtree(NOTEBOOKS / "_static", ignore_errors=True)  # Sphinx's, for no page
    shutil.copytree(ROOT / "binder", NOTEBOOKS / "binder")
    print("written:", ", ".join(path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))))


def environment(python, numpy, name):
    """Create an environment like Colab's and return its folder of programs."""
    folder = ENVIRONMENTS / name
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq"]
    subprocess.run([*pip, f"numpy=={numpy}", *BASE], check=True)
    return folder / "bin"


def numpy_of(programs):
    """Return the version of NumPy in an environment."""
    return matrix.output(str(programs / "python"), "-c", "import numpy; print(numpy.__version__)")


def run(programs, path):
    """Run a notebook from an empty folder and return what went wrong, or nothing."""
    command = [str(programs / "jupyter-nbconvert"), "--execute", "--to", "notebook", "--log-level=WARN"]
    command += [
        f"--ExecutePreprocessor.timeout={SECONDS_PER_CELL}",
        "--ExecutePreprocessor.record_timing=False",
    ]
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JUPYTER"))
    }
    variables |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    variables["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(path, folder)
        start = time.monotonic()
        call = [*command, "--output", "executed.ipynb", copy]
        result = subprocess.run(call, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True)
        seconds = time.monotonic() - start
        done = Path(folder) / "executed.ipynb"
        cells = nbformat.read(done, as_version=4).cells if done.is_file() else []
    count = sum(cell.cell_type == "code" and bool(cell.execution_count) for cell in cells)
    verdict = "failed" if result.returncode else "passed"
    print(
        f"{programs.parent.name:26s} {path.stem:16s} {verdict} {count:4d} cells {seconds:6.0f} s",
        flush=True,
    )
    return result.stderr if result.returncode else ""


def test_runtime(python, numpy, paths):
    """Run notebooks as on one runtime, two side by side, and return the messages of what failed."""
    name = f"python-{python}-numpy-{numpy}"
    interpreter = matrix.interpreter(python)
    if interpreter is None:
        return [f"{name}: NOT TESTED, no Python {python} found"]
    programs = environment(interpreter, numpy, name)
    first, *others = paths  # the first one alone: it installs what all of them need
    messages = [run(programs, first)]
    with ThreadPoolExecutor(2) as pool:
        messages += pool.map(lambda path: run(programs, path), others)
    if numpy_of(programs) != numpy:
        messages.append(f"{name}: the notebooks changed NumPy to {numpy_of(programs)}")
    return list(filter(None, messages))


def test(names):
    """Write the notebooks so that they install this working copy, and run them on every runtime."""
    with tempfile.TemporaryDirectory() as folder:
        write(D2LUTIL_SPEC=str(matrix.build_wheel(folder)))
        paths = sorted(path for path in NOTEBOOKS.glob("*.ipynb") if not names or path.stem in names)
        failures = [message for runtime in RUNTIMES for message in test_runtime(*runtime, paths)]
    shutil.rmtree(NOTEBOOKS)  # they name a wheel that is gone
    sys.exit("\n".join(failures) or None)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["write", "test"])
    parser.add_argument("names", nargs="*", help="chapters to test (default: all)")
    arguments = parser.parse_args()
    if arguments.action == "write":
        write()
    else:
        test(arguments.names)


if __name__ == "__main__":
    main()
