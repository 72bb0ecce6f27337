"""Truncated backpropagation through time in MXNet.

A truncation scheme is a sequence of weights ξ, one a step: step t hands the gradient that arrives at
h_t back to h_{t-1} multiplied by ξ_t. Import this package before MXNet: it makes MXNet 1.9.1 load under
today's NumPy.
"""

from d2lutil.compat import mxnet as _mxnet  # noqa: F401  (first: everything below needs it)
from d2lutil.corpus import Corpus, load_corpus
from d2lutil.rnn import RNN
from d2lutil.text import Vocab, normalize, streams
from d2lutil.training import bptt, clip_gradients, generate, perplexity, train, zero_gradients
from d2lutil.truncation import carry, full, length_dependent, randomized, regular, segments

__all__ = [
    "RNN",
    "Corpus",
    "Vocab",
    "bptt",
    "carry",
    "clip_gradients",
    "full",
    "generate",
    "length_dependent",
    "load_corpus",
    "normalize",
    "perplexity",
    "randomized",
    "regular",
    "segments",
    "streams",
    "train",
    "zero_gradients",
]
