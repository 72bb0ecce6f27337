"""Create ``.venv`` from the interpreter that runs this file and install the lock into it.

Called by ``make env``. Needs nothing but the standard library, because nothing is installed yet.
"""

import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 10), (3, 13)
WHEELS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64")}
WAY_OUT = {
    ("Darwin", "arm64"): (
        "On Apple silicon use an x86-64 Python under Rosetta "
        "(`arch -x86_64 zsh`, then install Python there), or an aarch64 Linux container."
    ),
    ("Windows", "AMD64"): "On Windows work inside WSL (`wsl --install`), which is Linux x86-64.",
}


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
            "the book needs Python 3.10 to 3.13, this is {}.{}. "
            "Name another one: make env PYTHON=python3.12".format(*version)
        )
    if (system, machine) not in WHEELS:
        hint = WAY_OUT.get((system, machine), "Use Linux on x86-64 or aarch64, or a container of it.")
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
    run = subprocess.run([python, "-c", "import d2lutil"], stderr=subprocess.PIPE, text=True)
    lines = [f"`import d2lutil` ended with {run.returncode}", *run.stderr.strip().splitlines()]
    return lines[-1] if run.returncode else ""


def main():
    """Create the environment and try it, or leave with a message."""
    reason = problem(sys.version_info[:2], platform.system(), platform.machine(), has_venv())
    if reason:
        sys.exit(f"make env: {reason}")
    target = ROOT / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(target)], check=True)
    python = str(target / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
    subprocess.run([*pip, "--no-build-isolation", "--editable", str(ROOT)], check=True)
    reason = refusal(python)  # what the system lacks shows only now
    if reason:
        sys.exit(f"make env: {reason}")


if __name__ == "__main__":
    main()
