"""How an agent calls its models: kept answers first, then each model of its chain, with patience, and out loud."""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast

import structlog
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

from agents.messages import ASKED_AS, Stop, repeated, stop_of, stripped
from agents.models.factory import ModelChain, NamedModel
from agents.models.failures import PASSING, ModelFailure, Reason, reason_of, retry_after
from agents.models.metering import Meter, Notice
from desk.governance.budgets import BudgetSpent
from desk.governance.scope import Scope
from desk.governance.usage import AgentName
from desk.runs.model_answers import answer_put, load_answer
from quant.numeric.frozen import Frozen
from store.records import Document
from store.store import Store

Handler: TypeAlias = Callable[[ModelRequest[Scope]], Awaitable[ModelResponse[Any]]]
Returned: TypeAlias = ToolMessage | Command[Any]
Place: TypeAlias = tuple[Store, str, str, AgentName, str]
"""Where an answer is kept: store, owner, run, agent, digest of the conversation."""


OVER_LIMIT = "There are no tool calls left. Answer with what you have."


class ModelCall(Frozen):
    """A model answered; what it said is no part of it."""

    model: str
    stop: Stop
    attempts: int
    """Calls of this model that it took."""
    input_tokens: int
    """Without those that came from or went to the cache."""
    cached_tokens: int
    """Read from the provider's prompt cache."""
    written_tokens: int
    """Written to it."""
    output_tokens: int
    seconds: float
    dollars: float | None = None
    """None where the price of a model is not known. As the tokens, with those of calls that broke off."""


class Retried(Frozen):
    """A call failed and is made again; `attempt` is the one that failed, from 1."""

    model: str
    reason: Reason
    attempt: int


class Replaced(Frozen):
    """A model failed for good and the next of the chain is asked."""

    model: str
    by: str
    reason: Reason


class ToolBegun(Frozen):
    """A tool is called with arguments that fit its schema and that nothing speaks against."""

    tool: str
    arguments: dict[str, Any]


class Calling(AgentMiddleware[Any, Scope]):
    """Stands between an agent and its models; what happens is written to the agent's custom stream."""

    def __init__(
        self,
        agent: AgentName,
        chain: ModelChain,
        answer: type[Frozen],
        *,
        max_tool_calls: int,
        max_model_calls: int,
    ) -> None:
        super().__init__()
        self._max_tool_calls = max_tool_calls
        self._max_model_calls = max_model_calls
        self._agent: AgentName = agent
        self._chain = chain
        self._answer = answer

    async def awrap_model_call(self, request: ModelRequest[Scope], handler: Handler) -> ModelResponse[Any]:
        if sum(isinstance(message, AIMessage) for message in request.messages) >= self._max_model_calls:
            return ModelResponse(result=[AIMessage("")])  # no answer
        context, asked = request.runtime.context, _digest(request)
        where = (context.store, context.owner, context.run, self._agent, asked)
        kept = await load_answer(*where) or await self._fresh(request, handler, where)
        request.runtime.stream_writer(ModelCall.model_validate(kept["told"]))
        for notice in kept["notices"]:
            request.runtime.stream_writer(Notice.model_validate(notice))
        return self._limited(request, self._response(kept))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Returned]]
    ) -> Returned:
        """Arguments that claim to quote have to: a number or a name of the model's own reaches no tool."""
        if request.tool is None:
            return await handler(request)
        call, schema = request.tool_call, cast("type[BaseModel]", request.tool.tool_call_schema)
        try:
            said = cast("Scope", request.runtime.context).quotable_texts
            heard = None if said is None else _heard(said, request.state["messages"])
            arguments = schema.model_validate(call["args"], context={"user_texts": said, "visible_text": heard})
        except ValidationError as error:
            wrong = "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            return ToolMessage(wrong, tool_call_id=call["id"], name=call["name"], status="error")
        given = arguments.model_dump(mode="json", exclude_none=True)
        request.runtime.stream_writer(ToolBegun(tool=call["name"], arguments=given))
        return await handler(request)

    async def _fresh(self, request: ModelRequest[Scope], handler: Handler, where: Place) -> Document:
        """A new answer, stored with what it took; or the one that another process stored meanwhile."""
        meter = Meter(self._agent, request.runtime.context)
        try:
            model, told, response = await self._ask(request, handler, meter)
        except (ModelFailure, BudgetSpent):
            await meter.give_up()
            raise
        notices = [notice.model_dump(mode="json") for notice in meter.notices(model)]
        document = {"told": told.model_dump(mode="json"), "notices": notices, **_document(response)}
        return document if await meter.keep(answer_put(*where[1:], document)) else await load_answer(*where) or document

    async def _ask(
        self, request: ModelRequest[Scope], handler: Handler, meter: Meter
    ) -> tuple[NamedModel, ModelCall, ModelResponse[Any]]:
        place, models = self._place(request.messages), self._chain.models
        models = (*models[place:], *models[:place])
        for model, following in zip(models, (*models[1:], None), strict=True):
            try:
                return model, *await self._ask_one(model, request, handler, meter)
            except ModelFailure as failure:
                meter.failed(model, again=following is not None)
                if following is None:
                    raise
                request.runtime.stream_writer(Replaced(model=model.name, by=following.name, reason=failure.reason))
        raise AssertionError("a chain has at least one model")

    def _place(self, messages: Sequence[BaseMessage]) -> int:
        """A model that has taken a conversation over keeps it while it can; the next begins with the first model."""
        said = [message for message in messages if isinstance(message, AIMessage)]
        last = said[-1].response_metadata.get(ASKED_AS) if said else None
        return next((place for place, model in enumerate(self._chain.models) if model.name == last), 0)

    async def _ask_one(
        self, model: NamedModel, request: ModelRequest[Scope], handler: Handler, meter: Meter
    ) -> tuple[ModelCall, ModelResponse[Any]]:
        context, patience = request.runtime.context, self._chain.patience
        chat = model.tagged({"agent": self._agent, "run": context.run, "owner": context.owner}, [meter])
        asked = request.override(
            model=chat,
            model_settings={**request.model_settings, **model.settings},
            messages=repeated(request.messages, model.name),
        )
        begun, last = time.monotonic(), None
        with suppress(TimeoutError):
            async with asyncio.timeout(patience.time_limit):
                for attempt in range(1, patience.attempts + 1):
                    last = None
                    await meter.allow(model)
                    try:
                        response = await handler(asked)
                    except Exception as error:  # of any provider; what is no failure of a model is raised again
                        last = _reason(error, model)
                        if last not in PASSING or attempt == patience.attempts:
                            raise ModelFailure(model.name, last) from error
                        meter.failed(model, again=True)
                        request.runtime.stream_writer(Retried(model=model.name, reason=last, attempt=attempt))
                        await asyncio.sleep(max(self._delay(attempt), retry_after(error)))
                    else:
                        return _told(model, response, attempt, time.monotonic() - begun, meter)
        # not raised from the timeout, whose frames would hold the stream open that is given up here
        raise ModelFailure(model.name, last or "time_limit")

    def _delay(self, attempt: int) -> float:
        """Doubles from attempt to attempt, and differs from call to call so that they do not come back together."""
        patience = self._chain.patience
        longest = min(patience.largest_delay, patience.first_delay * (1 << (attempt - 1)))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, hides nothing

    def _limited(self, request: ModelRequest[Scope], response: ModelResponse[Any]) -> ModelResponse[Any]:
        """Tool calls beyond the limit are answered here, and not made."""
        before = [call for message in request.messages for call in self._tool_calls(message)]
        calls = [call for message in response.result for call in self._tool_calls(message)]
        refused = calls[max(self._max_tool_calls - len(before), 0) :]
        told = [ToolMessage(OVER_LIMIT, tool_call_id=c["id"], name=c["name"], status="error") for c in refused]
        return ModelResponse(result=[*response.result, *told], structured_response=response.structured_response)

    def _tool_calls(self, message: BaseMessage) -> list[ToolCall]:
        """Without those that hand the answer in."""
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        return [call for call in calls if call["name"] != self._answer.__name__]

    def _response(self, kept: dict[str, Any]) -> ModelResponse[Any]:
        answer = None if kept["answer"] is None else self._answer.model_validate(kept["answer"])
        return ModelResponse(result=messages_from_dict(kept["messages"]), structured_response=answer)


def _reason(error: Exception, model: NamedModel) -> Reason:
    reason = reason_of(error)
    if reason is None:
        raise error
    logger: Any = structlog.get_logger()
    logger.warning("model_failed", model=model.name, reason=reason, kind=type(error).__name__)
    return reason


def _told(
    model: NamedModel, response: ModelResponse[Any], attempts: int, seconds: float, meter: Meter
) -> tuple[ModelCall, ModelResponse[Any]]:
    """What is told of a response; one that did not end as it should loses all that it says."""
    said = next(message for message in response.result if isinstance(message, AIMessage))
    stop = stop_of(said)
    usage = meter.answered(model, said.usage_metadata)
    told = ModelCall(
        model=model.name,
        stop=stop,
        attempts=attempts,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        written_tokens=usage.written_tokens,
        output_tokens=usage.output_tokens,
        seconds=seconds,
        dollars=usage.dollars,
    )
    if stop == "answered":
        result = [stripped(said, model.name) if message is said else message for message in response.result]
        return told, ModelResponse(result=result, structured_response=response.structured_response)
    return told, ModelResponse(result=[AIMessage("", name=said.name)], structured_response=None)


def _heard(said: Sequence[str], messages: Sequence[BaseMessage]) -> str:
    """What a model was told, without what was told back to it about its own words."""
    asked = [str(m.text).partition("\n")[0] for m in messages if isinstance(m, HumanMessage)]
    returned = [str(m.text) for m in messages if isinstance(m, ToolMessage) and m.artifact is not None]
    return "\n".join((*said, *asked, *returned))


def _digest(request: ModelRequest[Scope]) -> str:
    """Names the conversation so far, without the ids that differ in each execution."""
    asked = [request.system_prompt, *map(_said, request.messages)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _said(message: BaseMessage) -> list[Any]:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    result = [message.tool_call_id, message.status] if isinstance(message, ToolMessage) else []
    return [message.type, message.content, calls, result]


def _document(response: ModelResponse[Any]) -> dict[str, Any]:
    answer = response.structured_response
    return {
        "messages": to_jsonable_python(messages_to_dict(response.result), serialize_unknown=True),
        "answer": answer.model_dump(mode="json") if isinstance(answer, Frozen) else None,
    }
