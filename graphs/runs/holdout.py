"""Opening the locked holdout of a finished run, which happens once, and which only a person may allow.

Where people sign in, that is another person than whoever asks for it: see `tools.questions.may_decide`.
"""

import asyncio

from graphs.approval import told
from graphs.desk import Desk
from graphs.log import EventLog
from graphs.run_book import Run, events_of, result_of, run_of
from tools.approval import Approval, Asked, Thresholds, approval_of
from tools.code import code_version
from tools.errors import InvalidInput, UserError
from tools.holdout import OpenedHoldout, holdout_figures, opened_holdout, save_holdout
from tools.market import load_market
from tools.optimization import OptimizationResult
from tools.questions import ask
from tools.trace import NodeFinished, NodeStarted

NODE = "holdout"
NO_THRESHOLDS = Thresholds(evaluations=None, dollars=None, instances=None)


async def open_holdout(desk: Desk, owner: str, run_id: str) -> OpenedHoldout | None:
    """What is found on the holdout; None while a person has yet to decide, who is asked by the first call.

    A rejection is a `UserError`, and so is a run without a winner; nothing is computed then.
    """
    run = await run_of(desk.store, owner, run_id)
    result = await _judged(desk, run)
    stored = await events_of(desk.store, owner, run_id)
    log = EventLog(desk.store, owner, run_id, stored, desk.observe, desk.now)
    approval = await approval_of(desk.store, owner, run_id, "holdout") or await _asked(desk, run)
    await log.append(*told(log, approval, run.request, desk.jobs.machines))
    if approval.decided is None:
        return None
    if not approval.granted:
        raise UserError(
            f"run: {run_id!r}: opening its holdout was rejected by {approval.decided.by} on "
            f"{approval.decided.at:%Y-%m-%d}; allowed: what the run shows without it"
        )
    await log.append(log.make(NodeStarted, NODE, 0, 0))
    opened = await opened_holdout(desk.store, owner, run_id) or await _opened(desk, run, result, approval)
    await log.append(log.make(NodeFinished, NODE, 0, 0))
    return opened


async def _judged(desk: Desk, run: Run) -> OptimizationResult:
    result = await result_of(desk.store, run.owner, run.id) if run.state == "completed" else None
    if result is None:
        raise UserError(f"run: {run.id!r} has no result yet; allowed: a completed run")
    if result.winner is None:
        raise UserError(f"run: {run.id!r} has no winner to be tested; allowed: a run with a winner")
    return result


async def _asked(desk: Desk, run: Run) -> Approval:
    asked = Asked(
        subject="holdout",
        estimate=None,
        exceeded=(),
        thresholds=NO_THRESHOLDS,
        at=desk.now(),
        request_digest=run.request.content_digest(),
    )
    second_person = "holdout" in desk.second_person
    return await ask(desk.store, run.owner, run.id, run.request.name, asked, second_person=second_person)


async def _opened(desk: Desk, run: Run, result: OptimizationResult, approval: Approval) -> OpenedHoldout:
    from tools.evaluation import World

    market = await load_market(desk.prices_of(run.owner), run.request)
    if market.data_digest != run.data_digest:
        allowed = "the prices with which the run began"
        raise InvalidInput("prices_file", run.request.prices_file, allowed=allowed)
    figures = await asyncio.to_thread(holdout_figures, World(market, run.request), result)
    dates = market.dates[market.holdout]
    assert approval.decided is not None
    opened = OpenedHoldout(
        at=desk.now(),
        by=approval.decided.by,
        first_day=str(dates[0]),
        last_day=str(dates[-1]),
        code_version=code_version(),
        figures=figures,
    )
    return await save_holdout(desk.store, run.owner, run.id, opened)
