"""The figures that answer, in a browser: their state is the package's; hand, keys and finger move them."""

import itertools

import numpy
import pytest
from browser import DESK, PAGES, PHONE, ROOT, SITE, Visit
from hands import centre, drag, pytestmark, slide, state, swipe, uniform  # noqa: F401

import d2lutil

SCRIPTS = ROOT / "book" / "_static" / "live"
#: The pages and ids of each script's figures.
FIGURES = {
    "checkpoints.js": [("book/full.html", "fig-full-recompute")],
    "chunks.js": [("book/truncated.html", "fig-tr-reach")],
    "reach.js": [("book/gates.html", "fig-ga-influence")],
    "schemes.js": [("book/comparison.html", "fig-partition"), ("book/intro.html", "fig-cover")],
    "backward.js": [("book/backward.html", "fig-bw-graph")],
    "triangle.js": [("book/recursion.html", "fig-re-loss"), ("book/backward.html", "fig-bw-triangle")],
    "butterfly.js": [("book/stability.html", "fig-st-butterfly")],
    "weights.js": [("book/randomized.html", "fig-ra-threshold")],
    "wrong-way.js": [("book/influence-balancing.html", "fig-ib-lags")],
}
#: Numbers that a script reads.
DATA = {"reach-data.js": FIGURES["reach.js"]}
PLACES = [place for places in FIGURES.values() for place in places]
SCHEMES = ("randomized", "regular", "full")

pytest_plugins = ["visits"]


# What holds for every figure.


def test_a_page_loads_the_figures_that_stand_on_it_alone():
    for script, places in {"base.js": PLACES, "live.css": PLACES, **FIGURES, **DATA}.items():
        assert [name for name in PAGES if f"live/{script}" in (SITE / name).read_text()] == sorted(
            {page for page, _ in places}
        )


def test_scripts_are_short():
    lines = {path.name: len(path.read_text().splitlines()) for path in SCRIPTS.glob("*.js")}
    assert set(lines) == {"base.js", *FIGURES, *DATA}
    assert max(count for name, count in lines.items() if name != "base.js") <= 150
    assert lines["base.js"] <= 250


@pytest.mark.parametrize(("page", "name"), PLACES)
def test_the_static_figure_stands_where_there_is_no_script_and_on_paper(page, name, visits):
    plain = visits(page, javascript=False)
    assert plain.locator(f"#{name} img").is_visible()
    assert plain.locator(".live").count() == 0
    scripted = visits(page)
    assert not scripted.locator(f"#{name} img").is_visible()
    assert scripted.locator(f"#{name} .live").is_visible()
    scripted.emulate_media(media="print")
    assert scripted.locator(f"#{name} img").is_visible()
    assert not scripted.locator(f"#{name} .live").is_visible()
    assert (
        scripted.locator(f"#{name} img").evaluate("image => image.decode().then(() => image.naturalWidth)")
        > 99
    )


@pytest.mark.parametrize(("page", "name"), PLACES)
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_a_figure_fits_and_reads(page, name, viewport, visits):
    figure = visits(page, viewport=viewport).locator(f"#{name}")
    live = figure.locator(".live")
    shown = live.locator("svg").first.evaluate("""svg => [...svg.querySelectorAll("text")].map(text => {
        const box = text.getBoundingClientRect(), of = svg.getBoundingClientRect();
        const size = parseFloat(getComputedStyle(text).fontSize);
        return [size, box.left - of.left, of.right - box.right]; })""")
    size, left, right = numpy.array(shown).T
    assert size.min() >= 9
    assert left.min() >= -10  # within the margin
    assert right.min() >= -10
    targets = figure.locator(".handle .target, button, input").evaluate_all(
        """all => all.filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect())
            .map(box => Math.min(box.width, box.height))"""
    )
    assert min(targets) >= 24
    width, box = live.locator(".stage").evaluate(
        "stage => [stage.clientWidth, stage.firstChild.clientWidth]"
    )
    assert width == box


@pytest.mark.parametrize(("page", "name"), PLACES)
def test_a_figure_is_drawn_anew_for_another_width(page, name, visits):
    opened = visits(page)
    before = state(opened, name)
    opened.set_viewport_size(PHONE)
    svg = opened.locator(f"#{name} .stage > svg")
    opened.wait_for_function(
        "([svg]) => svg.clientWidth === svg.parentNode.clientWidth && svg.clientWidth < 360",
        arg=[svg.element_handle()],
    )
    assert state(opened, name) == before


@pytest.mark.parametrize(("page", "name"), PLACES)
def test_a_figure_says_what_it_shows(page, name, visits):
    opened = visits(page)
    live = opened.locator(f"#{name} .live")
    said = live.locator("output.says")
    assert said.evaluate("output => output.ariaLive ?? 'polite'") == "polite"
    before = said.inner_text()
    assert before.endswith(".")
    slider = live.locator("input").first
    slider.focus()
    last = slider.evaluate("slider => slider.value === slider.max")
    opened.keyboard.press("ArrowLeft" if last else "ArrowRight")
    opened.wait_for_function(
        "([said, before]) => said.innerText !== before", arg=[said.element_handle(), before]
    )
    for handle in live.locator("[role=slider]").all():
        low, now, high = (
            float(handle.get_attribute(f"aria-value{part}")) for part in ("min", "now", "max")
        )
        assert low <= now <= high
        assert handle.get_attribute("aria-label")
        assert handle.get_attribute("aria-valuetext")


def test_a_preview_shows_the_static_figure(visits):
    page = visits("book/comparison.html")
    page.locator("main p a[href='#fig-partition']").first.hover()
    page.wait_for_selector("#preview img", state="visible")
    assert not page.locator("#preview .live").is_visible()


# The three schemes.


def agree(drawn):
    """Compare every scheme of the figure with the package."""
    numpy.testing.assert_allclose(
        drawn["randomized"]["xi"],
        numpy.where(numpy.array(drawn["uniform"]) < drawn["pi"], 1 / drawn["pi"], 0),
    )
    assert drawn["regular"]["xi"] == list(d2lutil.regular(32, drawn["tau"]))
    assert drawn["full"]["xi"] == list(d2lutil.full(32))
    for name in SCHEMES:
        xi = numpy.array(drawn[name]["xi"])
        assert [tuple(part) for part in drawn[name]["segments"]] == d2lutil.segments(xi)
        reach = d2lutil.reach(xi)
        for (first, stop), weights in zip(d2lutil.segments(xi), drawn[name]["weights"], strict=True):
            numpy.testing.assert_allclose(weights, reach[stop - 1, first:stop])
        numpy.testing.assert_allclose(drawn[name]["lag"], by_lag(xi))


def by_lag(xi):
    reach = d2lutil.reach(xi)
    return [numpy.diagonal(reach, -lag).mean() for lag in range(len(xi))]


@pytest.mark.parametrize(("page", "name"), FIGURES["schemes.js"])
def test_schemes_are_the_packages_at_ten_settings(page, name, visits):
    opened = visits(page)
    rng = numpy.random.default_rng(14)
    for tau, length in [(1, 2), (32, 32), *rng.integers(2, 33, (8, 2))]:
        slide(opened, name, tau=tau, length=length)
        drawn = state(opened, name)
        assert (drawn["tau"], drawn["pi"]) == (tau, 1 - 1 / length)
        expected = d2lutil.randomized(32, 1 - 1 / length, rng=numpy.random.default_rng(11))
        numpy.testing.assert_allclose(drawn["randomized"]["xi"], expected)
        agree(drawn)
        boxes = [opened.locator(f"#{name} g.scheme-{scheme} rect.box").count() for scheme in SCHEMES]
        assert boxes == [len(drawn[scheme]["segments"]) for scheme in SCHEMES]


def test_schemes_draw_again_by_keyboard(visits):
    page = visits("book/comparison.html")
    for draw in range(1, 4):
        page.get_by_role("button", name="Draw again").focus()
        page.keyboard.press("Enter")
        drawn = state(page, "fig-partition")
        assert drawn["uniform"] == list(itertools.islice(uniform(-draw), 32))
        agree(drawn)


@pytest.mark.parametrize("length", [2, 6])
def test_schemes_average_to_the_mean_of_a_thousand_draws(length, visits):
    page = visits("book/intro.html")
    slide(page, "fig-cover", length=length)
    for seed in (1, 2):
        page.get_by_role("button", name="Average 1,000 draws").click()
        page.wait_for_function(
            """seed => {
            const {average} = JSON.parse(document.querySelector("#fig-cover .live").dataset.state);
            return average.seed === seed && average.draws === 1000; }""",
            arg=seed,
        )
        drawn, pi = state(page, "fig-cover"), 1 - 1 / length
        numbers = numpy.array(list(itertools.islice(uniform(seed), 32_000))).reshape(1000, 32)
        lags = numpy.array([by_lag(numpy.where(row < pi, 1 / pi, 0)) for row in numbers])
        mean, error = lags.mean(axis=0), lags.std(axis=0, ddof=1) / 1000**0.5
        numpy.testing.assert_allclose(drawn["average"]["mean"], mean)
        numpy.testing.assert_allclose(drawn["average"]["error"], error, atol=1e-9)
        said = page.locator("#fig-cover .says")
        page.wait_for_function(
            "([said, part]) => said.innerText.includes(part)",
            arg=[said.element_handle(), f"×{mean[5]:.3g} ± {error[5]:.2g} from 5 steps back"],
        )
        farthest = numpy.flatnonzero(mean)[-1]
        assert (f"No draw reached more than {farthest} steps" in said.inner_text()) == (farthest < 31)
    assert page.locator("#fig-cover .mean").count() == 1
    slide(page, "fig-cover", length=9)
    assert state(page, "fig-cover")["average"] == {"seed": 2, "draws": 0}


def test_schemes_average_at_once_for_who_wants_no_motion(browser, site):
    with Visit(browser, f"{site}/book/intro.html") as visit:
        visit.page.emulate_media(reduced_motion="reduce")
        draws = visit.page.get_by_role("button", name="Average 1,000 draws").evaluate(
            """button => { button.click();
            return JSON.parse(document.querySelector("#fig-cover .live").dataset.state).average.draws; }"""
        )
        assert draws == 1000


def cell(page):
    return page.locator("#fig-partition .stage").bounding_box()["width"] / 32


def cuts(page):
    drawn = state(page, "fig-partition")
    agree(drawn)
    return [start for start, _ in drawn["randomized"]["segments"][1:]]


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_schemes_follow_the_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/book/comparison.html", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        tap = page.touchscreen.tap if kind == "finger" else page.mouse.click
        x, y = centre(page, "fig-partition", "tau")
        out = y - 20 if kind == "finger" else 2  # of the picture; a steeper finger scrolls the page
        move(page, (x, y), (x + 5 * cell(page), out))
        assert state(page, "fig-partition")["tau"] == 11
        assert cuts(page) == [5, 8, 20, 28]
        middle, y = centre(page, "fig-partition", "cuts")
        left = middle - 16 * cell(page)
        move(page, (left + 20 * cell(page), y), (left + 15 * cell(page), y + 3))
        assert cuts(page) == [5, 8, 15, 28]
        tap(left + 24 * cell(page), y)
        assert cuts(page) == [5, 8, 15, 24, 28]
        tap(left + 5 * cell(page), y)
        assert cuts(page) == [8, 15, 24, 28]
        assert visit.errors == []


def test_schemes_follow_the_keys(visits):
    page = visits("book/comparison.html")
    page.locator("[data-handle=tau]").focus()
    for key, tau in [
        ("ArrowRight", 7),
        ("ArrowDown", 6),
        ("End", 32),
        ("ArrowUp", 32),
        ("Home", 1),
        ("PageUp", 11),
    ]:
        page.keyboard.press(key)
        assert state(page, "fig-partition")["tau"] == tau
        assert page.locator("[data-handle=tau]").get_attribute("aria-valuenow") == str(tau)
    assert page.evaluate("document.activeElement.dataset.handle") == "tau"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "before step 5: a cut"
    page.keyboard.press("Shift+ArrowRight")
    assert cuts(page) == [6, 8, 20, 28]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert cuts(page) == [6, 7, 8, 20, 28]
    page.keyboard.press(" ")
    assert cuts(page) == [6, 8, 20, 28]
