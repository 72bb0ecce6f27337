"""The contestants: each computes the gradient of the summed cross-entropy under a scheme.

A contestant is a class: ``Contestant(weights, X, Y)`` prepares everything but the work, ``step(xi)``
does it, and ``gradients()`` returns those of W_xh, W_hh, b_h, W_hq, b_q. The state starts from zero.
``tune(xi)`` chooses what a user would choose for speed.
"""

import os
import time

import numpy

import d2lutil
from d2lutil.compat import mxnet
from d2lutil.truncation import pieces

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

    def tune(self, xi):
        pass  # bptt chooses its threads itself

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
        self.threads = 1

    def tune(self, xi):
        """Take as many of MXNet's threads as are quickest, one or all."""
        seconds = {}
        self.step(xi)  # the first call is not counted
        for self.threads in (1, os.cpu_count()):
            start = time.perf_counter()
            self.step(xi)
            seconds[self.threads] = time.perf_counter() - start
        self.threads = min(seconds, key=seconds.get)

    def step(self, xi):
        mxnet.base._LIB.MXSetNumOMPThreads(self.threads)
        try:
            return self.run(xi)
        finally:
            mxnet.base._LIB.MXSetNumOMPThreads(1)  # what d2lutil gives MXNet

    def run(self, xi):
        """Do the work of :meth:`step`."""
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

    def run(self, xi):
        d2lutil.zero_gradients([*self.rnn.collect_params().values(), *self.out.collect_params().values()])
        h, total = np.expand_dims(self.h, 0), 0.0
        for start, stop in d2lutil.segments(xi):
            h = h.detach()
            with autograd.record():
                loss = 0
                for a, b in pieces(xi[start:stop] != 1):
                    part = slice(start + a, start + b)
                    H, (h,) = self.rnn(self.X[part], [d2lutil.carry(h, xi[start + a])])
                    loss = loss - npx.pick(npx.log_softmax(self.out(H)), self.Y[part]).sum()
            loss.backward()
            total += float(loss)
        return total

    def gradients(self):
        return [parameter.grad().asnumpy().T for parameter in self.parameters()]


CONTESTANTS = [Package, Gluon, Loop]
