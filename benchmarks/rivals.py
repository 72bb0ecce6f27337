"""The contestants in PyTorch, an extra of the benchmarks: importing this module needs it."""

import numpy
import torch

import d2lutil
from d2lutil.truncation import pieces


class Torch:
    """``torch.nn.RNN``, called between two gates, with ``detach`` between segments."""

    name = "torch.nn.RNN"

    def __init__(self, weights, X, Y):
        W_xh, W_hh, b_h, W_hq, b_q = (torch.tensor(numpy.ascontiguousarray(weight.T)) for weight in weights)
        dtype = b_h.dtype
        self.rnn = torch.nn.RNN(W_xh.shape[1], len(b_h), dtype=dtype)
        self.out = torch.nn.Linear(len(b_h), len(b_q), dtype=dtype)
        values = (W_xh, W_hh, b_h, torch.zeros_like(b_h), W_hq, b_q)
        self.parameters = [*self.rnn.parameters(), *self.out.parameters()]
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(value)
        self.X = torch.nn.functional.one_hot(torch.tensor(X).long(), W_xh.shape[1]).to(dtype)
        self.Y = torch.tensor(Y).long()
        self.h = torch.zeros(1, X.shape[1], len(b_h), dtype=dtype)

    def tune(self, xi):
        pass  # PyTorch chooses its threads itself

    def read(self, X, h):
        """Return the states and the last one."""
        return self.rnn(X, h)

    def step(self, xi):
        for parameter in self.parameters:
            parameter.grad = None
        h, total = self.h, 0.0
        for start, stop in d2lutil.segments(xi):
            h, loss = h.detach(), 0
            for a, b in pieces(xi[start:stop] != 1):
                weight, part = float(xi[start + a]), slice(start + a, start + b)
                if weight not in (0, 1):
                    h = h.detach() + weight * (h - h.detach())
                H, h = self.read(self.X[part], h)
                O = self.out(H).flatten(0, 1)
                loss = loss + torch.nn.functional.cross_entropy(O, self.Y[part].flatten(), reduction="sum")
            loss.backward()
            total += float(loss.detach())
        return total

    def gradients(self):
        return [self.parameters[i].grad.numpy().T for i in (0, 1, 2, 4, 5)]


class TorchLoop(Torch):
    """PyTorch one step at a time."""

    name = "PyTorch, a loop of steps"

    def read(self, X, h):
        W_xh, W_hh, b_h = self.parameters[:3]
        states, h = [], h[0]
        for x in X:
            h = torch.tanh(x @ W_xh.T + h @ W_hh.T + b_h)
            states.append(h)
        return torch.stack(states), h[None]
