"""What the workers tell each other, through MXNet's KVStore: sums of gradients, and little else."""

import os
from typing import Any

import numpy

from d2lutil import validation
from d2lutil.compat import mxnet
from d2lutil.gradient import trainable

__all__ = ["Exchange", "columns", "place"]

PARTS = 3  # float32 numbers that hold a float64: 3 x 24 bits for 53


def place():
    """Return which worker this process is, and of how many: ``(0, 1)`` without the launcher.

    The index is the launcher's, so it names the same columns after a restart. The rank that the KVStore
    gives goes by the order of arrival.

    Examples
    --------
    >>> place()
    (0, 1)
    """
    if "D2LUTIL_WORKER" not in os.environ:
        return 0, 1
    return int(os.environ["D2LUTIL_WORKER"]), int(os.environ["DMLC_NUM_WORKER"])


def columns(A, index, workers):
    """Return the columns of a text that a worker owns: every ``workers``-th, from ``index`` on.

    Parameters
    ----------
    A : array ``(num_steps, batch_size)``
        As :func:`d2lutil.streams` gives.
    index, workers : int
        As :func:`place` gives; at most one worker a column.

    Examples
    --------
    >>> columns(numpy.array([[0, 1, 2, 3, 4]]), index=1, workers=2)
    array([[1, 3]])
    """
    workers = validation.integer("workers", workers, 1, A.shape[1])
    return A[:, validation.integer("index", index, 0, workers - 1) :: workers]


class Exchange:
    """Sums over all workers; each method is called by all of them, in the same order.

    MXNet's ``dist_sync`` store sums float32 on the server, in the order of arrival. Whether it rounds
    float64 to float32 is chance: the server never sets its flag for mixed precision (1.9.1). So float64
    arrays travel as three float32 parts, each worker's in a slot of its own that the others leave 0; then
    every worker adds up the slots in the same order. That is exact, and the sum is the same to the bit each
    time, at 3/2 of the traffic times the number of workers. (Within float32's range, 1e-45 to 3e38.)

    Attributes
    ----------
    index, workers : int
        As :func:`place` gives. A single process exchanges nothing.

    Raises
    ------
    RuntimeError
        ``DMLC_ROLE`` is set, but not by this package's launcher: nobody knows whose columns are whose.
        Or the process has had an exchange: MXNet connects it once.
    """

    _connected = False

    def __init__(self):
        self.index, self.workers = place()
        role, launched = os.environ.get("DMLC_ROLE"), "D2LUTIL_WORKER" in os.environ
        if role and not launched:
            raise RuntimeError(f"DMLC_ROLE={role}; allowed: unset, or set by python -m d2lutil.cluster")
        if Exchange._connected:
            raise RuntimeError("a second Exchange(); allowed: one a process")
        Exchange._connected = launched
        self._store: Any = mxnet.kv.create("dist_sync") if launched else None
        self._keys = {}

    def sum_gradients(self, params):
        """Replace each gradient by its sum over all workers.

        Parameters
        ----------
        params : ParameterDict or list of Parameter
            The same on all workers.
        """
        gradients = {f"gradient {k}": p.grad() for k, p in enumerate(trainable(params))}
        for name, total in self._sums(gradients).items():
            gradients[name][:] = total

    def share(self, params):
        """Give every worker the parameters of worker 0."""
        params = params.values() if hasattr(params, "values") else params
        values = {f"value {k}": p.data() for k, p in enumerate(params)}
        mine = values if self.index == 0 else {n: mxnet.np.zeros_like(v) for n, v in values.items()}
        for name, total in self._sums(mine).items():
            values[name][:] = total

    def gather(self, name, number):
        """Return the numbers of all workers, a list of float in the order of their indices."""
        digits = numpy.array([number], dtype="<f8").view("uint8")  # exact, whatever the number
        received = self._slots({name: digits.astype("float64")})[name]
        return received.astype("uint8").view("<f8")[:, 0].tolist()

    def _sums(self, arrays):
        if self._store is None or not arrays:
            return arrays
        if next(iter(arrays.values())).dtype == numpy.float64:
            slots = self._slots({name: array.asnumpy() for name, array in arrays.items()})
            return {name: mxnet.np.array(s.sum(axis=0), dtype="float64") for name, s in slots.items()}
        return self._push_pull({name: array.copy() for name, array in arrays.items()})

    def _slots(self, arrays):
        """Return float64 arrays ``(workers, *shape)``: one from each worker."""
        if self._store is None:
            return {name: array[None] for name, array in arrays.items()}
        sent = {}
        for name, rest in arrays.items():
            slots = numpy.zeros((self.workers, PARTS, *rest.shape), dtype="float32")
            for part in range(PARTS):
                slots[self.index, part] = rest
                rest = rest - slots[self.index, part].astype("float64")
            sent[name] = mxnet.np.array(slots)
        received = self._push_pull(sent)
        return {name: array.asnumpy().astype("float64").sum(axis=1) for name, array in received.items()}

    def _push_pull(self, arrays):
        """Overwrite float32 arrays by their sums on the server, and return them."""
        keys = [self._key(name, array) for name, array in arrays.items()]
        for key, array in zip(keys, arrays.values(), strict=True):
            self._store.push(key, array, priority=-key)
        for key, array in zip(keys, arrays.values(), strict=True):
            self._store.pull(key, out=array, priority=-key)
        return arrays

    def _key(self, name, array):
        """Return the store's key of a name and shape; the first use sets it up on all workers."""
        if (name, array.shape) not in self._keys:
            self._keys[name, array.shape] = len(self._keys)
            self._store.init(self._keys[name, array.shape], mxnet.np.zeros_like(array))
        return self._keys[name, array.shape]
