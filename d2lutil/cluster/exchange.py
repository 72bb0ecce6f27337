"""What the workers tell each other, through MXNet's KVStore: sums of gradients, and little else."""

import contextlib
import faulthandler
import json
import os
from typing import Any

import numpy

from d2lutil import validation
from d2lutil.cluster.columns import rank_and_size
from d2lutil.compat import mxnet
from d2lutil.gradient import trainable


class Exchange:
    """Sums over all workers; each method is called by all of them, in the same order.

    MXNet's ``dist_sync`` store sums float32 on the server, in the order of arrival: with three workers or
    more, the last digits of a sum are another in each run. Whether it rounds float64 to float32 is chance:
    the server never sets its flag for mixed precision (1.9.1). So a float64 travels as four words of 16
    bits, which float32 holds exactly, each worker's in a slot of its own; then every worker adds up the
    slots in the same order. A sum in float64 is the same to the bit each time, at twice the traffic times
    the number of workers.

    Parameters
    ----------
    timeout : int
        Seconds after which an exchange is given up, at least 1: a worker may have ended in good order
        without making this one. The process then prints where it is and ends with code 1, so the launcher
        ends all. It must be longer than what one worker does alone while the others wait for it.

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

    def __init__(self, timeout=600):
        self.timeout = validation.integer("timeout", timeout, 1)
        self.rank, self.size = rank_and_size()
        role, launched = os.environ.get("DMLC_ROLE"), "D2LUTIL_WORKER" in os.environ
        if role and not launched:
            raise RuntimeError(f"DMLC_ROLE={role}; allowed: unset, or set by python -m d2launcher")
        if Exchange._connected:
            raise RuntimeError("a second Exchange(); allowed: one a process")
        Exchange._connected = launched
        self._store: Any = None
        self._keys = set()
        if launched:
            with self._limited():
                self._store = mxnet.kv.create("dist_sync")

    def all_reduce(self, params):
        """Replace each gradient by its sum over all workers.

        Parameters
        ----------
        params : ParameterDict or list of Parameter
            The same on all workers; all float32 or all float64, else a TypeError.
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
        types = sorted({str(numpy.dtype(array.dtype)) for array in arrays})
        if types not in ([], ["float32"], ["float64"]):
            raise TypeError(f"arrays of the types {', '.join(types)}; allowed: all float32 or all float64")
        if self._store is None or not arrays:
            return
        if types == ["float64"]:
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
                with self._limited():
                    self._store.init(key, mxnet.np.zeros_like(array))
        with self._limited():
            self._store.push(keys, arrays)
            self._store.pull(keys, out=arrays)
            for array in arrays:
                array.wait_to_read()
        return arrays

    @contextlib.contextmanager
    def _limited(self):
        """Let what waits for the other workers end this process after ``timeout`` seconds."""
        faulthandler.dump_traceback_later(self.timeout, exit=True)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
