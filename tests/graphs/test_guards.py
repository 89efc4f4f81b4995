"""One test per guard, which fails if the guard is removed (docs/guards.md lists all guards)."""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from agents.build import build
from agents.models.factory import single_model
from agents.table import AGENTS, OPTIMIZATION_AGENTS
from desk.base.clock import utc_now
from desk.conversation.reply import Reply
from desk.governance.approvals import ApprovalDecision, Thresholds
from desk.governance.budgets import Budgets
from desk.optimization.judgement.verification import Unverified
from desk.optimization.repositories.result_repository import result_key
from desk.runs.events.agents import DraftRejected, FiguresChecked, ToolCalled, ToolReturned
from desk.runs.events.judgement import ClaimReleased
from desk.runs.events.models import ModelAnswered
from desk.runs.events.run import WarningIssued
from desk.runs.repository import list_runs, load_events, load_final_result, load_run
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from store.records import iterate_records
from tests.doubles.obedient_model import (
    OWN,
    Call,
    Script,
    calling,
    nowhere,
    obedient_model,
    open_desk,
    request,
    saying,
    steps,
    talk_on_own_desk,
)
from tests.graphs.dependencies import OWNER, QUICK, open_dependencies

pytestmark = pytest.mark.anyio

WORLDS: Call = ("show_scenarios", {"names": ["base_case"]})
"""A tool that returns figures at once."""
REJECTED: dict[str, tuple[str, str]] = {
    "a reference to nothing": ("The volatility of the asset is {{base_case_volatility}}.", "unknown_reference"),
    "another quantity": ("The yearly volatility in the base case is {{scenario_base_case_mu}}.", "wrong_quantity"),
    "a reference with something glued to it": ("It is{{scenario_base_case_sigma}}", "glued_reference"),
    "digits": ("It gains 12 a year.", "digit"),
    "words": ("It gains twelve a year.", "number_word"),
    "letters apart": ("It gains t w e l v e a year.", "spelled_out"),
    "markup": ("It gains <b>much</b>.", "character"),
    "a link": ("Look at www.evil.example now.", "link"),
    "a unit of its own": (
        "The yearly volatility of the risky asset in the scenario base case is {{scenario_base_case_sigma}} points.",
        "unexplained_number",
    ),
    "a colour": ("The verdict is green.", "verdict"),
    "the prompt": ("Numbers come only as references to figures that a tool listed.", "recited"),
}


@pytest.mark.parametrize("guard", REJECTED)
async def test_a_draft_is_refused_for(guard: str, home: Path):
    text, code = REJECTED[guard]
    chat = await talk_on_own_desk(home, steps([WORLDS], saying(text)))
    assert chat.turn.outcome == "no_answer"
    assert {event.author for event in chat.of(ClaimReleased)} == {"code", "template"}
    assert [code in event.reasons for event in chat.of(DraftRejected)] == [True, True]
    assert chat.of(FiguresChecked) == []
    nowhere(home, chat.turn, *chat.events, words=(text, "I believe"))


async def test_the_check_accepts_ordinary_sentences(home: Path):
    """Otherwise the tests above would pass for a check that rejects everything."""
    text = "The yearly volatility of the risky asset in the scenario base case is {{scenario_base_case_sigma}}."
    chat = await talk_on_own_desk(home, steps([WORLDS], saying(text)))
    first, reading = [claim.text for claim in chat.turn.claims]
    assert first == text.replace("{{scenario_base_case_sigma}}", f"{BUILT_IN[0].sigma:.1%}")
    assert reading == "How your message was read: the simulated scenarios, base case."


class Tampered:
    """Blobs that change a figure in judged results."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def put(self, key: str, content: bytes) -> None:
        if key.endswith("/judged"):
            changed = re.sub(rb'("id":"trials","quantity":"[^"]*","value":)\d+', rb"\g<1>4711", content)
            assert changed != content
            content = changed
        await self._port.put(key, content)


async def test_a_result_with_changed_figures_is_not_stored(home: Path):
    async with open_dependencies(home) as dependencies:
        object.__setattr__(dependencies.store, "blobs", Tampered(dependencies.store.blobs))
        run = await create_run(dependencies, OWNER, request())
        with pytest.raises(Unverified, match="changed_figure: trials"):
            [event async for event in execute(dependencies, OWNER, run)]
        assert (await load_run(dependencies.store, OWNER, run)).state == "failed"
        assert await load_final_result(dependencies.store, OWNER, run) is None
        assert result_key(OWNER, run, "final")


NOTHING = Thresholds(evaluations=0)
"""Thresholds at which every run needs approval."""
UNSAID: dict[str, tuple[Call, str]] = {
    "amounts": (
        ("run_optimization", {"wish": {"target_volatility": "12%"}}),
        "does not stand in what the person wrote",
    ),
    "names": (("explain_result", {"topic": "scenario", "detail": OWN}), "was never said nor returned by a tool"),
}


@pytest.mark.parametrize("guard", UNSAID)
async def test_a_tool_is_not_called_with_values_the_person_did_not_state(guard: str, home: Path):
    call, reason = UNSAID[guard]
    chat = await talk_on_own_desk(home, steps([call], saying("Done.")), "Optimize the S&P 500.", thresholds=NOTHING)
    assert reason in chat.model_input
    assert chat.of(ToolCalled) == []
    assert chat.runs == []


BOUND: dict[str, set[str]] = {
    "risk_manager": {"assess_risk"},
    "market_analyst": {"read_market", "list_scenarios"},
    "optimizer": {"search_status"},
    "explainer": {"list_figures"},
    "assistant": {
        *("run_optimization", "estimate_optimization", "evaluate_strategy", "save_strategy", "show_scenarios"),
        *(
            "add_scenario",
            "remove_scenario",
            "assess_portfolio",
            "compare_allocations",
            "analyse_market",
            "simulate_wealth",
            "show_tearsheet",
        ),
        *("explain_result", "compare_results", "list_results", "list_saved", "open_holdout", "define_term"),
    },
}


def test_each_agent_is_bound_to_its_tools_and_to_no_others():
    chain = single_model(obedient_model(), QUICK).common
    tools = {name: set(build(agent, chain).tools) for name, agent in AGENTS.items()}
    assert {name: tools[name] for name in BOUND} == BOUND
    assert not [name for name in OPTIMIZATION_AGENTS if tools[name] & BOUND["assistant"]]


@pytest.mark.parametrize("agent", ["risk_manager", "assistant"])
async def test_a_tool_of_another_agent_is_not_called(agent: str, home: Path):
    foreign: Call = ("list_figures", {})
    if agent == "assistant":
        chat = await talk_on_own_desk(home, steps([foreign], saying("Done.")))
        assert (chat.refused_calls, chat.of(ToolCalled)) == (1, [])
        return
    assessment = ("RiskAssessment", {"concerns": ["none"]})
    async with open_desk(
        home, models=single_model(obedient_model(RiskAssessment=steps([foreign], [assessment])), QUICK)
    ) as dependencies:
        run = await create_run(dependencies, OWNER, request())
        events = [event async for event in execute(dependencies, OWNER, run)]
    [decision_event] = [e for e in events if e.event == "decision_made" and e.decision.agent == agent]
    assert decision_event.refused_calls == 1
    assert [e.tool for e in events if isinstance(e, ToolCalled) and e.agent == agent] == []


async def test_tool_calls_are_limited(home: Path):
    chat = await talk_on_own_desk(home, steps([WORLDS] * 30, saying("Done.")))
    assert chat.turn.outcome == "answered"
    assert (len(chat.of(ToolReturned)), chat.refused_calls) == (8, 22)


async def test_model_calls_are_limited(home: Path):
    chat = await talk_on_own_desk(home, lambda _: calling(("no_such_tool", {})))
    assert chat.turn.outcome == "no_answer"
    assert len(chat.of(ModelAnswered)) == len(chat.model.agents) == 2 * 8


def spending(script: Script) -> Script:
    """Let each answer of the script use ten tokens."""

    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        usage = {"input_tokens": 6, "output_tokens": 4, "total_tokens": 10}
        return script(messages).model_copy(update={"usage_metadata": usage})

    return reply


@pytest.mark.parametrize("scope", ["run", "agent", "user"])
async def test_no_model_is_called_after_a_hard_budget_is_spent(scope: str, home: Path):
    budgets = Budgets.model_validate({f"{scope}_tokens": 20})
    chat = await talk_on_own_desk(home, spending(steps([WORLDS])), budgets=budgets)
    assert chat.model.agents == [Reply.__name__] * 2
    assert chat.turn.outcome == "no_answer"
    assert [event.subject for event in chat.of(WarningIssued) if event.code == "budget_spent"]


async def test_a_soft_budget_warns_and_continues(home: Path):
    answering = spending(steps([WORLDS], saying("Done.")))
    chat = await talk_on_own_desk(home, answering, budgets=Budgets(run_tokens=24))
    assert chat.turn.outcome == "answered"
    assert [(event.code, event.subject) for event in chat.of(WarningIssued)] == [("budget_nearly_spent", "run tokens")]


async def waiting(dependencies: Dependencies) -> str:
    run = await create_run(dependencies, OWNER, request())
    assert [event async for event in execute(dependencies, OWNER, run)][-1].event == "approval_requested"
    return run


async def trials(dependencies: Dependencies) -> int:
    return len([record async for record in iterate_records(dependencies.store.records, OWNER, "trial")])


async def test_a_job_above_a_threshold_waits_before_any_model_is_asked(home: Path):
    model = obedient_model(lambda _: calling())
    async with open_desk(home, thresholds=NOTHING, models=single_model(model, QUICK)) as dependencies:
        run = await waiting(dependencies)
        assert [event async for event in execute(dependencies, OWNER, run)] == await load_events(
            dependencies.store, OWNER, run
        )
        assert (await load_run(dependencies.store, OWNER, run)).state == "waiting"
        assert await trials(dependencies) == 0
    assert model.agents == []


async def test_a_rejected_job_stores_nothing(home: Path):
    async with open_desk(home, thresholds=NOTHING) as dependencies:
        run = await waiting(dependencies)
        no = ApprovalDecision(verdict="rejected", by="a person", at=utc_now(), reason="too dear")
        await decide_approval(dependencies, OWNER, run, no)
        assert [event async for event in execute(dependencies, OWNER, run)][-1].event == "run_failed"
        assert (await load_run(dependencies.store, OWNER, run)).state == "rejected"
        assert await trials(dependencies) == 0
        assert await load_final_result(dependencies.store, OWNER, run) is None


async def test_tool_results_are_enclosed_in_their_own_marks(home: Path):
    chat = await talk_on_own_desk(home, steps([WORLDS], saying("Done.")))
    [model_input] = [text for text in chat.model.inputs if "base_case" in text]
    opening, closing = model_input.splitlines()[0], model_input.splitlines()[-1]
    assert re.fullmatch("<data-[0-9a-f]{12}>", opening)
    assert closing == opening.replace("<", "</")
    assert (model_input.count(opening), model_input.count(closing)) == (1, 1)


async def test_model_output_is_deleted_after_the_decision(home: Path):
    chat = await talk_on_own_desk(home, steps([WORLDS], saying("Done.")))
    async with open_desk(home) as dependencies:
        assert [record async for record in iterate_records(dependencies.store.records, OWNER, "answer")] == []
        assert await list_runs(dependencies.store, "other") == []
    nowhere(home, chat.turn, *chat.events)


ELSEWHERE = {
    "tests.graphs.test_injection": (
        *("test_objects_of_other_owners_are_not_found", "test_messages_in_conversations_of_other_owners_are_rejected"),
        *("test_the_holdout_stays_locked_until_a_person_has_approved", "test_one_message_starts_at_most_three_runs"),
        *(
            "test_injected_instructions_do_not_count_as_the_persons_words",
            "test_a_message_cannot_forge_its_json_frame",
        ),
        "test_obedient_search_agents_change_neither_tools_nor_limits_nor_the_verdict",
    ),
    "tests.graphs.test_invented_numbers": (
        *(
            "test_no_agent_of_a_search_can_publish_an_invented_number",
            "test_no_tool_argument_accepts_an_invented_number",
        ),
    ),
    "tests.desk.figures.guard.test_texts": ("test_a_number_is_refused", "test_a_number_anywhere_in_prose_is_refused"),
    "tests.graphs.runs.test_holdout": ("test_a_holdout_whose_opening_was_rejected_stays_locked",),
    "tests.store.test_records": ("test_another_owner_finds_nothing",),
    "tests.graphs.jobs.test_execution": ("test_weights_of_the_holdout_are_shown_to_the_reader_and_to_no_agent",),
}
"""Guards whose tests are in other modules."""


def test_the_list_of_guards_names_existing_tests():
    page = (Path(__file__).parents[2] / "docs" / "guards.md").read_text(encoding="utf-8")
    modules = {name: import_module(name) for name in (__name__, *ELSEWHERE)}
    own = {name for name in vars(modules[__name__]) if name.startswith("test_")} - {
        "test_the_list_of_guards_names_existing_tests",
        "test_the_check_accepts_ordinary_sentences",
    }
    expected_names = {*own, *(name for names in ELSEWHERE.values() for name in names)}
    assert all(hasattr(modules[module], name) for module, names in ELSEWHERE.items() for name in names)
    assert set(re.findall(r"test_[a-z_]+(?=[\[`])", page)) == expected_names
