"""The commands on runs that were made: `runs`, `show`, `trace`, `reproduce`, `export`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.settings import Settings, read_settings
from tools.errors import InvalidInput

if TYPE_CHECKING:
    from graphs.runs import Desk

RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The id of a run, the beginning of one that no other has, or `last`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    for command in (runs, show, trace, reproduce, export):
        app.command()(command)


def runs(*, json_: AsJson = False) -> int:
    """List your runs, newest first."""

    async def answer(settings: Settings, desk: "Desk") -> int:
        from api.terminal import plain, stdout
        from graphs.runs import list_runs

        found = await list_runs(desk.store, settings.owner)
        if json_:
            fields = {"id", "state", "created_at", "data_digest", "result_digest"}
            print(json.dumps([r.model_dump(mode="json", include=fields) | {"name": r.request.name} for r in found]))
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
            digest = (r.result_digest or "")[:12]
            table.add_row(r.id[:12], r.state, made, str(r.request.trials), plain(r.request.name), digest)
        stdout().print(table)
        if waiting := [r.id[:12] for r in found if r.state == "waiting"]:
            print(f"Waiting for your decision: {', '.join(waiting)} (python -m api approve RUN, or reject)")
        return 0

    return _at_desk(answer)


def show(run: RunName, *, json_: AsJson = False) -> int:
    """Show the result of a run, and write its report again."""

    async def answer(settings: Settings, desk: "Desk") -> int:
        from api.exports import as_json
        from api.finding import find, finished
        from api.reporting import report, report_path, write

        found = (await find(desk.store, settings.owner, run)).id
        result = await finished(desk.store, settings.owner, found)
        if json_:
            sys.stdout.write(as_json(result))
            return 0
        from api import summary
        from api.terminal import stdout
        from tools.holdout import opened_holdout

        path = report_path(settings, found)
        write(path, await report(desk.store, settings.owner, found, result))
        opened = await opened_holdout(desk.store, settings.owner, found)
        summary.show(stdout(), result, watermark=opened and opened.watermark)
        print(f"Report {path}")
        print(f"result digest: {result.digest()}")
        return 0

    return _at_desk(answer)


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

    async def answer(settings: Settings, desk: "Desk") -> int:
        from api.finding import find_logs, logs_of
        from graphs.runs import events_of

        for found in await find_logs(desk.store, settings.owner, run):
            if json_:
                for event in await events_of(desk.store, settings.owner, found):
                    print(event.model_dump_json())
                continue
            from api.terminal import stdout
            from api.tree import draw, totals, tree

            logs, goals = await logs_of(desk.store, settings.owner, found)
            if not logs:
                print(f"Nothing has happened in {found} yet.")
                continue
            draw(stdout(), tree(logs, found, goals=goals, whole=all_))
            print(totals(logs))
        return 0

    return _at_desk(answer)


def reproduce(run: RunName) -> int:
    """Repeat a run from its manifest, without any model, and compare the digests (exit code 1 if they differ)."""

    async def answer(settings: Settings, desk: "Desk") -> int:
        import graphs.runs
        from api.finding import find, finished

        found = (await find(desk.store, settings.owner, run)).id
        then = await finished(desk.store, settings.owner, found)
        now = await graphs.runs.reproduce(desk, settings.owner, found)
        print(f"stored digest:     {then.digest()}")
        print(f"reproduced digest: {now.digest()}")
        same = then.digest() == now.digest()
        print("The result is the same." if same else "THE RESULT DIFFERS.")
        if then.manifest.code_version != now.manifest.code_version:
            print("The numeric core is another one than then.", file=sys.stderr)
        return 0 if same else 1

    return _at_desk(answer)


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
) -> int:
    """Write a result as JSON, its trials as CSV, both as a workbook, or its report as HTML."""

    async def answer(settings: Settings, desk: "Desk") -> int:
        content = await _content(settings, desk, run, format_)
        if output == "-":
            sys.stdout.buffer.write(content.encode() if isinstance(content, str) else content)
        else:
            _save(Path(output), content, force=force)
            print(f"Wrote {output}", file=sys.stderr)
        return 0

    return _at_desk(answer)


async def _content(settings: Settings, desk: "Desk", run: str, format_: str) -> str | bytes:
    from api.exports import as_csv, as_json, provenance
    from api.finding import find, finished
    from api.reporting import report
    from api.workbook import as_workbook
    from tools.trials import stored_trials

    found = (await find(desk.store, settings.owner, run)).id
    result = await finished(desk.store, settings.owner, found)
    match format_:
        case "json":
            return as_json(result)
        case "csv":
            return as_csv(result, await stored_trials(desk.store, settings.owner, found), provenance(found, result))
        case "xlsx":
            trials = await stored_trials(desk.store, settings.owner, found)
            return as_workbook(result, trials, provenance(found, result))
        case _:
            return await report(desk.store, settings.owner, found, result)


def _save(path: Path, content: str | bytes, *, force: bool) -> None:
    from api.reporting import write

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


def _at_desk(answer: "Callable[[Settings, Desk], Awaitable[int]]") -> int:
    async def at_desk() -> int:
        from api.app import create_desk

        settings = read_settings()
        async with create_desk(settings) as desk:
            return await answer(settings, desk)

    return asyncio.run(at_desk())
