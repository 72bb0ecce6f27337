"""The fast passes: what :func:`d2lutil.gradient.backward` defines, for many rows at a time.

A cut in a column ends a *strand*: a run of steps of one column between two of its cuts, where ξ = 0 or a
sequence begins. Two columns with cuts of their own, eight steps long:

    column 0    a a a a a | b b b
    column 1    c c | d d d d d d

No gradient crosses a cut, so all strands can go back at once. They are aligned at their first steps and
sorted, the longest first:

    position    0 1 2 3 4 5
    strand d    ● ● ● ● ● ●
    strand a    ● ● ● ● ●
    strand b    ● ● ●
    strand c    ● ●
                ◄──────────  one matrix product for each position, from the last to the first

The strands that are alive at a position are the first rows of those at the position before it, so what
returns is added to a prefix, and one product of four rows replaces four products of one. The values do not
depend on ξ: they are computed first, step by step, for a group of steps at a time. A strand goes back in
the group in which it ends; until then its states stay in rings, which hold a group and the longest strand.

``strands`` finds the groups and strands and goes back; ``kernels`` holds the equations of the cells for
rows; ``products`` makes small matrix products fast.
"""
