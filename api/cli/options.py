"""The options of `optimize`, one per field of a request, and the options that commands share.

Values stay text until the request is built, so that all errors are reported in one form.
"""

from typing import Annotated, Any

import typer

from api.accepted_values import accepted_values, split_path
from desk.optimization.request import VOLATILITY_TOLERANCE, OptimizationRequest

WHAT = "Data"
MANDATE = "Mandate (fixed, not searched)"
LIMITS = "Limits (a strategy that breaks one is not chosen)"
SPACE = "Strategies to search (repeat an option for several values; docs/strategies.md lists the defaults)"
WORLDS = "Scenarios"
EFFORT = "Search"
HOW = "Execution"

PATHS: dict[str, str] = {}
"""The field of the request that an option sets, by option."""

BLANK = OptimizationRequest()


def option(name: str, path: str, text: str, panel: str, default: str | None = None) -> Any:
    """An option with the range and the default of the field at `path`."""
    PATHS[name] = path
    default = default or _default(path)
    by_default = f"; {default} by default" if default else ""
    accepted = accepted_values(split_path(path)).removeprefix("one of ")
    return _described(name, f"{text} ({accepted}{by_default}).", panel, _metavar(path))


def _described(name: str, text: str, panel: str, metavar: str | None = None) -> Any:
    """An option whose help text states the default."""
    return typer.Option(name, help=text, show_default=False, rich_help_panel=panel, metavar=metavar)


def _default(path: str) -> str:
    value: Any = BLANK
    for step in split_path(path):
        value = getattr(value, step, None) if isinstance(step, str) else value[step]
    if value is None or isinstance(value, tuple):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metavar(path: str) -> str:
    text = accepted_values(split_path(path))
    if path == "space.lookback_days" or text.startswith("a whole number"):
        return "N"
    return "NAME" if text.startswith(("one of", "text")) else "X"


Name = Annotated[str | None, option("--name", "name", "Name of the run", WHAT)]
Universe = Annotated[
    str | None, option("--universe", "universe", "sp500, stocks, or some stocks: stocks:AAPL,MSFT", WHAT)
]
Prices = Annotated[
    str | None,
    typer.Option(
        "--prices",
        help="A CSV, Excel, Parquet or JSON file of daily prices, instead of a universe.",
        rich_help_panel=WHAT,
        metavar="FILE",
    ),
]
From = Annotated[str | None, option("--from", "first_day", "First day of the prices that is used", WHAT)]
To = Annotated[str | None, option("--to", "last_day", "Last day of the prices that is used", WHAT)]
Training = Annotated[
    str | None, option("--training", "split.training", "Share of the days, in time order, for training", WHAT)
]
Validation = Annotated[
    str | None,
    option("--validation", "split.validation", "Share of the days for validation; the others are the holdout", WHAT),
]
PriceIndex = Annotated[
    bool,
    _described("--price-index", "The price file excludes dividends, so that --dividend-yield accrues.", WHAT),
]
Calendar = Annotated[
    str | None,
    option("--calendar", "calendar", "Exchange of the price file's sessions, such as XNYS or XLON, or none", WHAT),
]
DividendYield = Annotated[
    str | None,
    option(
        "--dividend-yield",
        "dividend_yield",
        "Assumed yield a year of a price index",
        WHAT,
    ),
]
CashRate = Annotated[
    str | None,
    option("--cash-rate", "cash_rate_after", "Cash rate a year after the end of the bundled series", WHAT),
]
Cash = Annotated[
    str | None,
    option(
        "--cash",
        "cash",
        "What cash earns: bundled:US, the Treasury bill; a rate a year; or a series of rates in percent a year",
        WHAT,
    ),
]
CashDayCount = Annotated[
    str | None,
    option("--cash-day-count", "cash_day_count", "Days of a year by which the rate of --cash is quoted", WHAT),
]
Currency = Annotated[
    str | None, option("--currency", "currency", "Currency of the price file, such as EUR; USD is assumed", WHAT)
]
ExchangeRate = Annotated[
    str | None,
    option(
        "--exchange-rate",
        "exchange_rate",
        "A series named by its pair, such as EURUSD, that converts prices into the currency of the cash",
        WHAT,
    ),
]
Benchmark = Annotated[
    str | None,
    option("--benchmark", "benchmark", "A series, with dividends, that the winner is compared with on history", WHAT),
]
Safe = Annotated[
    str | None,
    option(
        "--safe",
        "safe",
        "Held beside the risky leg: cash, a bond index of the same prices (or NAME:ASSET), or yield:SERIES",
        WHAT,
    ),
]

TargetVol = Annotated[str | None, option("--target-vol", "mandate.target_volatility", "Annual volatility", MANDATE)]
MinWeight = Annotated[str | None, option("--min-weight", "mandate.min_weight", "Smallest risky weight", MANDATE)]
MaxWeight = Annotated[
    str | None,
    option("--max-weight", "mandate.max_weight", "Largest risky weight; above 1 with borrowing", MANDATE),
]
RiskAversion = Annotated[
    str | None,
    option("--risk-aversion", "mandate.risk_aversion", "Risk aversion of the utility", MANDATE),
]
CostBps = Annotated[
    str | None,
    option("--cost-bps", "mandate.transaction_cost_bps", "Cost of a trade in basis points", MANDATE),
]
BorrowSpread = Annotated[
    str | None,
    option(
        "--borrow-spread-bps",
        "mandate.borrow_spread_bps",
        "Cost of borrowing above cash in basis points a year",
        MANDATE,
    ),
]
DecisionLag = Annotated[
    str | None,
    option(
        "--decision-lag",
        "mandate.decision_lag",
        "Sessions between the last return used and the trade",
        MANDATE,
    ),
]
MaxChange = Annotated[
    str | None,
    option(
        "--max-change",
        "mandate.max_change",
        "Largest change of the weight per rebalancing",
        MANDATE,
    ),
]
Premium = Annotated[
    str | None,
    option(
        "--expected-premium",
        "mandate.expected_premium",
        "Excess return a year that merton assumes",
        MANDATE,
    ),
]

_BOUND = "limits.{}.bound"
MaxDrawdown = Annotated[
    str | None,
    option(
        "--max-drawdown",
        _BOUND.format("max_drawdown"),
        "Largest drawdown over the horizon",
        LIMITS,
    ),
]
Tolerance = Annotated[
    str | None,
    option(
        "--drawdown-tolerance",
        "limits.max_drawdown.tolerated",
        "Tolerated probability of a larger drawdown",
        LIMITS,
        "0.2",
    ),
]
Var = Annotated[
    str | None,
    option("--var", _BOUND.format("value_at_risk"), "95% loss over 21 sessions", LIMITS),
]
Shortfall = Annotated[
    str | None,
    option("--expected-shortfall", _BOUND.format("expected_shortfall"), "Mean loss beyond the 95% loss", LIMITS),
]
MaxTurnover = Annotated[
    str | None,
    option("--max-turnover", _BOUND.format("turnover"), "One-way turnover a year, as a multiple of wealth", LIMITS),
]
MaxCost = Annotated[
    str | None, option("--max-cost-bps", _BOUND.format("cost_bps"), "Costs in basis points a year", LIMITS)
]
MaxLeverage = Annotated[
    str | None,
    option("--max-leverage", _BOUND.format("leverage"), "Largest risky weight, as a multiple of wealth", LIMITS),
]
MaxVolatilityError = Annotated[
    str | None,
    option(
        "--max-volatility-error",
        _BOUND.format("volatility_error"),
        "Largest distance from the target volatility",
        LIMITS,
        f"for the goal benefit {VOLATILITY_TOLERANCE:.0%} of the target",
    ),
]

WeightFunctions = Annotated[
    list[str] | None,
    option("--weight-function", "space.weight_functions", "How the weight follows from volatility", SPACE),
]
Estimators = Annotated[list[str] | None, option("--estimator", "space.estimators", "Estimator of volatility", SPACE)]
Lookbacks = Annotated[
    list[str] | None,
    option(
        "--lookback",
        "space.lookback_days",
        "Window of the estimator in sessions; without --estimator only those with one",
        SPACE,
    ),
]
LookbackMonths = Annotated[
    list[str] | None,
    _described("--lookback-months", "Window of the estimator in months of 21 sessions (1 to 24).", SPACE, "N"),
]
Decays = Annotated[
    list[str] | None,
    option("--decay", "space.decay", "Daily decay of exponential estimators", SPACE),
]
Rebalancings = Annotated[
    list[str] | None, option("--rebalancing", "space.rebalancing", "Frequency of rebalancing", SPACE)
]
Bands = Annotated[
    list[str] | None,
    option("--no-trade-band", "space.no_trade_band", "Smallest change of the weight that is traded", SPACE),
]
Free = Annotated[
    list[str] | None,
    _described("--free", "A field of the mandate that the search may vary (target_volatility).", SPACE, "NAME"),
]

Scenarios = Annotated[
    list[str] | None,
    _described(
        "--scenarios",
        "Names, separated by commas or repeated: base_case, bull_market, bear_market, high_volatility, "
        "low_volatility, cycle (the first five by default).",
        WORLDS,
        "NAMES",
    ),
]
Worlds = Annotated[
    str | None,
    option(
        "--worlds",
        "worlds",
        "What the scenarios follow: calibrated, the volatility of the training days; historical, their mean return "
        "too; seed, the same numbers for any prices",
        WORLDS,
    ),
]
Engine = Annotated[
    str | None,
    option("--engine", "scenarios.engine", "Simulation engine of each scenario", WORLDS, "heston"),
]
EngineParameters = Annotated[
    str | None,
    option(
        "--engine-parameters",
        "engine_parameters",
        "Whether the parameters of the engines are fitted to the training days",
        WORLDS,
    ),
]
PremiumPower = Annotated[
    str | None,
    option(
        "--premium-power",
        "scenarios.premium_power",
        "Power p of the premium: proportional to volatility ** p",
        WORLDS,
        "1",
    ),
]
Paths = Annotated[
    str | None,
    option("--paths", "scenarios.paths", "Simulated paths per scenario", WORLDS, "1000"),
]
Years = Annotated[str | None, option("--years", "scenarios.years", "Evaluated years per path", WORLDS, "5")]

Trials = Annotated[str | None, option("--trials", "trials", "Largest number of configurations to try", EFFORT)]
Goal = Annotated[
    str | None,
    option("--goal", "goal", "Objective that is maximised; benefit is the utility over the own benchmark", EFFORT),
]
Stopping = Annotated[
    str | None,
    option("--stopping", "stopping", "Whether to stop once the best no longer improves", EFFORT),
]
MaxMinutes = Annotated[str | None, option("--max-minutes", "max_minutes", "Budget of the search in minutes", EFFORT)]
MaxDollars = Annotated[
    str | None,
    option("--max-dollars", "max_dollars", "Budget of the search in dollars, where its machines are paid", EFFORT),
]
Seed = Annotated[str | None, option("--seed", "seed", "Seed of all random numbers", EFFORT)]

RequestFile = Annotated[
    str | None,
    typer.Option(
        "--request",
        help="A JSON file with the whole request. Only --name, --trials, --paths, --years and --seed may accompany it.",
        rich_help_panel=HOW,
        metavar="FILE",
    ),
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", help="Continue a run that did not finish.", rich_help_panel=HOW, metavar="RUN"),
]
Warm = Annotated[
    bool,
    typer.Option(
        "--warm",
        help="Start with the best and the most promising configurations, from the surrogate of this problem "
        "(see `surrogate fit`).",
        rich_help_panel=HOW,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object on stdout, and nothing else.",
        rich_help_panel=HOW,
    ),
]

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Use a server, such as http://127.0.0.1:8000, instead of this home; by default STRATIGOS_SERVER.",
        rich_help_panel=HOW,
        metavar="URL",
    ),
]

OVERRIDES = frozenset({"name", "trials", "paths", "years", "seed"})
"""Options that may accompany a request file."""

RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The id of a run, its unique beginning, or `last`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
