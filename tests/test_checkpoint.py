"""Checkpoints."""

import resource
import threading

import numpy
import pytest
import reference
from mxnet import np

import d2lutil
from d2lutil import cluster


def test_a_process_without_the_launcher_is_alone(monkeypatch):
    monkeypatch.setenv("DMLC_NUM_WORKER", "3")
    assert cluster.rank_and_size() == (0, 1)
    assert cluster.Exchange().all_gather(7) == [7]
    monkeypatch.setenv("DMLC_ROLE", "worker")
    with pytest.raises(RuntimeError, match=r"DMLC_ROLE=worker; allowed: .* d2launcher"):
        cluster.Exchange()


def test_parameters_of_several_types_are_not_summed():
    exchange = cluster.Exchange()
    net, other = reference.make_net(), reference.make_net()
    net.cast("float32")
    for params in ([*net.parameters(), *other.parameters()], [*other.parameters(), *net.parameters()]):
        with pytest.raises(TypeError, match="types float32, float64; allowed: all float32 or all float64"):
            exchange.all_reduce(params)
        with pytest.raises(TypeError, match="types float32, float64"):
            exchange.broadcast(params)
    exchange.all_reduce(net.parameters())


@pytest.mark.parametrize("timeout", [0, 1.5])
def test_the_timeout_is_checked(timeout):
    with pytest.raises((TypeError, ValueError), match=f"timeout={timeout}; allowed: an integer"):
        cluster.Exchange(timeout)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return checkpoints of one process that says it is one of several."""
    from mxnet import gluon

    def checkpoints(workers=1, hiddens=5, seed=2, every=2, tau=5, directory=tmp_path / "c", **settings):
        net = reference.make_net(num_hiddens=hiddens)
        trainer = gluon.Trainer(net.parameters(), "sgd", {"momentum": 0.9}, kvstore=None)
        exchange = cluster.Exchange()
        exchange.size = workers
        texts = reference.make_text(seed=seed)
        return cluster.Checkpoints(directory, every, exchange, net, trainer, *texts, tau=tau, **settings)

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


def test_the_folder_stays_where_it_was_given(make, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("relative", "~/home"):
        monkeypatch.chdir(tmp_path)
        store = make(directory=name)
        monkeypatch.chdir("/")
        store.save(2, h=reference.make_state())
        assert store.restore()[0] == 2
        assert len(list((tmp_path / name.removeprefix("~/")).glob("*.checkpoint"))) == 1
    with pytest.raises(TypeError, match="directory=3; allowed: a path"):
        make(directory=3)


def test_a_generator_goes_on_where_it_was(make):
    store, rng = make(), numpy.random.default_rng(3)
    rng.random(5)
    store.save(2, rng=rng.bit_generator.state)
    expected = rng.random(4)
    again = numpy.random.default_rng()
    again.bit_generator.state = make().restore()[1]["rng"]
    assert (again.random(4) == expected).all()


@pytest.mark.parametrize("name", ["file", "_h", "run", "dicts", "W_xh", "states"])
def test_what_is_carried_may_have_any_name(name, make):
    store = make()
    expected = reference.values(store.net)
    store.save(2, **{name: 7}, word="x", array=numpy.arange(3))
    update(store)
    carried = store.restore()[1]
    assert carried.keys() == {name, "word", "array"}
    assert carried[name] == 7
    assert str(carried["word"]) == "x"
    assert carried["array"].tolist() == [0, 1, 2]
    assert reference.difference(reference.values(store.net), expected) == 0


@pytest.mark.parametrize("value", [lambda: 1, {"a": (k for k in [1])}, [threading.Lock()]])
def test_what_could_not_be_restored_is_not_written(value, make):
    store = make()
    with pytest.raises(TypeError, match=r"(?s)^mine=.*; allowed: "):
        store.save(2, mine=value)
    assert store._segments() == []


@pytest.mark.parametrize("segment", [0, -2])
def test_segments_are_counted_from_one(segment, make):
    with pytest.raises(ValueError, match=f"segment={segment}; allowed: an integer of at least 1"):
        make().save(segment)


def test_settings_are_compared_as_json_gives_them(make):
    make(sizes=(1, 2)).save(2)
    assert make(sizes=(1, 2)).restore()[0] == 2
    assert make(sizes=[1, 2]).restore()[0] == 2


@pytest.mark.parametrize(
    ("setting", "error"),
    [({"lr": numpy.nan}, TypeError), ({"lr": {1}}, TypeError), ({"text": 1}, ValueError)],
)
def test_settings_that_cannot_be_kept_are_named(setting, error, make):
    (name,) = setting
    with pytest.raises(error, match=f"^{name}=.*; allowed: "):
        make(**setting)


def test_two_checkpoints_are_kept(make):
    store = make()
    for segment in range(1, 10):
        store.save(segment)
    assert [path.stem[-2:] for path in sorted(store.directory.iterdir())] == ["06", "08"]


def test_workers_go_on_from_the_older_of_their_newest(make, monkeypatch):
    store = make()
    store.save(4)
    store.save(6)
    monkeypatch.setattr(store.exchange, "all_gather", lambda number: [0, number])
    with pytest.raises(ValueError, match="segments are 0 of worker 0, 6 of worker 1; files are lost"):
        store.restore()
    monkeypatch.setattr(store.exchange, "all_gather", lambda number: [4, number])
    assert store.restore()[0] == 4
    assert store._segments() == [4]  # the newer one is of a past that nobody repeats


def test_another_run_is_refused_where_a_worker_has_no_file(make, monkeypatch):
    make(workers=2).save(2)
    for other in ({"hiddens": 6}, {"lr": 2}):
        store = make(workers=2, **other)
        monkeypatch.setattr(store.exchange, "all_gather", lambda number: [number, 0])
        with pytest.raises(ValueError, match="is of another run"):
            store.restore()
        assert store._segments() == [2]


def test_nothing_is_removed_before_all_workers_have_compared(make, monkeypatch):
    store, told = make(), []
    store.save(4)
    store.save(6)

    def fail_at_the_second(number):
        if told:
            raise ConnectionError("another worker has refused and ended all")
        told.append(number)
        return [number, 4]

    monkeypatch.setattr(store.exchange, "all_gather", fail_at_the_second)
    with pytest.raises(ConnectionError):
        store.restore()
    assert sorted(store._segments()) == [4, 6]


def test_a_full_disk_leaves_the_checkpoints_before_and_no_part(make):
    store = make(hiddens=100)
    store.save(2)
    kept = sorted(store.directory.iterdir())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            store.save(4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(store.directory.iterdir()) == kept
    assert store.restore()[0] == 2


def test_what_a_killed_process_left_half_written_is_removed(make):
    store = make(workers=2)
    own, other = (store.directory / f"worker-{rank}-of-2-000000004.part" for rank in (0, 1))
    for path in (own, other):
        path.write_bytes(b"half")
    store.restore()
    assert not own.exists()
    assert other.exists()


def test_other_files_of_the_directory_are_left_alone(make):
    store = make()
    other = store.directory / "notes.checkpoint"
    other.write_bytes(b"")
    store.save(2)
    assert store.restore()[0] == 2
    assert other.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workers": 2}, "is of a run with 1 workers; allowed: one with 2, as now"),
        ({"hiddens": 6}, "of another run: {'num_hiddens': 5}; allowed: {'num_hiddens': 6}, as now"),
        ({"seed": 9}, "of another run: {'text': "),
        ({"tau": 7}, "of another run: {'tau': 5}; allowed: {'tau': 7}, as now"),
        ({"lr": 2}, "of another run: {'lr': None}; allowed: {'lr': 2}, as now"),
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
    with pytest.raises(ValueError, match=r"-0-of-1-000000002\.checkpoint' is no checkpoint, or a damaged"):
        store.restore()


def test_a_text_of_mxnet_is_the_same_and_is_not_read_number_by_number(make, monkeypatch):
    run, text = make().run, reference.make_text(seed=2)
    monkeypatch.setattr(reference, "make_text", lambda seed: [np.array(A, dtype="int32") for A in text])
    monkeypatch.setattr(np.ndarray, "__getitem__", pytest.fail)
    assert make().run == run


def test_every_is_checked(make):
    with pytest.raises(ValueError, match="every=0; allowed: an integer of at least 1"):
        make(every=0)
