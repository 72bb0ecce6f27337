"""The experiments that decide what the book says about training; ``make experiments`` runs them.

One module an experiment, one row of ``results/NAME.csv`` a run. What was to be compared, and what would
count as resolved, was written down in :mod:`experiments.plan` before the runs.
"""
