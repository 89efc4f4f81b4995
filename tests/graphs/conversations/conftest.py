from tests.graphs.conversations.interrupted_turns import searched

__all__ = ["searched"]
