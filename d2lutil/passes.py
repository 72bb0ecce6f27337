"""The two passes over a text by hand: ξ is one factor a step, and segments go back side by side."""

import numpy

from d2lutil.truncation import pieces

ROWS_AT_ONCE = 1024  # predictions whose gradients are in flight together: they should fit a core's cache
STATES_AT_ONCE = 4096  # short segments are grouped up to this many predictions


def run(weights, X, Y, h, xi, states):
    """Return the summed loss, the gradients of W_xh, W_hh, b_h, W_hq, b_q, and the last state.

    Parameters
    ----------
    weights : list of arrays
        In the order above.
    X, Y : int arrays ``(num_steps, batch_size)``
    h : ``(batch_size, num_hiddens)``
        The state before the first step.
    xi : ``(num_steps,)``
        The truncation scheme.
    states : callable
        ``states(X, h)`` returns the states ``(num_steps, batch_size, num_hiddens)``.
    """
    gradients, loss = [numpy.zeros_like(weight) for weight in weights], 0.0
    with numpy.errstate(over="ignore", invalid="ignore"):  # an exploding gradient is a result
        for segments in groups(xi, X.shape[1]):
            begin, end = segments[0][0], segments[-1][1]
            H = states(X[begin:end], h)
            inside = [(start - begin, stop - begin) for start, stop in segments]
            arrays = (X[begin:end], Y[begin:end], h, H, xi[begin:end])
            loss += backward(weights, gradients, *arrays, inside)
            h = H[-1]
    return loss, gradients, h


def groups(xi, batch_size):
    """Return runs of whole segments, each a list of ``(start, stop)``.

    Segments that together hold at most ``STATES_AT_ONCE`` predictions share a run; a longer one is alone.
    """
    runs = []
    for start, stop in pieces(xi == 0):
        if runs and (stop - runs[-1][0][0]) * batch_size <= STATES_AT_ONCE:
            runs[-1].append((start, stop))
        else:
            runs.append([(start, stop)])
    return runs


def forward(weights, X, h):
    """Return the states h_t = tanh(W_xh[x_t] + h_{t-1} W_hh + b_h) of all steps as one array."""
    W_xh, W_hh, b_h = weights[:3]
    H = (W_xh + b_h).take(X, axis=0)
    for A in H:
        A += numpy.dot(h, W_hh)
        h = numpy.tanh(A, out=A)
    return H


def backward(weights, gradients, X, Y, h, H, xi, segments):
    """Add the gradients to those that are there and return the summed loss.

    No gradient crosses a cut, so the segments' last steps can go back together, then the ones
    before, and so on: one larger matrix product instead of many small ones. H holds the states, and
    ``segments`` the scheme's.
    """
    W_hh_T, W_hq_T = (numpy.ascontiguousarray(weights[i].T) for i in (1, 3))
    starts, stops = numpy.array(sorted(segments, key=lambda s: s[0] - s[1])).T  # longest first
    lengths = stops - starts
    # how many segments are longer than p steps, for p = 0, 1, …
    active = (len(starts) - numpy.cumsum(numpy.bincount(lengths)))[:-1]
    returned, loss, last = H[0, :0], 0.0, len(active)
    while last:
        first = _first(active, last, X.shape[1])
        if len(starts) == 1:
            steps = numpy.arange(first, last)
            now, x, y = H[first:last], X[first:last], Y[first:last]  # as they lie
        else:
            p = numpy.arange(first, last)[:, None]
            steps = (starts[: active[first]] + p)[lengths[: active[first]] > p]
            now, x, y = H.take(steps, axis=0), X[steps], Y[steps]
        now, x, y = (a.reshape(-1, *a.shape[2:]) for a in (now, x, y))
        part, dA = _output(weights, gradients, now, y, W_hq_T)
        loss += part
        returned = _recurrence(dA, now, returned, active[first:last], first, xi[steps], W_hh_T)
        one_hot = numpy.zeros((len(x), len(weights[0])), dA.dtype)
        one_hot[numpy.arange(len(x)), x] = 1
        dW_xh = one_hot.T @ dA
        gradients[0] += dW_xh
        gradients[1] += _before(H, h, steps, len(starts)).T @ dA
        gradients[2] += dW_xh.sum(axis=0)  # each row of one_hot holds a single 1
        last = first
    return loss


def _before(H, h, steps, num_segments):
    """Return the states before the given steps, one row a prediction."""
    if num_segments == 1 and steps[0]:
        before = H[steps[0] - 1 : steps[-1]]  # as they lie
    else:
        before = H.take(steps - 1, axis=0)
        before[steps == 0] = h
    return before.reshape(-1, H.shape[2])


def _first(active, last, batch_size):
    """Return the first of the positions before ``last`` that together hold ROWS_AT_ONCE predictions."""
    rows = numpy.cumsum(active[last - 1 :: -1][:ROWS_AT_ONCE]) * batch_size
    return last - max(1, int(numpy.searchsorted(rows, ROWS_AT_ONCE, side="right")))


def _output(weights, gradients, H, y, W_hq_T):
    """Add the gradients of W_hq and b_q; return the summed loss and the gradient at the states."""
    rows = numpy.arange(len(y))
    # l = log Σ exp(o) - o_y, so ∂l/∂o = softmax(o) - one-hot(y)
    O = H @ weights[3] + weights[4]
    O -= O.max(axis=1, keepdims=True)
    chosen = O[rows, y]
    dO = numpy.exp(O, out=O)
    total = dO.sum(axis=1, keepdims=True)
    loss = float((numpy.log(total[:, 0]) - chosen).sum(dtype="float64"))
    dO /= total
    dO[rows, y] -= 1
    gradients[3] += H.T @ dO
    gradients[4] += dO.sum(axis=0)
    return loss, dO @ W_hq_T


def _recurrence(dA, H, returned, active, first, xi, W_hh_T):
    """Turn the gradients at the states into those at the arguments of tanh, position by position.

    dA_t = (1 - h_t²)(∂l_t/∂h_t + ξ_{t+1} dA_{t+1} W_hhᵀ). Returns what the first of these positions
    hands to the one before.
    """
    batch_size, stop, slope = len(H) // len(xi), len(xi), H * H
    numpy.subtract(1, slope, out=slope)
    ones = numpy.logical_and.reduceat(xi == 1, numpy.cumsum(active) - active)
    for p in reversed(range(len(active))):
        start = stop - active[p]
        rows = slice(start * batch_size, stop * batch_size)
        dA_p = dA[rows]
        dA_p[: len(returned)] += returned
        dA_p *= slope[rows]
        if first + p:  # position 0 follows a cut
            returned = numpy.dot(dA_p, W_hh_T)
            if not ones[p]:
                returned *= numpy.repeat(xi[start:stop].astype(dA.dtype), batch_size)[:, None]
        stop = start
    return returned
