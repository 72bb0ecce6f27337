"""Execute the chapters in place (``run``) or compare them with their outputs (``check``).

Called by ``make run``, which also writes the figures to take away, and ``make test``.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import figures
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
SECONDS_PER_CELL = 600
# Two chapters run side by side: threads that wait for each other would cost more than they bring.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def chapters():
    """Return the paths of all chapters."""
    return sorted((ROOT / "book").glob("*.ipynb"))


def execute(path):
    """Return a chapter executed, its figures also as SVG and PDF; no output depends on machine or day."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=figures.OPTIONS,
    )
    client.execute()
    notebook.metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    return notebook


def run(path):
    """Execute a chapter in place and say how long it took."""
    start = time.perf_counter()
    notebook = execute(path)
    figures.take(notebook)
    nbformat.write(notebook, path)
    print(f"{path.name:28s} {time.perf_counter() - start:6.1f} s", flush=True)


def uses_corpus(path):
    """Tell whether the outputs of a chapter depend on the text."""
    cells = nbformat.read(path, as_version=4).cells
    return any("load_corpus(" in cell.source for cell in cells if cell.cell_type == "code")


def has_novel():
    """Tell whether the real text is there: directory, cache, or download."""
    import d2lutil

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the message below says it
        return d2lutil.load_corpus().source != "embedded"


def compare(paths, *options):
    """Run nbval over chapters: ``--nbval`` compares outputs, ``--nbval-lax`` runs the assertions."""
    if not paths:
        return 0
    command = [sys.executable, "-m", "pytest", *options, "--nbval-current-env"]
    command += [f"--nbval-cell-timeout={SECONDS_PER_CELL}", "-n", "2", "--dist", "loadscope"]
    command += ["-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider", "-q"]
    return subprocess.call([*command, *map(str, paths)], cwd=ROOT)


def check(whole=False):
    """Compare all chapters, in full those on the text only where it is; without it ``whole`` fails."""
    full, lax = chapters(), []
    if not has_novel():
        lax = [path for path in full if uses_corpus(path)]
        full = [path for path in full if path not in lax]
    codes = [compare(full, "--nbval"), compare(lax, "--nbval-lax", "-rs", "-p", "tools.without_novel")]
    print("notebooks compared in full:", ", ".join(path.stem for path in full) or "none")
    if lax:
        print(
            "CLAIMS ONLY, on the embedded text (The Time Machine was not to be had):",
            ", ".join(path.stem for path in lax),
        )
    return int(any(codes) or (whole and bool(lax)))


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "check"])
    parser.add_argument("paths", nargs="*", type=Path, help="chapters to run; all without")
    parser.add_argument("--whole", action="store_true", help="fail where claims alone can be checked")
    arguments = parser.parse_args()
    os.environ.update(ONE_THREAD)
    if arguments.action == "check":
        sys.exit(check(arguments.whole))
    if not has_novel():
        sys.exit(
            "make run: The Time Machine is not to be had (no D2LUTIL_DATA_DIR, cache or network); "
            "the committed outputs are those of the real text"
        )
    with ThreadPoolExecutor(2) as pool:  # each waits for a kernel, a process of its own
        list(pool.map(run, arguments.paths or chapters()))


if __name__ == "__main__":
    main()
