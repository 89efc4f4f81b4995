"""Runs in the store of STRATIGOS_HOME, executed by this process.

LangGraph, the numeric core and the reports are imported where a command needs them: listing runs takes none of them.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from api.app import create_dependencies
from api.cli.runs.lookup import choose, choose_draft, find, load_result
from api.cli.runs.port import (
    STARTED,
    CompletedRun,
    Digests,
    Elapsed,
    ListedQuestion,
    Questions,
    RecordedDecision,
    Submission,
    WaitingRun,
)
from api.draft_forms import DraftFields, DraftForm, DraftSummary, draft_form, draft_summary, parse_draft
from api.export.formats import as_csv, as_json, provenance
from api.export.reporting import report
from api.models import model_maker
from api.settings import Settings
from desk.base.errors import InvalidInput, UserError
from desk.governance.approval_requests import question_page
from desk.governance.approvals import ApprovalDecision, Subject, load_approval
from desk.governance.principals import Principal
from desk.governance.roles import ROLES
from desk.optimization.holdout import OpenedHoldout, load_holdout
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from desk.runs.drafts import KIND as DRAFT
from desk.runs.drafts import Draft, draft_of
from desk.runs.repository import Cancelled, list_runs, load_run
from desk.runs.states import STOPPED_STATES
from graphs.runs.computations import computation_of
from graphs.runs.job_status import JobSummary, load_summary
from store.errors import Unavailable
from store.records import iterate_records

if TYPE_CHECKING:
    from agents.models.factory import Models
    from api.export.job_files import Format
    from desk.runs.events.table import TraceEvent
    from desk.tearsheets.schemas import TearsheetDocument, TearsheetRequest
    from graphs.dependencies import Dependencies
    from graphs.runs.surrogates import WarmStart

T = TypeVar("T")
Opening: TypeAlias = "Callable[[Settings, Models | None], AbstractAsyncContextManager[Dependencies]]"


class LocalRuns:
    """Adapter of `Runs`; its dependencies are opened by the first call and closed by `close`."""

    option = ""

    def __init__(self, settings: Settings, opening: "Opening" = create_dependencies) -> None:
        self._settings = settings
        self._owner = settings.owner
        self._opening = opening
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._dependencies: Dependencies | None = None
        self._compilations: Any = None

    def close(self) -> None:
        with self._runner:
            self._runner.run(self._stack.aclose())

    def summaries(self) -> Sequence[JobSummary]:
        async def list_summaries(dependencies: "Dependencies") -> Sequence[JobSummary]:
            store = dependencies.store
            return [await load_summary(store, run) for run in await list_runs(store, self._owner)]

        return self._run(list_summaries)

    def completed(self, name: str) -> CompletedRun:
        return self._run(lambda dependencies: self._completed(dependencies, name))

    def report(self, run: CompletedRun) -> str:
        return self._run(lambda dependencies: report(dependencies.store, self._owner, run.run, run.result))

    def export(self, name: str, format_: "Format") -> str | bytes:
        async def render(dependencies: "Dependencies") -> str | bytes:
            run, result, _ = await self._completed(dependencies, name)
            match format_:
                case "json":
                    return as_json(result)
                case "html":
                    return await report(dependencies.store, self._owner, run, result)
            trials = await load_trials(dependencies.store, self._owner, run)
            if format_ == "csv":
                return as_csv(result, trials, provenance(run, result))
            from api.export.workbook import as_workbook
            from desk.optimization.reading.history import load_history

            history = await load_history(dependencies.store, self._owner, result)
            return as_workbook(result, trials, provenance(run, result), history)

        return self._run(render)

    def tearsheet(self, request: "TearsheetRequest") -> "TearsheetDocument":
        from graphs.runs.tearsheets import make_owned_tearsheet

        return self._run(lambda dependencies: make_owned_tearsheet(dependencies, self._owner, request))

    def reproduce(self, name: str) -> Digests:
        from graphs.jobs.reproduction import reproduce

        async def compare(dependencies: "Dependencies") -> Digests:
            run, original, _ = await self._completed(dependencies, name)
            result = await reproduce(dependencies, self._owner, run)
            same_code = original.manifest.code_version == result.manifest.code_version
            return Digests(original.digest(), result.digest(), same_code)

        return self._run(compare)

    def cancel(self, name: str, reason: str) -> str:
        from graphs.jobs.job_queue import cancel

        async def end(dependencies: "Dependencies") -> str:
            run = await self._remote(dependencies, name)
            state = (await cancel(dependencies, self._owner, run, by=self._owner, reason=reason)).state
            return f"Run {run} is {state}"

        return self._run(end)

    def questions(self) -> Questions:
        if self._settings.auth:
            allowed = "--server with its address, and your key in STRATIGOS_KEY"
            raise InvalidInput(
                "--server",
                None,
                reason="people sign in here, and a terminal does not identify its user",
                allowed=allowed,
            )

        async def open_questions(dependencies: "Dependencies") -> Questions:
            person = Principal(owner=self._owner, roles=ROLES)
            page, _ = await question_page(dependencies.store, person, frozenset(), after=None, limit=1000)
            rows = [ListedQuestion(row.run[:12], row.question) for row in page]
            return Questions("Run", rows, "python -m api approve RUN (--holdout for a holdout)")

        return self._run(open_questions)

    def warm(self, request: OptimizationRequest) -> "WarmStart":
        from graphs.runs.surrogates import warm_start

        return self._run(lambda dependencies: warm_start(dependencies, self._owner, request), executing=True)

    def submit(self, request: OptimizationRequest) -> Submission:
        from graphs.runs.creation import create_run

        async def create(dependencies: "Dependencies") -> Submission:
            return Submission(await create_run(dependencies, self._owner, request), "")

        return self._run(create, executing=True)

    def drafts(self) -> Sequence[DraftSummary]:
        async def list_drafts(dependencies: "Dependencies") -> Sequence[DraftSummary]:
            drafts = await self._drafts(dependencies)
            return [draft_summary(draft, dependencies.lifetimes) for draft in drafts]

        return self._run(list_drafts)

    def draft(self, name: str) -> DraftForm:
        async def load(dependencies: "Dependencies") -> DraftForm:
            return await draft_form(dependencies, await self._draft(dependencies, name), reads_files=True)

        return self._run(load)

    def save_draft(self, fields: DraftFields, name: str | None) -> DraftForm:
        from graphs.jobs.drafts import create_draft, edit_draft

        async def save(dependencies: "Dependencies") -> DraftForm:
            if name is None:
                draft = await create_draft(dependencies, self._owner, fields.root)
            else:
                id_ = (await self._draft(dependencies, name)).id
                draft = await edit_draft(dependencies, self._owner, id_, fields.root)
            return await draft_form(dependencies, draft, reads_files=True)

        return self._run(save)

    def submit_draft(self, name: str) -> Submission:
        from graphs.jobs.drafts import submit_draft

        async def submit(dependencies: "Dependencies") -> Submission:
            draft = await self._draft(dependencies, name)
            request = parse_draft(draft, reads_files=True)
            if not isinstance(request, OptimizationRequest):
                raise UserError("\n".join(problem.describe() for problem in request))
            return Submission((await submit_draft(dependencies, draft, request)).id, "")

        return self._run(submit, executing=True)

    def delete_draft(self, name: str) -> str:
        from graphs.jobs.drafts import delete_draft

        async def delete(dependencies: "Dependencies") -> str:
            draft = (await self._draft(dependencies, name)).id
            await delete_draft(dependencies, self._owner, draft)
            return draft

        return self._run(delete)

    def resume(self, name: str) -> Submission:
        async def load(dependencies: "Dependencies") -> Submission:
            assert dependencies.models is not None
            run = (await find(dependencies.store, self._owner, name)).id
            return Submission(run, f"Resuming run {run}, agents driven by {dependencies.models.name}")

        return self._run(load, executing=True)

    def follow(self, run: str, show: "Callable[[TraceEvent], None]") -> CompletedRun | WaitingRun:
        self._compilations = self._compilations or _compilations()
        return self._run(lambda dependencies: follow(dependencies, self._owner, run, show), executing=True)

    def elapsed(self) -> Elapsed:
        timer = self._compilations
        compiled = timer.duration if timer.done else 0.0
        apart = f"; kernels compiled in {compiled:.1f} s apart" if compiled else "; kernels came from the cache"
        seconds = {"wall": time.monotonic() - STARTED - compiled, "compilation": compiled}
        return Elapsed(seconds, f"imports and report included{apart}")

    def interruption(self, run: str, error: BaseException) -> str:
        return self._run(lambda dependencies: interruption(dependencies, self._owner, run, error))

    def decide(self, name: str, decision: ApprovalDecision) -> RecordedDecision:
        async def record(dependencies: "Dependencies") -> RecordedDecision:
            run = (await find(dependencies.store, self._owner, name)).id
            in_force = await record_decision(dependencies, self._owner, run, decision, "launch")
            # an earlier decision is followed by the command that made it
            return RecordedDecision(run, in_force, "launch", follow=in_force == decision)

        return self._run(record, executing=decision.verdict != "rejected")

    def decide_holdout(self, name: str, decision: ApprovalDecision) -> RecordedDecision:
        from graphs.runs.holdout import open_holdout

        async def record(dependencies: "Dependencies") -> RecordedDecision:
            run = (await find(dependencies.store, self._owner, name)).id
            evaluation = await open_holdout(dependencies, self._owner, run)  # asks the question
            if evaluation is None or decision.verdict == "rejected":
                in_force = await record_decision(dependencies, self._owner, run, decision, "holdout")
                return RecordedDecision(run, in_force, "holdout", follow=decision.verdict != "rejected")
            approval = await load_approval(dependencies.store, self._owner, run, "holdout")
            assert approval is not None
            assert approval.decided is not None
            return RecordedDecision(run, approval.decided, "holdout", follow=True)

        return self._run(record)

    def open_holdout(self, run: str) -> OpenedHoldout:
        from graphs.runs.holdout import open_holdout

        holdout = self._run(lambda dependencies: open_holdout(dependencies, self._owner, run))
        assert holdout is not None
        return holdout

    async def _completed(self, dependencies: "Dependencies", name: str) -> CompletedRun:
        run = (await find(dependencies.store, self._owner, name)).id
        result = await load_result(dependencies.store, self._owner, run)
        holdout = await load_holdout(dependencies.store, self._owner, run)
        return CompletedRun(run, result, holdout and holdout.watermark)

    async def _drafts(self, dependencies: "Dependencies") -> list[Draft]:
        records = iterate_records(dependencies.store.records, self._owner, DRAFT, newest_first=True)
        return [draft_of(record) async for record in records]

    async def _draft(self, dependencies: "Dependencies", name: str) -> Draft:
        drafts = {draft.id: draft for draft in await self._drafts(dependencies)}
        return drafts[choose_draft(list(drafts), name)]

    async def _remote(self, dependencies: "Dependencies", name: str) -> str:
        """The id of a run that is computed outside this process and may be cancelled."""
        store = dependencies.store
        runs = await list_runs(store, self._owner)
        # a cancelled run of which something may still be computed is cancelled again
        active = [run.id for run in runs if run.state not in STOPPED_STATES or run.state == "cancelled"]
        remote = [run for run in active if await computation_of(store, self._owner, run) is not None]
        if runs and not remote:
            run = (await find(store, self._owner, name)).id
            allowed = "Ctrl-C in the terminal that computes it; with --server a job of a server"
            raise InvalidInput("RUN", run, reason=f"run {run} is not computed elsewhere", allowed=allowed)
        if not remote:
            allowed = "a URL, here or in STRATIGOS_SERVER; without one a run that is computed elsewhere"
            raise InvalidInput("--server", "", reason="no server is named", allowed=allowed)
        run = choose(remote, name)
        if not dependencies.jobs.machines.remote:
            reason = "does not say where the run is computed"
            raise InvalidInput("STRATIGOS_COMPUTE", "", reason=reason, allowed="its value when the run began")
        return run

    def _run(self, operation: "Callable[[Dependencies], Awaitable[T]]", *, executing: bool = False) -> T:
        async def operate() -> T:
            if self._dependencies is None:
                models = model_maker(self._settings)() if executing else None
                self._dependencies = await self._stack.enter_async_context(self._opening(self._settings, models))
            return await operation(self._dependencies)

        return self._runner.run(operate())


async def follow(
    dependencies: "Dependencies", owner: str, run: str, show: "Callable[[TraceEvent], None]"
) -> CompletedRun | WaitingRun:
    """Execute the run in this process until it ends or waits for a person."""
    from graphs.jobs.remote import execute_to_end

    if dependencies.jobs.machines.kind == "ray":
        print("Its search is computed on a Ray cluster (STRATIGOS_COMPUTE)", file=sys.stderr)
    try:
        async with aclosing(execute_to_end(dependencies, owner, run)) as events:
            async for event in events:
                show(event)
                if event.event == "trials_finished":  # what draws the report is loaded beside the judgement
                    asyncio.get_running_loop().run_in_executor(None, import_module, "api.export.report.page")
    except Cancelled as error:
        resume = f"python -m api optimize --resume {run}"
        raise UserError(f"run: {run} was cancelled; expected to continue it ({resume})") from error
    waiting = await _waiting(dependencies, owner, run)
    return waiting or CompletedRun(run, await load_result(dependencies.store, owner, run))


async def interruption(dependencies: "Dependencies", owner: str, run: str, error: BaseException) -> str:
    """How to continue or end a run that is no longer followed because of `error`."""
    computation = await computation_of(dependencies.store, owner, run)
    if computation is None:
        reason = "It stopped" if isinstance(error, Unavailable) else "Interrupted"
        return f"{reason}; finished trials are kept: python -m api optimize --resume {run}"
    place = "continues to be computed elsewhere" if computation.submitted else "may not have begun elsewhere"
    return f"Run {run} {place}; come back: python -m api optimize --resume {run}; end it: python -m api cancel {run}"


async def record_decision(
    dependencies: "Dependencies", owner: str, run: str, decision: ApprovalDecision, subject: Subject
) -> ApprovalDecision:
    """Record the decision and return the one in force."""
    from api.operations.audit import audited_command
    from graphs.jobs.approval_decisions import decide_approval

    action = f"{'jobs' if subject == 'launch' else subject}.{'reject' if decision.verdict == 'rejected' else 'approve'}"
    async with audited_command(dependencies.store, Principal(owner=owner, roles=ROLES), action, f"jobs/{run}"):
        await decide_approval(dependencies, owner, run, decision, subject)
    approval = await load_approval(dependencies.store, owner, run, subject)
    assert approval is not None
    assert approval.decided is not None
    return approval.decided


async def _waiting(dependencies: "Dependencies", owner: str, run: str) -> WaitingRun | None:
    if (await load_run(dependencies.store, owner, run)).state != "waiting":
        return None
    approval = await load_approval(dependencies.store, owner, run)
    assert approval is not None
    return WaitingRun(run, approval.asked, second_person=bool(dependencies.second_person), question=approval.question)


def _compilations() -> Any:
    """A timer of what numba compiles from now on; loading a kernel from the cache is not compiling."""
    from numba.core import event

    timer = event.TimingListener()
    event.register("numba:compile", timer)
    return timer
