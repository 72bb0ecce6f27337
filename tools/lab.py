"""Write the book as notebooks to ``_build/lab`` (``write``) and open them in JupyterLab (``open``).

Called by ``make lab``. What a reader has changed there stays: a page of the book that has changed as well
is written beside the reader's, and named.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEW = ROOT / "_build" / "local"  # where the builder of that name writes
FOLDER = ROOT / "_build" / "lab"
RECORD = ".written.json"


def build():
    """Write the pages as they are now, and return their paths."""
    shutil.rmtree(NEW, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", "."]
    command += ["--builder", "custom", "--custom-builder", "local", "-W", "--keep-going", "-n", "-q"]
    subprocess.run(command, cwd=ROOT, check=True)
    return sorted([*NEW.glob("*.ipynb"), *NEW.glob("*.py")])


def digest(content):
    """Return what tells whether a person has changed a file.

    JupyterLab writes the version of Python and more into the metadata of a notebook that was only opened:
    of a notebook, the text and the outputs of its cells count.
    """
    try:
        cells = json.loads(content)["cells"]
        said = [[cell["cell_type"], cell["source"], cell.get("outputs", [])] for cell in cells]
        content = json.dumps(said, sort_keys=True).encode()
    except (ValueError, KeyError, TypeError):
        pass  # no notebook
    return hashlib.sha256(content).hexdigest()


def beside(path, record):
    """Return the first name beside a reader's file that is free, or holds what was written there."""
    number = 1
    while True:
        other = path.with_name(f"{path.stem}.new{number if number > 1 else ''}{path.suffix}")
        if not other.exists() or digest(other.read_bytes()) == record.get(other.name):
            return other
        number += 1


def update(paths, folder):
    """Bring a reader's folder up to date without losing a change of the reader's.

    Parameters
    ----------
    paths : list of pathlib.Path
        The files of the book as it is now.
    folder : pathlib.Path
        The reader's folder. ``.written.json`` in it records what was written there before.

    Returns
    -------
    list of (str, str)
        Names of files that the reader has changed, with the name of the new one beside each, or the empty
        string where the book's page is still the one that the reader began with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    register = folder / RECORD
    record = json.loads(register.read_text(encoding="utf-8")) if register.is_file() else {}
    kept = []
    for path in paths:
        target, content = folder / path.name, path.read_bytes()
        mine = digest(target.read_bytes()) if target.is_file() else None
        if mine in (None, record.get(path.name), digest(content)):
            target.write_bytes(content)
        elif record.get(path.name) == digest(content):
            kept.append((path.name, ""))
        else:
            other = beside(target, record)
            other.write_bytes(content)
            record[other.name] = digest(content)
            kept.append((path.name, other.name))
        record[path.name] = digest(content)
    register.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return kept


def write(folder=FOLDER):
    """Write the notebooks and say what was left alone."""
    paths = build()
    for name, other in update(paths, folder):
        print(
            f"{name}: yours stays"
            + (f"; the book's has changed and is beside it, {other}" if other else "")
        )
    print(f"{len(paths)} files of the book in {os.path.relpath(folder)}")


def command(folder, address, *options):
    """Return the command that opens a folder in JupyterLab, without a request to anybody else."""
    program = str(Path(sys.executable).parent / "jupyter-lab")
    command = [program, f"--ServerApp.root_dir={folder}", f"--ServerApp.ip={address}", *options]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if os.geteuid() == 0:
        command.append("--allow-root")  # as in a container
    return command


def environment(folder):
    """Return JupyterLab's environment: its settings lie in the reader's folder and outlast `.venv`."""
    kept = {name: value for name, value in os.environ.items() if name != "JUPYTER_NO_CONFIG"}
    own = {name: str(folder / ".jupyter" / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    return kept | {f"JUPYTERLAB_{name}_DIR": path for name, path in own.items()}


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["write", "open"])
    parser.add_argument("address", nargs="?", default="localhost", help="where JupyterLab listens")
    arguments = parser.parse_args()
    write()
    if arguments.action == "open":
        start = [] if arguments.address == "localhost" else ["--no-browser"]
        opened = command(FOLDER, arguments.address, *start, str(FOLDER / "intro.ipynb"))
        os.chdir(FOLDER)
        os.execve(opened[0], opened, environment(FOLDER))


if __name__ == "__main__":
    main()
