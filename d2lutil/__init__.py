"""Truncated backpropagation through time in MXNet.

A truncation scheme is an array of weights ξ, one a step, or one a step and column: step t hands the
gradient that arrives at h_t back to h_{t-1} multiplied by ξ_t. Two more arrays serve sequences that end:
``begins`` says where a step starts from the zero state, ``weights`` how much the loss of a prediction
counts.

Import this package before MXNet: it makes MXNet 1.9.1 load under today's Python and NumPy.
"""

from d2lutil.compat import mxnet as _mxnet  # noqa: F401  (first: everything below needs it)
from d2lutil.corpus import Corpus, load_corpus
from d2lutil.evaluation import generate, perplexity
from d2lutil.figures import COLORS, partition, reach_map, use_style
from d2lutil.gradient import bptt, clip_gradients, zero_gradients
from d2lutil.jacobians import influence, jacobians
from d2lutil.networks import GRU, LSTM, RNN
from d2lutil.notebook import compare, glue, rows
from d2lutil.schemes import Full, LengthDependent, Randomized, Regular, Scheme, Unweighted
from d2lutil.text import Vocab, normalize, split_streams, streams
from d2lutil.training import train
from d2lutil.triangles import triangle
from d2lutil.truncation import carry, full, length_dependent, randomized, reach, regular, segments

__version__ = "1.0.0"

__all__ = [
    "COLORS",
    "GRU",
    "LSTM",
    "RNN",
    "Corpus",
    "Full",
    "LengthDependent",
    "Randomized",
    "Regular",
    "Scheme",
    "Unweighted",
    "Vocab",
    "__version__",
    "bptt",
    "carry",
    "clip_gradients",
    "compare",
    "full",
    "generate",
    "glue",
    "influence",
    "jacobians",
    "length_dependent",
    "load_corpus",
    "normalize",
    "partition",
    "perplexity",
    "randomized",
    "reach",
    "reach_map",
    "regular",
    "rows",
    "segments",
    "split_streams",
    "streams",
    "train",
    "triangle",
    "use_style",
    "zero_gradients",
]
