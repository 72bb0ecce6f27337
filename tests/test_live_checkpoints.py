"""Checkpoints: what the figure counts is what the chapter's ``recompute`` holds and runs."""

import numpy
import pytest
from browser import PHONE, Visit
from chapters import definition
from hands import centre, drag, pytestmark, slide, state, swipe  # noqa: F401

pytest_plugins = ["visits"]

PAGE, NAME = "book/full.html", "fig-full-recompute"


class Array:
    """A state that can be told from every other one."""

    def wait_to_read(self):
        pass


class Zeros:
    zeros_like = staticmethod(lambda h: Array())


def counted(steps, s):
    """Run the chapter's ``recompute`` in segments of s, with a network and a ``segment`` that only count.

    Returns how many arrays are in memory after each step, forward or backward, and the steps run forward.
    """
    kept, held, forward = [Array()], [], []

    def net(part, h):
        held.extend([len(kept)] * (len(part) - 1) + [len(kept) + 1])
        forward.extend(part)
        kept.append(Array())
        return None, kept[-1]

    def segment(net, X, Y, h, delta):
        assert h is kept[-1]
        rise = [len(kept) + k for k in range(len(X) + 1)]
        held.extend(rise[1:] + rise[-2::-1])
        forward.extend(X)
        kept.pop()
        return 0.0, Array()

    source, root = definition("full", "recompute"), "round(len(X) ** 0.5)"
    assert root in source
    known = {"segment": segment, "np": Zeros}
    exec(source.replace(root, str(s)), known)
    known["recompute"](net, range(steps), range(steps), kept[0])
    assert kept == []
    return held, len(forward)


def agree(drawn):
    steps, s = drawn["steps"], drawn["s"]
    held, forward = counted(steps, s)
    assert drawn["held"] == held
    assert (drawn["peak"], drawn["moment"]["held"]) == (max(held), held[drawn["now"]])
    assert (drawn["forward"], drawn["again"]) == (forward, forward - steps)
    assert drawn["work"] == drawn["times"][-1] == forward + 2 * steps
    assert drawn["curve"] == [max(counted(steps, length)[0]) for length in range(1, steps + 1)]
    assert drawn["curve"][drawn["best"] - 1] == drawn["least"] == min(drawn["curve"])
    for length in range(1, steps + 1):  # the chapter's T/s + c s, with one array a step: c = 1
        if steps % length == 0:
            assert drawn["curve"][length - 1] == steps / length + length


def test_arrays_and_steps_are_the_chapters_at_ten_settings(visits):
    page = visits(PAGE)
    rng = numpy.random.default_rng(8)
    for steps, s in [(16, 1), (64, 64), (64, 8), (256, 16), *rng.integers(16, 41, (6, 2))]:
        slide(page, NAME, steps=steps)
        slide(page, NAME, s=s)
        drawn = state(page, NAME)
        assert (drawn["steps"], drawn["s"]) == (steps, min(s, steps))
        assert drawn["now"] == drawn["held"].index(drawn["peak"])
        agree(drawn)
        if steps in (16, 64, 256):  # squares
            assert drawn["least"] == 2 * steps**0.5
            assert drawn["curve"][round(steps**0.5) - 1] == drawn["least"]
        assert page.locator(f"#{NAME} circle:not(.knob)").count() == steps


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_the_bar_and_the_moment_follow_the_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        circle = page.locator(f"#{NAME} circle:not(.knob)")
        x, y = centre(page, NAME, "s")
        best = circle.nth(7).bounding_box()
        move(page, (x, y), (best["x"] + best["width"] / 2, y + 1))
        drawn = state(page, NAME)
        assert (drawn["s"], drawn["peak"]) == (8, 16)
        agree(drawn)
        x, y = centre(page, NAME, "now")
        move(page, (x, y), (x - 40, y + 1))
        assert state(page, NAME)["now"] < drawn["now"]
        agree(state(page, NAME))
        assert visit.errors == []


def test_keys_move_both_and_run_ends_at_the_end(visits):
    page = visits(PAGE)
    page.locator(f"#{NAME} [data-handle=s]").focus()
    for key, s in [("ArrowLeft", 19), ("PageUp", 29), ("Home", 1), ("End", 64)]:
        page.keyboard.press(key)
        assert state(page, NAME)["s"] == s
    assert state(page, NAME)["again"] == 0
    page.locator(f"#{NAME} [data-handle=now]").focus()
    page.keyboard.press("Home")
    assert state(page, NAME)["moment"]["what"] == "forward, all kept"
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Run").click()
    drawn = state(page, NAME)
    assert drawn["now"] == len(drawn["held"]) - 1
    assert (drawn["moment"]["what"], drawn["moment"]["step"], drawn["moment"]["held"]) == ("backward", 0, 1)
