"""Creates, edits, checks, submits and deletes drafts of jobs."""

import uuid
from collections.abc import Collection
from typing import Any

import structlog
from pydantic import JsonValue

from desk.base.errors import UserError
from desk.base.owners import register_owner
from desk.governance.principals import Principal
from desk.optimization.request import OptimizationRequest
from desk.runs import drafts
from desk.runs.drafts import Draft, DraftChanged, load_draft, save_draft
from desk.runs.repository import KIND as RUN
from desk.runs.repository import Run
from desk.runs.states import RunState, Transition
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue
from graphs.jobs.job_queue import submission_puts
from graphs.runs.approval import append_approval, submission_approval
from graphs.runs.creation import new_run, prepare_request
from store.errors import Conflict
from store.records import Key, Put


async def create_draft(dependencies: Dependencies, owner: str, request: dict[str, JsonValue]) -> Draft:
    """Save a request that may be incomplete; nothing of it is checked."""
    now = dependencies.now()
    draft = Draft(
        id=uuid.uuid4().hex,
        owner=owner,
        request=request,
        created_at=now,
        edited_at=now,
        history=(Transition(state="draft", at=now, by=owner),),
    )
    await register_owner(dependencies.store, owner)
    return await save_draft(dependencies.store, draft)


async def edit_draft(
    dependencies: Dependencies,
    owner: str,
    draft_id: str,
    request: dict[str, JsonValue],
    *,
    versions: Collection[int] | None = None,
) -> Draft:
    """Replace the request of a draft; `DraftChanged` unless its version is one of `versions`."""
    while True:
        draft = await load_draft(dependencies.store, owner, draft_id, versions=versions)
        try:
            return await save_draft(dependencies.store, draft.edited(request, at=dependencies.now(), by=owner))
        except Conflict:
            continue


async def delete_draft(
    dependencies: Dependencies, owner: str, draft_id: str, *, versions: Collection[int] | None = None
) -> None:
    """Delete a draft; `DraftChanged` unless its version is one of `versions`."""
    while True:
        draft = await load_draft(dependencies.store, owner, draft_id, versions=versions)
        try:
            return await drafts.delete_draft(dependencies.store, draft)
        except Conflict:
            continue


async def check_submission(dependencies: Dependencies, owner: str, request: OptimizationRequest) -> UserError | None:
    """The error that a submission of the request would raise now, if any."""
    try:
        await prepare_request(dependencies, owner, request)
    except UserError as error:
        return error
    return None


async def submit_draft(
    dependencies: Dependencies, draft: Draft, request: OptimizationRequest, *, launcher: Principal | None = None
) -> Run:
    """Turn the draft into a run of `request`, which was read from it, as `job_queue.submit` does.

    Submitting it twice returns the same run; `DraftChanged` if it was edited since it was loaded.
    """
    store, owner = dependencies.store, draft.owner
    run = await new_run(dependencies, owner, request, run_id=draft.id)
    now = dependencies.now()
    approval = None if dependencies.queue is None else submission_approval(dependencies, run, launcher)
    state: RunState = "queued" if approval is None else "waiting"
    history = draft.with_state(state, at=now, by=owner, reason="submitted").history
    run = run.model_copy(update={"state": state, "history": history, "created_at": draft.created_at})
    while True:
        puts: list[Put] = [run.put(0)]
        tickets: list[fair_queue.Ticket] = []
        if dependencies.queue is not None:
            puts, tickets = await submission_puts(dependencies, run, approval)
        puts.append(draft.removal())
        try:
            await store.records.put_many(puts)
        except Conflict:
            if (submitted_run := await submitted_draft(dependencies, owner, draft.id)) is not None:
                return submitted_run
            if (current := await load_draft(store, owner, draft.id)).version != draft.version:
                raise DraftChanged(draft.id, current.version) from None
            continue
        logger: Any = structlog.get_logger()
        logger.info("job_submitted", run=run.id)
        if dependencies.queue is not None:
            await fair_queue.send_tickets(store, dependencies.queue, owner, tickets)
        if approval is not None:
            await append_approval(dependencies, run, approval)
        return run


async def submitted_draft(dependencies: Dependencies, owner: str, draft_id: str) -> Run | None:
    """The run that the draft became; None if it was not submitted."""
    record = await dependencies.store.records.get(Key(owner, RUN, draft_id))
    return None if record is None else Run.model_validate(record.document)
