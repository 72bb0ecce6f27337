"""The witnesses of a loop and its control, on gradients of any framework.

A gradient of ``W_xh`` has one row a token, as in MXNet and JAX and in an
``nn.Embedding``; PyTorch's cells and layers keep its transpose.
"""


def entrance(W_xh, tokens):
    """Return what later windows send to the token of a window."""
    late = [g[x] for k, x in enumerate(tokens, 1) for g in W_xh[k:]]
    return max(float(abs(g).max()) for g in late)


def missing(W_hq, whole):
    """Return how far the output layer's mean gradient is from the whole's."""
    mean = sum(W_hq) / len(W_hq)
    return float(abs(mean - whole).max())


def inside(W_xh, tokens):
    """Return what the last loss of a window sends to its first step."""
    pairs = zip(W_xh, tokens, strict=True)
    return min(float(abs(g[x]).max()) for g, x in pairs)
