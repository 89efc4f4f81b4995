"""`surrogate`: fit, list and use models of the evaluation."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from api.accepted_values import input_error
from api.cli.command_line import CommandLine
from api.cli.dependencies import with_dependencies
from api.cli.exit_codes import DONE
from api.cli.options import AsJson
from api.cli.output.surrogates import print_starts
from api.cli.request_options import request_from
from api.cli.terminal import plain, stdout
from api.settings import Settings
from desk.base.errors import InvalidInput
from desk.base.text import spaced
from desk.optimization.request import OptimizationRequest
from quant.numeric.units import BASIS_POINTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from desk.runs.repository import Run
    from desk.surrogates.schemas import HeldOut, Predicted, Surrogate, Target
    from graphs.dependencies import Dependencies
    from quant.strategies.config import StrategyConfig

LARGEST = 100_000
Problem = Annotated[
    str,
    typer.Argument(metavar="[RUN]", help="A run of the problem: its id, its unique beginning, or `last`."),
]
RequestFile = Annotated[
    str | None,
    typer.Option("--request", help="A JSON file with a request, which names the problem instead.", metavar="FILE"),
]


def register(app: typer.Typer) -> None:
    surrogate = CommandLine(
        help="Models of the evaluation, fitted on stored trials.", rich_markup_mode="rich", no_args_is_help=True
    )
    surrogate.command()(fit)
    surrogate.command(name="list")(list_)
    surrogate.command()(predict)
    surrogate.command()(suggest)
    surrogate.callback()(_surrogate)
    app.add_typer(surrogate, name="surrogate")


def _surrogate() -> None:
    """Models of the evaluation, fitted on stored trials: they suggest configurations and predict with an interval."""


def fit(run: Problem = "last", *, json_: AsJson = False) -> int:
    """Fit the trials of all runs of a problem, and store a version with its error on held-out trials.

    The trials of `pipeline run` belong to no run: its option --training fits them together with those of the runs.
    """

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs.surrogates import fit_surrogate

        id_ = (await _find(settings, dependencies, run)).id
        surrogate = await fit_surrogate(dependencies, settings.owner, id_)
        if json_:
            print(surrogate.model_dump_json())
            return DONE
        trials = f"{surrogate.trials} trials, {surrogate.screened} screened"
        print(f"Version {surrogate.version} of the problem {surrogate.problem[:12]}: {trials}")
        _print_errors(surrogate.held_out)
        if not surrogate.held_out["objective"].beats_mean:
            print("On held-out trials it is no better than their mean: more trials may help.")
        return DONE

    return with_dependencies(answer)


def list_(*, json_: AsJson = False) -> int:
    """List every version, newest first."""

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from desk.surrogates.registry import surrogates

        return _print_surrogates(await surrogates(dependencies.store, settings.owner), as_json=json_)

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
    """Predict the evaluation of a configuration, with a 95% interval, without computing it."""
    strategy = _read_config(config)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs import surrogates

        problem = await _load_request(settings, dependencies, run, request)
        prediction = await surrogates.predict(dependencies, settings.owner, strategy, request=problem)
        if json_:
            print(prediction.model_dump_json())
        else:
            _print_prediction(prediction)
        return DONE

    return with_dependencies(answer)


def suggest(
    run: Problem = "last",
    *,
    count: Annotated[int | None, typer.Option("--count", help="Number of first configurations.", metavar="N")] = None,
    request: RequestFile = None,
) -> int:
    """Print a request whose search starts with the best and the most promising configurations.

    `optimize --request` takes it.
    """

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs.runs.surrogates import warm_start

        problem = await _load_request(settings, dependencies, run, request)
        start = await warm_start(dependencies, settings.owner, problem, count)
        print_starts(start.surrogate, len(start.request.start))
        print(start.request.model_dump_json(indent=2))
        return DONE

    return with_dependencies(answer)


async def _load_request(
    settings: Settings, dependencies: "Dependencies", run: str, file: str | None
) -> OptimizationRequest:
    if file is not None:
        return request_from({}, file)
    return (await _find(settings, dependencies, run)).request


async def _find(settings: Settings, dependencies: "Dependencies", run: str) -> "Run":
    from api.cli.runs.lookup import find
    from desk.runs.repository import list_runs

    try:
        return await find(dependencies.store, settings.owner, run)
    except InvalidInput as error:
        if error.code != "no_such_run" or await list_runs(dependencies.store, settings.owner):
            raise
        steps = "`python -m api optimize` makes one, and `python -m api surrogate fit` then fits its trials"
        raise InvalidInput("RUN", run, reason="there is no run yet", allowed=steps, code=error.code) from error


def _read_config(text: str) -> "StrategyConfig":
    is_json = text.lstrip().startswith(("{", "["))
    if not text.strip():
        raise InvalidInput("--config", text, reason="it is empty", allowed="a JSON file, or JSON")
    try:
        content = json.loads(text if is_json else _read(Path(text)))
    except (ValueError, RecursionError) as error:
        raise InvalidInput("--config", text, reason=f"{text[:80]} is not JSON", allowed="a JSON object") from error
    try:
        return OptimizationRequest.model_validate({"current_rule": content}).current_rule
    except ValidationError as error:
        raise input_error(error, lambda path: path.replace("current_rule", "config", 1)) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror}"
        raise InvalidInput("--config", str(path), reason=reason, allowed="a JSON file, or JSON") from error


def _print_surrogates(versions: "list[Surrogate]", *, as_json: bool) -> int:
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in versions]))
        return DONE
    if not versions:
        print("No surrogate yet: python -m api surrogate fit fits one on the trials of your last run.")
        return DONE
    table = Table(box=None, pad_edge=False)
    for heading in ("Problem", "Version", "Made (UTC)", "Trials", "Error (bps)", "Naive (bps)", "Universe", "Name"):
        table.add_column(heading, no_wrap=heading in ("Problem", "Version"))
    for one in versions:
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
    return DONE


def _print_errors(held_out: "Mapping[Target, HeldOut]") -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("On held-out trials", "Trials", "Error (bps)", "Naive (bps)", "R²", "In the interval", "Widened"):
        table.add_column(heading, justify="left" if heading.startswith("On") else "right")
    for target, error in held_out.items():
        table.add_row(
            spaced(target),
            str(error.trials),
            f"{error.rmse_bps:.1f}",
            f"{error.naive_bps:.1f}",
            f"{error.r_squared:.2f}",
            f"{error.coverage:.0%}",
            f"x {error.widened:.2f}",
        )
    stdout().print(table)


def _print_prediction(prediction: "Predicted") -> None:
    source = f"version {prediction.version} of {prediction.problem[:12]}, {prediction.trials} trials"
    print(f"PREDICTED, not computed: {source}")
    if prediction.tried:
        print("The configuration is one of these trials: its evaluation is stored.")
    table = Table(box=None, pad_edge=False)
    for heading in ("", "Predicted", "95% from", "to", "Error on held-out trials (bps)"):
        table.add_column(heading, justify="right" if heading else "left")
    for one in prediction.values:
        table.add_row(
            spaced(one.target),
            *(f"{BASIS_POINTS * value:.1f} bps" for value in (one.value, one.low, one.high)),
            f"{one.held_out.rmse_bps:.1f}",
        )
    stdout().print(table)
