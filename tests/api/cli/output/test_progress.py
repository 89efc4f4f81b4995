from datetime import UTC, datetime
from typing import Any

import pytest

from api.cli.output.progress import live_line
from desk.governance.usage import Usage
from desk.optimization.answers import Decision
from desk.runs.events.agents import DecisionMade, DraftRejected, FiguresChecked
from desk.runs.events.conversation import RunLaunched, TurnFinished
from desk.runs.events.run import WarningIssued
from desk.runs.events.table import EVENTS
from tests.desk.runs.example_events import example

PLACE: dict[str, Any] = {"id": "0" * 32, "run": "r", "node": "risk_manager", "at": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("author", "answer", "line"),
    [
        ("abstained", {}, "  Risk manager abstained: code takes over"),
        ("a model", {"concerns": [], "claims": []}, "  Risk manager (a model): an empty answer"),
        ("a model", {"concerns": ["none"], "claims": [{}]}, "  Risk manager (a model): concerns none, 1 claim"),
    ],
)
def test_a_decision_is_one_line(author, answer, line):
    decision = Decision(agent="risk_manager", ordinal=0, author=author, answer=answer)
    assert live_line(DecisionMade(**PLACE, decision=decision)) == line


def test_reasons_for_a_rejected_draft_read_as_sentences():
    refused = DraftRejected(**PLACE, agent="risk_manager", digest="0" * 64, reasons=("no_answer", "own_number"))
    assert live_line(refused) == "  A draft of the risk manager was refused: no answer, own number"


TURN: dict[str, Any] = {"conversation": "talk", "turn": 1, "outcome": "answered"}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            FiguresChecked(**PLACE, agent="explainer", digest="", claims=2, references=1),
            "  Explainer's draft passed the check of its figures (2 claims, 1 reference)",
        ),
        (FiguresChecked(**PLACE, agent="explainer", digest="", claims=0, references=0), ""),
        (
            WarningIssued(**PLACE, code="budget_nearly_spent", subject="run dollars"),
            "  Warning: budget nearly spent (run dollars)",
        ),
        (RunLaunched(**PLACE, launched="two", name="\x1b[2J"), "  Launched run two: ·[2J"),
        (TurnFinished(**PLACE, **TURN, usage=Usage()), ""),
        (
            TurnFinished(**PLACE, **TURN, usage=Usage(output_tokens=1200, seconds=2.5)),
            "  The assistant took 1,200 tokens, 2.5 s",
        ),
    ],
)
def test_events_of_guards_and_conversations_print_only_their_content(event, line):
    assert live_line(event) == line


@pytest.mark.parametrize("kind", EVENTS)
def test_a_live_view_prints_the_line_of_every_kind_that_is_live(kind):
    event = example(kind)
    text = live_line(event)
    assert text.lstrip(" ▸") == (event.line() if event.live else "")
