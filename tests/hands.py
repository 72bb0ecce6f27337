"""Hands that move the figures that answer, and where such tests can run."""

import json
import sys

import numpy
import pytest
from browser import PAGES

pytestmark = [
    pytest.mark.skipif(not PAGES, reason="no built site: run `make book` first"),
    pytest.mark.skipif(
        sys.version_info < (3, 11), reason="an older theme on Python 3.10; the site is published from 3.12"
    ),
]


def state(page, name):
    return json.loads(page.locator(f"#{name} .live").get_attribute("data-state"))


def slide(page, name, **values):
    """Set sliders of a figure."""
    for slider, value in values.items():
        page.locator(f"#{name} [name={slider}]").fill(str(value))


def centre(page, name, key):
    """Return where on the screen the middle of a handle is."""
    target = page.locator(f"#{name} [data-handle={key}] .target")
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, start, stop):
    """Drag with the mouse."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*stop, steps=8)
    page.mouse.up()


def swipe(page, start, stop):
    """Drag with a finger."""
    session = page.context.new_cdp_session(page)
    points = numpy.linspace(start, stop, 9)
    for kind, point in zip(["touchStart"] + 8 * ["touchMove"], points, strict=True):
        touch = [{"x": float(point[0]), "y": float(point[1])}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touch})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def uniform(seed):
    """Generate the numbers of the base's ``random``: mulberry32."""
    whole = 2**32 - 1
    while True:
        seed = seed + 0x6D2B79F5 & whole
        mixed = (seed ^ seed >> 15) * (1 | seed) & whole
        mixed = (mixed + ((mixed ^ mixed >> 7) * (61 | mixed) & whole) & whole) ^ mixed
        yield (mixed ^ mixed >> 14) / 2**32
