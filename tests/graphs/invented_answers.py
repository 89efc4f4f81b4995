"""Model answers that hold invented numbers, and the check that none is stored."""

from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage

from agents.declaration import Declaration, ToolCall
from agents.table import OPTIMIZATION_AGENTS
from quant.numeric.frozen import Frozen

INVENTED_NUMBER = "7342189655"
"""A number that no computation returns, too long to occur in a digest by chance."""


INVENTED_WORDS = "seventy-three percent"


def answer_with_calls(*calls: tuple[str, dict[str, Any]]) -> AIMessage:
    tool_calls = [{"name": name, "args": args, "id": f"call-{n}"} for n, (name, args) in enumerate(calls)]
    return AIMessage(f"I believe it is {INVENTED_NUMBER}.", tool_calls=tool_calls)


def _first_call(agent: Declaration) -> ToolCall:
    calls = agent.rule("", ())
    assert not isinstance(calls, Frozen)
    return calls[0]


TOOL_OF_ANSWER = {agent.answer.__name__: _first_call(agent) for agent in OPTIMIZATION_AGENTS.values()}
"""A tool call of the agent of each answer type."""


def assert_not_stored(home: Path, *values: Any) -> None:
    files = [file for file in home.rglob("*") if file.is_file()]
    assert {"store.sqlite", "checkpoints.sqlite"} <= {file.name for file in files}
    for word in (INVENTED_NUMBER, INVENTED_WORDS, "٧٣٤٢١", "<script", "I believe"):
        assert not [value for value in values if word in str(value)], word
        assert not [file for file in files if word.encode() in file.read_bytes()], word
