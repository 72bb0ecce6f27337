import json
import os
import platform
import re
import subprocess
import sys
import warnings

import numpy
import pytest

import d2lutil
from d2lutil import compat

BLOCKED = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

for module in [m for m in sys.modules if m.split(".")[0] == {name!r}]:
    del sys.modules[module]
sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def python(tmp_path):
    """Return a function that runs code in a new interpreter where warnings are errors."""

    def run(code):
        command = [sys.executable, "-W", "error", "-c", code]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def last_line(run):
    assert run.returncode == 1
    return run.stderr.strip().splitlines()[-1]


FRESH = """
import inspect, json, matplotlib, numpy, pooch, sys, threading, tqdm, warnings
filters, names = warnings.filters[:], dict(vars(numpy))
import d2lutil

said = {"filters": warnings.filters == filters, "pyplot": "matplotlib.pyplot" in sys.modules}
after = vars(numpy)
said["changed"] = [name for name in names if names[name] is not after.get(name)]
from d2lutil.compat import ALIASES
added = after.keys() - names.keys() - ALIASES.keys()
said["added"] = [name for name in added if name[0] != "_" and not inspect.ismodule(after[name])]

import mxnet
from mxnet import autograd, np, npx

semantics = said["semantics"] = []

def look():
    semantics.append([npx.is_np_shape(), npx.is_np_array(), np.zeros(()).shape, np.zeros((0, 2)).shape])

def thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()

waiting, go = threading.Event(), threading.Event()
early = threading.Thread(target=lambda: (waiting.set(), go.wait(), look()))
early.start()
waiting.wait()
look()
thread(look)
thread(npx.set_np)
thread(look)
with mxnet.util.np_array(False), mxnet.util.np_shape(False):
    semantics.append([npx.is_np_shape(), npx.is_np_array()])
look()
thread(look)
go.set()
early.join()

x = np.array([1.0, 2.0, 3.0])
x.attach_grad()
with autograd.record():
    y = (x**2).sum()
y.backward()
said["gradient"] = x.grad.tolist()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Return what a new interpreter says of the package, if it says nothing else."""
    command = [sys.executable, "-W", "error", "-c", FRESH]
    run = subprocess.run(command, cwd=tmp_path_factory.mktemp("fresh"), capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    return json.loads(run.stdout)


def test_mxnet_loads_silently_after_the_package_and_computes_gradients(fresh):
    assert fresh["gradient"] == [2, 4, 6]


def test_who_draws_nothing_does_not_wait_for_pyplot(fresh):
    assert fresh["pyplot"] is False


def test_names_that_numpy_has_stay_as_they_are(fresh):
    assert (fresh["changed"], fresh["added"]) == ([], [])


def test_filters_of_warnings_are_left_as_they_were(fresh):
    assert fresh["filters"] is True


def test_numpy_semantics_hold_in_every_thread(fresh):
    on = [True, True, [], [0, 2]]
    assert fresh["semantics"] == [on, on, on, [False, False], on, on, on]


def test_mxnet_loads_after_an_import_of_it_that_failed(python):
    code = """
try:
    import mxnet
except AttributeError:  # not where NumPy still has the names
    pass
import d2lutil
import mxnet
from mxnet import np, npx
with mxnet.autograd.record():
    print(np.ones(2).tolist(), npx.relu(np.array([-1.0])).tolist())
"""
    run = python("import warnings; warnings.simplefilter('ignore')" + code)
    assert (run.stdout, run.stderr) == ("[1.0, 1.0] [0.0]\n", "")


COUNTS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "MXNET_CPU_WORKER_NTHREADS"]


@pytest.mark.parametrize("name", COUNTS)
def test_a_number_of_threads_that_ends_mxnet_is_named(name, monkeypatch):
    huge = ["99999999999999999999", "2147483648", "1000000"]
    for value in [*huge, "4,2", "many", "-1", " ", "２", "1_0", "1e3", "+ 2", "2 x"]:
        monkeypatch.setenv(name, value)
        with pytest.raises(
            ImportError, match=f"{name}='{re.escape(value)}' in the environment; allowed.* to 4096"
        ):
            compat.check_threads()
    for value in ("", "2", " 2 ", "+2", "4096"):
        monkeypatch.setenv(name, value)
        compat.check_threads()


def test_no_thread_at_all_is_the_library_s_own_choice_but_for_mxnet_s_workers(monkeypatch):
    for name in COUNTS[:3]:
        monkeypatch.setenv(name, "0")
    compat.check_threads()
    monkeypatch.setenv(COUNTS[3], "0")
    with pytest.raises(ImportError, match=r"_NTHREADS='0' .* one integer from 1 to 4096"):
        compat.check_threads()


@pytest.mark.parametrize("name", COUNTS)
def test_a_number_of_threads_is_an_error_and_no_end_of_the_process(name, python, monkeypatch):
    monkeypatch.setenv(name, "99999999999999999999")
    assert last_line(python("import d2lutil")).startswith(f"ImportError: {name}='99999999999999999999'")


@pytest.mark.parametrize("home", [None, "", "relative", "/dev/null/home"])
def test_without_a_home_everything_works(home, python, tmp_path, monkeypatch):
    """An unknown user has no entry in the system's list that would stand in for HOME."""
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
    code = """
import os, pwd, warnings
if os.getuid() == 0:
    os.setresuid(54321, 0, 0)  # the files stay readable
else:
    def unknown(uid):
        raise KeyError(uid)
    pwd.getpwuid = unknown
warnings.simplefilter("ignore")
import d2lutil
print(d2lutil.load_corpus(download=False).source)
d2lutil.use_style()
d2lutil.reach_map({"full": d2lutil.full(3)}).savefig(os.devnull, format="svg")
print(os.environ.get("MPLCONFIGDIR", ""))
"""
    run = python(code)
    source, _, folder = run.stdout.partition("\n")
    assert (run.returncode, source) == (0, "embedded"), run.stderr
    assert not folder.strip() or not os.path.exists(folder.strip())  # removed in the end


def test_only_missing_names_are_added():
    module = type("module", (), {})()
    module.bool = "mine"
    added = compat.add_missing_names(module)
    assert module.bool == "mine"
    assert set(added) == compat.ALIASES.keys() - {"bool"}
    assert compat.add_missing_names(module) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bool", bool),
        ("float_", numpy.float64),
        ("Inf", numpy.inf),
        ("PINF", numpy.inf),
        ("NINF", -numpy.inf),
    ],
)
def test_added_names_mean_what_they_meant(name, expected):
    assert compat.ALIASES[name] is expected or compat.ALIASES[name] == expected


def test_added_functions_compute_what_they_computed():
    a = numpy.array([[3.0, 1.0], [2.0, 4.0]])
    assert compat.ALIASES["msort"](a).tolist() == [[2, 1], [3, 4]]
    assert compat.ALIASES["in1d"](a, [1, 4], invert=True).tolist() == [True, False, True, False]
    assert compat.ALIASES["product"](a) == 24
    assert compat.ALIASES["cumproduct"](a).tolist() == [3, 3, 6, 24]
    assert compat.ALIASES["round_"](1.26, 1) == 1.3
    assert compat.ALIASES["alltrue"](a)
    assert compat.ALIASES["sometrue"](a)
    assert compat.ALIASES["row_stack"]([a, a]).shape == (4, 2)


def test_financial_names_say_where_their_functions_went():
    with pytest.raises(AttributeError, match="numpy-financial"):
        compat.ALIASES["npv"](0.1, [1, 2])


def test_missing_mxnet_is_named_with_the_way_out(python):
    run = python(BLOCKED.format(name="mxnet") + "import d2lutil")
    message = last_line(run)
    assert message.startswith("ImportError: d2lutil needs MXNet 1.9.1, which is not installed")
    for way_out in ("make env", "pip install --no-deps mxnet==1.9.1", "WSL", "Rosetta"):
        assert way_out in message


def test_missing_distutils_is_named_with_the_way_out(python):
    run = python(BLOCKED.format(name="distutils") + "import d2lutil")
    message = last_line(run)
    assert message.startswith("ImportError: MXNet 1.9.1 needs distutils")
    assert "pip install setuptools" in message


def test_missing_library_of_the_system_is_named_with_the_way_out(python, tmp_path):
    (tmp_path / "mxnet.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')")
    message = last_line(python("import d2lutil"))
    assert message.startswith("ImportError: MXNet 1.9.1 lacks a library of the system: libgomp.so.1")
    assert "apt-get install libgomp1" in message
    assert ("libquadmath0" in message) == (platform.machine() == "x86_64")


def test_another_missing_module_is_not_taken_for_mxnet(python):
    run = python(BLOCKED.format(name="multiprocessing") + "import d2lutil")
    assert last_line(run) == "ModuleNotFoundError: No module named 'multiprocessing'"


def test_mxnet_is_imported_once():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compat.import_mxnet() is compat.mxnet


def test_two_methods_of_mxnet_fail_and_have_a_replacement(tmp_path):
    net = d2lutil.RNN(5, 4)
    net.initialize()
    path = str(tmp_path / "net.params")
    net.save_parameters(path)
    with pytest.raises(TypeError, match="zeros_like"):
        net.W_xh.zero_grad()
    with pytest.raises(TypeError, match="Cannot assign"):
        compat.mxnet.gluon.Block.load_parameters(net, path)
    d2lutil.zero_gradients(net.collect_params())
    net.load_parameters(path)


def test_python_without_docstrings_is_named():
    command = [sys.executable, "-OO", "-c", "import d2lutil"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert "ImportError: python -OO drops the docstrings that MXNet 1.9.1 reads" in ran.stderr
