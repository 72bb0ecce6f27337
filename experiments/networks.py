"""The networks of the experiments, made from a seed."""

import functools

import mxnet
import numpy

import d2lutil

__all__ = ["NAMES", "make"]

np, npx = mxnet.np, mxnet.npx
NAMES = {"tanh": d2lutil.RNN, "lstm": d2lutil.LSTM, "gru": d2lutil.GRU}


class Linear(mxnet.gluon.Block):
    """A diagonal linear recurrence, h_t = a ⊙ h_{t-1} + b(x_t), with one hidden layer behind it.

    a = sigmoid(r) lies between 0 and 1, so that the state is stable. The logits are
    tanh(h_t W_1 + c_1) W_2 + c_2, so that all that is not linear stands outside the recurrence.
    """

    def __init__(self, vocab_size, num_hiddens):
        super().__init__()
        self.num_hiddens = num_hiddens
        self.r = self.params.get("r", shape=(num_hiddens,), init=mxnet.init.Uniform(3))
        self.inputs = mxnet.gluon.nn.Embedding(vocab_size, num_hiddens)
        layer = functools.partial(mxnet.gluon.nn.Dense, flatten=False, in_units=num_hiddens)
        self.hidden, self.outputs = layer(num_hiddens, activation="tanh"), layer(vocab_size)

    def begin_state(self, batch_size):
        """Return the zero state."""
        return np.zeros((batch_size, self.num_hiddens))

    def forward(self, X, h):
        """Return the logits of all steps and the last state."""
        steps = np.arange(len(X) + 1)
        lag = steps[1:, None] - steps  # from the state before (column 0) and the inputs to each state
        kept = lag >= 0
        log_a = -npx.activation(-self.r.data(), "softrelu")  # of a = sigmoid(r)
        powers = kept * np.exp(log_a[:, None, None] * (lag * kept))  # (num_hiddens, T, T + 1)
        b = np.concatenate([h[None], self.inputs(X)])
        H = npx.batch_dot(powers, b.transpose(2, 0, 1)).transpose(1, 2, 0)  # Σ_s a^(t-s) b_s
        return self.outputs(self.hidden(H)), H[-1]


def make(name, vocab_size, num_hiddens, seed, nudge=0.0):
    """Return a network whose initial weights depend on the seed, and on the nudge if there is one.

    Parameters
    ----------
    name : "tanh", "lstm", "gru" or "linear"
    vocab_size, num_hiddens, seed : int
    nudge : float
        Standard deviation of a random relative change of each initial weight.
    """
    mxnet.random.seed(seed)
    numpy.random.seed(seed)  # noqa: NPY002 — where MXNet's initializers of blocks draw
    net = (NAMES | {"linear": Linear})[name](vocab_size, num_hiddens)
    net.initialize()
    if nudge:
        draws = numpy.random.default_rng([seed, 4])
        for parameter in net.collect_params().values():
            value = parameter.data()
            value[:] = value * np.array(1 + nudge * draws.standard_normal(value.shape))
    return net
