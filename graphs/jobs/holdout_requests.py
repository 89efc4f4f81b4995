"""Requests, decides and opens the locked holdout of a job, and says where that stands."""

from typing import TYPE_CHECKING

from desk.governance.approvals import Approval, ApprovalDecision, Ruling, load_approval
from desk.governance.principals import Principal
from desk.optimization.holdout import HoldoutState, HoldoutStatus, OpenedHoldout, load_holdout
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval
from graphs.runs.approval import can_decide
from graphs.runs.holdout import open_holdout
from graphs.runs.outcomes import load_completed

if TYPE_CHECKING:
    from desk.runs.repository import Run


async def load_holdout_status(dependencies: Dependencies, principal: Principal, run_id: str) -> HoldoutStatus:
    """The state of the holdout of a completed run of `principal`."""
    outcome = await load_completed(dependencies.store, principal.owner, run_id)
    available = outcome.result is not None and outcome.result.winner is not None
    return await _status(dependencies, principal, outcome.run, available=available)


async def request_holdout(
    dependencies: Dependencies, principal: Principal, run_id: str, ruling: Ruling | None
) -> HoldoutStatus:
    """Request the opening, record the `ruling` of the owner if there is one, and open the holdout once approved.

    Repeating it changes nothing. `Forbidden` for a ruling where a second person decides, after the question is listed.
    """
    store, owner = dependencies.store, principal.owner
    await load_completed(store, owner, run_id)
    approval = await load_approval(store, owner, run_id, "holdout")
    if approval is None:
        await open_holdout(dependencies, owner, run_id)  # lists the question
        approval = await load_approval(store, owner, run_id, "holdout")
    if ruling is not None and not _is_decided(approval, ruling):
        decision = ApprovalDecision(**ruling.model_dump(), by=owner, at=dependencies.now())
        await decide_approval(dependencies, owner, run_id, decision, "holdout", decider=principal)
        approval = await load_approval(store, owner, run_id, "holdout")
    if approval is not None and approval.granted:
        await open_holdout(dependencies, owner, run_id)
    return await load_holdout_status(dependencies, principal, run_id)


def _is_decided(approval: Approval | None, ruling: Ruling) -> bool:
    return approval is not None and approval.decided is not None and approval.decided.has_same_effect(ruling)


async def _status(dependencies: Dependencies, principal: Principal, run: "Run", *, available: bool) -> HoldoutStatus:
    approval = await load_approval(dependencies.store, run.owner, run.id, "holdout")
    opened = await load_holdout(dependencies.store, run.owner, run.id)
    return HoldoutStatus(
        job=run.id,
        state=_state(approval, opened) if available else "unavailable",
        you_decide=can_decide(dependencies, principal, run.owner, "holdout", approval),
        question=approval.question if approval is not None else None,
        decided=approval.decided if approval is not None else None,
        opened=opened,
        watermark=opened.watermark if opened is not None else None,
    )


def _state(approval: Approval | None, opened: OpenedHoldout | None) -> HoldoutState:
    if opened is not None:
        return "opened"
    if approval is None:
        return "locked"
    if approval.decided is None:
        return "waiting"
    return "approved" if approval.granted else "rejected"
