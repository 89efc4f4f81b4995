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

from agents.messages import MODEL_NAME_KEY, history_for, stop_of, strip_metadata
from agents.models.factory import ModelChain, NamedModel
from agents.models.failures import TRANSIENT, ModelFailure, Reason, reason_of, retry_after
from agents.models.metering import UsageMeter
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

    def __init__(self, agent: AgentName, chain: ModelChain) -> None:
        self._agent: AgentName = agent
        self._chain = chain

    async def call(self, request: ModelRequest[Scope], handler: Handler, meter: UsageMeter) -> ModelAnswer:
        """The answer of the first model of the chain that gives one.

        Raises `ModelFailure` if all fail, and `BudgetSpent` if a budget allows no further call.
        """
        start, models = self._start(request.messages), self._chain.models
        models = (*models[start:], *models[:start])
        for model, fallback in zip(models, (*models[1:], None), strict=True):
            try:
                return await self._call_model(model, request, handler, meter)
            except ModelFailure as failure:
                meter.record_failure(model, again=fallback is not None)
                if fallback is None:
                    raise
                request.runtime.stream_writer(ModelFallback(model=model.name, by=fallback.name, reason=failure.reason))
        raise AssertionError("a chain has at least one model")

    def _start(self, messages: Sequence[BaseMessage]) -> int:
        """The place of the model that answered last in this conversation; a new one starts with the first model."""
        answers = [message for message in messages if isinstance(message, AIMessage)]
        last = answers[-1].response_metadata.get(MODEL_NAME_KEY) if answers else None
        return next((place for place, model in enumerate(self._chain.models) if model.name == last), 0)

    async def _call_model(
        self, model: NamedModel, request: ModelRequest[Scope], handler: Handler, meter: UsageMeter
    ) -> ModelAnswer:
        """Call one model, with retries of transient failures under one time limit."""
        context, policy = request.runtime.context, self._chain.retry_policy
        chat = model.tagged({"agent": self._agent, "run": context.run, "owner": context.owner}, [meter])
        own_request = request.override(
            model=chat,
            model_settings={**request.model_settings, **model.settings},
            messages=history_for(request.messages, model.name),
        )
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
                        return _answer(model, response, attempt, time.monotonic() - start, meter)
        # not raised from the TimeoutError, whose frames would keep the abandoned stream open
        raise ModelFailure(model.name, last_failure or "time_limit")

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


def _answer(
    model: NamedModel, response: ModelResponse[Any], attempts: int, seconds: float, meter: UsageMeter
) -> ModelAnswer:
    """The response with its call event; the content of a truncated, malformed or blocked response is dropped."""
    message = next(message for message in response.result if isinstance(message, AIMessage))
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
        result = [strip_metadata(message, model.name) if each is message else each for each in response.result]
        return ModelAnswer(model, call, ModelResponse(result=result, structured_response=response.structured_response))
    empty = AIMessage("", name=message.name)
    return ModelAnswer(model, call, ModelResponse(result=[empty], structured_response=None))
