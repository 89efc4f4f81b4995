"""`migrate`: what an earlier version stored, in the form of this one."""

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from api.app import open_configured_store
from api.cli.exit_codes import DONE, FAULT
from api.cli.options import AsJson
from api.home import prepare_home
from api.settings import Settings, read_settings
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from store.aws.migration import Copied, TableCopy


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TABLE",
            help="The single table of earlier versions; by default PREFIX of STRATIGOS_STORE.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare, and change nothing.")] = False,
    json_: AsJson = False,
) -> int:
    """Bring what an earlier version stored into the form of this one (exit code 1 if tables differ afterwards).

    A home is migrated by every command that opens it. On AWS the records, events and audit entries of the single table
    are copied into tables of their own, and compared by number and digest; stop the program first. The table stays, an
    interrupted migration may be repeated, and what the program has written to the new tables since is not replaced.
    """
    settings = read_settings()
    if settings.store:
        return asyncio.run(_migrate_tables(settings, source, dry_run=dry_run, as_json=json_))
    if source is not None:
        raise InvalidInput(
            "--from", source, reason=f"{source!r} is for a store on AWS", allowed="no table without STRATIGOS_STORE"
        )
    asyncio.run(_migrate_home(settings, dry_run=dry_run, as_json=json_))
    return DONE


async def _migrate_home(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    from store.sqlite.migrations import pending_migrations

    prepare_home(settings)
    path = settings.home / "store.sqlite"
    pending = pending_migrations(path) if path.exists() else []
    if not dry_run:
        async with open_configured_store(settings):
            pass
    if as_json:
        print(json.dumps({"home": str(settings.home), "migrations": pending, "dry_run": dry_run}))
    elif pending:
        print(f"{path}: {'would apply' if dry_run else 'applied'} {', '.join(pending)}")
    else:
        print(f"{path} has the schema of this version")


async def _migrate_tables(settings: Settings, source: str | None, *, dry_run: bool, as_json: bool) -> int:
    from store.aws.clients import connect
    from store.aws.migration import Migration
    from store.aws.tables import Tables

    prefix, _, _ = settings.store.removeprefix("dynamodb:").partition(",s3:")
    source = prefix if source is None else source
    with closing(connect("dynamodb")) as client, closing(Tables(client, prefix)) as tables:
        migration = Migration(tables, source)
        copied = await migration.copy(dry_run=dry_run)
        copies = await migration.verify()
    equal = all(copy.expected == copy.present for copy in copies)
    if as_json:
        print(json.dumps(_as_json(source, copied, copies, equal=equal, dry_run=dry_run)))
    else:
        _print(source, copied, copies, equal=equal, dry_run=dry_run)
    return DONE if equal or dry_run else FAULT


def _print(source: str, copied: "Copied", copies: "list[TableCopy]", *, equal: bool, dry_run: bool) -> None:
    print(f"{copied.items} items of {source} {'would be' if dry_run else 'were'} copied")
    if copied.newer:
        print(f"{copied.newer} records have been written since, and stay as they are")
    for copy in copies:
        state = "equal" if copy.expected == copy.present else "different"
        print(
            f"{copy.name}: {state}; {copy.expected.items} items expected, digest {copy.expected.digest}; "
            f"{copy.present.items} present, digest {copy.present.digest}"
        )
    if not equal and not dry_run:
        print("The tables differ from the source: the program has written to one of them since, or the copy failed")


def _as_json(
    source: str, copied: "Copied", copies: "list[TableCopy]", *, equal: bool, dry_run: bool
) -> dict[str, object]:
    tables = [
        {
            "name": copy.name,
            "expected": {"items": copy.expected.items, "digest": copy.expected.digest},
            "present": {"items": copy.present.items, "digest": copy.present.digest},
        }
        for copy in copies
    ]
    return {
        "source": source,
        "dry_run": dry_run,
        "copied": copied.items,
        "newer": copied.newer,
        "equal": equal,
        "tables": tables,
    }
