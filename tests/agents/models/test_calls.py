"""Model calls of an agent: retries, fallbacks, stored answers, budgets and limits."""

import asyncio
import itertools
import math
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agents.build import build
from agents.models.factory import ModelChain, NamedModel
from agents.models.failures import ModelFailure
from agents.models.options import RetryPolicy
from agents.models.prices import FREE
from agents.models.stream_events import ModelCall, ModelFallback, ModelRetry, Notice
from agents.recording.player import CassetteMiss
from agents.table import AGENTS
from desk.governance.budgets import Budgets, BudgetSpent
from desk.governance.principals import Principal
from desk.governance.spending import usage_by_agent
from desk.optimization.answers import RiskAssessment
from desk.runs.model_answers import delete_answers, load_answer
from tests.agents.models.agent_calls import AGENT, ask_agent, open_context

pytestmark = pytest.mark.anyio

AT_ONCE = RetryPolicy(attempts=3, first_delay=0.0, time_limit=20.0)
SLACK = 2.0
"""Seconds that a busy machine may add to a delay; the ninth of delays that always double would be longer."""


def throttled(**headers: str) -> ClientError:
    metadata: dict[str, Any] = {"HTTPStatusCode": 429, "HTTPHeaders": headers}
    error = {"Error": {"Code": "ThrottlingException", "Message": "No."}, "ResponseMetadata": metadata}
    return ClientError(error, "Converse")  # pyright: ignore[reportArgumentType]


def denied() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "No."}}, "Converse")


def answer(**metadata: Any) -> AIMessage:
    usage = metadata.pop("usage", None)
    call = {"name": "RiskAssessment", "args": {"concerns": ["none"]}, "id": "1"}
    return AIMessage("", tool_calls=[call], response_metadata=metadata, usage_metadata=usage)


class Script(BaseChatModel):
    """Returns or raises the next line; the last one is repeated."""

    lines: list[Any]
    call_times: list[float]
    """The time of each call."""

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools: Any, *, tool_choice: str | None = None, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.call_times.append(time.monotonic())
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if isinstance(line, Exception):
            raise line
        return ChatResult(generations=[ChatGeneration(message=line)])

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in itertools.pairwise(self.call_times)]


def script(*lines: Any) -> Script:
    return Script(lines=list(lines), call_times=[])


def chain(*models: Script, patience: RetryPolicy = AT_ONCE) -> ModelChain:
    return ModelChain(tuple(NamedModel(f"m{n}", model, price=FREE) for n, model in enumerate(models)), patience)


def asking(*subjects: str) -> AIMessage:
    calls = [{"name": "assess_risk", "args": {"subject": s}, "id": f"{s}-{n}"} for n, s in enumerate(subjects)]
    return AIMessage("", tool_calls=calls)


async def test_tool_calls_beyond_the_limit_get_an_error_and_are_not_made(home):
    model = script(asking("asset", "asset", "constant_exposure"), answer())
    agent = build(replace(AGENTS[AGENT], max_tool_calls=2, max_model_calls=3), chain(model))
    async with open_context(home) as context:
        state = await agent.loop.ainvoke({"messages": [HumanMessage("Go.")]}, context=context)
    results = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    by_call = {message.tool_call_id: (message.status, message.artifact is None) for message in results}
    assert by_call["asset-0"] == by_call["asset-1"] == ("success", False)
    assert by_call["constant_exposure-2"] == ("error", True)
    assert state["structured_response"] == RiskAssessment(concerns=("none",))


async def test_a_model_is_not_called_beyond_the_limit(home):
    model = script(*[asking("asset") for _ in range(9)])
    agent = build(replace(AGENTS[AGENT], max_tool_calls=9, max_model_calls=3), chain(model))
    async with open_context(home) as context:
        state = await agent.loop.ainvoke({"messages": [HumanMessage("Go.")]}, context=context)
    assert len(model.call_times) == 3
    assert state["structured_response"] is None


async def test_each_wait_is_twice_the_last_up_to_the_largest_and_partly_random(home):
    model = script(*[throttled()] * 9, answer())
    patience = RetryPolicy(attempts=10, first_delay=0.02, largest_delay=0.06, time_limit=20.0)
    async with open_context(home) as context:
        *retries, call, _ = await ask_agent(context, chain(model, patience=patience))
    assert retries == [ModelRetry(model="m0", reason="throttled", attempt=n) for n in range(1, 10)]
    assert call.attempts == 10
    longest = [0.02, 0.04, *[0.06] * 7]
    for gap, most in zip(model.gaps, longest, strict=True):
        assert 0.5 * most <= gap <= most + SLACK
    assert call.seconds >= sum(longest) / 2


async def test_calls_that_fail_together_are_not_retried_together(home):
    model = script(*[throttled()] * 19, answer())
    patience = RetryPolicy(attempts=20, first_delay=0.04, largest_delay=0.04, time_limit=20.0)
    async with open_context(home) as context:
        await ask_agent(context, chain(model, patience=patience))
    assert max(model.gaps) - min(model.gaps) > 0.005


async def test_one_time_limit_covers_all_attempts_and_delays(home):
    # waits of a full second, so that the limit ends the third one even where attempts are slow
    model = script(throttled(**{"retry-after": "1"}))
    patience = RetryPolicy(attempts=20, first_delay=0.0, time_limit=2.5)
    start = time.monotonic()
    async with open_context(home) as context:
        with pytest.raises(ModelFailure) as caught:
            await ask_agent(context, chain(model, patience=patience))
    assert caught.value.reason == "throttled"
    assert 2 <= len(model.call_times) <= 3
    assert model.call_times[-1] - model.call_times[0] <= 2.5 <= time.monotonic() - start


async def test_the_retry_after_header_of_the_provider_is_respected(home):
    model = script(throttled(**{"retry-after": "30"}), answer())
    patience = RetryPolicy(attempts=5, first_delay=0.0, time_limit=1.0)
    async with open_context(home) as context:
        with pytest.raises(ModelFailure, match="throttled"):
            await ask_agent(context, chain(model, patience=patience))
    assert len(model.call_times) == 1


async def test_retries_and_fallbacks_of_each_model_are_reported(home):
    first, second, third = script(throttled()), script(denied()), script(throttled(), answer())
    async with open_context(home) as context:
        *events, call, decision = await ask_agent(context, chain(first, second, third))
    assert events == [
        ModelRetry(model="m0", reason="throttled", attempt=1),
        ModelRetry(model="m0", reason="throttled", attempt=2),
        ModelFallback(model="m0", by="m1", reason="throttled"),
        ModelFallback(model="m1", by="m2", reason="access_denied"),
        ModelRetry(model="m2", reason="throttled", attempt=1),
    ]
    assert (call.model, call.attempts) == ("m2", 2)
    assert decision == RiskAssessment(concerns=("none",))
    assert [len(model.call_times) for model in (first, second, third)] == [3, 1, 2]


@pytest.mark.parametrize(
    "error",
    [
        KeyError("output"),
        LookupError("a bug"),
        CassetteMiss("The cassette has no answer"),
        HTTPClientError(error=CassetteMiss("The cassette has no answer")),
        HTTPClientError(error=RuntimeError("socket.connect is blocked")),
    ],
    ids=lambda error: str(error)[:20],
)
async def test_an_error_that_is_no_model_failure_is_raised_unchanged(error: Exception, home):
    failing, spare = script(error), script(answer())
    async with open_context(home) as context:
        with pytest.raises(type(error)) as caught:
            await ask_agent(context, chain(failing, spare))
    assert caught.value is error
    assert (len(failing.call_times), len(spare.call_times)) == (1, 0)


async def test_a_stored_answer_is_reused_until_it_is_deleted(home):
    model = script(throttled(), answer(), answer())
    async with open_context(home) as context:
        retry, *first = await ask_agent(context, chain(model))
        again = await ask_agent(context, chain(model))
        assert again == first, "told with the attempts and seconds that it took then"
        assert len(model.call_times) == 2
        await ask_agent(context, chain(model), text="Something else.")
        assert len(model.call_times) == 3
        await delete_answers(context.store, context.owner, context.run, AGENT)
        await ask_agent(context, chain(model))
        assert len(model.call_times) == 4
    assert retry.attempt == 1


def tool_calls_with(*ids: str, name: str = "RiskAssessment") -> list[Any]:
    return [{"name": name, "args": {"concerns": ["none"]}, "id": id_} for id_ in ids]


async def test_an_answer_is_stored_without_the_metadata_of_its_provider(home):
    hidden = {"type": "reasoning_content", "reasoning_content": {"redacted_content": b"\x80"}}
    about = {"at": datetime.now(UTC), "pair": (1, 2), "logprobs": [-math.inf], "stop_reason": "tool_use"}
    model = script(AIMessage([hidden], tool_calls=tool_calls_with("1"), response_metadata=about))
    async with open_context(home) as context:
        first = await ask_agent(context, chain(model))
        assert first[-1] == RiskAssessment(concerns=("none",))
        assert await ask_agent(context, chain(model)) == first
    assert len(model.call_times) == 1


@pytest.mark.parametrize("ids", [("1", "1"), ("",)], ids=str)
async def test_tool_calls_with_equal_or_missing_ids_are_malformed(ids, home):
    async with open_context(home) as context:
        events = await ask_agent(context, chain(script(AIMessage("", tool_calls=tool_calls_with(*ids)))))
    assert [each.stop for each in events] == ["malformed"]


async def test_a_conversation_whose_second_model_fails_returns_to_the_first(home):
    first = script(throttled(), throttled(), throttled(), answer())
    second = script(AIMessage("", tool_calls=tool_calls_with("1", name="unknown")), denied())
    async with open_context(home) as context:
        *events, decision = await ask_agent(context, chain(first, second))
    assert [each for each in events if isinstance(each, ModelFallback)] == [
        ModelFallback(model="m0", by="m1", reason="throttled"),
        ModelFallback(model="m1", by="m0", reason="access_denied"),
    ]
    assert [each.model for each in events if isinstance(each, ModelCall)] == ["m1", "m0"]
    assert decision == RiskAssessment(concerns=("none",))


async def test_a_failed_call_stores_no_answer(home):
    async with open_context(home) as context:
        with pytest.raises(ModelFailure):
            await ask_agent(context, chain(script(denied())))
        model = script(answer())
        [call, _] = await ask_agent(context, chain(model))
    assert (len(model.call_times), call.attempts) == (1, 1)


async def test_two_concurrent_calls_both_return_the_answer_stored_first(home):
    one, two = script(answer(usage=usage_metadata(10))), script(answer(usage=usage_metadata(20)))
    async with open_context(home) as context:
        events = await asyncio.gather(ask_agent(context, chain(one)), ask_agent(context, chain(two)))
        assert await load_answer(context.store, context.owner, context.run, AGENT, "of another call") is None
        usage = (await usage_by_agent(context.store, context.owner, context.run))[AGENT]
    assert events[0] == events[1]
    assert (usage.answers, usage.input_tokens, usage.output_tokens) == (2, 30, 14), "both have to be paid for"


async def test_the_usage_of_a_stored_answer_is_counted_once(home):
    model = script(throttled(), answer(usage=usage_metadata(10)))
    async with open_context(home) as context:
        for _ in range(3):
            await ask_agent(context, chain(model))
        usage = (await usage_by_agent(context.store, context.owner, context.run))[AGENT]
        assert (usage.answers, usage.retries, usage.input_tokens) == (1, 1, 10)
        await delete_answers(context.store, context.owner, context.run, AGENT)
        await ask_agent(context, chain(model))
        usage = (await usage_by_agent(context.store, context.owner, context.run))[AGENT]
    assert (usage.answers, usage.retries, usage.input_tokens) == (2, 1, 20), "the same question, asked again"


async def test_calls_without_an_answer_are_counted(home):
    async with open_context(home) as context:
        with pytest.raises(ModelFailure):
            await ask_agent(context, chain(script(throttled()), script(denied())))
        usage = (await usage_by_agent(context.store, context.owner, context.run))[AGENT]
    assert (usage.answers, usage.retries, usage.tokens, usage.dollars) == (0, 3, 0, 0.0)
    assert usage.seconds > 0.0


@pytest.mark.parametrize("name", ["run_tokens", "agent_tokens", "user_tokens"])
async def test_no_model_is_called_once_a_budget_is_spent(name, home):
    budgets = Budgets(**{name: 34}, warn_at=0.5)
    model, spare = script(asking("asset"), answer(usage=usage_metadata(10))), script(answer())
    model.lines[0].usage_metadata = usage_metadata(10)
    async with open_context(home) as plain:
        context = replace(plain, budgets=budgets)
        first = await ask_agent(context, chain(model))
        assert [each.subject for each in first if isinstance(each, Notice)] == [name.replace("_", " ")] * 2
        assert len(model.call_times) == 2
        assert await ask_agent(context, chain(model, spare)) == first, "what is kept costs nothing"
        with pytest.raises(
            BudgetSpent, match=f"^BUDGET_{name.upper()}: 34 is spent; expected a larger budget"
        ) as caught:
            await ask_agent(context, chain(model, spare), text="Something else.")
        other = replace(context, principal=Principal(owner="somebody"))
        await ask_agent(other, chain(spare))
        tomorrow = replace(context, now=lambda: datetime.now(UTC) + timedelta(days=1))
        if name == "user_tokens":
            await ask_agent(tomorrow, chain(spare), text="Tomorrow.")
    assert caught.value.budget == name.replace("_", " ")
    assert (len(model.call_times), len(spare.call_times)) == (2, 2 if name == "user_tokens" else 1)


async def test_a_spent_budget_stops_retries_and_fallbacks_too(home):
    async with open_context(home) as plain:
        context = replace(plain, budgets=Budgets(run_tokens=0))
        model, spare = script(answer()), script(answer())
        with pytest.raises(BudgetSpent):
            await ask_agent(context, chain(model, spare))
    assert model.call_times + spare.call_times == []


def usage_metadata(input_tokens: int, **details: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "output_tokens": 7,
        "total_tokens": input_tokens + 7,
        "input_token_details": details,
    }


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (0, 0, 0, 0)),
        (usage_metadata(100), (100, 0, 0, 7)),
        (usage_metadata(100, cache_read=60, cache_creation=30), (10, 60, 30, 7)),
        (usage_metadata(50, cache_read=60), (0, 60, 0, 7)),
    ],
)
async def test_cached_and_written_tokens_are_counted_separately(usage, tokens, home):
    async with open_context(home) as context:
        call, _ = await ask_agent(context, chain(script(answer(usage=usage))))
    assert (call.input_tokens, call.cached_tokens, call.written_tokens, call.output_tokens) == tokens


@pytest.mark.parametrize(
    ("metadata", "stop"),
    [
        ({}, "answered"),
        ({"stopReason": "tool_use"}, "answered"),
        ({"finish_reason": "tool_calls"}, "answered"),
        ({"stopReason": "max_tokens"}, "truncated"),
        ({"finish_reason": "length"}, "truncated"),
        ({"stop_reason": "model_context_window_exceeded"}, "truncated"),
        ({"stopReason": "malformed_tool_use"}, "malformed"),
        ({"stopReason": "malformed_model_output"}, "malformed"),
        ({"stopReason": "guardrail_intervened"}, "blocked"),
        ({"stopReason": "content_filtered"}, "blocked"),
        ({"finish_reason": "CONTENT_FILTER"}, "blocked"),
        ({"finish_reason": "SAFETY"}, "blocked"),
        ({"finish_reason": "MALFORMED_FUNCTION_CALL"}, "malformed"),
        ({"stop_reason": "refusal"}, "blocked"),
    ],
)
async def test_only_an_answer_that_ended_normally_is_used(metadata, stop, home):
    async with open_context(home) as context:
        events = await ask_agent(context, chain(script(answer(**metadata))))
    assert isinstance(events[0], ModelCall)
    assert events[0].stop == stop
    assert any(isinstance(each, RiskAssessment) for each in events) is (stop == "answered")
