"""The embedded planner: fixed rules behind the interface of a chat model; it is not a language model.

It makes the tool calls that a language model would make, reads the tools' results from the conversation, and answers
through the structured-output tool, by the `rule` of each agent's declaration. Tools make all comparisons that a rule
uses.
"""

# ruff: noqa: ARG002  (the arguments are the interface of a chat model)

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from agents.declaration import ToolCall, ToolOutput
from agents.messages import unfence
from agents.table import AGENTS
from quant.numeric.frozen import Frozen

PLANNER = "embedded planner (rule-based)"
AGENT_OF_ANSWER = {agent.answer.__name__: agent for agent in AGENTS.values()}
"""The agents by their structured-output tools."""


class EmbeddedPlanner(BaseChatModel):
    """Rules, not a language model: the same conversation always gets the same answer."""

    name: str | None = PLANNER
    answers_with: str = ""
    """The structured-output tool that is bound; it determines the agent."""

    @property
    def _llm_type(self) -> str:
        return PLANNER

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        names = [_name_of(tool) for tool in tools]
        for name in names:
            if name in AGENT_OF_ANSWER:
                return self.model_copy(update={"answers_with": name})
        raise ValueError(f"tools: {names} hold no answer of an agent; expected one of {[*AGENT_OF_ANSWER]}")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for index, call in enumerate(self._reply(messages).tool_calls):
            chunk = tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[chunk]))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        agent = AGENT_OF_ANSWER[self.answers_with]
        task = next(m for m in reversed(messages) if isinstance(m, HumanMessage))
        tools = {tool.name for tool in agent.tools()}
        outputs = [
            ToolOutput(m.name or "", unfence(str(m.text)), failed=m.status == "error")
            for m in messages
            if isinstance(m, ToolMessage) and m.name in tools
        ]
        reply = agent.rule(str(task.text), outputs)
        if isinstance(reply, Frozen):
            reply = [(self.answers_with, reply.model_dump(mode="json", exclude_defaults=True))]
        return _calls(*reply)


def _name_of(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> str:
    """The name of a tool given as an object, as OpenAI's function or as Converse's `toolSpec`."""
    if isinstance(tool, BaseTool):
        return tool.name
    if isinstance(tool, dict):
        return tool.get("function", tool.get("toolSpec", tool)).get("name", "")
    return tool.__name__


def _calls(*calls: ToolCall) -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[{"name": name, "args": args, "id": f"{n}-{name}"} for n, (name, args) in enumerate(calls)],
    )
