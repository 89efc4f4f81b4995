"""The middleware between an agent and its models: cached answers, limits of calls, validation of tool arguments."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, ToolCallRequest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    ToolCall,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)
from langgraph.types import Command
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from agents.declaration import Declaration
from agents.models.factory import ModelChain
from agents.models.failures import ModelFailure
from agents.models.metering import UsageMeter
from agents.models.retries import ChainCaller, Handler
from agents.models.stream_events import ModelCall, Notice, ToolStart
from desk.governance.budgets import BudgetSpent
from desk.governance.scope import Scope
from desk.governance.usage import AgentName
from desk.runs.model_answers import answer_put, load_answer
from quant.numeric.frozen import Frozen
from store.records import Document
from store.store import Store

ToolResult: TypeAlias = ToolMessage | Command[Any]
AnswerKey: TypeAlias = tuple[Store, str, str, AgentName, str]
"""Where an answer is stored: store, owner, run, agent, digest of the conversation."""


OVER_LIMIT = "There are no tool calls left. Answer with what you have."


class ModelCallMiddleware(AgentMiddleware[Any, Scope]):
    """Answers each model call from the store or from the chain, and validates the arguments of each tool call.

    Model calls, retries, fallbacks and tool calls are written to the agent's custom stream.
    """

    def __init__(
        self,
        agent: Declaration,
        chain: ModelChain,
    ) -> None:
        super().__init__()
        self._max_tool_calls = agent.max_tool_calls
        self._max_model_calls = agent.max_model_calls
        self._agent = agent.name
        self._caller = ChainCaller(agent.name, chain, agent.answer)
        self._answer = agent.answer

    async def awrap_model_call(self, request: ModelRequest[Scope], handler: Handler) -> ModelResponse[Any]:
        if sum(isinstance(message, AIMessage) for message in request.messages) >= self._max_model_calls:
            return ModelResponse(result=[AIMessage("")])  # ends the loop without an answer
        context = request.runtime.context
        key = (context.store, context.owner, context.run, self._agent, _digest(request))
        document = await load_answer(*key) or await self._call(request, handler, key)
        request.runtime.stream_writer(ModelCall.model_validate(document["told"]))
        for notice in document["notices"]:
            request.runtime.stream_writer(Notice.model_validate(notice))
        return self._limit_tool_calls(request, self._response(document))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolResult]]
    ) -> ToolResult:
        """Refuse arguments that break the tool's schema, or whose quotes the conversation does not contain."""
        if request.tool is None:
            return await handler(request)
        call, schema = request.tool_call, cast("type[BaseModel]", request.tool.tool_call_schema)
        try:
            user_texts = cast("Scope", request.runtime.context).quotable_texts
            visible_text = None if user_texts is None else _visible_text(user_texts, request.state["messages"])
            arguments = schema.model_validate(
                call["args"], context={"user_texts": user_texts, "visible_text": visible_text}
            )
        except ValidationError as error:
            text = "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")
        values = arguments.model_dump(mode="json", exclude_none=True)
        start = ToolStart(call=call["id"] or "", tool=call["name"], arguments=values)
        request.runtime.stream_writer(start)
        return await handler(request)

    async def _call(self, request: ModelRequest[Scope], handler: Handler, key: AnswerKey) -> Document:
        """Call the models and store the answer with its usage; if another process was first, return its answer."""
        meter = UsageMeter(self._agent, request.runtime.context)
        try:
            model, call, response = await self._caller.call(request, handler, meter)
        except (ModelFailure, BudgetSpent):
            await meter.store_usage()
            raise
        notices = [notice.model_dump(mode="json") for notice in meter.notices(model)]
        document = {"told": call.model_dump(mode="json"), "notices": notices, **_document(response)}
        return (
            document
            if await meter.store_answer(answer_put(*key[1:], document))
            else await load_answer(*key) or document
        )

    def _limit_tool_calls(self, request: ModelRequest[Scope], response: ModelResponse[Any]) -> ModelResponse[Any]:
        """Answer the tool calls beyond the limit with an error, so that they are not made."""
        earlier = [call for message in request.messages for call in self._tool_calls(message)]
        calls = [call for message in response.result for call in self._tool_calls(message)]
        excess = calls[max(self._max_tool_calls - len(earlier), 0) :]
        errors = [ToolMessage(OVER_LIMIT, tool_call_id=c["id"], name=c["name"], status="error") for c in excess]
        return ModelResponse(result=[*response.result, *errors], structured_response=response.structured_response)

    def _tool_calls(self, message: BaseMessage) -> list[ToolCall]:
        """The tool calls of a message, without the structured answer."""
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        return [call for call in calls if call["name"] != self._answer.__name__]

    def _response(self, document: Document) -> ModelResponse[Any]:
        answer = None if document["answer"] is None else self._answer.model_validate(document["answer"])
        return ModelResponse(result=messages_from_dict(document["messages"]), structured_response=answer)


def _visible_text(user_texts: Sequence[str], messages: Sequence[BaseMessage]) -> str:
    """The text that arguments may quote: the user's messages, the task, and results of tools that succeeded."""
    tasks = [str(m.text).partition("\n")[0] for m in messages if isinstance(m, HumanMessage)]
    results = [str(m.text) for m in messages if isinstance(m, ToolMessage) and m.artifact is not None]
    return "\n".join((*user_texts, *tasks, *results))


def _digest(request: ModelRequest[Scope]) -> str:
    """Identifies the conversation so far, without the message ids that differ in each execution."""
    conversation = [request.system_prompt, *map(_canonical, request.messages)]
    return hashlib.sha256(json.dumps(conversation, sort_keys=True, default=str).encode()).hexdigest()


def _canonical(message: BaseMessage) -> list[Any]:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    result = [message.tool_call_id, message.status] if isinstance(message, ToolMessage) else []
    return [message.type, message.content, calls, result]


def _document(response: ModelResponse[Any]) -> dict[str, Any]:
    answer = response.structured_response
    return {
        "messages": to_jsonable_python(messages_to_dict(response.result), serialize_unknown=True),
        "answer": answer.model_dump(mode="json") if isinstance(answer, Frozen) else None,
    }
