"""Processes that live and die together."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import Any

GRACE = 20.0  # seconds after the first orderly end: the store lets all processes go together
PATIENCE = 3.0  # seconds from SIGTERM to SIGKILL, and for what is no longer needed


class Supervisor:
    """Starts processes, forwards their output under their names, and ends all when one fails.

    Each is the head of a session of its own, so that Ctrl-C reaches the launcher alone and what a script
    started ends with it. Each reads from a pipe that only the launcher holds.
    """

    def __init__(self):
        self.processes, self._rest = {}, {}
        self._pipes = selectors.DefaultSelector()

    def start(self, name, command):
        """Start a process under a name such as ``worker 0``."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process: Any = subprocess.Popen(command, start_new_session=True, bufsize=0, **pipes)
        self.processes[name] = process
        for source, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
            self._pipes.register(source, selectors.EVENT_READ, (name, target))

    def wait(self, essential):
        """Return what went wrong, or None: the processes ended of which ``essential(name)`` is true.

        A script that is over does not end its process as long as the others need MXNet's store. So an
        exchange that a worker leaves out is noticed by those that wait for it, not here.
        """
        phase, since = None, 0.0
        while True:
            codes = {name: process.poll() for name, process in self.processes.items()}
            failed = [f"{name} {ending(code)}" for name, code in codes.items() if code]
            ended = [name for name, code in codes.items() if code == 0]
            late = [name for name, code in codes.items() if code is None and essential(name)]
            if failed or len(ended) == len(codes):
                return failed[0] if failed else None
            if phase != (bool(ended), bool(late)):
                phase, since = (bool(ended), bool(late)), time.monotonic()
            waited = time.monotonic() - since
            if not late and waited > PATIENCE:
                return None
            if ended and late and waited > GRACE:
                return f"{', '.join(ended)} ended, {', '.join(late)} did not within {GRACE:.0f} s"
            self._forward(0.05)

    def end(self):
        """End what still runs, and forward the rest, until the pipes are silent for ``PATIENCE``."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self.processes.values():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)  # what a script started, too
            deadline = time.monotonic() + PATIENCE
            while None in [p.poll() for p in self.processes.values()] and time.monotonic() < deadline:
                self._forward(0.05)
        while self._pipes.get_map() and self._forward(PATIENCE):
            pass  # a session of another process may hold a pipe
        for process in self.processes.values():
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()

    def _forward(self, seconds):
        """Forward what arrives within some seconds; return whether something did.

        In bytes: not every terminal knows every character. If nobody reads, the processes go on.
        """
        ready = self._pipes.select(seconds)
        for key, _ in ready:
            received, (name, target) = os.read(key.fd, 65536), key.data
            *lines, self._rest[key.fd] = (self._rest.get(key.fd, b"") + received).split(b"\n")
            if not received:
                self._pipes.unregister(key.fileobj)
                lines = [line for line in [self._rest.pop(key.fd)] if line]
            with contextlib.suppress(OSError):
                target.buffer.write(b"".join(f"[{name}] ".encode() + line + b"\n" for line in lines))
                target.flush()
        return bool(ready)


def ending(code):
    """Say in words how a process ended."""
    if code > 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
