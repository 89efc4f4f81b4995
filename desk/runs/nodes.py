"""Nodes of code in the graphs of a run and a turn: what each does, and at which share of the work it begins.

The nodes of agents are in `agents.table`; their events say both.
"""

from typing import NamedTuple

from desk.base.text import title


class Node(NamedTuple):
    title: str
    start: float
    """Share of the run or turn at which the node begins."""


NODES = {
    "prepare": Node("Loading and checking the prices", 0.01),
    "search": Node("Searching", 0.10),
    "aggregate": Node("Judging: ranking, benchmarks, luck", 0.85),
    "render": Node("Checking every claim", 0.95),
    "holdout": Node("Opening the locked holdout", 1.0),
    "release": Node("Release", 0.95),
}
TURN_NODES = ("turn", "assistant", "release")
"""Nodes of the graph that answers a turn of a conversation."""


def node_title(node: str) -> str:
    """The title of a node; a node without a row, such as a step of a pipeline, has its name."""
    return NODES[node].title if node in NODES else title(node)


def start_share(node: str) -> float:
    return NODES[node].start if node in NODES else 0.0
