"""The book's loop in PyTorch, shown on the page *translations*."""

import torch
from torch.nn.functional import cross_entropy


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
        return torch.where(begins[:, None], 0, carry_columns(s, xi))

    return each(part, state)


class Stepwise(torch.nn.Module):
    """A cell, RNNCell or LSTMCell, and an output layer."""

    def __init__(self, cell, vocab_size):
        super().__init__()
        cell.bias_hh.requires_grad_(False)  # there are two, only ever added
        self.cell = cell
        self.out = torch.nn.Linear(cell.hidden_size, vocab_size)

    def forward(self, X, state, xi, begins):
        """Return the logits of all steps, and the last state."""
        H = []
        for x, weight, begin in zip(X, xi, begins, strict=True):
            state = self.cell(x, enter(state, weight, begin))
            H.append(state[0] if isinstance(state, tuple) else state)
        return self.out(torch.stack(H)), state


class Fused(torch.nn.Module):
    """A layer, RNN or LSTM, and an output layer."""

    def __init__(self, layer, vocab_size):
        super().__init__()
        layer.bias_hh_l0.requires_grad_(False)  # two, only ever added
        self.layer = layer
        self.out = torch.nn.Linear(layer.hidden_size, vocab_size)

    def forward(self, X, state):
        """Return the logits of all steps, and the last state."""
        H, state = self.layer(X, state)
        return self.out(H), state


def train_chunks(net, X, Y, state, k, optimizer):
    """Update after every k steps; each gradient ends where they begin."""
    for start in range(0, len(X), k):
        x, y = X[start : start + k], Y[start : start + k]
        O, state = net(x, each(torch.detach, state))
        L = cross_entropy(O.flatten(0, 1), y.flatten(), reduction="sum")
        optimizer.zero_grad()
        (L / (k * X.shape[1])).backward()
        optimizer.step()
    return state


def summed_loss(O, Y, weights):
    """Return Σ weights · l; where a weight is 0, the target is not read."""
    Y = torch.where(weights > 0, Y, 0)
    l = cross_entropy(O.flatten(0, 1), Y.flatten(), reduction="none")
    return weights.flatten() @ l


def train_gated(net, X, Y, state, k, optimizer, xi, begins, weights):
    """Update after every k steps, with the three arrays in between."""
    for start in range(0, len(X), k):
        rows = slice(start, start + k)
        state = each(torch.detach, state)
        O, state = net(X[rows], state, xi[rows], begins[rows])
        L = summed_loss(O, Y[rows], weights[rows]) / (k * X.shape[1])
        optimizer.zero_grad()
        L.backward()
        optimizer.step()
    return state


class Frozen(torch.optim.Optimizer):
    """An optimizer that moves nothing and keeps every gradient."""

    def __init__(self, net):
        super().__init__(net.parameters(), {"lr": 0})
        self.net, self.seen = net, []

    def step(self):
        """Keep the gradients of an update."""
        named = self.net.named_parameters()
        grads = {n: p.grad.clone() for n, p in named if p.grad is not None}
        self.seen.append(grads)
