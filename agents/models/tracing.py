"""Turns off LangChain's tracing, which sends prompts and answers to LangSmith when a variable of the machine says so.

Spans without texts go wherever `STRATIGOS_TELEMETRY` sends them, LangSmith and Langfuse included.
"""

import os
from collections.abc import Callable
from contextvars import Context
from typing import ParamSpec, TypeVar

from langsmith import configure, set_runtime_overrides

P = ParamSpec("P")
T = TypeVar("T")

_REFUSED = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")
"""Variables of a former version of LangChain, which now refuses every call if one is set."""
_GATEWAY = "LANGSMITH_GATEWAY"
"""The variable that routes the calls of models through LangSmith."""


def turn_tracing_off() -> None:
    """For this process, whatever LANGSMITH_TRACING and LANGCHAIN_TRACING_V2 say."""
    configure(enabled=False)
    set_runtime_overrides(
        aio_to_thread=_call
    )  # otherwise five changes of threads per call of a model, to trace nothing
    for name in (*_REFUSED, _GATEWAY):
        os.environ.pop(name, None)


async def _call(_: object, context: Context, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return context.run(function, *args, **kwargs)
