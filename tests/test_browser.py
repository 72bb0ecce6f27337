"""The built site in a browser: every page, and everything that moves."""

import io
import json
import os
import re
import sys

import numpy
import pytest
from browser import CHECK, DESK, ICONS, PAGES, PHONE, RULES, SITE, Visit, serve, start
from chromium import program
from PIL import Image

HEAVIEST = 1_300_000  # bytes of a page with everything it asks for
PROSE = 500_000  # more, of the page that searches the prose of all
READ = [name for name in PAGES if name != "index.html"]  # that one leads to the introduction
SMALLEST = 8.98  # pixels of a plot's labels, whose 8 points are 8 / 72 of an inch of 160 dots

pytestmark = [
    pytest.mark.skipif(not PAGES, reason="no built site: run `make book` first"),
    pytest.mark.skipif(
        sys.version_info < (3, 11), reason="an older theme on Python 3.10; the site is published from 3.12"
    ),
]


@pytest.fixture(scope="module")
def browser():
    if program() is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("no Chromium on this machine: the pages were not tried in a browser")
    with start() as browser:
        yield browser


@pytest.fixture(scope="module")
def site():
    with serve() as address:
        yield address


@pytest.fixture
def visits(browser, site):
    opened = []

    def open_(name, **options):
        opened.append(Visit(browser, f"{site}/{name}", **options))
        return opened[-1].page

    yield open_
    for visit in opened:
        visit.__exit__()


def moved(browser, visit):
    """Return how far a page shifted; fonts come late on a busy machine, a page that moves does so again."""
    shift = visit.page.evaluate("shift")
    if shift < 0.05:
        return shift
    with Visit(browser, visit.page.url) as second:
        second.scroll()
        return second.page.evaluate("shift")


@pytest.mark.parametrize("name", READ)
def test_page(name, browser, site, subtests):
    """Everything that holds for each page, on one visit."""
    with Visit(browser, f"{site}/{name}") as visit:
        visit.scroll()
        with subtests.test("asks nobody else"):
            assert visit.elsewhere(site) == []
        with subtests.test("has no errors"):
            assert visit.errors == []
        with subtests.test("is light"):
            assert visit.weight() <= HEAVIEST + PROSE * (name == "search.html")
        with subtests.test("stands still"):
            assert moved(browser, visit) < 0.05
        with subtests.test("is described"):
            content = visit.page.locator("meta[name=description]").get_attribute("content")
            assert 10 < len(content) <= 203
            assert visit.page.locator("meta[property='og:title']").count() == 1
            assert visit.page.locator("link[rel=icon]").count() == 1
        for viewport in (PHONE, DESK):  # before the formulas are thinned out
            with subtests.test("does not scroll sideways", width=viewport["width"]):
                visit.look("light", viewport)
                assert visit.overflow() <= 0
        for scheme, viewport in (("light", DESK), ("dark", DESK), ("light", PHONE)):
            with subtests.test("is accessible", scheme=scheme, width=viewport["width"]):
                visit.look(scheme, viewport)
                assert visit.violations() == []
        with subtests.test("has plots that read on a phone"):
            assert [plot for plot in visit.plots() if plot["label"] < SMALLEST] == []
            wide = [plot for plot in visit.plots() if plot["scrolls"]]
            assert [plot for plot in wide if not (plot["keyboard"] and plot["cue"])] == []
        with subtests.test("names no font that is not there"):
            assert visit.page.evaluate(ICONS) == []


@pytest.mark.parametrize("name", READ)
def test_page_opens_from_a_folder(browser, name):
    with Visit(browser, (SITE / name).as_uri()) as visit:
        assert visit.errors == []
        assert visit.elsewhere("file://") == []
        states = visit.page.evaluate("""document.fonts.ready.then(() => [...document.fonts]
            .filter(face => !face.family.startsWith("Like ")).map(face => face.status))""")
        assert "loaded" in states
        assert "error" not in states  # those like a system's font need not be there


def test_mathematics_is_accessible_in_full(visits):
    page = visits("book/notation.html")
    page.evaluate(RULES)
    assert page.evaluate(CHECK) == []


# What is looked for, and the page, or the term of the glossary, that has to come first.
QUERIES = {
    "vanishing gradient": "stability.html",
    "exploding gradient": "stability.html",
    "truncation": "truncated.html",
    "unbiased": "randomized.html",
    "LSTM": "gates.html",
    "detach": "glossary.html#term-detach",
    "perplexity": "glossary.html#term-perplexity",
}
SECOND = {"detach": "detach-clinic.html", "perplexity": "language-model.html"}


@pytest.mark.parametrize("address", ["http", "file"])
def test_search_finds(browser, site, address):
    root = site if address == "http" else SITE.as_uri()
    with Visit(browser, f"{root}/book/intro.html") as visit:
        visit.page.keyboard.press("Control+k")
        visit.page.locator("#pst-search-dialog input").fill("truncation")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector("#search-results li")
        for query, first in QUERIES.items():
            visit.page.goto(f"{root}/search.html?q={query.replace(' ', '+')}")
            visit.page.wait_for_selector("#search-results li")
            links = visit.page.locator("#search-results li > a").evaluate_all("all => all.map(a => a.href)")
            assert links[0] == f"{root}/book/{first}", query
            assert links[1].endswith(SECOND.get(query, "")), query
        assert visit.errors == []


def test_search_quotes_prose(visits):
    page = visits("search.html?q=unbiased")
    page.wait_for_selector("#search-results li")
    quoted = page.locator("#search-results p.context").all_inner_texts()
    assert len(quoted) > 5
    marked = page.locator("#search-results p.context:has(mark)").count()
    assert marked == len(quoted)
    for text in quoted:
        assert len(text) < 400
        assert not re.search(r"\.ipynb|\.pdf|\\\\|import |\u200b", text), text
    page.goto(page.url.replace("unbiased", "unfoundable"))
    page.wait_for_selector("#search-results .search-summary:not(:empty)")
    assert page.locator("#search-results li").count() == 0


def test_search_reads_a_formula_once():
    texts = (SITE / "_static" / "texts.js").read_text(encoding="utf-8")
    pages = json.loads(texts.removeprefix("Search.texts = ").rstrip(";\n"))
    said = " ".join(text for _, _, parts in pages["book/recursion"] for text in parts)
    assert "total derivative" in said
    assert not re.search(r"\\(frac|partial|cdots|xi)", said)


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_search_field_shows_its_first_letter(visits, viewport):
    page = visits("book/rnn.html", viewport=viewport)
    page.keyboard.press("Control+k")
    field, glass = page.locator("#pst-search-dialog input"), page.locator("#pst-search-dialog i")
    begins = field.evaluate(
        "box => box.getBoundingClientRect().left + parseFloat(getComputedStyle(box).paddingLeft)"
    )
    assert begins >= glass.evaluate("box => box.getBoundingClientRect().right") + 2


def test_sources_are_labelled_as_they_are_cited(visits):
    page = visits("book/bibliography.html")
    labels = page.locator(".citation").evaluate_all(
        "all => Object.fromEntries(all.map(one => [one.id, one.querySelector('.label').innerText]))"
    )
    assert len(set(labels.values())) == len(labels) > 20
    cited = 0
    for name in READ:
        text = (SITE / name).read_text(encoding="utf-8")
        for anchor, words in re.findall(r'<a [^>]*href="bibliography\.html#(\w+)"[^>]*>([^<]*)</a>', text):
            label, words = (text.replace("\xa0", " ") for text in (labels[anchor], words))
            assert label == f"[{words}]" or label.endswith(f", {words}]")  # Aicher et al. [2019]
            cited += 1
    assert cited > 20


def test_theme_switches_and_stays(visits):
    page = visits("book/intro.html")
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == {"light", "dark"}
    for _ in range(3):
        if page.evaluate("document.documentElement.dataset.mode") != "dark":
            page.locator(".theme-switch-button:visible").first.click()
    assert page.evaluate("document.documentElement.dataset.mode") == "dark"
    page.goto(page.url.replace("intro", "full"))
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def grounds(page, name):
    """Return how light a plot is painted in the corner, at least, and at most, and how light its page."""
    plot = page.locator(f"{name} .plot img")
    plot.scroll_into_view_if_needed()
    with Image.open(io.BytesIO(plot.screenshot())) as shot:
        pixels = numpy.asarray(shot.convert("L"), dtype=float) / 255
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return pixels[20, 20], pixels.min(), pixels.max(), int(re.findall(r"\d+", ground)[0]) / 255


def test_plots_are_dark_in_the_dark(visits):
    page = visits("book/stability.html", scheme="dark")
    corner, _, lightest, ground = grounds(page, "#fig-st-lyapunov")
    assert abs(corner - ground) < 0.05
    assert lightest > 0.6
    corner, darkest, _, _ = grounds(page, "#fig-st-fates")  # its words say: the darker, the larger
    assert 0.6 < corner < 0.95
    assert darkest < 0.4


def test_plots_are_white_in_the_light_and_on_paper(visits):
    page = visits("book/stability.html")
    assert grounds(page, "#fig-st-lyapunov")[0] == 1
    page.emulate_media(media="print", color_scheme="dark")
    assert (
        page.locator("#fig-st-lyapunov img").evaluate("image => getComputedStyle(image).filter") == "none"
    )


def test_a_wide_plot_scrolls_by_keyboard(visits):
    page = visits("book/stability.html", viewport=PHONE)
    plot = page.locator("#fig-st-lyapunov .plot")
    plot.scroll_into_view_if_needed()  # its picture is loaded only then
    wide = "(() => { const plot = document.querySelector('#fig-st-lyapunov .plot'); return %s; })()"
    page.wait_for_function(wide % "plot.scrollWidth > plot.clientWidth")
    plot.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(wide % "plot.scrollLeft > 0")


def test_solutions_unfold_by_keyboard(visits):
    page = visits("book/comparison.html")
    solution = page.locator(".solution.dropdown").first
    paragraph = solution.locator("p:not(.admonition-title)").first
    assert not paragraph.is_visible()
    solution.locator("button, summary").first.focus()
    page.keyboard.press("Enter")
    paragraph.wait_for(state="visible")


def test_code_can_be_copied(visits):
    page = visits("book/truncated.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    cell = page.locator("div.cell_input div.highlight:visible").first
    cell.hover()
    cell.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()


PREVIEWS = {
    "book/comparison.html": {
        "p a.reference[href='#equation-eq-cmp-mean']": ".katex",
        "p a[href='#fig-partition']": "figcaption",
        "a[href^='bibliography.html#']": ".citation",
    },
    "book/intro.html": {"a[href='glossary.html#term-segment']": "dd"},
    "book/glossary.html": {"a.reference[href='#term-bias']": "dd"},
}


@pytest.mark.parametrize("address", ["http", "file"])
def test_links_show_what_they_lead_to(browser, site, address):
    root = site if address == "http" else SITE.as_uri()
    for name, links in PREVIEWS.items():
        with Visit(browser, f"{root}/{name}") as visit:
            for link, content in links.items():
                found = visit.page.locator(f"main {link}").first
                found.hover()
                visit.page.wait_for_selector(f"#preview {content}")
                visit.page.keyboard.press("Escape")
                assert visit.page.locator("#preview").count() == 0
                visit.page.mouse.move(0, 0)
            assert visit.errors == []


def test_a_term_shows_its_own_definition(visits):
    page = visits("book/glossary.html")
    link = page.locator("main a.reference[href^='#term-']").last
    term = link.get_attribute("href")
    link.hover()
    shown = page.wait_for_selector("#preview dd").inner_text()
    assert shown == page.locator(f"{term} ~ dd").first.inner_text()


def test_previews_come_by_keyboard(visits):
    page = visits("book/comparison.html")
    link = page.locator("main p a.reference[href='#equation-eq-cmp-mean']").first
    link.evaluate("link => link.focus({focusVisible: true})")
    page.wait_for_selector("#preview[role=tooltip] .katex")
    assert link.get_attribute("aria-describedby") == "preview"
    link.evaluate("link => link.blur()")
    assert page.locator("#preview").count() == 0


@pytest.mark.parametrize("address", ["http", "file"])
def test_address_of_the_site_leads_to_the_first_page(browser, site, address):
    root = site if address == "http" else SITE.as_uri()
    with Visit(browser, f"{root}/index.html") as visit:
        visit.page.wait_for_url("**/book/intro.html")
        assert visit.errors == []


def test_first_page_invites(visits):
    page = visits("book/intro.html")
    title = page.locator("article h1").inner_text().removesuffix("#").strip()
    named = page.locator("h1, .navbar-brand, .bd-links a").filter(has_text=title)
    assert [one.is_visible() for one in named.all()].count(True) == 1
    figure = page.locator("#fig-cover .live .stage").bounding_box()
    assert figure["y"] + figure["height"] < DESK["height"]
    doors = page.locator(".doors a")
    assert doors.count() == 3
    assert doors.first.bounding_box()["y"] < page.locator("article h2").first.bounding_box()["y"]
    assert page.locator(".results .result").count() >= 3
    doors.nth(1).click()
    page.wait_for_url("**/detach-clinic.html#*")


def test_address_that_leads_nowhere(visits):
    page = visits("404.html")
    assert "not here" in page.locator("article h1").inner_text()
    page.locator("main a[href='book/intro.html']").first.click()
    page.wait_for_url("**/book/intro.html")
