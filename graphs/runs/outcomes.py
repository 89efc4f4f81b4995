"""Reads the outcome of a job: its result, or its partial result, as tables and charts."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from desk.base.errors import Conflicting, InvalidInput, NotFound
from desk.optimization.holdout import load_holdout
from desk.optimization.judgement.plotted_trials import evaluations_by_scenario, plot_trials
from desk.optimization.limits import check_limits
from desk.optimization.reading.chart_schemas import ChartName, Charts, Provenance
from desk.optimization.reading.charts import ChartData, build_charts
from desk.optimization.reading.explanation import ResultExplanation, explain_result
from desk.optimization.reading.history import History, load_history
from desk.optimization.reading.side_by_side import EndedJob, SideBySide, compare_side_by_side
from desk.optimization.reading.trial_pages import TrialDetails, build_rows, describe_trial, serialize_rows
from desk.optimization.repositories.result_repository import result_key
from desk.optimization.repositories.trial_repository import KIND as TRIAL
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import LimitCheck, OptimizationResult, Plotted
from desk.optimization.unfinished import PartialResult, trials_by_function
from desk.runs.events.run import RunFailed
from desk.runs.repository import Run, load_events, load_final_result, load_run
from desk.scenarios.schemas import HISTORY
from quant.strategies.trial import Trial
from store.records import Key
from store.store import Store

ENDED_WITHOUT_RESULT = ("cancelled", "failed", "expired")
"""States of a job that ended without a result."""


class NotFinished(Conflicting):
    """The job has no result yet, or will have none."""

    code = "not_finished"


@dataclass(frozen=True)
class JobOutcome:
    """A job's result; `partial` says why it is incomplete, and is empty for a complete one."""

    run: Run
    result: OptimizationResult | None
    partial: tuple[str, ...]

    @property
    def provenance(self) -> Provenance:
        run, result = self.run, self.result
        return Provenance(
            job=run.id,
            as_of=result.manifest.last_day if result else None,
            data_version=run.data_digest,
            code_version=result.manifest.code_version if result else run.code_version,
            result_digest=run.result_digest if result else None,
        )


async def load_outcome(store: Store, owner: str, run_id: str) -> JobOutcome:
    """The results of the job so far."""
    run = await load_run(store, owner, run_id)
    result = await load_final_result(store, owner, run_id) if run.state == "completed" else None
    if result is not None:
        return JobOutcome(run, result, result.partial)
    return JobOutcome(run, None, (await _partial_reason(store, run),))


async def load_completed(store: Store, owner: str, run_id: str) -> JobOutcome:
    """The outcome of a completed job; raises `NotFinished` for any other."""
    outcome = await load_outcome(store, owner, run_id)
    if outcome.result is None:
        raise _not_finished(outcome.run, "a completed job")
    return outcome


async def result_json(store: Store, owner: str, run_id: str) -> bytes:
    """The stored result as JSON, or the partial result of a cancelled or failed job."""
    run = await load_run(store, owner, run_id)
    if run.state == "completed":
        return await store.blobs.get(result_key(owner, run_id, "final"))
    if run.state not in ENDED_WITHOUT_RESULT:
        raise _not_finished(run, "a job that has ended")
    trials = await load_trials(store, owner, run_id)
    if not trials:
        raise _not_finished(run, "a job with trials; POST /api/jobs/{id}/restart continues this one")
    plotted_trials = await asyncio.to_thread(plot_trials, run.request, trials)
    partial = PartialResult.model_validate(
        {
            "job": run.id,
            "state": run.state,
            "partial": (await _partial_reason(store, run),),
            "request": run.request,
            "data_version": run.data_digest,
            "code_version": run.code_version,
            "trials": len(trials),
            "screened": sum(trial.screened for trial in trials),
            "wanted": run.request.trials,
            "tried": trials_by_function(trials, plotted_trials),
        }
    )
    return partial.model_dump_json().encode()


async def trial_table(store: Store, outcome: JobOutcome, scenario: str) -> bytes:
    """All trials with their metrics in `scenario`, for `desk.optimization.reading.trial_pages.page`."""
    trials = await load_trials(store, outcome.run.owner, outcome.run.id)
    winner = outcome.result.winner if outcome.result else None

    def render_table() -> bytes:
        plotted_trials, checks = _plotted(outcome, trials), _checks(outcome.run.request, trials)
        return serialize_rows(
            build_rows(trials, plotted_trials, checks, scenario=scenario, chosen=winner.digest if winner else None)
        )

    return await asyncio.to_thread(render_table)


def check_scenario(outcome: JobOutcome, scenario: str) -> None:
    names = (*(each.name for each in outcome.run.request.scenarios), HISTORY)
    if scenario not in names:
        raise InvalidInput("scenario", scenario, allowed=f"one of {', '.join(names)}")


async def load_trial(store: Store, owner: str, run_id: str, digest: str) -> TrialDetails:
    """One trial with all its measurements."""
    run = await load_run(store, owner, run_id)
    record = await store.records.get(Key(owner, TRIAL, f"{run.id}.{digest}"))
    if record is None:
        raise NotFound(f"trial: no trial has the digest {digest!r}; expected the digest of one of its trials")
    trial = Trial.model_validate(record.document)
    return describe_trial(trial, _checks(run.request, [trial]).get(digest, ()))


async def job_charts(store: Store, outcome: JobOutcome, *, only: Collection[ChartName], points: int) -> Charts:
    result = outcome.result
    trials = await load_trials(store, outcome.run.owner, outcome.run.id)
    history = await _history(store, outcome)

    def draw_charts() -> Charts:
        material = ChartData(
            request=outcome.run.request if result is None else result.manifest.request,
            trials=trials,
            plotted=_plotted(outcome, trials),
            result=result,
            history=history,
            points=points,
        )
        return build_charts(material, outcome.provenance, partial=outcome.partial, only=only)

    return await asyncio.to_thread(draw_charts)


async def job_explanation(store: Store, owner: str, run_id: str) -> ResultExplanation:
    """A completed job's result in words."""
    outcome, holdout = await load_completed(store, owner, run_id), await load_holdout(store, owner, run_id)
    assert outcome.result is not None
    return await asyncio.to_thread(
        explain_result, outcome.result, job=run_id, watermark=holdout.watermark if holdout else None
    )


async def compare_jobs(store: Store, owner: str, run_ids: Sequence[str]) -> SideBySide:
    """Completed jobs side by side, the first compared with each of the others."""
    ended: list[EndedJob] = []
    for run_id in run_ids:
        outcome = await load_completed(store, owner, run_id)
        assert outcome.result is not None
        ended.append(EndedJob(run_id, outcome.run.updated_at, outcome.result, await _history(store, outcome)))
    return await asyncio.to_thread(compare_side_by_side, ended)


async def _history(store: Store, outcome: JobOutcome) -> History | None:
    return None if outcome.result is None else await load_history(store, outcome.run.owner, outcome.result)


def _plotted(outcome: JobOutcome, trials: tuple[Trial, ...]) -> tuple[Plotted, ...]:
    return plot_trials(outcome.run.request, trials) if outcome.result is None else outcome.result.trials


def _checks(request: OptimizationRequest, trials: Iterable[Trial]) -> dict[str, tuple[LimitCheck, ...]]:
    """The checks of the limits by digest, of the trials that were not screened out."""
    return {t.digest: check_limits(request, evaluations_by_scenario(t)) for t in trials if not t.screened}


async def _partial_reason(store: Store, run: Run) -> str:
    if run.state in ENDED_WITHOUT_RESULT:
        failures = [event for event in await load_events(store, run.owner, run.id) if isinstance(event, RunFailed)]
        reason = f" ({failures[-1].code}: {failures[-1].kind})" if failures else ""
        return (
            f"The job was {run.state}{reason} before its trials were judged: they are in sample, none was tested for "
            "luck, and none of them is a recommendation."
        )
    return f"The job is {run.state}: its trials so far are in sample, and none of them was judged."


def _not_finished(run: Run, allowed: str) -> NotFinished:
    return NotFinished(
        f"job: {run.id!r} is {run.state} and has no result; expected {allowed} (GET /api/jobs/{run.id} has its "
        f"progress, GET /api/jobs/{run.id}/trials its trials)"
    )
