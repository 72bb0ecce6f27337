"""What the three frameworks share: NumPy draws the cuts."""

import numpy


def randomized(shape, pi, rng):
    """Draw weights, (num_steps, batch_size): 0, or 1/pi where it goes on."""
    return numpy.where(rng.random(shape) < pi, 1 / pi, 0)
