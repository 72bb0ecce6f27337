"""The configuration from which `make serve` builds the book."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import serve  # noqa: E402

START = """
import sys
from sphinx.application import Sphinx
source, configuration, out = sys.argv[1:]
app = Sphinx(source, configuration, out, out, "html", warningiserror=True, status=None)
paths = [*app.config.html_static_path, *map(str, app.config.bibtex_bibfiles)]
print(app.config.html_title, *app.extensions, *paths, sep="\\n")
"""


def test_sphinx_starts_with_it_from_outside_the_book(tmp_path):
    (tmp_path / "conf.py").write_text(serve.configuration(), encoding="utf-8")
    command = [sys.executable, "-c", START, str(ROOT), str(tmp_path), str(tmp_path / "out")]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    title, *found = run.stdout.splitlines()
    assert title == "Backpropagation Through Time"
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert set(config["sphinx"]["local_extensions"]) <= set(found)
    paths = [ROOT / "book" / "_static", ROOT / "book" / "references.bib"]
    assert set(map(str, paths)) <= set(found)
