"""Retries and fallbacks of model calls: each model is retried under its `RetryPolicy`, then the next one is called."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

import structlog
from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, BaseMessage
from pydantic import BaseModel

from agents.messages import MODEL_NAME_KEY, THINKING, history_for, stop_of, stored_form, without_thinking
from agents.models.factory import ModelChain, NamedModel
from agents.models.failures import TRANSIENT, ModelFailure, Reason, reason_of, retry_after
from agents.models.metering import UsageMeter
from agents.models.prompt_cache import estimate_fixed_tokens
from agents.models.stream_events import ModelCall, ModelFallback, ModelRetry
from desk.governance.scope import Scope
from desk.governance.usage import AgentName

Handler: TypeAlias = Callable[[ModelRequest[Scope]], Awaitable[ModelResponse[Any]]]


class ModelAnswer(NamedTuple):
    """The model that answered, the event of its call, and its response."""

    model: NamedModel
    call: ModelCall
    response: ModelResponse[Any]


class ChainCaller:
    """Calls the models of one agent's chain."""

    def __init__(self, agent: AgentName, chain: ModelChain, answer: type[BaseModel]) -> None:
        self._agent: AgentName = agent
        self._chain = chain
        self._answer_schema = answer
        self._fixed_tokens: int | None = None

    async def call(self, request: ModelRequest[Scope], handler: Handler, meter: UsageMeter) -> ModelAnswer:
        """The answer of the first model of the chain that gives one.

        Models that rest after a failure are passed over, unless all do, and an answer without a usable tool call goes
        to the next model. Raises `ModelFailure` if all fail, and `BudgetSpent` if a budget allows no further call.
        """
        start, models, breaker = self._start(request.messages), self._chain.models, self._chain.breaker
        models = (*models[start:], *models[:start])
        models = tuple(model for model in models if not breaker.rests(model.name)) or models
        for model, fallback in zip(models, (*models[1:], None), strict=True):
            breaker.record_call(model.name)
            try:
                response, attempts, seconds = await self._call_model(model, request, handler, meter)
            except ModelFailure as failure:
                breaker.record_failure(model.name, failure.reason)
                meter.record_failure(model, again=fallback is not None)
                if fallback is None:
                    raise
                reason = failure.reason
            else:
                breaker.record_answer(model.name)
                message = next(message for message in response.result if isinstance(message, AIMessage))
                if fallback is None or _is_usable(message):
                    return _answer(model, message, response, attempts, seconds, meter)
                meter.record_failure(model, again=True, metadata=message.usage_metadata)
                reason = "malformed"
            request.runtime.stream_writer(ModelFallback(model=model.name, by=fallback.name, reason=reason))
        raise AssertionError("a chain has at least one model")

    def _start(self, messages: Sequence[BaseMessage]) -> int:
        """The place of the model that answered last in this conversation; a new one starts with the first model."""
        answers = [message for message in messages if isinstance(message, AIMessage)]
        last = answers[-1].response_metadata.get(MODEL_NAME_KEY) if answers else None
        return next((place for place, model in enumerate(self._chain.models) if model.name == last), 0)

    async def _call_model(
        self, model: NamedModel, request: ModelRequest[Scope], handler: Handler, meter: UsageMeter
    ) -> tuple[ModelResponse[Any], int, float]:
        """One model's response, attempts and seconds, with retries of transient failures under one time limit."""
        context, policy = request.runtime.context, self._chain.retry_policy
        chat = model.tagged({"agent": self._agent, "run": context.run, "owner": context.owner}, [meter])
        own_request = request.override(
            model=chat,
            messages=history_for(request.messages, model.name),
        )
        if model.cache is not None:
            own_request = model.cache.mark(own_request, self._count_fixed_tokens(request))
        start, last_failure = time.monotonic(), None
        with suppress(TimeoutError):
            async with asyncio.timeout(policy.time_limit):
                for attempt in range(1, policy.attempts + 1):
                    last_failure = None
                    await meter.check_budgets(model)
                    try:
                        response = await handler(own_request)
                    except Exception as error:  # of any provider; `_logged_reason` raises other errors again
                        last_failure = _logged_reason(error, model)
                        if last_failure not in TRANSIENT or attempt == policy.attempts:
                            raise ModelFailure(model.name, last_failure) from error
                        meter.record_failure(model, again=True)
                        request.runtime.stream_writer(
                            ModelRetry(model=model.name, reason=last_failure, attempt=attempt)
                        )
                        await asyncio.sleep(max(self._delay(attempt), retry_after(error)))
                    else:
                        return response, attempt, time.monotonic() - start
        # not raised from the TimeoutError, whose frames would keep the abandoned stream open
        raise ModelFailure(model.name, last_failure or "time_limit")

    def _count_fixed_tokens(self, request: ModelRequest[Scope]) -> int:
        """The estimated tokens of the agent's tools and prompt, which are the same in each of its calls."""
        if self._fixed_tokens is None:
            schema = self._answer_schema.model_json_schema()
            self._fixed_tokens = estimate_fixed_tokens(request.system_prompt or "", request.tools, schema)
        return self._fixed_tokens

    def _delay(self, attempt: int) -> float:
        """Exponential backoff with jitter, so that parallel calls do not retry together."""
        policy = self._chain.retry_policy
        longest = min(policy.largest_delay, policy.first_delay * (1 << (attempt - 1)))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, not used for secrets


def _logged_reason(error: Exception, model: NamedModel) -> Reason:
    """Why the call failed, after logging it; other errors are raised again."""
    reason = reason_of(error)
    if reason is None:
        raise error
    logger: Any = structlog.get_logger()
    logger.warning("model_failed", model=model.name, reason=reason, kind=type(error).__name__)
    return reason


def _is_usable(message: AIMessage) -> bool:
    """Whether the answer calls a tool; one that was cut off or blocked would be so with another model, too."""
    stop = stop_of(message)
    return stop in ("truncated", "blocked") or (stop == "answered" and bool(message.tool_calls))


def _answer(
    model: NamedModel,
    message: AIMessage,
    response: ModelResponse[Any],
    attempts: int,
    seconds: float,
    meter: UsageMeter,
) -> ModelAnswer:
    """The response with its call event; the content of a truncated, malformed or blocked response is dropped."""
    stop = stop_of(message)
    usage = meter.record_answer(model, message.usage_metadata)
    call = ModelCall(
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
        result = [stored_form(message, model.name) if each is message else each for each in response.result]
        answer = response.structured_response
        if isinstance(answer, BaseModel) and THINKING in answer.model_dump_json():
            answer = type(answer).model_validate(without_thinking(answer.model_dump(mode="json")))
        return ModelAnswer(model, call, ModelResponse(result=result, structured_response=answer))
    empty = AIMessage("", name=message.name)
    return ModelAnswer(model, call, ModelResponse(result=[empty], structured_response=None))
