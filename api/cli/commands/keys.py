"""`keys`: create, list and revoke API keys."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from pydantic import ValidationError
from rich.table import Table

from api.app import open_configured_store
from api.cli.command_line import CommandLine
from api.cli.exit_codes import DONE
from api.cli.terminal import plain, stdout
from api.home import prepare_home
from api.http.identity import api_keys
from api.operations.audit import audited_command
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
    keys = CommandLine(help="API keys.", rich_markup_mode="rich", no_args_is_help=True)
    for command in (create, revoke):
        keys.command()(command)
    keys.command(name="list")(list_)
    keys.callback()(_keys)
    app.add_typer(keys, name="keys")


def _keys() -> None:
    """API keys, with which people and programs sign in if STRATIGOS_AUTH includes keys."""


def create(
    *,
    owner: Annotated[str, typer.Option("--owner", metavar="NAME", help="The user that the key signs in.")],
    role: Annotated[
        list[str], typer.Option("--role", metavar="ROLE", help=f"One of {', '.join(ROLES)}; may be repeated.")
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="PERMISSION",
            help="A permission of the role, such as research:read, to which the key is limited; may be repeated.",
        ),
    ] = None,
    expires_days: Annotated[
        int, typer.Option("--expires-days", min=1, max=api_keys.MAX_DAYS, help="Days until the key expires.")
    ] = api_keys.DEFAULT_DAYS,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="The purpose of the key.")] = "",
) -> int:
    """Create a key and print it once; only its hash is stored."""
    terms = _key_terms(owner=owner, roles=role, scopes=scope or None, note=note)

    async def answer(settings: Settings, store: "Store") -> int:
        async with _audited(settings, store, "create", terms.id):
            key, secret = await api_keys.create(store, terms, days=expires_days, now=utc_now())
        print(secret)
        expiry = f"{key.expires:%Y-%m-%d %H:%M} UTC"
        print(f"Key {key.id} of {key.owner} ({_allowed(key)}) is valid until {expiry}.", file=sys.stderr)
        print("It is printed only once; a client reads it from STRATIGOS_KEY.", file=sys.stderr)
        return DONE

    return _in_store(answer)


def list_(*, json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """List all keys, newest first, without their secrets."""

    async def answer(_: Settings, store: "Store") -> int:
        _print(await api_keys.list_keys(store), as_json=json_)
        return DONE

    return _in_store(answer)


def revoke(key: Annotated[str, typer.Argument(metavar="ID", help="The id that `keys list` shows.")]) -> int:
    """Revoke a key; it is refused within ten seconds."""

    async def answer(settings: Settings, store: "Store") -> int:
        async with _audited(settings, store, "revoke", key):
            revoked = await api_keys.revoke(store, key, now=utc_now())
        print(f"Key {revoked.id} of {revoked.owner} is revoked", file=sys.stderr)
        return DONE

    return _in_store(answer)


def _key_terms(**fields: Any) -> api_keys.KeyTerms:
    try:
        return api_keys.KeyTerms.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        option, allowed = {
            "owner": ("--owner", FORMS["STRATIGOS_OWNER"]),
            "roles": ("--role", ", ".join(ROLES)),
            "scopes": ("--scope", ", ".join(get_args(Permission))),
            "note": ("--note", "text of up to 200 characters"),
        }[str(first["loc"][0])]
        raise InvalidInput(option, first["input"], allowed=allowed) from error


def _print(keys: "list[ApiKey]", *, as_json: bool) -> None:
    now = utc_now()
    if as_json:
        print(
            json.dumps([key.model_dump(mode="json", exclude={"digest"}) | {"state": _state(key, now)} for key in keys])
        )
        return
    if not keys:
        print("No key yet: python -m api keys create --owner NAME --role portfolio-manager creates one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("Key", "State", "Expires (UTC)", "Owner", "May", "Note"):
        table.add_column(heading, no_wrap=heading in ("Key", "State", "Expires (UTC)"))
    for key in keys:
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


def _audited(settings: Settings, store: "Store", does: str, key: str) -> "AbstractAsyncContextManager[None]":
    """The user of this terminal acts for the owner of the home."""
    return audited_command(store, Principal(owner=settings.owner, roles=ROLES), f"keys.{does}", f"keys/{key}")


def _in_store(answer: "Callable[[Settings, Store], Awaitable[int]]") -> int:
    async def in_store() -> int:
        settings = read_settings()
        prepare_home(settings)
        async with open_configured_store(settings) as store:
            return await answer(settings, store)

    return asyncio.run(in_store())
