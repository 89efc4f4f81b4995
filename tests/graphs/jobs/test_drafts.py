"""Drafts of jobs: saved without checks, edited, submitted once, deleted."""

import asyncio
from datetime import timedelta

import pytest

from desk.base.clock import utc_now
from desk.base.errors import InvalidInput
from desk.runs.drafts import DraftChanged, NoSuchDraft, load_draft
from desk.runs.repository import list_runs, load_run
from graphs.jobs import drafts, job_queue
from tests.graphs.dependencies import OWNER
from tests.graphs.jobs.queued_runs import fake, queued_dependencies, until_state, working

pytestmark = pytest.mark.anyio
HALF = {"name": "Half", "trials": None, "space": ["no", {"such": "field"}]}


async def test_a_draft_holds_any_fields_and_is_no_run(home):
    async with queued_dependencies(home) as dependencies:
        draft = await drafts.create_draft(dependencies, OWNER, HALF)
        assert (await load_draft(dependencies.store, OWNER, draft.id)).request == HALF
        assert [move.state for move in draft.history] == ["draft"]
        assert await list_runs(dependencies.store, OWNER) == []
        edited = await drafts.edit_draft(dependencies, OWNER, draft.id, {"trials": 10}, versions=[draft.version])
        assert (edited.request, edited.version, edited.history) == ({"trials": 10}, draft.version + 1, draft.history)
        with pytest.raises(DraftChanged):
            await drafts.edit_draft(dependencies, OWNER, draft.id, HALF, versions=[draft.version])
        with pytest.raises(NoSuchDraft):
            await load_draft(dependencies.store, "other", draft.id)
        await drafts.delete_draft(dependencies, OWNER, draft.id)
        with pytest.raises(NoSuchDraft):
            await drafts.edit_draft(dependencies, OWNER, draft.id, HALF)


async def test_a_submitted_draft_is_a_queued_run_with_its_id_and_history(home, small):
    async with queued_dependencies(home) as dependencies:
        request = small(name="From a draft")
        draft = await drafts.create_draft(dependencies, OWNER, request.model_dump(mode="json"))
        run = await drafts.submit_draft(dependencies, draft, request)
        assert (run.id, run.state, [move.state for move in run.history]) == (draft.id, "queued", ["draft", "queued"])
        submission = run.history[-1]
        assert (submission.by, submission.reason) == (OWNER, "submitted")
        assert await load_run(dependencies.store, OWNER, run.id) == run
        direct = await job_queue.submit(dependencies, OWNER, request)
        assert run.request.content_digest() == direct.request.content_digest()
        with pytest.raises(NoSuchDraft):
            await load_draft(dependencies.store, OWNER, draft.id)
        async with working(dependencies, execution=fake(home)):
            await until_state(dependencies, run.id, "completed")


async def test_a_draft_is_submitted_once_even_concurrently(home, small):
    async with queued_dependencies(home) as dependencies, queued_dependencies(home) as other:
        draft = await drafts.create_draft(dependencies, OWNER, {})
        submissions = [drafts.submit_draft(each, draft, small()) for each in (dependencies, other) * 3]
        runs = await asyncio.gather(*submissions)
        assert {run.id for run in runs} == {draft.id}
        assert len(await list_runs(dependencies.store, OWNER)) == 1
        assert await job_queue.queue_of(dependencies).depth() == 1


async def test_a_draft_that_was_edited_after_it_was_read_is_not_submitted(home, small):
    async with queued_dependencies(home) as dependencies:
        draft = await drafts.create_draft(dependencies, OWNER, {})
        await drafts.edit_draft(dependencies, OWNER, draft.id, HALF)
        with pytest.raises(DraftChanged):
            await drafts.submit_draft(dependencies, draft, small())
        assert await list_runs(dependencies.store, OWNER) == []
        assert await job_queue.queue_of(dependencies).depth() == 0


async def test_a_submission_that_the_prices_cannot_serve_leaves_the_draft(home, small):
    async with queued_dependencies(home) as dependencies:
        draft = await drafts.create_draft(dependencies, OWNER, {})
        request = small(universe="no_such_universe")
        error = await drafts.check_submission(dependencies, OWNER, request)
        with pytest.raises(InvalidInput) as refusal:
            await drafts.submit_draft(dependencies, draft, request)
        assert str(error) == str(refusal.value)
        assert await load_draft(dependencies.store, OWNER, draft.id) == draft
        assert await list_runs(dependencies.store, OWNER) == []
        assert await drafts.check_submission(dependencies, OWNER, small()) is None


async def test_a_submitted_draft_keeps_the_time_at_which_it_was_created(home, small):
    async with queued_dependencies(home, now=lambda: utc_now() - timedelta(days=2)) as earlier:
        draft = await drafts.create_draft(earlier, OWNER, {})
    async with queued_dependencies(home) as dependencies:
        run = await drafts.submit_draft(dependencies, draft, small())
    assert run.created_at == draft.created_at == run.history[0].at
    assert run.updated_at > draft.created_at + timedelta(days=1)
