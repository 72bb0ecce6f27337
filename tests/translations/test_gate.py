"""The gate in PyTorch and JAX: the value to the bit, the gradient times ξ."""

import jax
import loop_jax
import loop_torch
import numpy
import torch

H = numpy.array([[0.1, -0.0, 3e-7], [-2.5, 1e300, 1.0]])
XI = numpy.array([0.3, 0.0])


def test_the_gate_in_pytorch():
    for xi in (0.0, 1.0, 1 / 0.7):
        h = torch.tensor(H, requires_grad=True)
        carried = loop_torch.carry(h, xi)
        carried.sum().backward()
        assert carried.detach().numpy().tobytes() == H.tobytes()
        assert (h.grad == xi).all()


def test_the_gate_in_jax():
    for xi in (0.0, 1.0, 1 / 0.7):
        carried, back = jax.vjp(lambda h: loop_jax.carry(h, xi), jax.numpy.array(H))  # noqa: B023
        assert numpy.asarray(carried).tobytes() == H.tobytes()
        assert (back(jax.numpy.ones_like(carried))[0] == xi).all()
