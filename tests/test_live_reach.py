"""Reach over text: rows are those of the data (test_reach.py); hand, keys and finger choose a letter."""

import numpy
import pytest
from browser import PHONE, Visit
from hands import pytestmark, slide, state  # noqa: F401
from test_reach import STEPS, reach, table

pytest_plugins = ["visits"]

PAGE, NAME = "book/gates.html", "fig-ga-influence"


def agree(drawn):
    t = drawn["t"]
    for kind in reach.KINDS:
        for stage in reach.STAGES:
            numpy.testing.assert_allclose(drawn[kind][stage], table(kind, stage)[t, : t + 1], rtol=1e-9)


def test_rows_are_the_files_at_ten_letters(visits):
    page = visits(PAGE)
    rng = numpy.random.default_rng(15)
    for t in (0, STEPS - 1, *rng.integers(1, STEPS - 1, 8).tolist()):
        slide(page, NAME, t=t)
        assert state(page, NAME)["t"] == t
        agree(state(page, NAME))
        assert page.locator(f"#{NAME} rect.kept").count() == 4 * (t + 1)


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_a_letter_is_chosen_by_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page = visit.page
        tap = page.touchscreen.tap if kind == "finger" else page.mouse.click
        for k, t in [(0, 30), (1, 13), (2, 64), (3, 0)]:  # in the line of each network
            letter = page.locator(f"#{NAME} text.letter").nth(k * STEPS + t)
            letter.scroll_into_view_if_needed()
            box = letter.bounding_box()
            tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            assert state(page, NAME)["t"] == t
            agree(state(page, NAME))
        assert visit.errors == []


def test_a_letter_is_chosen_by_keys(visits):
    page = visits(PAGE)
    handle = page.locator(f"#{NAME} [data-handle=letter]")
    handle.focus()
    for key, t in [("Home", 0), ("ArrowRight", 1), ("PageUp", 11), ("ArrowLeft", 10), ("End", 64)]:
        page.keyboard.press(key)
        assert state(page, NAME)["t"] == t
        assert handle.get_attribute("aria-valuenow") == str(t)
    assert handle.get_attribute("aria-valuetext") == "65, “e”"
    assert state(page, NAME)["text"] == reach.LINE
