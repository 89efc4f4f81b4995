"""Opens the locked holdout of a finished run, once, after a person's approval.

With sign-in, a second person decides: see `desk.governance.approval_requests.may_decide`.
"""

import asyncio

from desk.base.code_version import code_version
from desk.base.errors import InvalidInput, UserError
from desk.governance.approval_requests import request_approval
from desk.governance.approvals import Approval, ApprovalRequest, Thresholds, load_approval
from desk.optimization.holdout import OpenedHoldout, holdout_figures, load_holdout, save_holdout
from desk.optimization.inputs.market_data import load_market
from desk.optimization.result import OptimizationResult
from desk.runs.events.run import NodeFinished, NodeStarted
from desk.runs.repository import Run, load_events, load_final_result, load_run
from graphs.dependencies import Dependencies
from graphs.runs.approval import approval_events, request_content
from graphs.runs.event_log import EventLog

NODE = "holdout"
NO_THRESHOLDS = Thresholds(evaluations=None, dollars=None, instances=None)


async def open_holdout(dependencies: Dependencies, owner: str, run_id: str) -> OpenedHoldout | None:
    """The results on the holdout; None while the approval is pending, which the first call requests.

    A rejection, or a run without a winner, is a `UserError`, and nothing is computed.
    """
    run = await load_run(dependencies.store, owner, run_id)
    result = await _load_judged_result(dependencies, run)
    stored_events = await load_events(dependencies.store, owner, run_id)
    log = EventLog(dependencies.store, owner, run_id, stored_events, dependencies.observe, dependencies.now)
    approval = await load_approval(dependencies.store, owner, run_id, "holdout") or await _request_approval(
        dependencies, run
    )
    await log.append(*approval_events(log, approval, run.request, dependencies.jobs.machines))
    if approval.decided is None:
        return None
    if not approval.granted:
        raise UserError(
            f"run: {run_id!r}: opening its holdout was rejected by {approval.decided.by} on "
            f"{approval.decided.at:%Y-%m-%d}; expected the results without the holdout"
        )
    await log.append(log.make(NodeStarted, NODE, 0, 0))
    holdout = await load_holdout(dependencies.store, owner, run_id) or await _compute_holdout(
        dependencies, run, result, approval
    )
    await log.append(log.make(NodeFinished, NODE, 0, 0))
    return holdout


async def _load_judged_result(dependencies: Dependencies, run: Run) -> OptimizationResult:
    result = await load_final_result(dependencies.store, run.owner, run.id) if run.state == "completed" else None
    if result is None:
        raise UserError(f"run: {run.id!r} has no result yet; expected a completed run")
    if result.winner is None:
        raise UserError(f"run: {run.id!r} has no winner to test; expected a run with a winner")
    return result


async def _request_approval(dependencies: Dependencies, run: Run) -> Approval:
    request = ApprovalRequest(
        subject="holdout",
        estimate=None,
        exceeded=(),
        thresholds=NO_THRESHOLDS,
        at=dependencies.now(),
        request_digest=run.request.content_digest(),
    )
    second_person = "holdout" in dependencies.second_person
    return await request_approval(
        dependencies.store,
        run.owner,
        run.id,
        run.request.name,
        request,
        second_person=second_person,
        content=request_content(run.request),
    )


async def _compute_holdout(
    dependencies: Dependencies, run: Run, result: OptimizationResult, approval: Approval
) -> OpenedHoldout:
    from desk.optimization.evaluation import World  # lazy: imports numba and scipy

    market = await load_market(dependencies.prices_of(run.owner), run.request)
    if market.data_digest != run.data_digest:
        allowed = "the prices with which the run began"
        raise InvalidInput("prices_file", run.request.prices_file, allowed=allowed)
    figures = await asyncio.to_thread(holdout_figures, World(market, run.request), result)
    dates = market.dates[market.holdout]
    assert approval.decided is not None
    holdout = OpenedHoldout(
        at=dependencies.now(),
        by=approval.decided.by,
        first_day=str(dates[0]),
        last_day=str(dates[-1]),
        code_version=code_version(),
        figures=figures,
    )
    return await save_holdout(dependencies.store, run.owner, run.id, holdout)
