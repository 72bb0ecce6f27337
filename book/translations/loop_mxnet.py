"""The book's loop in MXNet, shown on the page *translations*."""

import d2lutil  # noqa: F401  (first: MXNet then loads under today's NumPy)

# isort: split
import mxnet
from mxnet import autograd, np, npx


def carry(h, xi):
    """Hand a state on: its value as it is, its gradient times xi."""
    return h.detach() - xi * (h.detach() - h)


def carry_columns(h, xi):
    """Do the same with one weight a column, (batch_size,)."""
    return carry(h, xi[:, None])


def each(function, state):
    """Apply a function to every part of a state: h, (h, c), or a list."""
    if isinstance(state, tuple | list):
        return tuple(each(function, part) for part in state)
    return function(state)


def enter(state, xi, begins):
    """Return the state that a step begins with: gated, or zero."""

    def part(s):
        s = carry_columns(s, xi)
        return np.where(begins[:, None], np.zeros_like(s), s)

    return each(part, state)


def forward(net, X, state, xi, begins):
    """Return the logits of all steps, and the last state."""
    O = []
    for t in range(len(X)):
        o, state = net(X[t : t + 1], enter(state, xi[t], begins[t]))
        O.append(o[0])
    return np.stack(O), state


def train_chunks(net, X, Y, state, k, trainer):
    """Update after every k steps; each gradient ends where they begin."""
    for start in range(0, len(X), k):
        x, y = X[start : start + k], Y[start : start + k]
        state = each(lambda s: s.detach(), state)
        with autograd.record():
            O, state = net(x, state)
            L = -npx.pick(npx.log_softmax(O), y).sum()
            L = L / (k * X.shape[1])
        L.backward()
        trainer.step(1)
    return state


def summed_loss(O, Y, weights):
    """Return Σ weights · l; where a weight is 0, the target is not read."""
    Y = np.where(weights > 0, Y, np.zeros_like(Y))
    return -(weights * npx.pick(npx.log_softmax(O), Y)).sum()


def train_gated(net, X, Y, state, k, trainer, xi, begins, weights):
    """Update after every k steps, with the three arrays in between."""
    for start in range(0, len(X), k):
        rows = slice(start, start + k)
        state = each(lambda s: s.detach(), state)
        with autograd.record():
            O, state = forward(net, X[rows], state, xi[rows], begins[rows])
            L = summed_loss(O, Y[rows], weights[rows]) / (k * X.shape[1])
        L.backward()
        trainer.step(1)
    return state


class Frozen(mxnet.optimizer.Optimizer):
    """An optimizer that moves nothing and keeps every gradient."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def create_state(self, index, weight):
        """Return nothing: there is no momentum."""

    def update(self, index, weight, grad, state):
        """Keep a gradient; the first parameter's begins an update."""
        if index == 0:
            self.seen.append({})
        self.seen[-1][self.param_dict[index].name] = grad.copy()
