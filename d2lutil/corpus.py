"""The text: a checked copy of the novel from wherever one is, or the embedded story."""

import functools
import hashlib
import os
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import requests

with warnings.catch_warnings():
    # pooch imports tqdm.auto, which asks for ipywidgets in every notebook
    warnings.simplefilter("ignore")
    import pooch

__all__ = ["Corpus", "load_corpus"]

FILE = "timemachine.txt"
URL = "https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt"
SHA256 = "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"
TITLES = {"time_machine": "The Time Machine, by H. G. Wells", "noon_road": "The Noon Road"}
DIRECTORY_VARIABLE = "D2LUTIL_DATA_DIR"
SECONDS_PER_ANSWER = 4
SECONDS_TO_NOTICE = 8  # that there is no network, the name server included


@dataclass(frozen=True)
class Corpus:
    """A text and where it came from.

    Attributes
    ----------
    name, title, text : str
        ``text`` is the file as it is, before :func:`normalize`.
    source : {"directory", "cache", "download", "embedded"}
    """

    name: str
    title: str
    text: str
    source: str


def load_corpus(name="time_machine", *, directory=None, download=True):
    """Load a text: from a directory, the cache, the network, or the package itself.

    Parameters
    ----------
    name : {"time_machine", "noon_road"}
        Wells' novel, or the short story that the package embeds.
    directory : path, optional
        A folder that holds ``timemachine.txt``; without it the environment variable
        ``D2LUTIL_DATA_DIR``, without both the cache.
    download : bool
        Whether the network may be asked when nothing is cached.

    Returns
    -------
    Corpus
        The embedded story, with a warning, if the novel cannot be had.

    Raises
    ------
    ValueError
        Unknown name, or a file whose SHA-256 is wrong; the file stays as it was.
    FileNotFoundError
        The directory, or the file in it, does not exist.
    """
    if not isinstance(name, str) or name not in TITLES:
        raise ValueError(f"unknown corpus name={name!r}; allowed: {', '.join(TITLES)}")
    if name == "noon_road":
        return _embedded()
    if directory is not None and not isinstance(directory, (str, os.PathLike)):
        raise TypeError(f"directory={directory!r}; allowed: a path, or None")
    directory = directory or os.environ.get(DIRECTORY_VARIABLE)
    if directory:
        return _novel(Path(directory) / FILE, "directory")
    cached = Path(pooch.os_cache("d2lutil")) / FILE
    if cached.is_file():
        return _novel(cached, "cache")
    if not download:
        return _embedded(f"{FILE} is not cached and download=False")
    text, reason = _download(cached)
    if text is None:
        return _embedded(reason)
    return Corpus(name, TITLES[name], text, "download")


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
def _download(cached):
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
        fetch = functools.partial(
            pooch.retrieve,
            URL,
            known_hash=f"sha256:{SHA256}",
            fname=FILE,
            downloader=pooch.HTTPDownloader(timeout=SECONDS_PER_ANSWER, progressbar=sys.stderr.isatty()),
        )
        try:
            return _checked(Path(fetch(path=cached.parent))), None
        except OSError as error:
            if isinstance(error, requests.RequestException):
                raise
            warnings.warn(
                f"cannot write the cache {cached.parent} ({error}); the download is used unkept",
                UserWarning,
                stacklevel=3,
            )
            with tempfile.TemporaryDirectory() as folder:
                return _checked(Path(fetch(path=folder))), None
    except requests.RequestException as error:
        return None, f"cannot download {URL} ({type(error).__name__})"
    except OSError as error:  # a bundle of certificates that is not there, say
        return None, f"cannot download {URL} ({error})"


def _ask():
    """Raise an error unless the server answers within SECONDS_TO_NOTICE.

    The time-out of a request leaves out the look-up of the name, hence the thread.
    """
    outcome = [requests.Timeout(f"no answer within {SECONDS_TO_NOTICE} s")]

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
