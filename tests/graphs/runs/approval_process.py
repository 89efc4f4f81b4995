"""Executes a run that needs a person's approval, and dies by SIGKILL around its n-th write."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from desk.governance.approvals import ApprovalDecision, Thresholds
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from tests.graphs.dependencies import OWNER, open_dependencies

LOW = Thresholds(evaluations=5)


def go_on(home: Path, run: str, now: datetime, decision: ApprovalDecision | None, writes: int) -> None:
    """Main function of the process, which records the decision, if any, before it executes."""
    asyncio.run(_go_on(home, run, now, decision, writes))


async def _go_on(home: Path, run: str, now: datetime, decision: ApprovalDecision | None, writes: int) -> None:
    from tests.graphs.runs.run_process import Deadly  # lazy: this script changes sys.path

    async with open_dependencies(home) as dependencies_manager:
        dependencies = replace(dependencies_manager, thresholds=LOW, now=lambda: now)
        Deadly.left = writes
        for port in ("records", "events", "blobs"):
            object.__setattr__(dependencies.store, port, Deadly(getattr(dependencies.store, port)))
        if decision is not None:
            await decide_approval(dependencies, OWNER, run, decision)
        async for _ in execute(dependencies, OWNER, run):
            pass
