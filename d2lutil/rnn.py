"""The recurrent network: three equations, run by MXNet's fused kernel wherever ξ = 1."""

from pathlib import Path

import numpy

from d2lutil import validation
from d2lutil.compat import mxnet
from d2lutil.truncation import carry, pieces

__all__ = ["RNN"]

np, npx = mxnet.np, mxnet.npx

NAMES = ("W_xh", "W_hh", "b_h", "W_hq", "b_q")
DTYPES = ("float32", "float64")


class RNN(mxnet.gluon.Block):
    """A recurrent network over characters, with a gate on the carried state.

    h_t = tanh(X_t W_xh + carry(h_{t-1}, ξ_t) W_hh + b_h) and O_t = h_t W_hq + b_q, where X_t holds
    one-hot rows. The network is Elman's (1990).

    Parameters
    ----------
    vocab_size, num_hiddens : int
        At least 1.

    Attributes
    ----------
    W_xh : Parameter ``(vocab_size, num_hiddens)``
    W_hh : Parameter ``(num_hiddens, num_hiddens)``
    b_h : Parameter ``(num_hiddens,)``
    W_hq : Parameter ``(num_hiddens, vocab_size)``
    b_q : Parameter ``(vocab_size,)``
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

    def __init__(self, vocab_size, num_hiddens):
        super().__init__()
        self.vocab_size = validation.integer("vocab_size", vocab_size, 1)
        self.num_hiddens = validation.integer("num_hiddens", num_hiddens, 1)
        scale = mxnet.init.Normal(self.num_hiddens**-0.5)
        zero = mxnet.init.Zero()
        with self.name_scope():
            self.W_xh = self.params.get("W_xh", shape=(vocab_size, num_hiddens), init=scale)
            self.W_hh = self.params.get("W_hh", shape=(num_hiddens, num_hiddens), init=scale)
            self.b_h = self.params.get("b_h", shape=(num_hiddens,), init=zero)
            self.W_hq = self.params.get("W_hq", shape=(num_hiddens, vocab_size), init=scale)
            self.b_q = self.params.get("b_q", shape=(vocab_size,), init=zero)

    def begin_state(self, batch_size):
        """Return the zero state ``(batch_size, num_hiddens)`` in the parameters' type."""
        batch_size = validation.integer("batch_size", batch_size, 1)
        return np.zeros((batch_size, self.num_hiddens), dtype=self.W_hh.dtype)

    def cast(self, dtype):
        """Change the parameters' type: float32 or float64."""
        if numpy.dtype(dtype).name not in DTYPES:
            raise ValueError(f"dtype={dtype}; allowed: {', '.join(DTYPES)}")
        super().cast(dtype)

    def load_parameters(self, filename):
        """Load what ``save_parameters`` saved, in the type it was saved in.

        Gluon's own method fails for a block without children in MXNet 1.9.1: it reads old-style arrays.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            It is damaged, or holds other parameters, shapes or types.
        """
        if not Path(filename).is_file():
            raise FileNotFoundError(f"filename={str(filename)!r} is no file; allowed: one that is there")
        with mxnet.util.np_shape(True), mxnet.util.np_array(True):  # MXNet keeps these by thread
            try:
                loaded = npx.load(str(filename))
            except mxnet.base.MXNetError as error:
                raise ValueError(f"filename={str(filename)!r} is damaged: {error}") from None
            expected = {name: getattr(self, name).shape for name in NAMES}
            named = isinstance(loaded, dict)
            shapes = {name: value.shape for name, value in loaded.items()} if named else "no names"
            if shapes != expected:
                raise ValueError(f"filename={str(filename)!r} holds {shapes}; allowed: {expected}")
            dtypes = sorted({numpy.dtype(value.dtype).name for value in loaded.values()})
            if len(dtypes) > 1 or dtypes[0] not in DTYPES:
                allowed = f"one of {', '.join(DTYPES)} for all"
                raise ValueError(f"filename={str(filename)!r} holds {dtypes}; allowed: {allowed}")
            for name, value in loaded.items():
                parameter = getattr(self, name)
                parameter.cast(value.dtype)
                parameter.initialize(mxnet.init.Zero(), force_reinit=True)
                parameter.set_data(value)

    def forward(self, X, h, xi=None):
        """Read characters from a state on.

        Parameters
        ----------
        X : int array ``(num_steps, batch_size)``
            Indices 0 … vocab_size - 1.
        h : ``(batch_size, num_hiddens)``
            The state before the first step.
        xi : sequence of num_steps weights, optional
            The truncation scheme; without it ξ = 1 everywhere.

        Returns
        -------
        O : ``(num_steps, batch_size, vocab_size)``
            The logits of the next character.
        h : ``(batch_size, num_hiddens)``
            The state after the last step.

        Raises
        ------
        ValueError, TypeError
            Wrong shapes, indices outside the vocabulary, weights that are no scheme.
        """
        X = self.tokens("X", X)
        if xi is not None:
            xi = validation.scheme(xi, len(X), self.W_hh.dtype)
        H, h = self.states(self.packed(), X, self.state(h, X.shape[1]), xi)
        return np.dot(H, self.W_hq.data()) + self.b_q.data(), h

    def states(self, packed, X, h, xi):
        """Return the states ``(num_steps, batch_size, num_hiddens)`` and the last one.

        The fused kernel runs from one step with ξ ≠ 1 to the next; there the gate acts. The values do
        not depend on ξ, so without recording the kernel runs once. Arguments are not checked.
        """
        X = npx.one_hot(np.array(X, dtype="int32"), self.vocab_size, dtype=self.W_hh.dtype)
        if xi is None or not mxnet.autograd.is_recording():
            xi = numpy.ones(1)
            parts = [(0, len(X))]
        else:
            parts = pieces(xi != 1)
        H = []
        for start, stop in parts:
            part, h = npx.rnn(
                data=X if len(parts) == 1 else X[start:stop],
                parameters=packed,
                state=np.expand_dims(carry(h, xi[start]), 0),
                mode="rnn_tanh",
                state_size=self.num_hiddens,
                num_layers=1,
                state_outputs=True,
            )
            H.append(part)
            h = h[0]
        return (H[0] if len(H) == 1 else np.concatenate(H, axis=0)), h

    def parameters(self):
        """Return W_xh, W_hh, b_h, W_hq, b_q, in this order."""
        return [getattr(self, name) for name in NAMES]

    def packed(self):
        """Return W_xh, W_hh and b_h as the one vector that the fused kernel takes."""
        W_xh, W_hh, b_h = (p.data() for p in self.parameters()[:3])
        if mxnet.autograd.is_recording():
            parts = [W_xh.T.reshape(-1), W_hh.T.reshape(-1), b_h, np.zeros_like(b_h)]
            return np.concatenate(parts, axis=0)
        W_xh, W_hh, b_h = (W.asnumpy() for W in (W_xh, W_hh, b_h))  # one operation instead of seven
        parts = [W_xh.T.reshape(-1), W_hh.T.reshape(-1), b_h, numpy.zeros_like(b_h)]
        return np.array(numpy.concatenate(parts), dtype=b_h.dtype)

    def tokens(self, name, X):
        """Return characters as int32 ``(num_steps, batch_size)``, or say what is wrong with them."""
        X = validation.array(name, X)
        if X.ndim != 2 or 0 in X.shape or not numpy.issubdtype(X.dtype, numpy.integer):
            raise ValueError(
                f"{name} has shape {X.shape} and type {X.dtype}; "
                "allowed: integers (num_steps, batch_size), both at least 1"
            )
        if X.min() < 0 or X.max() >= self.vocab_size:
            raise ValueError(
                f"{name} holds indices {X.min()} to {X.max()}; allowed: 0 to {self.vocab_size - 1}"
            )
        return X.astype("int32")

    def pair(self, X, Y, names=("X", "Y")):
        """Return inputs and targets as :meth:`tokens` does, or say that their shapes differ."""
        X, Y = self.tokens(names[0], X), self.tokens(names[1], Y)
        if X.shape != Y.shape:
            raise ValueError(f"{names[1]} has shape {Y.shape}; allowed: that of {names[0]}, {X.shape}")
        return X, Y

    def state(self, h, batch_size):
        """Return a state, or say what is wrong with its shape or type."""
        shape, dtype = (batch_size, self.num_hiddens), numpy.dtype(self.W_hh.dtype)
        allowed = f"an mxnet.np.ndarray {dtype} {shape}, as begin_state(batch_size) gives"
        if not isinstance(h, np.ndarray):
            raise TypeError(f"h={h!r}; allowed: {allowed}")
        if h.shape != shape or h.dtype != dtype:
            raise ValueError(f"h has shape {h.shape} and type {h.dtype}; allowed: {allowed}")
        return h
