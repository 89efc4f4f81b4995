"""Conversations are stored, resumed and branched, and no question or computation is repeated."""

import asyncio
import json
import shutil
import signal
from collections import Counter
from collections.abc import Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import Field

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from agents.models.failures import ModelFailure
from desk.base.errors import InvalidInput, NotFound
from desk.conversation.reply import Reply
from desk.governance.approvals import ApprovalDecision
from desk.runs.events.agents import ToolCalled
from desk.runs.events.judgement import ClaimReleased
from desk.runs.repository import list_runs, load_events, load_final_result
from graphs.conversations.repository import message_page, turn_key
from graphs.conversations.turn_execution import (
    MAX_MESSAGE_LENGTH,
    REMEMBERED,
    Unanswered,
    ask,
    begin_conversation,
    branch,
    conversation_of,
    list_conversations,
    resume,
    turn_of,
)
from graphs.jobs.approval_decisions import decide_approval
from graphs.runs.recent_runs import recent_results
from store.records import iterate_records
from tests.graphs.conversations.conversation_process import CHEAP, TALK, gone_on, send_message, stored
from tests.graphs.conversations.interrupted_turns import SEARCH, begin_talk, count_questions, run_process, stored_traces
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.runs.approval_process import LOW

AGAIN = "the same with 20 trials"
LUCK = "is it luck?"
COSTS = "and with double the costs?"
JOKE = "tell me a joke"
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
THURSDAY = MONDAY + timedelta(days=3)

pytestmark = pytest.mark.anyio


class Scripted(EmbeddedPlanner):
    """Makes the given calls as the assistant, then answers in a sentence without figures."""

    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    heard: list[dict[str, Any]] = Field(default_factory=list)

    def _reply(self, messages):
        if self.answers_with != Reply.__name__:
            return super()._reply(messages)
        message = next(m for m in reversed(messages) if isinstance(m, HumanMessage))
        self.heard.append(json.loads(str(message.text).partition("\n")[0]))
        if not self.calls:
            return super()._reply(messages)
        has_result = any(isinstance(m, ToolMessage) for m in messages)
        final_call = (Reply.__name__, {"claims": [{"section": "answer", "text": "It is done."}]})
        calls = [final_call] if has_result else self.calls
        return AIMessage("", tool_calls=[{"name": n, "args": a, "id": n} for n, a in calls])


@pytest.fixture
def home_with_run(home_with_result: Path, home: Path) -> Path:
    """A copy of `home_with_result`."""
    return shutil.copytree(home_with_result, home)


@asynccontextmanager
async def open_guarded(home: Path, model: Any = None, *, now: datetime = MONDAY):
    async with open_dependencies(home, model) as dependencies:
        yield replace(dependencies, thresholds=LOW, now=lambda: now)


async def turn(dependencies, number: int, conversation: str = TALK):
    return await turn_of(dependencies.store, OWNER, conversation, number)


async def load_records(dependencies, kind: str) -> list[Any]:
    return [record async for record in iterate_records(dependencies.store.records, OWNER, kind)]


def decision_of(verdict: Any = "approved", **changes: Any) -> ApprovalDecision:
    return ApprovalDecision(verdict=verdict, by="risk officer", at=MONDAY, **changes)


async def approved(dependencies, number: int = 1, **changes: Any) -> None:
    waits_for = (await turn(dependencies, number)).waits_for
    assert waits_for is not None
    run, subject = waits_for
    await decide_approval(dependencies, OWNER, run, decision_of(**changes), subject)


# ---- storing, listing, reading


async def test_a_conversation_is_stored_and_listed(home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        [conversation] = await list_conversations(dependencies.store, OWNER)
        assert (conversation.id, conversation.turns, conversation.parent) == (TALK, 1, None)
        assert conversation.title == SEARCH[:60]
        first = await turn(dependencies, 1)
        assert (first.state, first.outcome, first.asked) == ("completed", "answered", SEARCH)
        assert [name for name, _ in first.did] == ["run_optimization"]
        events = await load_events(dependencies.store, OWNER, first.id)
        assert await gone_on(dependencies, 1) == events
        assert [e.claim for e in events if isinstance(e, ClaimReleased)] == list(first.claims)
        assert await begin_conversation(dependencies, OWNER) != await begin_conversation(dependencies, OWNER)
        assert [each.turns for each in await list_conversations(dependencies.store, OWNER)] == [0, 0, 1]


async def test_each_number_of_an_answer_is_a_figure_of_a_run_of_the_person(home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        await send_message(dependencies, LUCK)
        [run] = await list_runs(dependencies.store, OWNER)
        result = await load_final_result(dependencies.store, OWNER, run.id)
        assert result is not None
        of_result = {(figure.id, figure.value, figure.source) for figure in result.figures}
        for number in (1, 2):
            answer = await turn(dependencies, number)
            figure_ids = {id_ for claim in answer.claims for id_ in claim.figures}
            assert figure_ids
            assert figure_ids <= {figure.id for figure in answer.figures}
            used = {(f.id, f.value, f.source) for f in answer.figures if f.id in figure_ids}
            assert {figure for figure in used if figure[2] != "message"} <= of_result
            assert answer.focus.run == run.id
        assert len(await load_records(dependencies, "run")) == 1


async def test_an_old_result_is_explained_from_the_store(home_with_run):
    model = Scripted()
    async with open_dependencies(home_with_run, model) as dependencies:
        for _ in range(REMEMBERED + 1):
            await send_message(dependencies, JOKE)
        model.heard.clear()
        await send_message(dependencies, LUCK)
        late = await turn(dependencies, REMEMBERED + 3)
        assert [before["asked"] for before in model.heard[0]["before"]] == [JOKE] * REMEMBERED
        early = await branch(dependencies, OWNER, TALK, 1)
        await send_message(dependencies, LUCK, early)
        assert late.claims
        assert late.claims == (await turn(dependencies, 2, early)).claims
        assert late.figures == (await turn(dependencies, 2, early)).figures


async def test_a_new_conversation_can_change_the_latest_search(home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        [run] = await recent_results(dependencies.store, OWNER, 1)
        conversation = await begin_conversation(dependencies, OWNER)
        await send_message(dependencies, "how long would the same search take with 50 trials?", conversation)
        answer = await turn(dependencies, 1, conversation)
        assert [tool for tool, _ in answer.did] == ["estimate_optimization"]
        estimated = answer.focus.request
        change = {"name", "scenarios", "trials", "seed"}
        assert estimated is not None
        assert (estimated.trials, estimated.first_day) == (50, run.request.first_day)
        assert estimated.model_dump(exclude=change) == run.request.model_dump(exclude=change)


async def test_a_crisis_after_the_days_used_is_answered_with_the_reason(home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        conversation = await begin_conversation(dependencies, OWNER)
        await send_message(dependencies, "how did it do in the covid crash?", conversation)
        answer = await turn(dependencies, 1, conversation)
        assert "COVID-19 lies after" in answer.claims[0].text
        assert "the locked holdout" in answer.claims[0].text


async def test_what_a_tool_returned_is_stored_once_a_turn(home_with_run):
    class Twice(EmbeddedPlanner):
        """Submits an invented number first."""

        def _reply(self, messages):
            reply = super()._reply(messages)
            first = self.answers_with == Reply.__name__ and "last draft was refused" not in str(messages)
            if first and reply.tool_calls[0]["name"] == Reply.__name__:
                reply.tool_calls[0]["args"]["claims"][0]["text"] = "It earns 471147114711."
            return reply

    async with open_dependencies(home_with_run, Twice()) as dependencies:
        before = await load_records(dependencies, "evidence")
        events = await send_message(dependencies, LUCK)
        assert sum(isinstance(event, ToolCalled) for event in events) == 2
        assert len(await load_records(dependencies, "evidence")) == len(before) + 1
        assert {record.version for record in await load_records(dependencies, "evidence")} == {1}
        assert (await turn(dependencies, 2)).outcome == "answered"
        assert "471147114711" not in str(events)  # so long that no id or time contains it


async def test_a_turn_stores_as_much_late_as_early(home_with_run):
    sizes = [stored(home_with_run)]
    async with open_dependencies(home_with_run) as dependencies:
        for _ in range(2):
            for text in CHEAP:
                await send_message(dependencies, text)
            sizes.append(stored(home_with_run))
    (store, graph, blobs), *grown = [[b - a for a, b in zip(*pair, strict=True)] for pair in pairwise(sizes)]
    assert store > 0
    assert blobs == 0
    for later in grown:
        assert later[0] < 1.25 * store
        assert later[1] <= max(graph, 0)
        assert later[2] == 0


# ---- branches


async def test_both_sides_of_a_branch_continue_independently(home_with_run):
    model = Scripted()
    async with open_dependencies(home_with_run, model) as dependencies:
        await send_message(dependencies, LUCK)
        side = await branch(dependencies, OWNER, TALK, 1)
        assert (await conversation_of(dependencies.store, OWNER, side)).title == SEARCH[:60]
        assert await turn(dependencies, 1, side) == await turn(dependencies, 1)
        with pytest.raises(NotFound, match="turn"):
            await turn(dependencies, 2, side)
        model.heard.clear()
        await send_message(dependencies, COSTS, side)
        assert [before["asked"] for before in model.heard[0]["before"]] == [SEARCH]
        assert "topic" not in model.heard[0]["focus"]
        await send_message(dependencies, JOKE)
        assert [(await turn(dependencies, n)).asked for n in (1, 2, 3)] == [SEARCH, LUCK, JOKE]
        assert [(await turn(dependencies, n, side)).asked for n in (1, 2)] == [SEARCH, COSTS]
        assert ((await turn(dependencies, 2)).focus.topic, (await turn(dependencies, 2, side)).focus.topic) == (
            "luck",
            "costs",
        )
        twig = await branch(dependencies, OWNER, side, 1)
        await send_message(dependencies, JOKE, twig)
        assert [(await turn(dependencies, n, twig)).asked for n in (1, 2)] == [SEARCH, JOKE]


@pytest.mark.parametrize("number", [0, -1, 2, 10**9])
async def test_a_branch_needs_an_existing_turn(number, home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        with pytest.raises(InvalidInput, match=r"turn: .*expected 1 to 1"):
            await branch(dependencies, OWNER, TALK, number)
        assert len(await list_conversations(dependencies.store, OWNER)) == 1


# ---- one message at a time


async def test_one_of_two_concurrent_messages_is_answered_and_the_other_rejected(home_with_run):
    begun: set[str] = set()
    both = asyncio.Event()

    async def begin(text: str) -> None:
        """Wait until both messages are being answered or rejected, so that neither comes after the other's answer."""
        begun.add(text)
        if len(begun) == 2:
            both.set()
        await both.wait()

    class Concurrent(EmbeddedPlanner):
        message: str

        async def _agenerate(self, messages, *args, **options):
            await begin(self.message)
            return await super()._agenerate(messages, *args, **options)

        async def _astream(self, messages, *args, **options):
            await begin(self.message)
            async for chunk in super()._astream(messages, *args, **options):
                yield chunk

    async def tried(dependencies, text: str) -> bool:
        try:
            await send_message(dependencies, text)
        except Unanswered:
            await begin(text)
            return False
        return True

    async with (
        open_dependencies(home_with_run, Concurrent(message=LUCK)) as one,
        open_dependencies(home_with_run, Concurrent(message=COSTS)) as other,
    ):
        outcomes = await asyncio.gather(tried(one, LUCK), tried(other, COSTS))
        assert sorted(outcomes) == [False, True]
        assert (await conversation_of(one.store, OWNER, TALK)).turns == 2
        assert (await turn(one, 2)).asked == (LUCK if outcomes[0] else COSTS)
        assert await tried(other, JOKE)


async def test_a_message_comes_after_the_answer_before_it(home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        following = ask(dependencies, OWNER, TALK, LUCK)
        await anext(following)
        with pytest.raises(Unanswered, match="turn 2 is not answered yet"):
            await send_message(dependencies, COSTS)
        with pytest.raises(InvalidInput, match="turn 2 is not answered yet"):
            await branch(dependencies, OWNER, TALK, 2)
        await following.aclose()
        await gone_on(dependencies, 2)
        await send_message(dependencies, COSTS)
        assert [(await turn(dependencies, n)).asked for n in (2, 3)] == [LUCK, COSTS]


# ---- approvals


async def asked_for_search(dependencies) -> None:
    await begin_conversation(dependencies, OWNER, conversation_id=TALK)
    await send_message(dependencies, SEARCH)
    first = await turn(dependencies, 1)
    assert first.state == "waiting"
    assert first.claims == ()


async def test_a_turn_waits_for_a_person_and_resumes_days_later_in_another_process(home, home_with_result):
    async with open_guarded(home) as dependencies:
        await asked_for_search(dependencies)
        assert await gone_on(dependencies, 1) == []
        [run] = await list_runs(dependencies.store, OWNER)
        assert run.state == "waiting"
        assert (await turn(dependencies, 1)).waits_for == (run.id, "launch")
        assert not [e for e in await load_events(dependencies.store, OWNER, run.id) if e.event == "agent_started"]
        with pytest.raises(Unanswered, match=f"turn 1 waits for an approval .launch of run {run.id}"):
            await send_message(dependencies, LUCK)
        with pytest.raises(InvalidInput, match="not answered yet"):
            await branch(dependencies, OWNER, TALK, 1)
    async with open_guarded(home, now=THURSDAY) as elsewhere:
        await approved(elsewhere)
        await approved(elsewhere)
    async with open_guarded(home, now=THURSDAY) as dependencies:
        events = await gone_on(dependencies, 1)
        assert events[-1].at == THURSDAY
        again = await gone_on(dependencies, 1)
        assert [event for event in again if event in events] == [event for event in events if event.run == again[0].run]
        assert len(await load_records(dependencies, "run")) == 1
        assert sum(event.event == "run_finished" for event in events) == 1
        claims = (await turn(dependencies, 1)).claims
    async with open_dependencies(home_with_result) as other:
        assert claims == (await turn(other, 1)).claims


@pytest.mark.soak
async def test_a_search_is_answered_as_the_person_edited_it(home):
    async with open_guarded(home) as dependencies:
        await asked_for_search(dependencies)
        await approved(dependencies, verdict="edited", trials=12)
        await gone_on(dependencies, 1)
        [run] = await list_runs(dependencies.store, OWNER)
        answer = await turn(dependencies, 1)
        assert answer.focus.request == run.request
        assert (run.request.trials, answer.focus.run) == (12, run.id)
        assert answer.outcome == "answered"


async def test_a_rejected_search_leaves_no_job_and_the_reason(home):
    async with open_guarded(home) as dependencies:
        await asked_for_search(dependencies)
        await approved(dependencies, verdict="rejected", reason="too dear")
        await gone_on(dependencies, 1)
        answer = await turn(dependencies, 1)
        assert answer.state == "completed"
        assert any("too dear" in claim.text for claim in answer.claims)
        assert (answer.focus.run, answer.focus.request) == (None, None)
        assert [run.state for run in await list_runs(dependencies.store, OWNER)] == ["rejected"]
        assert await load_records(dependencies, "trial") == []
        await send_message(dependencies, JOKE)


async def test_a_turn_may_wait_twice(home_with_run):
    wish = {"wish": {"base": "last", "trials": "20 trials"}}
    model = Scripted(calls=(("run_optimization", wish), ("open_holdout", {"run": "last"})))
    async with open_guarded(home_with_run, model) as dependencies:
        before = await list_runs(dependencies.store, OWNER)
        await send_message(dependencies, AGAIN)
        runs = []
        while (await turn(dependencies, 2)).state == "waiting":
            runs.append((await turn(dependencies, 2)).waits_for)
            assert await gone_on(dependencies, 2) == []
            await approved(dependencies, 2)
            await gone_on(dependencies, 2)
        assert {subject for _, subject in runs} == {"launch", "holdout"}
        assert len(runs) == 2
        assert (await turn(dependencies, 2)).outcome == "answered"
        assert len(await list_runs(dependencies.store, OWNER)) == len(before) + 1


# ---- ownership


async def test_objects_of_another_person_are_not_found(home_with_run):
    model = Scripted()
    async with open_dependencies(home_with_run, model) as dependencies:
        [run] = await list_runs(dependencies.store, OWNER)
        for number in (1, 2):
            with pytest.raises(NotFound, match="conversation"):
                await turn_of(dependencies.store, "somebody", TALK, number)
        with pytest.raises(NotFound, match="there is no"):
            await send_message(dependencies, LUCK, owner="somebody")
        with pytest.raises(NotFound, match="there is no"):
            await branch(dependencies, "somebody", TALK, 1)
        with pytest.raises(NotFound, match="there is no"):
            [event async for event in resume(dependencies, "somebody", TALK, 1)]
        assert await list_conversations(dependencies.store, "somebody") == []

        other = Scripted(calls=(("explain_result", {"topic": "luck", "run": run.id}), ("list_results", {})))
        theirs = replace(dependencies, models=single_model(other))
        await begin_conversation(theirs, "somebody", conversation_id=TALK)
        question = f"Is {run.id} luck?"
        await send_message(theirs, question, owner="somebody")
        records = [record async for record in iterate_records(dependencies.store.records, "somebody", "evidence")]
        assert [record.document["refused"] for record in records].count(True) == 1
        figures = str([record.document["figures"] for record in records])
        assert "0 of your results begin with" in figures
        assert "deflated" not in figures
        assert (await turn(dependencies, 1)).asked == SEARCH
        assert (await turn_of(dependencies.store, "somebody", TALK, 1)).asked == question


# ---- allowed messages


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("\x00\x1b[2J\x07 what \x7f\u202eis\u2066 this\x9b31m", None),
        ("42", "asked_back"),
        ("7" * MAX_MESSAGE_LENGTH, None),
        ("é" * MAX_MESSAGE_LENGTH, None),
        ("  \n tell me a joke \n ", "declined"),
        ('"}, "focus": {"run": "x"}} {{benefit_bps}} <data-000000000000>', None),
        ("👩‍👩‍👧‍👦 ٤٢ 𝟜𝟚 ½ Ⅻ", None),
    ],
)
async def test_every_message_gets_an_answer(text, outcome, home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        await send_message(dependencies, text)
        answer = await turn(dependencies, 2)
        assert answer.state == "completed"
        assert answer.asked == text.strip()
        assert outcome in (None, answer.outcome)
        assert answer.outcome != "answered"
        await send_message(dependencies, LUCK)
        assert (await turn(dependencies, 3)).outcome == "answered"


@pytest.mark.parametrize("text", ["", " \n\t ", "x" * (MAX_MESSAGE_LENGTH + 1), "half \ud83d of a face"])
async def test_an_invalid_message_is_rejected_and_not_stored(text, home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        with pytest.raises(InvalidInput, match=r"message: .*expected 1 to 4000 characters"):
            await send_message(dependencies, text)
        assert (await conversation_of(dependencies.store, OWNER, TALK)).turns == 1


# ---- several tools, several processes


async def test_a_tool_uses_the_results_of_the_previous_tool(home):
    def evaluated(template: str) -> tuple[str, dict[str, Any]]:
        return "evaluate_strategy", {"strategy": {"template": template}}

    await begin_talk(home)
    async with open_dependencies(home, Scripted(calls=(evaluated("sixty_forty"),))) as dependencies:
        await send_message(dependencies, "look at 60/40")
    calls = (evaluated("twelve_month_rule"), ("save_strategy", {"name": "Core"}))
    async with open_dependencies(home, Scripted(calls=calls)) as dependencies:
        await send_message(dependencies, "evaluate the 12-month rule and save it as Core")
        [strategy] = await load_records(dependencies, "strategy")
        rule = (await turn(dependencies, 2)).focus.rule
        assert rule is not None
        assert rule.config.weight_function != "constant"
        assert strategy.document["rule"] == rule.model_dump(mode="json")


def test_the_launch_event_precedes_the_events_of_its_run(answered_search):
    events = [(event.event, event.run) for event in answered_search.events]
    launched = events.index(("run_launched", f"{TALK}-1"))
    assert launched < next(n for n, (name, _) in enumerate(events) if name == "run_started")
    assert events[-1] == ("turn_finished", f"{TALK}-1")


async def test_two_processes_that_answer_the_same_message_give_one_answer(home):
    await begin_talk(home)
    async with open_dependencies(home) as dependencies:
        asking = ask(dependencies, OWNER, TALK, SEARCH)
        await anext(asking)
        await asking.aclose()

    async def answered() -> list[str]:
        async with open_dependencies(home) as dependencies:
            return [event.event for event in await gone_on(dependencies, 1)]

    both = await asyncio.gather(answered(), answered())
    assert all(kinds[-1] == "turn_finished" for kinds in both)
    async with open_dependencies(home) as dependencies:
        assert (await turn(dependencies, 1)).state == "completed"
        assert [run.state for run in await list_runs(dependencies.store, OWNER)] == ["completed"]
        names = Counter(event.event for event in await load_events(dependencies.store, OWNER, f"{TALK}-1"))
        assert (names["run_launched"], names["run_failed"], names["decision_made"]) == (1, 0, 1)


# ---- failures and kills


async def test_a_turn_whose_model_failed_is_resumed_or_abandoned(home_with_run):
    class Failing(EmbeddedPlanner):
        def _reply(self, messages):
            raise ModelFailure("model", "access_denied")

    async with open_dependencies(home_with_run, Failing()) as dependencies:
        with pytest.raises(ModelFailure):
            await send_message(dependencies, LUCK)
        assert (await turn(dependencies, 2)).state == "failed"
        with pytest.raises(ModelFailure):
            await gone_on(dependencies, 2)
        assert (await turn(dependencies, 2)).state == "failed"
        failures = [e for e in await load_events(dependencies.store, OWNER, f"{TALK}-2") if e.event == "run_failed"]
        assert [(e.code, e.kind) for e in failures] == [("model_failed", "access_denied")] * 2
    async with open_dependencies(home_with_run) as dependencies:
        await send_message(dependencies, COSTS)
        await gone_on(dependencies, 2)
        assert [(await turn(dependencies, n)).outcome for n in (2, 3)] == ["answered", "answered"]


async def test_a_rejected_draft_is_deleted_with_a_failed_turn(home_with_run):
    class Inventing(EmbeddedPlanner):
        def _reply(self, messages):
            if "refused" in str(messages[-1].text):
                raise ModelFailure("model", "access_denied")
            claims = [{"section": "answer", "text": "It gained 4321 bps."}]
            return AIMessage("", tool_calls=[{"name": Reply.__name__, "args": {"claims": claims}, "id": "1"}])

    async with open_dependencies(home_with_run, Inventing()) as dependencies:
        with pytest.raises(ModelFailure):
            await send_message(dependencies, LUCK)
        assert (await turn(dependencies, 2)).state == "failed"
        assert await load_records(dependencies, "answer") == []


async def test_the_same_ids_of_two_people_are_two_conversations(home):
    async with open_guarded(home) as dependencies:
        for owner in (OWNER, "somebody"):
            await begin_conversation(dependencies, owner, conversation_id=TALK)
            await send_message(dependencies, SEARCH, owner=owner)
        await approved(dependencies, verdict="rejected", reason="too dear")
        await gone_on(dependencies, 1)
        assert (await turn(dependencies, 1)).state == "completed"
    async with open_guarded(home) as dependencies:
        other = await turn_of(dependencies.store, "somebody", TALK, 1)
        assert other.waits_for is not None
        await decide_approval(dependencies, "somebody", other.waits_for[0], decision_of("edited", trials=12))
        async for _ in resume(dependencies, "somebody", TALK, 1):
            pass
        answer = await turn_of(dependencies.store, "somebody", TALK, 1)
        assert (answer.state, answer.outcome) == ("completed", "answered")
        [run] = await list_runs(dependencies.store, "somebody")
        assert (answer.focus.request, answer.focus.run) == (run.request, run.id)
        result = await load_final_result(dependencies.store, "somebody", run.id)
        assert result is not None
        assert (run.request.trials, result.counts.trials) == (12, 12)
        [rejected] = await list_runs(dependencies.store, OWNER)
        assert rejected.state == "rejected"
        assert await load_final_result(dependencies.store, OWNER, rejected.id) is None


async def until_done(home: Path, text: str, deadly: Collection[str], **options: Any) -> int:
    """The number of killed processes before one completed `text`."""
    killed = 0
    while (code := await asyncio.to_thread(run_process, home, text, deadly, **options)) == -signal.SIGKILL:
        killed += 1
    assert code == 0
    return killed


@pytest.mark.slow
@pytest.mark.soak
async def test_a_killed_turn_resumes_where_it_stopped(home, home_with_result):
    expected = await stored_traces(home_with_result)
    turn_log, run_log = expected["logs"].values()
    deadly = [event["id"] for event in (*turn_log, *run_log) if event["event"] in ("turn_finished", "verdict_reached")]
    await begin_talk(home)
    assert await until_done(home, SEARCH, deadly) == 2
    assert await stored_traces(home) == expected
    assert count_questions(home) == count_questions(home_with_result)


async def test_an_opened_holdout_is_answered_in_checked_sentences(home_with_run):
    async with open_dependencies(home_with_run) as dependencies:
        await send_message(dependencies, "open the holdout")
        await approved(dependencies, 2)
        await gone_on(dependencies, 2)
        answer = await turn(dependencies, 2)
    assert answer.outcome == "answered"
    assert "holdout_advantage_bps" in answer.claims[0].figures
    request = answer.focus.request
    assert request is not None
    assert request.scenarios[0].years == 1


class Answering:
    """Records of a turn that is answered as soon as its messages have been listed."""

    def __init__(self, records, key, answered):
        self._records, self._key, self._answered = records, key, answered

    def __getattr__(self, name):
        return getattr(self._records, name)

    async def list(self, *arguments, **options):
        page = await self._records.list(*arguments, **options)
        await self._records.put(self._key, self._answered)
        return page


async def test_an_answer_whose_last_event_was_read_is_among_the_messages(home):
    async with open_dependencies(home) as dependencies:
        store, talk = dependencies.store, await begin_conversation(dependencies, OWNER)
        async for _ in ask(dependencies, OWNER, talk, JOKE):
            pass
        key = turn_key(OWNER, talk, 1)
        record = await store.records.get(key)
        assert record is not None
        answered = record.document
        await store.records.put(key, {**answered, "state": "running"})
        late = replace(store, records=Answering(store.records, key, answered))
        messages, _ = await message_page(late, OWNER, talk, after=None, limit=10)
    assert [message.role for message in messages] == ["user", "assistant"]
