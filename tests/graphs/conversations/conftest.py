from tests.graphs.conversations.interrupted_turns import home_with_result

__all__ = ["home_with_result"]
