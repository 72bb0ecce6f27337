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


def by_differences(params, X, h, step=1e-6):
    """Return the Jacobian of the last state with respect to the first, a column an entry."""
    columns = []
    for direction in step * numpy.eye(h.size):
        ahead, behind = (reference.forward(params, X, h + s * direction)[-1, 0] for s in (1, -1))
        columns.append((ahead - behind) / (2 * step))
    return numpy.stack(columns, axis=1)


def test_jacobians_equal_finite_differences(net, state):
    params = reference.values(net)
    H = reference.forward(params, X, state.asnumpy())
    J = d2lutil.jacobians(net, X, state)
    assert J.shape == (len(X), reference.NUM_HIDDENS, reference.NUM_HIDDENS)
    for t, J_t in enumerate(J):
        assert abs(J_t - by_differences(params, X[t : t + 1], H[t])).max() < 1e-8


def test_jacobians_start_from_the_zero_state(net):
    zero = net.begin_state(1)
    assert (d2lutil.jacobians(net, X) == d2lutil.jacobians(net, X, zero)).all()


def test_influence_is_the_norm_of_the_dependence_on_earlier_states(net, state):
    params = reference.values(net)
    H = reference.forward(params, X, state.asnumpy())
    norms = d2lutil.influence(d2lutil.jacobians(net, X, state))
    assert norms.shape == (len(X) + 1,)
    assert norms[0] == 1
    for lag in (1, 2, 5, 10):
        whole = by_differences(params, X[-lag:], H[-lag - 1])
        assert norms[lag] == pytest.approx(numpy.linalg.norm(whole, ord=2), rel=1e-5)


def test_several_columns_are_refused(net):
    with pytest.raises(ValueError, match=r"X has shape \(23, 3\); allowed: one column"):
        d2lutil.jacobians(net, reference.make_text()[0])


def test_state_of_another_shape_is_refused(net):
    with pytest.raises(ValueError, match=r"h has shape \(3, 5\).*; allowed: .*\(1, 5\)"):
        d2lutil.jacobians(net, X, np.zeros((3, 5), dtype="float64"))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2, 3)])
def test_influence_of_other_shapes_is_refused(shape):
    with pytest.raises(ValueError, match=r"J has shape .*; allowed: \(num_steps, num_hiddens"):
        d2lutil.influence(numpy.zeros(shape))
