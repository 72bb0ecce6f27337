"""Run the experiments: ``python -m experiments [NAME …]``.

Runs that are in the tables already are not run again, so that an interrupted call goes on where it was.
Each processor takes one run at a time, with one thread.
"""

import argparse
import importlib
import multiprocessing
import os
import sys

from tqdm import tqdm

from d2lutil.threads import SETTINGS, processors
from experiments import plan, table

ONE_THREAD = dict.fromkeys(SETTINGS, "1")


def measure(task):
    """Run one setting of an experiment in a process of the pool."""
    name, settings = task
    module = importlib.import_module(f"experiments.{name}")
    return settings | table.timed(module.measure, settings)


def execute(name, pool, commit):
    """Run what is missing in the table of an experiment, and bring it into the order of the plan."""
    module = importlib.import_module(f"experiments.{name}")
    store = module.TABLE
    wanted = {store.key(settings): settings for settings in module.runs()}
    kept = [row for row in store.rows() if store.key(row) in wanted]
    store.write(kept)
    done = {store.key(row) for row in kept}
    missing = [(name, settings) for key, settings in wanted.items() if key not in done]
    with tqdm(total=len(wanted), initial=len(done), desc=name, unit="run") as bar:
        for row in pool.imap_unordered(measure, missing):
            store.append(row | {"commit": commit})
            bar.update()
    order = {key: place for place, key in enumerate(wanted)}
    rows = sorted(store.rows(), key=lambda row: order[store.key(row)])
    store.write(rows)
    store.describe(rows)


def main(arguments=None):
    """Run the experiments that the command line names, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(plan.EXPERIMENTS))
    names = parser.parse_args(arguments).names
    unknown = sorted(set(names) - set(plan.EXPERIMENTS))
    if unknown:
        parser.error(f"NAME={' '.join(unknown)}; allowed: {', '.join(plan.EXPERIMENTS)}")
    os.environ |= ONE_THREAD  # of the processes of the pool, which import NumPy and MXNet anew
    commit = table.commit()
    with multiprocessing.get_context("spawn").Pool(processors()) as pool:
        for name in names or plan.EXPERIMENTS:
            execute(name, pool, commit)


if __name__ == "__main__":
    sys.exit(main())
