import itertools
import math
import re
from pathlib import Path

import matplotlib
import numpy
import pytest
from matplotlib import pyplot

import d2lutil
from d2lutil import figures

COVER = Path(__file__).parent.parent / "book" / "_static" / "cover.svg"
NUMBER = re.compile(r"-?\d+\.?\d*")
CLIP = re.compile(r"\bp[0-9a-f]{10}\b")  # a clip path's identifier: a hash of numbers that processors round


@pytest.fixture(autouse=True)
def backend():
    """Draw without a screen, change no defaults, leave no figure open."""
    with matplotlib.rc_context({"backend": "agg"}):
        yield
    pyplot.close("all")


def names(figure):
    """Return the names of the boxes and arrows of a partition figure."""
    return sorted(patch.get_gid() for patch in figure.axes[0].patches)


def expected(schemes):
    """Return the names that the segments of schemes ask for."""
    parts = [(name, *part) for name, xi in schemes.items() for part in d2lutil.segments(xi)]
    boxes = [f"box-{name}-{start}-{stop}" for name, start, stop in parts]
    arrows = [f"arrow-{name}-{start}-{stop}" for name, start, stop in parts if stop - start > 1]
    return sorted(boxes + arrows)


def named(svg):
    """Return an SVG whose clip paths are named in the order in which they come."""
    order = dict.fromkeys(CLIP.findall(svg))
    order = {name: f"clip{number}" for number, name in enumerate(order)}
    return CLIP.sub(lambda found: order[found[0]], svg)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_reach_is_the_product_of_the_weights_between():
    xi = numpy.random.default_rng(0).uniform(0, 2, 9)
    xi[4] = 0
    weight = d2lutil.reach(xi)
    for t in range(9):
        for i in range(9):
            assert weight[t, i] == pytest.approx(math.prod(xi[i + 1 : t + 1]) if i <= t else 0)


def test_reach_of_regular_chunks_is_a_block_of_ones_each():
    weight = d2lutil.reach(d2lutil.regular(6, 3))
    block = numpy.tril(numpy.ones((3, 3)))
    numpy.testing.assert_array_equal(weight, numpy.kron(numpy.eye(2), block))


def test_reach_of_a_random_scheme_has_mean_one():
    rng = numpy.random.default_rng(1)
    draws = [d2lutil.reach(d2lutil.randomized(4, 0.5, rng=rng)) for _ in range(4000)]
    assert abs(numpy.mean(draws, axis=0) - numpy.tril(numpy.ones((4, 4)))).max() < 0.2


def test_reach_is_what_the_gradient_feels():
    """In h_t = h_{t-1} + w x_t with gate ξ_t, d h_t/d w is the row of reach times the inputs."""
    xi, x = numpy.array([1, 0.5, 2, 0, 3]), numpy.arange(1.0, 6)
    z, rows = 0.0, []
    for t in range(5):
        z = x[t] + xi[t] * z
        rows.append(z)
    numpy.testing.assert_allclose(d2lutil.reach(xi) @ x, rows)


def test_partition_has_a_box_a_segment_and_an_arrow_for_each_longer_than_one_step():
    schemes = {"randomized": [0, 2, 0, 0, 2, 2], "regular": d2lutil.regular(6, 3), "full": d2lutil.full(6)}
    figure = d2lutil.partition("abcdef", schemes)
    assert names(figure) == expected(schemes)
    assert [text for text in texts(figure) if text in schemes] == list(schemes)


def test_partition_writes_the_characters_and_the_weight_at_the_head():
    figure = d2lutil.partition("abcd", {"mine": [0, 1.5, 2, 1]}, {"mine": "a note"})
    assert [text for text in texts(figure) if len(text) == 1] == list("abcd")
    assert "×3" in texts(figure)
    assert "a note" in texts(figure)


def test_the_arrow_is_as_wide_as_the_weight():
    figure = d2lutil.partition("abcdef", {"a": [0, 1, 2, 1, 1, 1]})
    arrow = next(patch for patch in figure.axes[0].patches if patch.get_gid() == "arrow-a-0-6")
    outline = arrow.get_xy()
    width = {x: numpy.ptp(outline[outline[:, 0] == x, 1]) for x in (1.5, 2.5, 3.5)}
    assert width[1.5] == pytest.approx(2 * width[2.5])
    assert width[2.5] == pytest.approx(width[3.5])


def test_long_segments_and_large_weights_stay_inside_their_row():
    figure = d2lutil.partition("x" * 40, {"a": [0] + [2] * 39, "b": d2lutil.full(40)})
    arrow = next(patch for patch in figure.axes[0].patches if patch.get_gid() == "arrow-a-0-40")
    assert numpy.ptp(arrow.get_xy()[:, 1]) < figures.ARROW


def test_reach_map_has_a_panel_a_scheme_and_one_scale():
    xi = {"regular": d2lutil.regular(8, 4), "randomized": [0, 3, 3, 0, 3, 3, 3, 0]}
    panels = d2lutil.reach_map(xi).axes[:2]
    assert [panel.get_title() for panel in panels] == list(xi)
    assert {panel.images[0].get_clim() for panel in panels} == {(1, 27)}
    shown = panels[1].images[0].get_array()
    numpy.testing.assert_array_equal(shown.filled(0), d2lutil.reach(xi["randomized"]))


@pytest.mark.parametrize("draw", [d2lutil.reach_map, lambda schemes: d2lutil.partition("abc", schemes)])
@pytest.mark.parametrize(
    ("schemes", "error", "message"),
    [
        ({}, TypeError, r"schemes=\{\}; allowed: a dict of names to weights"),
        ([[0, 1, 1]], TypeError, "schemes=.*; allowed: a dict of names to weights"),
        ({"a": [0, 1, 1], "b": [0, 1]}, ValueError, r"xi has shape \(2,\); allowed: \(3,\)"),
        ({"a": [0, -1, 1]}, ValueError, r"xi\[1\]=-1.0; allowed: finite numbers >= 0"),
        ({"a": "abc"}, TypeError, "allowed for xi: a sequence of numbers; given 'abc'"),
    ],
)
def test_bad_schemes(draw, schemes, error, message):
    with pytest.raises(error, match=message):
        draw(schemes)


@pytest.mark.parametrize("draw", [d2lutil.reach_map, lambda s: d2lutil.partition("x" * 9, s)])
@pytest.mark.parametrize("weights", [[1e200] * 9, [1e200] * 4 + [0] * 5])
def test_a_scheme_whose_products_overflow_is_named(draw, weights):
    with pytest.raises(ValueError, match=r"schemes\['large'\] has products beyond float64; allowed"):
        draw({"full": d2lutil.full(9), "large": weights})


@pytest.mark.parametrize("text", ["", "a", 7, None])
def test_bad_text(text):
    with pytest.raises(ValueError, match=r"text=.*; allowed: a string of at least two characters"):
        d2lutil.partition(text, {"full": [1]})


def test_a_text_and_a_scheme_of_different_lengths():
    with pytest.raises(ValueError, match=r"xi has shape \(3,\); allowed: \(4,\)"):
        d2lutil.partition("abcd", {"full": d2lutil.full(3)})


def test_a_note_for_a_scheme_that_is_not_there():
    with pytest.raises(ValueError, match="notes names 'fall'; allowed: full"):
        d2lutil.partition("abc", {"full": d2lutil.full(3)}, {"fall": "never cut"})


def test_the_cover_leaves_the_defaults_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    figures.cover(tmp_path / "cover.svg")
    assert dict(matplotlib.rcParams) == before


def test_the_committed_cover_is_drawn_from_the_schemes_own_weights():
    drawn = re.findall(r'id="((?:box|arrow)-[a-z-]+-\d+-\d+)"', COVER.read_text(encoding="utf-8"))
    schemes, _ = figures.cover_schemes()
    assert list(schemes) == ["randomized", "regular", "full"]
    assert sorted(drawn) == expected(schemes)


def test_the_committed_cover_is_what_the_function_draws(tmp_path):
    committed = COVER.read_text(encoding="utf-8")
    if f"Matplotlib v{matplotlib.__version__}," not in committed:
        pytest.skip("drawn by another matplotlib")
    figures.cover(tmp_path / "cover.svg")
    fresh = (tmp_path / "cover.svg").read_text(encoding="utf-8")
    fresh, committed = (named(svg) for svg in (fresh, committed))
    assert NUMBER.sub("#", fresh) == NUMBER.sub("#", committed)
    a, b = (numpy.array(NUMBER.findall(svg), dtype=float) for svg in (fresh, committed))
    numpy.testing.assert_allclose(a, b, atol=1e-3)


# How a deuteranope sees linear red, green and blue: Machado, Oliveira and Fernandes (2009), full severity.
DEUTERANOPE = numpy.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
XYZ = numpy.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen(color):
    """Return CIE L*a*b* of a colour as a deuteranope sees it."""
    rgb = numpy.array(matplotlib.colors.to_rgb(color))
    linear = numpy.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = numpy.cbrt(XYZ @ numpy.clip(DEUTERANOPE @ linear, 0, 1) / (0.9505, 1, 1.089))
    return numpy.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_schemes_are_told_apart_without_green():
    """The main three by their colours; all others by their lines as well."""
    colours = list(d2lutil.COLORS.values())
    distances = {
        (a, b): numpy.linalg.norm(seen(colours[a]) - seen(colours[b]))
        for a, b in itertools.combinations(range(len(colours)), 2)
    }
    assert min(distances[a, b] for a, b in distances if b < 3) > 30
    assert min(distances.values()) > 15
    with matplotlib.rc_context():
        figures.use_style()
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    assert cycle["color"] == colours
    assert len({str(line) for line in cycle["linestyle"]}) == len(colours)
