"""What the three frameworks share: NumPy draws the cuts."""

import numpy


def randomized(num_steps, pi, rng):
    """Draw the weights of randomized truncation: 0, or 1/pi."""
    return numpy.where(rng.random(num_steps) < pi, 1 / pi, 0)
