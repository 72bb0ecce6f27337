import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from server import Server

import d2lutil
from d2lutil import corpus

TEXT = "The Time Machine, as the tests know it.\n" * 4000
DATA = TEXT.encode("ascii")
ROOT = str(Path(__file__).resolve().parent.parent)
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
    corpus._download.cache_clear()


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
    runs = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [run.stdout.readline() for run in runs] == ["ready\n"] * 2
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    while server.asked.count("GET") < 2 and None in [run.poll() for run in runs]:
        time.sleep(0.01)
    server.released.set()
    answers = [run.communicate()[0] for run in runs]
    assert answers == [f"download {corpus.SHA256}\n"] * 2
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


@pytest.fixture
def own(tmp_path):
    """Return a function that writes a file of the reader's own."""
    return lambda content, name="my story.txt": put(tmp_path / "own" / name, content)


@pytest.mark.parametrize("convert", [str, lambda path: path])
def test_a_file_of_the_reader_is_read(convert, own, server):
    loaded = d2lutil.load_corpus(convert(own("Été in नगर.\n".encode())))
    assert (loaded.name, loaded.title, loaded.source) == ("my story", "my story", "file")
    assert loaded.text == "Été in नगर.\n"
    assert server.asked == []


def test_a_byte_order_mark_and_other_ends_of_lines_are_left_out(own):
    loaded = d2lutil.load_corpus(own(b"\xef\xbb\xbfone\r\ntwo\rthree\n"))
    assert loaded.text == "one\ntwo\nthree\n"


def test_a_file_is_found_from_the_working_directory_and_from_home(own, monkeypatch):
    path = own(b"text")
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("HOME", str(path.parent))
    for name in ("my story.txt", "./my story.txt", "~/my story.txt"):
        assert d2lutil.load_corpus(name).text == "text"


def test_a_name_wins_over_a_file_that_is_called_like_it(own, monkeypatch):
    monkeypatch.chdir(own(b"mine", "noon_road").parent)
    assert d2lutil.load_corpus("noon_road").source == "embedded"
    assert d2lutil.load_corpus("./noon_road").text == "mine"


@pytest.mark.parametrize("name", ["nowhere.txt", "texts/nowhere", "~/nowhere"])
def test_a_file_that_is_not_there_is_named(name):
    with pytest.raises(
        FileNotFoundError, match=r"name='/.*nowhere.* does not exist; .*time_machine"
    ) as error:
        d2lutil.load_corpus(name)
    assert "allowed: a text file, or one of the names time_machine, noon_road" in str(error.value)


def test_a_word_that_is_neither_name_nor_file_names_both(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = (
        r"name='moby_dick'; allowed: time_machine, noon_road, or the path of a text file; '/.*' does not"
    )
    with pytest.raises(ValueError, match=message):
        d2lutil.load_corpus("moby_dick")


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"name='/.*' is a folder; allowed: a text file"):
        d2lutil.load_corpus(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n"])
def test_an_empty_file_is_refused(content, own):
    with pytest.raises(ValueError, match=r"name='.*my story.txt' holds no text"):
        d2lutil.load_corpus(own(content))


@pytest.mark.parametrize(
    ("content", "byte", "position"),
    [(b"caf\xe9s", "e9", 3), (b"\xef\xbb\xbfab\xff", "ff", 5), ("text".encode("utf-16"), "f[ef]", 0)],
)
def test_a_file_that_is_not_utf_8_is_refused(content, byte, position, own):
    message = f"my story.txt' holds byte 0x{byte} at position {position}; allowed: a text in UTF-8"
    with pytest.raises(ValueError, match=message):
        d2lutil.load_corpus(own(content))


@pytest.mark.parametrize("name", ["a\0b", "~nobody-of-this-name/a.txt"])
def test_a_path_that_cannot_be_is_refused(name):
    with pytest.raises(ValueError, match=r"name='.*'; allowed: a path"):
        d2lutil.load_corpus(name)


def test_a_directory_beside_a_file_is_refused(own, tmp_path):
    with pytest.raises(ValueError, match=r"directory='.*'; allowed beside a file's path: None"):
        d2lutil.load_corpus(own(b"text"), directory=tmp_path)


def test_a_corpus_is_printed_without_its_text():
    assert len(repr(d2lutil.load_corpus("noon_road"))) < 100


def test_the_home_in_a_directory_is_expanded(directory, monkeypatch):
    monkeypatch.setenv("HOME", str(directory.parent))
    assert d2lutil.load_corpus(directory="~/texts").source == "directory"
    monkeypatch.setenv("D2LUTIL_DATA_DIR", "~/texts")
    assert d2lutil.load_corpus().source == "directory"


def test_an_empty_directory_is_refused():
    with pytest.raises(ValueError, match="directory=''; allowed: a path, not empty"):
        d2lutil.load_corpus(directory="")


def test_a_relative_directory_of_the_environment_stays_where_it_was(directory, monkeypatch):
    monkeypatch.chdir(directory.parent)
    monkeypatch.setenv("D2LUTIL_DATA_DIR", "texts")
    assert d2lutil.load_corpus().source == "directory"
    monkeypatch.chdir("/")
    assert d2lutil.load_corpus().source == "directory"


def test_a_relative_directory_is_meant_from_where_the_program_started(directory):
    code = """
import os, subprocess, sys
from d2lutil import corpus
corpus.SHA256 = sys.argv[1]
os.chdir("/")
print(corpus.load_corpus().source, os.environ["D2LUTIL_DATA_DIR"])
"""
    command = [sys.executable, "-c", code, corpus.SHA256]
    env = os.environ | {"D2LUTIL_DATA_DIR": "texts", "PYTHONPATH": ROOT}
    run = subprocess.run(command, cwd=directory.parent, env=env, capture_output=True, text=True, check=True)
    assert run.stdout == f"directory {directory}\n"


def without_home(project):
    raise RuntimeError("could not determine the home directory")


def test_no_home_leads_to_the_embedded_text(monkeypatch):
    monkeypatch.setattr("pooch.os_cache", without_home)
    with pytest.warns(UserWarning, match=f"not cached and download=False; {EMBEDDED}"):
        assert d2lutil.load_corpus(download=False).source == "embedded"
    with pytest.warns(UserWarning, match=f"cannot download .*; {EMBEDDED}"):
        assert d2lutil.load_corpus().source == "embedded"


def test_without_a_home_the_download_is_used_unkept(server, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", without_home)
    with pytest.warns(UserWarning, match=r"no home directory for a cache.*unkept") as caught:
        loaded = d2lutil.load_corpus()
    assert (loaded.source, loaded.text) == ("download", TEXT)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_cache_of_another_user_is_as_good_as_none(cache, monkeypatch):
    def is_file(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.is_file", is_file)
    with pytest.warns(UserWarning, match=f"cannot read the cache .*Permission denied.*; {EMBEDDED}"):
        assert d2lutil.load_corpus(download=False).source == "embedded"


@pytest.mark.parametrize("error", [RuntimeError("odd"), ValueError("odd"), UnicodeError("odd")])
def test_whatever_keeps_the_network_from_being_asked_is_the_reason(error, monkeypatch):
    def ask():
        raise error

    monkeypatch.setattr(corpus, "_ask", ask)
    monkeypatch.setattr(corpus, "URL", f"http://{type(error).__name__}.invalid/")
    with pytest.warns(UserWarning, match=rf"cannot download http.* \(odd\); {EMBEDDED}"):
        assert d2lutil.load_corpus().source == "embedded"
