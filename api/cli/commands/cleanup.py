"""`cleanup`, `restore` and `hold`: archiving, restoring and legal holds of runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.dependencies import with_dependencies
from api.cli.exit_codes import DONE
from api.cli.options import AsJson
from api.cli.terminal import plain
from api.operations.audit import audited_command
from api.settings import Settings
from desk.base.errors import InvalidInput
from desk.governance.principals import Principal
from desk.governance.roles import ROLES

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from graphs.dependencies import Dependencies
    from graphs.runs.cleanup import CleanupReport

LONGEST = 300
"""Characters of a reason."""
Anyones = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The id of a run, its unique beginning, or `last`; for another user's run the whole id.",
    ),
]


def register(app: typer.Typer) -> None:
    for command in (cleanup, restore, hold):
        app.command()(command)


def cleanup(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, without doing it.")] = False,
    json_: AsJson = False,
) -> int:
    """Archive the runs of all users that ended 30 days ago, and delete expired data."""

    async def answer(_: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs.cleanup import clean_up

        report = await clean_up(dependencies, dependencies.now(), dry_run=dry_run)
        print(report.model_dump_json()) if json_ else _print(report)
        return DONE

    return with_dependencies(answer)


def restore(run: Anyones) -> int:
    """Restore an archived run of any user; an archive that was changed is refused.

    The audit log names STRATIGOS_OWNER as the author.
    """

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from api.cli.runs.lookup import find_anyones
        from graphs.runs import archive

        match = await find_anyones(dependencies.store, settings.owner, run)
        async with _audited(settings, dependencies, "restore", match.id):
            restored = await archive.restore(dependencies, match.owner, match.id)
        print(f"Restored {restored.id}: it is {restored.state}, and stays for another 30 days at least.")
        return DONE

    return with_dependencies(answer)


def hold(
    run: Anyones,
    *,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; 1 to 300 characters. Not with --release.")
    ] = "",
    release: Annotated[bool, typer.Option("--release", help="End the hold.")] = False,
) -> int:
    """Put a run of any user on legal hold: it is neither archived nor deleted until the hold is released.

    The hold and the audit log name STRATIGOS_OWNER as the author; a new hold replaces the earlier one.
    """
    reason = reason.strip()
    if release and reason:
        raise InvalidInput("--reason", reason, reason="belongs to a hold", allowed="no reason with --release")
    if not release and not 1 <= len(reason) <= LONGEST:
        what = f"has {len(reason)} characters" if reason else "is missing"
        raise InvalidInput("--reason", reason, reason=what, allowed=f"1 to {LONGEST} characters")

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from api.cli.runs.lookup import find_anyones
        from graphs.runs import archive

        match = await find_anyones(dependencies.store, settings.owner, run)
        if release:
            async with _audited(settings, dependencies, "release", match.id):
                await archive.release(dependencies, match.owner, match.id)
            print(f"Released {match.id}.")
            return DONE
        async with _audited(settings, dependencies, "hold", match.id):
            run_hold = (await archive.hold(dependencies, match.owner, match.id, by=settings.owner, reason=reason)).held
        assert run_hold is not None
        since = f"{run_hold.at:%Y-%m-%d %H:%M} UTC"
        print(f"{match.id} is held by {run_hold.by} since {since}: {plain(run_hold.reason)}")
        return DONE

    return with_dependencies(answer)


def _audited(
    settings: Settings, dependencies: "Dependencies", does: str, run: str
) -> "AbstractAsyncContextManager[None]":
    return audited_command(
        dependencies.store, Principal(owner=settings.owner, roles=ROLES), f"jobs.{does}", f"jobs/{run}"
    )


def _print(report: "CleanupReport") -> None:
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
