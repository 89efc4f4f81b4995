from tests.api.cli.chat_terminal import terminal
from tests.graphs.checkpoints.interrupted_graph import aws, place, served
from tests.graphs.conversations.interrupted_turns import answered_search, home_with_result

__all__ = ["answered_search", "aws", "home_with_result", "place", "served", "terminal"]
