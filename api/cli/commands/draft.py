"""`draft`: save, list, show, submit and delete drafts of optimizations."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from api.accepted_values import input_error
from api.cli.command_line import CommandLine
from api.cli.exit_codes import DONE
from api.cli.following import follow_to_end
from api.cli.options import AsJson, Json, Server
from api.cli.request_options import read_request_file
from api.cli.runs.opening import open_runs
from api.cli.terminal import plain, stdout
from api.draft_forms import DraftFields, DraftForm

DraftName = Annotated[str, typer.Argument(metavar="DRAFT", help="The id of a draft, its unique beginning, or `last`.")]


def register(app: typer.Typer) -> None:
    draft = CommandLine(help="Drafts of optimizations.", rich_markup_mode="rich", no_args_is_help=True)
    for command in (save, show, submit, delete):
        draft.command()(command)
    draft.command(name="list")(list_)
    draft.callback()(_drafts)
    app.add_typer(draft, name="draft")


def _drafts() -> None:
    """Requests that are saved before they are complete, and submitted later."""


def save(
    *,
    request: Annotated[
        str,
        typer.Option("--request", metavar="FILE", help="JSON object of request fields; any may be absent or invalid."),
    ],
    draft: Annotated[
        str | None, typer.Option("--draft", metavar="DRAFT", help="Replace the fields of this draft.")
    ] = None,
    server: Server = None,
    json_: AsJson = False,
) -> int:
    """Save a request that may be incomplete, and say what is still wrong with it."""
    try:
        fields = DraftFields.model_validate(read_request_file(Path(request)))
    except ValidationError as error:
        raise input_error(error) from error
    with open_runs(server) as runs:
        _print(runs.save_draft(fields, draft), as_json=json_)
    return DONE


def list_(*, server: Server = None, json_: AsJson = False) -> int:
    """List your drafts, newest first."""
    with open_runs(server) as runs:
        drafts = runs.drafts()
    if json_:
        print(json.dumps([draft.model_dump(mode="json") for draft in drafts]))
        return DONE
    if not drafts:
        print("No draft yet: python -m api draft save --request FILE makes one.")
        return DONE
    table = Table(box=None, pad_edge=False)
    for heading in ("Draft", "State", "Edited (UTC)", "Expires (UTC)", "Name"):
        table.add_column(heading, no_wrap=heading in ("Draft", "State"))
    for draft in drafts:
        times = (time.strftime("%Y-%m-%d %H:%M") for time in (draft.edited_at, draft.expires_at))
        table.add_row(draft.id[:12], draft.state, *times, plain(draft.name))
    stdout().print(table)
    return DONE


def show(draft: DraftName, *, server: Server = None, json_: AsJson = False) -> int:
    """Show a draft, and what is still wrong with it."""
    with open_runs(server) as runs:
        form = runs.draft(draft)
    if not json_:
        print(plain(json.dumps(form.request, indent=2, ensure_ascii=False)))
    _print(form, as_json=json_)
    return DONE


def submit(draft: DraftName, *, server: Server = None, json_: Json = False) -> int:
    """Submit a draft as an optimization with the same id, and follow it to its end."""
    with open_runs(server) as runs:
        run, notice = runs.submit_draft(draft)
        return follow_to_end(runs, run, as_json=json_, notice=notice)


def delete(draft: DraftName, *, server: Server = None) -> int:
    """Delete a draft."""
    with open_runs(server) as runs:
        print(f"Draft {runs.delete_draft(draft)} is deleted", file=sys.stderr)
    return DONE


def _print(form: DraftForm, *, as_json: bool) -> None:
    if as_json:
        print(form.model_dump_json())
        return
    print(f"Draft {form.id}" + (" has expired" if form.state == "expired" else ""))
    for problem in form.problems:
        print(plain(f"  {problem.describe()}"))
    print(
        f"{len(form.problems)} to correct before it can be submitted"
        if form.problems
        else f"It can be submitted: python -m api draft submit {form.id[:12]}"
    )
