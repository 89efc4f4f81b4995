"""Each stored recording replays to its trace and shows the behaviour that it was made for."""

from collections import Counter
from collections.abc import Sequence

import pytest

from agents.recording.cassette import Cassette
from agents.recording.player import CassetteMiss, Player
from api.recording.recorded_runs import label_of, replay
from api.settings import read_settings
from desk.runs.events.agents import DecisionMade, DraftRejected
from desk.runs.events.models import ModelAnswered, ModelReplaced, ModelRetried
from desk.runs.repository import load_final_result
from graphs.agent_decisions import ABSTAINED
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.cassette_playback import CASSETTES, PlayedCassette, play_cassette
from tests.doubles.bedrock.recordings import RECORDINGS

OWNER = "local"

pytestmark = pytest.mark.anyio


@pytest.fixture
def replay_run(home, opened, cassette: PlayedCassette):
    """Executes the recorded run again; returns its events and its result."""

    async def replay_run():
        async with opened(home, cassette.models) as dependencies:
            run = await create_run(dependencies, OWNER, cassette.request, run_id=cassette.run.run)
            events = [event async for event in execute(dependencies, OWNER, run)]
            return events, await load_final_result(dependencies.store, OWNER, run)

    return replay_run


def of(kind: type, events: Sequence) -> list:
    return [event for event in events if isinstance(event, kind)]


def authors(events: Sequence) -> dict[str, str]:
    return {event.decision.agent: event.decision.author for event in of(DecisionMade, events)}


@pytest.mark.parametrize("name", [path.stem for path in sorted(CASSETTES.glob("*.yaml"))])
async def test_every_cassette_replays_to_its_trace(name: str) -> None:
    path = CASSETTES / f"{name}.yaml"
    cassette = Cassette.load(path)
    result = await replay(Player(cassette), label_of(cassette, path), settings=read_settings())
    assert result.differences == (), "after a change of prompts, tools or figures: make cassettes"
    assert result.calls == len(cassette.interactions)
    assert result.attempts == 0


def test_each_recording_of_the_double_ships() -> None:
    shipped = {path.stem: label_of(Cassette.load(path), path) for path in CASSETTES.glob("*.yaml")}
    for name, recording in RECORDINGS.items():
        assert shipped[name].made_by
        assert shipped[name].scripted == recording.scripted
        assert [run.request or run.messages for run in shipped[name].runs] == list(recording.scripts)


@pytest.mark.cassette("optimization")
async def test_a_run_on_bedrock_ends_as_the_run_of_the_embedded_planner(home, opened, cassette, replay_run) -> None:
    events, result = await replay_run()
    async with opened(home / "embedded") as dependencies:
        run = await create_run(dependencies, OWNER, cassette.request)
        embedded = [event async for event in execute(dependencies, OWNER, run)]
        same = await load_final_result(dependencies.store, OWNER, run)
    assert same is not None
    assert same.explanation is not None
    assert [call.stop for call in of(ModelAnswered, events)] == ["answered"] * len(of(ModelAnswered, embedded))
    assert all(call.output_tokens > 0 for call in of(ModelAnswered, events))
    assert sum(call.cached_tokens for call in of(ModelAnswered, events)) > 0
    assert result.verdict == same.verdict
    assert [claim.text for claim in result.explanation.claims] == [claim.text for claim in same.explanation.claims]


@pytest.mark.cassette("throttled")
async def test_throttled_calls_are_retried_and_reported(replay_run) -> None:
    events, result = await replay_run()
    retries = Counter((event.agent, event.reason) for event in of(ModelRetried, events))
    assert retries == {
        ("risk_manager", "throttled"): 5,
        ("market_analyst", "throttled"): 5,
        ("optimizer", "throttled"): 5,
        ("explainer", "throttled"): 2,
        ("explainer", "unavailable"): 3,
    }
    assert ABSTAINED not in authors(events).values()
    assert result.explanation.author != "template"


@pytest.mark.cassette("fallback")
async def test_the_second_model_answers_for_the_first(cassette, replay_run) -> None:
    events, result = await replay_run()
    [second] = cassette.label.models.fallbacks
    assert {event.by for event in of(ModelReplaced, events)} == {second}
    assert {event.reason for event in of(ModelReplaced, events)} == {"access_denied"}
    assert set(authors(events).values()) == {second} == {result.explanation.author}


@pytest.mark.cassette("guardrail")
async def test_a_guardrail_ends_in_an_abstention(replay_run) -> None:
    events, result = await replay_run()
    assert [event.reasons for event in of(DraftRejected, events)] == [("blocked",)]
    assert authors(events)["explainer"] == ABSTAINED
    assert result.explanation.author == "template"
    assert any("explainer gave no answer" in caveat for caveat in result.caveats)


@pytest.mark.cassette("malformed")
async def test_malformed_answers_are_rejected_and_replaced(replay_run) -> None:
    events, _ = await replay_run()
    reasons = {event.agent: event.reasons for event in of(DraftRejected, events)}
    assert reasons == {"market_analyst": ("no_answer",), "optimizer": ("malformed",), "explainer": ("no_answer",)}
    assert {d.decision.agent: d.refused_calls for d in of(DecisionMade, events)}["risk_manager"] == 1
    assert ABSTAINED not in authors(events).values()


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


async def test_the_error_of_a_missing_recording_says_how_to_make_it() -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m api record -o .*nowhere.yaml"), play_cassette("nowhere"):
        pass
