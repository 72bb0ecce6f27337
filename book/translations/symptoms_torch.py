"""The mistakes of ``detach-clinic.ipynb`` in PyTorch."""

import torch
from symptoms import (
    CHUNKS,
    H0,
    LSTM,
    PARAMS,
    PI,
    SEGMENTS,
    TARGET,
    TAU,
    W,
    X,
    Y,
    h0,
    register,
)
from torch import float64
from torch.nn.functional import cross_entropy

X, Y, TARGET = map(torch.tensor, (X, Y, TARGET))
CASES, case = register()


def fresh(values=PARAMS):
    """Return new parameters."""
    return [
        torch.tensor(v, dtype=float64, requires_grad=True) for v in values
    ]


def grads(params):
    """Return what has been added up in the parameters."""
    return [p.grad.numpy().copy() for p in params]


def step(params, h, t):
    """Return the next state and its loss."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    h = torch.tanh(W_xh[X[t]] + h @ W_hh + b_h)
    return h, cross_entropy(h @ W_hq + b_q, Y[t], reduction="sum")


def chunk_loss(params, h, chunk, inside=None):
    """Return the loss of a chunk, and its last state."""
    L = 0
    for t in chunk:
        h = inside(h, t) if inside else h
        h, l_t = step(params, h, t)
        L = L + l_t
    return L, h


def detached(h):
    """Cut."""
    return h.detach()


def kept(h):
    """Cut nothing."""
    return h


def dropping(h):
    """Drop the result of detach."""
    h.detach()
    return h


def first_border():
    """Return a function that cuts the first of the two borders alone."""
    turns = iter([False, True, False])
    return lambda h: h.detach() if next(turns) else h


def loop(hand_on=detached, chunks=CHUNKS, retain=False, inside=None):
    """Return the gradients of a loop of chunks, added up."""
    params, h = fresh(), torch.tensor(h0)
    for chunk in chunks:
        L, h = chunk_loss(params, hand_on(h), chunk, inside)
        L.backward(retain_graph=retain)
    return grads(params)


class Frozen:
    """In an optimizer's place: add the gradients up and move nothing."""

    def __init__(self, params):
        self.params = params
        self.total = [torch.zeros_like(p) for p in params]

    def zero_grad(self):
        """Zero them as an optimizer does."""
        for p in self.params:
            p.grad = None

    def step(self):
        """Add."""
        for total, p in zip(self.total, self.params, strict=True):
            total += p.grad


def train(params, optimizer, hand_on=detached, retain=False):
    """Run the usual loop, an update a chunk; return what was used."""
    h, used = torch.tensor(h0), [0] * 5
    for chunk in CHUNKS:
        optimizer.zero_grad()
        L, h = chunk_loss(params, hand_on(h), chunk)
        L.backward(retain_graph=retain)
        pairs = zip(used, params, strict=True)
        used = [u + p.grad for u, p in pairs]
        optimizer.step()
    return used


@case
def frozen():
    """Put the accumulator in the optimizer's place: no mistake."""
    params = fresh()
    optimizer = Frozen(params)
    train(params, optimizer)
    return [total.numpy() for total in optimizer.total], loop()


@case
def moving():
    """Judge a right loop while its optimizer moves the weights."""
    params = fresh()
    used = train(params, torch.optim.SGD(params, lr=0.01))
    return [u.numpy() for u in used[3:]], loop()[3:]


@case
def none():
    """Hand the state on with its record."""
    return loop(kept), loop()


@case
def none_copy():
    """Hand on a copy of it."""
    return loop(lambda h: h * 1.0), loop()


@case
def none_retained():
    """Hand it on, and retain the record."""
    return loop(kept, retain=True), loop()


@case
def none_updated():
    """Do so, and update the weights after each chunk."""

    def run(hand_on):
        params = fresh()
        sgd = torch.optim.SGD(params, lr=0.01)
        return [u.numpy() for u in train(params, sgd, hand_on, retain=True)]

    return run(kept), run(detached)


@case
def first_only():
    """Cut the first border alone, and retain the record."""
    return loop(first_border(), retain=True), loop()


@case
def dropped():
    """Drop the result of detach."""
    return loop(dropping), loop()


@case
def dropped_retained():
    """Drop it, and retain the record."""
    return loop(dropping, retain=True), loop()


@case
def in_place():
    """Use detach_ inside one record, on a state whose loss is to come."""
    params, h, states = fresh(), torch.tensor(h0), []
    for t in range(len(X)):
        if t % TAU == 0:
            h.detach_()
        h, _ = step(params, h, t)
        states.append(h)
    logits = torch.stack(states) @ params[3] + params[4]
    cross_entropy(
        logits.flatten(0, 1), Y.flatten(), reduction="sum"
    ).backward()
    return grads(params), loop()


@case
def in_place_exit():
    """Take the exit of that loop."""
    found, right = in_place()
    return found[3:], right[3:]


@case
def in_place_border():
    """Use detach_ at the border, after the backward pass: no mistake."""
    return loop(lambda h: h.detach_()), loop()


@case
def written():
    """Write into a detached state while its record is in use."""

    def run(write):
        params = fresh()
        h, L = step(params, torch.tensor(h0), 0)
        if write:
            h.detach()[1] = 0
        L.backward()
        return grads(params)

    return run(True), run(False)


@case
def rows():
    """Detach one row of the state in place."""

    def inside(h, t):
        if t == 2:
            h[1] = h[1].detach()
        return h

    return loop(inside=inside), loop()


@case
def rows_masked():
    """Detach one row by a mask: no mistake, compared with no such cut."""
    row = torch.tensor([[False], [True], [False]])

    def inside(h, t):
        return torch.where(row, h.detach(), h) if t == 2 else h

    return loop(inside=inside), loop()


def losses(params):
    """Yield the loss of each step of one record."""
    h = torch.tensor(h0)
    for t in range(len(X)):
        h, l_t = step(params, h, t)
        yield l_t


@case
def each_after():
    """Go back from each loss, when all are recorded."""
    params = fresh()
    for l_t in list(losses(params)):
        l_t.backward()
    return grads(params), loop(chunks=[range(12)])


@case
def each_inside():
    """Go back from each loss at once, and go on with the state."""
    params = fresh()
    for l_t in losses(params):
        l_t.backward()
    return grads(params), loop(chunks=[range(12)])


def moved(part):
    """Move a part of a weight between two passes over one record."""
    w = torch.tensor(3.0, requires_grad=True)
    h = w * (w * 1.0)
    h.backward(retain_graph=True)
    w.grad = None
    with torch.no_grad():
        part(w).add_(2)
    (w * h).backward()
    return [w.grad.numpy()], [3**2 + 2 * 5 * 3]


@case
def stale():
    """Update between two backward passes over one record."""
    return moved(lambda w: w)


@case
def stale_data():
    """Make that update through .data."""
    return moved(lambda w: w.data)


@case
def no_record():
    """Compute the loss outside of the record."""
    params = fresh()
    with torch.no_grad():
        L = sum(losses(params))
    L.backward()
    return grads(params), loop(chunks=[range(12)])


@case
def through_numpy():
    """Clip the state by NumPy inside a chunk."""

    def inside(h, t):
        return torch.tensor(h.numpy().clip(-5, 5)) if t % TAU else h

    return loop(inside=inside), loop()


@case
def through_numpy_detached():
    """Do so, with the detach that the message proposes."""

    def inside(h, t):
        clipped = h.detach().numpy().clip(-5, 5)
        return torch.tensor(clipped) if t % TAU else h

    return loop(inside=inside), loop()


@case
def not_zeroed():
    """Do nothing about gradients between chunks; one update for all."""
    return loop(), [sum(g) for g in zip(*map(alone, range(3)), strict=True)]


def alone(k):
    """Return the gradients of one chunk of the usual loop."""
    params, h = fresh(), torch.tensor(h0)
    with torch.no_grad():
        _, h = chunk_loss(params, h, range(k * TAU))
    chunk_loss(params, h, CHUNKS[k])[0].backward()
    return grads(params)


@case
def not_zeroed_updates():
    """Do nothing about them, and use them after each chunk."""
    return loop(), alone(2)  # what is there when the last update is made


@case
def twice():
    """Start each pass from all losses of the look-back, (k1, k2) = (2, 4)."""
    return passes(only_new=False), passes()


def passes(k1=2, k2=4, only_new=True):
    """Go back k2 steps every k1 steps."""
    params, states = fresh(), [torch.tensor(h0)]
    for start in range(0, len(X), k1):
        first = max(start + k1 - k2, 0)
        h, L = states[first].detach(), 0
        for t in range(first, start + k1):
            h, l_t = step(params, h, t)
            if t >= start:
                states.append(h.detach())
            L = L + l_t if t >= start or not only_new else L
        L.backward()
    return grads(params)


@case
def state_gradients():
    """Go back by hand from state to state, and never zero their gradients."""
    w, states = fresh([W])[0], [(None, torch.tensor(H0, dtype=float64))]
    for _ in range(3):
        h = states[-1][1].detach().requires_grad_()
        states.append((h, w * h))
        w.grad = None
        states[-1][1].backward(retain_graph=True)
        for k in range(len(states) - 1, 1, -1):
            g = states[k][0].grad
            states[k - 1][1].backward(g, retain_graph=True)
    return [w.grad.numpy()], [3 * W**2 * H0]


@case
def split():
    """Give the length of a chunk to a function that takes a number."""
    parts = torch.tensor_split(torch.arange(len(X)), TAU)
    meant = torch.arange(len(X)).split(TAU)  # takes a length
    return [
        loop(chunks=[part.tolist() for part in way]) for way in (parts, meant)
    ]


@case
def by_drawn_length():
    """Divide the loss of each segment by its drawn length."""

    def segments(weigh):
        params, h = fresh(), torch.tensor(h0)
        for segment in SEGMENTS:
            L, h = chunk_loss(params, h.detach(), segment)
            (L / weigh(segment)).backward()
        return grads(params)

    return segments(lambda s: len(s) * (1 - PI)), segments(lambda s: 1)


def first_states(optimizer, set_to_none=True, **options):
    """Train a first state that only the first chunk uses."""
    start, w = fresh([[0.0] * 3, [0.5] * 3])
    optimizer = optimizer([start, w], lr=0.1, **options)
    h, after = None, []
    for _ in range(3):
        optimizer.zero_grad(set_to_none)
        h = torch.tanh(w * (start + 0.1 if h is None else h.detach()) + 0.2)
        (h * h).sum().backward()
        optimizer.step()
        after.append(start.detach().numpy().copy())
    return [after[2]], [after[0]]


@case
def unused():
    """Do so by plain gradient descent."""
    return first_states(torch.optim.SGD)


@case
def unused_momentum():
    """Do so with momentum: without a gradient, a parameter is left alone."""
    return first_states(torch.optim.SGD, momentum=0.9)


@case
def unused_zero():
    """Do so, with gradients of 0 instead of none."""
    return first_states(torch.optim.SGD, set_to_none=False, momentum=0.9)


@case
def unused_adam():
    """Do so with Adam."""
    return first_states(torch.optim.Adam, set_to_none=False)


@case
def reset():
    """Begin every chunk from zero."""
    return loop(torch.zeros_like), loop()


def lstm_step(params, h, c, t):
    """Return the next h and c of an LSTM."""
    W_xh, W_hh, b_h = params
    gates = W_xh[X[t]] + h @ W_hh + b_h
    i, f, g, o = gates.chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def lstm(hand_on, retain=False):
    """Return the gradients of the same loop with an LSTM."""
    params = fresh(LSTM)
    h, c = torch.zeros(2, 3, 4, dtype=float64)
    for chunk in CHUNKS:
        (h, c), L = hand_on(h, c), 0
        for t in chunk:
            h, c = lstm_step(params, h, c, t)
            L = L + (h * TARGET[t]).sum()
        L.backward(retain_graph=retain)
    return grads(params)


def both(h, c):
    """Cut both halves."""
    return h.detach(), c.detach()


def one(h, c):
    """Cut one half."""
    return h.detach(), c


@case
def half():
    """Detach only h of an LSTM's state."""
    return lstm(one), lstm(both)


@case
def half_retained():
    """Detach only h, and retain the record."""
    return lstm(one, retain=True), lstm(both)


@case
def rows_lstm():
    """Detach one row of its state in place; the losses come at the end."""

    def assigned(s):
        s[1] = s[1].detach()
        return s

    def masked(s):
        row = torch.tensor([[False], [True], [False]])
        return torch.where(row, s.detach(), s)

    def run(cut):
        params, states = fresh(LSTM), []
        h, c = torch.zeros(2, 3, 4, dtype=float64)
        for t in range(len(X)):
            h, c = (cut(h), cut(c)) if t == TAU else (h, c)
            h, c = lstm_step(params, h, c, t)
            states.append(h)
        (torch.stack(states) * TARGET).sum().backward()
        return grads(params)

    return run(assigned), run(masked)


@case
def state_gradients_lstm():
    """Walk back from state to state with both halves: no mistake."""
    params = fresh(LSTM)
    states = [(None, torch.zeros(2, 3, 4, dtype=float64))]
    for t in range(4):
        halves = [s.detach().requires_grad_() for s in states[-1][1]]
        states.append((halves, lstm_step(params, *halves, t)))
    (states[-1][1][0] * TARGET[3]).sum().backward()
    for k in range(4, 1, -1):
        received = [s.grad for s in states[k][0]]
        torch.autograd.backward(states[k - 1][1], received)
    found, whole = grads(params), fresh(LSTM)
    h, c = torch.zeros(2, 3, 4, dtype=float64)
    for t in range(4):
        h, c = lstm_step(whole, h, c, t)
    (h * TARGET[3]).sum().backward()
    return found, grads(whole)
