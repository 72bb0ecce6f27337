"""Show the book on this machine and render again what is saved.

Called by ``make serve``. sphinx-autobuild watches and reloads; it wants a ``conf.py``, which is made
from ``_config.yml`` and kept out of the tree. After a change to ``_config.yml`` start it again.
"""

import os
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


def main():
    """Hand over to sphinx-autobuild; further arguments go to it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "conf.py").write_text(configuration(), encoding="utf-8")
    program = Path(sys.executable).parent / "sphinx-autobuild"
    command = [str(program), "-q", "-c", str(FOLDER), str(ROOT), str(FOLDER / "html")]
    for folder in ("_build", ".venv", ".git", ".ruff_cache", "tests", "tools"):
        command += ["--ignore", str(ROOT / folder)]
    os.execv(program, [*command, *sys.argv[1:]])


if __name__ == "__main__":
    main()
