"""Unusable answers over HTTP: the agent abstains, and none of its text is stored."""

import asyncio
import json
from collections.abc import Sequence
from typing import Literal

import pytest

from agents.messages import unfence
from agents.models.options import Guardrail
from agents.table import OPTIMIZATION_AGENTS
from desk.governance.usage import AgentName
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.events.agents import DecisionMade, ToolCalled
from graphs.agent_decisions import ROUNDS
from quant.strategies.config import SearchSpace
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import Fault, embedded, faulty
from tests.doubles.bedrock.replies import EXPIRED, Blocked, Call, Reply, Say
from tests.graphs.bedrock_runs import (
    MARKET,
    OPTIONS,
    REQUEST,
    RISK,
    RunOutcome,
    answered_call,
    point_at,
    ran,
)
from tests.graphs.invented_answers import INVENTED_NUMBER, INVENTED_WORDS, TOOL_OF_ANSWER, assert_not_stored
from tests.soak_variants import a_few

pytestmark = pytest.mark.anyio

AGENTS: dict[AgentName, int] = {name: agent.max_model_calls for name, agent in OPTIMIZATION_AGENTS.items()}
"""Model calls allowed to each agent in one round."""

GUARDED = OPTIONS.model_copy(update={"guardrail": Guardrail(id="abc123", version="1")})
BELIEF = f"I believe it is {INVENTED_NUMBER}."


def role_of(received: Received) -> str:
    return next(tool["name"] for tool in received.tools if tool["name"] in TOOL_OF_ANSWER)


def everybody(reply) -> Fault:
    """Answer every call with `reply`, for the agent that asks."""
    return lambda received: reply(*TOOL_OF_ANSWER[role_of(received)], role_of(received))


def whole(*calls: Call, stop: str | None = None) -> Say:
    return Say((BELIEF,), calls, stop=stop)


ANSWER = json.dumps(
    {"claims": [{"section": "winner", "text": BELIEF}], "concerns": ["none"], INVENTED_NUMBER: INVENTED_NUMBER}
)


def answers(stop: str, calls: dict[AgentName, int]) -> list[tuple[object, ...]]:
    return [answered_call(agent, stop=stop) for agent, times in calls.items() for _ in range(times)]


TWICE: dict[AgentName, int] = dict.fromkeys(AGENTS, ROUNDS)
AT_ITS_LIMIT: dict[AgentName, int] = {agent: ROUNDS * calls for agent, calls in AGENTS.items()}

CASES = {
    "arguments_that_are_not_json": (
        lambda tool, arguments, role: whole(Call(role, raw=("claims: ", INVENTED_NUMBER))),
        "malformed",
        TWICE,
    ),
    "arguments_that_are_cut_off": (
        lambda tool, arguments, role: whole(Call(role, raw=(ANSWER[:30], ANSWER[30:-1]))),
        "malformed",
        TWICE,
    ),
    "arguments_that_are_a_list": (
        lambda tool, arguments, role: whole(Call(role, raw=(f"[{INVENTED_NUMBER}]",))),
        "malformed",
        TWICE,
    ),
    "numbers_that_no_json_holds": (
        lambda tool, arguments, role: whole(Call(role, raw=(f'{ANSWER[:-1]}, "x": NaN}}',))),
        "malformed",
        TWICE,
    ),
    "a_number_without_end": (
        lambda tool, arguments, role: whole(Call(tool, raw=(f'{{"subject": 1e999, "x": {INVENTED_NUMBER}}}',))),
        "malformed",
        TWICE,
    ),
    "half_a_character": (
        lambda tool, arguments, role: whole(Call(role, raw=(f'{ANSWER[:-1]}, "x": "\\ud800"}}',))),
        "malformed",
        TWICE,
    ),
    "endless_nesting": (
        lambda tool, arguments, role: whole(Call(role, raw=(f'{ANSWER[:-1]}, "x": {"[" * 900}{"]" * 900}}}',))),
        "malformed",
        TWICE,
    ),
    "a_name_that_is_none": (
        lambda tool, arguments, role: whole(Call(f"launch {INVENTED_NUMBER}!", {"amount": int(INVENTED_NUMBER)})),
        "malformed",
        TWICE,
    ),
    "two_answers_at_once": (
        lambda tool, arguments, role: whole(
            *[Call(role, {"concerns": ["none"], INVENTED_NUMBER: INVENTED_NUMBER})] * 2
        ),
        "answered",
        AT_ITS_LIMIT,
    ),
    "tool_use_that_was_malformed": (
        lambda tool, arguments, role: whole(Call(role, raw=(ANSWER,)), stop="malformed_tool_use"),
        "malformed",
        TWICE,
    ),
    "half_an_answer": (
        lambda tool, arguments, role: whole(Call(role, raw=(ANSWER[:-9],)), stop="max_tokens"),
        "truncated",
        TWICE,
    ),
    "half_a_text": (lambda tool, arguments, role: whole(stop="model_context_window_exceeded"), "truncated", TWICE),
    "empty_answer": (lambda tool, arguments, role: Say(), "answered", TWICE),
    "prose": (lambda tool, arguments, role: whole(), "answered", TWICE),
    "unknown_tool": (
        lambda tool, arguments, role: whole(Call(f"launch_{INVENTED_NUMBER}", {"amount": int(INVENTED_NUMBER)})),
        "answered",
        AT_ITS_LIMIT,
    ),
    "tool_calls_one_after_another": (
        lambda tool, arguments, role: whole(Call(tool, arguments)),
        "answered",
        AT_ITS_LIMIT,
    ),
}


@pytest.fixture(scope="module")
def abstaining(tmp_path_factory: pytest.TempPathFactory) -> OptimizationResult:
    """The result of a run in which every agent abstains, which is the same for every cause."""
    with pytest.MonkeyPatch.context() as patch, Double(lambda _: Say()) as double:
        point_at(patch, double.url)
        return asyncio.run(ran(tmp_path_factory.mktemp("abstaining"))).final_result


def all_abstained(
    run_outcome: RunOutcome, abstaining: OptimizationResult, reason: Literal["no_answer", "blocked"] = "no_answer"
) -> None:
    assert run_outcome.abstained == list(AGENTS)
    assert run_outcome.authors == {"abstained"}
    result = run_outcome.final_result
    assert result.explanation is not None
    assert result.explanation.author == "template"
    assert sum("gave no answer" in caveat for caveat in result.caveats) == len(AGENTS)
    expected = abstaining.manifest
    decisions = tuple(each.model_copy(update={"abstained_for": reason}) for each in expected.decisions)
    manifest = expected.model_copy(update={"decisions": decisions})
    assert run_outcome.digest == abstaining.model_copy(update={"manifest": manifest}).digest()


@pytest.mark.parametrize(
    "case",
    a_few(CASES, "arguments_that_are_not_json", "half_an_answer"),
)
async def test_an_unusable_answer_is_an_abstention(case, home, monkeypatch, abstaining):
    reply, stop, calls = CASES[case]
    with Double(faulty(embedded(), everybody(reply))) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home)
    assert run_outcome.model_calls == answers(stop, calls)
    assert len(double.received) == sum(calls.values())
    reason = "no_answer" if stop == "answered" else stop
    assert run_outcome.rejections == [(reason,)] * ROUNDS * len(AGENTS)
    all_abstained(run_outcome, abstaining)
    assert_not_stored(home, run_outcome.result, *run_outcome.events)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Blocked(BELIEF, side="input"), marks=pytest.mark.soak),
        pytest.param(Blocked(BELIEF, side="output"), marks=pytest.mark.soak),
        whole(Call("RiskAssessment", {"concerns": ["none"], "claims": []}), stop="guardrail_intervened"),
        pytest.param(whole(stop="content_filtered"), marks=pytest.mark.soak),
    ],
    ids=["input", "output", "after_an_answer", "filter"],
)
async def test_a_guardrail_ends_the_question_at_once(reply: Reply, home, monkeypatch, abstaining):
    with Double(lambda _: reply) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, options=GUARDED)
    assert run_outcome.model_calls == answers("blocked", dict.fromkeys(AGENTS, 1))
    assert len(double.received) == len(AGENTS), "the same question would be stopped again"
    assert run_outcome.rejections == [("blocked",)] * len(AGENTS)
    all_abstained(run_outcome, abstaining, "blocked")
    assert_not_stored(home, run_outcome.result, *run_outcome.events)


@pytest.mark.soak
async def test_two_hundred_tool_calls_at_once_are_refused_beyond_the_limit(home, monkeypatch):
    def many(received: Received) -> Reply | None:
        if role_of(received) != "RiskAssessment":
            return None
        return whole(*[Call("assess_risk", {"subject": "asset"})] * 200)

    with Double(faulty(embedded(), many)) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, options=OPTIONS.model_copy(update={"streaming": False}))
    assert run_outcome.model_calls[: ROUNDS * AGENTS[RISK]] == answers("answered", {RISK: ROUNDS * AGENTS[RISK]})
    assert run_outcome.abstained == [RISK]
    [decision_event] = [e for e in run_outcome.events if isinstance(e, DecisionMade) and e.decision.agent == RISK]
    tool_calls = [event for event in run_outcome.events if isinstance(event, ToolCalled) and event.agent == RISK]
    assert len(tool_calls) + decision_event.refused_calls == 200 * ROUNDS * AGENTS[RISK]
    assert 0 < len(tool_calls) <= ROUNDS * AGENTS[RISK]
    assert_not_stored(home, run_outcome.result, *run_outcome.events)


@pytest.mark.soak
async def test_a_blocked_agent_does_not_affect_the_others(home, monkeypatch):
    def blocked(received: Received) -> Reply | None:
        return Blocked(BELIEF) if role_of(received) == "MarketView" else None

    with Double(faulty(embedded(), blocked)) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, options=GUARDED)
    assert run_outcome.abstained == [MARKET]
    assert run_outcome.rejections == [("blocked",)]
    assert [call for call in run_outcome.model_calls if call[1] == MARKET] == [answered_call(MARKET, stop="blocked")]
    assert [caveat for caveat in run_outcome.final_result.caveats if "gave no answer" in caveat] == [
        "The market analyst gave no answer; the default probabilities were used."
    ]
    assert_not_stored(home, run_outcome.result, *run_outcome.events)


async def test_rejected_drafts_of_a_failed_run_are_deleted_when_it_resumes(home, monkeypatch):
    """Until then the answers are cached, so that no call is paid for twice."""
    claims = [{"section": "risk", "text": f"It is {INVENTED_WORDS}."}]

    def refused_then_expired(received: Received) -> Reply | None:
        if role_of(received) != "RiskAssessment":
            return None
        if "was refused" in json.dumps(received.body["messages"]):
            return EXPIRED
        return whole(Call("RiskAssessment", {"concerns": ["none"], "claims": claims}))

    with Double(faulty(embedded(), refused_then_expired)) as double:
        point_at(monkeypatch, double.url)
        failed_run = await ran(home)
    assert failed_run.failure is not None
    assert failed_run.model_calls == [answered_call(RISK)]
    with Double(embedded()) as double:
        point_at(monkeypatch, double.url)
        resumed = await ran(home, failed_run.run)
    assert resumed.model_calls[0] == answered_call(RISK), "the second draft; the first one was told"
    assert resumed.abstained == []
    assert_not_stored(home, resumed.result, *failed_run.events, *resumed.events)


def numbered(count: int) -> Sequence[float]:
    return [round(0.80 + 0.195 * n / count, 9) for n in range(count)]


WIDE = OptimizationRequest(
    **REQUEST.model_dump(exclude={"space"}),
    space=SearchSpace(weight_functions=("inverse_vol",), estimators=("rolling",), decay=tuple(numbered(40_000))),
)
"""The optimizer's tool lists every allowed value."""
MARK = str(numbered(40_000)[12_345])


@pytest.mark.soak
async def test_a_tool_result_of_400_kb_reaches_the_model_whole_and_no_checkpoint(home, monkeypatch):
    with Double(embedded()) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, WIDE)
    assert run_outcome.abstained == []
    results = [
        block["toolResult"]["content"]
        for received in double.received
        for message in received.body["messages"]
        for block in message["content"]
        if "toolResult" in block
    ]
    texts = [text for content in results if MARK in (text := "".join(part["text"] for part in content))]
    assert len(texts) == 2, "one for each plan"
    assert all(len(text) > 400_000 for text in texts)
    assert all(len(json.loads(unfence(text))["space"]["decay"]) == 40_000 for text in texts)
    for file in home.glob("checkpoints.sqlite*"):
        assert MARK.encode() not in file.read_bytes()
    assert sum(file.stat().st_size for file in home.glob("checkpoints.sqlite")) < 400_000
