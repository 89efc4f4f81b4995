"""Turns off LangChain's tracing, which sends prompts and answers to LangSmith when a variable of the machine says so.

Spans without texts go wherever `STRATIGOS_TELEMETRY` sends them, LangSmith and Langfuse included.
"""

import os

from langsmith import configure

_REFUSED = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")
"""Variables of a former version of LangChain, which now refuses every call if one is set."""
_GATEWAY = "LANGSMITH_GATEWAY"
"""The variable that routes the calls of models through LangSmith."""


def turn_tracing_off() -> None:
    """For this process, whatever LANGSMITH_TRACING and LANGCHAIN_TRACING_V2 say."""
    configure(enabled=False)
    for name in (*_REFUSED, _GATEWAY):
        os.environ.pop(name, None)
