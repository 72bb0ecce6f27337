"""Resolve the requirements into their locks, with hashes, for every Python that the book runs on.

Called by ``make lock``. Versions in the present locks stay as long as they fit; delete a lock to renew all.
A release that its authors have withdrawn (yanked) is refused, also where a requirement names it exactly.
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import installer

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = "--universal --generate-hashes --no-annotate --no-header"
# Each with the oldest Python, and the lock whose versions it shares: it goes into the same environment.
LOCKS = [
    ("requirements", "3.10", None),
    ("requirements-lab", "3.10", "requirements"),
    ("requirements-translations", "3.11", None),
    ("requirements-exercises", "3.11", None),
]


def find_uv(folder):
    """Return the path of uv: the one on PATH, or one installed into a folder."""
    found = shutil.which("uv")
    if found:
        return found
    venv.create(folder, with_pip=True)
    programs = Path(folder) / "bin"
    installer.install(str(programs / "python"), "uv")
    return str(programs / "uv")


def numpy_lines(name):
    """Return the NumPy pins of some requirements, which override the range in MXNet's metadata."""
    lines = (ROOT / f"{name}.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("numpy=="))


def resolve(uv, name, python, shared, folder):
    """Return the text of a lock.

    Parameters
    ----------
    uv : str
        Path of uv.
    name, python, shared : str
        Name of the requirements, the oldest Python, and the lock whose versions are given, or None.
    folder : pathlib.Path
        Where files may be written.

    Raises
    ------
    SystemExit
        If there is no solution, or a yanked release in it.
    """
    new, override = folder / f"{name}.lock", folder / "numpy.txt"
    override.write_text(numpy_lines(name), encoding="utf-8")
    present = ROOT / f"{name}.lock"
    if present.is_file():
        shutil.copy(present, new)  # uv keeps the versions that it finds
    command = [uv, "pip", "compile", f"{name}.txt", *OPTIONS.split(), "--python-version", python]
    command += ["--override", str(override)]
    command += ["--constraint", f"{shared}.lock"] if shared else []
    run = subprocess.run([*command, "-o", str(new)], cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    yanked = [line for line in run.stderr.splitlines() if " is yanked" in line]
    if yanked:
        sys.exit("\n".join([f"make lock: {name}.lock stays as it is; name other versions:", *yanked]))
    return new.read_text(encoding="utf-8")


def main():
    """Write the locks."""
    with tempfile.TemporaryDirectory() as folder:
        uv = find_uv(Path(folder) / "venv")
        for name, python, shared in LOCKS:
            text = resolve(uv, name, python, shared, Path(folder))
            (ROOT / f"{name}.lock").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
