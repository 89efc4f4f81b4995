from tests.api.cli.chat_terminal import terminal
from tests.graphs.checkpoints.interrupted_graph import aws, place, served
from tests.graphs.conversations.interrupted_turns import home_with_result

__all__ = ["aws", "home_with_result", "place", "served", "terminal"]
