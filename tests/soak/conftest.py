from tests.api.cli.chat_terminal import terminal
from tests.graphs.checkpoints.interrupted_graph import aws, place, served
from tests.graphs.conversations.interrupted_turns import answered_search, home_with_result
from tests.web.conftest import chromium, open_pages, pytest_pyfunc_call

__all__ = [
    "answered_search",
    "aws",
    "chromium",
    "home_with_result",
    "open_pages",
    "place",
    "pytest_pyfunc_call",
    "served",
    "terminal",
]
