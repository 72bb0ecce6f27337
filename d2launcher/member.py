"""A process of the cluster: the loop of a scheduler or a server, or the script of a worker."""

import os
import runpy
import sys
import threading
import traceback


def end_with(stream):
    """End this process and its group, which is what the script has started, when a stream ends."""
    while os.read(stream, 4096):
        pass
    os.killpg(0, 9)


def main():
    """Run the script that the command line names as if Python had been given it.

    The launcher holds the other end of standard input, which closes however the launcher ends. A script
    that fails leaves while its variables live: a store that is freed waits for the other workers.
    """
    launcher = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the script has nothing to read
    threading.Thread(target=end_with, args=(launcher,), daemon=True).start()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(max(1, cores // int(os.environ.get("D2LUTIL_WORKERS_HERE", 1)))))
    from d2lutil.compat import mxnet  # this import is the whole life of a scheduler or a server

    sys.argv.pop(0)
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except BaseException as error:
        code = error.code if isinstance(error, SystemExit) else 1
        if code not in (None, 0):
            if not isinstance(error, SystemExit):
                traceback.print_exc()
            elif not isinstance(code, int):
                print(code, file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit((code % 256 if isinstance(code, int) else 1) or 1)
    mxnet.nd.waitall()  # the others wait for what is still under way


if __name__ == "__main__":
    main()
