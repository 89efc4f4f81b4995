"""The commands on surrogates: `surrogate fit`, `list`, `predict` and `suggest`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from api.cli.dependencies import with_dependencies
from api.cli.options import AsJson
from api.cli.output.surrogates import print_starts
from api.settings import Settings
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from desk.optimization.request import OptimizationRequest
    from desk.runs.repository import Run
    from desk.surrogates.schemas import HeldOut, Predicted, Surrogate, Target
    from graphs.dependencies import Dependencies
    from quant.strategies.config import StrategyConfig

LARGEST = 100_000
BPS = 1e4
Problem = Annotated[
    str,
    typer.Argument(metavar="[RUN]", help="A run of the problem: its id, the beginning of it, or `last`."),
]
RequestFile = Annotated[
    str | None,
    typer.Option("--request", help="A JSON file with a request, whose problem is meant instead.", metavar="FILE"),
]


def register(app: typer.Typer) -> None:
    surrogate = typer.Typer(
        help="Models of the evaluation, fitted on stored trials.", rich_markup_mode="rich", no_args_is_help=True
    )
    surrogate.command()(fit)
    surrogate.command(name="list")(list_)
    surrogate.command()(predict)
    surrogate.command()(suggest)
    surrogate.callback()(_surrogate)
    app.add_typer(surrogate, name="surrogate")


def _surrogate() -> None:
    """Models of the evaluation, fitted on stored trials: they point a search and answer at once, with an interval."""


def fit(run: Problem = "last", *, json_: AsJson = False) -> int:
    """Fit the trials of all runs of a run's problem, and keep the next version with its error on held-out trials.

    Those of a `pipeline run` are in no run: its option --training fits them, with those of the runs.
    """

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs.surrogates import fit_surrogate

        found = await _found(settings, dependencies, run)
        made = await fit_surrogate(dependencies, settings.owner, found.id)
        if json_:
            print(made.model_dump_json())
            return 0
        print(
            f"Version {made.version} of the problem {made.problem[:12]}: {made.trials} trials, {made.screened} screened"
        )
        _show_errors(made.held_out)
        if not made.held_out["objective"].beats_mean:
            print("On trials that it has not seen it is no better than their mean: more trials may help.")
        return 0

    return with_dependencies(answer)


def list_(*, json_: AsJson = False) -> int:
    """List every version, newest first."""

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from desk.surrogates.registry import surrogates

        return _list(await surrogates(dependencies.store, settings.owner), as_json=json_)

    return with_dependencies(answer)


def predict(
    run: Problem = "last",
    *,
    config: Annotated[
        str, typer.Option("--config", help="A JSON file with the configuration, or the JSON itself.", metavar="CONFIG")
    ],
    request: RequestFile = None,
    json_: AsJson = False,
) -> int:
    """Predict what an evaluation of a configuration would say, with a 95% interval; nothing is computed."""
    wanted = _config(config)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs.surrogates import predict as predicted

        asked = await _asked(settings, dependencies, run, request)
        found = await predicted(dependencies, settings.owner, wanted, request=asked)
        if json_:
            print(found.model_dump_json())
        else:
            _show(found)
        return 0

    return with_dependencies(answer)


def suggest(
    run: Problem = "last",
    *,
    count: Annotated[int | None, typer.Option("--count", help="Configurations to begin with.", metavar="N")] = None,
    request: RequestFile = None,
) -> int:
    """Print a request that begins with the best so far and the most promising: for `optimize --request`."""

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs.surrogates import warm

        found = await warm(dependencies, settings.owner, await _asked(settings, dependencies, run, request), count)
        print_starts(found.surrogate, len(found.request.start))
        print(found.request.model_dump_json(indent=2))
        return 0

    return with_dependencies(answer)


async def _asked(settings: Settings, dependencies: "Dependencies", run: str, file: str | None) -> "OptimizationRequest":
    from api.cli.request_options import request_from

    if file is not None:
        return request_from({}, file)
    return (await _found(settings, dependencies, run)).request


async def _found(settings: Settings, dependencies: "Dependencies", run: str) -> "Run":
    from api.cli.runs.lookup import find
    from desk.runs.repository import list_runs

    try:
        return await find(dependencies.store, settings.owner, run)
    except InvalidInput as error:
        if error.code != "no_such_run" or await list_runs(dependencies.store, settings.owner):
            raise
        steps = "`python -m api optimize` makes one, and `python -m api surrogate fit` then fits its trials"
        raise InvalidInput("RUN", run, reason="there is no run yet", allowed=steps, code=error.code) from error


def _config(text: str) -> "StrategyConfig":
    from api.accepted_values import refuse
    from desk.optimization.request import OptimizationRequest

    typed = text.lstrip().startswith(("{", "["))
    if not text.strip():
        raise InvalidInput("--config", text, reason="it is empty", allowed="a JSON file, or JSON")
    try:
        content = json.loads(text if typed else _read(Path(text)))
    except (ValueError, RecursionError) as error:
        raise InvalidInput("--config", text, reason=f"{text[:80]} is no JSON", allowed="a JSON object") from error
    try:
        return OptimizationRequest.model_validate({"current_rule": content}).current_rule
    except ValidationError as error:
        raise refuse(error, lambda path: path.replace("current_rule", "config", 1)) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror}"
        raise InvalidInput("--config", str(path), reason=reason, allowed="a JSON file, or JSON") from error


def _list(found: "list[Surrogate]", *, as_json: bool) -> int:
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found]))
        return 0
    if not found:
        print("No surrogate yet: python -m api surrogate fit makes one of the trials of your last run.")
        return 0
    from rich.table import Table

    from api.cli.terminal import plain, stdout

    table = Table(box=None, pad_edge=False)
    for heading in ("Problem", "Version", "Made (UTC)", "Trials", "Error (bps)", "Naive (bps)", "Universe", "Name"):
        table.add_column(heading, no_wrap=heading in ("Problem", "Version"))
    for one in found:
        error = one.held_out["objective"]
        table.add_row(
            one.problem[:12],
            str(one.version),
            one.made_at.strftime("%Y-%m-%d %H:%M"),
            str(one.trials),
            f"{error.rmse_bps:.1f}",
            f"{error.naive_bps:.1f}",
            plain(one.universe),
            plain(one.name),
        )
    stdout().print(table)
    return 0


def _show_errors(held_out: "Mapping[Target, HeldOut]") -> None:
    from rich.table import Table

    from api.cli.terminal import stdout

    table = Table(box=None, pad_edge=False)
    for heading in ("On held-out trials", "Trials", "Error (bps)", "Naive (bps)", "R²", "In the interval", "Widened"):
        table.add_column(heading, justify="left" if heading.startswith("On") else "right")
    for target, error in held_out.items():
        table.add_row(
            target.replace("_", " "),
            str(error.trials),
            f"{error.rmse_bps:.1f}",
            f"{error.naive_bps:.1f}",
            f"{error.r_squared:.2f}",
            f"{error.coverage:.0%}",
            f"x {error.widened:.2f}",
        )
    stdout().print(table)


def _show(found: "Predicted") -> None:
    from rich.table import Table

    from api.cli.terminal import stdout

    print(f"PREDICTED, not computed: version {found.version} of {found.problem[:12]}, {found.trials} trials")
    if found.tried:
        print("The configuration is one of these trials: its evaluation is stored.")
    table = Table(box=None, pad_edge=False)
    for heading in ("", "Predicted", "95% from", "to", "Error on held-out trials (bps)"):
        table.add_column(heading, justify="right" if heading else "left")
    for one in found.values:
        table.add_row(
            one.target.replace("_", " "),
            *(f"{BPS * value:.1f} bps" for value in (one.value, one.low, one.high)),
            f"{one.held_out.rmse_bps:.1f}",
        )
    stdout().print(table)
