"""The decks: a project of Sphinx beside the book, built by `make slides`."""

import sys
from pathlib import Path

import yaml

BOOK = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BOOK / "_ext"))
settings = yaml.safe_load(
    (BOOK.parent / "_config.yml").read_text(encoding="utf-8")
)

project, author = settings["title"], settings["author"]
extensions = [
    "myst_parser",
    "sphinxcontrib.katex",
    "sphinx_revealjs",
    "katex",
    "slides",
]
myst_enable_extensions = settings["parse"]["myst_enable_extensions"]
myst_dmath_double_inline = True
html_math_renderer = "katex"
katex_prerender = True
katex_css_path = "katex/katex.min.css"
templates_path = ["_templates"]
exclude_patterns = ["_templates"]
html_copy_source = False
html_favicon = "../_static/favicon.svg"
revealjs_html_theme = "revealjs-simple"
revealjs_static_path = ["../_static"]
book_folder = ".."
book_address = (
    "../html/book"  # of the chapters' pages, from a deck in _build/slides
)
