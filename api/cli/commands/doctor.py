"""`doctor` checks an installation; `dead-letters` lists the messages that failed on every worker."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.exit_codes import DONE, FAULT
from api.cli.options import AsJson
from api.cli.terminal import plain, stdout
from api.settings import read_settings

if TYPE_CHECKING:
    from api.doctor.findings import Finding

_SIGNS = {"ok": "✔", "warning": "◆", "failed": "✖", "skipped": "–"}
_STYLES = {"warning": "yellow", "failed": "bold red", "skipped": "dim"}
MOST = 1_000


def register(app: typer.Typer) -> None:
    app.command()(doctor)
    app.command(name="dead-letters")(dead_letters)


def doctor(*, json_: AsJson = False) -> int:
    """Check this installation and say how to fix what is wrong (exit code 1 if a check fails)."""
    return asyncio.run(_doctor(as_json=json_))


def dead_letters(
    *,
    replay: Annotated[
        str | None, typer.Option("--replay", metavar="ID", help="Put the job of this message into the queue again.")
    ] = None,
    json_: AsJson = False,
) -> int:
    """List the messages that failed on every worker, or send one again."""
    return asyncio.run(_replay(replay) if replay is not None else _dead_letters(as_json=json_))


async def _doctor(*, as_json: bool) -> int:
    from api.doctor.checks import run_checks

    findings: list[Finding] = []
    async for finding in run_checks():
        findings.append(finding)
        if not as_json:
            _print(finding)
    failures = sum(finding.state == "failed" for finding in findings)
    if as_json:
        print(json.dumps([finding.model_dump() for finding in findings]))
    else:
        warnings = sum(finding.state == "warning" for finding in findings)
        print(f"{failures} failed, {warnings} warnings")
    return FAULT if failures else DONE


def _print(finding: "Finding") -> None:
    console = stdout()
    line = f"{_SIGNS[finding.state]} {finding.name:9} {plain(finding.found)}"
    console.print(line, style=_STYLES.get(finding.state), soft_wrap=True)
    if finding.todo:
        console.print(f"  {'':9} → {plain(finding.todo)}", soft_wrap=True)


async def _dead_letters(*, as_json: bool) -> int:
    from api.doctor.checks import open_dependencies

    async with open_dependencies(read_settings()) as dependencies:
        assert dependencies.queue is not None
        letters = await dependencies.queue.dead_letters(MOST)
    if as_json:
        print(json.dumps([{"id": each.id, "attempts": each.attempt, "message": each.body} for each in letters]))
        return DONE
    for each in letters:
        job, owner = (plain(str(each.body.get(name, "?"))) for name in ("job", "owner"))
        print(f"{each.id}  job {job} of {owner}, {each.attempt} attempts")
    if not letters:
        print("There are no dead letters.")
    return DONE


async def _replay(letter: str) -> int:
    from api.doctor.checks import open_dependencies
    from graphs.jobs import job_queue

    settings = read_settings()
    async with open_dependencies(settings) as dependencies:
        run = await job_queue.replay(dependencies, letter, by=settings.owner)
    print(f"Job {run.id} is {run.state}")
    return DONE
