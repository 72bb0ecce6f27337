"""The gradient of any Gluon block under a truncation scheme, by autograd and the gate.

A block is called once from one gate to the next, and the gradient is recorded and run backwards from one
cut shared by all columns to the next, so nothing is computed twice.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from d2lutil import validation
from d2lutil.compat import mxnet
from d2lutil.truncation import carry, pieces

__all__: list[str] = []

np, npx, autograd = mxnet.np, mxnet.npx, mxnet.autograd
shape_is_known = mxnet.gluon.utils.shape_is_known

INTEGERS = ("bool", "uint8", "int8", "int32", "int64")  # MXNet's
PER_PREDICTION = """Gluon's losses average over all axes but one; for one loss a prediction:
l2 = mxnet.gluon.loss.L2Loss()
loss = lambda O, Y: l2(O.reshape(-1, *O.shape[2:]), Y.reshape(-1, *Y.shape[2:])).reshape(O.shape[:2])"""


@mxnet.util.use_np  # MXNet keeps NumPy semantics by thread
def run(
    net: Any, X: Any, Y: Any, state: Any, xi: Any, begins: Any, weights: Any, loss: Callable | None
) -> tuple[float, list[tuple[Any, numpy.ndarray]], Any]:
    """Return Σ weights · l, its gradient under a scheme, and the last state.

    Parameters
    ----------
    net : gluon.Block
        ``net(X, h) -> O, h`` with O ``(num_steps, batch_size, …)``, for any number of steps. It is called
        in training mode.
    X, Y : arrays ``(num_steps, batch_size, …)``
        Inputs and targets. Floating ones take the type of the state.
    state : mxnet.np.ndarray, or lists, tuples and dictionaries of them in any nesting
        Floating arrays ``(…, batch_size, n)``: the state before the first step, left as it is.
    xi, begins, weights : arrays ``(num_steps,)`` or ``(num_steps, batch_size)``
        The gate of the carried state, where it begins from zero, and what a loss counts.
    loss : callable or None
        ``loss(O, Y)`` returns the losses ``(num_steps, batch_size)``; None is the cross-entropy of
        logits O ``(num_steps, batch_size, vocab_size)`` and integers Y ``(num_steps, batch_size)``.

    Returns
    -------
    loss : float
    gradients : list of (Parameter, numpy.ndarray)
        One pair for each parameter whose ``grad_req`` is not "null", 0 if the loss does not reach it. The
        parameters' own gradients do not change. The parameters of a layer that was never called and has
        no shapes yet are left out.
    state
        Detached, in the nesting and types of the one given.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        An argument, or what ``net`` or ``loss`` returns, has the wrong type or shape, or a parameter has
        not been initialized.
    """
    X, Y = _sequence("X", X), _sequence("Y", Y)
    num_steps, batch_size = shape = X.shape[:2]
    leaves = _arrays(state, batch_size)
    dtype, ctx = numpy.dtype(leaves[0].dtype), leaves[0].ctx
    X, Y = (given.astype(dtype, copy=False) if given.dtype.kind == "f" else given for given in (X, Y))
    _check_targets(Y, shape, loss)
    xi = validation.scheme(xi, num_steps, batch_size, dtype)
    xi = numpy.broadcast_to(xi if xi.ndim == 2 else xi[:, None], shape)
    begins = validation.begins(begins, num_steps, batch_size)
    begins = numpy.zeros(shape, dtype=bool) if begins is None else begins
    weights = validation.weights(weights, num_steps, batch_size, dtype)
    weights = numpy.ones(shape) if weights is None else weights
    counted = weights > 0
    if not counted.all():
        Y = Y.copy()
        Y[~counted] = 0
    parameters = _trainable(net)

    total, sums = 0.0, {}
    gates = ((xi != 1) | begins).any(axis=1)
    for start, stop in pieces((xi == 0) | begins):
        outputs, leaves = [], [leaf.detach() for leaf in leaves]
        with autograd.record():
            for first, last in numpy.add(start, pieces(gates[start:stop])):
                leaves = [select(~begins[first, :, None], carry(leaf, xi[first])) for leaf in leaves]
                part = np.array(X[first:last], dtype=X.dtype, ctx=ctx)
                output, leaves = _call(net, part, regroup(state, iter(leaves)), leaves)
                outputs.append(output)
            O = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=0)
            if loss is None and start == 0:
                if O.ndim != 3:
                    allowed = "(num_steps, batch_size, vocab_size), or a loss of your own"
                    raise ValueError(f"net returns O of shape {O.shape}; allowed: {allowed}")
                Y = validation.tokens("Y", Y, O.shape[-1])
            part = np.array(Y[start:stop], dtype=Y.dtype, ctx=ctx)
            losses = _losses(loss, O, part, counted[start:stop])
        with numpy.errstate(over="ignore", invalid="ignore"):  # what overflows is not finite, and silent
            total += float((losses.asnumpy() * weights[start:stop]).sum())
            for parameter, gradient in _gradients(losses, weights[start:stop], parameters):
                sums[parameter] = sums[parameter] + gradient if parameter in sums else gradient
    parameters = [
        p for p in parameters if shape_is_known(p.shape)
    ]  # the others belong to layers never called
    gradients = [(p, sums[p] if p in sums else numpy.zeros(p.shape, p.dtype)) for p in parameters]
    return total, gradients, regroup(state, iter([leaf.detach() for leaf in leaves]))


def device(state: Any) -> Any:
    """Return the device of a state."""
    return flatten(state)[0].ctx


def _sequence(name: str, value: Any) -> numpy.ndarray:
    """Return an array ``(num_steps, batch_size, …)``, integers in a type of MXNet's, or raise."""
    given = validation.array(name, value)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"allowed for {name}: an array of numbers; given {validation.short(value)}")
    if given.ndim < 2 or given.size == 0:
        allowed = "(num_steps, batch_size, …), nothing empty"
        raise ValueError(f"{name} has shape {given.shape}; allowed: {allowed}")
    return given if given.dtype.kind == "f" or given.dtype.name in INTEGERS else given.astype("int64")


def _arrays(state: Any, batch_size: int) -> list[Any]:
    """Return the arrays of a state, or say which part is none or has its columns on another axis."""
    leaves = flatten(state)
    for leaf in leaves or [state]:
        if not isinstance(leaf, np.ndarray) or numpy.dtype(leaf.dtype).kind != "f":
            allowed = "floating mxnet.np.ndarray, or lists, tuples and dictionaries of them"
            raise TypeError(f"allowed for h: {allowed}; given {_kind(leaf)}")
        if leaf.ndim < 2 or leaf.shape[-2] != batch_size:
            allowed = f"(…, {batch_size}, n), the columns of X on the second-to-last axis"
            raise ValueError(f"h holds an array of shape {leaf.shape}; allowed: {allowed}")
    return leaves


def _check_targets(Y: numpy.ndarray, shape: tuple[int, ...], loss: Callable | None) -> None:
    """Raise unless targets fit the inputs and the loss."""
    if not (loss is None or callable(loss)):
        raise TypeError(f"loss={validation.short(loss)}; allowed: a callable loss(O, Y), or None")
    if Y.shape[:2] != shape:
        raise ValueError(f"Y has shape {Y.shape}; allowed: ({shape[0]}, {shape[1]}, …), as X begins")
    if loss is None and (Y.ndim != 2 or Y.dtype.kind not in "iu"):
        allowed = f"without a loss of your own: integers {shape}"
        raise ValueError(f"Y has shape {Y.shape} and type {Y.dtype}; allowed {allowed}")


def flatten(state: Any) -> list[Any]:
    """Return the arrays of a state in a fixed order, dictionaries by key."""
    if isinstance(state, dict):
        state = [state[key] for key in sorted(state, key=repr)]
    elif not isinstance(state, (list, tuple)):
        return [state]
    return [leaf for part in state for leaf in flatten(part)]


def regroup(state: Any, leaves: Iterator[Any]) -> Any:
    """Return arrays in the nesting and types of a state; the inverse of :func:`flatten`."""
    if isinstance(state, dict):
        regrouped = copy.copy(state)
        regrouped.update({key: regroup(state[key], leaves) for key in sorted(state, key=repr)})
        return regrouped
    if isinstance(state, (list, tuple)):
        parts = [regroup(part, leaves) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return next(leaves)


def _trainable(net: Any) -> list[Any]:
    """Return the parameters that have a gradient, each once, or say which one has no values."""
    if not isinstance(net, mxnet.gluon.Block):
        raise TypeError(f"net={validation.short(net)}; allowed: a Gluon block")
    parameters = list(dict.fromkeys(net.collect_params().values()))
    for parameter in parameters:
        try:
            parameter.list_ctx()  # deferred initialization included
        except RuntimeError:
            allowed = "one whose parameters have values: call net.initialize() first"
            raise RuntimeError(f"net lacks values of {parameter.name}; allowed: {allowed}") from None
    return [parameter for parameter in parameters if parameter.grad_req != "null"]


def select(mask: numpy.ndarray, values: Any) -> Any:
    """Return values where a mask holds; elsewhere zeros, through which no gradient flows."""
    if mask.all():
        return values
    return np.where(np.array(mask, dtype="bool", ctx=values.ctx), values, np.zeros_like(values))


def _call(net: Any, X: Any, state: Any, leaves: list[Any]) -> tuple[Any, list[Any]]:
    """Return what a block makes of some steps: outputs and the arrays of the state."""
    given = net(X, state)
    allowed = "allowed for net: a block with net(X, h) -> O, h"
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError(f"{allowed}; given one that returns {validation.short(given)}")
    O, after = given[0], flatten(given[1])
    if not isinstance(O, np.ndarray) or O.shape[:2] != X.shape[:2]:
        raise ValueError(f"{allowed} and O ({len(X)}, {X.shape[1]}, …); given O: {validation.short(O)}")
    before, returned = ([_kind(leaf) for leaf in state] for state in (leaves, after))
    if before != returned:
        raise ValueError(f"{allowed}, h of {', '.join(before)} as given; returned {', '.join(returned)}")
    return O, after


def _kind(value: Any) -> str:
    described = validation.short(value)
    return f"{described} and type {numpy.dtype(value.dtype)}" if hasattr(value, "dtype") else described


def _losses(loss: Callable | None, O: Any, Y: Any, counted: numpy.ndarray) -> Any:
    """Return the losses ``(num_steps, batch_size)``; those not counted are 0 and have no gradient."""
    recorded = _variables(O)
    O = select(counted.reshape(*counted.shape, *[1] * (O.ndim - 2)), O)
    losses = -npx.pick(npx.log_softmax(O, axis=-1), Y, axis=-1) if loss is None else loss(O, Y)
    allowed = "allowed for loss: one that returns a floating mxnet.np.ndarray of shape"
    floating = isinstance(losses, np.ndarray) and numpy.dtype(losses.dtype).kind == "f"
    if not floating or losses.shape != counted.shape:
        raise ValueError(f"{allowed} {counted.shape}; given {_kind(losses)}. {PER_PREDICTION}")
    if recorded and not _variables(losses):
        raise ValueError(
            "allowed for loss: MXNet's operations on O; given one that autograd does not record"
        )
    return select(counted, losses)


def _variables(array: Any) -> set[str]:
    """Return the names that autograd gives to the variables an array depends on."""
    try:
        return set(autograd.get_symbol(array).list_inputs())
    except mxnet.MXNetError:  # nothing is recorded
        return set()


def _gradients(
    losses: Any, weights: numpy.ndarray, parameters: list
) -> Iterator[tuple[Any, numpy.ndarray]]:
    """Yield the parameters that the losses depend on (autograd refuses others) and their gradients."""
    names, ctx = _variables(losses), losses.ctx
    known = [p for p in parameters if shape_is_known(p.shape)]
    reached = [p for p in known if _variables(p.data(ctx)) <= names]
    if reached:
        head = np.array(weights, dtype=losses.dtype, ctx=ctx)
        gradients = autograd.grad([losses], [p.data(ctx) for p in reached], head_grads=[head])
        yield from zip(reached, (gradient.asnumpy() for gradient in gradients), strict=True)
