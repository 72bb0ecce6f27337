"""The wrong way: thresholds, gradients and training are the chapter's; hand, keys and finger move τ."""

import numpy
import pytest
from browser import PHONE, Visit
from chapters import glued, run
from hands import centre, drag, pytestmark, slide, state, swipe  # noqa: F401

pytest_plugins = ["visits"]

PAGE, NAME = "book/influence-balancing.html", "fig-ib-lags"
CHAPTER = "influence-balancing"
LONGEST, LR, REST, UPDATES = 200, 0.01, 110, 200


@pytest.fixture(scope="module")
def chapter():
    parts = [
        "def line",
        "n_plus, n_minus = 10, 13",
        "def u(k)",
        "def segment",
        "def chunk(tau)",
        "at_half = ",
    ]
    parts += ["def sign_turns", "def train(counts", "def one_update"]
    return run(CHAPTER, *parts)


def trained(chapter, counts, updates=UPDATES):
    """Return w after each update by the matrix of one update, with a rest before each segment."""
    g = counts.asnumpy() * numpy.array(chapter.D[1 : len(counts) + 1], dtype=float)
    phi = chapter.one_update([*numpy.zeros(REST), *g], LR)
    moved = [numpy.append(1 - chapter.w_star * chapter.inverse @ chapter.v, 0.5 - chapter.w_star)]
    while len(moved) <= updates:
        moved.append(phi @ moved[-1])
    return chapter.w_star + numpy.array(moved)[:, -1]


def test_wrong_way_is_the_chapters_at_ten_settings(visits, chapter):
    page = visits(PAGE)
    shown = state(page, NAME)
    assert shown["turns"] == [chapter.turn_window, chapter.turn_chunk]
    assert [str(turn) for turn in shown["turns"]] == [glued(CHAPTER)[name] for name in ("window", "chunk")]
    lengths = range(1, LONGEST + 1)
    curves = [[float(of(tau)) for tau in lengths] for of in (chapter.window_D, chapter.mean_D)]
    numpy.testing.assert_allclose(shown["curves"], curves, rtol=0, atol=1e-11)
    rng = numpy.random.default_rng(7)
    turns = [40, 41, 109, 110]
    for tau in [1, *turns, LONGEST, *(int(tau) for tau in rng.integers(2, LONGEST, 4))]:
        slide(page, NAME, tau=tau)
        shown = state(page, NAME)
        assert (shown["tau"], shown["updates"], shown["paths"]) == (tau, 0, [[0.5]] * 3)
        kept = [chapter.sensitivity, float(chapter.D[tau]), float(chapter.mean_D(tau))]
        numpy.testing.assert_allclose(shown["sensitivities"], kept, rtol=0, atol=1e-9)
        xi = chapter.d2lutil.regular(tau, tau)
        by_mxnet = [
            chapter.segment(chapter.at_half, chapter.w, xi, counts(tau))[1]
            for counts in (chapter.window, chapter.chunk)
        ]
        numpy.testing.assert_allclose(shown["gradients"], [24, *by_mxnet], rtol=0, atol=1e-8)
        heads = page.locator(f"#{NAME} .stage polygon").evaluate_all(
            "all => all.map(one => one.points).map(points => Math.sign(points[0].x - points[1].x))"
        )
        assert heads == [-1, 1 if tau < 41 else -1, 1 if tau < 110 else -1]


@pytest.mark.parametrize("tau", [16, 41, 110])
def test_wrong_way_trains_as_the_chapter_does(tau, visits, chapter):
    page = visits(PAGE)
    slide(page, NAME, tau=tau)
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Train").focus()
    page.keyboard.press("Enter")
    shown = state(page, NAME)
    assert shown["updates"] == UPDATES
    all_counts = [chapter.window(400), chapter.window(tau), chapter.chunk(tau)]
    for path, expected in zip(
        shown["paths"], (trained(chapter, counts) for counts in all_counts), strict=True
    ):
        numpy.testing.assert_allclose(numpy.array(path, dtype=float), expected, rtol=1e-9, atol=1e-9)
    by_mxnet = chapter.train(chapter.chunk(tau), lr=LR, num_updates=3, rest=REST)
    numpy.testing.assert_allclose(shown["paths"][2][:4], by_mxnet, rtol=1e-9)
    arrived = [abs(path[-1] - chapter.w_star) < abs(path[0] - chapter.w_star) for path in shown["paths"]]
    assert arrived == [True, tau >= 41, tau >= 110]
    slide(page, NAME, tau=7)
    assert state(page, NAME)["paths"] == [[0.5]] * 3


def test_wrong_way_trains_update_by_update(visits):
    page = visits(PAGE)
    page.get_by_role("button", name="Train").click()
    page.wait_for_function(
        f"JSON.parse(document.querySelector('#{NAME} .live').dataset.state).updates === {UPDATES}"
    )
    assert page.locator(f"#{NAME} .stage polygon").count() == 0


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_wrong_way_follows_the_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        x, y = centre(page, NAME, "tau")
        step = (page.locator(f"#{NAME} .stage").bounding_box()["width"] - 42) / (LONGEST - 1)
        move(page, (x, y), (x - 20 * step, y))
        assert state(page, NAME)["tau"] == 40
        x, y = centre(page, NAME, "tau")
        move(page, (x, y), (x + 400 * step, y))
        assert state(page, NAME)["tau"] == LONGEST
        assert visit.errors == []


def test_wrong_way_follows_the_keys(visits):
    page = visits(PAGE)
    page.locator(f"#{NAME} [data-handle=tau]").focus()
    for key, tau in [("ArrowLeft", 59), ("PageUp", 69), ("Home", 1), ("ArrowUp", 2), ("End", 200)]:
        page.keyboard.press(key)
        assert state(page, NAME)["tau"] == tau
