"""Truncation schemes as objects: a scheme knows its mean length and draws the ξ of each pass.

The mean length belongs to the scheme: the expected number of steps between two cuts of an endless
sequence. The end of a pass ends a segment too, so that the average segment of a finite pass is shorter: a
pass of num_steps has about 1 + num_steps / mean_length segments. An update whose gradient is divided by
the mean length, the same number for every segment, keeps the gradients of a pass unbiased where the
scheme is; a division by the drawn length would not.

ξ_0 gates the state that a pass starts from. :func:`d2lutil.bptt` and :func:`d2lutil.train` take that
state as a constant, so ξ_0 changes nothing there.
"""

import copy
import math
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass

import numpy

from d2lutil import truncation, validation

__all__ = ["Full", "LengthDependent", "Randomized", "Regular", "Scheme", "Unweighted"]


class Scheme(ABC):
    """A truncation scheme; subclass it for one of your own.

    Attributes
    ----------
    mean_length : float
        Expected number of steps between two cuts of an endless sequence, of two dimensions those that all
        columns share; ``math.inf`` without cuts.
    """

    mean_length: float

    @abstractmethod
    def __call__(self, num_steps: int) -> numpy.ndarray:
        """Return the ξ of a pass over num_steps steps, ``(num_steps,)`` or ``(num_steps, batch_size)``."""


@dataclass(frozen=True)
class Full(Scheme):
    """The full sum: ξ = 1 everywhere, see :func:`full`. The mean length is infinite.

    Examples
    --------
    >>> Full()(4)
    array([1., 1., 1., 1.])
    """

    mean_length = math.inf

    def __call__(self, num_steps: int) -> numpy.ndarray:
        """Return ξ = 1 for every step of a pass."""
        return truncation.full(num_steps)


@dataclass(frozen=True)
class Regular(Scheme):
    """Chunks of tau steps, see :func:`regular`, with borders at any phase. The mean length is tau.

    Parameters
    ----------
    tau : int
        Steps in a chunk, at least 1. The first and the last chunk of a pass may be shorter.
    phase : int
        The first cut, 0 to tau - 1: ξ is 0 at phase, phase + tau, …
    rng : numpy.random.Generator, optional
        Draws the phase of each pass uniformly, so that no step of the text stays behind a border.

    Examples
    --------
    >>> Regular(3, phase=1)(7)
    array([1., 0., 1., 1., 0., 1., 1.])
    """

    tau: int
    _: KW_ONLY
    phase: int = 0
    rng: numpy.random.Generator | None = None

    def __post_init__(self):
        validation.integer("tau", self.tau, 1)
        validation.integer("phase", self.phase, 0, self.tau - 1)
        if self.rng is not None:
            truncation.randomized(1, 1, rng=copy.deepcopy(self.rng))  # raises unless it is a generator
            if self.phase:
                raise ValueError(f"phase={self.phase}; allowed with rng, which draws the phase: 0")

    @property
    def mean_length(self) -> float:
        """Steps between two cuts: tau."""
        return float(self.tau)

    def __call__(self, num_steps: int) -> numpy.ndarray:
        """Return the ξ of a pass; with rng, the phase is drawn anew."""
        xi = truncation.full(num_steps)
        xi[self.phase if self.rng is None else int(self.rng.integers(self.tau)) :: self.tau] = 0
        return xi


@dataclass(frozen=True)
class Randomized(Scheme):
    """Random cuts with weights of mean 1, see :func:`randomized`. The mean length is every / (1 - pi).

    Parameters
    ----------
    pi : float
        Probability of going on, 0 < pi <= 1.
    rng : numpy.random.Generator
        Draws the cuts of each pass.
    every : int
        Steps from one weight to the next, at least 1.

    Examples
    --------
    >>> Randomized(0.75, rng=numpy.random.default_rng(0), every=2).mean_length
    8.0
    """

    pi: float
    _: KW_ONLY
    rng: numpy.random.Generator
    every: int = 1

    def __post_init__(self):
        # raises where an argument is bad, and leaves the generator where it is
        truncation.randomized(1, self.pi, rng=copy.deepcopy(self.rng), every=self.every)

    @property
    def mean_length(self) -> float:
        """Expected steps between two cuts, every / (1 - pi); infinite for pi = 1."""
        return math.inf if self.pi == 1 else self.every / (1 - self.pi)

    def __call__(self, num_steps: int) -> numpy.ndarray:
        """Draw the ξ of a pass."""
        return truncation.randomized(num_steps, self.pi, rng=self.rng, every=self.every)


@dataclass(frozen=True)
class LengthDependent(Scheme):
    """Tallec and Ollivier's random cuts, see :func:`length_dependent`: the longer, the less likely.

    Parameters
    ----------
    mean_length : float
        Expected steps in a segment, above 1.
    alpha : float
        Tail exponent of the length, above 2.
    rng : numpy.random.Generator
        Draws the cuts of each pass.
    """

    mean_length: float
    alpha: float
    _: KW_ONLY
    rng: numpy.random.Generator

    def __post_init__(self):
        truncation.length_dependent(1, self.mean_length, self.alpha, rng=copy.deepcopy(self.rng))

    def __call__(self, num_steps: int) -> numpy.ndarray:
        """Draw the ξ of a pass."""
        return truncation.length_dependent(num_steps, self.mean_length, self.alpha, rng=self.rng)


@dataclass(frozen=True)
class Unweighted(Scheme):
    """The cuts of another scheme without its weights: every ξ that is not 0 is 1.

    Of a randomized scheme this keeps the random lengths and drops what makes its mean the full gradient,
    so that comparisons can tell the two apart. The mean length is that of the other scheme.

    Parameters
    ----------
    scheme : Scheme
        Draws the cuts.

    Examples
    --------
    >>> Unweighted(Randomized(0.5, rng=numpy.random.default_rng(3)))(6)
    array([1., 1., 0., 0., 1., 1.])
    """

    scheme: Scheme

    def __post_init__(self):
        if not isinstance(self.scheme, Scheme):
            given = validation.short(self.scheme)
            raise TypeError(f"scheme={given}; allowed: a Scheme, such as Randomized(0.9, rng=rng)")

    @property
    def mean_length(self) -> float:
        """The other scheme's mean length."""
        return self.scheme.mean_length

    def __call__(self, num_steps: int) -> numpy.ndarray:
        """Draw the ξ of a pass: 0 where the other scheme cuts, else 1."""
        return (numpy.asarray(self.scheme(num_steps)) != 0).astype("float64")
