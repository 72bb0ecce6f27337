import hashlib
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from server import Server

import d2lutil
from d2lutil import corpus

TEXT = "The Time Machine, as the tests know it.\n" * 4000
DATA = TEXT.encode("ascii")
REAL = os.environ.get("D2LUTIL_DATA_DIR")  # before a fixture removes it
EMBEDDED = "using the embedded text 'The Noon Road' instead"
PROCESS = """
import hashlib, pathlib, sys
import pooch
from d2lutil import corpus
corpus.URL, corpus.SHA256, folder = sys.argv[1:]
corpus.SECONDS_TO_NOTICE = corpus.SECONDS_PER_ANSWER = 60  # the machine may be busy
pooch.os_cache = lambda project: pathlib.Path(folder)
print("ready", flush=True)
sys.stdin.readline()
loaded = corpus.load_corpus()
print(loaded.source, hashlib.sha256(loaded.text.encode()).hexdigest())
"""


@pytest.fixture(autouse=True)
def novel(monkeypatch):
    """Let a generated text be the novel, at an address where nobody answers."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(corpus, "SHA256", hashlib.sha256(DATA).hexdigest())
    monkeypatch.setattr(corpus, "URL", "http://127.0.0.1:1/timemachine.txt")


@pytest.fixture
def server(monkeypatch):
    """Serve the text from this machine."""
    server = Server(DATA)
    monkeypatch.setattr(corpus, "URL", f"http://127.0.0.1:{server.server_port}/timemachine.txt")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def put(path, content=DATA):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def directory(tmp_path):
    return put(tmp_path / "texts" / "timemachine.txt").parent


@pytest.mark.parametrize("convert", [str, lambda path: path])
def test_directory_is_read(convert, directory, server):
    loaded = d2lutil.load_corpus(directory=convert(directory))
    assert (loaded.name, loaded.source, loaded.text) == ("time_machine", "directory", TEXT)
    assert loaded.title == "The Time Machine, by H. G. Wells"
    assert server.asked == []


def test_directory_is_read_from_the_environment_without_an_argument(directory, monkeypatch):
    monkeypatch.setenv("D2LUTIL_DATA_DIR", str(directory))
    assert d2lutil.load_corpus().source == "directory"
    monkeypatch.setenv("D2LUTIL_DATA_DIR", "/nowhere")
    assert d2lutil.load_corpus(directory=directory).source == "directory"


def test_missing_directory_is_named(tmp_path, cache):
    put(cache)
    with pytest.raises(FileNotFoundError, match=r"directory='.*nowhere' is not .* allowed: a fol"):
        d2lutil.load_corpus(directory=tmp_path / "nowhere")


def test_missing_directory_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("D2LUTIL_DATA_DIR", "/nowhere")
    with pytest.raises(FileNotFoundError, match=r"'/nowhere' .*variable D2LUTIL_DATA_DIR"):
        d2lutil.load_corpus()


def test_directory_without_the_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path.name}' holds no timemachine.txt"):
        d2lutil.load_corpus(directory=tmp_path)


def test_cache_is_read(cache, server):
    put(cache)
    loaded = d2lutil.load_corpus()
    assert (loaded.source, loaded.text) == ("cache", TEXT)
    assert server.asked == []


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], b"X" + DATA[1:], b"\xff" + DATA])
@pytest.mark.parametrize("where", ["directory", "cache"])
def test_damaged_file_is_named_and_left_as_it_was(where, damaged, tmp_path, cache, server):
    path = put(tmp_path / "timemachine.txt" if where == "directory" else cache, damaged)
    with pytest.raises(ValueError, match=r"timemachine.txt is damaged: .*, expected") as error:
        d2lutil.load_corpus(directory=path.parent if where == "directory" else None)
    assert str(path) in str(error.value)
    assert path.read_bytes() == damaged
    assert server.asked == []


def test_download_is_cached(cache, server):
    first, second = d2lutil.load_corpus(), d2lutil.load_corpus()
    assert (first.source, second.source) == ("download", "cache")
    assert first.text == second.text == TEXT
    assert cache.read_bytes() == DATA
    assert server.asked.count("GET") == 1


def test_damaged_download_is_refused_and_not_kept(cache, server):
    server.content = DATA[:-7]
    with pytest.raises(ValueError, match=r"timemachine\.txt"):
        d2lutil.load_corpus()
    assert not list(cache.parent.glob("*"))


def test_progress_is_shown_on_a_terminal_only(cache, server, capsys, monkeypatch):
    d2lutil.load_corpus()
    assert "100%" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("pooch.os_cache", lambda project: cache.parent / "other")
    d2lutil.load_corpus()
    assert "100%" in capsys.readouterr().err


def test_no_network_leads_to_the_embedded_text():
    with pytest.warns(UserWarning, match=f"cannot download http://.*; {EMBEDDED}") as caught:
        loaded = d2lutil.load_corpus()
    assert (loaded.name, loaded.source) == ("noon_road", "embedded")
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_network_is_asked_once_a_process(status, server):
    server.status = status
    for _ in range(3):
        with pytest.warns(UserWarning, match=f"cannot download .*HTTPError.*; {EMBEDDED}"):
            assert d2lutil.load_corpus().source == "embedded"
    assert server.asked == ["HEAD"]


def test_nobody_waits_long_for_the_network():
    assert corpus.SECONDS_PER_ANSWER < corpus.SECONDS_TO_NOTICE <= 8


@pytest.fixture
def impatient(monkeypatch):
    """Wait half a second only; return a list that grows whenever the network is asked."""
    asked, ask = [], corpus._ask
    monkeypatch.setattr(corpus, "SECONDS_TO_NOTICE", 0.5)
    monkeypatch.setattr(corpus, "_ask", lambda: (asked.append(corpus.URL), ask()))
    return asked


def assert_noticed(asked):
    start = time.monotonic()
    for _ in range(2):
        with pytest.warns(UserWarning, match=EMBEDDED):
            assert d2lutil.load_corpus().source == "embedded"
    assert time.monotonic() - start < 10
    assert len(asked) == 1


def test_name_server_that_hangs_is_noticed(monkeypatch, impatient):
    released = threading.Event()

    def hang(*args, **kwargs):
        released.wait(60)
        raise socket.gaierror("released")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(corpus, "URL", "http://text.invalid/timemachine.txt")
    assert_noticed(impatient)
    released.set()


def test_server_that_never_answers_is_noticed(monkeypatch, impatient):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(corpus, "URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert_noticed(impatient)


def test_server_that_hangs_half_way_is_noticed_and_leaves_no_file(server, cache, monkeypatch, impatient):
    monkeypatch.setattr(corpus, "SECONDS_TO_NOTICE", 10)  # this server answers, at first
    monkeypatch.setattr(corpus, "SECONDS_PER_ANSWER", 0.5)
    server.released.clear()
    assert_noticed(impatient)
    assert not list(cache.parent.glob("*"))


def test_download_false_asks_nobody(server):
    with pytest.warns(UserWarning, match=f"not cached and download=False; {EMBEDDED}"):
        assert d2lutil.load_corpus(download=False).source == "embedded"
    assert server.asked == []


def test_unwritable_cache_leaves_the_download_unkept(tmp_path, server, monkeypatch):
    blocker = put(tmp_path / "file", b"here a folder cannot be made")
    monkeypatch.setattr("pooch.os_cache", lambda project: blocker / project)
    with pytest.warns(UserWarning, match=r"cannot write the cache .*file.*unkept") as caught:
        loaded = d2lutil.load_corpus()
    assert (loaded.source, loaded.text) == ("download", TEXT)
    assert [warning.filename for warning in caught] == [__file__]
    assert blocker.read_bytes() == b"here a folder cannot be made"


def test_parallel_processes_leave_one_whole_file(cache, server):
    server.released.clear()
    command = [sys.executable, "-c", PROCESS, corpus.URL, corpus.SHA256, str(cache.parent)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen(command, **pipes) for _ in range(3)]
    assert [run.stdout.readline() for run in runs] == ["ready\n"] * 3
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    while server.asked.count("GET") < 3 and None in [run.poll() for run in runs]:
        time.sleep(0.01)
    server.released.set()
    answers = [run.communicate()[0] for run in runs]
    assert answers == [f"download {corpus.SHA256}\n"] * 3
    assert list(cache.parent.iterdir()) == [cache]
    assert cache.read_bytes() == DATA


def test_embedded_text_is_a_short_story():
    loaded = d2lutil.load_corpus("noon_road")
    assert (loaded.name, loaded.title, loaded.source) == ("noon_road", "The Noon Road", "embedded")
    assert 12_000 <= len(loaded.text) <= 20_000
    assert loaded.text.isascii()


@pytest.mark.parametrize("name", ["moby_dick", "", None])
def test_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=f"name={name!r}; allowed: time_machine, noon_road"):
        d2lutil.load_corpus(name)


@pytest.mark.skipif(not REAL, reason="D2LUTIL_DATA_DIR is not set: no real text")
def test_real_text_is_the_one_expected(monkeypatch):
    monkeypatch.undo()
    loaded = d2lutil.load_corpus(directory=REAL)
    assert len(loaded.text) == 178_979
    assert len(d2lutil.normalize(loaded.text)) == 173_428
