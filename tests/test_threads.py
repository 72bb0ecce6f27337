"""How many threads a batch gets, and that their number changes nothing but the time."""

import importlib
import threading

import numpy
import pytest
import reference
from threadpoolctl import threadpool_info

import d2lutil
from d2lutil import threads


@pytest.fixture
def unset(monkeypatch):
    for name in threads.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "processors", lambda: 4)


@pytest.mark.parametrize(
    ("batch_size", "num_hiddens", "expected"),
    [(1, 128, 1), (32, 16, 1), (8, 2000, 1), (16, 256, 2), (32, 256, 4), (128, 512, 4)],
)
def test_a_thread_needs_columns_and_work(unset, batch_size, num_hiddens, expected):
    assert threads.num_threads(batch_size, num_hiddens**2) == expected


def test_setting_of_the_user_counts(unset, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    assert threads.num_threads(128, 512**2) == 8
    monkeypatch.setenv("OMP_NUM_THREADS", " +2 ")
    assert threads.num_threads(128, 512**2) == 2


@pytest.mark.parametrize("value", ["", "0", "many", "-1", "²", "4,2", "9" * 5000])
def test_setting_that_is_no_number_is_none(unset, monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.user_setting() is None


def test_columns_are_shared_completely_and_in_order(unset):
    seen = threads.map_columns(lambda columns: (columns, threading.get_ident()), 35, 256**2)
    assert len(seen) == 4
    assert numpy.concatenate([numpy.arange(35)[columns] for columns, _ in seen]).tolist() == list(range(35))
    assert [thread == threading.get_ident() for _, thread in seen] == [True, False, False, False]


def test_libraries_get_their_threads_back_after_calls_side_by_side(unset):
    def count():
        return [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]

    before, turns = count(), [threading.Event() for _ in range(2)]

    def first(columns):
        turns[0].set()
        turns[1].wait(30)

    def second(columns):
        turns[1].set()

    one = threading.Thread(target=threads.map_columns, args=(first, 1, 1))
    one.start()
    turns[0].wait(30)  # the second begins within the first and ends after it
    threads.map_columns(lambda columns: (second(columns), one.join(30)), 1, 1)
    assert count() == before


def test_libraries_rest_meanwhile_and_get_their_threads_back(unset):
    def count():
        libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
        return [x["num_threads"] for x in libraries if "mxnet" not in x["filepath"]]

    before = count()
    for inside in threads.map_columns(lambda columns: count(), 32, 256**2):
        assert set(inside) == {1}
    assert count() == before


def test_error_in_a_thread_is_raised(unset):
    def fail(columns):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        threads.map_columns(fail, 32, 256**2)


@pytest.mark.parametrize("cell", reference.CELLS)
def test_gradient_does_not_depend_on_the_number_of_threads(monkeypatch, cell):
    net, rng = reference.make_net(num_hiddens=6, cell=cell), numpy.random.default_rng(0)
    X, Y = rng.integers(reference.VOCAB_SIZE, size=(2, 23, 19))
    xi, begins = rng.integers(3, size=(23, 19)), rng.random((23, 19)) < 0.1
    results = []
    for number in (1, 3):
        monkeypatch.setattr(threads, "num_threads", lambda *work, n=number: n)
        d2lutil.zero_gradients(net.collect_params())
        loss, last = d2lutil.bptt(net, X, Y, net.begin_state(19), xi, begins=begins)
        last = [part.asnumpy() for part in reference.parts(last)]
        results.append((loss, *last, *reference.gradients(net).values()))
    for a, b in zip(*results, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("setting", "calls"), [(None, [1]), ("2", [])])
def test_mxnet_gets_one_thread_unless_the_user_says_otherwise(unset, monkeypatch, setting, calls):
    if setting:
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
    seen = []
    monkeypatch.setattr(threads.mxnet.base._LIB, "MXSetNumOMPThreads", seen.append)
    importlib.reload(threads)
    assert seen == calls
