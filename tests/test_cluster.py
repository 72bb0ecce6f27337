"""The parameter server with real processes: sums, failures, checkpoints, two hosts."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import matplotlib
import numpy
import pytest
import reference

import d2lutil
from d2lutil import cluster
from d2lutil.cluster import __main__ as launcher
from d2lutil.cluster import supervisor

ROOT = Path(__file__).resolve().parent.parent
TRAIN = ROOT / "book" / "distributed.py"
SMALL = ["--corpus", "noon_road", "--batch", "8", "--hiddens", "8", "--tau", "10", "--dtype", "float64"]
SMALL += ["--momentum", "0.9"]
FONTS = matplotlib.get_cachedir()
LIMIT = 30  # seconds from a failure to the end of everything


def environment():
    """Return the environment of a launch: one thread, and fonts that matplotlib need not look for."""
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": FONTS}


def lines(process, mark):
    """Return what a launcher prints up to the line with a mark."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if mark in line:
            return seen
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


class Launch:
    """A launcher under way, and everything that it started."""

    def __init__(self, *arguments, prefix=()):
        self.mark = uuid.uuid4().hex
        command = [*prefix, sys.executable, "-u", "-m", "d2lutil.cluster", *map(str, arguments)]
        env = environment() | {"TEST_MARK": self.mark}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(command, env=env, text=True, start_new_session=True, **pipes)

    def pids(self, role):
        return sorted(pid for pid, found in marked(self.mark).items() if found == role)

    def until(self, mark):
        return lines(self.process, mark)

    def end(self, seconds=55):
        """Return the exit code and the rest of the output."""
        output, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, output

    def leaves_nothing(self, seconds=LIMIT):
        deadline = time.monotonic() + seconds
        while marked(self.mark) and time.monotonic() < deadline:
            time.sleep(0.1)
        return marked(self.mark) == {}


@pytest.fixture
def launch():
    """Start launchers; end what a failed test leaves."""
    started = []

    def start(*arguments, **options):
        started.append(Launch(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        for pid in marked(one.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        one.process.communicate()


@pytest.fixture
def script(tmp_path):
    """Write a script for the workers."""

    def write(body):
        path = tmp_path / "script.py"
        path.write_text("import d2lutil\nfrom d2lutil.cluster import Exchange\n" + body)
        return path

    return write


def alone(path, *arguments):
    """Run the training script in a single process."""
    command = [sys.executable, TRAIN, *SMALL, *arguments, "--save", path]
    subprocess.run(command, env=environment(), check=True)
    return numpy.load(path)


def gap(a, b, kind):
    return max(abs(a[name] - b[name]).max() for name in a if name.startswith(kind))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestProcesses:
    """Real ones, on this machine."""

    @pytest.mark.parametrize(("workers", "servers"), [(2, 1), (4, 2)])
    def test_gradients_add_up_to_those_of_a_single_process(self, workers, servers, launch, tmp_path):
        single = alone(tmp_path / "1.npz", "--segments", "3")
        path = tmp_path / "n.npz"
        options = ["--workers", workers, "--servers", servers, TRAIN, *SMALL, "--segments", 3]
        run = launch(*options, "--save", path)
        assert run.end()[0] == 0
        several = numpy.load(path)
        assert gap(single, several, "gradient") < 1e-12
        assert gap(single, several, "value") < 1e-12
        assert float(several["loss"]) == pytest.approx(float(single["loss"]), rel=1e-12)
        assert run.leaves_nothing(1)

    def test_float32_is_summed_on_the_server(self, launch, tmp_path):
        single = alone(tmp_path / "1.npz", "--segments", "2", "--dtype", "float32")
        path = tmp_path / "2.npz"
        options = ["--workers", 2, TRAIN, *SMALL, "--dtype", "float32", "--segments", 2, "--save", path]
        assert launch(*options).end()[0] == 0
        several = numpy.load(path)
        assert several["value_0"].dtype == "float32"
        assert gap(single, several, "gradient") < 1e-4
        assert gap(single, several, "value") < 1e-4

    @pytest.mark.parametrize("role", ["worker", "server", "scheduler"])
    def test_a_killed_process_ends_all(self, role, launch):
        run = launch("--workers", 2, TRAIN, *SMALL, "--segments", 10**9)
        run.until("from segment 0")
        os.kill(run.pids(role)[0], signal.SIGKILL)
        code, output = run.end(LIMIT)
        assert code == 1
        assert f"d2lutil.cluster: {role}" in output
        assert "was ended by SIGKILL; all processes are ended" in output
        assert run.leaves_nothing(1)

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
    )
    def test_a_stopped_launcher_leaves_no_process_and_no_port(self, number, code, launch):
        port = launcher.free_port("127.0.0.1", None)
        run = launch("--workers", 2, "--port", port, TRAIN, *SMALL, "--segments", 10**9)
        run.until("from segment 0")
        run.process.send_signal(number)
        assert run.process.wait(LIMIT) == code
        assert run.leaves_nothing()
        assert launcher.free_port("127.0.0.1", port) == port

    def test_an_exception_ends_all_with_its_message(self, launch, script):
        path = script(
            "exchange = Exchange()\n"
            "if exchange.index == 1: raise ValueError('seven is not a colour')\n"
            "exchange.gather('x', 1)\n"
        )
        code, output = launch("--workers", 2, path).end()
        assert code == 1
        assert "[worker 1] ValueError: seven is not a colour" in output
        assert "d2lutil.cluster: worker 1 ended with code 1" in output

    def test_a_message_and_a_code_of_exit_come_through(self, launch, script):
        code, output = launch("--workers", 1, script("raise SystemExit('enough')")).end()
        assert code == 1
        assert "[worker 0] enough" in output

    def test_workers_know_their_place_and_take_their_arguments(self, launch, script):
        path = script(
            "import sys, mxnet\n"
            "exchange = Exchange()\n"
            "print(sys.argv[1:], exchange.gather('x', exchange.index ** 2))\n"
        )
        code, output = launch("--workers", 3, path, "--a b", "c").end()
        assert code == 0
        assert output.count("['--a b', 'c'] [0.0, 1.0, 4.0]") == 3

    def test_sums_do_not_depend_on_the_order_of_arrival(self, launch, script):
        path = script(
            "import mxnet, numpy, time\n"
            "exchange = Exchange()\n"
            "x = numpy.random.default_rng(exchange.index).normal(size=(40, 30)) * 10.0 ** exchange.index\n"
            "for step in range(20):\n"
            "    time.sleep((exchange.index * 7 + step) % 3 / 100)\n"
            "    y = exchange._sums({'x': mxnet.np.array(x, dtype='float64')})['x'].asnumpy()\n"
            "    parts = [numpy.random.default_rng(k).normal(size=(40, 30)) * 10.0**k for k in range(3)]\n"
            "    assert (y == (parts[0] + parts[1]) + parts[2]).all()\n"
            "print('equal to the bit')\n"
        )
        code, output = launch("--workers", 3, path).end()
        assert code == 0, output
        assert output.count("equal to the bit") == 3

    def test_a_resumed_run_equals_an_undisturbed_one_to_the_bit(self, launch, tmp_path):
        options = ["--workers", 2, TRAIN, *SMALL, "--segments", 100, "--every", 3]
        whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
        assert launch(*options, "--save", whole).end()[0] == 0
        folder = tmp_path / "checkpoints"
        run = launch(*options, "--checkpoints", folder)
        deadline = time.monotonic() + LIMIT
        while len(list(folder.glob("*.npz"))) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        for pid in marked(run.mark):
            os.kill(pid, signal.SIGKILL)
        assert run.process.wait(LIMIT) == -signal.SIGKILL
        run = launch(*options, "--checkpoints", folder, "--save", parts)
        begin = int(run.until("from segment")[-1].split("segment ")[1].split(",")[0])
        assert 0 < begin < 100
        assert begin % 3 == 0
        assert run.end()[0] == 0
        whole, parts = numpy.load(whole), numpy.load(parts)
        assert all((whole[name] == parts[name]).all() for name in whole if name.startswith("value"))
        assert whole["loss"] == parts["loss"]

    def test_two_hosts_agree_with_a_single_process(self, launch, tmp_path, record_property):
        with two_hosts(tmp_path) as (options, addresses, kind):
            record_property("two hosts", kind)
            path = tmp_path / "2.npz"
            code, output = launch(*options, TRAIN, *SMALL, "--segments", 3, "--save", path).end()
            assert code == 0, output
            assert f"[{addresses[0]}] [worker 0] from segment 0" in output
            assert f"[{addresses[1]}] [worker 1] from segment 0" in output
            assert gap(alone(tmp_path / "1.npz", "--segments", "3"), numpy.load(path), "gradient") < 1e-12

    def test_a_killed_process_ends_all_on_both_hosts(self, launch, tmp_path, record_property):
        with two_hosts(tmp_path) as (options, addresses, kind):
            record_property("two hosts", kind)
            run = launch(*options, TRAIN, *SMALL, "--segments", 10**9)
            run.until(f"[{addresses[1]}] [worker 1] from segment 0")
            os.kill(run.pids("worker")[1], signal.SIGKILL)
            code, output = run.end(LIMIT)
            assert code == 1
            assert "was ended by SIGKILL" in output
            assert run.leaves_nothing()


@contextlib.contextmanager
def two_hosts(folder):
    """Give the launcher's options for two hosts, their addresses, and what they are.

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
        yield ["--hosts", hosts, "--port", port, "--via", via], addresses, kind
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def supervise(*programs):
    """Run Python programs under a supervisor; return its message and the seconds it took."""
    group, begin = supervisor.Supervisor(), time.monotonic()
    try:
        for k, program in enumerate(programs):
            group.start(f"worker {k}", [sys.executable, "-c", program], None)
        message = group.wait(lambda name: name != "worker 2")
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
    message, seconds = supervise("pass", "pass", SLEEP)
    assert message is None
    assert seconds < LIMIT


def test_a_process_that_ignores_sigterm_is_ended(capsys):
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); " + SLEEP
    wait = "import time; time.sleep(3); raise SystemExit(7)"
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
    (["--workers", 0, TRAIN], "--workers=0; allowed: an integer of at least 1"),
    (["--workers", 1, "--servers", 0, TRAIN], "--servers=0; allowed: an integer of at least 1"),
    (["--workers", 1, "--port", 99999, TRAIN], "--port=99999; allowed: .* at most 65535"),
    (["--workers", 1, "nowhere.py"], "script='nowhere.py' is not a file"),
    ([TRAIN], "--workers or --hosts is needed"),
    (["--workers", 1, "--on", "a", TRAIN], "--via and --on go with --hosts"),
    (["--hosts", "nowhere.txt", TRAIN], "nowhere.txt"),
]
BAD_HOSTS = [
    ("", "names no host; allowed: a line with an address for each"),
    ("# nobody\n\n", "names no host"),
    ("10.0.0.1 2\n10.0.0.2 two\n", "line 2: 'two' workers; allowed: an integer of at least 1"),
    ("10.0.0.1 0\n", "line 1: '0' workers"),
    ("10.0.0.1 2 3\n", "line 1: '10.0.0.1 2 3'; allowed: an address, once, and a number"),
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


def test_options_that_contradict_the_hosts_file_are_named(capsys, tmp_path):
    path = tmp_path / "hosts.txt"
    path.write_text("10.0.0.1 2\n")
    assert "--workers and --hosts exclude" in refused(capsys, "--hosts", path, "--workers", 2, TRAIN)
    assert "--on=b; allowed: one of 10.0.0.1" in refused(capsys, "--hosts", path, "--on", "b", TRAIN)
    assert "allowed: a command with {host} in it" in refused(capsys, "--hosts", path, "--via", "ssh", TRAIN)


def test_a_taken_port_is_named_before_anything_starts(capsys, monkeypatch):
    monkeypatch.setattr(launcher, "start", pytest.fail)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused(capsys, "--workers", 1, "--port", port, TRAIN)
    assert f"--port={port} on 127.0.0.1 is taken; allowed: a free one" in message


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


def test_columns_are_shared_out():
    A = numpy.arange(10).reshape(2, 5)
    parts = [cluster.columns(A, k, 3) for k in range(3)]
    assert sorted(numpy.concatenate(parts, axis=1)[0]) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="workers=6; allowed: an integer of at least 1, at most 5"):
        cluster.columns(A, 0, 6)
    with pytest.raises(ValueError, match="index=3; allowed"):
        cluster.columns(A, 3, 3)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return checkpoints of one process that says it is one of several."""
    from mxnet import gluon

    def checkpoints(workers=1, hiddens=5, seed=2, every=2):
        net = reference.make_net(num_hiddens=hiddens)
        trainer = gluon.Trainer(net.parameters(), "sgd", {"momentum": 0.9}, kvstore=None)
        exchange = cluster.Exchange()
        exchange.workers = workers
        texts = reference.make_text(seed=seed)
        return cluster.Checkpoints(tmp_path / "c", every, exchange, net, trainer, *texts)

    return checkpoints


def update(store):
    X, Y = reference.make_text()
    d2lutil.zero_gradients(store.net.parameters())
    d2lutil.bptt(store.net, X, Y, store.net.begin_state(X.shape[1]), d2lutil.full(len(X)))
    store.trainer.step(X.size)


def test_a_checkpoint_holds_parameters_momentum_and_state(make):
    store = make()
    assert store.restore() == (0, {})
    update(store)
    store.save(2, h=reference.make_state())
    update(store)
    expected = reference.values(store.net)
    store = make()
    segment, carried = store.restore()
    assert segment == 2
    assert (carried["h"] == reference.make_state().asnumpy()).all()
    update(store)
    assert reference.difference(reference.values(store.net), expected) == 0


def test_two_checkpoints_are_kept(make):
    store = make()
    for segment in range(1, 10):
        store.save(segment)
    assert [path.name[-6:] for path in sorted(store.directory.iterdir())] == ["06.npz", "08.npz"]


def test_workers_go_on_from_the_older_of_their_newest(make, monkeypatch):
    store = make()
    store.save(4)
    store.save(6)
    monkeypatch.setattr(store.exchange, "gather", lambda name, number: [4.0, number])
    assert store.restore()[0] == 4
    monkeypatch.setattr(store.exchange, "gather", lambda name, number: [0.0, number])
    with pytest.raises(ValueError, match="segments are 0 of worker 0, 6 of worker 1; files are lost"):
        store.restore()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workers": 2}, "is of a run with 1 workers; allowed: one with 2, as now"),
        ({"hiddens": 6}, "of another run: {'num_hiddens': 5}; allowed: {'num_hiddens': 6}, as now"),
        ({"seed": 9}, "of another run: {'text': "),
    ],
)
def test_checkpoints_of_another_run_are_refused(change, message, make):
    make().save(2)
    with pytest.raises(ValueError, match="is of a") as error:
        make(**change).restore()
    assert message in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None])
def test_damaged_checkpoints_are_named(content, make):
    store = make()
    store.save(2)
    (path,) = store.directory.iterdir()
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(ValueError, match=r"worker-0-of-1-000000002\.npz' is no checkpoint, or a damaged"):
        store.restore()


def test_every_is_checked(make):
    with pytest.raises(ValueError, match="every=0; allowed: an integer of at least 1"):
        make(every=0)
