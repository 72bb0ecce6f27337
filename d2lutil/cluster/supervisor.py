"""Processes that live and die together."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

__all__ = ["Supervisor"]

GRACE = 20.0  # seconds after the first orderly end: the store lets all processes go together
PATIENCE = 3.0  # seconds from SIGTERM to SIGKILL


class Stopped(BaseException):
    """A signal told the launcher to stop."""


class Supervisor:
    """Starts processes, forwards their output, ends all when one fails.

    Each process is the head of a session of its own, so that Ctrl-C reaches the launcher alone and what a
    script started ends with it. Each reads from a pipe that only the launcher holds.
    """

    def __init__(self):
        self.processes, self._threads, self._lock = {}, [], threading.Lock()

    def start(self, name, command, env):
        """Start a process under a name such as ``worker 0``."""
        process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.processes[name] = process
        for source, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
            thread = threading.Thread(target=self._forward, args=(name, source, target), daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait(self, essential):
        """Wait for all processes.

        Parameters
        ----------
        essential : callable
            Tells of a name whether the work is undone without that process.

        Returns
        -------
        str or None
            What went wrong, if something did.
        """
        first_end = None
        while True:
            running = [name for name, process in self.processes.items() if process.poll() is None]
            for name, process in self.processes.items():
                if process.returncode not in (None, 0):
                    return f"{name} {ending(process.returncode)}"
            if not running:
                return None
            if len(running) < len(self.processes):
                first_end = first_end or time.monotonic()
                if time.monotonic() - first_end > GRACE:
                    late = [name for name in running if essential(name)]
                    ended = [name for name in self.processes if name not in running]
                    if not late:
                        return None
                    return f"{', '.join(ended)} ended, {', '.join(late)} did not within {GRACE:.0f} s"
            time.sleep(0.05)

    def end(self):
        """End what still runs, and wait until it has."""
        for number, seconds in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, PATIENCE)):
            for process in self.processes.values():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)  # what a script started, too
            deadline = time.monotonic() + seconds
            for process in self.processes.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        for thread in self._threads:
            thread.join(1)
        for process in self.processes.values():
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def _forward(self, name, source, target):
        with source:
            for line in source:
                with self._lock:
                    target.write(f"[{name}] " + line.decode(errors="replace").rstrip("\n") + "\n")
                    target.flush()


def ending(code):
    """Say in words how a process ended."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def stop_on_signals():
    """Turn the signals that ask to stop into :class:`Stopped`."""

    def stop(number, frame):
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)  # once: the end is not interrupted
        raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
