"""Records what a person decides about a run, and moves the run on."""

from desk.base.errors import InvalidInput
from desk.governance import approval_requests, approvals
from desk.governance.approvals import Subject, load_approval
from desk.governance.principals import Principal
from desk.governance.roles import ROLES
from desk.optimization.approved_request import approved_request
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
    """Record what a person decided; executing the run then goes on with it, or reads out its end.

    The first decision holds: the same one again is harmless, another one is a `UserError`, and so is one of somebody
    who may not decide. Without a `decider` it is not known who decides: all is permitted where nobody signs in, and
    nothing where people do.
    """
    decider = decider or Principal(owner=decision.by, roles=() if dependencies.second_person else ROLES)
    assert decider.owner == decision.by
    if subject == "holdout" and decision.verdict == "edited":
        raise InvalidInput("verdict", decision.verdict, allowed="approved or rejected: a holdout has nothing to edit")
    while True:
        earlier = await load_approval(dependencies.store, owner, run_id, subject)
        record = await load_run_record(dependencies.store, owner, run_id)
        if await load_approval(dependencies.store, owner, run_id, subject) != earlier:
            continue  # a decision changes both at once, and one fell between the two
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
            continue  # the same was decided meanwhile, and the run is as that has left it
        await append_approval(dependencies, run, approval)
        if dependencies.queue is not None:
            await fair_queue.send_tickets(dependencies.store, dependencies.queue, owner, tickets)
        return run


async def _apply_decision(dependencies: Dependencies, run: Run, decision: approvals.ApprovalDecision) -> Run:
    """The run after the decision; what the person changed is checked as a new request is."""
    if decision.verdict == "rejected":
        return run.with_state("rejected", at=decision.at, by=decision.by, reason=decision.reason)
    check_version(run)
    request = approved_request(run.request, decision)
    if decision.verdict == "edited":
        digest, request = await complete_request(dependencies, run.owner, request)
        if digest != run.data_digest:
            allowed = "the prices with which the run began"
            raise InvalidInput("prices_file", request.prices_file, allowed=allowed)
    run = run.model_copy(update={"request": request})
    if run.state in ACTIVE_STATES:  # whoever executes it has asked, and finds the decision
        return run
    state = "running" if dependencies.queue is None else "queued"
    return run.with_state(state, at=decision.at, by=decision.by, reason=decision.verdict)
