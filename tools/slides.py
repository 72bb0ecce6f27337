"""Build the decks: ``_build/slides``, a folder of its own, and a copy of it beside the site.

Called by ``make slides`` and ``make book``.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "book" / "slides"
DECKS = ROOT / "_build" / "slides"
SITE = ROOT / "_build" / "html"
CACHE = ROOT / "_build" / ".slides"


def build(source=SOURCE, target=DECKS, cache=CACHE):
    """Build the decks of a folder into another, all anew; a warning is an error.

    Raises
    ------
    SystemExit
        If a deck names something that the book does not have.
    """
    command = [sys.executable, "-m", "sphinx", "-b", "revealjs", "-E", "-W", "--keep-going", "-n", "-q"]
    done = subprocess.run([*command, "-d", str(cache), str(source), str(target)])
    if done.returncode:
        sys.exit(done.returncode)


def copy(decks=DECKS, site=SITE):
    """Put the decks beside the pages, so that their links lead there."""
    target = site / "slides"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(decks, target)
    for path in target.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("../html/book/", "../book/"), encoding="utf-8")


def main():
    """Build, and copy where there is a site."""
    build()
    if SITE.is_dir():
        copy()


if __name__ == "__main__":
    main()
