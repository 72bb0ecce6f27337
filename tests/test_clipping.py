import math

import numpy
import pytest
import reference
from mxnet import np
from reference import VOCAB_SIZE

import d2lutil


@pytest.fixture
def net():
    return reference.make_net()


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


def fill(net, rng, scale=1.0):
    """Draw gradients and return them by name with their joint norm."""
    for parameter in net.collect_params().values():
        parameter.grad()[:] = np.array(scale * rng.normal(size=parameter.shape), dtype="float64")
    grads = reference.gradients(net)
    return grads, math.sqrt(sum((gradient**2).sum() for gradient in grads.values()))


def scaled(grads, factor):
    return {name: factor * gradient for name, gradient in grads.items()}


@pytest.mark.parametrize("convert", [lambda p: p, dict, lambda p: list(p.values())])
def test_clipping_scales_to_theta_and_returns_the_norm(convert, net, rng):
    grads, norm = fill(net, rng)
    assert d2lutil.clip_gradients(convert(net.collect_params()), 0.5) == pytest.approx(norm)
    clipped = reference.gradients(net)
    assert reference.difference(clipped, scaled(grads, 0.5 / norm)) < 1e-14


def test_clipping_leaves_a_norm_below_theta_alone(net, rng):
    grads, norm = fill(net, rng)
    assert d2lutil.clip_gradients(net.collect_params(), norm * 1.01) == pytest.approx(norm)
    assert reference.difference(reference.gradients(net), grads) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_clipping_leaves_a_norm_that_is_not_finite_alone(value, net, rng):
    fill(net, rng)
    net.W_hh.grad()[1, 2] = value
    grads = reference.gradients(net)
    assert not math.isfinite(d2lutil.clip_gradients(net.collect_params(), 1))
    for name, gradient in reference.gradients(net).items():
        assert gradient.tobytes() == grads[name].tobytes()


def test_clipping_leaves_parameters_without_gradient_out(net, rng):
    grads, _ = fill(net, rng)
    net.W_xh.grad_req = "null"
    rest = math.sqrt(sum((g**2).sum() for name, g in grads.items() if name != "W_xh"))
    assert d2lutil.clip_gradients(net.collect_params(), 1) == pytest.approx(rest)


def test_norm_of_large_float32_gradients_does_not_overflow():
    net = reference.make_net("float32")
    net.b_q.grad()[:] = 1e30
    assert d2lutil.clip_gradients(net.collect_params(), 1) == pytest.approx(1e30 * VOCAB_SIZE**0.5)
    assert net.b_q.grad().asnumpy() == pytest.approx(VOCAB_SIZE**-0.5)


@pytest.mark.parametrize("theta", [0, -1, math.nan, math.inf])
def test_theta_that_is_not_positive_is_refused(theta, net):
    with pytest.raises(ValueError, match=f"theta={float(theta)}; allowed: a number above 0"):
        d2lutil.clip_gradients(net.collect_params(), theta)


def test_theta_that_is_no_number_is_refused(net):
    with pytest.raises(TypeError, match="theta='1'; allowed: a number above 0"):
        d2lutil.clip_gradients(net.collect_params(), "1")


def test_zeroed_gradients_are_zero(net, rng):
    fill(net, rng)
    d2lutil.zero_gradients(net.collect_params())
    assert not any(gradient.any() for gradient in reference.gradients(net).values())
