"""Write the chapters as notebooks that need nothing beside them (``write``), or run those (``test``).

Called by ``make colab`` and, through ``noxfile.py``, by ``make test-colab``. The notebooks go to
``_build/colab``; which addresses they name is told by the environment (``book/_ext/colab.py``).
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

import handout
import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "_build" / "colab"
SECONDS_PER_CELL = 900


def write(**variables):
    """Write the notebooks, those to hand in among them, and beside them what Binder reads."""
    shutil.rmtree(NOTEBOOKS, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", "."]
    command += ["--builder", "custom", "--custom-builder", "colab", "-W", "--keep-going", "-n", "-q"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)
    shutil.rmtree(NOTEBOOKS / "_static", ignore_errors=True)  # Sphinx's, for no page
    shutil.copytree(ROOT / "binder", NOTEBOOKS / "binder")
    written = [*sorted(NOTEBOOKS.glob("*.ipynb")), *handout.write()]
    print("written:", ", ".join(path.name for path in written))


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


def test(wheel, programs, names):
    """Write the notebooks so that they install a wheel, run them, two at a time; leave with what failed."""
    write(D2LUTIL_SPEC=wheel)
    paths = sorted(path for path in NOTEBOOKS.glob("*.ipynb") if not names or path.stem in names)
    first, *others = paths  # the first one alone: it installs what all of them need
    messages = [run(programs, first)]
    with ThreadPoolExecutor(2) as pool:
        messages += pool.map(lambda path: run(programs, path), others)
    shutil.rmtree(NOTEBOOKS)  # they name a wheel that will be gone
    sys.exit("\n".join(filter(None, messages)) or None)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("write")
    tests = actions.add_parser("test")
    tests.add_argument("wheel", help="what the notebooks install as d2lutil")
    tests.add_argument("programs", type=Path, help="folder of programs of the environment that runs them")
    tests.add_argument("names", nargs="*", help="chapters to test (default: all)")
    options = vars(parser.parse_args())
    {"write": write, "test": test}[options.pop("action")](**options)


if __name__ == "__main__":
    main()
