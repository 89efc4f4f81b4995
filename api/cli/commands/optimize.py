"""`optimize`: ask for a strategy, or go on with a run that did not finish."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from api.cli import options
from api.settings import Settings, read_settings, server_at
from desk.base.errors import InvalidInput, UserError
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from store.errors import Unavailable

if TYPE_CHECKING:
    from api.cli.commands.approve import Waiting
    from graphs.dependencies import Dependencies

STARTED = time.monotonic()

_EPILOG = """
Examples:

    python -m api optimize

    python -m api optimize --target-vol 0.12 --max-drawdown 0.20 --trials 200

    python -m api optimize --universe stocks:AAPL,MSFT,XOM --weight-function inverse_vol --weight-function cppi

    python -m api optimize --prices mine.csv --scenarios base_case,bear_market --paths 5000 --seed 7

    python -m api optimize --request request.json --trials 50

Percentages are fractions: 10% is written 0.10. Results go to stdout, progress to stderr.
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=_EPILOG)(optimize)


def parsed(arguments: Sequence[str]) -> OptimizationRequest:
    """The request that a command line asks for; nothing is executed."""
    own = typer.Typer(add_completion=False)
    register(own)
    found: list[OptimizationRequest] = []

    def take(given: Mapping[str, Any], file: str | None, resume: str | None, *, as_json: bool) -> int:
        from api.cli.request_options import request_from

        for name, value in (("--resume", resume), ("--json", as_json or None)):
            if value is not None:
                raise InvalidInput(name, value, reason="is no part of a request", allowed="without it")
        found.append(request_from(given, file))
        return 0

    typer.main.get_command(own).main(list(arguments), prog_name="optimize", standalone_mode=False, obj=take)
    return found[0]


def optimize(
    context: typer.Context,
    *,
    name: options.Name = None,
    universe: options.Universe = None,
    prices: options.Prices = None,
    price_index: options.PriceIndex = False,
    calendar: options.Calendar = None,
    dividend_yield: options.DividendYield = None,
    cash_rate: options.CashRate = None,
    target_vol: options.TargetVol = None,
    min_weight: options.MinWeight = None,
    max_weight: options.MaxWeight = None,
    risk_aversion: options.RiskAversion = None,
    cost_bps: options.CostBps = None,
    borrow_spread_bps: options.BorrowSpread = None,
    decision_lag: options.DecisionLag = None,
    max_change: options.MaxChange = None,
    expected_premium: options.Premium = None,
    max_drawdown: options.MaxDrawdown = None,
    drawdown_tolerance: options.Tolerance = None,
    var: options.Var = None,
    expected_shortfall: options.Shortfall = None,
    max_turnover: options.MaxTurnover = None,
    max_cost_bps: options.MaxCost = None,
    max_leverage: options.MaxLeverage = None,
    weight_function: options.WeightFunctions = None,
    estimator: options.Estimators = None,
    lookback: options.Lookbacks = None,
    lookback_months: options.LookbackMonths = None,
    decay: options.Decays = None,
    rebalancing: options.Rebalancings = None,
    no_trade_band: options.Bands = None,
    free: options.Free = None,
    scenarios: options.Scenarios = None,
    engine: options.Engine = None,
    premium_power: options.PremiumPower = None,
    paths: options.Paths = None,
    years: options.Years = None,
    trials: options.Trials = None,
    goal: options.Goal = None,
    stopping: options.Stopping = None,
    seed: options.Seed = None,
    request: options.RequestFile = None,
    resume: options.Resume = None,
    warm: options.Warm = False,
    server: options.Server = None,
    json_: options.Json = False,
) -> int:
    """Search strategies for a mandate, judge the best of them for luck, and explain it."""
    given = {name: value for name, value in locals().items() if value is not None and value is not False}
    for own in ("context", "request", "resume", "warm", "server", "json_"):
        given.pop(own, None)
    if resume is not None and (given or request is not None or warm):
        raise InvalidInput(
            "--resume",
            resume,
            reason="the run has its request already",
            allowed="--resume alone, or with --json",
        )
    if context.obj is not None:  # somebody wants to know what is asked
        for name, value in (("--server", server), ("--warm", warm or None)):
            if value is not None:
                raise InvalidInput(name, value, reason="is no part of a request", allowed="without it")
        return context.obj(given, request, resume, as_json=json_)
    if url := server_at(server):
        from api.cli import server_runs as remote

        if warm:
            allowed = "without it, or a request file of `python -m api surrogate suggest`"
            raise InvalidInput("--warm", url, reason="looks at the trials of this home", allowed=allowed)
        return remote.optimize(url, given, request, resume, as_json=json_)
    from api.cli.commands.approve import settle

    settings = read_settings()
    waiting = asyncio.run(_optimize(settings, given, request, resume, warm=warm, as_json=json_))
    return settle(settings, waiting, as_json=json_)


async def _optimize(
    settings: Settings,
    given: Mapping[str, Any],
    file: str | None,
    resume: str | None,
    *,
    warm: bool,
    as_json: bool,
) -> "Waiting | None":
    from api.cli.request_options import called, request_from

    asked = None if resume else request_from(given, file)
    from api.app import create_dependencies
    from api.cli.run_lookup import find
    from api.models import maker_of
    from graphs.runs.creation import create_run

    models = maker_of(settings)()
    async with create_dependencies(settings, models) as dependencies:
        if asked is None:
            run = (await find(dependencies.store, settings.owner, resume or "")).id
            print(f"Resuming run {run}, agents driven by {models.name}", file=sys.stderr)
        else:
            try:
                run = await create_run(
                    dependencies, settings.owner, await _warmed(settings, dependencies, asked) if warm else asked
                )
            except InvalidInput as error:
                raise called(error, by_options=file is None) from error
        return await follow(settings, dependencies, run, as_json=as_json)


async def _warmed(settings: Settings, dependencies: "Dependencies", asked: OptimizationRequest) -> OptimizationRequest:
    from api.cli.commands.surrogate import tell as tell_source
    from graphs.runs.surrogates import warm

    found = await warm(dependencies, settings.owner, asked)
    tell_source(found.surrogate, len(found.request.start))
    return found.request


async def follow(settings: Settings, dependencies: "Dependencies", run: str, *, as_json: bool) -> "Waiting | None":
    """Execute the run, show what happens and print its result; or tell what it waits for."""
    from api.cli.commands.approve import waiting_for
    from api.cli.output.progress import Reporter
    from api.cli.run_lookup import finished
    from api.cli.terminal import stderr
    from api.export.reporting import report, report_path, write
    from desk.runs.repository import Cancelled
    from graphs.jobs.remote import carried_out
    from graphs.runs.computations import computation_of

    if dependencies.jobs.machines.kind == "ray":
        print("Its search is computed on a Ray cluster (STRATIGOS_COMPUTE)", file=sys.stderr)
    timer = _compilations()
    try:
        with Reporter(stderr()) as reporter:
            async for event in carried_out(dependencies, settings.owner, run):
                reporter.show(event)
    except (KeyboardInterrupt, asyncio.CancelledError, Unavailable) as error:
        stopped = "It stopped" if isinstance(error, Unavailable) else "Interrupted"
        told = f"{stopped}; finished trials are kept: python -m api optimize --resume {run}"
        known = await computation_of(dependencies.store, settings.owner, run)
        if known is not None:
            place = "is computed elsewhere and goes on" if known.submitted else "may not have begun elsewhere"
            told = (
                f"Run {run} {place}; come back: python -m api optimize --resume {run}; "
                f"end it: python -m api cancel {run}"
            )
        print(told, file=sys.stderr)
        raise
    except Cancelled as error:
        resume = f"python -m api optimize --resume {run}"
        raise UserError(f"run: {run} was cancelled; expected to go on with it ({resume})") from error
    if waiting := await waiting_for(dependencies, settings.owner, run):
        return waiting
    result = await finished(dependencies.store, settings.owner, run)
    path = report_path(settings, run)
    write(path, await report(dependencies.store, settings.owner, run, result))
    compiled = timer.duration if timer.done else 0.0
    seconds = {"wall": time.monotonic() - STARTED - compiled, "compilation": compiled}
    apart = f"; kernels compiled in {compiled:.1f} s apart" if compiled else "; kernels came from the cache"
    tell(result, run, str(path), seconds, f"imports and report included{apart}", as_json=as_json)
    return None


def _compilations() -> Any:
    """A timer of what numba compiles from now on; loading a kernel from the cache is not compiling."""
    from numba.core import event

    timer = event.TimingListener()
    event.register("numba:compile", timer)
    return timer


def tell(
    result: OptimizationResult, run: str, path: str, seconds: dict[str, float], included: str, *, as_json: bool
) -> None:
    """The result on stdout."""
    if as_json:
        partial = {"partial": result.partial} if result.partial else {}
        found = {**partial, "run": run, "report": path, "seconds": seconds, "result_digest": result.digest()}
        sys.stdout.write(json.dumps(found | {"result": result.model_dump(mode="json")}) + "\n")
        return
    from api.cli.output.summary import show
    from api.cli.terminal import stdout

    show(stdout(), result)
    print(f"Took {seconds['wall']:.1f} s, {included}")
    print(f"Run {run}")
    print(f"Report {path}")
    print(f"result digest: {result.digest()}")
