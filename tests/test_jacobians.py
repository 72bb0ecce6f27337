import numpy
import pytest
import reference
from mxnet import np

import d2lutil

X = reference.make_text()[0][:, :1]


@pytest.fixture
def net():
    return reference.make_net()


@pytest.fixture
def state():
    return reference.make_state()[:1]


def by_differences(net, X, state, step=1e-6):
    """Return the Jacobian of the last state with respect to the first, a column an entry."""
    parts, columns = reference.parts(state), []
    width = parts[0].shape[1]
    for k in range(width * len(parts)):
        ends = []
        for sign in (1, -1):
            moved = [part.copy() for part in parts]
            moved[k // width][0, k % width] += sign * step
            _, last = net(X, moved[0] if len(moved) == 1 else tuple(moved))
            ends.append(numpy.concatenate([part.asnumpy()[0] for part in reference.parts(last)]))
        columns.append((ends[0] - ends[1]) / (2 * step))
    return numpy.stack(columns, axis=1)


@pytest.mark.parametrize("cell", reference.CELLS)
def test_jacobians_equal_finite_differences(cell):
    net, whole = reference.make_net(cell=cell), reference.make_state(cell=cell)
    parts = [part[:1] for part in reference.parts(whole)]
    state = parts[0] if len(parts) == 1 else tuple(parts)
    J = d2lutil.jacobians(net, X, state)
    size = reference.NUM_HIDDENS * len(parts)
    assert J.shape == (len(X), size, size)
    for t, J_t in enumerate(J):
        assert abs(J_t - by_differences(net, X[t : t + 1], state)).max() < 1e-8
        _, state = net(X[t : t + 1], state)


def test_jacobians_start_from_the_zero_state(net):
    zero = net.begin_state(1)
    assert (d2lutil.jacobians(net, X) == d2lutil.jacobians(net, X, zero)).all()


def test_influence_is_the_norm_of_the_dependence_on_earlier_states(net, state):
    norms = d2lutil.influence(d2lutil.jacobians(net, X, state))
    assert norms.shape == (len(X) + 1,)
    assert norms[0] == 1
    for lag in (1, 2, 5, 10):
        _, middle = net(X[:-lag], state)
        whole = by_differences(net, X[-lag:], middle)
        assert norms[lag] == pytest.approx(numpy.linalg.norm(whole, ord=2), rel=1e-5)


def test_several_columns_are_refused(net):
    with pytest.raises(ValueError, match=r"X has shape \(23, 3\); allowed: one column"):
        d2lutil.jacobians(net, reference.make_text()[0])


def test_state_of_another_shape_is_refused(net):
    with pytest.raises(ValueError, match=r"h has shape \(3, 5\).*; allowed: .*\(1, 5\)"):
        d2lutil.jacobians(net, X, np.zeros((3, 5), dtype="float64"))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2, 3)])
def test_influence_of_other_shapes_is_refused(shape):
    with pytest.raises(ValueError, match=r"J has shape .*; allowed: \(num_steps, m"):
        d2lutil.influence(numpy.zeros(shape))


def test_influence_beyond_the_largest_float_is_infinite_and_returns_from_there():
    J = numpy.concatenate([numpy.full((400, 1, 1), 0.1), numpy.full((400, 1, 1), 10.0)])
    norms = d2lutil.influence(J)
    assert norms[[100, 600, 800]] == pytest.approx([1e100, 1e200, 1])
    assert norms[400] == numpy.inf


@pytest.mark.parametrize("J", [numpy.full((2, 2, 2), numpy.nan), numpy.ones((2, 1, 1)) * 1j, [[["a"]]]])
def test_influence_names_what_is_no_jacobian(J):
    with pytest.raises(ValueError, match="allowed: finite real numbers"):
        d2lutil.influence(J)


def test_influence_takes_arrays_of_mxnet():
    assert d2lutil.influence(np.full((2, 1, 1), 2.0)).tolist() == [1, 2, 4]


def test_jacobians_name_what_is_no_network():
    with pytest.raises(TypeError, match="allowed for net: an RNN, GRU or LSTM of d2lutil; given NoneType"):
        d2lutil.jacobians(None, X)
