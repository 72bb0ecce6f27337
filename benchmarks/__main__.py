"""Measure, print, and write the tables and the figure of the chapter on cost."""

import argparse
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy

from benchmarks import book, memory, report, step
from benchmarks.contestants import Gluon, Package, mxnet, torch
from tools import notebooks

FOLDER = Path(__file__).resolve().parent.parent / "book" / "cost"
PARTS = ["step", "memory", "book"]


def machine():
    """Return one sentence that names the machine and the versions."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    versions = [f"Python {platform.python_version()}", f"NumPy {numpy.__version__}"]
    versions += [f"MXNet {mxnet.__version__}", *([f"PyTorch {torch.__version__}"] if torch else [])]
    threads = os.environ.get("OMP_NUM_THREADS", "each library's own choice")
    return f"{cpu}, {os.cpu_count()} processors, {', '.join(versions)}; threads: {threads}.\n"


def measure_step():
    """Write the tables and the figure of a training step."""
    steps, products = {}, {}
    for shape in step.SHAPES:
        step.check(shape)
        steps[shape] = step.measure(shape)
        products[shape] = (*step.products(shape), step.operations(shape))
        print(f"{report.shape_name(shape)}: gradients agree, measured", file=sys.stderr)
    write("machine", machine())
    write("rates", report.rates(steps))
    write("ratios", report.ratios(steps, products))
    report.figure(steps, FOLDER / "step.svg")


def measure_memory():
    """Write the table of memory."""
    keys = [(Package.name, scheme, n) for scheme in step.schemes(10) for n in memory.LENGTHS]
    keys += [(Gluon.name, scheme, n) for scheme in ("full", report.REGULAR) for n in memory.LENGTHS]
    with ThreadPoolExecutor(2) as pool:
        peaks = dict(zip(keys, pool.map(lambda key: memory.peak(*key), keys), strict=True))
    write("memory", report.memory(peaks))


def measure_book():
    """Write the table of the book's own seconds."""
    write("book", report.book(book.imports(), book.builds(), book.chapters()))
    text = "the embedded story" if not notebooks.has_novel() else "*The Time Machine*"
    write("text", f"The chapters read {text}.\n")


def write(name, text):
    """Print a table and keep it for the book."""
    print(text, flush=True)
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


def main():
    """Measure the parts that the command line names, all without."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; all without")
    parts = parser.parse_args().parts or PARTS
    if torch is None:
        print("PyTorch is not installed: it does not take part", file=sys.stderr)
    start = time.perf_counter()
    FOLDER.mkdir(exist_ok=True)
    for part in parts:
        {"step": measure_step, "memory": measure_memory, "book": measure_book}[part]()
    print(f"{time.perf_counter() - start:.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    main()
