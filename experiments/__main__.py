"""Run the experiments: ``python -m experiments [NAME …]``.

Runs that are in the tables already are not run again, so that an interrupted call goes on where it was.
Each processor takes one run at a time, with one thread.
"""

import argparse
import multiprocessing
import os
import sys

from d2lutil.threads import SETTINGS, processors
from experiments import plan, runs, table


def main(arguments=None):
    """Run the experiments that the command line names, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(plan.EXPERIMENTS))
    names = parser.parse_args(arguments).names
    unknown = sorted(set(names) - set(plan.EXPERIMENTS))
    if unknown:
        parser.error(f"NAME={' '.join(unknown)}; allowed: {', '.join(plan.EXPERIMENTS)}")
    os.environ |= dict.fromkeys(SETTINGS, "1")  # of the pool, whose processes load NumPy and MXNet anew
    commit = table.commit()
    with multiprocessing.get_context("spawn").Pool(processors()) as pool:
        for name in names or plan.EXPERIMENTS:
            runs.execute(name, pool, commit)


if __name__ == "__main__":
    sys.exit(main())
