"""Run a script on the workers of MXNet's parameter server.

On this machine: python -m d2launcher --workers 2 script.py
On several: python -m d2launcher --hosts hosts.txt script.py prints a command for each host, and with
--via "ssh {host}" starts them itself. A line of the file: an IPv4 address and its number of workers.

The exit code is 0, or 1 if a process fails, whatever its own, or 128 + n if signal n stopped the launcher.
"""

import argparse
import errno
import ipaddress
import os
import random
import re
import shlex
import signal
import socket
import sys
from pathlib import Path

from d2launcher.supervisor import Supervisor

LOCAL = "127.0.0.1"
PORT = 9091  # of the scheduler, where the hosts of a file must agree on one
# Below those that systems hand out by themselves: the scheduler binds its own seconds after the choice.
FREE_PORTS = range(10_000, 32_768)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parse(arguments):
    """Return the options of the command line, checked; ``hosts`` is the number of workers by address."""
    parser = argparse.ArgumentParser(
        "python -m d2launcher", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--workers", type=integer, help="workers on this machine")
    where.add_argument("--hosts", type=Path, help="file: an address and a number of workers a line")
    parser.add_argument("--servers", type=integer, default=1, help="servers, on the first host (1)")
    parser.add_argument("--port", type=integer, help=f"of the scheduler (a free one; with --hosts {PORT})")
    parser.add_argument("--via", type=words, default=[], help='starts a command on a host: "ssh {host}"')
    parser.add_argument("--on", metavar="ADDRESS", help="run the part of this host of the file")
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if not options.script.is_file():
        parser.error(f"script={str(options.script)!r} is not a file")
    if options.workers and (options.via or options.on):
        parser.error("--via and --on go with --hosts")
    try:
        if options.workers:
            options.hosts, options.on = {LOCAL: options.workers}, LOCAL
        else:
            options.file = options.hosts.expanduser().absolute()
            options.hosts, options.port = read_hosts(options.file), options.port or PORT
        if options.on and options.on not in options.hosts:
            raise ValueError(f"--on={options.on}; allowed: one of {', '.join(options.hosts)}")
        if options.on == next(iter(options.hosts)):
            options.port = free_port(options.on, options.port)
    except OSError as error:
        parser.error(f"--hosts: {error}")
    except ValueError as error:
        parser.error(str(error))
    return options


def integer(text):
    """Return the integer from 1 on that a text means, or say what is allowed."""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: an integer of at least 1")
    return int(text)


def words(text):
    """Return the words of a command for a host, or say what is allowed."""
    try:
        found = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if "{host}" not in text:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a command with {{host}} in it")
    return found


def read_hosts(path):
    """Return the number of workers by address, in the order of the file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
        raise ValueError(f"--hosts={str(path)!r} holds {wrong}; allowed: a text in UTF-8") from None
    hosts = {}
    for number, line in enumerate(lines, 1):
        host, *counts = line.split("#")[0].split() or [""]
        where = f"{path}, line {number}"
        try:
            ipaddress.IPv4Address(host or LOCAL)  # MXNet cannot listen on a name
        except ValueError:
            raise ValueError(f"{where}: {host!a}; allowed: an IPv4 address such as 10.0.0.1") from None
        if len(counts) > 1 or host in hosts:
            raise ValueError(f"{where}: {line!r}; allowed: an address, once, and a number")
        try:
            hosts |= {host: integer(*counts or "1")} if host else {}
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"{where}, workers: {error}") from None
    if not hosts:
        raise ValueError(f"{path} names no host; allowed: a line with an address for each")
    return hosts


def free_port(address, port):
    """Return the port, or for None a free one by chance; raise if there is none."""
    ports = [port] if port else random.sample(FREE_PORTS, min(50, len(FREE_PORTS)))
    for number in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, number))
                return number
            except OverflowError:
                raise ValueError(f"--port={number}; allowed: an integer from 1 to 65535") from None
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise ValueError(f"cannot listen on {address}: {error.strerror}") from None
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
    """Return the names of a host's processes: a role, and a number where there may be several."""
    counts, names = list(options.hosts.values()), list(options.hosts)
    first = sum(counts[: names.index(host)])
    head = ["scheduler"] + [f"server {k}" for k in range(options.servers)]
    return head * (host == names[0]) + [f"worker {first + k}" for k in range(options.hosts[host])]


def member(options, host, name):
    """Return the words that run one process of a host, with ``env``, as they are on any host."""
    role, _, rank = name.partition(" ")
    env = environment(options, host) | {"PYTHONUNBUFFERED": "1", "DMLC_ROLE": role}
    if role == "worker":
        env |= {"D2LUTIL_WORKER": rank, "D2LUTIL_WORKERS_HERE": str(options.hosts[host])}
    settings = [f"{key}={value}" for key, value in env.items()]
    unset = ["-u", "PORT"]  # which MXNet's servers would read
    line = ["env", *unset, *settings, sys.executable, "-m", "d2launcher.member"]
    return [*line, str(options.script), *options.arguments]


def there(line):
    """Return a line for the shell of another host: run words in this folder."""
    return f"cd {shlex.quote(os.getcwd())} && exec {shlex.join(line)}"


def describe(options):
    """Print what to run on each host."""
    for host in options.hosts:
        line = [sys.executable, "-m", "d2launcher", "--hosts", str(options.file)]
        line += ["--servers", str(options.servers), "--port", str(options.port), "--on", host]
        print(f"# on {host}: {', '.join(members(options, host))}")
        print("#", " ".join(f"{key}={value}" for key, value in environment(options, host).items()))
        print(there([*line, str(options.script), *options.arguments]))


def start(options, group):
    """Start the processes of this host, or with --via those of all hosts."""
    for host in [options.on] if options.on else options.hosts:
        via = [word.replace("{host}", host) for word in options.via]
        for name in members(options, host):
            line = member(options, host, name)
            group.start(name, line if options.on else [*via, there(line)])


def on_signals(handler):
    """Set what happens at the signals that ask to stop, but for those that nohup ignores."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def stop(number, frame):
    """Leave what the launcher is at, once."""
    on_signals(signal.SIG_IGN)
    raise KeyboardInterrupt(number)


def main(arguments=None):
    """Do what the command line says; return the exit code."""
    options, group = parse(arguments), Supervisor()
    if not options.on and not options.via:
        describe(options)
        return 0
    try:
        on_signals(stop)
        start(options, group)
        message = group.wait(lambda name: name.startswith("worker"))
        code = 1 if message else 0
    except OSError as error:
        code, message = 1, f"cannot start a process: {error}"
    except KeyboardInterrupt as stopped:
        (number,) = stopped.args
        code, message = 128 + number, f"stopped by {signal.Signals(number).name}"
    finally:
        on_signals(signal.SIG_IGN)  # the end is not interrupted
        group.end()
    if message:
        print(f"d2launcher: {message}; all processes are ended", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
