"""Create ``.venv`` and install the lock into it, unless it is there already.

Called by ``make env``, before every other target. Needs nothing but the standard library, because nothing
is installed yet. ``.venv/ready`` records what the environment was made from; any difference makes it anew.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import installer

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 10), (3, 14)
SOURCES = ("requirements.lock", "pyproject.toml", "tools/env.py", "tools/installer.py")
WHEELS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64")}
CONTAINER = "the container of .devcontainer (README.md, What your machine needs)"
WAY_OUT = {
    ("Darwin", "arm64"): f"On Apple silicon use {CONTAINER}, or an x86-64 Python under Rosetta.",
    ("Windows", "AMD64"): f"On Windows use {CONTAINER}, or WSL (`wsl --install`), which is Linux x86-64.",
}
ASK = """\
import json, os, platform, sys
print(json.dumps([os.path.realpath(sys.executable), platform.python_version(), platform.machine()]))
"""


def problem(version, system, machine, has_venv):
    """Say why the environment cannot be created here, or return None.

    Parameters
    ----------
    version : tuple of int
        Major and minor version of the interpreter.
    system, machine : str
        As ``platform.system()`` and ``platform.machine()`` give them.
    has_venv : bool
        Whether the modules ``venv`` and ``ensurepip`` are there.

    Returns
    -------
    str or None
        A message that says what is wrong and what to do.
    """
    if not OLDEST <= version <= NEWEST:
        return (
            "the book needs Python {}.{} to {}.{}, this is {}.{}. "
            "Name another one: make env PYTHON=python3.12".format(*OLDEST, *NEWEST, *version)
        )
    if (system, machine) not in WHEELS:
        hint = WAY_OUT.get((system, machine), f"Use Linux on x86-64 or aarch64, or {CONTAINER}.")
        return f"MXNet 1.9.1 has no wheel for {system} on {machine}. {hint}"
    if not has_venv:
        return (
            "this Python lacks the venv module. "
            "On Debian or Ubuntu: apt-get install python3-venv; then run make again."
        )
    return None


def has_venv():
    """Tell whether virtual environments with pip can be created."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def refusal(python):
    """Return why the package does not load in an environment, or nothing."""
    code = "import d2lutil, matplotlib.font_manager"  # it lists the fonts: later it would warn in a cell
    run = subprocess.run([python, "-c", code], stderr=subprocess.PIPE, text=True)
    lines = [f"`import d2lutil` ended with {run.returncode}", *run.stderr.strip().splitlines()]
    return lines[-1] if run.returncode else ""


def interpreter(python):
    """Return path, version and machine of an interpreter, links resolved; None if it does not run."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError, ValueError):
        answer = subprocess.run([python, "-I", "-c", ASK], check=True, capture_output=True, text=True)
        return json.loads(answer.stdout)
    return None


def digest(*names):
    """Return a hash of files of the book."""
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in names)).hexdigest()


def distributions(target):
    """Return the names and versions of what is installed, pip itself left out."""
    found = (path.name for path in target.glob("lib/python3*/site-packages/*.dist-info"))
    return sorted(name for name in found if not name.startswith("pip-"))


class Environment:
    """The folder ``.venv`` and the record of how it came about."""

    def __init__(self, root):
        self.target = root / ".venv"
        self.python = str(self.target / "bin" / "python")
        self.stamp = self.target / "ready"

    def record(self):
        """Return what ``.venv/ready`` says, or nothing if it is missing or not readable."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self.stamp.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
        return {}

    def differs(self, wanted):
        """Return what makes the environment another one than the one asked for, or the empty string.

        Parameters
        ----------
        wanted : list of str or None
            The interpreter that was asked for, None for the one that the environment has.
        """
        record = self.record()
        if not record:
            return "there is none" if not self.target.exists() else "it is not finished"
        if record.get("place") != str(self.target):
            return f"it was made at {record.get('place')}"
        if record.get("sources") != digest(*SOURCES):
            return f"one of {', '.join(SOURCES)} has changed"
        if record.get("interpreter") != interpreter(self.python):
            return "its Python has changed"
        if wanted and record["interpreter"] != wanted:
            return "its Python is {1} at {0}".format(*record["interpreter"])
        missing = set(record.get("distributions", [])) - set(distributions(self.target))
        return f"it lost {', '.join(sorted(missing))}" if missing else ""

    def create(self):
        """Make the environment with this Python and install the lock and this working copy."""
        self.stamp.unlink(missing_ok=True)
        subprocess.run([here(), "-I", "-m", "venv", "--clear", str(self.target)], check=True)
        lock = str(ROOT / "requirements.lock")
        installer.install(self.python, "--no-deps", "--require-hashes", "-r", lock)
        installer.install(self.python, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        reason = refusal(self.python)  # what the system lacks shows only now
        if reason:
            sys.exit(f"make env: {reason}")
        about = {
            "asked": here(),
            "interpreter": interpreter(self.python),
            "place": str(self.target),
            "sources": digest(*SOURCES),
            "distributions": distributions(self.target),
        }
        self.stamp.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    def add(self, extra):
        """Install an extra with a lock of its own, unless it is there already."""
        lock, stamp = f"requirements-{extra}.lock", self.target / extra
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest(lock):
            installer.install(self.python, "--no-deps", "--require-hashes", "-r", str(ROOT / lock))
            stamp.write_text(digest(lock), encoding="utf-8")


def here():
    """Return the path of this Python, not that of a virtual environment in which it runs."""
    return sys.executable if sys.prefix == sys.base_prefix else os.path.realpath(sys.executable)


@contextlib.contextmanager
def alone():
    """Wait until no other process makes the environment of this folder."""
    import fcntl  # not on Windows, which has been refused before

    with open(ROOT / "requirements.lock", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("make env: another make is at work on .venv; waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def provide(exact):
    """Make the environment, unless it is there.

    Parameters
    ----------
    exact : bool
        Whether it has to be of the Python that runs this file. Otherwise it stays with the one it has.
    """
    environment = Environment(ROOT)
    wanted = interpreter(sys.executable) if exact else None
    if not environment.differs(wanted):
        return
    asked = environment.record().get("asked")
    if not exact and asked and asked != here() and interpreter(asked):
        os.execv(asked, [asked, __file__, "--exact", *sys.argv[1:]])
    reason = problem(sys.version_info[:2], platform.system(), platform.machine(), has_venv())
    if reason:
        sys.exit(f"make env: {reason}")
    with alone():
        difference = environment.differs(wanted)
        if difference:
            print(f"make env: .venv is made with {here()}, because {difference}", flush=True)
            environment.create()


def main(arguments=None):
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exact", action="store_true", help="use the Python that runs this, no other")
    parser.add_argument("--extra", choices=["lab"], help="add an extra: JupyterLab")
    options = parser.parse_args(arguments)
    provide(options.exact)
    if options.extra:
        with alone():
            Environment(ROOT).add(options.extra)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # pip has said why
        sys.exit(f"make env: `{' '.join(map(str, error.cmd))}` ended with {error.returncode}")
