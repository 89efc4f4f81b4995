from datetime import UTC, datetime

import pytest

from api.progress import describe
from tools.optimization import Decision
from tools.trace import DecisionMade, DraftRejected

PLACE = {"id": "0" * 32, "run": "r", "node": "risk_manager", "at": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("author", "answer", "told"),
    [
        ("abstained", {}, "  Risk manager abstained: code goes on in its place"),
        ("a model", {"concerns": [], "claims": []}, "  Risk manager (a model): an empty answer"),
        ("a model", {"concerns": ["none"], "claims": [{}]}, "  Risk manager (a model): concerns none, 1 claim"),
    ],
)
def test_a_decision_is_told_in_one_line(author, answer, told):
    decision = Decision(agent="risk_manager", ordinal=0, author=author, answer=answer)
    assert describe(DecisionMade(**PLACE, decision=decision)) == told


def test_why_a_draft_was_refused_reads_like_language():
    refused = DraftRejected(**PLACE, agent="risk_manager", digest="0" * 64, reasons=("no_answer", "own_number"))
    assert describe(refused) == "  A draft of the risk manager was refused: no answer, own number"
