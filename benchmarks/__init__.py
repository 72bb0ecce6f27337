"""What a scheme costs, measured: ``make bench`` writes the tables and the figure of the chapter on cost.

Every comparison alternates the contestants in one run and reports ratios, after a check that they
compute the same gradient. PyTorch takes part where it is installed.
"""
