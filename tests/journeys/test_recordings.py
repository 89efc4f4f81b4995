"""Each stored recording shows the behaviour that it was made for, and replays to its trace.

`make check` records each again, and so verifies that its calls and its trace are those of the program; here one replay
is enough, and the behaviour is read from the stored traces. `make soak` replays them all.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import pytest

from agents.recording.cassette import Cassette
from agents.recording.player import CassetteMiss, Player
from api.recording.recorded_runs import CLOCK, Label, ReplayReport, label_of, replay
from desk.runs.events.agents import DecisionMade, DraftRejected
from desk.runs.events.judgement import ClaimReleased, VerdictReached
from desk.runs.events.models import ModelAnswered, ModelReplaced, ModelRetried
from desk.runs.events.table import TRACE_EVENT, TraceEvent
from graphs.agent_decisions import ABSTAINED
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.cassette_playback import CASSETTES, play_cassette
from tests.doubles.bedrock.recordings import RECORDINGS
from tests.soak_variants import a_few

OWNER = "local"
SHOWN = ("decision_made", "draft_rejected", "claim_released", "model_retried", "model_replaced")
"""Kinds of events that show a behaviour."""
NAMES = [path.stem for path in sorted(CASSETTES.glob("*.yaml"))]


class Replay(NamedTuple):
    calls: int
    """Number of recorded calls."""
    report: ReplayReport
    events: list[TraceEvent]


@pytest.fixture(scope="module")
def replayed() -> Callable[[str], Replay]:
    """Replays a cassette, each once for all tests."""

    @cache
    def replay_once(name: str) -> Replay:
        cassette, events = Cassette.load(CASSETTES / f"{name}.yaml"), []
        report = asyncio.run(replay(Player(cassette), label(name), show=events.append))
        return Replay(len(cassette.interactions), report, events)

    return replay_once


@cache
def label(name: str) -> Label:
    path = CASSETTES / f"{name}.yaml"
    return label_of(Cassette.load(path), path)


def recorded_events(name: str) -> list[TraceEvent]:
    """The events of the stored trace, which has no times, that show a behaviour."""
    trace = [event for run in label(name).runs for event in run.trace if event["event"] in SHOWN]
    return [TRACE_EVENT.validate_python({"at": CLOCK, **event}) for event in trace]


@pytest.fixture
def replay_optimization(replayed) -> Replay:
    """Replayed outside of the event loop of an asynchronous test."""
    return replayed("optimization")


def of(kind: type, events: Sequence) -> list:
    return [event for event in events if isinstance(event, kind)]


def authors(events: Sequence) -> dict[str, str]:
    return {event.decision.agent: event.decision.author for event in of(DecisionMade, events)}


def claims(node: str, events: Sequence) -> list[str]:
    return [event.claim.text for event in of(ClaimReleased, events) if event.node == node]


def explainers(events: Sequence) -> set[str]:
    """The authors of the explanation."""
    return {event.author for event in of(ClaimReleased, events) if event.node == "render"}


@pytest.mark.parametrize("name", a_few(NAMES, "optimization"))
def test_every_cassette_replays_to_its_trace(name: str, replayed) -> None:
    report = replayed(name).report
    assert report.differences == (), "after a change of prompts, tools or figures: make cassettes"
    assert report.calls == replayed(name).calls
    assert report.attempts == 0


@pytest.mark.parametrize("name", RECORDINGS)
def test_each_recording_of_the_double_ships(name: str) -> None:
    stored, recording = label(name), RECORDINGS[name]
    assert stored.made_by
    assert stored.scripted == recording.scripted
    assert [run.request or run.messages for run in stored.runs] == list(recording.scripts)


@pytest.mark.anyio
async def test_a_run_on_bedrock_ends_as_the_run_of_the_embedded_planner(home, opened, replay_optimization) -> None:
    events = replay_optimization.events
    [recorded] = label("optimization").runs
    assert recorded.request is not None
    async with opened(home) as dependencies:
        run = await create_run(dependencies, OWNER, recorded.request)
        embedded = [event async for event in execute(dependencies, OWNER, run)]
    assert [call.stop for call in of(ModelAnswered, events)] == ["answered"] * len(of(ModelAnswered, embedded))
    assert all(call.output_tokens > 0 for call in of(ModelAnswered, events))
    assert sum(call.cached_tokens for call in of(ModelAnswered, events)) > 0
    [verdict], [same] = of(VerdictReached, events), of(VerdictReached, embedded)
    assert (verdict.colour, verdict.headline) == (same.colour, same.headline)
    assert claims("render", events) == claims("render", embedded) != []


def test_throttled_calls_are_retried_and_reported() -> None:
    events = recorded_events("throttled")
    retries = Counter((event.agent, event.reason) for event in of(ModelRetried, events))
    assert retries == {
        ("risk_manager", "throttled"): 5,
        ("market_analyst", "throttled"): 5,
        ("optimizer", "throttled"): 5,
        ("explainer", "throttled"): 2,
        ("explainer", "unavailable"): 3,
    }
    assert ABSTAINED not in authors(events).values()
    assert "template" not in explainers(events)


def test_the_second_model_answers_for_the_first() -> None:
    events = recorded_events("fallback")
    [second] = label("fallback").models.fallbacks
    assert {event.by for event in of(ModelReplaced, events)} == {second}
    assert {event.reason for event in of(ModelReplaced, events)} == {"access_denied"}
    assert set(authors(events).values()) == {second}
    assert explainers(events) == {second}


def test_a_guardrail_ends_in_an_abstention() -> None:
    events = recorded_events("guardrail")
    assert [event.reasons for event in of(DraftRejected, events)] == [("blocked",)]
    assert authors(events)["explainer"] == ABSTAINED
    assert explainers(events) == {"template"}


def test_malformed_answers_are_rejected_and_replaced() -> None:
    events = recorded_events("malformed")
    reasons = {event.agent: event.reasons for event in of(DraftRejected, events)}
    assert reasons == {"market_analyst": ("no_answer",), "optimizer": ("malformed",), "explainer": ("no_answer",)}
    assert {d.decision.agent: d.refused_calls for d in of(DecisionMade, events)}["risk_manager"] == 1
    assert ABSTAINED not in authors(events).values()


@pytest.mark.anyio
async def test_a_changed_request_is_a_cassette_miss_that_shows_the_difference(home, opened) -> None:
    async def run_changed_request() -> None:
        with play_cassette("optimization") as playing:
            request = playing.request.model_copy(update={"limits": playing.request.limits.model_copy()})
            limits = request.limits.model_validate({"max_drawdown": {"bound": 0.4}})
            async with opened(home, playing.models) as dependencies:
                changed = request.model_copy(update={"limits": limits})
                run = await create_run(dependencies, OWNER, changed, run_id=playing.run.run)
                with pytest.raises(CassetteMiss, match="max_drawdown"):
                    [event async for event in execute(dependencies, OWNER, run)]

    with pytest.raises(AssertionError, match="max_drawdown"):
        await run_changed_request()


def test_the_error_of_a_missing_recording_says_how_to_make_it() -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m api record -o .*nowhere.yaml"), play_cassette("nowhere"):
        pass
