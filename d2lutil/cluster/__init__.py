"""Truncated backpropagation through time on several machines, on MXNet's parameter server.

``python -m d2lutil.cluster --workers 2 script.py`` starts a scheduler, a server and two workers on this
machine and runs the script in each worker. The script finds its part of the work here.
"""

from d2lutil.cluster.checkpoint import Checkpoints
from d2lutil.cluster.exchange import Exchange, columns, place

__all__ = ["Checkpoints", "Exchange", "columns", "place"]
