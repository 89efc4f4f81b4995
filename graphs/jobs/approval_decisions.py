"""Records a person's decision about a run and updates the run's state."""

from desk.base.errors import InvalidInput
from desk.governance import approval_requests, approvals
from desk.governance.approvals import Subject, load_approval
from desk.governance.principals import Principal
from desk.governance.roles import ROLES
from desk.optimization.approved_request import approved_request
from desk.optimization.durations import load_durations
from desk.optimization.estimate import estimate
from desk.runs.repository import Run, load_run_record
from desk.runs.states import ACTIVE_STATES
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue
from graphs.runs.approval import append_approval, check_decider
from graphs.runs.creation import check_version, complete_request
from store.errors import Conflict


async def decide_approval(
    dependencies: Dependencies,
    owner: str,
    run_id: str,
    decision: approvals.ApprovalDecision,
    subject: Subject = "launch",
    *,
    decider: Principal | None = None,
) -> Run:
    """Record a person's decision; executing the run afterwards continues it, or yields its final events.

    The first decision counts: repeating it has no effect; a different one, or one by a person without permission, is
    a `UserError`. Without a `decider` every decision is permitted where sign-in is off, and none where it is on.
    """
    decider = decider or Principal(owner=decision.by, roles=() if dependencies.second_person else ROLES)
    assert decider.owner == decision.by
    if subject == "holdout" and decision.verdict == "edited":
        raise InvalidInput("verdict", decision.verdict, allowed="approved or rejected; a holdout cannot be edited")
    while True:
        earlier = await load_approval(dependencies.store, owner, run_id, subject)
        record = await load_run_record(dependencies.store, owner, run_id)
        if await load_approval(dependencies.store, owner, run_id, subject) != earlier:
            continue  # the decision updates run and approval at once, after one of the two reads
        run = Run.model_validate(record.document)
        check_decider(dependencies, run, subject, earlier, decider)
        extra_puts = await approval_requests.closing_puts(dependencies.store, earlier, decision.at, decision)
        tickets: list[fair_queue.Ticket] = []
        if subject == "launch" and earlier is not None and earlier.decided is None:
            run = await _apply_decision(dependencies, run, decision)
            extra_puts.append(run.put(record.version))
            if run.state == "queued":
                queue_put, tickets = await fair_queue.enter(
                    dependencies.store, owner, run.id, dependencies.jobs_per_user, dependencies.now()
                )
                extra_puts.append(queue_put)
        try:
            approval = await approvals.decide(
                dependencies.store, owner, run_id, subject, decision, extra_puts=extra_puts
            )
        except Conflict:
            continue
        if earlier is not None and earlier.decided is None and approval.decided != decision:
            continue  # another process stored the same decision and updated the run
        await append_approval(dependencies, run, approval)
        if dependencies.queue is not None:
            await fair_queue.send_tickets(dependencies.store, dependencies.queue, owner, tickets)
        return run


async def _apply_decision(dependencies: Dependencies, run: Run, decision: approvals.ApprovalDecision) -> Run:
    """The run after the decision; a changed request is validated as a new one is."""
    if decision.verdict == "rejected":
        return run.with_state("rejected", at=decision.at, by=decision.by, reason=decision.reason)
    check_version(run)
    request = approved_request(run.request, decision)
    if decision.verdict == "edited":
        completed = await complete_request(dependencies, run.owner, request)
        request = completed.request
        if completed.data != run.data_digest:
            allowed = "the prices with which the run began"
            raise InvalidInput("prices_file", request.prices_file, allowed=allowed)
        machines = dependencies.jobs.machines
        durations = await load_durations(dependencies.store, machines)
        run = run.model_copy(update={"estimate": estimate(request, machines=machines, durations=durations)})
    run = run.model_copy(update={"request": request})
    if run.state in ACTIVE_STATES:  # the process that executes it reads the decision
        return run
    state = "running" if dependencies.queue is None else "queued"
    return run.with_state(state, at=decision.at, by=decision.by, reason=decision.verdict)
