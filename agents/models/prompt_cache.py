"""Cache points of prompts on Amazon Bedrock: where they stand, and for which models.

A cache point is written at 1.25 times the price of input (2 times for an hour) and read at a tenth, so it stands only
where a later call reads it: after the system prompt, which with the tools is equal in every call of an agent, and after
the task, which every further call of the same answer repeats. The results of tools that follow are read at most once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from langchain.agents.middleware import ModelRequest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from agents.models.prices import CacheTime

CHARACTERS_PER_TOKEN = 4

_MODELS: tuple[tuple[str, int, bool], ...] = (
    ("anthropic.claude-3-5-haiku-*", 2048, False),
    ("anthropic.claude-3-7-sonnet-*", 1024, False),
    ("anthropic.claude-opus-4-2*", 1024, False),
    ("anthropic.claude-opus-4-1-*", 1024, False),
    ("anthropic.claude-sonnet-4-2*", 1024, False),
    ("anthropic.claude-haiku-4-5-*", 4096, True),
    ("anthropic.claude-opus-4-[56]*", 4096, True),
    ("anthropic.claude-opus-4-7*", 2048, True),
    ("anthropic.claude-opus-5", 512, True),
    ("anthropic.claude-fable-5", 512, True),
    ("anthropic.claude-opus-[45]-*", 1024, True),
    ("anthropic.claude-sonnet-[45]*", 1024, True),
    ("anthropic.claude-haiku-5-*", 1024, True),
    ("anthropic.claude-fable-5-*", 1024, True),
    ("amazon.nova-*", 1000, False),
)
"""Pattern of model ids, fewest tokens that are cached, whether they can be cached for an hour; the first that fits.

https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models; for the models of
autumn 2026, whose minimum is not listed there, that of their predecessors, but at least 1,024.
"""


@dataclass(frozen=True)
class PromptCache:
    """The prompt cache of a model: the fewest tokens that it stores, and for how long."""

    minimum: int
    time: CacheTime

    def mark(self, request: ModelRequest[Any], fixed_tokens: int) -> ModelRequest[Any]:
        """The request with its cache points; `fixed_tokens` are those of the tools and the system prompt."""
        if request.system_message is None or not request.messages:
            return request
        changes: dict[str, Any] = {}
        if fixed_tokens >= self.minimum:
            changes["system_message"] = SystemMessage(self._ended(request.system_message))
        task, *rest = request.messages
        whole = fixed_tokens + len(str(task.text)) // CHARACTERS_PER_TOKEN
        if isinstance(task, HumanMessage) and request.tools and whole >= self.minimum:
            changes["messages"] = [HumanMessage(self._ended(task)), *rest]
        return request.override(**changes)

    def _ended(self, message: BaseMessage) -> list[str | dict[Any, Any]]:
        point = {"type": "default"} if self.time == "5m" else {"type": "default", "ttl": self.time}
        return [{"type": "text", "text": str(message.text)}, {"cachePoint": point}]


def cache_of(base_model: str, time: CacheTime) -> PromptCache | None:
    """The prompt cache of a foundation model; None if it has none."""
    row = next((row for row in _MODELS if fnmatchcase(base_model, row[0])), None)
    if row is None:
        return None
    _, minimum, hour = row
    return PromptCache(minimum, time if hour else "5m")


def estimate_fixed_tokens(prompt: str, tools: Sequence[Any], answer: Mapping[str, Any]) -> int:
    """The tokens of a system prompt, tools and the schema of the answer, by their length."""
    schemas = [convert_to_openai_tool(tool) for tool in tools]
    return (len(prompt) + len(json.dumps([schemas, answer]))) // CHARACTERS_PER_TOKEN
