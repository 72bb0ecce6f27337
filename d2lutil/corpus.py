"""The text: a checked copy of the novel from wherever one is, or the embedded story."""

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from d2lutil import paths
from d2lutil.validation import short

with warnings.catch_warnings():
    # pooch imports tqdm.auto, which asks for ipywidgets in every notebook
    warnings.simplefilter("ignore")
    import pooch

__all__ = ["Corpus", "load_corpus"]

FILE = "timemachine.txt"
URL = "https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt"
SHA256 = "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"
TITLES = {"time_machine": "The Time Machine, by H. G. Wells", "noon_road": "The Noon Road"}
ALLOWED = f"{', '.join(TITLES)}, or the path of a text file"
DIRECTORY_VARIABLE = "D2LUTIL_DATA_DIR"
SECONDS_PER_ANSWER = 4
SECONDS_TO_NOTICE = 8  # that there is no network, the name server included


@dataclass(frozen=True)
class Corpus:
    """A text and where it came from.

    Attributes
    ----------
    name, title, text : str
        ``text`` is the file as it is, before :func:`normalize`. A file of the reader's own gives its name
        without the ending to both ``name`` and ``title``.
    source : {"directory", "cache", "download", "embedded", "file"}
        Where the text was found; ``"file"`` is a file of the reader's own.
    """

    name: str
    title: str
    text: str = field(repr=False)
    source: str


def load_corpus(name="time_machine", *, directory=None, download=True):
    """Load a text: the novel, the story that the package embeds, or a file of the reader's own.

    The novel comes from a directory, the cache, or the network. Paths may begin with ``~``.

    Parameters
    ----------
    name : {"time_machine", "noon_road"} or path
        Wells' novel, the short story, or a text file in UTF-8. A file that is called like one of the two
        is meant by ``"./time_machine"``. A byte-order mark is left out, and ends of lines become newlines.
    directory : path, optional
        A folder that holds ``timemachine.txt``; without it the environment variable
        ``D2LUTIL_DATA_DIR``, without both the cache. Not allowed beside the path of a file.
    download : bool
        Whether the network may be asked when nothing is cached; only the novel ever needs it.

    Returns
    -------
    Corpus
        The embedded story, with a warning, if the novel cannot be had.

    Raises
    ------
    ValueError
        Unknown name; a file of the reader's own that is empty, or not UTF-8; a copy of the novel whose
        SHA-256 is wrong, which stays as it was.
    FileNotFoundError, IsADirectoryError
        The file, the directory, or the file in it, does not exist.
    """
    if not isinstance(name, (str, os.PathLike)) or name == "":
        raise ValueError(f"unknown corpus name={short(name)}; allowed: {ALLOWED}")
    if directory is not None and not isinstance(directory, (str, os.PathLike)):
        raise TypeError(f"directory={directory!r}; allowed: a path, or None")
    if not isinstance(name, str) or name not in TITLES:
        if directory is not None:
            raise ValueError(f"directory={str(directory)!r}; allowed beside a file's path: None")
        return _file(name)
    if name == "noon_road":
        return _embedded()
    if directory is not None:
        return _novel(paths.absolute("directory", directory) / FILE, "directory")
    if os.environ.get(DIRECTORY_VARIABLE):
        return _novel(_directory_of_environment() / FILE, "directory")
    cached = _cached()
    try:
        if cached is not None and cached.is_file():
            return _novel(cached, "cache")
    except OSError as error:  # of another user, say
        reason = f"cannot read the cache {cached} ({error.strerror})"
    else:
        reason = f"{FILE} is not cached"
    if not download:
        return _embedded(f"{reason} and download=False")
    text, reason = _download(cached)
    if text is None:
        return _embedded(reason)
    return Corpus(name, TITLES[name], text, "download")


def _file(name):
    """Read a text file of the reader's own."""
    path = paths.absolute("name", name)
    is_word = isinstance(name, str) and not os.path.dirname(name) and not path.suffix
    if is_word and not path.exists():
        raise ValueError(f"unknown corpus name={name!r}; allowed: {ALLOWED}; {str(path)!r} does not exist")
    try:
        text = paths.read_text("name", path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}, or one of the names {', '.join(TITLES)}") from None
    if not text.strip():
        raise ValueError(f"name={str(path)!r} holds no text; allowed: a file that does")
    return Corpus(path.stem, path.stem, text, "file")


def _directory_of_environment():
    """Return the folder that the environment names; one that is relative or has ``~`` is resolved there.

    So it is the same folder whatever folder this process, or one that it starts, works in later.
    """
    os.environ[DIRECTORY_VARIABLE] = str(paths.absolute(DIRECTORY_VARIABLE, os.environ[DIRECTORY_VARIABLE]))
    return Path(os.environ[DIRECTORY_VARIABLE])


def _cached():
    """Return where the novel is cached, or None without a home directory to hold the cache."""
    try:
        return Path(pooch.os_cache("d2lutil")) / FILE
    except RuntimeError:
        return None


def _novel(path, source):
    """Read and check the novel at a path that somebody promised holds it."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"directory={str(path.parent)!r} is not a directory; allowed: a folder that holds {FILE} "
            f"(argument directory or environment variable {DIRECTORY_VARIABLE})"
        )
    if not path.is_file():
        raise FileNotFoundError(f"directory={str(path.parent)!r} holds no {FILE}")
    return Corpus("time_machine", TITLES["time_machine"], _checked(path), source)


def _checked(path):
    """Return the text of a file if its SHA-256 is the novel's; never change the file."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise ValueError(
            f"{path} is damaged: {len(content)} bytes with SHA-256 {digest}, expected {SHA256}. "
            "Delete it, or put the original in its place."
        )
    return content.decode("ascii")


def _embedded(reason=None):
    """Return the embedded story; given a reason, warn that it stands in for the novel."""
    if reason:
        warnings.warn(
            f"{reason}; using the embedded text {TITLES['noon_road']!r} instead",
            UserWarning,
            stacklevel=3,
        )
    text = Path(__file__).with_name("story.txt").read_text(encoding="ascii")
    return Corpus("noon_road", TITLES["noon_road"], text, "embedded")


@functools.cache  # the network is asked once a process
def _download(cached: Path | None) -> tuple[str | None, str | None]:
    """Download the novel and cache it.

    Returns
    -------
    text : str or None
    reason : str or None
        Why there is no text.

    Raises
    ------
    ValueError
        If what arrived is not the novel.
    """
    try:
        _ask()
    except Exception as error:  # the network, or a setting for it: whatever is wrong, the story is there
        detail = type(error).__name__ if isinstance(error, requests.RequestException) else error
        return None, f"cannot download {URL} ({detail})"
    downloader: Any = pooch.HTTPDownloader(timeout=SECONDS_PER_ANSWER, progressbar=sys.stderr.isatty())
    try:
        options = {"known_hash": f"sha256:{SHA256}", "fname": FILE, "downloader": downloader}
        fetch = functools.partial(pooch.retrieve, URL, **options)
        folder = cached and cached.parent
        try:
            if folder is not None:
                return _checked(Path(fetch(path=folder))), None
            problem = "there is no home directory for a cache"
        except OSError as error:
            if isinstance(error, requests.RequestException):
                raise
            problem = f"cannot write the cache {folder} ({error})"
        warnings.warn(f"{problem}; the download is used unkept", UserWarning, stacklevel=3)
        with tempfile.TemporaryDirectory() as unkept:
            return _checked(Path(fetch(path=unkept))), None
    except requests.RequestException as error:
        return None, f"cannot download {URL} ({type(error).__name__})"
    except OSError as error:  # a bundle of certificates that is not there, say
        return None, f"cannot download {URL} ({error})"


def _ask():
    """Raise an error unless the server answers within SECONDS_TO_NOTICE.

    The time-out of a request leaves out the look-up of the name, hence the thread.
    """
    outcome: list[Exception | None] = [requests.Timeout(f"no answer within {SECONDS_TO_NOTICE} s")]

    def ask():
        try:
            requests.head(URL, timeout=SECONDS_PER_ANSWER).raise_for_status()
            outcome[0] = None
        except Exception as error:
            outcome[0] = error

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_NOTICE)
    if outcome[0] is not None:
        raise outcome[0]


if os.environ.get(DIRECTORY_VARIABLE):
    with contextlib.suppress(ValueError):  # raised when the novel is asked for
        _directory_of_environment()
