"""What a second person has to decide, and where that person finds it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from graphs import jobs
from graphs.desk import Desk
from graphs.holdout import NO_THRESHOLDS
from graphs.run_book import events_of, run_of
from graphs.runs import create_run, decide_approval, execute
from store.errors import Unanswered, Unavailable
from store.keys import SYSTEM
from store.records import Key, every
from tests.graphs.conftest import open_desk
from tests.graphs.queued import queued_desk
from tests.graphs.waiting import LOW
from tools.approval import AlreadyDecided, Asked, Decided, Subject, approval_of
from tools.context import Principal
from tools.errors import Conflicting, Forbidden, NotFound
from tools.questions import KEPT, KIND, Question, ask, filed_of, may_decide, question_page
from tools.roles import Role
from tools.trace import ApprovalDecided

ANNA, RUN = "anna", "done"
MONDAY = datetime.now(UTC)  # what expires is measured by the clock of the store
HOLDOUT = Asked(subject="holdout", estimate=None, exceeded=(), thresholds=NO_THRESHOLDS, at=MONDAY)

pytestmark = pytest.mark.anyio


def person(owner: str, role: Role, **changes: Any) -> Principal:
    return Principal(owner=owner, roles=(role,), **changes)


OFFICER = person("olga", "compliance-officer")


@asynccontextmanager
async def guarded(home: Path, **changes: Any) -> AsyncGenerator[Desk]:
    """A desk where people sign in."""
    async with open_desk(home) as desk:
        yield replace(desk, second_person=frozenset({"holdout"}), thresholds=LOW, now=lambda: MONDAY, **changes)


async def asked(desk: Desk, request: Any, run: str = RUN, owner: str = ANNA) -> Question:
    """The question about the holdout of a run."""
    await create_run(desk, owner, request, run_id=run)
    approval = await ask(desk.store, owner, run, run, HOLDOUT)
    return (await filed_of(desk.store, OFFICER, approval.question)).question


async def decided(desk: Desk, decider: Principal | None, verdict: Any = "approved", run: str = RUN) -> None:
    by = decider.owner if decider else "somebody"
    reason = "no" if verdict == "rejected" else ""
    ruling = Decided(verdict=verdict, reason=reason, by=by, at=MONDAY)
    await decide_approval(desk, ANNA, run, ruling, "holdout", decider=decider)


async def listed(desk: Desk, asking: Principal, limit: int = 100) -> list[str]:
    names, after = [], None
    while True:
        page, after = await question_page(desk.store, asking, desk.second_person, after=after, limit=limit)
        assert len(page) <= limit
        names += [filed.question.name for filed in page]
        if after is None:
            return names


def test_who_decides_what():
    signed_in: frozenset[Subject] = frozenset({"holdout"})
    alone: frozenset[Subject] = frozenset()
    deciders = {
        (role, subject, rule): may_decide(person(ANNA, role), owner, subject, second)
        for role in ("analyst", "portfolio-manager", "compliance-officer", "administrator")
        for subject in ("launch", "holdout")
        for rule, owner, second in (("own", ANNA, signed_in), ("another's", "ben", signed_in), ("alone", ANNA, alone))
    }
    assert {each for each, may in deciders.items() if may} == {
        *(("portfolio-manager", "launch", rule) for rule in ("own", "another's", "alone")),
        *(("administrator", "launch", rule) for rule in ("own", "another's", "alone")),
        *(
            (role, "holdout", rule)
            for role in ("compliance-officer", "administrator")
            for rule in ("another's", "alone")
        ),
    }


async def test_a_holdout_is_opened_by_a_second_person_and_nobody_else(home, small):
    async with guarded(home) as desk:
        question = await asked(desk, small())
        for nobody in (
            person(ANNA, "administrator"),
            person(ANNA, "compliance-officer", scopes=("compliance:write",), via="key:another"),
            person("ben", "portfolio-manager"),
            person("ben", "administrator", scopes=("launch:approve",)),
            None,
        ):
            for verdict in ("approved", "rejected"):
                with pytest.raises(Forbidden, match=f"waits for a second person.*{question.id}"):
                    await decided(desk, nobody, verdict)
        assert await approval_of(desk.store, ANNA, RUN, "holdout") == await ask(desk.store, ANNA, RUN, RUN, HOLDOUT)
        assert await events_of(desk.store, ANNA, RUN) == []

        await decided(desk, OFFICER)
        await decided(desk, OFFICER)
        with pytest.raises(AlreadyDecided):
            await decided(desk, OFFICER, "rejected")
        approval = await approval_of(desk.store, ANNA, RUN, "holdout")
        told = await events_of(desk.store, ANNA, RUN)
        closed = (await filed_of(desk.store, OFFICER, question.id)).question
    assert approval is not None
    assert approval.decided is not None
    assert isinstance(told[-1], ApprovalDecided)
    assert (approval.decided.by, approval.decided, closed.decided) == ("olga", told[-1].decided, approval.decided)
    assert RUN not in (question.id, closed.id)


async def test_what_waits_for_a_second_person_is_decided_where_people_sign_in_and_nowhere_else(home, small):
    async with guarded(home) as desk:
        await create_run(desk, ANNA, small(), run_id=RUN)
        question = (await ask(desk.store, ANNA, RUN, RUN, HOLDOUT, second_person=True)).question
    async with open_desk(home) as local:
        for decider in (None, person(ANNA, "administrator"), OFFICER):
            for verdict in ("approved", "rejected"):
                with pytest.raises(Forbidden, match=f"waits for a second person.*{question}.*--server"):
                    await decided(local, decider, verdict)
    async with guarded(home) as desk:
        await decided(desk, OFFICER)
    async with open_desk(home) as local:
        await decided(local, person(ANNA, "administrator"))
        with pytest.raises(AlreadyDecided):
            await decided(local, person(ANNA, "administrator"), "rejected")


async def test_of_two_second_persons_the_first_holds(home, small):
    async with guarded(home) as desk, guarded(home) as other:
        question = await asked(desk, small())
        outcomes = await asyncio.gather(
            decided(desk, OFFICER),
            decided(other, person("otto", "compliance-officer"), "rejected"),
            return_exceptions=True,
        )
        approval = await approval_of(desk.store, ANNA, RUN, "holdout")
        closed = (await filed_of(desk.store, OFFICER, question.id)).question
        assert await listed(desk, OFFICER) == []
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [AlreadyDecided]
    assert approval is not None
    assert closed.decided == approval.decided
    assert closed.decided is not None
    assert closed.decided.by == ("otto" if outcomes[0] else "olga")


async def test_everybody_finds_what_they_may_decide_page_by_page(home, small):
    launch = HOLDOUT.model_copy(update={"subject": "launch"})
    async with guarded(home) as desk:
        for run in ("first", "second", "third"):
            await asked(desk, small(), run)
            await ask(desk.store, ANNA, run, f"{run} launch", launch)
        await asked(desk, small(), "own", "olga")
        holdouts, launches = ["third", "second", "first"], ["third launch", "second launch", "first launch"]
        for limit in (1, 2, 100):
            assert await listed(desk, OFFICER, limit) == holdouts
            assert await listed(desk, person("ben", "portfolio-manager"), limit) == launches
            assert await listed(desk, person(ANNA, "administrator"), limit) == ["own", *launches]
            assert await listed(desk, person("ben", "analyst"), limit) == []
        question = (await question_page(desk.store, OFFICER, desk.second_person, after=None, limit=1))[0][0].question
        with pytest.raises(NotFound, match="there is no question"):
            await filed_of(desk.store, person("ben", "portfolio-manager"), question.id)


class Cut:
    """Records whose transactions are cut off, before or after they are done."""

    def __init__(self, records: Any, *, done: bool) -> None:
        self._records = records
        self._done = done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def put_many(self, puts: Any) -> Any:
        if not self._done:
            raise Unavailable("the wire is cut")
        await self._records.put_many(puts)
        raise Unanswered("the answer is lost")


@pytest.mark.parametrize("done", [False, True])
async def test_a_question_and_its_place_in_the_list_are_written_and_closed_together(home, small, done):
    async with guarded(home) as desk:
        await create_run(desk, ANNA, small(), run_id=RUN)
        whole = desk.store
        cut = replace(desk, store=replace(whole, records=Cut(whole.records, done=done)))
        with pytest.raises(Unavailable):
            await ask(cut.store, ANNA, RUN, RUN, HOLDOUT)
        approval = await approval_of(whole, ANNA, RUN, "holdout")
        assert [done] * 2 == [approval is not None, await listed(desk, OFFICER) == [RUN]]
        again = await ask(whole, ANNA, RUN, RUN, HOLDOUT)
        assert approval in (None, again)
        assert await listed(desk, OFFICER) == [RUN]

        with pytest.raises(Unavailable):
            await decided(cut, OFFICER)
        approval = await approval_of(whole, ANNA, RUN, "holdout")
        assert approval is not None
        assert [done] * 2 == [approval.decided is not None, await listed(desk, OFFICER) == []]
        await decided(desk, OFFICER)
        assert await listed(desk, OFFICER) == []
        assert len([record async for record in every(whole.records, SYSTEM, KIND)]) == 1


async def test_a_question_goes_with_its_run_and_comes_back_with_it(home, small):
    manager = person("ben", "portfolio-manager")
    rules: dict[str, Any] = {"second_person": frozenset({"holdout"}), "thresholds": LOW, "now": lambda: MONDAY}
    ruling = Decided(verdict="edited", trials=12, by="ben", at=MONDAY)
    async with queued_desk(home, **rules) as desk:
        run = (await jobs.submit(desk, ANNA, small(name="Dear"))).id
        async for _ in execute(desk, ANNA, run):
            pass
        assert (await run_of(desk.store, ANNA, run)).state == "waiting"
        assert await listed(desk, manager) == ["Dear"]
        own = ruling.model_copy(update={"by": ANNA})
        with pytest.raises(Forbidden, match="second person"):
            await decide_approval(desk, ANNA, run, own, decider=person(ANNA, "analyst"))

        await jobs.cancel(desk, ANNA, run, by=ANNA)
        assert await listed(desk, manager) == []
        approval = await approval_of(desk.store, ANNA, run)
        assert approval is not None
        assert (await filed_of(desk.store, manager, approval.question)).question.withdrawn
        with pytest.raises(Conflicting, match="was cancelled"):
            await decide_approval(desk, ANNA, run, ruling, decider=manager)

        await jobs.restart(desk, ANNA, run, by=ANNA)
        async for _ in execute(desk, ANNA, run):
            pass
        assert await listed(desk, manager) == ["Dear"]
        assert (await decide_approval(desk, ANNA, run, ruling, decider=manager)).request.trials == 12
        assert await listed(desk, manager) == []
        assert (await run_of(desk.store, ANNA, run)).state == "queued"


async def test_a_question_that_has_ended_is_gone_after_a_month(home, small):
    async with guarded(home) as desk:
        question = await asked(desk, small())
        long_ago = Decided(verdict="approved", by="olga", at=MONDAY - KEPT - timedelta(seconds=1))
        await decide_approval(desk, ANNA, RUN, long_ago, "holdout", decider=OFFICER)
        assert await desk.store.records.get(Key(SYSTEM, KIND, question.id)) is None
        with pytest.raises(NotFound):
            await filed_of(desk.store, OFFICER, question.id)
        await decide_approval(desk, ANNA, RUN, long_ago, "holdout", decider=OFFICER)
