"""Show the book on this machine and render again what is saved.

Called by ``make serve``, with the port that ``PORT=`` names. sphinx-autobuild watches and reloads; it wants
a ``conf.py``, which is made from ``_config.yml`` and kept out of the tree. After a change to
``_config.yml`` start it again.
"""

import argparse
import os
import socket
import sys
from pathlib import Path

from jupyter_book.config import get_final_config

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "_build" / "serve"


def configuration():
    """Return the text of a ``conf.py`` that can lie outside the book."""
    options = {"latex_individualpages": False}  # Jupyter Book asks for it, whatever it builds
    settings, _ = get_final_config(user_yaml=ROOT / "_config.yml", sourcedir=ROOT, cli_config=options)
    for name in ("html_static_path", "bibtex_bibfiles"):  # beside conf.py, says Sphinx
        settings[name] = [str(ROOT / path) for path in settings.get(name, [])]
    settings["html_favicon"] = str(ROOT / settings["html_favicon"])
    lines = [f"{name} = {value!r}" for name, value in settings.items()]
    return "\n".join(["import sys", f"sys.path.append({str(ROOT / 'book' / '_ext')!r})", *lines, ""])


def port(text):
    """Return a port that nobody listens on; refuse another one before anything is built.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is not a port, or taken.
    """
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"PORT={text}; allowed: a whole number from 1 to 65535")
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was just given up is free
        try:
            server.bind(("127.0.0.1", int(text)))
        except OSError as error:
            reason = f"PORT={text} cannot be used here ({error.strerror})"
            raise argparse.ArgumentTypeError(f"{reason}; name another one: make serve PORT=8001") from None
    return text


def main():
    """Hand over to sphinx-autobuild."""
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__.splitlines()[0])
    parser.add_argument("port", nargs="?", type=port, default="8000")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "conf.py").write_text(configuration(), encoding="utf-8")
    program = Path(sys.executable).parent / "sphinx-autobuild"
    command = [str(program), "-q", "--port", arguments.port, "-c", str(FOLDER)]
    command += [str(ROOT), str(FOLDER / "html")]
    for folder in ("_build", ".venv", ".git", ".ruff_cache", "tests", "tools"):
        command += ["--ignore", str(ROOT / folder)]
    os.execv(program, command)


if __name__ == "__main__":
    main()
