"""The triangle that answers: its state and its drawing are the package's; hand, keys and finger move it."""

import itertools
import re

import matplotlib
import numpy
import pytest
from browser import PHONE, Visit
from hands import centre, drag, pytestmark, slide, state, swipe, uniform  # noqa: F401
from matplotlib import pyplot

import d2lutil
from d2lutil import example

pytest_plugins = ["visits"]

PLACES = [("book/recursion.html", "fig-re-loss"), ("book/backward.html", "fig-bw-triangle")]
PAGE, NAME = PLACES[0]
SCHEMES = ["full", "regular", "sliding window", "randomized"]


@pytest.fixture(autouse=True)
def backend():
    with matplotlib.rc_context({"backend": "agg"}):
        yield
    pyplot.close("all")


def keep(page, name, scheme):
    page.locator(f"#{name} [name=scheme]").select_option(scheme)


def expected_weights(drawn):
    """Return ξ and the weights of the cells, as the package has them for the figure's setting."""
    if drawn["scheme"] == "sliding window":
        return numpy.ones(6), numpy.tri(6) - numpy.tri(6, k=-drawn["tau"])
    xi = {
        "full": d2lutil.full(6),
        "regular": d2lutil.regular(6, drawn["tau"]),
        "randomized": numpy.where(numpy.array(drawn["uniform"]) < drawn["pi"], 1 / drawn["pi"], 0),
    }[drawn["scheme"]]
    return xi, d2lutil.reach(xi)


def agree(page, name, monkeypatch):
    """Compare state and drawing with the package's; return the state."""
    drawn = state(page, name)
    w = drawn["w"]
    monkeypatch.setattr(example, "x", numpy.array(drawn["x"]))
    F, J = example.step_derivatives(w)
    xi, weights = expected_weights(drawn)
    terms = example.terms(w=w)
    cells = terms * weights
    if drawn["scheme"] != "sliding window":
        numpy.testing.assert_allclose(cells, example.terms(xi, w=w))
    expected = {"h": example.states(w), "F": F, "J": J, "e": example.responses(w), "xi": xi}
    expected |= {"terms": terms, "weights": weights, "cells": cells, "rows": cells.sum(axis=1)}
    expected |= {"columns": cells.sum(axis=0), "whole": terms.sum(), "sum": cells.sum()}
    expected["error"] = cells.sum() - terms.sum()
    for key, value in expected.items():
        numpy.testing.assert_allclose(drawn[key], value, atol=1e-12, err_msg=key)
    draws = possible(terms, drawn["pi"]) if drawn["scheme"] == "randomized" else []
    shown = sorted((draw["sum"], draw["share"]) for draw in drawn["draws"])
    numpy.testing.assert_allclose(shown, draws, atol=1e-12)
    looks(page, name, drawn, terms, weights)
    return drawn


def possible(terms, pi):
    """Return the sum and the probability of all draws of the five cuts; their mean is the whole sum."""
    draws = []
    for cuts in itertools.product([0, 1], repeat=5):
        xi = numpy.where([0, *cuts], 0, 1 / pi)
        share = numpy.prod(numpy.where(cuts, 1 - pi, pi))
        draws.append(((terms * d2lutil.reach(xi)).sum(), share))
    numpy.testing.assert_allclose(sum(total * share for total, share in draws), terms.sum())
    return sorted(draws)


def numbers(texts):
    return [float(text.replace("−", "-")) for text in texts]


def looks(page, name, drawn, terms, weights):
    """Compare numbers and outline of the drawing with those of the static one."""
    (ax,) = d2lutil.triangle(terms, {drawn["scheme"]: weights}, rows=True, columns=True).axes
    figure = page.locator(f"#{name} .stage")
    kept = [text.get_text() for text in ax.texts if text.get_gid() is None and text.get_text() != "sum"]
    shown = figure.locator("text.term:not(.cut)").all_text_contents()
    numpy.testing.assert_allclose(numbers(shown), numbers(kept), rtol=0.006)
    gids = {text.get_gid(): text.get_text() for text in ax.texts}
    sums = [gids[f"{kind}-{k}"] for k in range(6) for kind in ("row", "column")]
    shown = figure.locator("text.sum").all_text_contents()
    numpy.testing.assert_allclose(numbers(shown), numbers(sums), rtol=0.006)
    (static,) = [lines.get_segments() for lines in ax.collections if lines.get_gid() == "outline"]
    first = figure.locator("rect.cell").first
    x, y, side = (float(first.get_attribute(key)) for key in ("x", "y", "width"))
    path = figure.locator("path.outline").get_attribute("d")
    points = numpy.array(re.findall(r"[\d.]+", path), dtype=float).reshape(-1, 2, 2)
    live = (points - [x, y]) / side + 0.5
    assert sorted(live.round(6).tolist()) == sorted(numpy.round(static, 6).tolist())
    assert figure.locator(f"g.scheme-{drawn['scheme'].replace(' ', '-')} path.outline").count() == 1


@pytest.mark.parametrize(("page", "name"), PLACES)
def test_the_triangle_starts_with_the_example(page, name, visits, monkeypatch):
    opened = visits(page)
    numpy.testing.assert_allclose(state(opened, name)["x"], example.x)
    drawn = agree(opened, name, monkeypatch)
    assert drawn["w"] == example.w
    assert drawn["sum"] == pytest.approx(1.431552)


def test_the_triangle_is_the_packages_at_ten_settings(visits, monkeypatch):
    page, rng = visits(PAGE), numpy.random.default_rng(14)
    for scheme in 2 * [*SCHEMES, "randomized"]:
        keep(page, NAME, scheme)
        slide(page, NAME, w=round(0.05 * int(rng.integers(1, 41)), 2))
        if scheme != "full":
            slide(page, NAME, tau=int(rng.integers(2, 7)))
        before, (x, y) = state(page, NAME)["x"], centre(page, NAME, f"x{rng.integers(1, 7)}")
        drag(page, (x, y), (x, y + rng.choice([-40, -20, 20, 40])))
        drawn = agree(page, NAME, monkeypatch)
        assert drawn["x"] != before
        assert drawn["scheme"] == scheme
        said = page.locator(f"#{NAME} .says")
        part = f"{drawn['sum']:.2f}".replace("-", "−")
        page.wait_for_function(
            "([said, part]) => said.innerText.includes(part)", arg=[said.element_handle(), part]
        )


def test_the_triangle_draws_what_the_package_draws(visits, monkeypatch):
    page = visits(PAGE)
    keep(page, NAME, "randomized")
    for length in (2, 3, 6):
        slide(page, NAME, tau=length)
        xi = d2lutil.randomized(6, 1 - 1 / length, rng=numpy.random.default_rng(3))
        numpy.testing.assert_allclose(agree(page, NAME, monkeypatch)["xi"], xi)
    for draw in (1, 2):
        page.get_by_role("button", name="Draw again").click()
        assert agree(page, NAME, monkeypatch)["uniform"] == list(itertools.islice(uniform(-draw), 6))


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_the_triangle_follows_the_hand(kind, browser, site, monkeypatch):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        tap = page.touchscreen.tap if kind == "finger" else page.mouse.click
        inputs = state(page, NAME)["x"]
        x, y = centre(page, NAME, "x3")
        top = page.evaluate("scrollY")
        move(page, (x, y), (x + 4, y - 20))  # of 66 pixels for 4
        drawn = agree(page, NAME, monkeypatch)
        assert drawn["x"][2] == pytest.approx(inputs[2] + 20 * 4 / 66, abs=0.07)
        assert page.evaluate("scrollY") == top
        numpy.testing.assert_array_equal(numpy.delete(drawn["x"], 2), numpy.delete(inputs, 2))
        keep(page, NAME, "randomized")
        before = agree(page, NAME, monkeypatch)["xi"]
        tap(*centre(page, NAME, "cut5"))
        after = agree(page, NAME, monkeypatch)["xi"]
        assert (before[4] > 0, after[4]) == (True, 0)
        assert numpy.delete(after, 4).tolist() == numpy.delete(before, 4).tolist()
        tap(*centre(page, NAME, "cut5"))
        assert agree(page, NAME, monkeypatch)["xi"] == before
        page.get_by_role("button", name="Reset").click()
        assert state(page, NAME)["x"] == inputs
        assert visit.errors == []


def test_the_triangle_follows_the_keys(visits, monkeypatch):
    page = visits(PAGE)
    page.locator(f"#{NAME} [data-handle=x1]").focus()
    for key, x in [("End", 2), ("ArrowDown", 1.95), ("PageDown", 1.45), ("Home", -2), ("ArrowUp", -1.95)]:
        page.keyboard.press(key)
        drawn = agree(page, NAME, monkeypatch)
        assert drawn["x"][0] == pytest.approx(x)
        spoken = page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
        assert numbers(re.findall(r"−?[\d.]+", spoken)) == pytest.approx([x, drawn["h"][1]], abs=0.006)
    keep(page, NAME, "randomized")
    page.locator(f"#{NAME} [data-handle=cut3]").focus()
    assert page.locator(f"#{NAME} [data-handle=cut3]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Enter")
    assert page.locator(f"#{NAME} [data-handle=cut3]").get_attribute("aria-pressed") == "false"
    assert all(agree(page, NAME, monkeypatch)["xi"][1:])


def test_controls_stand_where_they_act(visits):
    page = visits(PAGE)
    shown = {}
    for scheme in SCHEMES:
        keep(page, NAME, scheme)
        length, again = page.locator(f"#{NAME} [name=tau]"), page.get_by_role("button", name="Draw again")
        shown[scheme] = (length.is_visible(), again.is_visible())
    assert list(shown.values()) == [(False, False), (True, False), (True, False), (True, True)]
