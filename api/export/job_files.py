"""Answers about a job that take long to make: charts, trials, files. Those of a finished one are kept for a day."""

import asyncio
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from tools.derived import Derived, derived
from tools.trial_pages import Asked, TrialPage, page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphs.desk import Desk
    from graphs.outcomes import Found
    from tools.charts import ChartName

Format: TypeAlias = Literal["json", "csv", "xlsx", "html"]
Table: TypeAlias = Literal["trials", "figures"]

MEDIA: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
}


async def charts(desk: "Desk", found: "Found", only: "ChartName | None", points: int) -> Derived:
    from graphs.outcomes import charts_of

    async def make() -> bytes:
        return (await charts_of(desk.store, found, only=only, points=points)).model_dump_json().encode()

    return await _kept(desk, found, f"charts.{only or 'all'}", make, (str(points),))


async def trials(desk: "Desk", found: "Found", asked: Asked, *, after: str | None, limit: int) -> TrialPage:
    from graphs.outcomes import check_scenario, trial_table

    check_scenario(found, asked.scenario)

    async def make() -> bytes:
        return await trial_table(desk.store, found, asked.scenario)

    rows = (await _kept(desk, found, f"trials.{asked.scenario}", make, ())).content
    return await asyncio.to_thread(page, rows, asked, after=after, limit=limit, partial=found.partial)


async def export(desk: "Desk", found: "Found", format_: Format, table: Table) -> Derived:
    """The bytes are those of the result: whoever asks at whatever time is given the same."""
    from tools.holdout import opened_holdout

    opened = await opened_holdout(desk.store, found.run.owner, found.run.id)
    what = f"export.{format_}" if format_ != "csv" else f"export.{table}.csv"

    async def make() -> bytes:
        return await _made(desk, found, format_, table)

    return await _kept(desk, found, what, make, (str(opened and opened.at),))


async def _made(desk: "Desk", found: "Found", format_: Format, table: Table) -> bytes:
    from api.exports import as_csv, as_document, as_figures
    from tools.trials import stored_trials

    run, result, of = found.run, found.result, found.provenance
    assert result is not None
    if format_ == "html":
        from api.reporting import report

        return (
            await report(
                desk.store, run.owner, run.id, result, made=run.history[-1].at if run.history else run.created_at
            )
        ).encode()
    trials = await stored_trials(desk.store, run.owner, run.id)
    if format_ == "xlsx":
        from api.workbook import as_workbook

        return await asyncio.to_thread(as_workbook, result, trials, of)
    if format_ == "json":
        return (await asyncio.to_thread(as_document, result, trials, of)).encode()
    if table == "figures":
        return as_figures(result, of).encode()
    return (await asyncio.to_thread(as_csv, result, trials, of)).encode()


async def _kept(
    desk: "Desk", found: "Found", what: str, make: "Callable[[], Awaitable[bytes]]", parameters: tuple[str, ...]
) -> Derived:
    run = found.run
    if found.result is None:  # more may come
        content = await make()
        return Derived(content, hashlib.sha256(content).hexdigest(), hit=False)
    made_of = (what, str(run.result_digest), made_by(), *parameters)
    return await derived(desk.store, run.owner, run.id, what, made_of, make, now=desk.now())


@cache
def made_by() -> str:
    """Names the code that makes an answer: all that computes, and all that presents."""
    from tools.code import code_version

    content = hashlib.sha256(code_version().encode())
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".j2", ".css"):
            content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()
