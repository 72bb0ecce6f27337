"""The butterfly: paths, distance, gradient and exponents are the package's; hand, keys, finger move it."""

import itertools

import numpy
import pytest
from browser import PHONE, Visit
from hands import centre, drag, pytestmark, slide, state, swipe, uniform  # noqa: F401
from mxnet import np

import d2lutil

pytest_plugins = ["visits"]

PAGE, NAME = "book/stability.html", "fig-st-butterfly"
UNITS, STEPS = 16, 100
RADII, STRENGTHS = numpy.arange(5, 31) / 10, numpy.arange(11) / 10
TOKENS = numpy.arange(STEPS)
norm = numpy.linalg.norm


def drawn():
    """Draw the matrix of radius 1, the first state, the direction and the inputs as the figure does."""
    numbers = uniform(11)

    def draw(*shape):
        count = int(numpy.prod(shape))
        return 2 * numpy.array(list(itertools.islice(numbers, count))).reshape(shape) - 1

    W, start, direction, inputs = draw(UNITS, UNITS), draw(UNITS), draw(UNITS), draw(STEPS, UNITS)
    return W / abs(numpy.linalg.eigvals(W)).max(), start, direction / norm(direction), inputs * 3**0.5


W, START, DIRECTION, INPUTS = drawn()


@pytest.fixture(scope="module")
def net():
    """Return a network that reads the input of step t as token t."""
    net = d2lutil.RNN(STEPS, UNITS)
    net.initialize()
    net.cast("float64")
    net.b_h.set_data(np.zeros(UNITS, dtype="float64"))
    return net


def tune(net, radius, strength):
    net.W_hh.set_data(np.array(radius * W, dtype="float64"))
    net.W_xh.set_data(np.array(strength * INPUTS, dtype="float64"))


def growth(J):
    """Return the exponent of a change of the first state, and the norms of a gradient that goes back."""
    v, logs, delta, norms = DIRECTION, [], DIRECTION, [1.0]
    for J_t in J:
        v = v @ J_t.T
        logs.append(numpy.log(norm(v)))
        v = v / norm(v)
    for J_t in J[::-1]:
        delta = delta @ J_t
        norms.append(norm(delta))
    return numpy.mean(logs), numpy.array(norms[::-1])


def row(h):
    return np.array(h, dtype="float64").reshape(-1, UNITS)


def agree(shown, net):
    """Compare the figure with the package, from its own states, since chaos multiplies round-off."""
    tune(net, shown["radius"], shown["strength"])
    one, other = numpy.array(shown["paths"])
    assert one.shape == (STEPS + 1, UNITS)
    numpy.testing.assert_array_equal(one[0], START)
    numpy.testing.assert_allclose(other[0] - one[0], 1e-6 * DIRECTION, atol=1e-16)
    for path in (one, other):
        _, following = net(np.array(TOKENS[None]), row(path[:-1]))
        numpy.testing.assert_allclose(following.asnumpy(), path[1:], rtol=0, atol=1e-13)
    numpy.testing.assert_allclose(
        shown["distance"], numpy.maximum(1e-15, norm(one - other, axis=1)), rtol=1e-9, atol=1e-16
    )
    J = [d2lutil.jacobians(net, TOKENS[t : t + 1, None], row(one[t]))[0] for t in range(STEPS)]
    exponent, gradient = growth(J)
    numpy.testing.assert_allclose(shown["exponent"], exponent, rtol=1e-9, atol=1e-12)
    numpy.testing.assert_allclose(shown["gradient"], gradient, rtol=1e-9)
    shaded = shown["exponents"][round(10 * shown["strength"])][round(10 * shown["radius"]) - 5]
    assert shaded == shown["exponent"]


def test_butterfly_is_the_packages_at_ten_settings(visits, net):
    page = visits(PAGE)
    agree(state(page, NAME), net)
    rng = numpy.random.default_rng(4)
    settings = [(0.5, 0), (3, 1), *zip(rng.choice(RADII, 8), rng.choice(STRENGTHS, 8), strict=True)]
    for radius, strength in settings:
        slide(page, NAME, radius=radius, strength=strength)
        shown = state(page, NAME)
        assert (shown["radius"], shown["strength"]) == (radius, strength)
        agree(shown, net)


def test_butterfly_shades_where_paths_part_and_gradients_grow_there(visits, net):
    page = visits(PAGE)
    exponents = numpy.array(state(page, NAME)["exponents"])
    expected, back = numpy.empty((2, len(STRENGTHS), len(RADII)))
    for (s, strength), (r, radius) in itertools.product(enumerate(STRENGTHS), enumerate(RADII)):
        tune(net, radius, strength)
        expected[s, r], gradient = growth(d2lutil.jacobians(net, TOKENS[:, None], row(START)))
        back[s, r] = numpy.log(gradient[0]) / STEPS
    # Round-off of 1e-16 grows like everything else, here by e to the 31 at most.
    numpy.testing.assert_allclose(exponents, expected, rtol=0, atol=1e-3)
    assert page.locator(f"#{NAME} .shade").count() == (exponents > 0).sum()
    clear = abs(expected) > 0.1
    assert clear.mean() > 0.6
    numpy.testing.assert_array_equal(numpy.sign(back[clear]), numpy.sign(expected[clear]))


def at(page):
    shown = state(page, NAME)
    return shown["radius"], shown["strength"]


def pixels(page):
    """Return how many pixels a step of the radius is wide, and one of the strength is high."""
    frame = page.locator(f"#{NAME} .frame")
    box = frame.evaluate("frame => [frame.width, frame.height].map(one => one.baseVal.value)")
    return box[0] / len(RADII), box[1] / len(STRENGTHS)


@pytest.mark.parametrize("kind", ["mouse", "finger"])
def test_butterfly_follows_the_hand(kind, browser, site):
    options = {"viewport": PHONE, "touch": True} if kind == "finger" else {}
    with Visit(browser, f"{site}/{PAGE}", **options) as visit:
        page, move = visit.page, swipe if kind == "finger" else drag
        assert at(page) == (2.4, 0.2)
        x, y = centre(page, NAME, "network")
        scrolled = page.evaluate("scrollY")
        across, up = pixels(page)
        move(page, (x, y), (x - 6 * across, y - 3 * up))
        assert at(page) == (1.8, 0.5)
        assert page.evaluate("scrollY") == scrolled
        x, y = centre(page, NAME, "network")
        move(page, (x, y), (x + 40 * across, y + 40 * up))
        assert at(page) == (3, 0)
        assert visit.errors == []


def test_butterfly_follows_the_keys(visits):
    page = visits(PAGE)
    page.locator(f"#{NAME} [data-handle=network]").focus()
    for key, place in [
        ("ArrowLeft", (2.3, 0.2)),
        ("ArrowUp", (2.3, 0.3)),
        ("PageUp", (2.3, 1)),
        ("ArrowDown", (2.3, 0.9)),
        ("Home", (0.5, 0.9)),
        ("ArrowRight", (0.6, 0.9)),
        ("End", (3, 0.9)),
    ]:
        page.keyboard.press(key)
        assert at(page) == place
    said = page.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    assert said == f"radius 3, inputs 0.9: λ = +{state(page, NAME)['exponent']:.2f}"
