"""Make MXNet 1.9.1 importable under today's Python and NumPy.

MXNet 1.9.1 (2022) reads names that NumPy has dropped since. This module adds the missing ones to the
``numpy`` module, changes none that exists, then imports MXNet and switches it to NumPy semantics, in
every thread. And it lets matplotlib be imported where there is no home directory.
"""

import atexit
import ctypes
import os
import platform
import re
import shutil
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy

from d2lutil.validation import short

MOST_THREADS = 4096  # an operation that asks for far more than a machine has ends the process


def _financial(*args, **kwargs):
    raise AttributeError("NumPy dropped its financial functions: use the package numpy-financial")


ALIASES = {
    "bool": bool,
    "float_": numpy.float64,
    "NAN": numpy.nan,
    "NaN": numpy.nan,
    "Inf": numpy.inf,
    "PINF": numpy.inf,
    "NINF": -numpy.inf,
    "PZERO": 0.0,
    "NZERO": -0.0,
    "round_": numpy.round,
    "alltrue": numpy.all,
    "sometrue": numpy.any,
    "product": numpy.prod,
    "cumproduct": numpy.cumprod,
    "msort": lambda a: numpy.sort(a, axis=0),
    "in1d": lambda a, b, **kw: numpy.isin(numpy.ravel(a), b, **kw),
    "row_stack": numpy.vstack,
    "trapz": getattr(numpy, "trapezoid", None),
    **dict.fromkeys(("mirr", "npv", "pmt", "ppmt", "pv", "rate"), _financial),
}


def add_missing_names(module):
    """Add to a NumPy module the names that MXNet 1.9.1 reads and that the module lacks.

    Parameters
    ----------
    module : module
        The ``numpy`` module. A name in its namespace is left as it is.

    Returns
    -------
    list of str
        The names that were added.
    """
    missing = [name for name in ALIASES if name not in vars(module)]
    for name in missing:
        setattr(module, name, ALIASES[name])
    return missing


def clear_the_way():
    """Undo what would keep MXNet from being imported: the parts that an import that failed left behind."""
    if "mxnet" not in sys.modules:
        for name in [name for name in sys.modules if name.partition(".")[0] == "mxnet"]:
            del sys.modules[name]


def check_threads():
    """Raise if the environment holds a number of threads with which MXNet would end the process."""
    for name, value in os.environ.items():
        if not value or not re.fullmatch(r"(OMP|OPENBLAS)_NUM_THREADS|MXNET_\w+THREADS", name):
            continue
        lowest = 1 if name.startswith("MXNET_CPU_") else 0
        number = int(value) if re.fullmatch(r"\s*\+?[0-9]{1,9}\s*", value, re.ASCII) else -1
        if not lowest <= number <= MOST_THREADS:
            allowed = f"for MXNet 1.9.1 one integer from {lowest} to {MOST_THREADS}"
            raise ImportError(f"{name}={short(value)} in the environment; allowed: {allowed}")


def give_matplotlib_a_folder():
    """Give matplotlib a temporary folder of its own where no home directory can be determined.

    An unwritable home is no error to matplotlib, which then makes such a folder itself; a missing one is.
    """
    try:
        Path.home()
    except RuntimeError:
        if not os.environ.get("MPLCONFIGDIR"):
            os.environ["MPLCONFIGDIR"] = folder = tempfile.mkdtemp(prefix="matplotlib-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)


def switch_to_numpy(mxnet):
    """Switch NumPy shapes and arrays on in all threads, those to come too.

    ``npx.set_np()`` does so for the calling thread only. The C library knows a switch for all threads,
    the value 2 of ``MXSetIsNumpyShape``, which MXNet's Python code never sets; one thread that turns
    NumPy shapes off turns them off for all until it leaves its scope. The switch for arrays is a
    thread-local variable in Python, whose default becomes "on".
    """
    library, scope = mxnet.base._LIB, mxnet.util._NumpyArrayScope
    for_one_thread = library.MXSetIsNumpyShape

    def for_all_threads(active, previous):
        return for_one_thread(ctypes.c_int(2 if active.value else 0), previous)

    class OnByDefault(threading.local):
        value = scope(True)

    library.MXSetIsNumpyShape, scope._current = for_all_threads, OnByDefault()
    mxnet.npx.set_np()


def import_mxnet():
    """Import MXNet and switch it to NumPy shapes and arrays.

    Returns
    -------
    module
        ``mxnet``.

    Raises
    ------
    ImportError
        If MXNet, or a library that it needs, is not installed; the message says how to install it. If
        the environment names a number of threads that MXNet cannot read.
    """
    add_missing_names(numpy)
    clear_the_way()
    check_threads()
    if sys.flags.optimize > 1:
        raise ImportError("python -OO drops the docstrings that MXNet 1.9.1 reads; allowed: at most -O")
    with warnings.catch_warnings():
        # Not ours to mend: escape sequences and NumPy calls of 2022, reported at each first import.
        warnings.simplefilter("ignore")
        try:
            import mxnet
        except ModuleNotFoundError as error:
            if error.name == "distutils":
                raise ImportError(
                    "MXNet 1.9.1 needs distutils, which Python dropped in 3.12. "
                    "Install it with: pip install setuptools"
                ) from error
            if error.name != "mxnet":
                raise
            raise ImportError(
                "d2lutil needs MXNet 1.9.1, which is not installed. In a clone of the book run "
                "`make env`; elsewhere `pip install --no-deps mxnet==1.9.1` (wheels exist for Linux "
                "x86-64 and aarch64 and for macOS x86-64; on Windows use WSL, on Apple silicon "
                "Rosetta or an aarch64 Linux container)."
            ) from error
        except OSError as error:
            packages = "libgomp1 libquadmath0" if platform.machine() == "x86_64" else "libgomp1"
            raise ImportError(
                f"MXNet 1.9.1 lacks a library of the system: {error}. "
                f"On Debian or Ubuntu: apt-get install {packages}"
            ) from error
    switch_to_numpy(mxnet)
    return mxnet


give_matplotlib_a_folder()
mxnet: Any = import_mxnet()  # its own types are incomplete
