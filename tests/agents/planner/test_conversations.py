"""Labelled texts are scored by what real conversations about them call."""

from pathlib import Path
from typing import Any

import pytest

from tests.agents.planner.conversations import make_home, score

SEARCH = "optimize the S&P 500 with 10% volatility and at most 20% drawdown, 100 trials"
DEARER = {"tool": "run_optimization", "arguments": {"wish": {"base": "last", "transaction_cost": "5 bps"}}}
INDEX = {"tool": "analyse_market", "arguments": {"assets": ["sp500"]}}


@pytest.fixture(scope="module")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("finished") / "home"
    make_home(home)
    return home


def labelled(text: str, expected: dict[str, Any], *before: str) -> dict[str, Any]:
    return {"before": before, "text": text, "expected": expected, "also_right": [], "or_asks": False}


def test_a_change_of_a_search_is_understood(finished_home: Path) -> None:
    scored = score(labelled("the same with costs of 5 bps", DEARER, SEARCH), finished_home)
    assert [tool for answer in (*scored.before, scored.answer) for tool, _ in answer.calls] == ["run_optimization"] * 2
    assert scored.answer.turn.focus.previous_run == scored.before[0].turn.focus.run
    assert scored.outcome == "understood"


def test_a_reading_that_is_offered_is_accepted_by_its_place(finished_home: Path) -> None:
    scored = score(labelled("how volatile is the S&P 500 in the drizzle?", INDEX), finished_home)
    assert scored.answer.calls == []
    assert any(tool == "analyse_market" for answer in scored.accepted for tool, _ in answer.calls)
    assert scored.outcome == "offered"


def test_another_call_than_the_expected_one_is_misread(finished_home: Path) -> None:
    assert score(labelled("list my runs", INDEX), finished_home).outcome == "misread"
