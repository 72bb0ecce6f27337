"""Run pip with the user's index and connection, but without any other setting of the user's.

``PIP_USER=1``, ``target = …`` or a constraint would put packages elsewhere or change their versions.
An index, a proxy or a certificate is how this machine reaches packages at all.
"""

import ast
import os
import subprocess
import sys

CONNECTION = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert"),
    *("proxy", "timeout", "default-timeout", "retries", "cache-dir", "no-cache-dir", "keyring-provider"),
)


def settings(python):
    """Return pip's settings that say where packages come from, environment before files.

    Parameters
    ----------
    python : str
        An interpreter that has pip.

    Returns
    -------
    dict of str to str
        Values by name, as in ``CONNECTION``.
    """
    command = [python, "-m", "pip", "config", "list"]
    whole = {**os.environ, "PIP_USER": "0"}  # with `user = true` pip would list the user's file alone
    listed = subprocess.run(command, check=True, env=whole, stdout=subprocess.PIPE, text=True).stdout
    pairs = [line.partition("=") for line in listed.splitlines()]
    found = {key: ast.literal_eval(value) for key, _, value in pairs}
    sections = ("global.", "install.", ":env:.")  # pip's own order, the last one wins
    return {
        name: " ".join(found[section + name].split())
        for section in sections
        for name in CONNECTION
        if section + name in found
    }


def environment(python):
    """Return the environment variables with which an interpreter's pip is to run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    connection = {
        "PIP_" + name.upper().replace("-", "_"): value for name, value in settings(python).items()
    }
    quiet = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**kept, **connection, **quiet}


def install(python, *arguments):
    """Install into an interpreter's environment; ``arguments`` are those of ``pip install``."""
    command = [python, "-m", "pip", "install", "--quiet", *arguments]
    subprocess.run(command, check=True, env=environment(python))


if __name__ == "__main__":  # with what pip install is to be told
    install(sys.executable, *sys.argv[1:])
