"""What runs in a process of the cluster: the parameter server's loop, or the script."""

import os
import sys
import traceback
import types

# The launcher's end of standard input closes when it ends, however it ends: then this process goes, and its
# group, which is what the script has started. The script has nothing to read. This runs before MXNet is
# imported, because that import is the whole life of a scheduler or a server.
BOOT = """
import os, threading
launcher = os.dup(0)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
def watch():
    while os.read(launcher, 4096):
        pass
    os.killpg(0, 9)
threading.Thread(target=watch, daemon=True).start()
from d2lutil.cluster import member
member.run()
"""


def run():
    """Run the script that the command line names as if Python had been given it.

    A worker that fails leaves at once, while its variables live: a store that is freed waits for the
    other workers.
    """
    import mxnet

    sys.argv.pop(0)
    path = os.path.abspath(sys.argv[0])
    sys.path[0] = os.path.dirname(path)
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    main.__file__ = path
    try:
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec"), main.__dict__)
    except SystemExit as error:
        if error.code not in (None, 0):
            if not isinstance(error.code, int):
                print(error.code, file=sys.stderr)
            leave(error.code if isinstance(error.code, int) else 1)
    except BaseException:
        traceback.print_exc()
        leave(1)
    mxnet.nd.waitall()  # what is still under way, others wait for


def leave(code):
    """End this process now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code % 256 or 1)
