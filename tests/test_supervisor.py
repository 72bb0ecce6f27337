"""What the supervisor forwards, and how long it waits."""

import contextlib
import io
import os
import signal
import sys
import threading
import time

from launches import LIMIT

from d2launcher import __main__ as launcher
from d2launcher import supervisor


def supervise(program, essential=lambda name: True):
    """Run a Python program under a supervisor; return its message and the seconds it took."""
    group, begin = supervisor.Supervisor(), time.monotonic()
    try:
        group.start("worker 0", [sys.executable, "-c", program])
        message = group.wait(essential)
    finally:
        group.end()
    return message, time.monotonic() - begin


@contextlib.contextmanager
def pipe():
    """Let standard output be a pipe; return the end that reads."""
    read, write = os.pipe()
    gone = contextlib.suppress(BrokenPipeError)
    with open(read, "rb") as reader, gone, open(write, "w") as writer, contextlib.redirect_stdout(writer):
        yield reader


def test_a_slow_reader_gets_all_lines(monkeypatch):
    monkeypatch.setattr(supervisor, "PATIENCE", 0.2)
    seen = []

    def read(end):
        time.sleep(3)
        with open(end, "rb") as lines:
            seen.extend(lines)

    with (
        pipe() as reader
    ):  # which is closed before the last lines are read, so the thread has an end of its own
        thread = threading.Thread(target=read, args=(os.dup(reader.fileno()),))
        thread.start()
        message, _ = supervise("for k in range(12_000): print(k)")  # more than a pipe holds, not than two
    thread.join()
    assert message is None
    assert seen[-1] == b"[worker 0] 11999\n"


def test_a_reader_that_goes_does_not_keep_the_processes():
    with pipe() as reader:
        reader.close()
        message, seconds = supervise("for k in range(50_000): print(k)")
    assert message is None
    assert seconds < LIMIT


def test_characters_that_the_terminal_lacks_come_through():
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    program = "import sys; [sys.stdout.buffer.write(c.encode() + b'\\n') for c in 'ξπ']"
    with contextlib.redirect_stdout(terminal):
        assert supervise(program)[0] is None
    assert terminal.buffer.getvalue().decode() == "[worker 0] ξ\n[worker 0] π\n"


def test_a_pipe_that_a_session_of_its_own_holds_is_given_up(monkeypatch, capsys):
    monkeypatch.setattr(supervisor, "PATIENCE", 0.5)
    program = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(60)'], start_new_session=True).pid)"
    )
    _, seconds = supervise(program)
    os.kill(int(capsys.readouterr().out.split()[-1]), signal.SIGKILL)
    assert 0.5 < seconds < LIMIT


def test_who_is_not_needed_any_more_has_no_grace(monkeypatch):
    monkeypatch.setattr(supervisor, "PATIENCE", 0.2)
    monkeypatch.setattr(supervisor, "GRACE", 50)
    message, seconds = supervise("import time; time.sleep(60)", essential=lambda name: False)
    assert message is None
    assert seconds < LIMIT


def test_signals_that_nohup_ignores_stay_ignored():
    before = [signal.getsignal(number) for number in launcher.SIGNALS]
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        launcher.on_signals(launcher.stop)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert callable(signal.getsignal(signal.SIGTERM))
    finally:
        for number, handler in zip(launcher.SIGNALS, before, strict=True):
            signal.signal(number, handler)
