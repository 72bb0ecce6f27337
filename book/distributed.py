"""Train by truncated backpropagation through time, alone or as a worker."""

import argparse
import io
import os
import signal
import time
from pathlib import Path

import d2lutil  # first: it makes MXNet load under today's NumPy
import mxnet
import numpy
from d2lutil.cluster import (
    Checkpoints,
    Exchange,
    rank_and_size,
    read_columns,
)
from d2lutil.corpus import TITLES
from d2lutil.paths import absolute
from mxnet import gluon


def parse():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--corpus", default="time_machine", help="a name, or a text file"
    )
    parser.add_argument(
        "--batch", type=int, default=32, help="of all workers"
    )
    parser.add_argument("--hiddens", type=int, default=64)
    parser.add_argument("--tau", type=int, default=50, help="steps a segment")
    parser.add_argument(
        "--segments", type=int, default=20, help="to train on"
    )
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--theta", type=float, default=1.0)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument(
        "--dtype", default="float32", choices=["float32", "float64"]
    )
    parser.add_argument("--checkpoints", help="folder; its run is continued")
    parser.add_argument("--every", type=int, default=10, help="segments")
    parser.add_argument(
        "--fail", type=int, help="segments after which worker 1 is killed"
    )
    parser.add_argument(
        "--save", help="file for what worker 0 has in the end"
    )
    options = parser.parse_args()
    for name in ("batch", "hiddens", "tau", "segments", "every"):
        if getattr(options, name) < 1:
            parser.error(
                f"--{name}={getattr(options, name)}; allowed: at least 1"
            )
    if options.fail and rank_and_size()[1] == 1:
        parser.error(
            f"--fail={options.fail}; allowed: with two workers or more"
        )
    try:
        options.corpus = opened(options.corpus)
        if options.save:
            options.save = absolute("--save", options.save)
            if not options.save.parent.is_dir():
                save = f"--save={str(options.save)!r}"
                raise ValueError(f"{save}; allowed: a file in a folder")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return options


def opened(corpus):
    """Open a text; one of the reader's own is not read yet."""
    path = Path(corpus).expanduser()
    if corpus not in TITLES and path.is_file():
        return path.open("rb")
    text = d2lutil.load_corpus(corpus).text
    return io.BytesIO(text.encode())


def main(options):
    """Train, and save what worker 0 has in the end."""
    exchange = Exchange()
    vocab, X, Y = read_columns(options.corpus, options.batch, exchange)
    mxnet.random.seed(0)
    net = d2lutil.RNN(len(vocab), options.hiddens)
    net.initialize()
    net.cast(options.dtype)
    params = net.parameters()
    exchange.broadcast(params)
    settings = {"learning_rate": options.lr, "momentum": options.momentum}
    trainer = gluon.Trainer(params, "sgd", settings, kvstore=None)

    done, h = 0, net.begin_state(X.shape[1])
    if options.checkpoints:
        store = Checkpoints(
            options.checkpoints,
            options.every,
            exchange,
            net,
            trainer,
            X,
            Y,
            tau=options.tau,
            theta=options.theta,
            **settings,
        )
        done, carried = store.restore()
        h = mxnet.np.array(carried["h"], dtype=options.dtype) if done else h

    segments = d2lutil.segments(d2lutil.regular(len(X), options.tau))
    predictions = options.tau * options.batch  # of all workers
    times, first = [], None
    for segment in range(done, options.segments):
        start, stop = segments[segment % len(segments)]
        if start == 0:
            h = net.begin_state(X.shape[1])
        xi = d2lutil.full(stop - start)
        begin = time.perf_counter()
        d2lutil.zero_gradients(params)
        loss, h = d2lutil.bptt(net, X[start:stop], Y[start:stop], h, xi)
        middle = time.perf_counter()
        exchange.all_reduce(params)
        if first is None:
            first = [p.grad().asnumpy().copy() for p in params]
        d2lutil.clip_gradients(params, options.theta * predictions)
        trainer.step(predictions)
        mxnet.nd.waitall()
        times.append((time.perf_counter() - begin, middle - begin))
        if options.checkpoints:
            store.save(segment + 1, h=h)
        if segment + 1 == options.fail and exchange.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if segment == done:
            print(f"from segment {done}, {X.shape[1]} columns", flush=True)

    result = {f"value_{k}": p.data().asnumpy() for k, p in enumerate(params)}
    if first is None:
        print(f"{done} segments are done, nothing is left", flush=True)
    else:
        total = sum(exchange.all_gather(loss))
        result |= {f"gradient_{k}": g for k, g in enumerate(first)}
        result |= {"times": times, "loss": total}
        if exchange.rank == 0:
            print(f"loss of the last segment {total:.4f}", flush=True)
    if exchange.rank == 0 and options.save:
        numpy.savez(options.save, **result)


if __name__ == "__main__":
    main(parse())
