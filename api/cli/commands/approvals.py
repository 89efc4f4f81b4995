"""`approvals`: what waits for a person, whoever asked."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import options
from api.settings import read_settings, server_at
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from api.settings import Settings
    from desk.governance.approval_requests import Question, StoredQuestion

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def approvals(*, server: options.Server = None, json_: AsJson = False) -> int:
    """List what waits for your decision, at a server also what others have asked; the newest first."""
    settings = read_settings()
    if url := server_at(server):
        from api.cli.server_runs import client_of

        with client_of(url) as client:
            questions = list(client.approvals())
        return _told(questions, [one.id[:12] for one in questions], f" --server {url}", as_json=json_)
    if settings.auth:
        allowed = "--server with its address, and your key in STRATIGOS_KEY"
        raise InvalidInput(
            "--server", None, reason="people sign in here, and a terminal does not tell who", allowed=allowed
        )
    filed = asyncio.run(_filed(settings))
    return _told([one.question for one in filed], [one.run[:12] for one in filed], "", as_json=json_)


async def _filed(settings: "Settings") -> "list[StoredQuestion]":
    from api.app import opened_store
    from api.home import prepare_home
    from desk.governance.approval_requests import question_page
    from desk.governance.principals import Principal
    from desk.governance.roles import ROLES

    prepare_home(settings)
    person = Principal(owner=settings.owner, roles=ROLES)
    async with opened_store(settings) as store:
        return (await question_page(store, person, frozenset(), after=None, limit=1000))[0]


def _told(questions: "Sequence[Question]", names: Sequence[str], there: str, *, as_json: bool) -> int:
    from rich.table import Table

    from api.cli.output.progress import wanted
    from api.cli.terminal import plain, stdout

    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in questions]))
        return 0
    if not questions:
        print("Nothing waits for your decision.")
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("Question" if there else "Run", "Asked (UTC)", "By", "Name", "What"):
        table.add_column(heading, no_wrap=heading in ("Question", "Run"))
    for one, name in zip(questions, names, strict=True):
        asked = one.asked.at.strftime("%Y-%m-%d %H:%M")
        table.add_row(name, asked, one.owner, plain(one.name), wanted(one.asked))
    stdout().print(table)
    holdout = "" if there else " (--holdout for a holdout)"
    print(
        f"Decide: python -m api approve {'QUESTION' if there else 'RUN'}{there}{holdout}, or reject with --reason TEXT"
    )
    return 0
