"""The optimizer of a training: a ``gluon.Trainer`` of a network's parameters, and its learning rate."""

from collections.abc import Callable

from d2lutil import validation
from d2lutil.compat import mxnet

__all__ = ["make_trainer"]

Optimizer, Trainer, LRScheduler = (
    mxnet.optimizer.Optimizer,
    mxnet.gluon.Trainer,
    mxnet.lr_scheduler.LRScheduler,
)

RATES = "a number above 0, a function of the number of updates, or an LRScheduler"


class Descent(Optimizer):
    """Gradient descent in the parameters' own precision: MXNet's ``sgd`` rounds its numbers to float32."""

    def create_state(self, index, weight):
        """Return None: there is no state."""

    def update(self, index, weight, grad, state):
        """Subtract the gradient times the learning rate."""
        self._update_count(index)
        weight -= self._get_lr(index) * self.rescale_grad * grad


def make_trainer(params, optimizer, optimizer_params, lr) -> Callable[[float], None]:
    """Return a function that updates parameters by their gradients divided by its argument.

    Parameters
    ----------
    params : list of Parameter
        With gradients.
    optimizer : str, Optimizer or Trainer
        A Trainer goes on with its state. An Optimizer is a new one: its moments live in a Trainer.
    optimizer_params : dict or None
        For an optimizer given by name.
    lr : float, callable, LRScheduler or None
        None leaves the optimizer's own.

    Raises
    ------
    ValueError, TypeError
        No optimizer or learning rate of this kind, or a Trainer of other parameters.
    """
    named = isinstance(optimizer, str)
    if optimizer_params is not None and not (named and isinstance(optimizer_params, dict)):
        allowed = "a dict or None" if named else "None, unless the optimizer is given by name"
        raise TypeError(f"optimizer_params={validation.short(optimizer_params)}; allowed: {allowed}")
    optimizer_params = dict(optimizer_params or {})
    if isinstance(lr, bool) or not (
        callable(lr) or (lr is None and (not named or "learning_rate" in optimizer_params))
    ):
        lr = _rate(lr)
    if named:
        optimizer = _by_name(optimizer, optimizer_params)
    if isinstance(optimizer, Trainer):
        trainer = optimizer
        known = {id(parameter) for parameter in trainer._params}
        missing = [parameter.name for parameter in params if id(parameter) not in known]
        if missing:
            raise ValueError(
                f"optimizer is a Trainer without {', '.join(missing)}; allowed: one of the net's parameters"
            )
    elif isinstance(optimizer, Optimizer):
        if optimizer.num_update > optimizer.begin_num_update:
            raise ValueError(
                f"optimizer={type(optimizer).__name__} has made {optimizer.num_update} updates and its Trainer "
                "holds the moments; allowed: a new Optimizer, or that Trainer"
            )
        trainer = Trainer(params, optimizer, kvstore=None)
    else:
        allowed = "a name, an mxnet Optimizer, or a gluon.Trainer"
        raise TypeError(f"optimizer={validation.short(optimizer)}; allowed: {allowed}")
    if isinstance(lr, LRScheduler):
        trainer.optimizer.lr_scheduler = lr
    elif lr is not None:
        if trainer.optimizer.lr_scheduler is not None:
            raise ValueError(
                f"lr={validation.short(lr)}; allowed with an optimizer that has a scheduler: None"
            )
        if not callable(lr):
            trainer.set_learning_rate(lr)

    def step(predictions):
        if callable(lr) and not isinstance(lr, LRScheduler):
            trainer.set_learning_rate(_rate(lr(trainer.optimizer.num_update)))
        trainer.step(predictions, ignore_stale_grad=True)

    return step


def _rate(lr):
    return validation.real("lr", lr, RATES, lambda value: value > 0)


def _by_name(name, optimizer_params):
    if name == "sgd" and optimizer_params.keys() <= {"learning_rate"}:
        return Descent(**optimizer_params)
    if name.lower() not in Optimizer.opt_registry:
        raise ValueError(f"optimizer={name!r}; allowed: {', '.join(sorted(Optimizer.opt_registry))}")
    try:
        return mxnet.optimizer.create(name, **optimizer_params)
    except TypeError as error:
        raise TypeError(
            f"optimizer_params={optimizer_params}; allowed: the arguments of {name} ({error})"
        ) from None
