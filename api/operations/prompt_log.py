"""Logs the prompts and answers of models, when `STRATIGOS_LOG_PROMPTS` is set."""

from typing import Any

import structlog
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

_Messages = list[list[BaseMessage]]


class PromptLog(AsyncCallbackHandler):
    """Logs every model call at debug level."""

    async def on_chat_model_start(self, serialized: dict[str, Any], messages: _Messages, **call: Any) -> None:  # noqa: ARG002
        _log("prompt", call, [message for batch in messages for message in batch])

    async def on_llm_end(self, response: LLMResult, **call: Any) -> None:
        generations = [generation for batch in response.generations for generation in batch]
        _log(
            "answer", call, [generation.message for generation in generations if isinstance(generation, ChatGeneration)]
        )


def _log(event: str, call: dict[str, Any], messages: list[BaseMessage]) -> None:
    logger: Any = structlog.get_logger()
    contents = [message.model_dump(mode="json", include={"type", "content", "tool_calls"}) for message in messages]
    logger.debug(event, call=str(call["run_id"]), messages=contents)
