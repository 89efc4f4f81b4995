"""`optimize`: search for a strategy, or continue a run that did not finish."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from api.cli import options
from api.cli.command_line import CommandLine
from api.cli.exit_codes import DONE
from api.cli.following import follow_to_end
from api.cli.output.surrogates import print_starts
from api.cli.request_options import name_as_typed, request_from
from api.cli.runs.opening import open_runs
from api.cli.runs.port import Runs, Submission
from desk.base.errors import InvalidInput
from desk.optimization.request import OptimizationRequest

_EPILOG = """
Examples:

    python -m api optimize

    python -m api optimize --target-vol 0.12 --max-drawdown 0.20 --trials 200

    python -m api optimize --universe stocks:AAPL,MSFT,XOM --weight-function inverse_vol --weight-function cppi

    python -m api optimize --prices mine.csv --scenarios base_case,bear_market --paths 5000 --seed 7

    python -m api optimize --prices legs.csv --safe BOND

    python -m api optimize --request request.json --trials 50

Percentages are fractions: 10% is written 0.10. Results go to stdout, progress to stderr.
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=_EPILOG)(optimize)


def parse_request(arguments: Sequence[str]) -> OptimizationRequest:
    """The request that a command line asks for; nothing is executed."""
    parser = CommandLine(add_completion=False)
    register(parser)
    requests: list[OptimizationRequest] = []

    def take(values: Mapping[str, Any], file: str | None, resume: str | None, *, as_json: bool) -> int:
        for name, value in (("--resume", resume), ("--json", as_json or None)):
            if value is not None:
                raise InvalidInput(name, value, reason="is no part of a request", allowed="without it")
        requests.append(request_from(values, file))
        return DONE

    typer.main.get_command(parser).main(list(arguments), prog_name="optimize", standalone_mode=False, obj=take)
    return requests[0]


def optimize(
    context: typer.Context,
    *,
    name: options.Name = None,
    universe: options.Universe = None,
    prices: options.Prices = None,
    from_: options.From = None,
    to: options.To = None,
    training: options.Training = None,
    validation: options.Validation = None,
    price_index: options.PriceIndex = False,
    calendar: options.Calendar = None,
    dividend_yield: options.DividendYield = None,
    cash_rate: options.CashRate = None,
    cash: options.Cash = None,
    cash_day_count: options.CashDayCount = None,
    currency: options.Currency = None,
    exchange_rate: options.ExchangeRate = None,
    benchmark: options.Benchmark = None,
    safe: options.Safe = None,
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
    max_volatility_error: options.MaxVolatilityError = None,
    weight_function: options.WeightFunctions = None,
    estimator: options.Estimators = None,
    lookback: options.Lookbacks = None,
    lookback_months: options.LookbackMonths = None,
    decay: options.Decays = None,
    rebalancing: options.Rebalancings = None,
    no_trade_band: options.Bands = None,
    free: options.Free = None,
    scenarios: options.Scenarios = None,
    worlds: options.Worlds = None,
    engine: options.Engine = None,
    engine_parameters: options.EngineParameters = None,
    premium_power: options.PremiumPower = None,
    paths: options.Paths = None,
    years: options.Years = None,
    trials: options.Trials = None,
    goal: options.Goal = None,
    stopping: options.Stopping = None,
    max_minutes: options.MaxMinutes = None,
    max_dollars: options.MaxDollars = None,
    seed: options.Seed = None,
    request: options.RequestFile = None,
    resume: options.Resume = None,
    warm: options.Warm = False,
    server: options.Server = None,
    json_: options.Json = False,
) -> int:
    """Search strategies for a mandate, judge the best of them for luck, and explain it."""
    arguments = {name.rstrip("_"): value for name, value in locals().items()}  # `from` is a word of Python
    values = {name: value for name, value in arguments.items() if value is not None and value is not False}
    for own in ("context", "request", "resume", "warm", "server", "json"):
        values.pop(own, None)
    if resume is not None and (values or request is not None or warm):
        raise InvalidInput(
            "--resume",
            resume,
            reason="the run has its request already",
            allowed="--resume alone, or with --json",
        )
    if context.obj is not None:  # the caller of `parse_request` takes the request
        for name, value in (("--server", server), ("--warm", warm or None)):
            if value is not None:
                raise InvalidInput(name, value, reason="is no part of a request", allowed="without it")
        return context.obj(values, request, resume, as_json=json_)
    submitted = request_from(values, request) if resume is None else None
    with open_runs(server) as runs:
        run, notice = runs.resume(resume or "") if submitted is None else _submit(runs, submitted, request, warm=warm)
        return follow_to_end(runs, run, as_json=json_, notice=notice)


def _submit(runs: Runs, request: OptimizationRequest, file: str | None, *, warm: bool) -> Submission:
    if warm:
        start = runs.warm(request)
        print_starts(start.surrogate, len(start.request.start))
        request = start.request
    try:
        return runs.submit(request)
    except InvalidInput as error:
        raise name_as_typed(error, by_options=file is None) from error
