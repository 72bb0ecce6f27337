"""Parameters that survive copying, files, another device, and a failure halfway through a change."""

from __future__ import annotations

import copy
import os
from contextlib import contextmanager
from pathlib import Path

import numpy
from numpy.typing import DTypeLike

from d2lutil import validation
from d2lutil.compat import mxnet

np, npx, Context = mxnet.np, mxnet.npx, mxnet.context.Context

DTYPES = ("float32", "float64")


class Parameter(mxnet.gluon.Parameter):
    """A Gluon parameter whose copies, pickled ones too, can be trained like the original.

    MXNet 1.9.1 copies the arrays but not their registration with ``autograd``, and forgets their device.
    A copy has values and gradients of its own, and no trainer.
    """

    def initialize(self, init=None, ctx=None, default_init=None, force_reinit=False):
        """Initialize as Gluon does, but also in float64: MXNet 1.9.1 draws float32 only."""
        with unchanged_on_failure([self]):
            begins, dtype = self._data is None or force_reinit, self.dtype
            if begins:
                self.cast("float32")
            super().initialize(init, ctx, default_init or mxnet.init.Uniform(), force_reinit)
            if begins:
                self.cast(dtype)

    def __getstate__(self):
        state = {**vars(self), "_var": None, "_trainer": None, "fresh": []}
        if self._data is not None:
            state["_data"] = [value.asnumpy() for value in self._data]
        if self._data is not None and self._grad is not None:
            state["_grad"] = [gradient.asnumpy() for gradient in self._grad]
            state["fresh"] = [bool(value._fresh_grad) for value in self._data]  # gluon.Trainer asks for it
        return state

    def __setstate__(self, state):
        state = dict(state)
        fresh = state.pop("fresh")
        for name in ("_data", "_grad"):
            if state[name] is not None:
                pairs = zip(state[name], state["_ctx_list"], strict=True)
                state[name] = [np.array(value, dtype=value.dtype, ctx=ctx) for value, ctx in pairs]
        self.__dict__.update(state)
        if self._grad is not None:
            mxnet.autograd.mark_variables(self._data, self._grad, self._grad_req)
            for value, is_fresh in zip(self._data, fresh, strict=True):
                value._fresh_grad = is_fresh


@contextmanager
def unchanged_on_failure(parameters):
    """Give parameters back the arrays, type and devices they had if the block raises."""
    before = [vars(parameter).copy() for parameter in parameters]
    try:
        yield
    except BaseException:
        for parameter, state in zip(parameters, before, strict=True):
            vars(parameter).update(state)
        raise


class Parametric(mxnet.gluon.Block):
    """A block with parameters of its own and no children.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        The parameters' names, which become attributes, and their shapes.
    scale : float
        ``initialize()`` draws matrices from a normal distribution with this standard deviation.
    """

    def __init__(self, shapes: dict[str, tuple[int, ...]], scale: float):
        super().__init__()
        self.names = tuple(shapes)
        for name, shape in shapes.items():
            init = mxnet.init.Normal(scale) if len(shape) == 2 else mxnet.init.Zero()
            parameter = Parameter(self.prefix + name, shape=shape, init=init)
            self.params.update({parameter.name: parameter})
            setattr(self, name, parameter)

    def parameters(self) -> list[Parameter]:
        """Return the parameters in the order of the class's docstring."""
        return [getattr(self, name) for name in self.names]

    def initialize(self, init=None, ctx=None, verbose: bool = False, force_reinit: bool = False):
        """Draw the parameters, from the random numbers of the calling thread.

        ``mxnet.random.seed`` seeds those of one thread; a new thread starts from seed 0.

        Parameters
        ----------
        init : Initializer, optional
            Draws the matrices; by default as the class says. The biases become 0 in any case.
        ctx : Context or list of Context, optional
            Where the parameters are to lie; by default on the current device.
        verbose, force_reinit : bool
            As in Gluon.
        """
        default, ctx = mxnet.init.Uniform().set_verbosity(verbose), _devices(ctx)
        with unchanged_on_failure(self.parameters()):
            for parameter in self.parameters():
                chosen = init if len(parameter.shape) == 2 else None
                parameter.initialize(chosen, ctx, default, force_reinit=force_reinit)

    def cast(self, dtype: DTypeLike):
        """Change the parameters' type: float32 or float64."""
        try:
            name = None if dtype is None else numpy.dtype(dtype).name
        except TypeError:
            name = None
        if name not in DTYPES:
            raise ValueError(f"dtype={dtype}; allowed: {', '.join(DTYPES)}")
        with unchanged_on_failure(self.parameters()):
            super().cast(name)

    def save_parameters(self, filename: str | os.PathLike[str], deduplicate: bool = False):
        """Save the parameters to a file."""
        filename = _path(filename)
        try:
            super().save_parameters(filename, deduplicate)
        except mxnet.base.MXNetError as error:
            raise OSError(f"filename={filename!r} cannot be written: {_reason(error)}") from None

    def load_parameters(
        self,
        filename: str | os.PathLike[str],
        ctx=None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ):
        """Load what ``save_parameters`` saved. The gradients become 0.

        Gluon's own method fails for a block without children in MXNet 1.9.1: it reads old-style arrays.

        Parameters
        ----------
        filename : str or path
        ctx : Context or list of Context, optional
            Where the parameters are to lie; by default where they are, or else on the current device.
        allow_missing, ignore_extra : bool
            Keep a parameter that the file lacks; pass over one that the network lacks.
        cast_dtype : bool
            The network takes the type in the file, unless this is True and ``dtype_source`` is
            ``"current"``: then the values are cast to the network's type.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError, TypeError
            It is damaged, or holds other parameters, shapes or types; or a bad argument. The network
            is as it was.
        """
        if dtype_source not in ("current", "saved"):
            raise ValueError(f"dtype_source={dtype_source!r}; allowed: 'current', 'saved'")
        filename, devices = _path(filename), _devices(ctx)
        own = dict(zip(self.names, self.parameters(), strict=True))
        loaded = _read(filename)
        expected = {name: parameter.shape for name, parameter in own.items()}
        held = {name: value.shape for name, value in loaded.items()}
        wrong = [name for name in own if held.get(name, expected[name]) != expected[name]]
        missing, extra = expected.keys() - held.keys(), held.keys() - expected.keys()
        if wrong or (missing and not allow_missing) or (extra and not ignore_extra):
            raise ValueError(f"filename={filename!r} holds {held}; allowed: {expected}")
        dtype, values = self.parameters()[0].dtype, {name: loaded[name] for name in own if name in loaded}
        if values and not (cast_dtype and dtype_source == "current"):
            dtype = _only_type(filename, values.values())
        with unchanged_on_failure(self.parameters()):
            for name, parameter in own.items():
                initialized = parameter._data is not None
                value = values.get(name, parameter.data() if initialized else None)
                where = devices or (parameter.list_ctx() if initialized else None)
                parameter.cast(dtype)
                if value is not None:
                    parameter.initialize(mxnet.init.Zero(), where, force_reinit=True)
                    parameter.set_data(value.astype(dtype))

    def _device(self):
        """Return where the parameters are read: on their only device, or else on the current one."""
        first = self.parameters()[0]
        return mxnet.context.current_context() if first._data is None else first.data().ctx

    def __copy__(self):
        """Return a network with parameters of its own, as ``copy.deepcopy`` does."""
        return copy.deepcopy(self)


def _path(filename):
    """Return a file's name as a string."""
    if not isinstance(filename, (str, os.PathLike)):
        raise TypeError(f"filename={validation.short(filename)}; allowed: a string or a path")
    return os.fsdecode(filename)


def _reason(error):
    """Return the last line of an error of MXNet: the ones before are places in its source."""
    return str(error).strip().splitlines()[-1]


def _devices(ctx):
    """Return a list of devices from one or several, or None for None."""
    if ctx is None:
        return None
    devices = list(ctx) if isinstance(ctx, (list, tuple)) else [ctx]
    if not devices or not all(isinstance(device, Context) for device in devices):
        raise TypeError(f"ctx={validation.short(ctx)}; allowed: an mxnet.Context or a list of them")
    return devices


def _read(filename):
    """Return the arrays of a file by name."""
    if not Path(filename).is_file():
        raise FileNotFoundError(f"filename={filename!r} is no file; allowed: one that is there")
    try:
        loaded = npx.load(filename)
    except mxnet.base.MXNetError as error:
        raise ValueError(f"filename={filename!r} is damaged: {_reason(error)}") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"filename={filename!r} holds no names; allowed: what save_parameters writes")
    return loaded


def _only_type(filename, values):
    """Return the one type of some arrays, or raise."""
    dtypes = sorted({numpy.dtype(value.dtype).name for value in values})
    if len(dtypes) > 1 or dtypes[0] not in DTYPES:
        allowed = f"one of {', '.join(DTYPES)} for all"
        raise ValueError(f"filename={filename!r} holds {dtypes}; allowed: {allowed}")
    return dtypes[0]
