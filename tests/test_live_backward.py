"""The backward pass that answers: its numbers are the example's; hand, keys and finger lead it back."""

import json

import numpy
import pytest
from browser import PHONE, ROOT, Visit
from hands import centre, drag, pytestmark, slide, state, swipe  # noqa: F401

from d2lutil import example

pytest_plugins = ["visits"]

PAGE, NAME = "book/backward.html", "fig-bw-graph"
F, J = example.step_derivatives()


def known(value):
    return [None if one is None else pytest.approx(one) for one in value]


def agree(page):
    """Compare the state with the package's example; return it."""
    drawn = state(page, NAME)
    steps, at, lit = drawn["steps"], drawn["at"], drawn["lit"]
    terms = example.terms()[:steps, :steps]
    delta = terms.sum(axis=0) / F[:steps]
    whole = {"F": F[:steps], "J": J[:steps], "e": example.responses()[:steps]}
    for key, value in whole.items():
        numpy.testing.assert_allclose(drawn[key], value, err_msg=key)
    # Each step uses three arrows: the loss's, that of the weight, and that to the state before.
    arrived = [[at > 3 * (steps - 1 - t) + k for t in range(steps)] for k in range(3)]
    for key, value, here in zip(
        ["delta", "received", "returned"],
        [delta, terms.sum(axis=0), delta * J[:steps]],
        arrived,
        strict=True,
    ):
        assert drawn[key] == known([one if there else None for one, there in zip(value, here, strict=True)])
    loss, use = numpy.nonzero(terms)
    assert drawn["paths"] == len(loss)
    assert drawn["done"] == numpy.count_nonzero(terms[:, arrived[1]])
    assert (
        drawn["walk"] == (loss - use + 2).sum()
    )  # one from the weight, one to the loss, one for each step between
    assert (drawn["arrows"], drawn["arrows"] * 1000 // steps) == (3 * steps, printed("arrows"))
    if lit is None:
        assert drawn["terms"] == []
    else:
        numpy.testing.assert_allclose(drawn["terms"], terms[lit:, lit])
        assert sum(drawn["terms"]) == pytest.approx(delta[lit] * F[lit])
    looks(page, drawn)
    return drawn


def printed(name):
    """Return a number that the chapter has put into its text."""
    cells = json.loads((ROOT / "book" / "backward.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    (found,) = [
        o["data"] for o in outputs if o.get("metadata", {}).get("scrapbook", {}).get("name") == name
    ]
    (text,) = found.values()
    return int(text.replace(",", ""))


def looks(page, drawn):
    """See that the drawing has the arrows, the paths and the blocks of its state."""
    figure = page.locator(f"#{NAME} .stage")
    assert figure.locator("polygon.back").count() == drawn["at"]
    assert figure.locator("polygon.forth").count() == drawn["arrows"] - drawn["at"]
    assert figure.locator("circle.state.known").count() == sum(one is not None for one in drawn["delta"])
    assert figure.locator(".path").count() == len(drawn["terms"]) == figure.locator(".block.lit").count()
    assert figure.locator(".block").count() == drawn["arrows"] + drawn["paths"]
    assert figure.locator(".block.done").count() == drawn["at"] + drawn["done"]


def test_the_backward_pass_is_the_packages_at_ten_settings(visits):
    page, rng = visits(PAGE), numpy.random.default_rng(14)
    assert agree(page)["at"] == 4
    for _ in range(10):
        steps = int(rng.integers(2, 7))
        slide(page, NAME, steps=steps)
        page.locator(f"#{NAME} [data-handle=w{rng.integers(1, steps + 1)}]").press("Enter")
        ring = page.locator(f"#{NAME} [data-handle=ring]")
        ring.press("End")
        for _ in range(rng.integers(0, 3 * steps)):
            ring.press("ArrowLeft")
        agree(page)


def test_the_last_arrow_leaves_the_gradient(visits):
    page = visits(PAGE)
    slide(page, NAME, steps=6)
    page.locator(f"#{NAME} [data-handle=ring]").press("Home")
    drawn = agree(page)
    assert sum(drawn["received"]) == pytest.approx(example.terms().sum())
    assert (drawn["arrows"], drawn["paths"], drawn["done"]) == (18, 21, 21)


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_the_backward_pass_follows_the_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        tap = page.touchscreen.tap if kind == "finger" else page.mouse.click
        x, y = centre(page, NAME, "ring")
        step = centre(page, NAME, "w2")[0] - centre(page, NAME, "w1")[0]
        x, y = centre(page, NAME, "ring")
        assert x == pytest.approx(centre(page, NAME, "w2")[0], abs=1)  # where δ₂ is complete
        move(page, (x, y), (x - step, y + 3))
        assert agree(page)["at"] == 7
        tap(*centre(page, NAME, "w1"))
        assert agree(page)["lit"] == 0
        tap(*centre(page, NAME, "w3"))
        assert agree(page)["lit"] == 2
        tap(*centre(page, NAME, "w3"))
        assert agree(page)["lit"] is None
        assert visit.errors == []


def test_the_backward_pass_says_what_arrives(visits):
    page = visits(PAGE)
    ring = page.locator(f"#{NAME} [data-handle=ring]")
    for key, heard in [
        ("End", "Nothing has gone back yet."),
        ("ArrowLeft", "δ₃ = e₃ = 2"),
        ("ArrowLeft", "w₃ receives δ₃ F₃ = 2 · 0.216 = 0.432"),
        ("ArrowLeft", "h₂ receives δ₃ J₃ = 2 · 0.45 = 0.9"),
        ("ArrowLeft", "δ₂ = e₂ + δ₃ J₃ = −1 + 0.9 = −0.1"),
        ("Home", "h₀ receives δ₁ J₁ = 0.92 · 0.8 = 0.736"),
    ]:
        ring.press(key)
        assert ring.get_attribute("aria-valuetext") == heard
        assert page.locator(f"#{NAME} text.event").text_content() == heard


def test_the_backward_pass_runs_by_itself(browser, site):
    with Visit(browser, f"{site}/{PAGE}") as visit:
        visit.page.emulate_media(reduced_motion="reduce")
        visit.page.get_by_role("button", name="Run back").click()
        assert agree(visit.page)["at"] == 9
