"""Checkpoints of a run on several workers: each worker's own files, and one segment that all agree on."""

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
from pathlib import Path

import numpy

from d2lutil import paths, validation
from d2lutil.compat import mxnet

__all__ = ["Checkpoints"]

NAME = re.compile(r"worker-(\d+)-of-(\d+)-(\d+)\.npz")


class Checkpoints:
    """A worker's last two checkpoints.

    A file is written beside its place, synchronized to the disk and renamed, so it is whole or not there.
    No worker can be more than one checkpoint ahead, because each waits for the gradients of all; so the
    oldest of their newest checkpoints is one that all have, without a file system in common.

    Parameters
    ----------
    directory : str or Path
        Created if missing. It holds pickled optimizer states: load only your own.
    every : int
        Segments between checkpoints, at least 1.
    exchange : Exchange
    net : RNN
    trainer : gluon.Trainer
        With ``kvstore=None``: every worker holds the same optimizer state.
    X, Y : int arrays ``(num_steps, batch_size)``
        This worker's columns. A checkpoint of other columns is refused.
    **settings
        What else a run must keep to be continued: the steps of a segment, say, and the learning rate,
        which :meth:`restore` sets to what it was. What JSON can hold.

    Raises
    ------
    ValueError
        The directory holds a checkpoint of another number of workers, network, text or setting, or a
        damaged one. Or a setting has a name that the package itself uses.
    TypeError
        JSON cannot hold a setting.
    """

    def __init__(self, directory, every, exchange, net, trainer, X, Y, **settings):
        self.directory = paths.absolute("directory", directory)
        self.every = validation.integer("every", every, 1)
        self.exchange, self.net, self.trainer = exchange, net, trainer
        columns = (validation.array(name, A) for name, A in (("X", X), ("Y", Y)))
        text = hashlib.sha256(b"".join(A.astype("int32").tobytes() for A in columns))
        own = {
            "workers": exchange.workers,
            "num_hiddens": net.num_hiddens,
            "vocab_size": net.vocab_size,
            "dtype": str(numpy.dtype(net.W_hh.dtype)),
            "columns": list(X.shape),
            "text": text.hexdigest()[:16],
        }
        for name, value in settings.items():
            if name in own:
                raise ValueError(f"{name}={value!r}; allowed: other names than {', '.join(own)}")
        self.run = own | as_json(settings)
        self.directory.mkdir(parents=True, exist_ok=True)

    def save(self, segment, **carried):
        """Write a checkpoint after ``segment`` segments, if that is a multiple of ``every``.

        Parameters
        ----------
        segment : int
            How many segments are done.
        **carried
            What this worker carries on: the state ``h``, say, or ``rng.bit_generator.state``. Arrays,
            numbers, strings, which come back as arrays, and dicts, which come back as JSON gives them.

        Raises
        ------
        TypeError
            Something else, which could not be restored. Nothing is written.
        """
        if validation.integer("segment", segment, 1) % self.every:
            return
        dicts = as_json({name: value for name, value in carried.items() if isinstance(value, dict)})
        content: dict = {"run": json.dumps(self.run), "dicts": json.dumps(dicts)}
        for name, value in carried.items():
            if name not in dicts:
                content[f"carried {name}"] = array = validation.array(name, value)
                if array.dtype.hasobject:
                    raise TypeError(f"{name}={value!r}; allowed: arrays, numbers, strings, dicts")
        for name, parameter in zip(self.net.names, self.net.parameters(), strict=True):
            content[name] = parameter.data().asnumpy()
        with tempfile.TemporaryDirectory() as folder:
            self.trainer.save_states(f"{folder}/states")
            content["states"] = numpy.frombuffer(Path(folder, "states").read_bytes(), dtype="uint8")
        buffer = io.BytesIO()
        numpy.savez(buffer, **content)
        write(self._path(segment), buffer.getvalue())
        for old in self._mine():
            if old < segment - self.every:
                self._path(old).unlink()

    def restore(self):
        """Set the network and the trainer to the newest checkpoint that all workers have.

        Returns
        -------
        segment : int
            How many segments are done; 0 without a checkpoint.
        carried : dict
            What :meth:`save` was given.
        """
        for path in self.directory.glob("worker-*.npz"):
            name = NAME.fullmatch(path.name)
            of = int(name[2]) if name else self.exchange.workers
            if of != self.exchange.workers:
                message = f"{str(path)!r} is of a run with {of} workers"
                raise ValueError(f"{message}; allowed: one with {self.exchange.workers}, as now")
        newest = self.exchange.gather("newest", max(self._mine(), default=0))
        segment = int(min(newest))
        if max(newest) - segment > self.every:
            found = ", ".join(f"{n:.0f} of worker {k}" for k, n in enumerate(newest))
            raise ValueError(
                f"directory={str(self.directory)!r}: the newest segments are {found}; files are lost, "
                f"or were not written with every={self.every}"
            )
        content = self._load(self._path(segment)) if segment else {}
        for newer in self._mine():
            if newer > segment:  # of a past that this run will not repeat if its settings are others
                self._path(newer).unlink()
        if segment == 0:
            return 0, {}
        for name, parameter in zip(self.net.names, self.net.parameters(), strict=True):
            parameter.set_data(mxnet.np.array(content[name], dtype=content[name].dtype))
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "states").write_bytes(content["states"].tobytes())
            self.trainer.load_states(f"{folder}/states")
        arrays = {name[8:]: array for name, array in content.items() if name.startswith("carried ")}
        return segment, arrays | json.loads(str(content["dicts"]))

    def _load(self, path):
        try:
            with path.open("rb") as stream, numpy.load(stream) as file:
                content = dict(file)
            run = json.loads(str(content["run"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{str(path)!r} is no checkpoint, or a damaged one: {error}") from None
        if run != self.run:
            names = [name for name in self.run | run if run.get(name) != self.run.get(name)]
            other, now = ({name: kept.get(name) for name in names} for kept in (run, self.run))
            raise ValueError(f"{str(path)!r} is of another run: {other}; allowed: {now}, as now")
        return content

    def _path(self, segment):
        index, workers = self.exchange.index, self.exchange.workers
        return self.directory / f"worker-{index}-of-{workers}-{segment:09d}.npz"

    def _mine(self):
        names = [NAME.fullmatch(path.name) for path in self.directory.glob("worker-*.npz")]
        place = (self.exchange.index, self.exchange.workers)
        return sorted(int(n[3]) for n in names if n and (int(n[1]), int(n[2])) == place)


def as_json(values):
    """Return the values of a dict as JSON gives them back, or say which it cannot hold."""
    kept = {}
    for name, value in values.items():
        try:
            kept[name] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name}={value!r}; allowed: what JSON can hold ({error})") from None
    return kept


def write(path, content):
    """Write a file so that it holds the old content or the new one, whatever happens."""
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
