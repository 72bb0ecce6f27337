"""Measure, print, and write the tables and the figure of the chapter on cost."""

import argparse
import contextlib
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy

from benchmarks import machinery, memory, report, step
from benchmarks.contestants import CONTESTANTS, Package, mxnet
from benchmarks.problem import GATES, REGULAR, STAGGERED, TAU, schemes
from benchmarks.products import largest

FOLDER = Path(__file__).resolve().parent.parent / "book" / "cost"
SECONDS = 440  # in all: ten minutes with the making of the environment and what cannot be cut short
LEAST = 100  # seconds for the training step, whatever the rest took; three rounds may need more
NAMED = {"wide": step.WIDE, "narrow": step.NARROW, "short": step.SHORT}  # each a table of schemes
MACHINERY = 45  # seconds for what its parts buy


def machine():
    """Return one sentence that names the machine and the versions."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    versions = [f"Python {platform.python_version()}", f"NumPy {numpy.__version__}"]
    versions += [f"MXNet {mxnet.__version__}"]
    with contextlib.suppress(PackageNotFoundError):
        versions += [f"PyTorch {version('torch')}"]
    return f"{cpu}, {os.cpu_count()} processors, {', '.join(versions)}.\n"


def measure_step(end):
    """Write the tables and the figure of a training step, measured until ``end`` if there is time."""
    steps, scaled = (
        {cell: dict.fromkeys(shapes) for cell, shapes in step.SHAPES.items()} for _ in range(2)
    )
    cases = [(cell, shape) for cell, shapes in step.SHAPES.items() for shape in shapes]
    cases.sort(key=lambda case: case[1][0] * case[1][1])  # what the short ones leave, the long ones get
    for number, (cell, shape) in enumerate(cases):
        now = time.perf_counter()
        deadline = now + (end - now) / (len(cases) - number)
        step.check(cell, shape)
        steps[cell][shape], scaled[cell][shape] = step.measure(cell, shape, deadline)
        took = time.perf_counter() - now
        print(f"{cell} {report.shape_name(shape)}: gradients agree, {took:.0f} s", file=sys.stderr)
    write("machine", machine())
    for name, shape in NAMED.items():
        write(f"schemes-{name}", report.over_chunks(steps, scaled, shape))
    write("programs", report.over_package(steps))
    write("rates", report.rates(steps, scaled))
    write("products", report.products(steps["tanh"], {shape: largest(shape) for shape in steps["tanh"]}))
    report.figure(steps, [step.WIDE, step.NARROW], FOLDER / "step.svg")


def measure_machinery(end):
    """Write the table of what each part of the machinery buys."""
    write("machinery", report.machinery(machinery.measure_all(MACHINERY)))


def measure_memory(end):
    """Write the table of memory."""
    names = [Package.name, *(layer.name for layer in step.LAYERS)]
    keys = [
        (name, cell, scheme)
        for cell in GATES
        for name in names
        for scheme in ("full", REGULAR, STAGGERED)
        if scheme != STAGGERED or name == Package.name
    ]
    with ThreadPoolExecutor(2) as pool:
        peaks = dict(zip(keys, pool.map(lambda key: memory.peaks(*key, memory.LENGTHS), keys), strict=True))
    write("memory", report.memory(peaks))


def write_counts(end):
    """Write the table of what each scheme must do and keep."""
    write("counts", report.count(schemes(*step.WIDE[:2]), step.WIDE, TAU))


def write(name, text):
    """Print a table and keep it for the book."""
    print(text, flush=True)
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


PARTS = {  # the step last: it takes the rest of the time
    "counts": write_counts,
    "memory": measure_memory,
    "machinery": measure_machinery,
    "step": measure_step,
}


def main():
    """Measure the parts that the command line names, all without."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; all without")
    named = parser.parse_args().parts
    if len(step.KINDS) == len(CONTESTANTS):
        print("PyTorch is not installed: it does not take part", file=sys.stderr)
    start = time.perf_counter()
    FOLDER.mkdir(exist_ok=True)
    for part in [part for part in PARTS if part in named or not named]:
        PARTS[part](max(start + SECONDS, time.perf_counter() + LEAST))
    print(f"{time.perf_counter() - start:.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    main()
