from tests.graphs.conversations.interrupted_turns import answered_search, home_with_result

__all__ = ["answered_search", "home_with_result"]
