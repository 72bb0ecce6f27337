"""The parameter server with real processes: sums, failures, resumed runs, two hosts.

Each process of a launch imports MXNet, a second of a core; so one launch answers several questions.
"""

import contextlib
import os
import re
import signal
import sys

import numpy
import pytest
from launches import LIMIT, SMALL, TRAIN, Launch, alone, gap, is_free, launched, marked, soon, two_hosts

from d2launcher import __main__ as launcher
from d2launcher import supervisor

# Three workers tell each other numbers, parameters and sums; then one of them fails while the others wait.
CONVERSATION = """\
import math, numpy, sys, time
import d2lutil
import mxnet
from d2lutil.cluster import Exchange
exchange = Exchange()
me = exchange.rank

print(sys.argv[1:], exchange.all_gather(me**2))

for value in (math.inf, 1e300, 1e-60, -0.0, math.pi, 5e-324):
    received = exchange.all_gather(value if me else 1 / 3)
    assert received == [1 / 3, value, value]
    assert math.copysign(1, received[1]) == math.copysign(1, value)
assert math.isnan(exchange.all_gather(math.nan)[1])
for dtype in ("float32", "float64"):
    net = d2lutil.RNN(3, 2)
    net.initialize(), net.cast(dtype)
    net.b_q.data()[:] = math.nan if me else 0.1
    exchange.broadcast(net.parameters())
    assert abs(net.b_q.data().asnumpy() - 0.1).max() < 1e-7
for parameter in net.parameters(): parameter.grad_req = "null"
exchange.all_reduce(net.parameters())
try:
    Exchange()
except RuntimeError as error:
    print(error)

x = numpy.random.default_rng(me).normal(size=(40, 30)) * 10.0**me
for step in range(20):
    time.sleep((me * 7 + step) % 3 / 100)
    y = mxnet.np.array(x, dtype="float64")
    exchange._sum([y])
    parts = [numpy.random.default_rng(k).normal(size=(40, 30)) * 10.0**k for k in range(3)]
    assert (y.asnumpy() == (parts[0] + parts[1]) + parts[2]).all()
print("equal to the bit")

# The server adds float32 as it comes: (large + 1) - large or (large - large) + 1.
for dtype, expected in (("float32", [0, 1]), ("float64", [0, 0])):
    sums = []
    for place in ([0, 1, 2], [0, 2, 1]):
        y = mxnet.np.zeros(1, dtype=dtype)
        exchange._sum([y])  # so all are here
        y[:] = (1e17, 1.0, -1e17)[me]
        time.sleep(place[me])
        exchange._sum([y])
        sums.append(float(y))
    assert sums == expected, sums
print("float32 goes by the order of arrival")
exchange.all_gather("all are here")
if me == 1:
    raise ValueError("seven is not a colour")
exchange.all_gather(1)
"""


@pytest.fixture
def launch():
    """Start launchers; end what a failed test leaves."""
    started = []
    # A job in the background ignores Ctrl-C, and so would what it starts.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*arguments, **options):
        started.append(Launch(*arguments, **options))
        return started[-1]

    yield start
    signal.signal(signal.SIGINT, interrupt)
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
        path.write_text(body)
        return path

    return write


@pytest.fixture
def pretended(script, tmp_path):
    """Return the launcher's options for two hosts where a script without MXNet stands for the launchers."""

    def options(body):
        hosts = tmp_path / "hosts.txt"
        hosts.write_text("127.0.0.1\n127.0.0.2\n")
        return ["--hosts", hosts, "--via", f"sh -c 'exec {sys.executable} {script(body)} {{host}}'", TRAIN]

    return options


@pytest.fixture(scope="module")
def conversation(tmp_path_factory):
    """Return the exit code and the output of a conversation."""
    path = tmp_path_factory.mktemp("conversation") / "script.py"
    path.write_text(CONVERSATION)
    return launched("--workers", 3, path, "--a b", "c")[:2]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestProcesses:
    """Real ones, on this machine."""

    @pytest.mark.parametrize(
        ("workers", "servers", "dtype", "exact"), [(3, 2, "float64", 1e-12), (2, 1, "float32", 1e-4)]
    )
    def test_gradients_add_up_to_those_of_a_single_process(self, workers, servers, dtype, exact, tmp_path):
        """The server sums float32 itself, and hands the exact parts of float64 on."""
        options = ["--segments", 3, "--dtype", dtype]
        single, path = alone(tmp_path / "1.npz", *options), tmp_path / "n.npz"
        launch = ["--workers", workers, "--servers", servers, TRAIN, *SMALL, *options, "--save", path]
        code, output, mark = launched(*launch)
        assert code == 0, output
        several = numpy.load(path)
        assert several["value_0"].dtype == dtype
        assert gap(single, several, "gradient") < exact
        assert gap(single, several, "value") < exact
        assert float(several["loss"]) == pytest.approx(float(single["loss"]), rel=exact)
        assert soon(lambda: marked(mark) == {}, 1)

    @pytest.mark.parametrize("role", ["server", "scheduler"])
    def test_a_killed_process_ends_all(self, role, launch):
        run = launch("--workers", 1, TRAIN, *SMALL, "--segments", 10**9)
        run.until("from segment 0")
        os.kill(run.pids(role)[0], signal.SIGKILL)
        code, output = run.end(LIMIT)
        assert code == 1
        assert f"d2launcher: {role}" in output
        assert "was ended by SIGKILL; all processes are ended" in output
        assert run.leaves_nothing(1)

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
    def test_a_stopped_launcher_leaves_no_process_and_no_port(self, number, code, launch, script):
        """Neither the processes nor what a script has started."""
        port = launcher.free_port("127.0.0.1", None)
        path = script(
            "import subprocess\nfrom d2lutil.cluster import Exchange\nexchange = Exchange()\n"
            "subprocess.Popen(['sleep', '100'])\nprint('asleep', flush=True)\n"
            "while True: exchange.all_gather(1)\n"
        )
        run = launch("--workers", 1, "--port", port, path)
        run.until("asleep")
        assert soon(lambda: len(run.pids("worker")) == 2)
        run.process.send_signal(number)
        assert run.process.wait(LIMIT) == code
        assert run.leaves_nothing()
        assert soon(lambda: is_free(port))

    def test_a_launcher_that_is_told_to_stop_ends_all(self, launch, pretended):
        run = launch(*pretended("import sys, time\nprint('here', flush=True)\ntime.sleep(100)\n"))
        run.until("here")
        run.process.send_signal(signal.SIGTERM)
        code, output = run.end(LIMIT)
        assert code == 143
        assert "stopped by SIGTERM; all processes are ended" in output
        assert run.leaves_nothing(1)

    def test_a_signal_does_not_interrupt_the_end(self, launch, pretended):
        run = launch(
            *pretended(
                "import pathlib, signal, sys, time\n"
                "deaf = pathlib.Path(__file__).with_name('deaf')\n"
                "if sys.argv[1] == '127.0.0.1':\n"
                "    signal.signal(signal.SIGTERM, lambda *_: print('is asked to end', flush=True))\n"
                "    deaf.touch()\n"
                "    time.sleep(100)\n"
                "while not deaf.exists(): time.sleep(0.05)\n"
                "sys.exit(7)\n"
            )
        )
        run.until("is asked to end")  # so the launcher has seen the other one end
        run.process.send_signal(signal.SIGTERM)
        code, output = run.end(LIMIT)
        assert code == 1
        assert "worker 1 ended with code 7; all processes are ended" in output
        assert "Traceback" not in output
        assert run.leaves_nothing(1)

    def test_a_message_and_a_code_of_exit_come_through(self, script, capsys):
        group = supervisor.Supervisor()
        path = script("raise SystemExit('enough')")
        group.start("worker 0", [sys.executable, "-m", "d2launcher.member", str(path)])
        assert group.wait(bool) == "worker 0 ended with code 1"
        group.end()
        assert "[worker 0] enough" in capsys.readouterr().err

    def test_a_script_has_nothing_to_read_and_needs_no_exchange(self, script):
        code, output, _ = launched("--workers", 1, script("import sys; print(repr(sys.stdin.read()))"))
        assert code == 0, output
        assert "[worker 0] ''" in output

    def test_workers_share_the_processors_of_their_host(self, script, monkeypatch, capsys):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("D2LUTIL_WORKERS_HERE", "1000000")
        path = script("import os; print([os.environ[n + '_NUM_THREADS'] for n in ('OMP', 'OPENBLAS')])")
        group = supervisor.Supervisor()
        group.start("worker 0", [sys.executable, "-m", "d2launcher.member", str(path)])
        assert group.wait(bool) is None
        group.end()
        assert capsys.readouterr().out == "[worker 0] ['1', '1']\n"

    def test_workers_know_their_place_and_take_their_arguments(self, conversation):
        assert conversation[1].count("['--a b', 'c'] [0, 1, 4]") == 3

    def test_numbers_and_parameters_are_exchanged_as_they_are(self, conversation):
        assert conversation[1].count("a second Exchange(); allowed: one a process") == 3, conversation[1]

    def test_sums_do_not_depend_on_the_order_of_arrival(self, conversation):
        assert conversation[1].count("equal to the bit") == 3, conversation[1]
        assert conversation[1].count("float32 goes by the order of arrival") == 3, conversation[1]

    def test_a_worker_with_one_exchange_fewer_does_not_keep_the_others(self, script):
        path = script(
            "import d2lutil\nfrom d2lutil.cluster import Exchange\nexchange = Exchange(timeout=3)\n"
            "for k in range(3 - exchange.rank): exchange.all_gather(k)\nprint('done')\n"
        )
        code, output, _ = launched("--workers", 2, path)
        assert code == 1
        assert "[worker 1] done" in output
        assert "[worker 0] Timeout (0:00:03)!" in output
        assert re.search(r"\[worker 0\] .*script\.py., line 4 in <module>", output)
        assert "d2launcher: worker 0 ended with code 1; all processes are ended" in output

    def test_an_exception_ends_all_with_its_message(self, conversation):
        code, output = conversation
        assert code == 1
        assert "[worker 1] ValueError: seven is not a colour" in output
        assert "d2launcher: worker 1 ended with code 1" in output

    def test_a_resumed_run_equals_an_undisturbed_one_to_the_bit(self, launch, tmp_path):
        """And one that is finished says so when it is started again. With two, a + b = b + a."""
        options = ["--workers", 3, TRAIN, *SMALL, "--every", 3]
        folder, paths = tmp_path / "checkpoints", [tmp_path / "whole.npz", tmp_path / "parts.npz"]
        run = launch(*options, "--checkpoints", folder, "--segments", 10**9)
        assert soon(lambda: len(list(folder.glob("*.checkpoint"))) >= 4, LIMIT)
        for pid in marked(run.mark):
            with contextlib.suppress(ProcessLookupError):  # gone with the launcher
                os.kill(pid, signal.SIGKILL)
        assert run.process.wait(LIMIT) == -signal.SIGKILL
        assert run.leaves_nothing()
        done = max(int(path.stem.rpartition("-")[2]) for path in folder.glob("*.checkpoint"))
        options += ["--segments", (done // 3 + 7) * 3]
        code, output, _ = launched(*options, "--checkpoints", folder, "--save", paths[1])
        assert code == 0, output
        (begin,) = set(re.findall(r"from segment (\d+)", output))
        assert int(begin) in (done - 3, done)
        assert "loss of the last segment" in output
        assert launched(*options, "--save", paths[0])[0] == 0
        whole, parts = map(numpy.load, paths)
        assert all((whole[name] == parts[name]).all() for name in whole if name.startswith("value"))
        assert whole["loss"] == parts["loss"]
        code, output, _ = launched(*options, "--checkpoints", folder)
        assert code == 0, output
        assert f"{options[-1]} segments are done, nothing is left" in output

    def test_two_hosts_agree_with_a_single_process(self, tmp_path, record_property):
        with two_hosts(tmp_path) as (options, kind):
            record_property("two hosts", kind)
            path = tmp_path / "2.npz"
            code, output, _ = launched(*options, TRAIN, *SMALL, "--segments", 3, "--save", path)
            assert code == 0, output
            assert "[worker 0] from segment 0" in output
            assert "[worker 1] from segment 0" in output
            single = alone(tmp_path / "1.npz", "--segments", 3)
            assert gap(single, numpy.load(path), "gradient") < 1e-12

    def test_a_killed_worker_ends_all_on_both_hosts(self, launch, tmp_path, record_property):
        with two_hosts(tmp_path) as (options, kind):
            record_property("two hosts", kind)
            run = launch(*options, TRAIN, *SMALL, "--segments", 10**9)
            run.until("[worker 1] from segment 0")
            os.kill(run.pids("worker")[1], signal.SIGKILL)
            code, output = run.end(LIMIT)
            assert code == 1
            assert "d2launcher: worker" in output
            assert "was ended by SIGKILL; all processes are ended" in output
            assert run.leaves_nothing()
