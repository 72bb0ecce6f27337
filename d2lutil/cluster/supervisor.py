"""Processes that live and die together."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time

__all__ = ["Supervisor"]

GRACE = 20.0  # seconds after the first orderly end: the store lets all processes go together
PATIENCE = 3.0  # seconds from SIGTERM to SIGKILL, and for whoever is no longer needed
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal told the launcher to stop."""


class Supervisor:
    """Starts processes, forwards their output, ends all when one fails.

    Each process is the head of a session of its own, so that Ctrl-C reaches the launcher alone and what a
    script started ends with it. Each reads from a pipe that only the launcher holds.
    """

    def __init__(self):
        self.processes, self._lock = {}, threading.Lock()
        self._quiet = {}  # since when each thread has had nothing to forward

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
            self._quiet[thread] = 0.0
            thread.start()

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
        first_end = last_end = None
        while True:
            running = [name for name, process in self.processes.items() if process.poll() is None]
            for name, process in self.processes.items():
                if process.returncode not in (None, 0):
                    return f"{name} {ending(process.returncode)}"
            if not running:
                return None
            now, late = time.monotonic(), [name for name in running if essential(name)]
            if len(running) < len(self.processes):
                first_end = first_end or now
            if not late:
                last_end = last_end or now
                if now - last_end > PATIENCE:
                    return None
            elif first_end and now - first_end > GRACE:
                ended = [name for name in self.processes if name not in running]
                return f"{', '.join(ended)} ended, {', '.join(late)} did not within {GRACE:.0f} s"
            time.sleep(0.05)

    def end(self):
        """End what still runs, and wait until it has, and until its output is written.

        A pipe that something in a session of its own holds is given up after ``PATIENCE`` silent seconds.
        """
        for number, seconds in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, PATIENCE)):
            for process in self.processes.values():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)  # what a script started, too
            deadline = time.monotonic() + seconds
            for process in self.processes.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        ended = time.monotonic()
        for thread in self._quiet:
            while thread.is_alive() and time.monotonic() - max(ended, self._quiet[thread]) < PATIENCE:
                thread.join(0.05)
        for process in self.processes.values():
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def _forward(self, name, source, target):
        me = threading.current_thread()
        with source:
            for line in source:
                self._quiet[me] = math.inf
                # Bytes: not every terminal knows every character. Nobody may read on: the process goes on.
                with self._lock, contextlib.suppress(OSError):
                    target.buffer.write(f"[{name}] ".encode() + line.rstrip(b"\n") + b"\n")
                    target.flush()
                self._quiet[me] = time.monotonic()


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
        ignore_signals()
        raise Stopped(number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(number, stop)


def ignore_signals():
    """Let the signals that ask to stop pass."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
