"""Approvals by a second person, and the list in which that person finds them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desk.base.errors import Conflicting, Forbidden, NotFound
from desk.governance.approval_requests import (
    KIND,
    RETENTION,
    Question,
    load_question,
    may_decide,
    question_page,
    request_approval,
)
from desk.governance.approvals import AlreadyDecided, ApprovalDecision, ApprovalRequest, Subject, load_approval
from desk.governance.principals import Principal
from desk.governance.roles import Role
from desk.runs.events.approvals import ApprovalDecided
from desk.runs.repository import load_events, load_run
from graphs.dependencies import Dependencies
from graphs.jobs import job_queue
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from graphs.runs.holdout import NO_THRESHOLDS
from store.errors import OutcomeUnknown, Unavailable
from store.keys import SYSTEM
from store.records import Key, iterate_records
from tests.graphs.dependencies import open_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies
from tests.graphs.runs.approval_process import LOW

ANNA, RUN = "anna", "done"
MONDAY = datetime.now(UTC)  # the store's own clock decides about expiry
HOLDOUT = ApprovalRequest(subject="holdout", estimate=None, exceeded=(), thresholds=NO_THRESHOLDS, at=MONDAY)

pytestmark = pytest.mark.anyio


def person(owner: str, role: Role, **changes: Any) -> Principal:
    return Principal(owner=owner, roles=(role,), **changes)


OFFICER = person("olga", "compliance-officer")


@asynccontextmanager
async def guarded(home: Path, **changes: Any) -> AsyncGenerator[Dependencies]:
    """Dependencies with sign-in."""
    async with open_dependencies(home) as dependencies:
        yield replace(dependencies, second_person=frozenset({"holdout"}), thresholds=LOW, now=lambda: MONDAY, **changes)


async def asked(dependencies: Dependencies, request: Any, run: str = RUN, owner: str = ANNA) -> Question:
    """Request the approval of a run's holdout."""
    await create_run(dependencies, owner, request, run_id=run)
    approval = await request_approval(dependencies.store, owner, run, run, HOLDOUT)
    return (await load_question(dependencies.store, OFFICER, approval.question)).question


async def decided(
    dependencies: Dependencies, decider: Principal | None, verdict: Any = "approved", run: str = RUN
) -> None:
    by = decider.owner if decider else "somebody"
    reason = "no" if verdict == "rejected" else ""
    ruling = ApprovalDecision(verdict=verdict, reason=reason, by=by, at=MONDAY)
    await decide_approval(dependencies, ANNA, run, ruling, "holdout", decider=decider)


async def listed(dependencies: Dependencies, asking: Principal, limit: int = 100) -> list[str]:
    names, after = [], None
    while True:
        page, after = await question_page(
            dependencies.store, asking, dependencies.second_person, after=after, limit=limit
        )
        assert len(page) <= limit
        names += [entry.question.name for entry in page]
        if after is None:
            return names


def test_roles_determine_who_may_decide():
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


async def test_only_a_second_person_can_open_a_holdout(home, small):
    async with guarded(home) as dependencies:
        question = await asked(dependencies, small())
        for principal in (
            person(ANNA, "administrator"),
            person(ANNA, "compliance-officer", scopes=("compliance:write",), via="key:another"),
            person("ben", "portfolio-manager"),
            person("ben", "administrator", scopes=("launch:approve",)),
            None,
        ):
            for verdict in ("approved", "rejected"):
                with pytest.raises(Forbidden, match=f"waits for a second person.*{question.id}"):
                    await decided(dependencies, principal, verdict)
        assert await load_approval(dependencies.store, ANNA, RUN, "holdout") == await request_approval(
            dependencies.store, ANNA, RUN, RUN, HOLDOUT
        )
        assert await load_events(dependencies.store, ANNA, RUN) == []

        await decided(dependencies, OFFICER)
        await decided(dependencies, OFFICER)
        with pytest.raises(AlreadyDecided):
            await decided(dependencies, OFFICER, "rejected")
        approval = await load_approval(dependencies.store, ANNA, RUN, "holdout")
        events = await load_events(dependencies.store, ANNA, RUN)
        closed = (await load_question(dependencies.store, OFFICER, question.id)).question
    assert approval is not None
    assert approval.decided is not None
    assert isinstance(events[-1], ApprovalDecided)
    assert (approval.decided.by, approval.decided, closed.decided) == ("olga", events[-1].decided, approval.decided)
    assert RUN not in (question.id, closed.id)


async def test_a_second_persons_decision_requires_sign_in(home, small):
    async with guarded(home) as dependencies:
        await create_run(dependencies, ANNA, small(), run_id=RUN)
        question = (await request_approval(dependencies.store, ANNA, RUN, RUN, HOLDOUT, second_person=True)).question
    async with open_dependencies(home) as local:
        for decider in (None, person(ANNA, "administrator"), OFFICER):
            for verdict in ("approved", "rejected"):
                with pytest.raises(Forbidden, match=f"waits for a second person.*{question}.*--server"):
                    await decided(local, decider, verdict)
    async with guarded(home) as dependencies:
        await decided(dependencies, OFFICER)
    async with open_dependencies(home) as local:
        await decided(local, person(ANNA, "administrator"))
        with pytest.raises(AlreadyDecided):
            await decided(local, person(ANNA, "administrator"), "rejected")


async def test_the_first_of_two_second_persons_decides(home, small):
    async with guarded(home) as dependencies, guarded(home) as other:
        question = await asked(dependencies, small())
        outcomes = await asyncio.gather(
            decided(dependencies, OFFICER),
            decided(other, person("otto", "compliance-officer"), "rejected"),
            return_exceptions=True,
        )
        approval = await load_approval(dependencies.store, ANNA, RUN, "holdout")
        closed = (await load_question(dependencies.store, OFFICER, question.id)).question
        assert await listed(dependencies, OFFICER) == []
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [AlreadyDecided]
    assert approval is not None
    assert closed.decided == approval.decided
    assert closed.decided is not None
    assert closed.decided.by == ("otto" if outcomes[0] else "olga")


async def test_each_person_lists_the_approvals_they_may_decide(home, small):
    launch = HOLDOUT.model_copy(update={"subject": "launch"})
    async with guarded(home) as dependencies:
        for run in ("first", "second", "third"):
            await asked(dependencies, small(), run)
            await request_approval(dependencies.store, ANNA, run, f"{run} launch", launch)
        await asked(dependencies, small(), "own", "olga")
        holdouts, launches = ["third", "second", "first"], ["third launch", "second launch", "first launch"]
        for limit in (1, 2, 100):
            assert await listed(dependencies, OFFICER, limit) == holdouts
            assert await listed(dependencies, person("ben", "portfolio-manager"), limit) == launches
            assert await listed(dependencies, person(ANNA, "administrator"), limit) == ["own", *launches]
            assert await listed(dependencies, person("ben", "analyst"), limit) == []
        question = (await question_page(dependencies.store, OFFICER, dependencies.second_person, after=None, limit=1))[
            0
        ][0].question
        with pytest.raises(NotFound, match="does not exist"):
            await load_question(dependencies.store, person("ben", "portfolio-manager"), question.id)


class Cut:
    """Records whose transactions fail, before or after they are written."""

    def __init__(self, records: Any, *, done: bool) -> None:
        self._records = records
        self._done = done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def put_many(self, puts: Any) -> Any:
        if not self._done:
            raise Unavailable("the wire is cut")
        await self._records.put_many(puts)
        raise OutcomeUnknown("the answer is lost")


@pytest.mark.parametrize("done", [False, True])
async def test_an_approval_and_its_list_entry_are_written_atomically(home, small, done):
    async with guarded(home) as dependencies:
        await create_run(dependencies, ANNA, small(), run_id=RUN)
        whole = dependencies.store
        cut = replace(dependencies, store=replace(whole, records=Cut(whole.records, done=done)))
        with pytest.raises(Unavailable):
            await request_approval(cut.store, ANNA, RUN, RUN, HOLDOUT)
        approval = await load_approval(whole, ANNA, RUN, "holdout")
        assert [done] * 2 == [approval is not None, await listed(dependencies, OFFICER) == [RUN]]
        again = await request_approval(whole, ANNA, RUN, RUN, HOLDOUT)
        assert approval in (None, again)
        assert await listed(dependencies, OFFICER) == [RUN]

        with pytest.raises(Unavailable):
            await decided(cut, OFFICER)
        approval = await load_approval(whole, ANNA, RUN, "holdout")
        assert approval is not None
        assert [done] * 2 == [approval.decided is not None, await listed(dependencies, OFFICER) == []]
        await decided(dependencies, OFFICER)
        assert await listed(dependencies, OFFICER) == []
        assert len([record async for record in iterate_records(whole.records, SYSTEM, KIND)]) == 1


async def test_an_approval_is_archived_and_restored_with_its_run(home, small):
    manager = person("ben", "portfolio-manager")
    rules: dict[str, Any] = {"second_person": frozenset({"holdout"}), "thresholds": LOW, "now": lambda: MONDAY}
    ruling = ApprovalDecision(verdict="edited", trials=12, by="ben", at=MONDAY)
    async with queued_dependencies(home, **rules) as dependencies:
        run = (await job_queue.submit(dependencies, ANNA, small(name="Dear"))).id
        async for _ in execute(dependencies, ANNA, run):
            pass
        assert (await load_run(dependencies.store, ANNA, run)).state == "waiting"
        assert await listed(dependencies, manager) == ["Dear"]
        own = ruling.model_copy(update={"by": ANNA})
        with pytest.raises(Forbidden, match="second person"):
            await decide_approval(dependencies, ANNA, run, own, decider=person(ANNA, "analyst"))

        await job_queue.cancel(dependencies, ANNA, run, by=ANNA)
        assert await listed(dependencies, manager) == []
        approval = await load_approval(dependencies.store, ANNA, run)
        assert approval is not None
        assert (await load_question(dependencies.store, manager, approval.question)).question.withdrawn
        with pytest.raises(Conflicting, match="is cancelled"):
            await decide_approval(dependencies, ANNA, run, ruling, decider=manager)

        await job_queue.restart(dependencies, ANNA, run, by=ANNA)
        async for _ in execute(dependencies, ANNA, run):
            pass
        assert await listed(dependencies, manager) == ["Dear"]
        assert (await decide_approval(dependencies, ANNA, run, ruling, decider=manager)).request.trials == 12
        assert await listed(dependencies, manager) == []
        assert (await load_run(dependencies.store, ANNA, run)).state == "queued"


async def test_a_decided_approval_is_deleted_after_a_month(home, small):
    async with guarded(home) as dependencies:
        question = await asked(dependencies, small())
        long_ago = ApprovalDecision(verdict="approved", by="olga", at=MONDAY - RETENTION - timedelta(seconds=1))
        await decide_approval(dependencies, ANNA, RUN, long_ago, "holdout", decider=OFFICER)
        assert await dependencies.store.records.get(Key(SYSTEM, KIND, question.id)) is None
        with pytest.raises(NotFound):
            await load_question(dependencies.store, OFFICER, question.id)
        await decide_approval(dependencies, ANNA, RUN, long_ago, "holdout", decider=OFFICER)
