"""The commands on runs that were made: `runs`, `show`, `trace`, `reproduce`, `export`, `cancel`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli import options
from api.settings import Settings, read_settings, server_at
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from desk.optimization.result import OptimizationResult
    from graphs.dependencies import Dependencies
    from graphs.runs.job_status import JobSummary

RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The id of a run, the beginning of one that no other has, or `last`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    for command in (runs, show, trace, reproduce, export, cancel):
        app.command()(command)


def runs(*, server: options.Server = None, json_: AsJson = False) -> int:
    """List your runs, newest first."""
    if url := server_at(server):
        from api.cli import server_runs as remote

        return remote.runs(url, as_json=json_)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from desk.runs.repository import list_runs
        from graphs.runs.job_status import summary

        return list_them([summary(run) for run in await list_runs(dependencies.store, settings.owner)], as_json=json_)

    return with_dependencies(answer)


def list_them(found: "Sequence[JobSummary]", *, as_json: bool) -> int:
    from api.cli.terminal import plain, stdout

    if as_json:
        fields = {"id", "state", "created_at", "result_digest", "name"}
        lines = [r.model_dump(mode="json", include=fields) | {"data_digest": r.data_version} for r in found]
        print(json.dumps(lines))
        return 0
    if not found:
        print("No run yet: python -m api optimize makes one.")
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Run", "State", "Made (UTC)", "Trials", "Name", "Result digest"):
        table.add_column(heading, no_wrap=heading in ("Run", "State"))
    for r in found:
        made = r.created_at.strftime("%Y-%m-%d %H:%M")
        state = "archived" if r.archived_at else r.state
        table.add_row(r.id[:12], state, made, str(r.trials), plain(r.name), (r.result_digest or "")[:12])
    stdout().print(table)
    if waiting := [r.id[:12] for r in found if r.state == "waiting"]:
        print(f"Waiting for your decision: {', '.join(waiting)} (python -m api approve RUN, or reject)")
    return 0


def show(run: RunName, *, server: options.Server = None, json_: AsJson = False) -> int:
    """Show the result of a run, and write its report again."""
    if url := server_at(server):
        from api.cli import server_runs as remote

        return remote.show(url, run, as_json=json_)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from api.cli.run_lookup import find, finished
        from api.export.formats import as_json
        from api.export.reporting import report, report_path, write

        found = (await find(dependencies.store, settings.owner, run)).id
        result = await finished(dependencies.store, settings.owner, found)
        if json_:
            sys.stdout.write(as_json(result))
            return 0
        from desk.optimization.holdout import opened_holdout

        path = report_path(settings, found)
        write(path, await report(dependencies.store, settings.owner, found, result))
        opened = await opened_holdout(dependencies.store, settings.owner, found)
        show_it(result, path, watermark=opened and opened.watermark)
        return 0

    return with_dependencies(answer)


def show_it(result: "OptimizationResult", path: Path, *, watermark: str | None) -> None:
    from api.cli.output import summary
    from api.cli.terminal import stdout

    summary.show(stdout(), result, watermark=watermark)
    print(f"Report {path}")
    print(f"result digest: {result.digest()}")


def trace(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run as in `show`, or the id of a conversation, for all of its turns."),
    ],
    *,
    all_: Annotated[bool, typer.Option("--all", help="Show each trial and each claim.")] = False,
    json_: AsJson = False,
) -> int:
    """Draw what happened in a run as a tree: every step, agent and call, with its time and cost."""

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from api.cli.run_lookup import find_logs, logs_of
        from desk.runs.repository import events_of

        for found in await find_logs(dependencies.store, settings.owner, run):
            if json_:
                for event in await events_of(dependencies.store, settings.owner, found):
                    print(event.model_dump_json())
                continue
            from api.cli.output.tree import draw, totals, tree
            from api.cli.terminal import stdout

            logs, goals = await logs_of(dependencies.store, settings.owner, found)
            if not logs:
                print(f"Nothing has happened in {found} yet.")
                continue
            draw(stdout(), tree(logs, found, goals=goals, whole=all_))
            print(totals(logs))
        return 0

    return with_dependencies(answer)


def reproduce(run: RunName, *, server: options.Server = None) -> int:
    """Repeat a run from its manifest, without any model, and compare the digests (exit code 1 if they differ)."""
    if url := server_at(server):
        from api.cli import server_runs as remote

        return remote.reproduce(url, run)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        import graphs.jobs.reproduction
        from api.cli.run_lookup import find, finished

        found = (await find(dependencies.store, settings.owner, run)).id
        then = await finished(dependencies.store, settings.owner, found)
        now = await graphs.jobs.reproduction.reproduce(dependencies, settings.owner, found)
        same_code = then.manifest.code_version == now.manifest.code_version
        return compare(then.digest(), now.digest(), same_code=same_code)

    return with_dependencies(answer)


def compare(stored: str, reproduced: str, *, same_code: bool) -> int:
    print(f"stored digest:     {stored}")
    print(f"reproduced digest: {reproduced}")
    same = stored == reproduced
    print("The result is the same." if same else "THE RESULT DIFFERS.")
    if not same_code:
        print("The numeric core is another one than then.", file=sys.stderr)
    return 0 if same else 1


def export(
    run: RunName,
    *,
    format_: Annotated[
        Literal["json", "csv", "xlsx", "html"],
        typer.Option("--format", help="json: the whole result; csv: the trials; xlsx: both; html: the report."),
    ] = "json",
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="PATH", help="A file that does not exist yet; - is stdout."),
    ] = "-",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    server: options.Server = None,
) -> int:
    """Write a result as JSON, its trials as CSV, both as a workbook, or its report as HTML."""
    if url := server_at(server):
        from api.cli import server_runs as remote

        return _put(remote.export(url, run, format_), output, force=force)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        return _put(await _content(settings, dependencies, run, format_), output, force=force)

    return with_dependencies(answer)


def _put(content: str | bytes, output: str, *, force: bool) -> int:
    if output == "-":
        sys.stdout.buffer.write(content.encode() if isinstance(content, str) else content)
    else:
        _save(Path(output), content, force=force)
        print(f"Wrote {output}", file=sys.stderr)
    return 0


def cancel(
    run: RunName,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in its history.")] = "",
    server: options.Server = None,
) -> int:
    """End a job of a server, or a run that is computed elsewhere; what it has tried is kept.

    Another run of this terminal ends with Ctrl-C.
    """
    if url := server_at(server):
        from api.cli import server_runs as remote

        return remote.cancel(url, run, reason)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from api.cli.run_lookup import chosen, find
        from desk.runs.repository import list_runs
        from desk.runs.states import STOPPED
        from graphs.jobs.job_queue import cancel as end
        from graphs.runs.computations import computation_of

        store, owner = dependencies.store, settings.owner
        runs = await list_runs(store, owner)
        # a cancelled one of which something may still be computed is cancelled again
        endable = [each.id for each in runs if each.state not in STOPPED or each.state == "cancelled"]
        elsewhere = [each for each in endable if await computation_of(store, owner, each) is not None]
        if runs and not elsewhere:
            found = (await find(store, owner, run)).id
            allowed = "Ctrl-C in the terminal that computes it; with --server a job of a server"
            raise InvalidInput("RUN", found, reason=f"run {found} is not computed elsewhere", allowed=allowed)
        if not elsewhere:
            allowed = "a URL, here or in STRATIGOS_SERVER; without one a run that is computed elsewhere"
            raise InvalidInput("--server", "", reason="whose job is not said", allowed=allowed)
        found = chosen(elsewhere, run)
        if not dependencies.jobs.machines.remote:
            said = "does not say where the run is computed"
            raise InvalidInput("STRATIGOS_COMPUTE", "", reason=said, allowed="what it was when the run began")
        ended = await end(dependencies, settings.owner, found, by=settings.owner, reason=reason)
        print(f"Run {found} is {ended.state}", file=sys.stderr)
        return 0

    return with_dependencies(answer)


async def _content(settings: Settings, dependencies: "Dependencies", run: str, format_: str) -> str | bytes:
    from api.cli.run_lookup import find, finished
    from api.export.formats import as_csv, as_json, provenance
    from api.export.reporting import report
    from api.export.workbook import as_workbook
    from desk.optimization.repositories.trial_repository import stored_trials

    found = (await find(dependencies.store, settings.owner, run)).id
    result = await finished(dependencies.store, settings.owner, found)
    match format_:
        case "json":
            return as_json(result)
        case "csv":
            return as_csv(
                result, await stored_trials(dependencies.store, settings.owner, found), provenance(found, result)
            )
        case "xlsx":
            trials = await stored_trials(dependencies.store, settings.owner, found)
            return as_workbook(result, trials, provenance(found, result))
        case _:
            return await report(dependencies.store, settings.owner, found, result)


def _save(path: Path, content: str | bytes, *, force: bool) -> None:
    from api.export.reporting import write

    if path.is_dir() or (path.exists() and not force):
        reason = "it is a folder" if path.is_dir() else "it exists already"
        raise InvalidInput(
            "--output",
            str(path),
            reason=f"{path}: {reason}",
            allowed="a new file, or --force for an old one",
        )
    try:
        write(path, content)
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror}"
        raise InvalidInput("--output", str(path), reason=reason, allowed="a file in a folder of yours") from error


def with_dependencies(answer: "Callable[[Settings, Dependencies], Awaitable[int]]") -> int:
    async def answered() -> int:
        from api.app import create_dependencies

        settings = read_settings()
        async with create_dependencies(settings) as dependencies:
            return await answer(settings, dependencies)

    return asyncio.run(answered())
