"""The drawing of the triangle: its cells, numbers, sums and outlines, and what it refuses."""

import matplotlib
import numpy
import pytest
from matplotlib import pyplot
from matplotlib.patches import Rectangle

import d2lutil
from d2lutil import example, triangles

TERMS = example.terms()


@pytest.fixture(autouse=True)
def backend():
    with matplotlib.rc_context({"backend": "agg"}):
        yield
    pyplot.close("all")


def cells(ax):
    return {patch.get_gid(): patch for patch in ax.patches if isinstance(patch, Rectangle)}


def sums(ax, kind):
    return {text.get_gid(): text.get_text() for text in ax.texts if kind in str(text.get_gid())}


def test_a_cell_for_each_pair_and_its_number():
    (ax,) = d2lutil.triangle(TERMS).axes
    assert set(cells(ax)) == {f"cell-{t}-{i}" for t in range(6) for i in range(t + 1)}
    shown = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(shown) == 21
    assert shown[1, 6] == f"{TERMS[5, 0]:.2f}"
    assert shown[6, 6] == "−0.38"
    assert ax.get_title() == ""


def test_a_scheme_keeps_weighs_and_cuts():
    xi = [0, 2, 1, 0, 1, 1]
    full, cut = d2lutil.triangle(TERMS, {"full": numpy.ones(6), "randomized": xi}).axes
    assert len(full.texts) == 21
    assert {text.get_position(): text.get_text() for text in cut.texts}[1, 3] == f"{2 * TERMS[2, 0]:.2f}"
    assert len(cut.texts) == numpy.count_nonzero(d2lutil.reach(xi))
    assert cells(cut)["cell-5-0"].get_facecolor()[3] == 0
    assert [ax.get_title() for ax in (full, cut)] == ["full", "randomized"]


def test_a_mask_is_a_scheme_too():
    window = numpy.tri(6) - numpy.tri(6, k=-2)
    (ax,) = d2lutil.triangle(TERMS, {"sliding window": window}).axes
    assert len(ax.texts) == 6 + 5


def test_sums_stand_beside_rows_and_below_columns():
    (ax,) = d2lutil.triangle(TERMS, rows=True, columns=True).axes
    expected = [f"{total:.2f}".replace("-", "−") for total in TERMS.sum(axis=1)]
    assert list(sums(ax, "row").values()) == expected
    assert sums(ax, "column")["column-2"] == f"{TERMS[:, 2].sum():.2f}"


def test_larger_terms_are_darker_and_negative_ones_hatched():
    (ax,) = d2lutil.triangle(TERMS).axes
    found = cells(ax)
    shades = {name: patch.get_facecolor()[3] for name, patch in found.items()}
    largest = max(shades, key=shades.get)
    t, i = numpy.unravel_index(abs(TERMS).argmax(), TERMS.shape)
    assert largest == f"cell-{t}-{i}"
    hatched = {name for name, patch in found.items() if patch.get_hatch()}
    assert hatched == {f"cell-{t}-{i}" for t, i in zip(*numpy.nonzero(TERMS < 0), strict=True)}


def test_many_steps_have_no_numbers_and_shades_by_decade():
    T = 12
    terms = numpy.tril(0.1 ** numpy.subtract.outer(numpy.arange(T), numpy.arange(T)).clip(0))
    (ax,) = d2lutil.triangle(terms).axes
    assert not ax.texts
    assert all(cell.get_rasterized() for cell in cells(ax).values())  # else an SVG of 40 steps has 600 kB
    shades = [cells(ax)[f"cell-{t}-0"].get_facecolor()[3] for t in range(T)]
    numpy.testing.assert_allclose(numpy.diff(shades[:7]), numpy.diff(shades)[0])
    assert shades[8] == shades[7] == triangles.FAINTEST


def test_schemes_differ_in_colour_and_in_line():
    schemes = {name: numpy.ones(6) for name in d2lutil.COLORS}
    lines = [
        next(c for c in ax.collections if c.get_gid() == "outline")
        for ax in d2lutil.triangle(TERMS, schemes).axes
    ]
    assert len({str(line.get_linestyle()) for line in lines}) == len(schemes)
    assert len({str(line.get_color()) for line in lines}) == len(schemes)


def test_the_outline_separates_kept_cells_from_others():
    kept = numpy.array([[True, False], [False, True]])
    lines = {tuple(sorted(map(tuple, line))) for line in triangles._outline(kept)}
    assert ((0.5, 0.5), (1.5, 0.5)) in lines
    assert sum(abs(b[0] - a[0]) + abs(b[1] - a[1]) for a, b in lines) == 8


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((numpy.ones((2, 3)),), ValueError, r"terms has shape \(2, 3\); allowed"),
        ((numpy.ones((2, 2)),), ValueError, "0 above the diagonal"),
        (([["a"]],), TypeError, "terms=.*allowed: an array of numbers"),
        (([[numpy.nan]],), ValueError, "finite"),
        ((TERMS, {}), TypeError, "schemes=.*at least one"),
        ((TERMS, {"full": [1, 1]}), ValueError, "schemes.'full'. has 2 steps; allowed: 6"),
        ((TERMS, {"full": [1, -1] * 3}), ValueError, "xi"),
    ],
)
def test_what_it_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        d2lutil.triangle(*arguments)
    assert not pyplot.get_fignums()


def test_complex_terms_are_refused():
    with pytest.raises(TypeError, match="allowed: an array of numbers"):
        triangles.triangle(TERMS * (1 + 1j))
