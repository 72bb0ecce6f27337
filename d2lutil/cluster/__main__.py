"""Run a script on the workers of a parameter server.

On this machine: python -m d2lutil.cluster --workers 2 script.py
On several: python -m d2lutil.cluster --hosts hosts.txt script.py prints a command for each host, and with
--via "ssh {host}" starts them itself. A line of the file: an address and its number of workers.
"""

import argparse
import errno
import os
import random
import re
import shlex
import signal
import socket
import sys
import threading
from pathlib import Path

from d2lutil import paths, validation
from d2lutil.cluster import supervisor
from d2lutil.cluster.member import BOOT
from d2lutil.threads import processors

LOCAL = "127.0.0.1"
PORT = 9091  # of the scheduler, where the hosts of a file must agree on one
# Below those that systems hand out by themselves: the scheduler binds its own seconds after the choice.
FREE_PORTS = range(10_000, 32_768)


def parse(arguments):
    """Return the options of the command line, checked."""
    parser = argparse.ArgumentParser(
        "python -m d2lutil.cluster", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--workers", type=int, help="workers on this machine")
    parser.add_argument("--servers", type=int, default=1, help="servers, on the first host (1)")
    parser.add_argument("--port", type=int, help=f"of the scheduler (a free one; with --hosts {PORT})")
    parser.add_argument("--hosts", help="file: an address and a number of workers a line")
    parser.add_argument("--via", help='starts the command of a host: "ssh {host}"')
    parser.add_argument("--on", metavar="ADDRESS", help="run the part of this host of the file")
    parser.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    try:
        check(options)
    except (ValueError, TypeError, OSError) as error:
        parser.exit(2, f"d2lutil.cluster: {error}\n")
    return options


def check(options):
    """Replace the hosts file by its content, or say which option is wrong."""
    validation.integer("--servers", options.servers, 1)
    if options.port is not None:
        validation.integer("--port", options.port, 1, 65535)
    if not options.script.is_file():
        raise ValueError(f"script={str(options.script)!r} is not a file")
    options.file = None if options.hosts is None else paths.absolute("--hosts", options.hosts)
    if options.hosts is None:
        if options.workers is None:
            raise ValueError("--workers or --hosts is needed")
        if options.via or options.on:
            raise ValueError("--via and --on go with --hosts")
        options.hosts = {LOCAL: validation.integer("--workers", options.workers, 1)}
        options.on = LOCAL
    else:
        if options.workers is not None:
            raise ValueError("--workers and --hosts exclude each other: the file says how many")
        options.hosts = read_hosts(options.file)
        options.port = options.port or PORT
    if options.on and options.on not in options.hosts:
        raise ValueError(f"--on={options.on}; allowed: one of {', '.join(options.hosts)}")
    if options.via is not None:
        if "{host}" not in options.via:
            raise ValueError(f"--via={options.via!r}; allowed: a command with {{host}} in it")
        try:
            shlex.split(options.via)
        except ValueError as error:
            raise ValueError(f"--via={options.via!r}: {error}") from None
    if options.on == next(iter(options.hosts)):
        options.port = free_port(options.on, options.port)


def read_hosts(path):
    """Return the number of workers by address, in the order of the file."""
    hosts = {}
    for number, line in enumerate(paths.read_text("--hosts", path).splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) > 2 or words[0] in hosts:
            raise ValueError(f"{path}, line {number}: {line!r}; allowed: an address, once, and a number")
        if not words[0].isascii():  # a byte-order mark in the middle, say
            raise ValueError(f"{path}, line {number}: {words[0]!a}; allowed: an address in ASCII")
        count = words[1] if len(words) == 2 else "1"
        if not re.fullmatch("[0-9]{1,9}", count) or int(count) < 1:
            raise ValueError(f"{path}, line {number}: {count!r} workers; allowed: an integer of at least 1")
        hosts[words[0]] = int(count)
    if not hosts:
        raise ValueError(f"{path} names no host; allowed: a line with an address for each")
    return hosts


def free_port(address, port):
    """Return the port, or for None a free one by chance; raise if there is none."""
    ports = random.sample(FREE_PORTS, min(50, len(FREE_PORTS))) if port is None else [port]
    for number in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, number))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise ValueError(f"cannot listen on {address}: {error.strerror}") from None
            else:
                return number
    tried = ", ".join(map(str, ports[:3])) + (", …" if len(ports) > 3 else "")
    raise ValueError(f"--port={tried} on {address} is taken; allowed: a free one")


def environment(options, host):
    """Return what the processes of a host find in their environment, by MXNet's names."""
    return {
        "DMLC_PS_ROOT_URI": next(iter(options.hosts)),
        "DMLC_PS_ROOT_PORT": str(options.port),
        "DMLC_NUM_SERVER": str(options.servers),
        "DMLC_NUM_WORKER": str(sum(options.hosts.values())),
        "DMLC_NODE_HOST": host,
    }


def members(options, host):
    """Return the name and role of each process of a host."""
    names = list(options.hosts)
    first = sum(options.hosts[name] for name in names[: names.index(host)])
    head = [("scheduler", "scheduler")] + [(f"server {k}", "server") for k in range(options.servers)]
    workers = [(f"worker {first + k}", "worker") for k in range(options.hosts[host])]
    return (head if host == names[0] else []) + workers


def command(options, host):
    """Return the command line that runs the part of a host."""
    words = [sys.executable, "-m", "d2lutil.cluster", "--hosts", str(options.file)]
    words += ["--servers", str(options.servers), "--port", str(options.port), "--on", host]
    words += ["--attached"] if options.via else []
    words += [str(options.script), *options.arguments]
    return f"cd {shlex.quote(os.getcwd())} && exec {shlex.join(words)}"


def start(options, group):
    """Start the processes of this host, or with --via the launchers of all hosts."""
    if not options.on:
        for host in options.hosts:
            words = [word.replace("{host}", host) for word in shlex.split(options.via)]
            group.start(host, [*words, command(options, host)], None)
        return
    shared = {name: value for name, value in os.environ.items() if name != "PORT"}  # ps-lite reads it
    shared |= environment(options, options.on) | {"PYTHONUNBUFFERED": "1"}
    share = max(1, processors() // options.hosts[options.on])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        shared.setdefault(name, str(share))
    for name, role in members(options, options.on):
        env = shared | {"DMLC_ROLE": role}
        if role == "worker":
            env["D2LUTIL_WORKER"] = name.split()[1]
        group.start(name, [sys.executable, "-c", BOOT, str(options.script), *options.arguments], env)


def leave_with(stream):
    """Ask this process to stop when a stream ends."""
    while os.read(stream, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments=None):
    """Do what the command line says; return the exit code."""
    options = parse(arguments)
    if not options.on and not options.via:
        for host in options.hosts:
            print(f"# on {host}: {', '.join(name for name, _ in members(options, host))}")
            print("#", " ".join(f"{k}={v}" for k, v in environment(options, host).items()))
            print(command(options, host))
        return 0
    group = supervisor.Supervisor()
    code, message = 1, None
    try:
        supervisor.stop_on_signals()
        if options.attached:
            threading.Thread(target=leave_with, args=(0,), daemon=True).start()
        start(options, group)
        message = group.wait(lambda name: name.startswith("worker") or not options.on)
        code = 1 if message else 0
    except OSError as error:
        message = f"cannot start a process: {error}"
    except supervisor.Stopped as stopped:
        code = 128 + stopped.args[0]
        message = f"stopped by {signal.Signals(stopped.args[0]).name}"
    finally:
        supervisor.ignore_signals()  # the end is not interrupted
        group.end()
    if message:
        print(f"d2lutil.cluster: {message}; all processes are ended", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
