"""A trace as a tree: what stands under what, what was refused, what is counted, and how it is written."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from api.cli.output.tree import Branch, draw, totals, tree
from desk.figures.figures import RenderedClaim
from desk.governance.approvals import ApprovalDecision, ApprovalRequest, Thresholds
from desk.governance.usage import Usage
from desk.optimization.answers import Decision
from desk.optimization.estimate import estimate
from desk.optimization.request import OptimizationRequest
from desk.runs.events.agents import AgentFinished, AgentStarted, DecisionMade, DraftRejected, ToolCalled, ToolReturned
from desk.runs.events.approvals import ApprovalDecided, ApprovalRequested
from desk.runs.events.conversation import RunLaunched, TurnFinished, TurnStarted
from desk.runs.events.judgement import ClaimReleased
from desk.runs.events.models import ModelAnswered, ModelRetried
from desk.runs.events.run import NodeFinished, NodeStarted, RunFailed, RunFinished, RunStarted, WarningIssued
from desk.runs.events.search import EstimateMade, JobProgressed, TrialFinished, TrialsFinished
from desk.runs.events.table import EVENTS
from tests.desk.runs.example_events import RUN, example

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
AGENT: dict[str, Any] = {"agent": "risk_manager"}
TOOL: dict[str, Any] = {**AGENT, "tool": "assess_risk"}
MODEL = "openai:gpt"


def at(second: float, kind: Any, /, node: str = "risk_manager", run: str = "one", **fields: Any) -> Any:
    return kind(id=f"{second}", run=run, node=node, at=BEGIN + timedelta(seconds=second), **fields)


def answered(second: float, **fields: Any) -> Any:
    tokens = {"input_tokens": 900, "cached_tokens": 100, "written_tokens": 0, "output_tokens": 50, "dollars": 0.25}
    given = {**AGENT, "model": MODEL, "stop": "answered", "attempts": 1, "seconds": 1.0} | tokens | fields
    return at(second, ModelAnswered, **given)


def trial(second: float, number: int, objective: float | None) -> Any:
    fields = {"trial": number, "digest": f"{number}" * 64, "screened": objective is None, "objective": objective}
    return at(second, TrialFinished, "search", **fields)


BEGUN = [
    at(0, RunStarted, "run", request_digest="", data_digest="", model=MODEL),
    at(1, NodeStarted, title="Risk manager: limits and what deserves attention"),
    at(2, AgentStarted, **AGENT, model=MODEL),
    answered(4),
    at(5, ToolCalled, **TOOL, arguments={"subject": "asset"}),
    at(5, ToolCalled, **TOOL, arguments={"subject": "mine"}),
    at(6, ToolReturned, **TOOL, result_digest="", figures=("a", "b")),
]
DECISION = Decision(agent="risk_manager", ordinal=0, author=MODEL, answer={"concerns": ["none"]})
USAGE = Usage(answers=2, retries=1, input_tokens=1800, cached_tokens=200, output_tokens=100, dollars=0.5, seconds=2.0)
ESTIMATE = estimate(OptimizationRequest(), 3)
CLAIM = RenderedClaim(section="risk", text="It falls by 5%.", figures=("a",), template="It falls by {{a}}.")
WHOLE = [
    *BEGUN,
    at(6.5, ModelRetried, **AGENT, model=MODEL, reason="throttled", attempt=1),
    answered(8, attempts=2),
    at(8, DraftRejected, **AGENT, digest="", reasons=("number_word",)),
    at(9, DecisionMade, decision=DECISION, refused_calls=1),
    at(9, AgentFinished, **AGENT, outcome="answered", usage=USAGE),
    at(9, ClaimReleased, author=MODEL, claim=CLAIM),
    at(9, ClaimReleased, author=MODEL, claim=CLAIM),
    at(10, NodeFinished),
    at(10, NodeStarted, "search"),
    at(11, EstimateMade, "search", plan=0, estimate=ESTIMATE),
    trial(12, 0, 0.01),
    at(12, JobProgressed, "search", job="", done=1, total=3),
    trial(13, 1, None),
    trial(13, 2, 0.03),
    at(13, TrialsFinished, "search", plan=0, trials=3, stopped="budget"),
    at(14, NodeFinished, "search"),
    at(15, WarningIssued, "run", code="budget_nearly_spent", subject="run dollars"),
    at(20, RunFinished, "run", result_digest="f" * 64),
]


def lines(events: list[Any], **options: Any) -> list[str]:
    def walk(branch: Branch, depth: int) -> list[str]:
        return [">" * depth + branch.text, *(line for child in branch.children for line in walk(child, depth + 1))]

    return walk(tree({"one": events}, "one", **options), 0)


def test_every_event_is_below_its_cause():
    assert lines(WHOLE) == [
        f"Run one, agents driven by {MODEL}",
        ">Risk manager: limits and what deserves attention",
        f">>Risk manager, {MODEL}: answered",
        f">>>{MODEL} answered",
        '>>>assess_risk(subject="asset"): 2 figures',
        '>>>assess_risk(subject="mine"): refused',
        ">>>Risk manager's model failed (throttled) in attempt 1 and is retried",
        f">>>{MODEL} answered, 2 attempts",
        ">>>A draft of the risk manager was refused: number word",
        f">>>Risk manager ({MODEL}): concerns none; 1 call of tools refused",
        ">>2 claims released",
        ">Searching",
        f">>Estimate: {ESTIMATE.describe()}",
        ">>3 trials, 1 dropped after few paths, highest in sample, regret apart: trial 2 (222222222222), 300.0 bps, "
        "ended: budget",
        ">Warning: budget nearly spent (run dollars)",
        ">Finished, result digest ffffffffffff",
    ]


def test_the_whole_tree_has_each_trial_and_each_claim():
    tree = lines(WHOLE, whole=True, goals={"one": "sharpe"})
    assert [line for line in tree if line.startswith(">>>") and ("trial" in line or "risk:" in line)] == [
        ">>>risk: It falls by 5%.",
        ">>>risk: It falls by 5%.",
        ">>>trial 0 (000000000000), Sharpe ratio 0.01",
        ">>>dropped after few paths: trial 1 (111111111111)",
        ">>>trial 2 (222222222222), Sharpe ratio 0.03",
    ]


def test_an_interrupted_run_marks_unfinished_steps():
    failed = at(7, RunFailed, "run", code="model_failed", kind="throttled")
    assert lines([*BEGUN, failed]) == [
        f"Run one, agents driven by {MODEL}",
        ">Risk manager: limits and what deserves attention: not finished",
        f">>Risk manager, {MODEL}: not finished",
        f">>>{MODEL} answered",
        '>>>assess_risk(subject="asset"): 2 figures',
        '>>>assess_risk(subject="mine"): did not return',
        ">The run ended: model failed (throttled)",
    ]


def test_a_launched_run_is_below_its_tool_call():
    turn: dict[str, Any] = {"conversation": "talk", "turn": 3}
    call = {"agent": "assistant", "tool": "run_optimization"}
    events = [
        at(0, TurnStarted, "turn", **turn, model=MODEL),
        at(1, NodeStarted, "assistant"),
        at(2, ToolCalled, "assistant", **call, arguments={}),
        at(3, RunLaunched, "assistant", launched="two", name="mine"),
        at(9, ToolReturned, "assistant", **call, result_digest="", figures=()),
        at(9, NodeFinished, "assistant"),
        at(9, TurnFinished, "turn", **turn, outcome="answered", usage=USAGE),
    ]
    launched = at(4, RunStarted, "run", "two", request_digest="", data_digest="", model=MODEL)
    root = tree({"one": events, "two": [launched]}, "one")
    assert root.text == f"Turn 3 of conversation talk, driven by {MODEL}"
    [call_of_tool] = root.children[0].children
    [launching] = call_of_tool.children
    assert launching.text == "Launched two: mine"
    assert [child.text for child in launching.children] == [f"Run two, agents driven by {MODEL}"]
    assert root.usage == USAGE


def test_a_decision_is_below_its_approval_request():
    thresholds = Thresholds()
    asked = ApprovalRequest(subject="launch", estimate=None, exceeded=(), thresholds=thresholds, at=BEGIN)
    decided = ApprovalDecision(verdict="rejected", by="boss", at=BEGIN, reason="too dear")
    request = at(1, ApprovalRequested, "search", asked=asked)
    answer = at(9, ApprovalDecided, "search", subject="launch", decided=decided)
    [waited] = tree({"one": [request, answer]}, "one").children
    assert waited.end == answer.at
    [decision] = waited.children
    assert "boss" in decision.text
    assert "too dear" in decision.text


def test_without_a_terminal_the_tree_is_plain_text_with_times_tokens_and_cost(capsys):
    draw(Console(file=io.StringIO()), tree({"one": WHOLE}, "one"))
    out = capsys.readouterr().out.splitlines()
    assert (
        out[2]
        == f"    Risk manager, {MODEL}: answered [+2.0 s, took 7.0 s, 2,100 tokens (200 from the cache), $0.5000]"
    )
    assert out[3] == f"      {MODEL} answered [+3.0 s, took 1.0 s, 1,050 tokens (100 from the cache), $0.2500]"
    assert out[4] == '      assess_risk(subject="asset"): 2 figures [+5.0 s, took 1.0 s]'


def test_the_totals_count_everything_once():
    assert totals({"one": WHOLE}) == (
        "Total: 20.0 s, 2 answers of models (1 failed call), 2,100 tokens (200 from the cache), $0.5000, 3 trials, "
        f"{len(WHOLE)} events"
    )
    assert "price unknown" in totals({"one": [answered(0, dollars=None)]})


@pytest.mark.parametrize("width", [30, 60, 200])
def test_lines_fit_the_terminal_and_no_word_is_lost(width):
    out = io.StringIO()
    draw(Console(file=out, force_terminal=True, width=width, color_system=None), tree({"one": WHOLE}, "one"))
    drawn = out.getvalue()
    assert max(map(len, drawn.splitlines())) <= width
    squeezed = "".join(c for c in drawn if c.isalnum())
    assert all("".join(c for c in line if c.isalnum()) in squeezed for line in lines(WHOLE))
    assert "├" in drawn


def test_text_of_a_model_cannot_move_the_cursor(capsys):
    odd = at(5, ToolCalled, **TOOL, arguments={"subject": "\x1b[2J"})
    out = io.StringIO()
    root = tree({"one": [*BEGUN, odd]}, "one")
    draw(Console(file=out, force_terminal=True, width=80, color_system=None), root)
    draw(Console(file=io.StringIO()), root)
    assert "\x1b[2J" not in out.getvalue() + capsys.readouterr().out


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_stands_in_the_tree_as_its_row_says(kind):
    event, row = example(kind, 5), EVENTS[kind].row
    opening = [example(name, 1) for name, other in EVENTS.items() if row.closes and other.row.opens == row.closes]
    events = [event] if row.opens == row.closes else [*opening[:1], event]
    root = tree({RUN: events}, RUN, whole=True)
    branches = [root, *(branch for child in root.children for branch in (child, *child.children))]
    assert (len(branches) > 1 or root.text == event.label()) == (row.trace != "omitted")
    assert any(event.label() in branch.text for branch in branches) == (row.trace != "omitted")
    assert any(branch.end == event.at for branch in branches) or row.closes is None


def test_consecutive_claims_are_counted_and_trials_summed_up():
    counted = [name for name, kind in EVENTS.items() if kind.row.trace == "counted"]
    for kind in counted:
        (branch,) = tree({RUN: [example(kind, 1), example(kind, 2)]}, RUN).children
        assert branch.text.startswith("2 ")
        assert branch.children == []
