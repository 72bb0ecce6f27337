"""The launcher's options and its care for processes."""

import re
import socket
import subprocess
import sys
import time

import pytest
from launches import LIMIT, ROOT, TRAIN, launched

from d2launcher import __main__ as launcher
from d2launcher import supervisor


def supervise(*programs, essential=lambda name: True):
    """Run Python programs under a supervisor; return its message and the seconds it took."""
    group, begin = supervisor.Supervisor(), time.monotonic()
    try:
        for k, program in enumerate(programs):
            group.start(f"worker {k}", [sys.executable, "-c", program])
        message = group.wait(essential)
    finally:
        group.end()
    assert all(process.returncode is not None for process in group.processes.values())
    return message, time.monotonic() - begin


SLEEP = "import time; time.sleep(50)"


def test_a_process_that_goes_before_the_others_is_named(monkeypatch):
    monkeypatch.setattr(supervisor, "GRACE", 0.2)
    message, seconds = supervise("pass", SLEEP)
    assert message == "worker 0 ended, worker 1 did not within 0 s"
    assert seconds < LIMIT


def test_what_is_not_essential_may_stay_and_is_ended(monkeypatch):
    monkeypatch.setattr(supervisor, "GRACE", 0.2)
    message, seconds = supervise("pass", SLEEP, essential=lambda name: name == "worker 0")
    assert message is None
    assert seconds < LIMIT


def test_a_process_that_ignores_sigterm_is_ended(capsys, tmp_path):
    deaf = f"import pathlib, signal, time; deaf = pathlib.Path({str(tmp_path / 'deaf')!r}); "
    stubborn = deaf + "signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); deaf.touch(); " + SLEEP
    wait = deaf + "\nwhile not deaf.exists(): time.sleep(0.05)\nraise SystemExit(7)"
    message, seconds = supervise(stubborn, wait)
    assert message == "worker 1 ended with code 7"
    assert "[worker 0] deaf" in capsys.readouterr().out
    assert seconds < LIMIT


def refused(capsys, *arguments):
    """Return the message of a launcher that refuses to start."""
    with pytest.raises(SystemExit) as error:
        launcher.main([str(argument) for argument in arguments])
    assert error.value.code == 2
    return capsys.readouterr().err


BAD = [
    (["--workers", 0, TRAIN], "--workers: '0'; allowed: an integer of at least 1"),
    (["--workers", 1, "--servers", 0, TRAIN], "--servers: '0'; allowed: an integer of at least 1"),
    (["--workers", 1, "--port", 99999, TRAIN], "--port=99999; allowed: an integer from 1 to 65535"),
    (["--workers", 1, "nowhere.py"], "script='nowhere.py' is not a file"),
    ([TRAIN], "one of the arguments --workers --hosts is required"),
    (["--workers", 1, "--on", "a", TRAIN], "--via and --on go with --hosts"),
    (["--hosts", "nowhere.txt", TRAIN], "nowhere.txt"),
]
BAD_HOSTS = [
    ("", "names no host; allowed: a line with an address for each"),
    ("# nobody\n\n", "names no host"),
    ("10.0.0.1 2\n10.0.0.2 two\n", "line 2, workers: 'two'; allowed: an integer of at least 1"),
    ("10.0.0.1 0\n", "line 1, workers: '0'; allowed"),
    ("10.0.0.1 2 3\n", "line 1: '10.0.0.1 2 3'; allowed: an address, once, and a number"),
    ("localhost 1\n", "line 1: 'localhost'; allowed: an IPv4 address such as 10.0.0.1"),
    ("10.0.0.1\n127.0.0.1:22\n", "line 2: '127.0.0.1:22'; allowed: an IPv4 address"),
    ("::1\n", "line 1: '::1'; allowed: an IPv4 address"),
    ("10.0.0.1\n10.0.0.1\n", "line 2: '10.0.0.1'; allowed: an address, once"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_options_are_named(arguments, message, capsys):
    assert re.search(message, refused(capsys, *arguments))


@pytest.mark.parametrize(("content", "message"), BAD_HOSTS)
def test_bad_hosts_files_are_named(content, message, capsys, tmp_path):
    path = tmp_path / "hosts.txt"
    path.write_text(content)
    assert message in refused(capsys, "--hosts", path, TRAIN)


def test_a_hosts_file_of_any_editor_is_read(tmp_path, monkeypatch):
    path = tmp_path / "hosts.txt"
    path.write_bytes(b"\xef\xbb\xbf10.0.0.1 2\r\n\r\n# the others\r\n  10.0.0.2\t3  # big\r10.0.0.3")
    assert launcher.read_hosts(path) == {"10.0.0.1": 2, "10.0.0.2": 3, "10.0.0.3": 1}
    monkeypatch.setenv("HOME", str(tmp_path))
    assert next(iter(launcher.parse(["--hosts", "~/hosts.txt", str(TRAIN)]).hosts)) == "10.0.0.1"


def test_a_hosts_file_that_is_no_text_is_named(tmp_path, capsys):
    path = tmp_path / "hosts.txt"
    for content in (b"10.0.0.1\n\xef\xbb\xbf10.0.0.2\n", "10.0.0.1\n\u200b10.0.0.2\n".encode()):
        path.write_bytes(content)
        assert r"hosts.txt, line 2: '\u" in refused(capsys, "--hosts", path, TRAIN)
    path.write_bytes("10.0.0.1\n".encode("utf-16"))
    assert re.search(r"--hosts='.*' holds byte 0xf. at position 0", refused(capsys, "--hosts", path, TRAIN))
    path.write_text("10.0.0.1 ²\n", encoding="utf-8")
    assert "line 1, workers: '²'; allowed" in refused(capsys, "--hosts", path, TRAIN)
    message = refused(capsys, "--hosts", tmp_path, TRAIN)
    assert f"--hosts: [Errno 21] Is a directory: '{tmp_path}'" in message


def test_options_that_contradict_the_hosts_file_are_named(capsys, tmp_path):
    path = tmp_path / "hosts.txt"
    path.write_text("10.0.0.1 2\n")
    message = refused(capsys, "--hosts", path, "--workers", 2, TRAIN)
    assert "--workers: not allowed with argument --hosts" in message
    assert "--on=b; allowed: one of 10.0.0.1" in refused(capsys, "--hosts", path, "--on", "b", TRAIN)
    assert "allowed: a command with {host} in it" in refused(capsys, "--hosts", path, "--via", "ssh", TRAIN)
    assert "No closing quotation" in refused(capsys, "--hosts", path, "--via", "sh '{host}", TRAIN)


def test_a_command_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "hosts.txt"
    path.write_text("10.0.0.1\n")
    code, output, _ = launched("--hosts", path, "--via", "nowhere {host} {x}", TRAIN)
    assert code == 1
    assert "d2launcher: cannot start a process: [Errno 2]" in output
    assert "Traceback" not in output


def test_a_taken_port_is_named_before_anything_starts(capsys, monkeypatch):
    monkeypatch.setattr(launcher, "start", pytest.fail)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused(capsys, "--workers", 1, "--port", port, TRAIN)
    assert f"--port={port} on 127.0.0.1 is taken; allowed: a free one" in message


def test_the_port_is_none_that_the_system_hands_out(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port not in launcher.FREE_PORTS
        free = launcher.free_port("127.0.0.1", None)
        assert free in launcher.FREE_PORTS
        monkeypatch.setattr(launcher, "FREE_PORTS", [port, free])
        for _ in range(10):
            assert launcher.free_port("127.0.0.1", None) == free
        monkeypatch.setattr(launcher, "FREE_PORTS", [port])
        with pytest.raises(ValueError, match=rf"--port={port} on 127\.0\.0\.1 is taken"):
            launcher.free_port("127.0.0.1", None)


def test_hosts_print_a_command_for_each(capsys, tmp_path):
    path = tmp_path / "hosts.txt"
    path.write_text("10.0.0.1 2  # the first\n\n10.0.0.2\n")
    assert launcher.main(["--hosts", str(path), "--servers", "2", str(TRAIN), "--tau", "7"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "# on 10.0.0.1: scheduler, server 0, server 1, worker 0, worker 1"
    assert printed[3] == "# on 10.0.0.2: worker 2"
    assert "DMLC_NUM_WORKER=3" in printed[1]
    assert "DMLC_PS_ROOT_URI=10.0.0.1 DMLC_PS_ROOT_PORT=9091" in printed[4]
    assert "DMLC_NODE_HOST=10.0.0.2" in printed[4]
    assert printed[5].endswith(f"--on 10.0.0.2 {TRAIN} --tau 7")


def test_the_launcher_loads_neither_mxnet_nor_the_package():
    program = "import sys, d2launcher.__main__; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert "'d2launcher'" in run.stdout
    assert "'mxnet'" not in run.stdout
    assert "'d2lutil'" not in run.stdout
    assert "'numpy'" not in run.stdout


def test_role_in_the_environment_does_not_keep_the_launcher(monkeypatch):
    monkeypatch.setenv("DMLC_ROLE", "server")
    command = [sys.executable, "-m", "d2launcher", "--help"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0
    assert "--workers" in run.stdout
