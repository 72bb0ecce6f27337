"""What the workers tell each other, through MXNet's KVStore: sums of gradients, and little else."""

import json
import os
from typing import Any

import numpy

from d2lutil.cluster.columns import rank_and_size
from d2lutil.compat import mxnet
from d2lutil.gradient import trainable


class Exchange:
    """Sums over all workers; each method is called by all of them, in the same order.

    MXNet's ``dist_sync`` store sums float32 on the server, in the order of arrival. Whether it rounds
    float64 to float32 is chance: the server never sets its flag for mixed precision (1.9.1). So a float64
    travels as four words of 16 bits, which float32 holds exactly, each worker's in a slot of its own; then
    every worker adds up the slots in the same order. The sum is the same to the bit each time, at twice
    the traffic times the number of workers.

    Attributes
    ----------
    rank, size : int
        As :func:`rank_and_size` gives. A single process exchanges nothing.

    Raises
    ------
    RuntimeError
        ``DMLC_ROLE`` is set, but not by the launcher: nobody knows whose columns are whose. Or the process
        has had an exchange: MXNet connects it once.
    """

    _connected = False

    def __init__(self):
        self.rank, self.size = rank_and_size()
        role, launched = os.environ.get("DMLC_ROLE"), "D2LUTIL_WORKER" in os.environ
        if role and not launched:
            raise RuntimeError(f"DMLC_ROLE={role}; allowed: unset, or set by python -m d2launcher")
        if Exchange._connected:
            raise RuntimeError("a second Exchange(); allowed: one a process")
        Exchange._connected = launched
        self._store: Any = mxnet.kv.create("dist_sync") if launched else None
        self._keys = set()

    def all_reduce(self, params):
        """Replace each gradient by its sum over all workers.

        Parameters
        ----------
        params : ParameterDict or list of Parameter
            The same on all workers.
        """
        self._sum([p.grad() for p in trainable(params)])

    def broadcast(self, params):
        """Give every worker the parameters of worker 0."""
        values = [p.data() for p in (params.values() if hasattr(params, "values") else params)]
        if self.rank:
            for value in values:
                value[:] = 0
        self._sum(values)

    def all_gather(self, value):
        """Return the values of all workers, in the order of their ranks, as JSON gives them back."""
        sent = json.dumps(value).encode()
        lengths = self._gather([numpy.array([float(len(sent))])])[0]
        padded = sent.ljust(8 << (int(lengths.max()) // 8).bit_length())  # the server keeps each length
        received = self._gather([numpy.frombuffer(padded, dtype="float64")])[0]
        return [json.loads(slot.tobytes()) for slot in received]

    def _sum(self, arrays):
        """Replace MXNet arrays by their sums over all workers."""
        if self._store is None or not arrays:
            return
        if arrays[0].dtype == numpy.float64:
            totals = [slots.sum(axis=0) for slots in self._gather([a.asnumpy() for a in arrays])]
        else:
            totals = self._push_pull([a.copy() for a in arrays])
        for array, total in zip(arrays, totals, strict=True):
            array[:] = mxnet.np.array(total, dtype=array.dtype)

    def _gather(self, arrays):
        """Return float64 arrays ``(size, *shape)``: one from each worker, to the bit."""
        if self._store is None:
            return [array[None] for array in arrays]
        sent = []
        for array in arrays:
            words = numpy.ascontiguousarray(array, dtype="<f8").reshape(-1).view("<u2")
            slots = numpy.zeros((self.size, len(words)), dtype="float32")
            slots[self.rank] = words
            sent.append(mxnet.np.array(slots))
        received = [slots.asnumpy().astype("<u2").view("<f8") for slots in self._push_pull(sent)]
        return [slots.reshape(-1, *array.shape) for slots, array in zip(received, arrays, strict=True)]

    def _push_pull(self, arrays):
        """Overwrite float32 arrays by their sums on the server, and return them."""
        keys = [f"{place} {array.shape}" for place, array in enumerate(arrays)]
        for key, array in zip(keys, arrays, strict=True):
            if key not in self._keys:  # on all workers at once
                self._keys.add(key)
                self._store.init(key, mxnet.np.zeros_like(array))
        self._store.push(keys, arrays)
        self._store.pull(keys, out=arrays)
        return arrays
