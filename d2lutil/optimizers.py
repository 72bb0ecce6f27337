"""The optimizer of a training: a ``gluon.Trainer`` of a network's parameters, and its learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from d2lutil import validation
from d2lutil.compat import mxnet

__all__ = ["updater"]

Optimizer, Trainer = mxnet.optimizer.Optimizer, mxnet.gluon.Trainer
LRScheduler = mxnet.lr_scheduler.LRScheduler


class Descent(Optimizer):
    """Gradient descent in the parameters' own precision: MXNet's ``sgd`` rounds its numbers to float32."""

    def create_state(self, index, weight):
        """Return None: there is no state."""

    def update(self, index, weight, grad, state):
        """Subtract the gradient times the learning rate."""
        self._update_count(index)
        weight -= self._get_lr(index) * self.rescale_grad * grad


def updater(
    params: list, optimizer: Any, optimizer_params: dict | None, lr: Any
) -> Callable[[float], None]:
    """Return a function that divides the gradients by its argument and updates the parameters.

    Parameters
    ----------
    params : list of Parameter
        With gradients.
    optimizer : str, Optimizer or Trainer
        A Trainer goes on with its state. An Optimizer must be new: its moments would stay in its Trainer.
    optimizer_params : dict or None
        For an optimizer given by name.
    lr : float, callable, LRScheduler or None
        None leaves the optimizer's own.

    Raises
    ------
    ValueError, TypeError
        No optimizer or learning rate of this kind, or a Trainer of other parameters.
    """
    if optimizer_params is not None and not (
        isinstance(optimizer, str) and isinstance(optimizer_params, dict)
    ):
        allowed = "a dict with an optimizer given by name, else None"
        raise TypeError(f"optimizer_params={validation.short(optimizer_params)}; allowed: {allowed}")
    needed = isinstance(optimizer, str) and "learning_rate" not in (optimizer_params or {})
    if not callable(lr) and (needed or lr is not None):
        lr = _rate(lr)
    trainer = _trainer(params, optimizer, optimizer_params or {})
    if isinstance(lr, LRScheduler):
        trainer.optimizer.lr_scheduler, lr = lr, None
    elif lr is not None and trainer.optimizer.lr_scheduler is not None:
        raise ValueError(f"lr={validation.short(lr)}; allowed with an optimizer that has a scheduler: None")

    def update(predictions):
        if lr is not None:
            rate = _rate(lr(trainer.optimizer.num_update)) if callable(lr) else lr
            trainer.set_learning_rate(rate)
        with mxnet.autograd.pause():
            trainer.step(predictions, ignore_stale_grad=True)

    return update


def _rate(lr):
    allowed = "a number above 0, a function of the number of updates, or an LRScheduler"
    return validation.real("lr", lr, allowed, lambda value: value > 0)


def _trainer(params: list, optimizer: Any, optimizer_params: dict) -> Any:
    """Return a Trainer of the parameters: the one given, or a new one."""
    if isinstance(optimizer, Trainer):
        known = {id(parameter) for parameter in optimizer._params}
        missing = [parameter.name for parameter in params if id(parameter) not in known]
        if missing:
            raise ValueError(
                f"optimizer lacks {', '.join(missing)}; allowed: a Trainer of net's parameters"
            )
        return optimizer
    if isinstance(optimizer, str):
        optimizer = _by_name(optimizer, optimizer_params)
    if not isinstance(optimizer, Optimizer):
        allowed = "a name, an mxnet Optimizer, or a gluon.Trainer"
        raise TypeError(f"optimizer={validation.short(optimizer)}; allowed: {allowed}")
    if optimizer.num_update > optimizer.begin_num_update:
        raise ValueError(
            f"optimizer={type(optimizer).__name__} has made {optimizer.num_update} updates and its Trainer "
            "holds its moments; allowed: a new Optimizer, or that Trainer"
        )
    for parameter in params:
        state = optimizer.create_state(0, mxnet.nd.zeros((1,), dtype=parameter.dtype))
        dtypes = {numpy.dtype(part.dtype) for part in _arrays(state)} - {numpy.dtype(parameter.dtype)}
        if dtypes:  # MXNet would raise at the first update
            name, kept = type(optimizer).__name__, ", ".join(map(str, dtypes))
            allowed = f"one that keeps {numpy.dtype(parameter.dtype)}, as SGD and Adam do"
            raise ValueError(f"optimizer={name} keeps its state in {kept}; allowed: {allowed}")
    return Trainer(params, optimizer, kvstore=None)


def _arrays(state):
    if isinstance(state, (list, tuple)):
        return [array for part in state for array in _arrays(part)]
    return [state] if hasattr(state, "dtype") else []


def _by_name(name, optimizer_params):
    if name == "sgd" and optimizer_params.keys() <= {"learning_rate"}:
        return Descent(**optimizer_params)
    if name.lower() not in Optimizer.opt_registry:
        raise ValueError(f"optimizer={name!r}; allowed: {', '.join(sorted(Optimizer.opt_registry))}")
    try:
        return mxnet.optimizer.create(name, **optimizer_params)
    except TypeError as error:
        raise TypeError(
            f"optimizer_params={optimizer_params}; allowed: what {name} takes ({error})"
        ) from None
