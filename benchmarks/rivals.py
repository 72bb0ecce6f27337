"""The contestants in PyTorch, an extra of the benchmarks: importing this module needs it."""

import numpy
import torch

import d2lutil
from benchmarks.contestants import from_layer, to_layer
from benchmarks.problem import GATES
from d2lutil.truncation import pieces


class Torch:
    """A layer of ``torch.nn``, called between two gates, with ``detach`` between segments."""

    name, cells = "torch.nn", tuple(GATES)

    def __init__(self, cell, weights, X, Y):
        vocab_size, num_hiddens = len(weights[0]), len(weights[1])
        values = [torch.tensor(numpy.ascontiguousarray(value)) for value in to_layer(weights)]
        kind = {"tanh": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
        self.cell, dtype = cell, values[0].dtype
        self.rnn = kind(vocab_size, num_hiddens, dtype=dtype)
        self.out = torch.nn.Linear(num_hiddens, vocab_size, dtype=dtype)
        self.parameters = [*self.rnn.parameters(), *self.out.parameters()]
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(value)
        self.X = torch.nn.functional.one_hot(torch.tensor(X).long(), vocab_size).to(dtype)
        self.Y = torch.tensor(Y).long()
        self.state = [torch.zeros(1, X.shape[1], num_hiddens, dtype=dtype)] * (2 if cell == "lstm" else 1)

    def tune(self, xi):
        pass  # PyTorch chooses its threads itself

    def read(self, X, state):
        """Return the states h of all steps and the last state, a list."""
        H, last = self.rnn(X, tuple(state) if len(state) > 1 else state[0])
        return H, list(last) if len(state) > 1 else [last]

    def step(self, xi):
        for parameter in self.parameters:
            parameter.grad = None
        state, total = self.state, 0.0
        for start, stop in d2lutil.segments(xi):
            state, states = [part.detach() for part in state], []
            for a, b in pieces(xi[start:stop] != 1):
                weight = float(xi[start + a])
                if weight not in (0, 1):
                    state = [part.detach() + weight * (part - part.detach()) for part in state]
                H, state = self.read(self.X[start + a : start + b], state)
                states.append(H)
            O = self.out(torch.cat(states)).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(O, self.Y[start:stop].flatten(), reduction="sum")
            loss.backward()
            total += float(loss.detach())
        return total

    def gradients(self):
        found = [
            torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters
        ]  # a loop's b_hh
        return from_layer(self.cell, [gradient.numpy() for gradient in found])


class TorchLoop(Torch):
    """PyTorch one step at a time."""

    name, cells = "PyTorch, a loop of steps", ("tanh",)

    def read(self, X, state):
        W_xh, W_hh, b_h = self.parameters[:3]
        states, h = [], state[0][0]
        for x in X:
            h = torch.tanh(x @ W_xh.T + h @ W_hh.T + b_h)
            states.append(h)
        return torch.stack(states), [h[None]]
