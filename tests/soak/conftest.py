from tests.api.cli.chat_terminal import terminal
from tests.graphs.checkpoints.interrupted_graph import aws, place, served
from tests.graphs.conversations.interrupted_turns import searched

__all__ = ["aws", "place", "searched", "served", "terminal"]
