"""`trace`: the events of a run as a tree."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.dependencies import with_dependencies
from api.cli.exit_codes import DONE
from api.cli.options import AsJson
from api.cli.output.tree import draw, totals, tree
from api.cli.terminal import stdout
from api.settings import Settings

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies


def register(app: typer.Typer) -> None:
    app.command()(trace)


def trace(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run as in `show`, or the id of a conversation, for all of its turns."),
    ],
    *,
    all_: Annotated[bool, typer.Option("--all", help="Show each trial and each claim.")] = False,
    json_: AsJson = False,
) -> int:
    """Draw the events of a run as a tree: every step, agent and call, with its time and cost."""

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        # imported here, since it reads the store
        from api.cli.runs.lookup import find_logs, logs_of

        for id_ in await find_logs(dependencies.store, settings.owner, run):
            logs, goals = await logs_of(dependencies.store, settings.owner, id_)
            if json_:
                for event in logs.get(id_, ()):
                    print(event.model_dump_json())
            elif not logs:
                print(f"Run {id_} has no events yet.")
            else:
                draw(stdout(), tree(logs, id_, goals=goals, whole=all_))
                print(totals(logs))
        return DONE

    return with_dependencies(answer)
