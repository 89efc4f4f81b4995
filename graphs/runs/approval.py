"""Requests a person's approval of a run, and the events that record it."""

from datetime import datetime

from pydantic import JsonValue

from desk.base.errors import Conflicting, UserError
from desk.governance.approval_requests import (
    REQUIRED_PERMISSION,
    SecondPersonRequired,
    may_decide,
    new_approval,
    request_approval,
)
from desk.governance.approvals import Approval, ApprovalRequest, Subject, Thresholds
from desk.governance.estimates import Estimate, Machines
from desk.governance.principals import Principal
from desk.optimization.durations import load_durations
from desk.optimization.estimate import estimate
from desk.optimization.request import OptimizationRequest
from desk.runs.context import Context
from desk.runs.events.approvals import ApprovalDecided, ApprovalRequested
from desk.runs.events.run import RunFailed
from desk.runs.events.table import TraceEvent
from desk.runs.repository import Run, load_events
from graphs.dependencies import Dependencies
from graphs.runs.event_log import EventLog

APPROVE = "approve"
"""The node of the graph that waits for approval."""


async def request_launch_approval(context: Context, thresholds: Thresholds | None, now: datetime) -> Approval | None:
    """The stored approval of the launch, requested if necessary; None if no threshold is exceeded.

    A decision made after the request was read is omitted, because it may have changed the request.
    """
    if thresholds is None:
        return None
    machines = context.jobs.machines
    whole = estimate(context.request, machines=machines, durations=await load_durations(context.store, machines))
    asked = _launch_question(context.request, whole, thresholds, machines, now)
    if asked is None:
        return None
    return await request_approval(
        context.store, context.owner, context.run, context.request.name, asked, content=request_content(context.request)
    )


def submission_approval(dependencies: Dependencies, run: Run, launcher: Principal | None) -> Approval | None:
    """The approval that a new run needs before a worker executes it; None if no threshold is exceeded.

    With sign-in, a `launcher` who may approve launches decides alone; otherwise another user does.
    """
    if dependencies.thresholds is None or run.estimate is None:
        return None
    asked = _launch_question(
        run.request, run.estimate, dependencies.thresholds, dependencies.jobs.machines, dependencies.now()
    )
    signed_in = bool(dependencies.second_person)
    decides = signed_in and launcher is not None and launcher.may(REQUIRED_PERMISSION["launch"])
    return None if asked is None else new_approval(asked, own_decision=decides)


def request_content(request: OptimizationRequest) -> dict[str, JsonValue]:
    """The request as the deciding person sees it."""
    return request.to_submit().model_dump(mode="json")


def _launch_question(
    request: OptimizationRequest, whole: Estimate, thresholds: Thresholds, machines: Machines, now: datetime
) -> ApprovalRequest | None:
    exceeded = thresholds.exceeded(whole)
    if not exceeded:
        return None
    return ApprovalRequest(
        subject="launch",
        estimate=whole,
        exceeded=exceeded,
        thresholds=thresholds,
        at=now,
        request_digest=request.content_digest(),
        instance_type=machines.instance_type,
        dollars_per_hour=machines.dollars_per_hour,
    )


def check_payable(context: Context, thresholds: Thresholds | None, approval: Approval | None) -> None:
    """Raise `UserError` for paid instances beyond those approved, if settings changed since the approval."""
    machines = context.jobs.machines
    request = approval.asked if approval is not None else None
    if thresholds is None or not machines.instances or (request is not None and request.covers(machines)):
        return
    whole = estimate(context.request, machines=machines)
    if exceeded := thresholds.exceeded(whole):
        if request is not None and request.estimate is not None and request.estimate.instances:
            before = rental_text(request.estimate.instances, request.instance_type, request.dollars_per_hour)
            now = rental_text(machines.instances, machines.instance_type, machines.dollars_per_hour)
            raise UserError(
                f"run: {context.run!r} was approved for {before}, and takes {now} now; "
                "expected settings that cost no more, or a new run of the same request"
            )
        excess = ", ".join(f"{getattr(whole, name):g} {name}" for name in exceeded)
        raise UserError(
            f"run: {context.run!r} started with fewer instances, and no approval covers {excess}; "
            "expected the earlier STRATIGOS_COMPUTE, or a new run of the same request"
        )


def rental_text(instances: int, type_: str, dollars_per_hour: float | None) -> str:
    each = "" if dollars_per_hour is None else f" at {dollars_per_hour:g} dollars an hour each"
    return f"{instances} x {type_ or 'an instance'}{each}"


def can_decide(
    dependencies: Dependencies, decider: Principal, owner: str, subject: Subject, approval: Approval | None
) -> bool:
    """Whether `decider` may decide it here: a second person's decision requires sign-in."""
    waits = approval is not None and approval.second_person and approval.decided is None
    if waits and subject not in dependencies.second_person:
        return False
    own_decision = approval is not None and approval.own_decision
    return may_decide(decider, owner, subject, dependencies.second_person, own_decision=own_decision)


def check_decider(
    dependencies: Dependencies, run: Run, subject: Subject, approval: Approval | None, decider: Principal
) -> None:
    """Raise `Forbidden` without permission to decide; with sign-in, only the owner may act on a withdrawn launch.

    A launch is withdrawn when its run is cancelled or expires before the decision.
    """
    if not can_decide(dependencies, decider, run.owner, subject, approval):
        raise SecondPersonRequired(subject, approval.question if approval else "")
    withdrawn = bool(dependencies.second_person) and subject == "launch" and run.state in ("cancelled", "expired")
    if withdrawn and decider.owner != run.owner:
        raise Conflicting(
            f"question: {run.request.name!r} is {run.state}; it can be decided after its owner restarts it"
        )


def approval_events(
    log: EventLog, approval: Approval, request: OptimizationRequest, machines: Machines
) -> list[TraceEvent]:
    """The events of an approval, independent of the process that appends them; `request` is what was decided on."""
    subject, decision = approval.asked.subject, approval.decided
    events = [log.make(ApprovalRequested, APPROVE, 0, subject, asked=approval.asked)]
    if decision is None:
        return events
    whole = estimate(request, machines=machines) if decision.verdict == "edited" else None
    about = {"subject": subject, "request_digest": request.content_digest(), "estimate": whole}
    events.append(log.make(ApprovalDecided, APPROVE, 0, subject, decided=decision, **about))
    if decision.verdict == "rejected" and subject == "launch":
        events.append(log.make(RunFailed, "run", 0, "rejected", code="rejected", kind="by a person"))
    return events


async def append_approval(dependencies: Dependencies, run: Run, approval: Approval) -> None:
    """Append the events of an approval that the log does not have."""
    stored_events = await load_events(dependencies.store, run.owner, run.id)
    log = EventLog(dependencies.store, run.owner, run.id, stored_events, dependencies.observe, dependencies.now)
    await log.append(*approval_events(log, approval, run.request, dependencies.jobs.machines))
