"""Resolve ``requirements.txt`` into ``requirements.lock``, with hashes, for Python 3.10 to 3.13.

Called by ``make lock``. Versions in the present lock stay as long as they fit;
delete the lock to renew all.
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def find_uv(folder):
    """Return the path of uv: the one on PATH, or one installed into a folder."""
    found = shutil.which("uv")
    if found:
        return found
    venv.create(folder, with_pip=True)
    programs = Path(folder) / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "-qq"]
    subprocess.run([*pip, "uv"], check=True)
    return str(programs / "uv")


def numpy_lines():
    """Return the NumPy pins, which override the range in MXNet's metadata."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("numpy=="))


def main():
    """Write the lock."""
    options = "--universal --python-version 3.10 --generate-hashes --no-annotate --no-header -q"
    with tempfile.TemporaryDirectory() as folder:
        override = Path(folder) / "numpy.txt"
        override.write_text(numpy_lines())
        compile_ = [find_uv(Path(folder) / "venv"), "pip", "compile", "requirements.txt"]
        files = ["--override", str(override), "-o", "requirements.lock"]
        sys.exit(subprocess.run([*compile_, *options.split(), *files], cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
