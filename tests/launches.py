"""Launches of the cluster and two hosts, for its tests."""

import contextlib
import io
import os
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import matplotlib
import numpy
import pytest

from d2launcher import __main__ as launcher

ROOT = Path(__file__).resolve().parent.parent
TRAIN = ROOT / "book" / "distributed.py"
SMALL = ["--corpus", "noon_road", "--batch", "8", "--hiddens", "8", "--tau", "10", "--dtype", "float64"]
SMALL += ["--momentum", "0.9"]
FONTS = matplotlib.get_cachedir()
LIMIT = 30  # seconds from a failure to the end of everything
PATIENCE = 150  # seconds for a launch to get somewhere on a busy machine


def environment():
    """Return the environment of a launch: one thread, and fonts that matplotlib need not look for."""
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": FONTS}


def lines(process, mark):
    """Return what a launcher prints up to the line with a mark; end it if that does not come."""
    seen, timer = [], threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            seen.append(line)
            if mark in line:
                return seen
    finally:
        timer.cancel()
    raise AssertionError(f"no {mark!r} in {seen}")


def marked(mark):
    """Return the processes whose environment holds a mark: all that a launch has left."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environ = (folder / "environ").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if f"TEST_MARK={mark}".encode() in environ and state != "Z":
                roles = [e[10:].decode() for e in environ if e.startswith(b"DMLC_ROLE=")]
                found[int(folder.name)] = roles[0] if roles else "launcher"
    return found


def soon(holds, seconds=LIMIT):
    """Tell whether something holds within some seconds."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


def is_free(port):
    """Tell whether nobody listens on a port; a process that dies gives up its memory before its ports."""
    with contextlib.suppress(ValueError):
        return launcher.free_port("127.0.0.1", port) == port
    return False


class Launch:
    """A launcher under way, and everything that it started."""

    def __init__(self, *arguments, prefix=()):
        self.mark = uuid.uuid4().hex
        command = [*prefix, sys.executable, "-u", "-m", "d2launcher", *map(str, arguments)]
        env = environment() | {"TEST_MARK": self.mark}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(command, env=env, text=True, start_new_session=True, **pipes)

    def pids(self, role):
        return sorted(pid for pid, found in marked(self.mark).items() if found == role)

    def until(self, mark):
        return lines(self.process, mark)

    def end(self, seconds=PATIENCE):
        """Return the exit code and the rest of the output."""
        output, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, output

    def leaves_nothing(self, seconds=LIMIT):
        return soon(lambda: marked(self.mark) == {}, seconds)


def launched(*arguments):
    """Run the launcher in this process, to its end; return its exit code, the output, and the mark."""
    mark, said = uuid.uuid4().hex, io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    handlers = {number: signal.getsignal(number) for number in launcher.SIGNALS}
    timer = threading.Timer(PATIENCE, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (environment() | {"TEST_MARK": mark}).items():
                patch.setenv(name, value)
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = launcher.main([str(argument) for argument in arguments])
    finally:
        timer.cancel()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code, said.buffer.getvalue().decode(), mark


def train(*arguments):
    """Run the training script in this process, which is a single one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(TRAIN), *SMALL, *map(str, arguments)])
        runpy.run_path(str(TRAIN), run_name="__main__")


def alone(path, *arguments):
    """Return what a single process saves."""
    train(*arguments, "--save", path)
    return numpy.load(path)


def gap(a, b, kind):
    return max(abs(a[name] - b[name]).max() for name in a if name.startswith(kind))


@contextlib.contextmanager
def two_hosts(folder):
    """Give the launcher's options for two hosts, and what they are.

    Two network namespaces with a cable between them where this machine allows it, else loopback.
    """
    hosts, port = folder / "hosts.txt", launcher.free_port("127.0.0.1", None)
    names = [f"d2l{uuid.uuid4().hex[:6]}{k}" for k in "ab"]
    net = os.getpid() % 250 + 1
    addresses = [f"10.213.{net}.1", f"10.213.{net}.2"]
    try:
        if shutil.which("ip") is None:
            raise OSError("no ip command")
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", names[1])
        for name, address in zip(names, addresses, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "v0")
            ip("-n", name, "link", "set", "v0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        pick = f"case {{host}} in {addresses[0]}) n={names[0]};; *) n={names[1]};; esac; "
        via, kind = f"sh -c '{pick}exec ip netns exec $n sh -c \"$0\"'", "two network namespaces"
    except (OSError, subprocess.CalledProcessError) as error:
        addresses = ["127.0.0.1", "127.0.0.2"]
        via, kind = "sh -c 'exec sh -c \"$0\" {host}'", f"loopback only ({error})"
    try:
        hosts.write_text("".join(f"{address} 1\n" for address in addresses))
        yield ["--hosts", hosts, "--port", port, "--via", via], kind
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)
