"""What the prose of a notebook for Colab may not hold any more."""

import re

# Roles, directives, labels, links without an address, marks of the builder.
RAW = re.compile(r"\{[a-z:-]+\}`|^\s*(?::::|```)\{|^\([a-z-]+\)=$|\]\(\)|^:::|\ue000|\[\]|<a id", re.M)


def prose(notebook):
    """Return all Markdown of a notebook."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
