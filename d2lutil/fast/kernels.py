"""The equations of the cells for many rows at once, written into memory that is already there.

They are those of :mod:`d2lutil.cells`, which a reader should see first. Forward, a kernel reads a text step
by step and keeps what the backward pass needs in rings: arrays ``(capacity, batch_size, width)`` in
which step t has the place ``t % capacity``. Backward, it first computes for a whole block of rows every
factor that does not depend on the arriving gradient; a few products remain for each position.
"""

from abc import ABC, abstractmethod

import numpy

from d2lutil.fast.products import Factor

__all__ = ["KERNELS"]


def columns(A, number):
    """Return equal parts of an array's columns, as views."""
    width = A.shape[1] // number
    return [A[:, start : start + width] for start in range(0, A.shape[1], width)]


class Kernel(ABC):
    """What the kernels share: rings whose last ``parts`` hold the state, and the weight gradients.

    ``widths`` are the widths of the rings in units of num_hiddens.
    """

    widths, parts = (1,), 1

    def __init__(self, params):
        self.W_hh, self.num_hiddens = params[1], len(params[1])
        scale = self.gate_scale()
        self.inputs = (params[0] + params[2]) * scale
        self.forth, self.back = Factor(self.W_hh * scale), Factor(self.W_hh.T)

    def gate_scale(self):
        """Return the factors of the arguments: 1/2 for gates, because sigmoid(x) = (1 + tanh(x/2))/2."""
        return self.W_hh.dtype.type(1)

    def rings(self, capacity, batch_size):
        """Return the rings, not initialized."""
        widths = [width * self.num_hiddens for width in self.widths]
        return [numpy.empty((capacity, batch_size, width), self.W_hh.dtype) for width in widths]

    def forward(self, rings, X, begins, first):
        """Read the steps ``first``, … from the states that the rings hold before them."""
        capacity, stop = len(rings[0]), first + len(X)
        before = [ring[(first - 1) % capacity] for ring in rings[-self.parts :]]
        work = [numpy.empty_like(ring[0]) for ring in rings]
        while first < stop:  # as far as the rings go, then from their first place on
            place, number = first % capacity, min(stop - first, capacity - first % capacity)
            run = [ring[place : place + number] for ring in rings]
            self.inputs.take(X[-(stop - first) :][:number], axis=0, out=run[0], mode="clip")
            for t, after in enumerate(zip(*run, strict=True), start=first):
                if begins is not None and begins[t].any():
                    before = [numpy.where(begins[t][:, None], 0, part) for part in before]
                self.step(before, after, work)
                before = after[-self.parts :]
            first += number

    @abstractmethod
    def step(self, before, after, work):
        """Compute a step from the states before it into ``after``, whose first part holds the inputs."""

    @abstractmethod
    def factors(self, kept, before):
        """Return what the gradients of a block of rows are multiplied with; ``kept`` may be overwritten."""

    @abstractmethod
    def step_back(self, factors, rows, dH, returned, at_begin):
        """Return the gradients at the states before some rows, ready for ξ; nothing ``at_begin``.

        ``dH`` holds the gradients at h; ``returned`` is what the position after returned.
        """

    @abstractmethod
    def arguments(self, factors, dH):
        """Return the gradients at the arguments of the gates, once all positions have gone back."""

    def add_weight_gradients(self, gradients, one_hot, h, dA):
        """Add the gradients of W_xh, W_hh and b_h; ``dA`` holds those at the arguments of the cell."""
        dW_xh = one_hot.T @ dA
        gradients[0] += dW_xh
        gradients[1] += h.T @ dA
        gradients[2] += dW_xh.sum(axis=0)  # each row of one_hot holds a single 1


class TanhKernel(Kernel):
    """Ring: h."""

    def step(self, before, after, work):
        A = after[0]
        A += self.forth(before[0], work[0])
        numpy.tanh(A, out=A)

    def factors(self, kept, before):
        slope = kept[0] * kept[0]
        return [numpy.subtract(1, slope, out=slope)]

    def step_back(self, factors, rows, dH, returned, at_begin):
        dA = dH[rows]
        dA *= factors[0][rows]
        return [] if at_begin else [self.back(dA, numpy.empty_like(dA))]

    def arguments(self, factors, dH):
        return dH


class LSTMKernel(Kernel):
    """Rings: the gates i, f, g, o side by side; h; c. The state is (h, c)."""

    widths, parts = (4, 1, 1), 2

    def gate_scale(self):
        return numpy.repeat([0.5, 0.5, 1, 0.5], self.num_hiddens).astype(self.W_hh.dtype)

    def step(self, before, after, work):
        (h_before, c_before), (A, h, c), n = before, after, self.num_hiddens
        A += self.forth(h_before, work[0])
        numpy.tanh(A, out=A)
        for gates in (A[:, : 2 * n], A[:, 3 * n :]):
            gates *= 0.5
            gates += 0.5
        i, f, g, o = columns(A, 4)
        numpy.multiply(f, c_before, out=c)
        c += numpy.multiply(i, g, out=work[1])
        numpy.tanh(c, out=h)
        h *= o

    def factors(self, kept, before):
        """Return, for the rows of a block, what dc and dh multiply: of the gates, of c, and of c before."""
        A, _, c = kept
        i, f, g, o = columns(A, 4)
        tanh_c = numpy.tanh(c, out=c)
        forget = f.copy()
        o_tanh, i_g = o * tanh_c, i * g
        through = o - o_tanh * tanh_c
        numpy.multiply(o_tanh, 1 - o, out=o)
        numpy.multiply(f, 1 - f, out=f)
        f *= before[1]
        g_factor = i - i_g * g
        numpy.multiply(i_g, 1 - i, out=i)
        g[:] = g_factor
        return [A, through, forget]

    def step_back(self, factors, rows, dH, returned, at_begin):
        A, through, forget = (factor[rows] for factor in factors)
        dh = dH[rows]
        dc = dh * through
        if returned:
            dc[: len(returned[1])] += returned[1]
        gates = A.reshape(len(A), 4, -1)
        gates[:, :3] *= dc[:, None]
        gates[:, 3] *= dh
        if at_begin:
            return []
        dc *= forget
        return [self.back(A, numpy.empty_like(dc)), dc]

    def arguments(self, factors, dH):
        return factors[0]


class GRUKernel(Kernel):
    """Rings: the gates r, z, n side by side; q = h W_hn + b_hn; h."""

    widths, parts = (3, 1, 1), 1

    def __init__(self, params):
        super().__init__(params)
        self.b_hn = params[3]

    def gate_scale(self):
        return numpy.repeat([0.5, 0.5, 1], self.num_hiddens).astype(self.W_hh.dtype)

    def step(self, before, after, work):
        (h_before,), (A, q, h), n = before, after, self.num_hiddens
        product = self.forth(h_before, work[0])
        gates, new = A[:, : 2 * n], A[:, 2 * n :]
        gates += product[:, : 2 * n]
        numpy.tanh(gates, out=gates)
        gates *= 0.5
        gates += 0.5
        numpy.add(product[:, 2 * n :], self.b_hn, out=q)
        new += numpy.multiply(gates[:, :n], q, out=h)
        numpy.tanh(new, out=new)
        numpy.subtract(h_before, new, out=h)
        h *= gates[:, n:]
        h += new

    def factors(self, kept, before):
        """Return what dh multiplies: of r, z, q and n side by side; and z."""
        A, q, _ = kept
        r, z, n = columns(A, 3)
        dn = (1 - z) * (1 - n * n)
        dr, dz = dn * q * r * (1 - r), (before[0] - n) * z * (1 - z)
        return [numpy.concatenate([dr, dz, dn * r, dn], axis=1), z]

    def step_back(self, factors, rows, dH, returned, at_begin):
        all_four, z = (factor[rows] for factor in factors)
        dh = dH[rows]
        gates = all_four.reshape(len(dh), 4, -1)
        gates *= dh[:, None]
        if at_begin:
            return []
        before = self.back(all_four[:, : 3 * self.num_hiddens], numpy.empty_like(dh))
        before += dh * z
        return [before]

    def arguments(self, factors, dH):
        return factors[0]

    def add_weight_gradients(self, gradients, one_hot, h, dA):
        n = self.num_hiddens
        dW = one_hot.T @ dA
        inputs = numpy.concatenate([dW[:, : 2 * n], dW[:, 3 * n :]], axis=1)
        gradients[0] += inputs
        gradients[1] += h.T @ dA[:, : 3 * n]
        gradients[2] += inputs.sum(axis=0)
        gradients[3] += dW[:, 2 * n : 3 * n].sum(axis=0)


KERNELS = {"tanh": TanhKernel, "gru": GRUKernel, "lstm": LSTMKernel}
