"""The gradient of a text, strand by strand."""

import numpy

STATES_AT_ONCE = 4096  # the text is read in groups of about as many predictions
ROWS_AT_ONCE = 1024  # predictions whose gradients are in flight together: they should fit a core's cache


def run(kernel, params, X, Y, state, xi, begins, weights):
    """Return the summed loss, the gradients of the parameters, and the last state.

    Parameters
    ----------
    kernel : Kernel
        Of the cell, made from ``params``; threads may share it.
    params : list of arrays
        As ``net.parameters()`` orders them.
    X, Y : int arrays ``(num_steps, batch_size)``
    state : list of arrays ``(batch_size, num_hiddens)``
        ``[h]``, or ``[h, c]``: the state before the first step.
    xi : ``(num_steps,)`` or ``(num_steps, batch_size)``
    begins : bool ``(num_steps, batch_size)`` or None
    weights : ``(num_steps, batch_size)`` or None
    """
    gradients, loss = [numpy.zeros_like(p) for p in params], 0.0
    cut = (xi if xi.ndim == 2 else xi[:, None]) == 0
    cut = cut if begins is None else cut | begins
    size = max(1, STATES_AT_ONCE // X.shape[1])
    capacity = 1 + max(stop - low for _, stop, low, _ in _groups(cut, size))
    rings = kernel.rings(capacity, X.shape[1])
    for ring, part in zip(rings[-kernel.parts :], state, strict=True):
        ring[-1] = part  # the place before step 0
    output, arrays = _Output(params, gradients), (X, Y, xi, begins, weights)
    with numpy.errstate(over="ignore", invalid="ignore"):  # an exploding gradient is a result
        for start, stop, _, strands in _groups(cut, size):
            kernel.forward(rings, X[start:stop], begins, start)
            if cut.shape[1] < X.shape[1]:  # the columns share their cuts
                strands = _in_all_columns(strands, X.shape[1])
            loss += _backward(kernel, output, rings, strands, *arrays)
    last = (len(X) - 1) % capacity
    return loss, gradients, [ring[last].copy() for ring in rings[-kernel.parts :]]


def _groups(cut, size):
    """Yield ``(start, stop, low, strands)`` of each group of steps.

    A group ends at the last cut that all columns share within ``size`` steps, else after ``size`` steps.
    ``low`` is the first step of a strand that is unfinished at its start or begins in it; ``strands``, of
    those that end in it, are the arrays ``(starts, lengths, columns)``, longest first; of one column in
    ``cut`` where all columns are alike.
    """
    num_steps = len(cut)
    shared = numpy.concatenate([[0], numpy.flatnonzero(cut.all(axis=1)), [num_steps]])
    open_since, start = numpy.zeros(cut.shape[1], int), 0
    while start < num_steps:
        found = shared[numpy.searchsorted(shared, start + size, side="right") - 1]
        stop = int(found) if found > start else min(start + size, num_steps)
        low = int(open_since.min())
        ends = cut[start + 1 : stop + 1]
        if stop == num_steps:
            ends = numpy.concatenate([ends, numpy.ones((1, cut.shape[1]), bool)])
        columns, stops = numpy.nonzero(ends.T)
        stops += start + 1
        starts = numpy.empty_like(stops)
        starts[1:] = stops[:-1]
        first = numpy.flatnonzero(numpy.diff(columns, prepend=-1))
        starts[first] = open_since[columns[first]]
        open_since[columns] = stops  # of several of a column the last
        order = numpy.argsort(starts - stops, kind="stable")
        yield start, stop, low, (starts[order], (stops - starts)[order], columns[order])
        start = stop


def _in_all_columns(strands, batch_size):
    """Return the strands of a batch whose columns are all cut like the one given."""
    starts, lengths, columns = strands
    each = numpy.tile(numpy.arange(batch_size), len(columns))
    return numpy.repeat(starts, batch_size), numpy.repeat(lengths, batch_size), each


def _backward(kernel, output, rings, strands, X, Y, xi, begins, weights):
    """Add the gradients of strands to those that are there and return their summed loss."""
    starts, lengths, columns = strands
    if not len(starts):
        return 0.0
    batch_size, capacity, loss = X.shape[1], len(rings[0]), 0.0
    # how many strands are longer than p steps, for p = 0, 1, …
    active = (len(starts) - numpy.cumsum(numpy.bincount(lengths)))[:-1]
    flat = [ring.reshape(-1, ring.shape[2]) for ring in rings]
    returned, last = [], len(active)
    while last:
        first = _first(active, last)
        p = numpy.arange(first, last)[:, None]
        alive = lengths[: active[first]] > p
        steps = (starts[: active[first]] + p)[alive]
        column = numpy.broadcast_to(columns[: active[first]], alive.shape)[alive]
        now = steps % capacity * batch_size + column
        before = (steps - 1) % capacity * batch_size + column
        kept = [ring.take(now, axis=0) for ring in flat]
        before = [ring.take(before, axis=0) for ring in flat[-kernel.parts :]]
        if first == 0 and begins is not None:
            fresh = numpy.flatnonzero(begins[steps[: active[0]], column[: active[0]]])
            for part in before:
                part[fresh] = 0
        weight = None if weights is None else weights[steps, column]
        part, dH = output(kept[-kernel.parts], Y[steps, column], weight)
        loss += part
        passed = (xi[steps] if xi.ndim == 1 else xi[steps, column]).astype(dH.dtype)[:, None]
        if (passed == 1).all():
            passed = None
        factors = kernel.factors(kept, before)
        returned = _positions(kernel, factors, dH, returned, active[first:last], passed, first == 0)
        one_hot = numpy.zeros((len(steps), len(kernel.inputs)), dH.dtype)
        one_hot[numpy.arange(len(steps)), X[steps, column]] = 1
        kernel.add_weight_gradients(output.gradients, one_hot, before[0], kernel.arguments(factors, dH))
        last = first
    return loss


def _first(active, last):
    """Return the first of the positions before ``last`` that together hold ROWS_AT_ONCE rows."""
    rows = numpy.cumsum(active[last - 1 :: -1][:ROWS_AT_ONCE])
    return last - max(1, int(numpy.searchsorted(rows, ROWS_AT_ONCE, side="right")))


def _positions(kernel, factors, dH, returned, active, passed, begins):
    """Go back through the positions of a block; return what its first hands to the position before."""
    stop = len(dH)
    for number in reversed(range(len(active))):
        start = stop - active[number]
        rows = slice(start, stop)
        if returned:
            dH[start : start + len(returned[0])] += returned[0]
        at_begin = begins and not number  # nothing returns from the first step of a strand
        returned = kernel.step_back(factors, rows, dH, returned, at_begin)
        if passed is not None:
            for part in returned:
                part *= passed[rows]
        stop = start
    return returned


class _Output:
    """The layer O = h W_hq + b_q and the cross-entropy, forward and backward."""

    def __init__(self, params, gradients):
        self.W_hq, self.b_q = params[-2:]
        self.W_hq_T, self.gradients = numpy.ascontiguousarray(self.W_hq.T), gradients

    def __call__(self, H, y, weight):
        """Add the gradients of W_hq and b_q; return the summed loss and the gradient at the states."""
        rows = numpy.arange(len(y))
        # l = log Σ exp(o) - o_y, so ∂l/∂o = softmax(o) - one-hot(y)
        O = H @ self.W_hq + self.b_q
        O -= O.max(axis=1, keepdims=True)
        chosen = O[rows, y]
        dO = numpy.exp(O, out=O)
        total = dO.sum(axis=1, keepdims=True)
        losses = (numpy.log(total[:, 0]) - chosen).astype("float64")
        dO /= total
        dO[rows, y] -= 1
        if weight is not None:
            dO *= weight.astype(dO.dtype)[:, None]
            dO[weight == 0], losses[weight == 0] = 0, 0
            losses *= weight
        self.gradients[-2] += H.T @ dO
        self.gradients[-1] += dO.sum(axis=0)
        return float(losses.sum()), dO @ self.W_hq_T
