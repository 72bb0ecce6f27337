"""What the search page reads of a page."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import search  # noqa: E402  (the book's Sphinx extension)

PAGE = """<html><body><nav><p>Menu</p></nav><main><div class="bd-header-article"><p>.ipynb</p></div>
<article class="bd-article"><section id="top"><h1>Title<a class="headerlink" href="#top">#</a></h1>
<p>The state <span class="katex"><math><semantics><mi>h</mi><annotation>h_t</annotation></semantics></math>
<span class="katex-html"><span>h</span></span></span> is carried.</p>
<p class="takeaway">To take away: <a>SVG</a></p>
<ul><li><p>First</p></li><li>Second</li></ul><pre>import numpy</pre>
<section id="inner"><h2>1.1. Inner</h2><table><tr><td>a</td><td>b  c</td></tr></table>
<dl><dt id="term-x">Word<a class="headerlink">#</a></dt><dd><p>Meaning</p></dd></dl></section>
</section></article></main></body></html>"""


def test_prose_is_read_by_section_without_buttons_code_and_doubles():
    assert search.sections(PAGE) == [
        ["top", "Title", ["The state h is carried.", "First", "Second"]],
        ["inner", "1.1. Inner", ["a · b c"]],
        ["term-x", "Word", ["Meaning"]],
    ]


@pytest.mark.parametrize(
    ("form", "error", "written"),
    [("html", None, 1), ("latex", None, 0), ("html", ValueError(), 0)],
)
def test_texts_are_written_of_the_pages_of_a_finished_site(tmp_path, form, error, written):
    (tmp_path / "_static").mkdir()
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")
    env = SimpleNamespace(found_docs={"a", "not-built"})
    search.write_texts(
        SimpleNamespace(outdir=str(tmp_path), builder=SimpleNamespace(format=form), env=env), error
    )
    found = list(tmp_path.glob("_static/texts.js"))
    assert len(found) == written
    for path in found:
        text = path.read_text(encoding="utf-8").removeprefix("Search.texts = ").rstrip(";\n")
        assert json.loads(text) == {"a": search.sections(PAGE)}
