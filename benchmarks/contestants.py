"""The contestants: each computes the gradient of the summed cross-entropy under a scheme.

A contestant is a class: ``Contestant(cell, weights, X, Y)`` prepares everything but the work,
``step(xi)`` does it, and ``gradients()`` returns those of the weights, in the order of
:func:`benchmarks.problem.problem`. The state starts from zero. ``tune(xi)`` chooses what a user would
choose for speed, and ``cells`` are those that the contestant has.
"""

import os
import time

import numpy

import d2lutil
from benchmarks.problem import GATES
from d2lutil.compat import mxnet
from d2lutil.gradient import backward
from d2lutil.truncation import pieces

np, npx, autograd = mxnet.np, mxnet.npx, mxnet.autograd
NETWORKS = {"tanh": d2lutil.RNN, "gru": d2lutil.GRU, "lstm": d2lutil.LSTM}


def make_net(cell, weights):
    """Return a network with the given weights, whose gradients accumulate over segments."""
    vocab_size, num_hiddens = len(weights[0]), len(weights[1])
    net = NETWORKS[cell](vocab_size, num_hiddens)
    net.initialize()
    net.cast(weights[0].dtype)
    for parameter, weight in zip(net.parameters(), weights, strict=True):
        parameter.grad_req = "add"
        parameter.set_data(np.array(weight, dtype=weight.dtype))
    return net


def to_layer(weights):
    """Return weights as fused layers have them: transposed, and with two biases a gate."""
    W_xh, W_hh, b_h, *b_hn, W_hq, b_q = weights
    second = numpy.zeros_like(b_h)
    for b in b_hn:  # the GRU's, inside its reset gate
        second[-len(b) :] = b
    return [W_xh.T, W_hh.T, b_h, second, W_hq.T, b_q]


def from_layer(cell, gradients):
    """Return what a fused layer has for :func:`to_layer`'s weights in our order."""
    W_xh, W_hh, b_h, second, W_hq, b_q = gradients
    b_hn = [second[-W_hh.shape[1] :]] if cell == "gru" else []
    return [W_xh.T, W_hh.T, b_h, *b_hn, W_hq.T, b_q]


class Package:
    """``d2lutil.bptt``."""

    name, cells = "d2lutil.bptt", tuple(GATES)

    def __init__(self, cell, weights, X, Y):
        self.cell, self.net, self.X, self.Y = cell, make_net(cell, weights), X, Y
        self.h = self.net.begin_state(X.shape[1])

    def tune(self, xi):
        pass  # bptt chooses its threads itself

    def step(self, xi):
        d2lutil.zero_gradients(self.net.parameters())
        loss, _ = d2lutil.bptt(self.net, self.X, self.Y, self.h, xi)
        return loss

    def gradients(self):
        return [parameter.grad().asnumpy() for parameter in self.net.parameters()]


class Definition(Package):
    """The backward pass as a reader would write it; what all are checked against, and not measured."""

    name = "d2lutil.gradient.backward"

    def step(self, xi):
        params = [parameter.data().asnumpy() for parameter in self.net.parameters()]
        state = [numpy.zeros((self.X.shape[1], len(params[1])), params[1].dtype)] * len(
            self.net.state_kinds
        )
        ones = numpy.ones(self.X.shape)
        gate = xi.reshape(len(xi), -1) * ones
        loss, self.found, _ = backward(self.cell, params, self.X, self.Y, state, gate, ones == 0, ones)
        return loss

    def gradients(self):
        return self.found


class Loop(Package):
    """MXNet one step at a time, as textbooks write it, with ``detach`` between segments."""

    name, cells = "MXNet, a loop of steps", ("tanh",)

    def __init__(self, cell, weights, X, Y):
        super().__init__(cell, weights, X, Y)
        self.X = npx.one_hot(np.array(X), len(weights[0]), dtype=weights[0].dtype)
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
            loss = self.run(xi)
            npx.waitall()  # the loss is there before the gradient: MXNet computes behind Python's back
        finally:
            mxnet.base._LIB.MXSetNumOMPThreads(1)  # what d2lutil gives MXNet
        return loss

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
    """A layer of ``gluon.rnn``, called between two gates, with ``detach`` between segments."""

    name, cells = "gluon.rnn", tuple(GATES)

    def __init__(self, cell, weights, X, Y):
        super().__init__(cell, weights, X, Y)
        vocab_size, num_hiddens, dtype = len(weights[0]), len(weights[1]), weights[0].dtype
        kinds = {"tanh": mxnet.gluon.rnn.RNN, "gru": mxnet.gluon.rnn.GRU, "lstm": mxnet.gluon.rnn.LSTM}
        activation = {"activation": "tanh"} if cell == "tanh" else {}
        self.rnn = kinds[cell](num_hiddens, input_size=vocab_size, dtype=dtype, **activation)
        self.out = mxnet.gluon.nn.Dense(vocab_size, in_units=num_hiddens, flatten=False, dtype=dtype)
        for layer in (self.rnn, self.out):
            layer.initialize(mxnet.init.Zero())
        self.parameters = [*self.rnn.collect_params().values(), *self.out.collect_params().values()]
        for parameter, value in zip(self.parameters, to_layer(weights), strict=True):
            parameter.grad_req = "add"
            parameter.set_data(np.array(value, dtype=dtype))
        self.state = self.rnn.begin_state(X.shape[1], dtype=dtype)

    def run(self, xi):
        d2lutil.zero_gradients(self.parameters)
        state, total = self.state, 0.0
        for start, stop in d2lutil.segments(xi):
            state = [part.detach() for part in state]
            with autograd.record():
                states = []
                for a, b in pieces(xi[start:stop] != 1):
                    state = [d2lutil.carry(part, xi[start + a]) for part in state]
                    H, state = self.rnn(self.X[start + a : start + b], state)
                    states.append(H)
                O = self.out(np.concatenate(states) if len(states) > 1 else H)
                loss = -npx.pick(npx.log_softmax(O), self.Y[start:stop]).sum()
            loss.backward()
            total += float(loss)
        return total

    def gradients(self):
        return from_layer(self.cell, [parameter.grad().asnumpy() for parameter in self.parameters])


CONTESTANTS = [Package, Gluon, Loop]
