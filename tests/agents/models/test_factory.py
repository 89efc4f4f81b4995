"""The model factory: the options appear in the requests to Bedrock."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agents.embedded_planner import PLANNER, EmbeddedPlanner
from agents.models.factory import Models, make_models
from agents.models.options import BEDROCK, Guardrail, ModelOptions, RetryPolicy
from desk.base.errors import InvalidInput
from desk.optimization.answers import RiskAssessment
from tests.agents.models.agent_calls import ask_agent, open_context
from tests.doubles.bedrock import replies
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.clients import MODEL
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import dead, embedded, faulty
from tests.doubles.bedrock.replies import Call, Reply, Say, call
from tests.graphs.bedrock_runs import ASKED, ONE, OPENS, OPTIONS, OTHER, OTHER_MODEL, point_at, ran

pytestmark = pytest.mark.anyio

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
ASSESSED = call("RiskAssessment", concerns=["none"])
THIRD_MODEL = "mistral.mistral-large-2407-v1:0"
THIRD = BEDROCK + THIRD_MODEL


def changed(**changes: Any) -> ModelOptions:
    return OPTIONS.model_copy(update=changes)


async def request_of(home, monkeypatch, options: ModelOptions, reply: Reply = ASSESSED, text: str = "Go.") -> Received:
    """The request of an agent with these options."""
    known = {options.model.removeprefix(BEDROCK)}
    with Double(lambda _: reply, models=known) as double:
        point_at(monkeypatch, double.url)
        async with open_context(home) as context:
            answer = await ask_agent(context, make_models(options).of("risk_manager"), text)
    assert answer[-1] == RiskAssessment(concerns=("none",))
    [received] = double.received
    return received


async def test_the_defaults_reach_the_wire(home, monkeypatch):
    received = await request_of(home, monkeypatch, changed())
    assert (received.operation, received.model) == ("ConverseStream", MODEL)
    assert received.body["inferenceConfig"] == {"maxTokens": 4096}
    assert received.body["requestMetadata"] == {
        "application": "stratigos",
        "agent": "risk_manager",
        "run": "r",
        "owner": "local",
    }
    assert not {"guardrailConfig", "serviceTier", "additionalModelRequestFields"} & received.body.keys()
    assert received.body["toolConfig"]["toolChoice"] == {"any": {}}
    assert "stratigos" in received.headers["user-agent"]


async def test_all_options_reach_the_wire(home, monkeypatch):
    options = changed(
        max_tokens=1234,
        temperature=0.25,
        guardrail=Guardrail(id="abc123", version="DRAFT"),
        service_tier="flex",
        tags={"team": "allocation", "owner": "nobody", "desk": "multi-asset"},
    )
    body = (await request_of(home, monkeypatch, options)).body
    assert body["inferenceConfig"] == {"maxTokens": 1234, "temperature": 0.25}
    assert body["guardrailConfig"] == {
        "guardrailIdentifier": "abc123",
        "guardrailVersion": "DRAFT",
        "trace": "enabled",
    }
    assert body["serviceTier"] == {"type": "flex"}
    assert body["requestMetadata"] == {
        "application": "stratigos",
        "team": "allocation",
        "desk": "multi-asset",
        "agent": "risk_manager",
        "run": "r",
        "owner": "local",
    }


def points(body: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [*body["system"], *body["toolConfig"]["tools"], *(b for m in body["messages"] for b in m["content"])]
    return [block["cachePoint"] for block in blocks if "cachePoint" in block]


@pytest.mark.parametrize(
    ("cache", "model", "ttl"),
    [("5m", ONE, "5m"), ("1h", ONE, "1h"), ("off", ONE, None), ("1h", OTHER, "5m"), ("5m", THIRD, None)],
)
async def test_prompts_are_cached_where_the_model_can(cache, model, ttl, home, monkeypatch):
    options = changed(model=model, prompt_cache=cache)
    body = (await request_of(home, monkeypatch, options, text="A long task. " * 400)).body
    positions = points(body)
    assert bool(positions) is (ttl is not None)
    assert all(point["type"] == "default" for point in positions)
    assert {point.get("ttl", "5m") for point in positions} <= {ttl}


async def test_without_streaming_the_whole_answer_is_asked_for(home, monkeypatch):
    assert (await request_of(home, monkeypatch, changed(streaming=False))).operation == "Converse"


@pytest.mark.parametrize(
    ("name", "base"),
    [
        (ARN, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", None),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", None),
        ("newcomer.model-of-tomorrow-v1:0", None),
    ],
)
async def test_arns_and_unknown_models_are_called_with_streaming(name, base, home, monkeypatch):
    received = await request_of(home, monkeypatch, changed(model=BEDROCK + name, base_model=base))
    assert (received.operation, received.model) == ("ConverseStream", name)


async def test_each_agent_has_its_model_and_all_have_the_fallbacks(home, monkeypatch):
    agents = {"risk_manager": OTHER, "explainer": THIRD}
    with Double(faulty(embedded(), dead(MODEL, replies.DENIED))) as double:
        point_at(monkeypatch, double.url)
        options = changed(agents=agents, fallbacks=(OTHER, THIRD, OTHER))
        run = await ran(home, options=options)
    calls = [call[:4] for call in run.model_calls]
    own = {"risk_manager": OTHER, "explainer": THIRD}
    expected: list[tuple[object, ...]] = []
    for agent, first in zip(ASKED, OPENS, strict=True):
        if agent not in own and first:
            expected.append(("replaced", agent, ONE, OTHER))
        expected.append(("answered", agent, own.get(agent, OTHER), "answered"))
    assert calls == expected
    assert {received.model for received in double.received} == {MODEL, OTHER_MODEL, THIRD_MODEL}


async def test_a_model_that_is_listed_twice_is_called_once(home, monkeypatch):
    with Double(lambda _: replies.DENIED) as double:
        point_at(monkeypatch, double.url)
        run = await ran(home, options=changed(fallbacks=(ONE, OTHER, OTHER)))
    assert run.model_calls == [("replaced", "risk_manager", ONE, OTHER, "access_denied")]
    assert run.failure is not None
    assert run.failure.model == OTHER
    assert [received.model for received in double.received].count(MODEL) <= 2, "of two agents"


async def test_the_reasoning_of_a_model_is_sent_to_that_model_only(home, monkeypatch):
    thinks = Say(("Let me see.",), (Call("unknown"),), reasoning="Hm.")

    def drive(received: Received) -> Reply:
        opening = len(received.body["messages"]) == 1
        if received.model == MODEL:
            return thinks if opening else replies.DENIED
        return ASSESSED

    with Double(drive) as double:
        point_at(monkeypatch, double.url)
        async with open_context(home) as context:
            events = await ask_agent(context, make_models(changed(fallbacks=(OTHER,))).of("risk_manager"))
    assert events[-1] == RiskAssessment(concerns=("none",))
    _, own, others = [received.body["messages"] for received in double.received]
    assert [next(iter(block)) for block in own[1]["content"]][:3] == ["reasoningContent", "text", "toolUse"]
    assert [next(iter(block)) for block in others[1]["content"]][:2] == ["text", "toolUse"]
    assert own[2]["content"][0] == others[2]["content"][0], "the tool's result"


@pytest.mark.parametrize("name", ["bedrock:meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct-v1:0"])
def test_another_name_of_a_bedrock_model_is_refused(name) -> None:
    with pytest.raises(InvalidInput, match=rf"^MODEL: .*; expected {ONE.partition(':')[0]}:meta\.llama3") as caught:
        make_models(changed(model=name))
    assert caught.value.value == name


@pytest.mark.parametrize("names", [{"model": "openai:any"}, {"fallbacks": ("openai:any",)}], ids=str)
def test_no_model_escapes_a_guardrail(names, monkeypatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(InvalidInput, match=r"^BEDROCK_GUARDRAIL_ID: MODEL.* names 'openai:any'"):
        make_models(changed(guardrail=Guardrail(id="abc123", version="1"), **names))


@pytest.mark.parametrize("region", ["", "us.", "eu.", "ca.", "jp.", "us-gov.", "apac.", "global."])
def test_a_region_is_no_provider(region, monkeypatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    chat: Any = make_models(changed(model=f"{BEDROCK}{region}amazon.nova-lite-v1:0")).common.models[0].chat
    assert (chat.provider, chat.base_model_id) == ("amazon", "amazon.nova-lite-v1:0")


def test_the_name_is_that_of_the_first_model_of_each_agent(monkeypatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    models = make_models(changed(model="embedded", agents={"optimizer": ONE}, fallbacks=(OTHER,)))
    assert models.name == f"{PLANNER}; optimizer: {ONE}"
    assert make_models(ModelOptions()).name == PLANNER


def test_only_bedrock_needs_threads_and_all_its_models_share_one_client(monkeypatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    assert make_models(ModelOptions()).threads is None
    clients: list[Any] = []
    models = make_models(changed(agents={"optimizer": THIRD}, fallbacks=(OTHER,), threads=48), clients.append)
    assert models.threads == 48
    [client] = clients
    assert client.meta.config.max_pool_connections == 48
    assert client.meta.config.retries["total_max_attempts"] == 1
    chats: list[Any] = [m.chat for agent in ("optimizer", "explainer") for m in models.of(agent).models]
    assert len(chats) == 4
    assert all(chat.client is client for chat in chats)


def test_the_embedded_planner_and_another_providers_model_take_no_tags(monkeypatch) -> None:
    planner = make_models(ModelOptions()).common.models[0]
    assert isinstance(planner.chat, EmbeddedPlanner)
    assert planner.tagged({"agent": "x"}) is planner.chat


def test_offline_neither_credentials_nor_a_region_are_needed(monkeypatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(InvalidInput, match=r"^AWS_REGION: "):
        make_models(changed(region=None))
    assert make_models(changed(region=None), offline=True).threads == 32


def test_a_bearer_token_replaces_access_keys(monkeypatch) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "token")
    monkeypatch.delenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    assert make_models(changed()).name == ONE
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9")
    with pytest.raises(InvalidInput, match=r"a bearer token is not sent to 'http://127.0.0.1:9'; expected an https"):
        make_models(changed())


PARALLEL = 16


async def test_sixteen_calls_at_once_overlap(home, monkeypatch):
    """The double answers when all calls have arrived, which never happens with a smaller pool."""
    barrier = threading.Barrier(PARALLEL)
    with Double(lambda _: ASSESSED, gate=lambda _: barrier.wait(10.0)) as double:
        point_at(monkeypatch, double.url)
        models = make_models(changed(threads=PARALLEL, patience=RetryPolicy(attempts=1, time_limit=15.0)))
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads_of(models)))
        async with open_context(home) as context:
            chain = models.of("risk_manager")
            events = await asyncio.gather(*(ask_agent(context, chain, f"Go {n}.") for n in range(PARALLEL)))
    assert [each[-1] for each in events] == [RiskAssessment(concerns=("none",))] * PARALLEL
    assert len(double.received) == PARALLEL


def threads_of(models: Models) -> int:
    """The pool has the size that the application uses."""
    assert models.threads is not None
    return models.threads + (os.cpu_count() or 1)
