"""`keys`: who may sign in with an API key."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from pydantic import ValidationError

from api.http.identity import api_keys
from api.settings import FORMS, Settings, read_settings
from desk.base.clock import utc_now
from desk.base.errors import InvalidInput
from desk.governance.principals import Principal
from desk.governance.roles import ROLES, Permission

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from api.http.identity.api_keys import ApiKey
    from store.store import Store


def register(app: typer.Typer) -> None:
    keys = typer.Typer(help="API keys.", rich_markup_mode="rich", no_args_is_help=True)
    for command in (create, revoke):
        keys.command()(command)
    keys.command(name="list")(list_)
    keys.callback()(_keys)
    app.add_typer(keys, name="keys")


def _keys() -> None:
    """API keys, with which people and programs sign in where STRATIGOS_AUTH takes them."""


def create(
    *,
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="Whose desk the key opens.")],
    role: Annotated[
        list[str], typer.Option("--role", metavar="ROLE", help=f"One of {', '.join(ROLES)}; may be repeated.")
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="PERMISSION",
            help="All that the key may do of what the role permits, such as research:read; may be repeated.",
        ),
    ] = None,
    expires_days: Annotated[
        int, typer.Option("--expires-days", min=1, max=api_keys.MAX_DAYS, help="Days for which it holds.")
    ] = api_keys.DEFAULT_DAYS,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What it is for.")] = "",
) -> int:
    """Make a key, and print it this once: only its hash is kept."""
    terms = _terms(owner=owner, roles=role, scopes=scope or None, note=note)

    async def answer(settings: Settings, store: "Store") -> int:
        async with _told(settings, store, "create", terms.id):
            key, shown = await api_keys.create(store, terms, days=expires_days, now=utc_now())
        print(shown)
        told = f"Key {key.id} of {key.owner} ({_allowed(key)}) holds until {key.expires:%Y-%m-%d %H:%M} UTC."
        print(f"{told} It is shown this once; a client reads it from STRATIGOS_KEY.", file=sys.stderr)
        return 0

    return _in_store(answer)


def list_(*, json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """List all keys, newest first; none of them can be shown again."""

    async def answer(_: Settings, store: "Store") -> int:
        _show(await api_keys.list_keys(store), as_json=json_)
        return 0

    return _in_store(answer)


def revoke(key: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")]) -> int:
    """End a key: within ten seconds nobody is let in with it."""

    async def answer(settings: Settings, store: "Store") -> int:
        async with _told(settings, store, "revoke", key):
            ended = await api_keys.revoke(store, key, now=utc_now())
        print(f"Key {ended.id} of {ended.owner} is revoked", file=sys.stderr)
        return 0

    return _in_store(answer)


def _terms(**given: Any) -> api_keys.KeyTerms:
    try:
        return api_keys.KeyTerms.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        option, allowed = {
            "owner": ("--owner", FORMS["STRATIGOS_OWNER"]),
            "roles": ("--role", ", ".join(ROLES)),
            "scopes": ("--scope", ", ".join(get_args(Permission))),
            "note": ("--note", "text of up to 200 characters"),
        }[str(first["loc"][0])]
        raise InvalidInput(option, first["input"], allowed=allowed) from error


def _show(found: "list[ApiKey]", *, as_json: bool) -> None:
    import json

    from api.cli.terminal import plain, stdout

    now = utc_now()
    if as_json:
        print(
            json.dumps([key.model_dump(mode="json", exclude={"digest"}) | {"state": _state(key, now)} for key in found])
        )
        return
    if not found:
        print("No key yet: python -m api keys create --owner NAME --role portfolio-manager makes one.")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Key", "State", "Expires (UTC)", "Owner", "May", "Note"):
        table.add_column(heading, no_wrap=heading in ("Key", "State", "Expires (UTC)"))
    for key in found:
        expires = key.expires.strftime("%Y-%m-%d %H:%M")
        table.add_row(key.id, _state(key, now), expires, plain(key.owner), _allowed(key), plain(key.note))
    stdout().print(table)


def _state(key: "ApiKey", now: "datetime") -> str:
    if key.revoked is not None:
        return "revoked"
    return "expired" if key.expires <= now else "holds"


def _allowed(key: "ApiKey") -> str:
    roles = ", ".join(key.roles)
    return roles if key.scopes is None else f"{roles}: only {', '.join(key.scopes)}"


def _told(settings: Settings, store: "Store", does: str, key: str) -> "AbstractAsyncContextManager[None]":
    """In the audit log: whoever is at this terminal acts for the owner of the home."""
    from api.operations.audit import audited_command

    return audited_command(store, Principal(owner=settings.owner, roles=ROLES), f"keys.{does}", f"keys/{key}")


def _in_store(answer: "Callable[[Settings, Store], Awaitable[int]]") -> int:
    async def in_store() -> int:
        from api.app import opened_store
        from api.home import prepare_home

        settings = read_settings()
        prepare_home(settings)
        async with opened_store(settings) as store:
            return await answer(settings, store)

    return asyncio.run(in_store())
