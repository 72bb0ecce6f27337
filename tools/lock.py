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
OPTIONS = "--universal --python-version 3.10 --generate-hashes --no-annotate --no-header"
# Each with the lock whose versions it shares: an extra goes into the same environment.
LOCKS = [("requirements", None), ("requirements-lab", "requirements")]


def find_uv(folder):
    """Return the path of uv: the one on PATH, or one installed into a folder."""
    found = shutil.which("uv")
    if found:
        return found
    venv.create(folder, with_pip=True)
    programs = Path(folder) / "bin"
    installer.install(str(programs / "python"), "uv")
    return str(programs / "uv")


def numpy_lines():
    """Return the NumPy pins, which override the range in MXNet's metadata."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("numpy=="))


def resolve(uv, name, shared, folder):
    """Return the text of a lock.

    Parameters
    ----------
    uv : str
        Path of uv.
    name, shared : str
        Name of the requirements, and of the lock whose versions are given, or None.
    folder : pathlib.Path
        Where files may be written.

    Raises
    ------
    SystemExit
        If there is no solution, or a yanked release in it.
    """
    new, override = folder / f"{name}.lock", folder / "numpy.txt"
    override.write_text(numpy_lines(), encoding="utf-8")
    present = ROOT / f"{name}.lock"
    if present.is_file():
        shutil.copy(present, new)  # uv keeps the versions that it finds
    command = [uv, "pip", "compile", f"{name}.txt", *OPTIONS.split(), "--override", str(override)]
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
        for name, shared in LOCKS:
            text = resolve(uv, name, shared, Path(folder))
            (ROOT / f"{name}.lock").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
