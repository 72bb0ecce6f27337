"""The built site: links, anchors, images, and mathematics that was rendered."""

import itertools
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lxml.html
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
PAGES = sorted(SITE.glob("book/*.html"))

pytestmark = pytest.mark.skipif(not PAGES, reason="no built site: run `make book` first")


def parse(path):
    """Return a page without the boxes by which KaTeX draws what stands beside them as MathML."""
    tree = lxml.html.parse(str(path), lxml.html.HTMLParser(encoding="utf-8"))
    for box in tree.xpath("//span[@class='katex-html']"):
        box.clear(keep_tail=True)
    return BeautifulSoup(lxml.html.tostring(tree, encoding="unicode"), "lxml")


@pytest.fixture(scope="module")
def soups():
    pages = [
        path
        for path in SITE.rglob("*.html")
        if not {"_static", "slides"} & {*path.relative_to(SITE).parts}  # templates of the theme, decks
    ]
    found = {path: parse(path) for path in pages}
    for soup in found.values():
        for preview in soup("template"):  # of another page: there its links are looked at
            preview.extract()
    return found


def test_every_page_of_the_contents_was_built():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8").split()
    names = [word for word in toc if word.startswith("book/")]
    assert [name for name in names if not (SITE / f"{name}.html").is_file()] == []


def test_next_and_previous_follow_the_contents(soups):
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8").split()
    paths = [SITE / f"{word}.html" for word in toc if word.startswith("book/")]
    for here, there in itertools.pairwise(paths):
        assert here.parent / soups[here].select_one("a.right-next")["href"] == there
        assert there.parent / soups[there].select_one("a.left-prev")["href"] == here


def test_chapters_hand_out_their_notebooks(soups):
    for path in PAGES:
        if (ROOT / "book" / path.with_suffix(".ipynb").name).is_file():
            link = soups[path].select_one("a.btn-download-source-button")
            assert json.loads((path.parent / link["href"]).read_text(encoding="utf-8"))["cells"]


def test_links_lead_somewhere(soups):
    ids = {path: {tag["id"] for tag in soup.select("[id]")} for path, soup in soups.items()}
    broken = []
    for path, soup in soups.items():
        for tag in soup.select("a[href], img[src], link[href], script[src]"):
            url = urlsplit(tag.get("href") or tag.get("src"))
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            lost = url.fragment and target in ids and unquote(url.fragment) not in ids[target]
            if lost or not target.exists():
                broken.append((path.name, url.geturl()))
    assert broken == []


def test_images_have_alt_texts(soups):
    article = "main img"
    assert [
        img["src"] for soup in soups.values() for img in soup.select(article) if not img.get("alt")
    ] == []


def test_mathematics_was_rendered(soups):
    for path in PAGES:
        soup = soups[path]
        for tag in soup.select(".math"):
            assert tag.select(".katex"), (path.name, tag.get_text()[:60])
        assert not soup.select(".katex-error")


def test_no_directive_shows_raw(soups):
    for path in PAGES:
        prose = soups[path].select_one("main")
        for code in prose.select("pre, code"):
            code.extract()
        text = prose.get_text()
        assert "{result}" not in text, path.name
        assert "{numref}" not in text, path.name
