"""Run the experiments: ``python -m experiments [NAME …]``.

Runs that are in the tables already are not run again, so that an interrupted call goes on where it was.
Each processor takes one run at a time, with one thread.
"""

import argparse
import multiprocessing
import os
import random
import sys

import d2lutil
from d2lutil.threads import SETTINGS, processors
from experiments import effects, plan, runs, table


def main(arguments=None):
    """Run the experiments that the command line names, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(plan.EXPERIMENTS))
    parser.add_argument("--check", action="store_true", help="run one row of each again, drawn by chance")
    parser.add_argument("--seed", type=int, help="with --check, all rows of this seed instead")
    given = parser.parse_args(arguments)
    names = given.names or list(plan.EXPERIMENTS)
    unknown = sorted(set(names) - set(plan.EXPERIMENTS))
    if unknown:
        parser.error(f"NAME={' '.join(unknown)}; allowed: {', '.join(plan.EXPERIMENTS)}")
    os.environ |= dict.fromkeys(SETTINGS, "1")  # of the pool, whose processes load NumPy and MXNet anew
    with multiprocessing.get_context("spawn").Pool(processors()) as pool:
        code = check(names, pool, given.seed) if given.check else run(names, pool)
        pool.close()
        pool.join()
    return code


def run(names, pool):
    """Run what is missing, and write the effects once every run has its row."""
    commit = table.commit()
    for name in names:
        runs.execute(name, pool, commit)
    if all(map(runs.complete, plan.EXPERIMENTS)):
        effects.write()
    return 0


def check(names, pool, seed):
    """Check rows of each experiment; without the novel, of those that do not read it."""
    if d2lutil.load_corpus().name != "time_machine":
        print("experiments: the novel is not at hand, only recall is checked")
        names = [name for name in names if name.startswith("recall")]
    rng = random.Random()

    def choose(rows):
        return [rng.choice(rows)] if seed is None else [row for row in rows if row["seed"] == seed]

    return 0 if runs.check(names, pool, choose) else 1


if __name__ == "__main__":
    sys.exit(main())
