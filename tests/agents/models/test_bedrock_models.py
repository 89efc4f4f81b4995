"""Models on Bedrock against the double: tool choice, prompt cache, rests of dead models, rejected answers, thinking."""

from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langsmith.utils import tracing_is_enabled

from agents.build import build
from agents.messages import without_thinking
from agents.models.circuit_breaker import CircuitBreaker
from agents.models.factory import make_models
from agents.models.failures import ModelFailure
from agents.models.options import BEDROCK, ModelOptions, RetryPolicy
from agents.models.prompt_cache import cache_of
from agents.models.stream_events import ModelCall, ModelFallback
from agents.table import AGENTS
from desk.base.errors import InvalidInput
from desk.optimization.answers import RiskAssessment
from tests.agents.models.agent_calls import AGENT, ask_agent, open_context
from tests.doubles.bedrock import replies
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.clients import MODEL
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import scripted
from tests.doubles.bedrock.models import features_of
from tests.doubles.bedrock.replies import Call, Reply, Say, call, say
from tests.graphs.bedrock_runs import ONE, OPTIONS, OTHER, OTHER_MODEL, point_at

pytestmark = pytest.mark.anyio

OPUS = "us.anthropic.claude-opus-5-5"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
LOOK = call("assess_risk", subject="asset")
ASSESSED = call("RiskAssessment", concerns=["none"])
ANSWER = RiskAssessment(concerns=("none",))


def named(model: str, **changes: Any) -> ModelOptions:
    return OPTIONS.model_copy(update={"model": BEDROCK + model, **changes})


async def calls_of(home: Any, monkeypatch: Any, options: ModelOptions, *answers: Reply) -> list[Received]:
    """The requests of an agent that answers at last."""
    with Double(scripted(*answers)) as double:
        point_at(monkeypatch, double.url)
        async with open_context(home) as context:
            events = await ask_agent(context, make_models(options).of(AGENT))
    assert events[-1] == ANSWER
    return double.received


@pytest.mark.parametrize(("model", "operation"), [(OPUS, "ConverseStream"), (LLAMA, "Converse")])
async def test_a_model_that_cannot_be_forced_may_choose(model, operation, home, monkeypatch):
    received = await calls_of(home, monkeypatch, named(model), LOOK, ASSESSED)
    assert [each.body["toolConfig"]["toolChoice"] for each in received] == [{"auto": {}}] * 2
    assert {each.operation for each in received} == {operation}


@pytest.mark.parametrize("model", ["amazon.titan-text-express-v1", "us.deepseek.r1-v1:0", "google.gemma-3-4b-it"])
def test_a_model_without_tools_is_refused(model, monkeypatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(InvalidInput, match=rf"^MODEL: '{model}' cannot call tools.*; expected a model that uses tools"):
        make_models(named(model))


def points(body: dict[str, Any]) -> list[str]:
    lists = {"tools": body["toolConfig"]["tools"], "system": body["system"]}
    lists |= {f"message {n}": message["content"] for n, message in enumerate(body["messages"])}
    return [name for name, blocks in lists.items() for block in blocks if "cachePoint" in block]


@pytest.mark.parametrize("model", [MODEL, OTHER_MODEL])
async def test_cache_points_stand_where_the_next_call_reads(model, home, monkeypatch):
    plan = call("SearchPlan", action="stop", claims=[{"section": "plan", "text": "No search is needed."}])
    with Double(scripted(call("unknown"), plan)) as double:
        point_at(monkeypatch, double.url)
        async with open_context(home) as context:
            await ask_agent(context, make_models(named(model)).of("optimizer"), "Go.", "optimizer")
    received = double.received
    assert [points(each.body) for each in received] == [["system", "message 0"]] * 2
    assert [each.body["messages"][0] for each in received] == [received[0].body["messages"][0]] * 2
    assert all(each.reported is not None for each in received)
    first, second = (each.reported for each in received if each.reported is not None)
    assert first.cache_write == second.cache_read > 1000
    assert (first.cache_read, second.cache_write) == (0, 0)


async def test_no_cache_point_stands_below_the_models_minimum(home, monkeypatch):
    assert [points(each.body) for each in await calls_of(home, monkeypatch, named(MODEL), LOOK, ASSESSED)] == [[], []]
    with Double(lambda _: ASSESSED) as double:
        point_at(monkeypatch, double.url)
        async with open_context(home) as context:
            await ask_agent(context, make_models(named(MODEL)).of(AGENT), "A long task. " * 400)
    assert points(double.received[0].body) == ["message 0"], "with the prompt it is long enough"


@pytest.mark.parametrize(
    ("model", "minimum", "time"),
    [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", 1024, "1h"),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", 4096, "1h"),
        ("anthropic.claude-opus-4-1-20250805-v1:0", 1024, "5m"),
        ("anthropic.claude-opus-4-6-v1", 4096, "1h"),
        ("anthropic.claude-opus-4-7", 2048, "1h"),
        ("anthropic.claude-opus-4-8", 1024, "1h"),
        ("anthropic.claude-opus-5", 512, "1h"),
        ("amazon.nova-pro-v1:0", 1000, "5m"),
    ],
)
def test_each_model_has_its_minimum_and_its_longest_time(model, minimum, time) -> None:
    cache, features = cache_of(model, "1h"), features_of(model)
    assert cache is not None
    assert features is not None
    assert (cache.minimum, cache.time) == (minimum, time)
    assert (features.cache_minimum, features.cached_hour) == (minimum, time == "1h")


@pytest.mark.parametrize("model", ["anthropic.claude-3-haiku-20240307-v1:0", "meta.llama3-3-70b-instruct-v1:0"])
def test_other_models_have_no_prompt_cache(model) -> None:
    assert cache_of(model, "5m") is None


async def test_a_dead_model_rests_across_agents(home, monkeypatch):
    driver = lambda received: replies.DENIED if received.model == MODEL else ASSESSED  # noqa: E731
    options = OPTIONS.model_copy(update={"fallbacks": (OTHER,), "patience": RetryPolicy(first_delay=0.0)})
    with Double(driver) as double:
        point_at(monkeypatch, double.url)
        models = make_models(options)
        async with open_context(home) as context:
            first = await ask_agent(context, models.of("risk_manager"), "One.")
            second = await ask_agent(replace(context, run="s"), models.of("explainer"), "Two.")
    assert [type(event) for event in first] == [ModelFallback, ModelCall, RiskAssessment]
    assert [type(event) for event in second] == [ModelCall, RiskAssessment]
    assert [received.model for received in double.received] == [MODEL, OTHER_MODEL, OTHER_MODEL]


def test_after_its_rest_one_call_tries_a_model_again() -> None:
    now = [0.0]
    breaker = CircuitBreaker(60.0, lambda: now[0])
    breaker.record_failure("m", "request_refused")
    assert not breaker.rests("m"), "the request was wrong, not the model"
    breaker.record_failure("m", "unavailable")
    assert breaker.rests("m")
    now[0] = 60.0
    assert not breaker.rests("m")
    breaker.record_call("m")
    assert breaker.rests("m"), "another caller passes it over during the trial"
    breaker.record_answer("m")
    assert not breaker.rests("m")


async def test_if_all_models_rest_all_are_called(home, monkeypatch):
    options = OPTIONS.model_copy(update={"fallbacks": (OTHER,), "patience": RetryPolicy(first_delay=0.0)})
    with Double(lambda _: replies.DENIED) as double:
        point_at(monkeypatch, double.url)
        chain = make_models(options).of(AGENT)
        async with open_context(home) as context:
            for _ in range(2):
                with pytest.raises(ModelFailure):
                    await ask_agent(context, chain)
    assert [received.model for received in double.received] == [MODEL, OTHER_MODEL] * 2


def test_a_rest_of_no_seconds_is_none() -> None:
    breaker = CircuitBreaker(0.0)
    breaker.record_failure("m", "unavailable")
    assert not breaker.rests("m")


BROKEN: dict[str, Reply] = {
    "arguments": Say(calls=(Call("RiskAssessment", raw=('{"concerns": [',)),)),
    "prose": say("The benefit is 4711 basis points."),
    "nothing": Say(),
}


@pytest.mark.parametrize(
    ("case", "streaming"), [("arguments", True), ("prose", True), ("prose", False), ("nothing", False)]
)
async def test_an_answer_that_cannot_be_used_goes_to_the_fallback(case, streaming, home, monkeypatch):
    driver = lambda received: BROKEN[case] if received.model == MODEL else ASSESSED  # noqa: E731
    options = OPTIONS.model_copy(update={"fallbacks": (OTHER,), "streaming": streaming})
    with Double(driver) as double:
        point_at(monkeypatch, double.url)
        async with open_context(home) as context:
            events = await ask_agent(context, make_models(options).of(AGENT))
    fallback, answered, answer = events
    assert isinstance(fallback, ModelFallback)
    assert (fallback.model, fallback.by) == (ONE, OTHER)
    assert answer == ANSWER
    reported = [received.reported for received in double.received if received.reported is not None]
    assert answered.output_tokens == sum(usage.output for usage in reported)


def claim(text: str) -> dict[str, str]:
    return {"section": "risk", "text": text}


THOUGHT = "<thinking>The user is a fool. </thinking>"


async def test_the_thinking_of_nova_is_removed(home, monkeypatch):
    answers = (
        Say((THOUGHT,), (Call("assess_risk", {"subject": "asset"}),)),
        Say((THOUGHT,), (Call("RiskAssessment", {"concerns": ["none"], "claims": [claim(f"{THOUGHT}All is well.")]}),)),
    )
    with Double(scripted(*answers)) as double:
        point_at(monkeypatch, double.url)
        async with open_context(home) as context:
            *_, answer = await ask_agent(context, make_models(named(OTHER_MODEL)).of(AGENT))
    assert [each.text for each in answer.claims] == ["All is well."]
    assert "fool" not in str(double.received[1].body["messages"])


def test_an_open_thought_ends_the_text() -> None:
    assert without_thinking({"a": ["So.<thinking>Well", 1]}) == {"a": ["So.", 1]}
    assert without_thinking(f"{THOUGHT}So{THOUGHT}.") == "So."


async def test_variables_of_the_machine_send_no_prompt_to_langsmith(home, monkeypatch):
    sent: list[str] = []
    driver = lambda received: (sent.append(received.model), ASSESSED)[1]  # noqa: E731
    with Double(driver) as double:
        point_at(monkeypatch, double.url)
        for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING"):
            monkeypatch.setenv(name, "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", double.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_none")
        async with open_context(home) as context:
            agent = build(AGENTS[AGENT], make_models(OPTIONS).of(AGENT))
            await agent.loop.ainvoke({"messages": [HumanMessage("Go.")]}, context=context)
        assert tracing_is_enabled() is False
    assert sent == [MODEL]
