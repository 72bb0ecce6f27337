"""Checkpoints of a run on several workers: each worker's own files, and one segment that all agree on."""

import hashlib
import json
import os
import pickle
import re
import tempfile
from pathlib import Path

import numpy

from d2lutil import paths, validation
from d2lutil.compat import mxnet

NAME = "worker-{}-of-{}-{}"


class Checkpoints:
    """A worker's last two checkpoints.

    A file is written beside its place, synchronized to the disk and renamed, so it is whole or not there.
    No worker can be more than one checkpoint ahead, because each waits for the gradients of all; so the
    oldest of their newest checkpoints is one that all have, without a file system in common.

    Parameters
    ----------
    directory : str or Path
        Created if missing. Its files are pickled: load only your own.
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
        text = b"".join(validation.array("X and Y", A).astype("int32").tobytes() for A in (X, Y))
        self.run = {
            "num_hiddens": net.num_hiddens,
            "vocab_size": net.vocab_size,
            "dtype": str(numpy.dtype(net.W_hh.dtype)),
            "columns": list(X.shape),
            "text": hashlib.sha256(text).hexdigest()[:16],
        }
        for name, value in settings.items():
            if name in self.run:
                raise ValueError(f"{name}={value!r}; allowed: other names than {', '.join(self.run)}")
            try:
                self.run[name] = json.loads(json.dumps(value, allow_nan=False))
            except (TypeError, ValueError) as error:
                raise TypeError(f"{name}={value!r}; allowed: what JSON can hold ({error})") from None
        self.directory.mkdir(parents=True, exist_ok=True)

    def save(self, segment, **carried):
        """Write a checkpoint after ``segment`` segments, if that is a multiple of ``every``.

        Parameters
        ----------
        segment : int
            How many segments are done.
        **carried
            What this worker carries on: the state ``h``, say, or ``rng.bit_generator.state``. What can be
            pickled; MXNet's arrays come back as NumPy's.

        Raises
        ------
        TypeError
            Something else. Nothing is written.
        OSError
            The disk is full, say. The checkpoints before are kept.
        """
        if validation.integer("segment", segment, 1) % self.every:
            return
        for name, value in carried.items():
            carried[name] = value.asnumpy() if hasattr(value, "asnumpy") else value
            try:
                pickle.dumps(carried[name])
            except Exception as error:
                raise TypeError(f"{name}={value!r}; allowed: what can be pickled ({error})") from None
        values = [parameter.data().asnumpy() for parameter in self.net.parameters()]
        with tempfile.TemporaryDirectory() as folder:
            self.trainer.save_states(f"{folder}/states")
            states = Path(folder, "states").read_bytes()
        content = pickle.dumps((self.run, carried, values, states))
        write(self._path(segment), hashlib.sha256(content).digest() + content)
        for old in self._segments():
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

        Raises
        ------
        ValueError
            Files are of another run, damaged or lost. None is removed.
        """
        newest = self.exchange.all_gather(max(self._segments(), default=0))
        segment = min(newest)
        if max(newest) - segment > self.every:
            numbers = ", ".join(f"{number} of worker {rank}" for rank, number in enumerate(newest))
            raise ValueError(
                f"directory={str(self.directory)!r}: the newest segments are {numbers}; files are lost, "
                f"or were not written with every={self.every}"
            )
        found = {number: self._load(self._path(number)) for number in self._segments()}
        self.exchange.all_gather("compared")  # nothing is removed unless all files are of this run
        for newer in found:
            if newer > segment:  # the run goes on from before it
                self._path(newer).unlink()
        for part in self.directory.glob(NAME.format(self.exchange.rank, self.exchange.size, "*.part")):
            part.unlink()  # of a process that was killed while it wrote
        if not segment:
            return 0, {}
        carried, values, states = found[segment]
        for parameter, value in zip(self.net.parameters(), values, strict=True):
            parameter.set_data(mxnet.np.array(value, dtype=value.dtype))
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "states").write_bytes(states)
            self.trainer.load_states(f"{folder}/states")
        return segment, carried

    def _load(self, path):
        content = path.read_bytes()
        if content[:32] != hashlib.sha256(content[32:]).digest():
            raise ValueError(f"{str(path)!r} is no checkpoint, or a damaged one")
        run, *kept = pickle.loads(content[32:])
        if run != self.run:
            names = [name for name in self.run | run if run.get(name) != self.run.get(name)]
            other, now = ({name: one.get(name) for name in names} for one in (run, self.run))
            raise ValueError(f"{str(path)!r} is of another run: {other}; allowed: {now}, as now")
        return kept

    def _path(self, segment):
        name = NAME.format(self.exchange.rank, self.exchange.size, f"{segment:09d}.checkpoint")
        return self.directory / name

    def _segments(self):
        """Return the segments of this worker's files; raise if one is of another number of workers."""
        segments = []
        for path in self.directory.glob(NAME.format("*", "*", "*.checkpoint")):
            rank, size, segment = map(int, re.findall("[0-9]+", path.stem))
            if size != self.exchange.size:
                message = f"{str(path)!r} is of a run with {size} workers"
                raise ValueError(f"{message}; allowed: one with {self.exchange.size}, as now")
            segments += [segment] * (rank == self.exchange.rank)
        return segments


def write(path, content):
    """Write a file so that it holds the old content or the new one, whatever happens."""
    temporary = path.with_suffix(".part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
