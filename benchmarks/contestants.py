"""The contestants: each computes the gradient of the summed cross-entropy under a scheme.

A contestant is a class: ``Contestant(weights, X, Y)`` prepares everything but the work, ``step(xi)``
does it, and ``gradients()`` returns those of W_xh, W_hh, b_h, W_hq, b_q. The state starts from zero.
"""

import numpy

import d2lutil
from d2lutil.compat import mxnet
from d2lutil.truncation import pieces

try:
    import torch
except ModuleNotFoundError:
    torch = None

np, npx, autograd = mxnet.np, mxnet.npx, mxnet.autograd


def make_net(weights):
    """Return a network with the given weights, whose gradients accumulate over segments."""
    vocab_size, num_hiddens = weights[0].shape
    net = d2lutil.RNN(vocab_size, num_hiddens)
    net.initialize()
    net.cast(weights[0].dtype)
    for parameter, weight in zip(net.parameters(), weights, strict=True):
        parameter.grad_req = "add"
        parameter.set_data(np.array(weight, dtype=weight.dtype))
    return net


class Package:
    """``d2lutil.bptt``."""

    name = "d2lutil.bptt"

    def __init__(self, weights, X, Y):
        self.net, self.X, self.Y = make_net(weights), X, Y
        self.h = self.net.begin_state(X.shape[1])

    def step(self, xi):
        d2lutil.zero_gradients(self.net.parameters())
        loss, _ = d2lutil.bptt(self.net, self.X, self.Y, self.h, xi)
        return loss

    def gradients(self):
        return [parameter.grad().asnumpy() for parameter in self.net.parameters()]


class Loop(Package):
    """MXNet one step at a time, as textbooks write it, with ``detach`` between segments."""

    name = "MXNet, a loop of steps"

    def __init__(self, weights, X, Y):
        super().__init__(weights, X, Y)
        self.X = npx.one_hot(np.array(X), weights[0].shape[0], dtype=weights[0].dtype)
        self.Y = np.array(Y)

    def step(self, xi):
        d2lutil.zero_gradients(self.net.parameters())
        W_xh, W_hh, b_h, W_hq, b_q = (parameter.data() for parameter in self.net.parameters())
        h, total = self.h, 0.0
        for start, stop in d2lutil.segments(xi):
            h = h.detach()
            with autograd.record():
                loss = 0
                for t in range(start, stop):
                    carried = d2lutil.carry(h, xi[t])
                    h = np.tanh(np.dot(self.X[t], W_xh) + np.dot(carried, W_hh) + b_h)
                    O = np.dot(h, W_hq) + b_q
                    loss = loss - npx.pick(npx.log_softmax(O), self.Y[t]).sum()
            loss.backward()
            total += float(loss)
        return total


class Gluon(Loop):
    """``gluon.rnn.RNN``, called between two gates, with ``detach`` between segments."""

    name = "gluon.rnn.RNN"

    def __init__(self, weights, X, Y):
        super().__init__(weights, X, Y)
        W_xh, W_hh, b_h, W_hq, b_q = weights
        self.rnn = mxnet.gluon.rnn.RNN(len(b_h), activation="tanh", input_size=len(W_xh), dtype=b_h.dtype)
        self.out = mxnet.gluon.nn.Dense(len(b_q), in_units=len(b_h), flatten=False, dtype=b_h.dtype)
        values = (W_xh.T, W_hh.T, b_h, numpy.zeros_like(b_h))
        for layer, arrays in ((self.rnn, values), (self.out, (W_hq.T, b_q))):
            layer.initialize(mxnet.init.Zero())
            parameters = layer.collect_params().values()
            for parameter, value in zip(parameters, arrays, strict=True):
                parameter.grad_req = "add"
                parameter.set_data(np.array(value, dtype=value.dtype))

    def parameters(self):
        both = [*self.rnn.collect_params().values(), *self.out.collect_params().values()]
        return [both[i] for i in (0, 1, 2, 4, 5)]

    def step(self, xi):
        d2lutil.zero_gradients([*self.rnn.collect_params().values(), *self.out.collect_params().values()])
        h, total = np.expand_dims(self.h, 0), 0.0
        for start, stop in d2lutil.segments(xi):
            h = h.detach()
            with autograd.record():
                loss = 0
                for a, b in pieces(xi[start:stop], xi[start:stop] != 1):
                    part = slice(start + a, start + b)
                    H, (h,) = self.rnn(self.X[part], [d2lutil.carry(h, xi[start + a])])
                    loss = loss - npx.pick(npx.log_softmax(self.out(H)), self.Y[part]).sum()
            loss.backward()
            total += float(loss)
        return total

    def gradients(self):
        return [parameter.grad().asnumpy().T for parameter in self.parameters()]


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

    def read(self, X, h):
        """Return the states and the last one."""
        return self.rnn(X, h)

    def step(self, xi):
        for parameter in self.parameters:
            parameter.grad = None
        h, total = self.h, 0.0
        for start, stop in d2lutil.segments(xi):
            h, loss = h.detach(), 0
            for a, b in pieces(xi[start:stop], xi[start:stop] != 1):
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


CONTESTANTS = [Package, Gluon, Loop, *([Torch, TorchLoop] if torch else [])]
