"""The parameter server with real processes: sums, failures, resumed runs, two hosts."""

import contextlib
import os
import signal
import sys
import time

import numpy
import pytest
from launches import LIMIT, SMALL, TRAIN, Launch, alone, gap, is_free, marked, soon, two_hosts

from d2lutil.cluster import __main__ as launcher
from d2lutil.cluster import supervisor


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
        path.write_text("import d2lutil\nfrom d2lutil.cluster import Exchange\n" + body)
        return path

    return write


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
        assert soon(lambda: is_free(port))

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

    def test_what_a_script_started_goes_with_a_killed_launcher(self, launch, script):
        path = script("import subprocess\nprint('asleep', flush=True)\nsubprocess.run(['sleep', '100'])")
        run = launch("--workers", 1, path)
        run.until("asleep")
        assert soon(lambda: len(run.pids("worker")) == 2)
        run.process.kill()
        assert run.leaves_nothing(10)

    def test_a_signal_does_not_interrupt_the_end(self, launch, script):
        path = script(
            "import pathlib, signal, sys, time\n"
            "deaf = pathlib.Path(__file__).with_name('deaf')\n"
            "if Exchange().index == 0:\n"
            "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "    deaf.touch()\n"
            "    time.sleep(100)\n"
            "while not deaf.exists(): time.sleep(0.05)\n"
            "sys.exit(7)\n"
        )
        run = launch("--workers", 2, path)
        assert soon(lambda: path.with_name("deaf").exists(), 60)
        assert soon(lambda: len(run.pids("worker")) == 1)
        time.sleep(0.5)
        run.process.send_signal(signal.SIGTERM)
        code, output = run.end(LIMIT)
        assert code == 1
        assert "Traceback" not in output
        assert run.leaves_nothing(1)

    def test_a_script_has_nothing_to_read_and_needs_no_exchange(self, launch, script):
        begin = time.monotonic()
        code, output = launch("--workers", 1, script("import sys; print(repr(sys.stdin.read()))")).end()
        assert code == 0
        assert "[worker 0] ''" in output
        assert time.monotonic() - begin < supervisor.GRACE

    def test_numbers_and_parameters_are_exchanged_as_they_are(self, launch, script):
        path = script(
            "import math, mxnet, sys\n"
            "exchange = Exchange()\n"
            "for value in (math.inf, 1e300, 1e-60, -0.0, math.pi, 5e-324):\n"
            "    sent = value if exchange.index else 1 / 3\n"
            "    assert exchange.gather('x', sent) == [1 / 3, value]\n"
            "assert math.isnan(exchange.gather('x', math.nan)[1])\n"
            "for dtype in ('float32', 'float64'):\n"
            "    net = d2lutil.RNN(3, 2)\n"
            "    net.initialize(), net.cast(dtype)\n"
            "    net.b_q.data()[:] = math.nan if exchange.index else 0.1\n"
            "    exchange.share(net.parameters())\n"
            "    assert abs(net.b_q.data().asnumpy() - 0.1).max() < 1e-7\n"
            "for parameter in net.parameters(): parameter.grad_req = 'null'\n"
            "exchange.sum_gradients(net.parameters())\n"
            "try:\n"
            "    Exchange()\n"
            "except RuntimeError as error:\n"
            "    print(error)\n"
        )
        code, output = launch("--workers", 2, path).end()
        assert code == 0, output
        assert output.count("a second Exchange(); allowed: one a process") == 2

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
        options = ["--workers", 2, TRAIN, *SMALL, "--every", 3]
        whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
        folder = tmp_path / "checkpoints"
        run = launch(*options, "--checkpoints", folder, "--segments", 10**9)
        assert soon(lambda: len(list(folder.glob("*.npz"))) >= 4, LIMIT)
        for pid in marked(run.mark):
            with contextlib.suppress(ProcessLookupError):  # gone with the launcher
                os.kill(pid, signal.SIGKILL)
        assert run.process.wait(LIMIT) == -signal.SIGKILL
        assert run.leaves_nothing()
        done = max(int(path.stem.rpartition("-")[2]) for path in folder.glob("*.npz"))
        options += ["--segments", done + 20]
        run = launch(*options, "--checkpoints", folder, "--save", parts)
        begin = int(run.until("from segment")[-1].split("segment ")[1].split(",")[0])
        assert begin in (done - 3, done)
        assert run.end()[0] == 0
        assert launch(*options, "--save", whole).end()[0] == 0
        whole, parts = numpy.load(whole), numpy.load(parts)
        assert all((whole[name] == parts[name]).all() for name in whole if name.startswith("value"))
        assert whole["loss"] == parts["loss"]

    def test_a_finished_run_started_again_says_so(self, launch, tmp_path):
        options = ["--workers", 2, TRAIN, *SMALL, "--every", 2, "--segments", 2]
        for printed in ("loss of the last segment", "2 segments are done, nothing is left"):
            code, output = launch(*options, "--checkpoints", tmp_path / "c").end()
            assert code == 0, output
            assert printed in output

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
