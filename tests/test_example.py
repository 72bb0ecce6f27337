"""The example of six steps: round numbers, and terms that are the gradient, read by rows and by columns."""

import numpy
import pytest

import d2lutil
from d2lutil import example
from d2lutil.compat import mxnet

ROUND_OFF = 1e-14


def recorded():
    """Return weight, states and losses of the example, recorded by autograd."""
    np, weight = mxnet.np, mxnet.np.array(example.w, dtype="float64")
    weight.attach_grad()
    H, losses = [np.array(example.h_0, dtype="float64")], []
    with mxnet.autograd.record():
        for x, y in zip(example.x.tolist(), example.y.tolist(), strict=True):
            H.append(np.tanh(weight * H[-1] + x))
            losses.append((example.v * H[-1] - y) ** 2 / 2)
    return weight, H, losses


def derivative(weight, output):
    output.backward(retain_graph=True)
    return weight.grad.item()


def test_states_slopes_and_responses_are_round():
    h = example.states()
    numpy.testing.assert_allclose(h, [0.5, 0.6, 0.6, 0.8, 0.2, -0.6, 0.6], atol=ROUND_OFF)
    F, J = example.step_derivatives()
    numpy.testing.assert_allclose(J, [0.8, 0.8, 0.45, 1.2, 0.8, 0.8], atol=ROUND_OFF)
    numpy.testing.assert_allclose(F, [0.32, 0.384, 0.216, 0.768, 0.128, -0.384], atol=ROUND_OFF)
    numpy.testing.assert_allclose(example.responses(), [1, -1, 2, 1, -1, 1], atol=ROUND_OFF)
    numpy.testing.assert_allclose(example.losses().sum(), 1.125, atol=ROUND_OFF)


def test_rows_are_autograds_derivatives_of_states_and_losses():
    weight, H, losses = recorded()
    by_state = [derivative(weight, h) for h in H[1:]]
    by_loss = [derivative(weight, l) for l in losses]
    numpy.testing.assert_allclose(example.state_terms().sum(axis=1), by_state, atol=ROUND_OFF)
    numpy.testing.assert_allclose(example.terms().sum(axis=1), by_loss, atol=ROUND_OFF)
    numpy.testing.assert_allclose(example.losses(), [l.item() for l in losses], atol=ROUND_OFF)


def test_rows_are_the_forward_accumulation():
    (F, J), z = example.step_derivatives(0.7), 0
    for t, row in enumerate(example.state_terms(0.7)):
        z = F[t] + J[t] * z
        assert row.sum() == pytest.approx(z, abs=ROUND_OFF)


def test_columns_are_the_backward_accumulation():
    (F, J), e, delta = example.step_derivatives(), example.responses(), 0
    for i in reversed(range(example.NUM_STEPS)):
        delta = e[i] + (J[i + 1] * delta if i < 5 else 0)
        assert example.terms()[:, i].sum() == pytest.approx(delta * F[i], abs=ROUND_OFF)


def test_a_term_is_the_derivative_by_one_copy_of_the_weight():
    for i in range(example.NUM_STEPS):
        copies = example.w + 1e-30j * numpy.eye(example.NUM_STEPS)[i]
        by_copy = example.states(copies)[1:].imag / 1e-30
        numpy.testing.assert_allclose(example.state_terms()[:, i], by_copy, atol=ROUND_OFF)


def test_a_scheme_weighs_the_terms():
    xi = [0, 2, 0, 1, 0.5, 1]
    expected = example.terms() * d2lutil.reach(xi)
    numpy.testing.assert_array_equal(example.terms(xi), expected)
    with pytest.raises(ValueError, match="xi"):
        example.terms([1, 1])


def test_the_numbers_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        example.x[0] = 0
