"""The gradient split by lag: what the loss of step t contributes through the state of k steps before."""

from typing import NamedTuple

import numpy

from d2lutil.cells import CELLS

__all__ = ["Lags", "by_lag", "decay"]


class Lags(NamedTuple):
    """What a stretch of text gives, lag by lag."""

    sizes: numpy.ndarray
    """φ_k, the mean norm of ∂l_t/∂h_{t-k} over the predictions, ``(num_lags,)``."""
    parts: numpy.ndarray
    """G_k, the part of the gradient of W_hh that has the lag k, summed over the predictions."""

    def reach(self, share=0.01):
        """Return the first lag at which φ_k is below a share of φ_0, and stays so; num_lags if none is."""
        above = numpy.flatnonzero(self.sizes >= share * self.sizes[0])
        return int(above[-1]) + 1

    def window(self, share=0.01):
        """Return the shortest window whose gradient misses the sum by at most a share of its norm."""
        tail = self.parts.sum(axis=0) - self.parts.cumsum(axis=0)
        missing = numpy.linalg.norm(tail.reshape(len(tail), -1), axis=1)
        above = numpy.flatnonzero(missing > share * numpy.linalg.norm(self.parts.sum(axis=0)))
        return int(above[-1]) + 2 if len(above) else 1


def by_lag(net, X, Y, num_lags, warm=None):
    """Split the gradient of the losses after ``warm`` steps by lag, up to ``num_lags`` lags.

    All losses go back side by side: after k steps the gradient of the loss of step t is at step t - k.

    Parameters
    ----------
    net : RNN, GRU or LSTM
    X, Y : int arrays ``(num_steps, batch_size)``
    num_lags : int
    warm : int, optional
        Steps whose losses do not count, so that each one that counts has all lags; default num_lags.

    Returns
    -------
    Lags
        In float64.
    """
    warm = num_lags if warm is None else warm
    forward, backward, gradients = CELLS[net.cell]
    names = ["W_xh", "W_hh", "b_h", *(["b_hn"] if net.cell == "gru" else [])]
    params = [getattr(net, name).data().asnumpy().astype("float64") for name in names]
    W_hq, b_q = (w.data().asnumpy().astype("float64") for w in (net.W_hq, net.b_q))
    num_steps, batch_size = X.shape
    state = [numpy.zeros((batch_size, net.num_hiddens)) for _ in net.state_kinds]
    before, kept, after = [], [], []
    for x in X:
        before.append(state)
        state, keep = forward(params, x, state)
        kept.append(keep)
        after.append(state[0])
    before, kept = ([numpy.stack(part) for part in zip(*steps, strict=True)] for steps in (before, kept))
    O = numpy.stack(after[warm:]) @ W_hq + b_q
    p = numpy.exp(O - O.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    dO = p - (Y[warm:, :, None] == numpy.arange(O.shape[-1]))
    delta = [dO @ W_hq.T] + [numpy.zeros_like(dO @ W_hq.T) for _ in net.state_kinds[1:]]
    sizes, parts = [], []
    for k in range(num_lags):
        squares = sum((part**2).sum(axis=-1) for part in delta)
        sizes.append(numpy.sqrt(squares).mean())
        rows = slice(warm - k, num_steps - k)
        flat = [part[rows].reshape(-1, part.shape[-1]) for part in before]
        keep = [part[rows].reshape(-1, part.shape[-1]) for part in kept]
        new, *at_gates = backward(params, flat, keep, [d.reshape(-1, d.shape[-1]) for d in delta])
        parts.append(gradients(params, X[rows].reshape(-1), flat[0], *at_gates)[1])
        delta = [d.reshape(num_steps - warm, batch_size, -1) for d in new]
    return Lags(numpy.array(sizes), numpy.array(parts))


def decay(sizes):
    """Return β of the geometric law φ_k ≈ c β^k: least squares through log φ_k."""
    k = numpy.flatnonzero(sizes > 1e-300)
    return float(numpy.exp(numpy.polyfit(k, numpy.log(sizes[k]), 1)[0]))
