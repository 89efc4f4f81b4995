"""`audit`: what the audit log says, and whether it is what was written."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import AsJson
from api.settings import Settings, read_settings
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from desk.governance.audit_log import Link, LogEntry
    from desk.governance.audit_verification import Verification

PAGE = 1000


def register(app: typer.Typer) -> None:
    audit = typer.Typer(help="The audit log.", rich_markup_mode="rich", no_args_is_help=True)
    audit.command()(verify)
    audit.command(name="list")(list_)
    audit.callback()(_audit)
    app.add_typer(audit, name="audit")


def _audit() -> None:
    """Who changed what and who took what away."""


def verify(
    *,
    expect: Annotated[
        str | None, typer.Option(metavar="NUMBER:HASH", help="An entry and its hash, as an earlier verification told.")
    ] = None,
    keyed_after: Annotated[
        int, typer.Option(metavar="NUMBER", min=0, help="The last entry from before STRATIGOS_AUDIT_KEY was set.")
    ] = 0,
    json_: AsJson = False,
) -> int:
    """Look at every entry (exit code 1 when one was changed, removed or moved; it is named)."""
    expected = [] if expect is None else [_link(expect)]
    found, runs = asyncio.run(_verified(read_settings(), keyed_after, expected))
    if json_:
        print(found.model_dump_json())
    else:
        _tell(found)
    if runs and not found.entries and found.fault is None:
        print("The audit log is empty although there are runs", file=sys.stderr)
    return 0 if found.fault is None else 1


def list_(
    *,
    owner: Annotated[str | None, typer.Option(help="What this one did.")] = None,
    after: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Entries after this one.")] = 0,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON, an entry a line.")] = False,
) -> int:
    """List what was done, the newest last; into a pipe a line an entry, with tabs between its columns."""
    asyncio.run(_list(read_settings(), owner, after, as_json=json_))
    return 0


async def _verified(settings: Settings, keyed_after: int, expected: "list[Link]") -> "tuple[Verification, bool]":
    """What is found, and whether there is anything that somebody has run."""
    from api.app import opened_store
    from api.home import prepare_home
    from desk.base.owners import list_owners
    from desk.governance.audit_verification import verify

    prepare_home(settings)
    async with opened_store(settings) as store:
        found = await verify(store, settings.audit_key, keyed_after=keyed_after, expected_links=expected)
        return found, bool(await list_owners(store))


def _tell(found: "Verification") -> None:
    from api.cli.terminal import plain

    last = f"entry {found.entries} of {plain(found.at or 'no time')}"
    if found.fault is None:
        if found.entries:
            print(f"The audit log is whole: {found.entries} entries, the last of {plain(found.at or 'no time')}")
            print(f"Head {found.entries}:{found.hash}")
        else:
            print("The audit log is empty")
        return
    fault = found.fault
    which = f"Entry {fault.number}" if fault.number else "The head of the log"
    says = f" (it says that it is of {fault.at})" if fault.at else ""
    print(plain(f"{which}{says}: {fault.wrong}"))
    print(f"{last} is the last that is what was written" if found.entries else "No entry before it")
    print(f"{fault.following} entries follow, of which nothing can be said")


async def _list(settings: Settings, owner: str | None, after: int, *, as_json: bool) -> None:
    from rich.table import Table

    from api.cli.terminal import plain, stdout

    console = stdout()
    table = Table(box=None, pad_edge=False)
    for heading in ("Entry", "At (UTC)", "Who", "Via", "What", "Object", "From", "Outcome"):
        table.add_column(heading, overflow="fold")
    some = False
    async with aclosing(_entries(settings, after)) as entries:
        async for entry in entries:
            if owner is not None and entry.owner != owner:
                continue
            some = True
            if as_json:
                sys.stdout.write(entry.model_dump_json() + "\n")
            elif console.is_terminal:
                table.add_row(*map(plain, _columns(entry)))
            else:
                sys.stdout.write("\t".join(map(plain, _columns(entry))) + "\n")
    if not some:
        which = f" of {plain(owner)}" if owner is not None else ""
        print(f"no entry{which}{f' after entry {after}' if after else ''}", file=sys.stderr)
    elif console.is_terminal and not as_json:
        console.print(table)


def _columns(entry: "LogEntry") -> tuple[str, ...]:
    outcome = "begun" if entry.begun is None else f"{entry.outcome} (of {entry.begun})"
    at = entry.at.strftime("%Y-%m-%d %H:%M:%S")
    return str(entry.number), at, entry.owner, entry.via, entry.action, entry.object, entry.address, outcome


async def _entries(settings: Settings, after: int) -> "AsyncGenerator[LogEntry]":
    from api.app import opened_store
    from api.home import prepare_home
    from desk.governance.audit_log import AuditLog

    prepare_home(settings)
    async with opened_store(settings) as store:
        log = AuditLog(store)
        following: int | None = after
        while following is not None:
            page, following = await log.page(following, PAGE)
            for entry in page:
                yield entry


def _link(text: str) -> "Link":
    from desk.governance.audit_log import Link

    if not re.fullmatch("[0-9]{1,15}:[0-9a-f]{64}", text):
        raise InvalidInput("--expect", text, allowed="NUMBER:HASH, as an earlier verification told it")
    number, _, hash_ = text.partition(":")
    return Link(int(number), hash_)
