"""What runs in a process of the cluster: the parameter server's loop, or the script."""

import os
import runpy
import sys
import traceback

# The launcher's end of standard input closes when it ends, however it ends. This runs before MXNet is
# imported, because that import is the whole life of a scheduler or a server.
BOOT = """
import os, threading
def watch():
    while os.read(0, 4096):
        pass
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
from d2lutil.cluster import member
member.run()
"""


def run():
    """Run the script that the command line names as if Python had been given it.

    A worker that fails leaves at once: an orderly exit would wait for the other workers.
    """
    import mxnet

    sys.argv.pop(0)
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if code and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        os._exit(code)
    mxnet.nd.waitall()  # what is still under way, others wait for
