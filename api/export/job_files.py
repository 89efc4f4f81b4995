"""Charts, trials and files of a job; those of a completed job are cached for a day."""

import asyncio
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from desk.optimization.reading.trial_pages import TrialPage, TrialQuery, build_page
from desk.runs.cached_answers import CachedAnswer, load_or_compute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from desk.optimization.reading.chart_schemas import ChartName
    from graphs.dependencies import Dependencies
    from graphs.runs.outcomes import JobOutcome

Format: TypeAlias = Literal["json", "csv", "xlsx", "html"]
Table: TypeAlias = Literal["trials", "figures", "weights"]

MEDIA: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
}


async def charts(
    dependencies: "Dependencies", outcome: "JobOutcome", only: "Collection[ChartName]", points: int
) -> CachedAnswer:
    from graphs.runs.outcomes import job_charts

    async def make() -> bytes:
        return (await job_charts(dependencies.store, outcome, only=only, points=points)).model_dump_json().encode()

    name = ".".join(sorted({*only})) or "all"
    return await _load_or_make(dependencies, outcome, f"charts.{name}", make, (str(points),))


async def trials(
    dependencies: "Dependencies", outcome: "JobOutcome", query: TrialQuery, *, after: str | None, limit: int
) -> TrialPage:
    from graphs.runs.outcomes import check_scenario, trial_table

    check_scenario(outcome, query.scenario)

    async def make() -> bytes:
        return await trial_table(dependencies.store, outcome, query.scenario)

    rows = (await _load_or_make(dependencies, outcome, f"trials.{query.scenario}", make, ())).content
    return await asyncio.to_thread(build_page, rows, query, after=after, limit=limit, partial=outcome.partial)


async def export(dependencies: "Dependencies", outcome: "JobOutcome", format_: Format, table: Table) -> CachedAnswer:
    """The file of a result; the same result always gives the same bytes."""
    from desk.optimization.holdout import load_holdout

    holdout = await load_holdout(dependencies.store, outcome.run.owner, outcome.run.id)
    what = f"export.{format_}" if format_ != "csv" else f"export.{table}.csv"

    async def make() -> bytes:
        return await _render(dependencies, outcome, format_, table)

    return await _load_or_make(dependencies, outcome, what, make, (str(holdout and holdout.at),))


async def _render(dependencies: "Dependencies", outcome: "JobOutcome", format_: Format, table: Table) -> bytes:
    from api.export.formats import as_csv, as_document, as_figures, as_weights
    from desk.optimization.reading.history import load_history
    from desk.optimization.repositories.trial_repository import load_trials

    run, result, of = outcome.run, outcome.result, outcome.provenance
    assert result is not None
    if format_ == "html":
        from api.export.reporting import report

        return (
            await report(
                dependencies.store,
                run.owner,
                run.id,
                result,
                created_at=run.history[-1].at if run.history else run.created_at,
            )
        ).encode()
    if format_ == "csv" and table == "figures":
        return as_figures(result, of).encode()
    history = await load_history(dependencies.store, run.owner, result)
    if format_ == "csv" and table == "weights":
        return (await asyncio.to_thread(as_weights, result, of, history)).encode()
    trials = await load_trials(dependencies.store, run.owner, run.id)
    if format_ == "xlsx":
        from api.export.workbook import as_workbook

        return await asyncio.to_thread(as_workbook, result, trials, of, history)
    if format_ == "json":
        return (await asyncio.to_thread(as_document, result, trials, of, history)).encode()
    return (await asyncio.to_thread(as_csv, result, trials, of)).encode()


async def _load_or_make(
    dependencies: "Dependencies",
    outcome: "JobOutcome",
    what: str,
    make: "Callable[[], Awaitable[bytes]]",
    parameters: tuple[str, ...],
) -> CachedAnswer:
    run = outcome.run
    if outcome.result is None:  # the job may still change
        content = await make()
        return CachedAnswer(content, hashlib.sha256(content).hexdigest(), hit=False)
    key = (what, str(run.result_digest), code_digest(), *parameters)
    return await load_or_compute(dependencies.store, run.owner, run.id, what, key, make, now=dependencies.now())


@cache
def code_digest() -> str:
    """A digest of the code that computes and presents answers."""
    from desk.base.code_version import code_version

    content = hashlib.sha256(code_version().encode())
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".j2", ".css"):
            content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()
