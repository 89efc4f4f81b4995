"""`audit`: the entries of the audit log, and the verification of its chain of hashes."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from api.app import open_configured_store
from api.cli.command_line import CommandLine
from api.cli.exit_codes import DONE, FAULT
from api.cli.options import AsJson
from api.cli.terminal import plain, stdout
from api.home import prepare_home
from api.settings import Settings, read_settings
from desk.base.errors import InvalidInput
from desk.governance.audit_chains import is_place

if TYPE_CHECKING:
    from desk.governance.audit_chains import Link
    from desk.governance.audit_entries import LogEntry
    from desk.governance.audit_verification import Verification

PAGE = 1000
MAX_UNANCHORED = 10


def register(app: typer.Typer) -> None:
    audit = CommandLine(help="The audit log.", rich_markup_mode="rich", no_args_is_help=True)
    audit.command()(verify)
    audit.command(name="list")(list_)
    audit.callback()(_audit)
    app.add_typer(audit, name="audit")


def _audit() -> None:
    """The audit log: who changed what, and who took data away."""


def verify(
    *,
    expect: Annotated[
        str | None,
        typer.Option(metavar="NUMBER:HASH", help="An anchor and its hash, as an earlier verification printed."),
    ] = None,
    keyed_after: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            min=0,
            help="The last entry of the single chain of earlier versions from before STRATIGOS_AUDIT_KEY was set.",
        ),
    ] = 0,
    keyed_since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="When STRATIGOS_AUDIT_KEY was set (UTC); earlier chains have none."),
    ] = None,
    json_: AsJson = False,
) -> int:
    """Verify every entry (exit code 1 if one was changed, removed or moved; the output names it)."""
    links = [] if expect is None else [_parse_link(expect)]
    verification, has_runs = asyncio.run(_verify(read_settings(), keyed_after, keyed_since, links))
    if json_:
        print(verification.model_dump_json())
    else:
        _print(verification)
    if has_runs and not verification.entries and verification.fault is None:
        print("The audit log is empty although there are runs", file=sys.stderr)
    return DONE if verification.fault is None else FAULT


def list_(
    *,
    owner: Annotated[str | None, typer.Option(help="Entries of this user.")] = None,
    after: Annotated[str | None, typer.Option(metavar="PLACE", help="Entries after the one at this place.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON, one entry per line.")] = False,
) -> int:
    """List the entries, newest last; into a pipe, one line per entry with tabs between its columns."""
    if after is not None and not is_place(after):
        raise InvalidInput("--after", after[:80], allowed="the place of an entry, as the first column shows it")
    asyncio.run(_list(read_settings(), owner, after, as_json=json_))
    return DONE


async def _verify(
    settings: Settings, keyed_after: int, keyed_since: datetime | None, links: "list[Link]"
) -> "tuple[Verification, bool]":
    """The verification, and whether any user has a run."""
    from desk.base.owners import list_owners
    from desk.governance.audit_verification import verify

    prepare_home(settings)
    async with open_configured_store(settings) as store:
        since = None if keyed_since is None else keyed_since.replace(tzinfo=UTC)
        verification = await verify(
            store, settings.audit_key, keyed_after=keyed_after, keyed_since=since, expected_links=links
        )
        return verification, bool(await list_owners(store))


def _print(verification: "Verification") -> None:
    entries, fault, at = verification.entries, verification.fault, plain(verification.at or "no time")
    if fault is None:
        if entries:
            print(f"The audit log is whole: {entries} entries in {verification.chains} chains, the last of {at}")
            if verification.anchors:
                print(f"Anchor {verification.anchors}:{verification.hash}")
            _print_unanchored(verification)
        else:
            print("The audit log is empty")
        return
    which = f"Entry {fault.number}" if fault.number else "The head"
    if fault.chain:
        which += f" of chain {fault.chain}"
    says = f" (it says that it is of {fault.at})" if fault.at else ""
    print(plain(f"{which}{says}: {fault.wrong}"))
    print(f"{entries} entries are verified, the last of {at}" if entries else "No entry is verified")
    print(f"{fault.following} entries follow in its chain, which cannot be verified")


def _print_unanchored(verification: "Verification") -> None:
    for number, part in enumerate(verification.unanchored):
        if number == MAX_UNANCHORED:
            print(f"and the ends of {len(verification.unanchored) - number} more chains")
            break
        chain = f" of chain {part.chain}" if part.chain else ""
        print(f"Not anchored yet: entries {part.first} to {part.last}{chain}")


async def _list(settings: Settings, owner: str | None, after: str | None, *, as_json: bool) -> None:
    console = stdout()
    table = Table(box=None, pad_edge=False)
    for heading in ("Entry", "At (UTC)", "Who", "Via", "What", "Object", "From", "Outcome"):
        table.add_column(heading, overflow="fold")
    any_entry = False
    async with aclosing(_entries(settings, after)) as entries:
        async for entry in entries:
            if owner is not None and entry.owner != owner:
                continue
            any_entry = True
            if as_json:
                sys.stdout.write(entry.model_dump_json() + "\n")
            elif console.is_terminal:
                table.add_row(*map(plain, _columns(entry)))
            else:
                sys.stdout.write("\t".join(map(plain, _columns(entry))) + "\n")
    if not any_entry:
        which = f" of {plain(owner)}" if owner is not None else ""
        print(f"no entry{which}{f' after entry {after}' if after else ''}", file=sys.stderr)
    elif console.is_terminal and not as_json:
        console.print(table)


def _columns(entry: "LogEntry") -> tuple[str, ...]:
    outcome = "begun" if entry.begun is None else f"{entry.outcome} (of {entry.begun})"
    at = entry.at.strftime("%Y-%m-%d %H:%M:%S")
    return entry.place, at, entry.owner, entry.via, entry.action, entry.object, entry.address, outcome


async def _entries(settings: Settings, after: str | None) -> "AsyncGenerator[LogEntry]":
    from desk.governance.audit_log import AuditLog

    prepare_home(settings)
    async with open_configured_store(settings) as store:
        log = AuditLog(store)
        while True:
            page, after = await log.page(after, PAGE)
            for entry in page:
                yield entry
            if after is None:
                return


def _parse_link(text: str) -> "Link":
    from desk.governance.audit_chains import Link

    if not re.fullmatch("[0-9]{1,15}:[0-9a-f]{64}", text):
        raise InvalidInput("--expect", text, allowed="NUMBER:HASH, as an earlier verification printed it")
    number, _, hash_ = text.partition(":")
    return Link(int(number), hash_)
