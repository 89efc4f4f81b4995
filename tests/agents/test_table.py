"""Every agent of the table is declared whole: prompt, tools, sentences and a place in a graph."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from string import Formatter

import pytest
from langchain_core.language_models import FakeListChatModel

import prompts
from agents.build import build
from agents.declaration import Declaration
from agents.models.factory import ModelChain, NamedModel
from agents.table import (
    AGENTS,
    ASSISTANT,
    INTERRUPTIONS,
    OPTIMIZATION_AGENTS,
    absence_sentences,
    order_decisions,
)
from api.cli.output.progress import live_line
from api.settings import MODEL_VARIABLES
from desk.figures.figures import Claim
from desk.figures.guard.claims import check
from desk.governance.budgets import BUDGETS
from desk.optimization.answers import Decision
from desk.optimization.partial_results import label_claims, reasons
from desk.runs.events.run import NodeStarted
from desk.runs.progress import ProgressTracker
from graphs.optimization import NODES
from quant.numeric.frozen import Frozen
from tests.api.http.application import application

each_agent = pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))


def chain() -> ModelChain:
    return ModelChain((NamedModel("none", FakeListChatModel(responses=[])),))


@each_agent
def test_an_agent_is_built_with_its_prompt_and_the_rules(agent: Declaration) -> None:
    built = build(agent, chain())
    assert built.prompt.startswith(prompts.load(agent.name, **agent.prompt_values))
    assert f"at most {agent.max_tool_calls} tool calls" in built.prompt
    assert f"calling {agent.answer.__name__} exactly once" in built.prompt
    assert {tool.name for tool in agent.tools()} == set(built.tools)
    assert not [name for _, name, _, _ in Formatter().parse(built.prompt) if name and name in agent.prompt_values]


@each_agent
def test_an_agent_has_a_setting_of_its_model(agent: Declaration) -> None:
    assert MODEL_VARIABLES[f"MODEL_{agent.name.upper()}"] == ("agents", agent.name)


def test_each_agent_of_a_run_is_one_node_of_its_graph() -> None:
    assert set(OPTIMIZATION_AGENTS) < set(NODES.values())
    assert {name for name in AGENTS if name not in OPTIMIZATION_AGENTS} == {ASSISTANT.name}


def test_agents_are_listed_in_the_order_in_which_they_begin() -> None:
    shares = [agent.start_share for agent in OPTIMIZATION_AGENTS.values()]
    assert all(0.0 < first < second < 1.0 for first, second in pairwise(shares))
    assert list(AGENTS) == [*OPTIMIZATION_AGENTS, ASSISTANT.name]


def test_names_titles_and_answers_are_unique() -> None:
    for values in (
        [agent.answer for agent in AGENTS.values()],
        [agent.answer.__name__ for agent in AGENTS.values()],
    ):
        assert len(set(values)) == len(AGENTS)


@each_agent
def test_the_sentences_about_an_absent_agent_pass_the_check_of_claims(agent: Declaration) -> None:
    sentences = [agent.absence_sentence]
    for budget in BUDGETS:
        decision = Decision(
            agent=agent.name, ordinal=0, author="abstained", answer={}, abstained_for="budget", budget=budget
        )
        sentences += [claim.text for claim in label_claims(reasons([decision], INTERRUPTIONS))]
    for sentence in sentences:
        assert agent.title.lower() in sentence
        assert check(Claim(section="winner", text=sentence), ()) == []


def test_decisions_of_an_agent_that_was_removed_keep_their_stored_name() -> None:
    names = ("stress_tester", "explainer", "stress_tester", "risk_manager")
    stored = [Decision(agent=name, ordinal=n, author="abstained", answer={}) for n, name in enumerate(names)]
    ordered = order_decisions(stored)
    assert [(d.agent, d.ordinal) for d in ordered] == [
        ("risk_manager", 3), ("explainer", 1), ("stress_tester", 0), ("stress_tester", 2),
    ]  # fmt: skip
    *known, removed = absence_sentences(ordered)
    assert known == [AGENTS["risk_manager"].absence_sentence, AGENTS["explainer"].absence_sentence]
    assert removed == "The stress tester gave no answer."
    assert ordered[2].describe() == "Stress tester abstained: code takes over"
    spent = ordered[2].model_copy(update={"abstained_for": "budget", "budget": "run tokens"})
    assert absence_sentences([spent]) == ()
    (reason,) = reasons([spent], INTERRUPTIONS)
    assert reason == "The run's budget of tokens was spent before the stress tester had answered."


@each_agent
def test_the_rule_calls_tools_of_the_agent_until_it_answers(agent: Declaration) -> None:
    task = '{"person": "list my runs", "focus": {}, "before": []}'
    calls = agent.rule(task, ())
    assert not isinstance(calls, Frozen)
    assert {name for name, _ in calls} <= {tool.name for tool in agent.tools()}


@each_agent
def test_progress_shows_what_an_agent_does_and_never_goes_back(agent: Declaration) -> None:
    place = {"id": "0" * 32, "run": "r", "at": datetime(2026, 1, 1, tzinfo=UTC)}
    started = NodeStarted(**place, node=agent.name, sequence=1, **agent.node_fields)
    assert live_line(started).startswith(f"▸ {agent.title}")
    tracker = ProgressTracker()
    started.advance(tracker)
    assert (tracker.progress.stage, tracker.progress.share) == (agent.name, agent.start_share)
    stored = NodeStarted(**place, node="an_agent_that_was_removed", sequence=1)
    stored.advance(tracker)
    assert live_line(stored) == "▸ An agent that was removed"
    assert tracker.progress.share == agent.start_share


def test_openapi_lists_the_agents(tmp_path: Path) -> None:
    schemas = application(tmp_path).openapi()["components"]["schemas"]
    assert schemas["AgentStarted"]["properties"]["agent"]["enum"] == list(AGENTS)
    assert "x-values" not in json.dumps(schemas)
