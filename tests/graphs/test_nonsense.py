"""Nonsense answers of each agent: the run completes within the limits and stores none of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from agents.embedded_planner import EmbeddedPlanner
from desk.runs.events.agents import DecisionMade, DraftRejected
from desk.runs.repository import load_events, load_final_result, load_run
from graphs.agent_decisions import ABSTAINED, ROUNDS
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.graphs.invented_answers import (
    INVENTED_NUMBER,
    INVENTED_WORDS,
    TOOL_OF_ANSWER,
    answer_with_calls,
    assert_not_stored,
)
from tests.soak_variants import a_few

OWNER = "local"
MODEL_CALLS = 6
"""The largest limit of an agent."""

pytestmark = pytest.mark.anyio

Reply = Callable[[str, list[Any]], AIMessage]


class Nonsense(EmbeddedPlanner):
    """Answers by `reply` for the agents with an answer type in `roles`, by the rules for all others."""

    reply: Any
    roles: tuple[str, ...]
    heard: list[str]

    def _reply(self, messages):
        if self.answers_with not in self.roles:
            return super()._reply(messages)
        self.heard.append(self.answers_with)
        return self.reply(self.answers_with, messages)


def claiming(text: str) -> Reply:
    """A complete answer of each agent, whose claim is `text`."""

    def reply(role: str, messages: list[Any]) -> AIMessage:
        claims = [{"section": section, "text": text} for section in ("winner", "counter_argument")]
        rest = {
            "RiskAssessment": {"concerns": ["none"]},
            "MarketView": {"regime": "calm", "trend": "flat"},
            "SearchPlan": {"action": "search"},
            "Draft": {},
        }[role]
        return answer_with_calls((role, {**rest, "claims": claims}))

    return reply


def answering(**answers: dict[str, Any]) -> Reply:
    return lambda role, messages: answer_with_calls((role, answers[role]))


ROLES = tuple(TOOL_OF_ANSWER)

ABSTAINING: dict[str, Reply] = {
    "wrong_tool": lambda role, _: answer_with_calls((f"launch_{INVENTED_NUMBER}", {"amount": int(INVENTED_NUMBER)})),
    "another_agents_tool": lambda role, _: answer_with_calls(
        TOOL_OF_ANSWER["Draft" if role != "Draft" else "SearchPlan"]
    ),
    "wrong_arguments": lambda role, _: answer_with_calls(
        (TOOL_OF_ANSWER[role][0], {"subject": INVENTED_NUMBER, INVENTED_NUMBER: INVENTED_NUMBER})
    ),
    "wrong_answer": lambda role, _: answer_with_calls(
        (role, {"verdict": f"buy {INVENTED_NUMBER}", INVENTED_NUMBER: int(INVENTED_NUMBER)})
    ),
    "two_answers_at_once": lambda role, _: answer_with_calls(
        (role, {"claims": []}), (role, {"claims": [INVENTED_NUMBER]})
    ),
    "empty_text": lambda role, _: AIMessage(""),
    "prose": lambda role, _: AIMessage(f"The benefit is {INVENTED_NUMBER} basis points, {INVENTED_WORDS}."),
    "endless_tool_calls": lambda role, _: answer_with_calls(TOOL_OF_ANSWER[role]),
    "two_hundred_tool_calls_at_once": lambda role, _: answer_with_calls(*[TOOL_OF_ANSWER[role]] * 200),
    "values_that_are_not_on_the_menu": answering(
        RiskAssessment={"concerns": [f"limit_{INVENTED_NUMBER}"]},
        MarketView={
            "regime": "calm",
            "trend": "flat",
            "tilts": [{"scenario": f"crash_{INVENTED_NUMBER}", "lean": "more"}],
        },
        SearchPlan={"action": "search", "weight_functions": [f"rule_{INVENTED_NUMBER}"]},
        Draft={"claims": []},
    ),
    "malformed_arguments": lambda role, _: AIMessage(
        "",
        invalid_tool_calls=[{"name": role, "args": f'{{"claims": {INVENTED_NUMBER}', "id": "bad", "error": "not JSON"}],
    ),
}

REJECTED: dict[str, Reply] = {
    "digits_of_its_own": claiming(f"The benefit is {INVENTED_NUMBER} basis points a year."),
    "digits_of_another_script": claiming("The benefit is ٧٣٤٢١ a year."),
    "numbers_in_words": claiming(f"The benefit is {INVENTED_WORDS}."),
    "a_figure_that_does_not_exist": claiming(f"The benefit is {{{{benefit_{INVENTED_NUMBER}}}}}."),
    "a_figure_of_another_run": claiming("The benefit is {{after_7342189655_merton_utility}}."),
    "malformed_references": claiming("The benefit is {{benefit_bps} or {benefit_bps}}."),
    "markup": claiming("<script>alert(benefit)</script>"),
}

OFF_THE_GRID: dict[str, dict[str, Any]] = {
    "an_invented_lookback": {"weight_function": "inverse_vol", "lookback_days": int(INVENTED_NUMBER)},
    "between_two_lookbacks": {"weight_function": "inverse_vol", "lookback_days": 17},
    "an_invented_slope": {"weight_function": "linear_decay", "lookback_days": 21, "slope": 7.342189655},
    "an_invented_weight": {"weight_function": "constant", "constant_weight": 0.7342189655},
    "an_invented_target": {"weight_function": "inverse_vol", "lookback_days": 21, "target_volatility": 0.07342189655},
    "an_invented_band": {"weight_function": "inverse_vol", "lookback_days": 21, "no_trade_band": 0.07342189655},
}


@pytest.fixture
def play(home: Path, opened, small):
    async def played(reply: Reply, roles: tuple[str, ...] = ROLES):
        model = Nonsense(reply=reply, roles=roles, heard=[])
        async with opened(home, model) as dependencies:
            name = await create_run(dependencies, OWNER, small())
            events = [event async for event in execute(dependencies, OWNER, name)]
            result = await load_final_result(dependencies.store, OWNER, name)
        return events, result, model.heard

    return played


@pytest.mark.parametrize("case", a_few(ABSTAINING, "wrong_tool", "endless_tool_calls"))
async def test_an_agent_without_an_answer_abstains_and_the_run_continues(case: str, home, play):
    events, result, inputs = await play(ABSTAINING[case])

    decisions = [event.decision for event in events if isinstance(event, DecisionMade)]
    assert {d.agent for d in decisions if d.author == ABSTAINED} == {
        "risk_manager",
        "market_analyst",
        "optimizer",
        "explainer",
    }
    assert all(d.answer == {} for d in decisions)
    assert events[-1].event == "run_finished"
    assert result.counts.trials == 10
    assert result.counts.plans == 1
    assert result.explanation.author == "template"
    assert sum("gave no answer" in caveat for caveat in result.caveats) == 4
    assert max(inputs.count(role) for role in ROLES) <= ROUNDS * MODEL_CALLS
    assert_not_stored(home, result, *events)


@pytest.mark.parametrize("case", a_few(REJECTED, "numbers_in_words"))
async def test_a_rejected_draft_is_stored_as_a_hash_only(case: str, home, play):
    events, result, inputs = await play(REJECTED[case])

    decisions = [event.decision for event in events if isinstance(event, DecisionMade)]
    assert [d.author for d in decisions if d.agent == "explainer"] == [ABSTAINED]
    assert all(len(d.rejected) == ROUNDS for d in decisions)
    assert all(d.answer.get("claims", []) == [] for d in decisions)
    drafts = [event for event in events if isinstance(event, DraftRejected)]
    assert len(drafts) == ROUNDS * len(decisions)
    assert all(len(draft.digest) == 64 and draft.reasons for draft in drafts)
    assert result.explanation.author == "template"
    assert max(inputs.count(role) for role in ROLES) <= ROUNDS
    assert_not_stored(home, result, *events)


@pytest.mark.parametrize("case", a_few(OFF_THE_GRID, "between_two_lookbacks"))
async def test_a_candidate_off_the_grid_is_refused(case: str, home, play):
    candidate = OFF_THE_GRID[case]
    reply = answering(SearchPlan={"action": "search", "candidates": [candidate]})
    events, result, _ = await play(reply, ("SearchPlan",))
    [decision] = [d for d in result.manifest.decisions if d.agent == "optimizer"]
    assert decision.author == ABSTAINED
    assert_not_stored(home, result, *events)


@pytest.mark.parametrize("plan", [{"action": "stop"}, {"action": "search", "focus": "around_best"}])
async def test_a_search_cannot_stop_or_narrow_before_it_began(plan, play):
    _, result, _ = await play(answering(SearchPlan=plan), ("SearchPlan",))
    assert result.counts.trials == 10


async def test_the_second_draft_may_correct_the_first(play):
    def reply(role: str, messages: list[Any]) -> AIMessage:
        prompt = json.dumps([m.text for m in messages])
        text = (
            "The benefit is {{benefit_bps}}."
            if "last draft was refused" in prompt
            else f"The benefit is {INVENTED_NUMBER}."
        )
        return claiming(text)(role, messages)

    events, result, _ = await play(reply, ("Draft",))
    assert result.explanation.author != "template"
    assert result.explanation.claims[0].text.startswith("The benefit is ")
    assert [event.reasons for event in events if isinstance(event, DraftRejected)] == [("digit",)]


@pytest.mark.parametrize("role", a_few(ROLES, "RiskAssessment", "Draft"))
async def test_a_model_that_raises_is_a_fault_that_ends_the_run(role: str, home, opened, small):
    class Broken(EmbeddedPlanner):
        def _reply(self, messages):
            if self.answers_with == role:
                raise LookupError(f"secret host {INVENTED_NUMBER}")
            return super()._reply(messages)

    async with opened(home, Broken()) as dependencies:
        name = await create_run(dependencies, OWNER, small())
        events = []
        with pytest.raises(LookupError):  # noqa: PT012  (events before it count)
            async for event in execute(dependencies, OWNER, name):
                events.append(event)  # noqa: PERF401
        assert (events[-1].event, events[-1].code, events[-1].kind) == ("run_failed", "fault", "LookupError")
        assert (await load_run(dependencies.store, OWNER, name)).state == "failed"
        assert await load_final_result(dependencies.store, OWNER, name) is None
        assert await load_events(dependencies.store, OWNER, name) == events
    assert_not_stored(home, *events)
