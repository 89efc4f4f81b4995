"""The commands that look after old runs: `cleanup`, `restore`, `hold`."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.dependencies import with_dependencies
from api.cli.options import AsJson
from api.settings import Settings
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from graphs.dependencies import Dependencies
    from graphs.runs.cleanup import Report

LONGEST = 300
"""Letters of a reason."""
Anyones = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The id of a run, the beginning of one of your own that no other has, or `last`; of another user's run "
        "the whole id.",
    ),
]


def register(app: typer.Typer) -> None:
    for command in (cleanup, restore, hold):
        app.command()(command)


def cleanup(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    json_: AsJson = False,
) -> int:
    """Archive the runs of all users that ended 30 days ago, and delete what has expired."""

    async def answer(_: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs.cleanup import clean_up

        report = await clean_up(dependencies, dependencies.now(), dry_run=dry_run)
        print(report.model_dump_json()) if json_ else _tell(report)
        return 0

    return with_dependencies(answer)


def restore(run: Anyones) -> int:
    """Bring an archived run back as it was, whoever's it is; an archive that was changed is refused.

    The audit log names STRATIGOS_OWNER as who did it.
    """

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from api.cli.runs.lookup import find_anyones
        from graphs.runs import archive

        found = await find_anyones(dependencies.store, settings.owner, run)
        async with _told(settings, dependencies, "restore", found.id):
            restored = await archive.restore(dependencies, found.owner, found.id)
        print(f"Restored {restored.id}: it is {restored.state}, and stays for another 30 days at least.")
        return 0

    return with_dependencies(answer)


def hold(
    run: Anyones,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, unless it is released; 1 to 300 characters.")
    ] = "",
    release: Annotated[bool, typer.Option("--release", help="End the hold.")] = False,
) -> int:
    """Put a run on legal hold, whoever's it is: it is neither archived nor deleted until the hold is released.

    The hold and the audit log name STRATIGOS_OWNER as who did it; a hold that is set again replaces the one before.
    """
    reason = reason.strip()
    if release and reason:
        raise InvalidInput("--reason", reason, reason="is kept with a hold only", allowed="without --release")
    if not release and not 1 <= len(reason) <= LONGEST:
        what = f"has {len(reason)} characters" if reason else "is missing"
        raise InvalidInput("--reason", reason, reason=what, allowed=f"1 to {LONGEST} characters, why the run is held")

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from api.cli.runs.lookup import find_anyones
        from api.cli.terminal import plain
        from graphs.runs import archive

        found = await find_anyones(dependencies.store, settings.owner, run)
        if release:
            async with _told(settings, dependencies, "release", found.id):
                await archive.release(dependencies, found.owner, found.id)
            print(f"Released {found.id}.")
            return 0
        async with _told(settings, dependencies, "hold", found.id):
            held = (await archive.hold(dependencies, found.owner, found.id, by=settings.owner, reason=reason)).held
        assert held is not None
        print(f"{found.id} is held by {held.by} since {held.at:%Y-%m-%d %H:%M} UTC: {plain(held.reason)}")
        return 0

    return with_dependencies(answer)


def _told(settings: Settings, dependencies: "Dependencies", does: str, run: str) -> "AbstractAsyncContextManager[None]":
    from api.operations.audit import audited_command
    from desk.governance.principals import Principal
    from desk.governance.roles import ROLES

    return audited_command(
        dependencies.store, Principal(owner=settings.owner, roles=ROLES), f"jobs.{does}", f"jobs/{run}"
    )


def _tell(report: "Report") -> None:
    from api.cli.terminal import plain

    would = "would be " if report.dry_run else ""
    for run in report.archived:
        print(f"{run.run}  {run.owner}  {would}archived, {run.bytes:,} bytes")
    for run in report.kept:
        print(f"{run.run}  {run.owner}  kept: {plain(run.reason)}")
    for run in report.checkpoints:
        print(f"{run.run}  {run.owner}  its checkpoints {would or 'were '}deleted")
    expired = "" if report.expired is None else f", {report.expired} expired records"
    print(
        f"{len(report.archived)} runs {would or 'were '}archived in {report.bytes:,} bytes, {len(report.kept)} kept; "
        f"{would or 'were '}deleted: checkpoints of {len(report.checkpoints)} runs, {report.derived} kept answers, "
        f"{report.trajectories} files of simulations, {report.shards} unused shards{expired}. Owners: {report.owners}."
    )
