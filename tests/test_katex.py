"""The connection to the program that renders the formulas."""

import socket
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "book" / "_ext"))

import katex


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets in the file system here")
def test_connection_waits_until_someone_listens(tmp_path):
    path = str(tmp_path / "katex.sock")
    with socket.socket(socket.AF_UNIX) as server, katex.Patient(socket.AF_UNIX) as client:
        server.bind(path)
        with socket.socket(socket.AF_UNIX) as hasty, pytest.raises(ConnectionRefusedError):
            hasty.connect(path)
        timer = threading.Timer(0.2, server.listen)
        timer.start()
        client.connect(path)
        timer.join()
