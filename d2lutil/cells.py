"""The cells: one step of each, forward and backward, as formulas on rows.

A state is a list of arrays ``(batch_size, num_hiddens)``: ``[h]``, or ``[h, c]`` for the LSTM. Forward,
a cell reads the characters ``x`` and returns the next state and what its backward step needs. Backward,
``delta`` is the gradient of the loss at the next state, part by part; a cell returns the gradient at the
state before, and that at the arguments of its gates, ``(batch_size, gates · num_hiddens)``. For the GRU the
latter is two arrays, of what the input adds and of what the hidden state adds.
"""

import numpy

__all__ = ["CELLS"]


def tanh_forward(params, x, state):
    """Return h' = tanh(W_xh[x] + h W_hh + b_h), Elman's (1990) cell."""
    W_xh, W_hh, b_h = params
    h = numpy.tanh(W_xh[x] + state[0] @ W_hh + b_h)
    return [h], [h]


def tanh_backward(params, before, kept, delta):
    """Return δ diag(1 - h'²) W_hhᵀ, and δ diag(1 - h'²)."""
    _, W_hh, _ = params
    dA = delta[0] * (1 - kept[0] ** 2)
    return [dA @ W_hh.T], dA


def lstm_forward(params, x, state):
    """Return h' = o tanh(c') and c' = f c + i g (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    i, f, g, o are W_xh[x] + h W_hh + b_h, cut into four; then tanh for g, and sigmoid for the others.
    """
    (W_xh, W_hh, b_h), (h, c) = params, state
    i, f, g, o = numpy.split(W_xh[x] + h @ W_hh + b_h, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), numpy.tanh(g), sigmoid(o)
    c = f * c + i * g
    return [o * numpy.tanh(c), c], [i, f, g, o, numpy.tanh(c)]


def lstm_backward(params, before, kept, delta):
    """Return the gradients at h and c before the step, and at the arguments of i, f, g, o."""
    (_, W_hh, _), (i, f, g, o, tanh_c), (dh, dc) = params, kept, delta
    dc = dc + dh * o * (1 - tanh_c**2)
    di, df, dg, do = dc * g, dc * before[1], dc * i, dh * tanh_c
    dA = [di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)]
    dA = numpy.concatenate(dA, axis=1)
    return [dA @ W_hh.T, dc * f], dA


def gru_forward(params, x, state):
    """Return h' = (1 - z) n + z h with n = tanh(W_xn[x] + b_n + r (h W_hn + b_hn)).

    r and z are sigmoid(W_x[x] + h W_h + b). It is the variant of cuDNN, after Cho et al. (2014): the reset
    acts behind the product.
    """
    (W_xh, W_hh, b_h, b_hn), (h,) = params, state
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (numpy.split(A, 3, axis=1) for A in (W_xh[x] + b_h, h @ W_hh))
    r, z, q = sigmoid(x_r + h_r), sigmoid(x_z + h_z), h_n + b_hn
    n = numpy.tanh(x_n + r * q)
    return [(1 - z) * n + z * h], [r, z, n, q]


def gru_backward(params, before, kept, delta):
    """Return the gradient at h before the step, and at the arguments of r, z, n."""
    (_, W_hh, _, _), (r, z, n, q), (dh,), (h,) = params, kept, delta, before
    dn = dh * (1 - z) * (1 - n**2)
    dr, dz, dq = dn * q * r * (1 - r), dh * (h - n) * z * (1 - z), dn * r
    inputs, hidden = (numpy.concatenate([dr, dz, last], axis=1) for last in (dn, dq))
    return [dh * z + hidden @ W_hh.T], inputs, hidden


def sigmoid(x):
    """Return 1/(1 + exp(-x)), as (1 + tanh(x/2))/2, which cannot overflow."""
    return 0.5 + 0.5 * numpy.tanh(0.5 * x)


def parameter_gradients(params, x, h, dA):
    """Return the gradients of W_xh, W_hh, b_h from that at the arguments; h is the state before."""
    dW_xh = numpy.zeros_like(params[0])
    numpy.add.at(dW_xh, x, dA)  # column b added row x[b] of W_xh
    return [dW_xh, h.T @ dA, dA.sum(axis=0)]


def gru_parameter_gradients(params, x, h, inputs, hidden):
    """Return the gradients of W_xh, W_hh, b_h, b_hn; b_hn is added to the last third of h W_hh."""
    W_xh, _, b_h = parameter_gradients(params, x, h, inputs)
    return [W_xh, h.T @ hidden, b_h, hidden[:, -h.shape[1] :].sum(axis=0)]


CELLS = {
    "tanh": (tanh_forward, tanh_backward, parameter_gradients),
    "gru": (gru_forward, gru_backward, gru_parameter_gradients),
    "lstm": (lstm_forward, lstm_backward, parameter_gradients),
}
