"""The fast passes compute what the definition says, whatever the arrays, sizes, types and cells."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import d2lutil
from d2lutil import gradient
from d2lutil.fast import products, strands
from d2lutil.fast.kernels import KERNELS

GATES = {"tanh": 1, "gru": 3, "lstm": 4}
TOLERANCE = {"float32": 2e-4, "float64": 1e-10}


@st.composite
def problems(draw):
    """Return a cell, its parameters and state, a text, and the three arrays, as a seed draws them."""
    cell = draw(st.sampled_from(sorted(GATES)))
    dtype = draw(st.sampled_from(sorted(TOLERANCE)))
    num_steps, batch_size = draw(st.integers(1, 40)), draw(st.integers(1, 9))
    num_hiddens, vocab_size = draw(st.sampled_from([1, 3, 16, 64])), draw(st.integers(1, 5))
    density = draw(st.sampled_from([0, 0.05, 0.3, 1]))
    shared, with_begins, weighted = (draw(st.booleans()) for _ in range(3))
    rng = numpy.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, g = num_hiddens, GATES[cell]
    shapes = [(vocab_size, g * n), (n, g * n), (g * n,)] + [(n,)] * (cell == "gru")
    shapes += [(n, vocab_size), (vocab_size,)]
    params = [(rng.normal(size=shape) * n**-0.5).astype(dtype) for shape in shapes]
    state = [rng.uniform(-1, 1, (batch_size, n)).astype(dtype) for _ in range(1 + (cell == "lstm"))]
    X, Y = rng.integers(vocab_size, size=(2, num_steps, batch_size))
    shape = (num_steps,) if shared else (num_steps, batch_size)
    xi = rng.choice([1, 0.5, 1.5], size=shape)
    xi[rng.random(shape) < density] = 0
    begins = rng.random((num_steps, batch_size)) < 0.2 if with_begins else None
    weights = rng.choice([0, 1, 0.3], size=(num_steps, batch_size)) if weighted else None
    return cell, params, X, Y, state, xi, begins, weights


@pytest.mark.parametrize(("states", "rows"), [(4096, 1024), (7, 3), (1, 1)])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(problem=problems())
def test_strands_equal_the_definition(states, rows, problem):
    cell, params, X, Y, state, xi, begins, weights = problem
    whole = numpy.broadcast_to(xi if xi.ndim == 2 else xi[:, None], X.shape)
    defined = gradient.backward(
        cell,
        [p.astype("float64") for p in params],
        X,
        Y,
        [s.astype("float64") for s in state],
        whole,
        numpy.zeros(X.shape, bool) if begins is None else begins,
        numpy.ones(X.shape) if weights is None else weights,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strands, "STATES_AT_ONCE", states)
        patch.setattr(strands, "ROWS_AT_ONCE", rows)
        loss, gradients, last = strands.run(KERNELS[cell](params), params, X, Y, state, xi, begins, weights)
    tolerance = TOLERANCE[params[0].dtype.name]
    assert loss == pytest.approx(defined[0], rel=tolerance, abs=tolerance)
    for fast, exact in zip([*gradients, *last], [*defined[1], *defined[2]], strict=True):
        assert fast.dtype == params[0].dtype
        assert abs(fast - exact).max() <= tolerance * max(1, abs(exact).max())


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 5, 64), (7, 9, 64), (8, 3, 128), (19, 4, 192), (16, 3, 65), (8, 2000, 64)]
)
def test_a_factor_multiplies(shape, small, monkeypatch):
    monkeypatch.setattr(products, "has_small_kernels", lambda: small)
    rows, depth, width = shape
    rng = numpy.random.default_rng(0)
    A, W = rng.normal(size=(rows, depth)), rng.normal(size=(depth, width))
    out = numpy.full((rows, width), numpy.nan)
    assert products.Factor(W)(A, out) is out
    assert abs(out - A @ W).max() < 1e-11
    wide = numpy.concatenate([A, A], axis=1)  # rows that do not follow one another
    assert abs(products.Factor(W)(wide[:, :depth], out) - A @ W).max() < 1e-11


def test_groups_end_at_shared_cuts_and_hold_no_more_than_the_longest_strand():
    rng = numpy.random.default_rng(1)
    cut = rng.random((500, 4)) < 0.05
    cut[::60] = True
    seen, at = numpy.zeros((500, 4), int), 0
    for start, stop, low, (starts, lengths, columns) in strands._groups(cut, 100):
        assert start == at < stop
        assert stop - start <= 100
        assert cut[stop].all() if stop < 500 else True
        assert (numpy.diff(lengths) <= 0).all()
        for first, length, column in zip(starts, lengths, columns, strict=True):
            assert low <= first
            assert not cut[first + 1 : first + length, column].any()
            seen[first : first + length, column] += 1
        at = stop
    assert at == 500
    assert (seen == 1).all()


def test_memory_of_staggered_cuts_is_a_group_and_the_longest_strand():
    cut = numpy.stack(
        [d2lutil.regular(5000, 50) == 0, numpy.roll(d2lutil.regular(5000, 50) == 0, 25)], axis=1
    )
    held = [stop - low for _, stop, low, _ in strands._groups(cut, 200)]
    assert max(held) <= 250
