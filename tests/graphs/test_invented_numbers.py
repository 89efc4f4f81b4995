"""Invented numbers, in any disguise, from any agent, are neither stored nor shown."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agents.models.factory import single_model
from api.app import create_dependencies
from api.settings import Settings
from desk.runs.events.agents import DraftRejected
from desk.runs.events.judgement import ClaimReleased
from graphs.conversations.turn_execution import ask, begin_conversation, turn_of
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.doubles.obedient_model import (
    MINE,
    Call,
    obedient_model,
    request,
    saying,
    steps,
    talk_on_own_desk,
)
from tests.graphs.dependencies import OWNER, QUICK, open_dependencies
from tests.graphs.invented_drafts import INVENTED, PAIRS, assert_none_is_released, disguises_in
from tests.soak_variants import a_few

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("disguises", PAIRS[:1], ids="-".join)
async def test_no_agent_of_a_search_can_publish_an_invented_number(disguises: list[str], home, monkeypatch):
    await assert_none_is_released(home, monkeypatch, disguises)


@pytest.fixture(scope="module")
def home_with_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home_with_run") / "home"

    async def search() -> None:
        async with open_dependencies(home) as dependencies:
            await create_run(dependencies, OWNER, request(), run_id=MINE)
            async for _ in execute(dependencies, OWNER, MINE):
                pass

    asyncio.run(search())
    (home / "stratigos.log").touch()
    return home


@pytest.mark.parametrize(
    "disguise", a_few(INVENTED, "digits", "words", "other_digits", "hidden_joint", "roman", "glued")
)
async def test_the_assistant_does_not_release_an_invented_number(disguise: str, home_with_run: Path, home: Path):
    shutil.copytree(home_with_run, home)
    text = INVENTED[disguise]
    lists = [("list_results", {})]
    chat = await talk_on_own_desk(
        home, steps(lists, saying(f"You gain {text} a year.", f"It is {text}.")), "Was it worth it?"
    )
    assert chat.turn.outcome == "no_answer"
    assert {event.author for event in chat.of(ClaimReleased)} == {"code", "template"}
    assert [event.digest != "" for event in chat.of(DraftRejected)] == [True, True]
    assert disguises_in(home, *(event.model_dump_json() for event in chat.events), chat.turn.model_dump_json()) == set()


def everywhere(text: str) -> list[Call]:
    """A call for each free field of the assistant's tools."""
    strategy = (
        "saved",
        "lookback",
        "target_volatility",
        "floor",
        "multiplier",
        "transaction_cost",
        "no_trade_band",
        "first_day",
    )
    wish = ("name", "target_volatility", "max_drawdown", "max_cost", "trials", "paths", "years", "seed", "max_leverage")
    scenario = ("name", "like", "expected_return", "volatility", "cash_rate", "bond_correlation")
    plan = ("years", "contribution", "withdrawal", "goal", "inflation", "fee", "scenario", "paths")
    return [
        *(("run_optimization", {"wish": {name: text}}) for name in wish),
        *(("estimate_optimization", {"wish": {name: [text]}}) for name in ("assets", "lookbacks", "scenarios")),
        *(("evaluate_strategy", {"strategy": {name: text}}) for name in strategy),
        *(("add_scenario", {"scenario": {"name": "mine", name: text}}) for name in scenario),
        *(("simulate_wealth", {"plan": {name: text}}) for name in plan),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": text}]}}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500", "weight": text}]}}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500", "amount": text}]}}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500"}], "amount": text}}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500"}]}, "loss": text}),
        ("assess_portfolio", {"portfolio": {}, "shocks": [{"factor": "sp500", "direction": "falls", "move": text}]}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500"}]}, "level": text}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500"}]}, "horizon": text}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500"}]}, "first_day": text}),
        ("assess_portfolio", {"portfolio": {"holdings": [{"asset": "sp500"}]}, "last_day": text}),
        ("compare_allocations", {"assets": [text, "AAPL"]}),
        ("compare_allocations", {"assets": ["stocks"], "amount": text}),
        ("analyse_market", {"assets": [text]}),
        ("save_strategy", {"name": text}),
        ("show_scenarios", {"names": [text]}),
        ("remove_scenario", {"name": text}),
        ("explain_result", {"topic": "summary", "run": text}),
        ("explain_result", {"topic": "scenario", "detail": text}),
        ("explain_result", {"topic": text}),
        ("compare_results", {"first": text}),
        ("compare_results", {"second": text}),
        ("open_holdout", {"run": text}),
        ("define_term", {"term": text}),
        ("list_saved", {"what": text}),
        (text, {}),
        ("list_results", {text: text}),
    ]


@pytest.mark.parametrize("disguise", a_few(["digits", "words", "glued", "other_digits"], "digits", "words"))
async def test_no_tool_argument_accepts_an_invented_number(disguise: str, home_with_run: Path, home: Path, monkeypatch):
    """Every field of every tool, eight calls at a time."""
    shutil.copytree(home_with_run, home)
    monkeypatch.setenv("STRATIGOS_HOME", str(home))
    monkeypatch.setenv("STRATIGOS_LOG_LEVEL", "debug")
    calls = everywhere(INVENTED[disguise])
    shown_texts: list[str] = []
    async with create_dependencies(Settings()) as open_desk:
        for first in range(0, len(calls), 8):
            some = calls[first : first + 8]
            model = obedient_model(steps(some, saying("What stands in the way: {{refusal}}."), saying("Done.")))
            dependencies = replace(open_desk, models=single_model(model, QUICK))
            conversation = await begin_conversation(dependencies, OWNER)
            events = [event async for event in ask(dependencies, OWNER, conversation, "Was it worth it?")]
            turn = await turn_of(dependencies.store, OWNER, conversation, 1)
            shown_texts += [*(event.model_dump_json() for event in events), turn.model_dump_json()]
            tool_calls = [event for event in events if event.event == "tool_called"]
            assert {event.tool for event in tool_calls} <= {"list_results"}
    assert disguises_in(home, *shown_texts) == set()
