"""The price of weights: the exact variance is the chapter's, the sample d2lutil's; a hand moves c and j."""

import itertools

import numpy
import pytest
from browser import PHONE, Visit
from chapters import run
from hands import centre, drag, pytestmark, slide, state, swipe, uniform  # noqa: F401

import d2lutil

pytest_plugins = ["visits"]

PAGE, NAME = "book/randomized.html", "fig-ra-threshold"
STEPS, DRAWS = 100, 1000


@pytest.fixture(scope="module")
def chapter():
    return run("randomized", "def moments(immediate")


def sample(numbers, c, j):
    """Return the estimates z_t, ``(STEPS, DRAWS)``; every hundredth is also that of ``d2lutil.reach``."""
    xi = numpy.where(numbers < 1 - c, 1 / (1 - c), 0)
    z, estimates = numpy.zeros(DRAWS), []
    for weights in xi:
        z = 1 + weights * j * z
        estimates.append(z)
    lag = numpy.subtract.outer(numpy.arange(STEPS), numpy.arange(STEPS))
    for k in range(0, DRAWS, 100):
        terms = d2lutil.reach(xi[:, k]) * float(j) ** numpy.maximum(lag, 0)
        numpy.testing.assert_allclose(numpy.array(estimates)[:, k], terms.sum(axis=1), rtol=1e-9)
    return numpy.array(estimates)


def agree(shown, numbers, chapter):
    c, j = shown["c"], shown["j"]
    mean, variance = chapter.moments(numpy.ones(STEPS), numpy.full(STEPS, j), numpy.full(STEPS, 1 - c))
    numpy.testing.assert_allclose(shown["exact"]["mean"], mean, rtol=1e-12)
    numpy.testing.assert_allclose(shown["exact"]["variance"], variance, rtol=1e-9)
    z = sample(numbers, c, j)
    numpy.testing.assert_allclose(shown["seen"]["mean"], z.mean(axis=1), rtol=1e-9)
    numpy.testing.assert_allclose(shown["seen"]["variance"], z.var(axis=1), rtol=1e-9, atol=1e-20)


def numbers(seed):
    return numpy.array(list(itertools.islice(uniform(seed), STEPS * DRAWS))).reshape(STEPS, DRAWS)


def test_weights_are_the_chapters_at_ten_settings(visits, chapter):
    page, drawn = visits(PAGE), numbers(1)
    rng = numpy.random.default_rng(6)
    settings = [(0.01, 1), (0.1, 0.9), (0.19, 0.9), (0.3, 0.9)]
    settings += [(int(c) / 100, int(j) / 100) for c, j in rng.integers([1, 50], [51, 101], (6, 2))]
    for c, j in settings:
        slide(page, NAME, c=c, j=j)
        shown = state(page, NAME)
        assert (shown["c"], shown["j"], shown["seed"]) == (c, j, 1)
        agree(shown, drawn, chapter)
        assert shown["bounded"] == (round(1e4 * j * j) < round(1e4 * (1 - c)))
        long = (numpy.full(5000, value) for value in (1, j, 1 - c))
        with numpy.errstate(over="ignore"):
            last, before = chapter.moments(*long)[1][[-1, 2499]]
        assert shown["bounded"] == (last < 1.5 * before)


def test_above_the_border_the_exact_variance_leaps_and_the_sample_stays_calm(visits, chapter):
    page = visits(PAGE)
    seen, exact = [], []
    for seed in (2, 3, 4):
        page.get_by_role("button", name="Draw again").focus()
        page.keyboard.press("Enter")
        shown = state(page, NAME)
        assert (shown["seed"], shown["c"], shown["j"]) == (seed, 0.3, 0.9)
        agree(shown, numbers(seed), chapter)
        seen.append(shown["seen"]["variance"][-1])
        exact.append(shown["exact"]["variance"][-1])
    assert len(set(seen)) == 3
    assert max(seen) < 1e-3 * exact[0]
    assert len(set(exact)) == 1


def at(page):
    shown = state(page, NAME)
    return shown["c"], shown["j"]


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_weights_follow_the_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        assert at(page) == (0.3, 0.9)
        x, y = centre(page, NAME, "weights")
        scrolled = page.evaluate("scrollY")
        wide, high = page.locator(f"#{NAME} .frame").evaluate(
            "frame => [frame.width, frame.height].map(one => one.baseVal.value / 50)"
        )
        move(page, (x, y), (x - 20 * wide, y + 10 * high))
        assert at(page) == (0.1, 0.8)
        assert state(page, NAME)["bounded"]
        assert page.evaluate("scrollY") == scrolled
        x, y = centre(page, NAME, "weights")
        move(page, (x, y), (x + 90 * wide, y - 90 * high))
        assert at(page) == (0.5, 1)
        assert visit.errors == []


def test_weights_follow_the_keys(visits):
    page = visits(PAGE)
    page.locator(f"#{NAME} [data-handle=weights]").focus()
    for key, place in [
        ("ArrowLeft", (0.29, 0.9)),
        ("ArrowUp", (0.29, 0.91)),
        ("PageDown", (0.29, 0.81)),
        ("Home", (0.01, 0.81)),
        ("End", (0.5, 0.81)),
        ("ArrowRight", (0.5, 0.81)),
        ("ArrowDown", (0.5, 0.8)),
    ]:
        page.keyboard.press(key)
        assert at(page) == place
    said = page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    assert said == "c = 0.5, j = 0.8: the variance grows without bound"
