"""The networks: three recurrent cells as Gluon blocks, run by MXNet's fused kernel between gates."""

from __future__ import annotations

import numpy
from numpy.typing import ArrayLike

from d2lutil import validation
from d2lutil.compat import mxnet
from d2lutil.parameters import Parametric
from d2lutil.truncation import carry, pieces

__all__ = ["GRU", "LSTM", "RNN"]

np, npx = mxnet.np, mxnet.npx


class Network(Parametric):
    """What the three networks have in common: the state and the forward pass.

    A subclass names its cell, MXNet's kernel, the parts of its state, and its number of gates.
    """

    cell: str
    mode: str
    state_kinds = "h"
    gates = 1

    def __init__(self, vocab_size: int, num_hiddens: int):
        v = validation.integer("vocab_size", vocab_size, 1)
        n = validation.integer("num_hiddens", num_hiddens, 1)
        shapes = {"W_xh": (v, self.gates * n), "W_hh": (n, self.gates * n), "b_h": (self.gates * n,)}
        if self.cell == "gru":
            shapes["b_hn"] = (n,)
        super().__init__({**shapes, "W_hq": (n, v), "b_q": (v,)}, scale=n**-0.5)
        self.vocab_size, self.num_hiddens = v, n

    def begin_state(self, batch_size: int):
        """Return the zero state for :meth:`states`, in the parameters' type and on their device."""
        shape = (validation.integer("batch_size", batch_size, 1), self.num_hiddens)
        return _public([np.zeros(shape, self.W_hh.dtype, ctx=self._device()) for _ in self.state_kinds])

    def __call__(self, X: ArrayLike, h, xi: ArrayLike | None = None, begins: ArrayLike | None = None):
        """Read characters from a state on: see :meth:`forward`."""
        return super().__call__(X, h, xi, begins)

    def forward(self, X: ArrayLike, h, xi: ArrayLike | None = None, begins: ArrayLike | None = None):
        """Return the logits of the next characters and the last state; arguments as in :meth:`states`.

        Returns
        -------
        O : ``(num_steps, batch_size, vocab_size)``
            h_t W_hq + b_q at each step.
        h
            The state after the last step.
        """
        H, h = self.states(X, h, xi, begins)
        return np.dot(H, self.W_hq.data(H.ctx)) + self.b_q.data(H.ctx), h

    def states(self, X: ArrayLike, h, xi: ArrayLike | None = None, begins: ArrayLike | None = None):
        """Return the hidden states of all steps and the last state.

        Under ``autograd.record()`` the kernel runs from one step with a gate to the next. The values do
        not depend on ξ, so without recording only ``begins`` interrupts it.

        Parameters
        ----------
        X : int array ``(num_steps, batch_size)``
            Indices 0 … vocab_size - 1.
        h : array ``(batch_size, num_hiddens)``, of an LSTM a tuple (h, c)
            The state before the first step.
        xi : ``(num_steps,)`` or ``(num_steps, batch_size)``, optional
            The truncation scheme: what step t hands back to the state before it is multiplied by ξ_t,
            all parts of a state alike. ξ_0 gates ``h``. Without it ξ = 1 everywhere.
        begins : bool ``(num_steps,)`` or ``(num_steps, batch_size)``, optional
            Where a sequence begins: the step starts from the zero state, and nothing flows back,
            whatever ξ is.

        Returns
        -------
        H : ``(num_steps, batch_size, num_hiddens)``
        h
            The state after the last step, as ``h`` came.

        Raises
        ------
        ValueError, TypeError
            Wrong shapes, indices outside the vocabulary, weights that are no scheme, a state on another
            device than the parameters.
        """
        X = validation.tokens("X", X, self.vocab_size)
        shape, dtype = X.shape, self.W_hh.dtype
        state = validation.state(h, self.state_kinds, shape[1], self.num_hiddens, dtype)
        ctx = self.check_device(state)
        xi = numpy.ones(len(X)) if xi is None else validation.scheme(xi, *shape, dtype=dtype)
        begins = validation.begins(begins, *shape)
        begins = numpy.zeros(shape, bool) if begins is None else begins
        stops = begins.any(axis=1)
        if mxnet.autograd.is_recording():
            stops |= (xi != 1).reshape(len(X), -1).any(axis=1)
        one_hot = npx.one_hot(np.array(X, dtype="int32", ctx=ctx), self.vocab_size, dtype=dtype)
        kernel = {"mode": self.mode, "state_size": self.num_hiddens, "num_layers": 1, "state_outputs": True}
        packed, H, parts = self._packed(ctx), [], pieces(stops)
        for start, stop in parts:
            state = [np.expand_dims(_gate(part, xi[start], begins[start]), 0) for part in state]
            inputs = one_hot if len(parts) == 1 else one_hot[start:stop]
            out, *state = npx.rnn(inputs, packed, *state, **kernel)
            H.append(out)
            state = [part[0] for part in state]
        return (H[0] if len(H) == 1 else np.concatenate(H, axis=0)), _public(state)

    def check_device(self, state):
        """Return the device of a state, or raise if the parameters are not there."""
        given, allowed = [part.ctx for part in state], self.W_hh.list_ctx()
        if given[0] not in allowed or any(ctx != given[0] for ctx in given):
            raise ValueError(f"h is on {given}; allowed: one of {allowed}, for all its parts")
        return given[0]

    def _packed(self, ctx):
        """Return the weights and biases of the cell as the one vector that the fused kernel takes."""
        values, recording = [p.data(ctx) for p in self.parameters()[:-2]], mxnet.autograd.is_recording()
        library = np if recording else numpy  # which takes one operation of MXNet instead of seven
        W_xh, W_hh, b_h, *b_hn = values if recording else [value.asnumpy() for value in values]
        zeros = library.zeros_like(b_h[len(b_hn) * self.num_hiddens :])  # the kernel has two biases a gate
        parts = [W_xh.T.reshape(-1), W_hh.T.reshape(-1), b_h, zeros, *b_hn]
        packed = library.concatenate(parts, axis=0)
        return packed if recording else np.array(packed, dtype=b_h.dtype, ctx=ctx)


def _public(parts):
    """Return the parts of a state as the caller sees them: one array, or a tuple."""
    return parts[0] if len(parts) == 1 else tuple(parts)


def _gate(part, xi, begin):
    """Return one part of a state as a step takes it: gated by ξ, zero in the columns that begin."""
    if begin.all():
        return np.zeros_like(part)
    part = carry(part, xi)
    if begin.any():
        part = np.where(np.array(begin[:, None], ctx=part.ctx), np.zeros_like(part), part)
    return part


class RNN(Network):
    """Elman's (1990) recurrent network over characters, with a gate on the carried state.

    h_t = tanh(X_t W_xh + carry(h_{t-1}, ξ_t) W_hh + b_h) and O_t = h_t W_hq + b_q, where X_t holds
    one-hot rows.

    Parameters
    ----------
    vocab_size, num_hiddens : int
        At least 1.

    Attributes
    ----------
    W_xh, W_hh : Parameter ``(vocab_size, num_hiddens)``, ``(num_hiddens, num_hiddens)``
    b_h : Parameter ``(num_hiddens,)``
    W_hq, b_q : Parameter ``(num_hiddens, vocab_size)``, ``(vocab_size,)``
        ``initialize()`` draws the matrices from a normal distribution with standard deviation
        1/√num_hiddens, which puts the spectral radius of W_hh near 1, and sets the biases to 0.

    Examples
    --------
    >>> net = RNN(vocab_size=28, num_hiddens=16)
    >>> net.initialize()
    >>> X = mxnet.np.zeros((5, 2), dtype="int32")
    >>> O, h = net(X, net.begin_state(batch_size=2))
    >>> O.shape, h.shape
    ((5, 2, 28), (2, 16))
    """

    cell, mode = "tanh", "rnn_tanh"


class GRU(Network):
    """A network of gated recurrent units (Cho et al. 2014), with a gate on the carried state.

    With ĥ = carry(h_{t-1}, ξ_t) and the columns of W_xh, W_hh and b_h in the order r, z, n:

    r = σ(X_t W_xr + ĥ W_hr + b_r), z = σ(X_t W_xz + ĥ W_hz + b_z),
    n = tanh(X_t W_xn + b_n + r ⊙ (ĥ W_hn + b_hn)), h_t = (1 - z) ⊙ n + z ⊙ ĥ, and O_t = h_t W_hq + b_q.

    The reset gate acts after the matrix product, as in cuDNN and MXNet; the paper has it before.

    Parameters
    ----------
    vocab_size, num_hiddens : int
        At least 1.

    Attributes
    ----------
    W_xh, W_hh : Parameter ``(vocab_size, 3 · num_hiddens)``, ``(num_hiddens, 3 · num_hiddens)``
    b_h, b_hn : Parameter ``(3 · num_hiddens,)``, ``(num_hiddens,)``
    W_hq, b_q : Parameter ``(num_hiddens, vocab_size)``, ``(vocab_size,)``
        ``initialize()`` draws the matrices from a normal distribution with standard deviation
        1/√num_hiddens and sets the biases to 0.

    Examples
    --------
    >>> net = GRU(vocab_size=28, num_hiddens=16)
    >>> net.initialize()
    >>> X = mxnet.np.zeros((5, 2), dtype="int32")
    >>> O, h = net(X, net.begin_state(batch_size=2))
    >>> O.shape, h.shape, net.W_hh.shape
    ((5, 2, 28), (2, 16), (16, 48))
    """

    cell = mode = "gru"
    gates = 3


class LSTM(Network):
    """A long short-term memory (Hochreiter and Schmidhuber 1997), with a gate on the carried state.

    It has the forget gate of Gers, Schmidhuber and Cummins (2000). With ĥ = carry(h_{t-1}, ξ_t),
    ĉ = carry(c_{t-1}, ξ_t) and the columns of W_xh, W_hh and b_h in the order i, f, g, o:

    i = σ(X_t W_xi + ĥ W_hi + b_i), and f and o likewise; g = tanh(X_t W_xg + ĥ W_hg + b_g),
    c_t = f ⊙ ĉ + i ⊙ g, h_t = o ⊙ tanh(c_t), and O_t = h_t W_hq + b_q.

    Parameters
    ----------
    vocab_size, num_hiddens : int
        At least 1.

    Attributes
    ----------
    W_xh, W_hh : Parameter ``(vocab_size, 4 · num_hiddens)``, ``(num_hiddens, 4 · num_hiddens)``
    b_h : Parameter ``(4 · num_hiddens,)``
    W_hq, b_q : Parameter ``(num_hiddens, vocab_size)``, ``(vocab_size,)``
        ``initialize()`` draws the matrices from a normal distribution with standard deviation
        1/√num_hiddens and sets the biases to 0, the forget gate's too, so f starts near 1/2. For
        another start set b_h[num_hiddens : 2 · num_hiddens].

    Examples
    --------
    >>> net = LSTM(vocab_size=28, num_hiddens=16)
    >>> net.initialize()
    >>> X = mxnet.np.zeros((5, 2), dtype="int32")
    >>> O, (h, c) = net(X, net.begin_state(batch_size=2))
    >>> O.shape, h.shape, c.shape
    ((5, 2, 28), (2, 16), (2, 16))
    """

    cell = mode = "lstm"
    state_kinds = "hc"
    gates = 4
