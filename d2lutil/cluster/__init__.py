"""Truncated backpropagation through time on several machines, on MXNet's parameter server.

``python -m d2launcher --workers 2 script.py`` starts a scheduler, a server and two workers on this machine
and runs the script in each worker. The script finds its part of the work here.
"""

from d2lutil.cluster.checkpoint import Checkpoints
from d2lutil.cluster.columns import rank_and_size, read_columns, shard
from d2lutil.cluster.exchange import Exchange

__all__ = ["Checkpoints", "Exchange", "rank_and_size", "read_columns", "shard"]
