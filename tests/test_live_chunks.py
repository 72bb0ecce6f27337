"""Chunks or window: what is kept is the chapter's and the package's; hand, keys and finger move it."""

import numpy
import pytest
from browser import PHONE, Visit
from chapters import function
from hands import centre, drag, pytestmark, slide, state, swipe  # noqa: F401
from mxnet import autograd, np

import d2lutil

pytest_plugins = ["visits"]

PAGE, NAME = "book/truncated.html", "fig-tr-reach"
STEPS, MOST = 24, 12


def starts(k1, k2, phase):
    """Return the first step of each loss by the chapter's ``reach``, the border ``phase`` steps later."""
    before = -phase % k1
    kept = function("truncated", "reach", numpy=numpy)(before + STEPS, k1, k2)[before:]
    return numpy.maximum(numpy.arange(STEPS) - kept + 1, 0)


def shares(kept):
    return [numpy.diagonal(kept, -lag).mean() for lag in range(MOST + 1)]


def table(first):
    steps = numpy.arange(STEPS)
    return (first[:, None] <= steps) & (steps <= steps[:, None])


def agree(drawn):
    """Compare the figure with the chapter and the package; return the table of what is kept."""
    k1, k2, phase = drawn["k1"], drawn["k2"], drawn["phase"]
    kept = table(numpy.array(drawn["first"]))
    assert drawn["first"] == starts(k1, k2, phase).tolist()
    assert drawn["terms"] == kept.sum(axis=1).tolist()
    numpy.testing.assert_allclose(drawn["lag"], shares(kept))
    everywhere = numpy.mean([shares(table(starts(k1, k2, place))) for place in range(k1)], axis=0)
    numpy.testing.assert_allclose(drawn["mean"], everywhere, atol=1e-12)
    taper = numpy.clip((k2 - numpy.arange(MOST + 1)) / k1, 0, 1)  # k1 = k2 = τ: the chapter's 1 - k/τ
    numpy.testing.assert_allclose(drawn["mean"], taper, atol=1e-12)
    blocks = numpy.split(kept, [t for t in range(1, STEPS) if (t - phase) % k1 == 0])
    assert drawn["backward"] == sum(block.any(axis=0).sum() for block in blocks)
    assert drawn["forward"] == STEPS
    if k1 == k2:
        before = -phase % k1
        xi = d2lutil.regular(before + STEPS, k1)[before:]
        numpy.testing.assert_array_equal(kept, d2lutil.reach(xi))
        assert [(part["start"], part["stop"]) for part in drawn["passes"]] == d2lutil.segments(xi)
        assert drawn["backward"] == STEPS
    if k1 == 1:
        numpy.testing.assert_array_equal(kept, numpy.tri(STEPS) - numpy.tri(STEPS, k=-k2))
    return kept


def test_what_is_kept_is_the_chapters_at_ten_settings(visits):
    page = visits(PAGE)
    rng = numpy.random.default_rng(5)
    for k1, more in [(1, 0), (6, 0), (12, 0), (1, 5), *rng.integers(1, 7, (7, 2))]:
        slide(page, NAME, k2=k1 + more, k1=k1)
        slide(page, NAME, k2=k1 + more)
        page.locator(f"#{NAME} [data-handle=border]").focus()
        page.keyboard.press("Home")
        for _ in range(rng.integers(k1)):
            page.keyboard.press("ArrowRight")
        drawn = state(page, NAME)
        assert (drawn["k1"], drawn["k2"]) == (k1, k1 + more)
        kept = agree(drawn)
        assert page.locator(f"#{NAME} rect.kept").count() == kept.sum() + 2  # and two bars
        assert page.locator(f"#{NAME} rect.box").count() == len(drawn["passes"])
    assert drawn["phase"] > 0


@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (2, 4), (1, 4)])
def test_what_is_kept_is_what_a_gradient_reaches(k1, k2):
    known = {"numpy": numpy, "np": np, "autograd": autograd, "d2lutil": d2lutil}
    kept = function("truncated", "kept", rng=numpy.random.default_rng(0), **known)
    numpy.testing.assert_array_equal(kept(k1, k2, num_steps=STEPS), table(starts(k1, k2, 0)))


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_borders_follow_the_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        cell = page.locator(f"#{NAME} rect.empty").first.bounding_box()["width"] + 1.5
        x, y = centre(page, NAME, "border")
        move(page, (x, y), (x + 3 * cell, y + 2))
        assert state(page, NAME)["phase"] == 3
        x, y = centre(page, NAME, "back")
        move(page, (x, y), (x - 5 * cell, y + 2))
        assert (state(page, NAME)["k1"], state(page, NAME)["k2"]) == (4, 9)
        agree(state(page, NAME))
        assert visit.errors == []


def test_keys_and_buttons_take_one_number_along(visits):
    page = visits(PAGE)
    page.locator(f"#{NAME} [data-handle=back]").focus()
    page.keyboard.press("PageUp")
    assert (state(page, NAME)["k1"], state(page, NAME)["k2"]) == (4, 12)
    page.get_by_role("button", name="Chunks").click()
    assert (state(page, NAME)["k1"], state(page, NAME)["k2"]) == (12, 12)
    page.locator(f"#{NAME} [data-handle=border]").focus()
    page.keyboard.press("End")
    assert state(page, NAME)["phase"] == 11
    page.locator(f"#{NAME} [data-handle=back]").focus()
    page.keyboard.press("ArrowLeft")
    drawn = state(page, NAME)
    assert (drawn["k1"], drawn["k2"], drawn["phase"]) == (11, 11, 10)
    page.get_by_role("button", name="Window").click()
    drawn = state(page, NAME)
    assert (drawn["k1"], drawn["k2"], drawn["phase"]) == (1, 11, 0)
    slide(page, NAME, k1=12)
    assert (state(page, NAME)["k1"], state(page, NAME)["k2"]) == (12, 12)
    agree(state(page, NAME))
