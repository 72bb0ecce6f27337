"""Run the package's tests on other Pythons and NumPys.

Called by ``make matrix``. The package is installed as a wheel. The environments stay in
``_build/matrix`` and are used again.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "_build" / "matrix"
COMBINATIONS = [
    ("3.10", "1.23.5"),
    ("3.11", "1.26.4"),
    ("3.12", "2.0.2"),
    ("3.13", "2.1.3"),
    ("3.13", "2.4.0"),
]
PACKAGES = ("matplotlib", "pooch", "tqdm", "requests", "threadpoolctl", "setuptools", "pytest")  # pinned
MXNET = "mxnet==1.9.1"  # without dependencies: its metadata refuses NumPy 2
PARTS = ("compat", "corpus", "text", "truncation", "rnn", "jacobians", "bptt", "training", "train")
TESTS = [f"tests/test_{part}.py" for part in PARTS]


def output(*command):
    """Return what a command prints, or an empty string if it fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def interpreter(version):
    """Return a Python of this version that runs and can create environments, or None.

    Looks on PATH, where a pyenv shim may fail, then among pyenv's own versions.
    """
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = output("pyenv", "root")
    if pyenv:
        folders += sorted(Path(pyenv, "versions").glob(f"{version}.*/bin"))
    report = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for folder in folders:
        path = str(folder / f"python{version}")
        if output(path, "-c", report) == version:
            return path
    return None


def pinned():
    """Return the requirements of PACKAGES with the versions of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if re.split("[=#]", line)[0] in PACKAGES]


def build_wheel(folder):
    """Build the package from a copy, which leaves the working tree clean, and return its wheel."""
    source = Path(folder) / "source"
    shutil.copytree(ROOT / "d2lutil", source / "d2lutil")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, str(source)], check=True)
    return next(Path(folder).glob("*.whl"))


def environment(python, numpy, name):
    """Create or find the environment of a combination and return its folder of programs."""
    programs = ENVIRONMENTS / name / "bin"
    requirements, stamp = [f"numpy=={numpy}", *pinned()], ENVIRONMENTS / name / "installed"
    installed = "\n".join([*requirements, MXNET])
    if stamp.is_file() and stamp.read_text() == installed:
        return programs
    subprocess.run([python, "-m", "venv", "--clear", str(programs.parent)], check=True)
    pip = [str(programs / "python"), "-m", "pip", "install", "-qq"]
    subprocess.run([*pip, *requirements], check=True)
    subprocess.run([*pip, "--no-deps", MXNET], check=True)
    stamp.write_text(installed)
    return programs


def run_tests(programs, wheel):
    """Install the wheel, run the tests and doctests, and return the result and the count."""
    pip = [str(programs / "python"), "-m", "pip", "install", "-qq", "--no-deps"]
    subprocess.run([*pip, "--force-reinstall", str(wheel)], check=True)
    pytest = [str(programs / "pytest"), "-q", "-p", "no:cacheprovider", *TESTS]
    run = subprocess.run([*pytest, "--pyargs", "d2lutil"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        print(run.stdout)
    count = re.search(r"(\d+ \w+(, \d+ \w+)*) in [\d.]+s", run.stdout)
    return "failed" if run.returncode else "passed", count.group(1) if count else "none ran"


def check(python, numpy, wheel):
    """Return the row of a combination: its name, the result, the tests, the seconds."""
    name, start = f"python-{python}-numpy-{numpy}", time.monotonic()
    path = interpreter(python)
    if path is None:
        result = "failed" if os.environ.get("CI") == "true" else "skipped"
        return name, result, f"no Python {python} found", ""
    try:
        result = run_tests(environment(path, numpy, name), wheel)
    except subprocess.CalledProcessError as error:
        result = "failed", f"not installed: {error}"
    return name, *result, f"{time.monotonic() - start:.0f}"


def main():
    """Print a table of the combinations; leave with 1 if one failed."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(folder)
        rows = [check(python, numpy, wheel) for python, numpy in COMBINATIONS]
    row = "{:26} | {:7} | {:30} | {:>7}".format
    print(row("combination", "result", "tests", "seconds"))
    for cells in rows:
        print(row(*cells))
    sys.exit(any(cells[1] == "failed" for cells in rows))


if __name__ == "__main__":
    main()
