"""The options of `optimize`: every field of a request that a form would ask for.

Each is text until the request is made: then one place refuses, in one way.
"""

from typing import Annotated, Any

import typer

from api.accepted_values import allowed, field
from desk.optimization.request import OptimizationRequest

WHAT = "What to optimize"
MANDATE = "Mandate (fixed, never searched)"
LIMITS = "Limits (a strategy that breaks one is not chosen)"
SPACE = "Strategies to search (repeat an option to allow several; docs/strategies.md says what is tried by default)"
WORLDS = "Scenarios"
EFFORT = "Search"
HOW = "This command"

PATHS: dict[str, str] = {}
"""The field of the request that each option sets, by option."""

BLANK = OptimizationRequest()


def option(name: str, path: str, text: str, panel: str, default: str | None = None) -> Any:
    """An option whose range and default are those of the field at `path`."""
    PATHS[name] = path
    usual = default or _default(path)
    by_default = f"; {usual} by default" if usual else ""
    return typer.Option(
        name,
        help=f"{text} ({allowed(field(path)).removeprefix('one of ')}{by_default}).",
        show_default=False,
        rich_help_panel=panel,
        metavar=_metavar(path),
    )


def _default(path: str) -> str:
    value: Any = BLANK
    for step in field(path):
        value = getattr(value, step, None) if isinstance(step, str) else value[step]
    if value is None or isinstance(value, tuple):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metavar(path: str) -> str:
    text = allowed(field(path))
    if path == "space.lookback_days" or text.startswith("a whole number"):
        return "N"
    return "NAME" if text.startswith(("one of", "text")) else "X"


Name = Annotated[str | None, option("--name", "name", "What you call it", WHAT)]
Universe = Annotated[
    str | None, option("--universe", "universe", "sp500, stocks, or some of them, as stocks:AAPL,MSFT", WHAT)
]
Prices = Annotated[
    str | None,
    typer.Option(
        "--prices",
        help="A CSV or Parquet file of daily prices instead.",
        rich_help_panel=WHAT,
        metavar="FILE",
    ),
]
PriceIndex = Annotated[
    bool,
    typer.Option(
        "--price-index",
        help="The price file leaves dividends out, so that --dividend-yield accrues.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Calendar = Annotated[
    str | None,
    option("--calendar", "calendar", "Exchange of the price file's sessions, as XNYS or XLON, or none", WHAT),
]
DividendYield = Annotated[
    str | None,
    option(
        "--dividend-yield",
        "dividend_yield",
        "A year, accrues on a price index; an assumption",
        WHAT,
    ),
]
CashRate = Annotated[
    str | None,
    option("--cash-rate", "cash_rate_after", "A year, after the bundled rate series ends", WHAT),
]

TargetVol = Annotated[str | None, option("--target-vol", "mandate.target_volatility", "Annual volatility", MANDATE)]
MinWeight = Annotated[str | None, option("--min-weight", "mandate.min_weight", "Smallest risky weight", MANDATE)]
MaxWeight = Annotated[
    str | None,
    option("--max-weight", "mandate.max_weight", "Largest risky weight, above 1 is borrowed", MANDATE),
]
RiskAversion = Annotated[
    str | None,
    option("--risk-aversion", "mandate.risk_aversion", "Gamma of the utility", MANDATE),
]
CostBps = Annotated[
    str | None,
    option("--cost-bps", "mandate.transaction_cost_bps", "Cost of a trade, basis points", MANDATE),
]
BorrowSpread = Annotated[
    str | None,
    option(
        "--borrow-spread-bps",
        "mandate.borrow_spread_bps",
        "Charge on borrowing over cash, basis points a year",
        MANDATE,
    ),
]
DecisionLag = Annotated[
    str | None,
    option(
        "--decision-lag",
        "mandate.decision_lag",
        "Sessions from the last return used to the trade",
        MANDATE,
    ),
]
MaxChange = Annotated[
    str | None,
    option(
        "--max-change",
        "mandate.max_change",
        "Largest change of the weight at one rebalancing",
        MANDATE,
    ),
]
Premium = Annotated[
    str | None,
    option(
        "--expected-premium",
        "mandate.expected_premium",
        "Excess return a year assumed by merton",
        MANDATE,
    ),
]

_BOUND = "limits.{}.bound"
MaxDrawdown = Annotated[
    str | None,
    option(
        "--max-drawdown",
        _BOUND.format("max_drawdown"),
        "Deepest fall from a peak over the horizon",
        LIMITS,
    ),
]
Tolerance = Annotated[
    str | None,
    option(
        "--drawdown-tolerance",
        "limits.max_drawdown.tolerated",
        "Tolerated probability of breaking it",
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
    option("--expected-shortfall", _BOUND.format("expected_shortfall"), "Mean loss beyond it", LIMITS),
]
MaxTurnover = Annotated[
    str | None,
    option("--max-turnover", _BOUND.format("turnover"), "One-way, times wealth a year", LIMITS),
]
MaxCost = Annotated[str | None, option("--max-cost-bps", _BOUND.format("cost_bps"), "Basis points a year", LIMITS)]
MaxLeverage = Annotated[
    str | None,
    option("--max-leverage", _BOUND.format("leverage"), "Largest risky weight, times wealth", LIMITS),
]

WeightFunctions = Annotated[
    list[str] | None,
    option("--weight-function", "space.weight_functions", "Shape of the weight", SPACE),
]
Estimators = Annotated[list[str] | None, option("--estimator", "space.estimators", "Of volatility", SPACE)]
Lookbacks = Annotated[list[str] | None, option("--lookback", "space.lookback_days", "Window in sessions", SPACE)]
LookbackMonths = Annotated[
    list[str] | None,
    typer.Option(
        "--lookback-months",
        help="Window in months of 21 sessions (1 to 24).",
        show_default=False,
        rich_help_panel=SPACE,
        metavar="N",
    ),
]
Decays = Annotated[
    list[str] | None,
    option("--decay", "space.decay", "Of the exponential estimators, a day", SPACE),
]
Rebalancings = Annotated[list[str] | None, option("--rebalancing", "space.rebalancing", "How often", SPACE)]
Bands = Annotated[
    list[str] | None,
    option("--no-trade-band", "space.no_trade_band", "Change of weight too small to trade", SPACE),
]
Free = Annotated[
    list[str] | None,
    typer.Option(
        "--free",
        help="A part of the mandate that the search may choose (target_volatility).",
        show_default=False,
        rich_help_panel=SPACE,
        metavar="NAME",
    ),
]

Scenarios = Annotated[
    list[str] | None,
    typer.Option(
        "--scenarios",
        help="Names, with commas or repeated: base_case, bull_market, bear_market, high_volatility, "
        "low_volatility, cycle (the first five by default).",
        show_default=False,
        rich_help_panel=WORLDS,
        metavar="NAMES",
    ),
]
Engine = Annotated[
    str | None,
    option("--engine", "scenarios.engine", "How each scenario is simulated", WORLDS, "heston"),
]
PremiumPower = Annotated[
    str | None,
    option(
        "--premium-power",
        "scenarios.premium_power",
        "p of: premium proportional to volatility ** p",
        WORLDS,
        "1",
    ),
]
Paths = Annotated[
    str | None,
    option("--paths", "scenarios.paths", "Simulated paths of each scenario", WORLDS, "1000"),
]
Years = Annotated[str | None, option("--years", "scenarios.years", "Scored years of each path", WORLDS, "5")]

Trials = Annotated[str | None, option("--trials", "trials", "Configurations to try at most", EFFORT)]
Goal = Annotated[str | None, option("--goal", "goal", "What is maximised", EFFORT)]
Stopping = Annotated[
    str | None,
    option("--stopping", "stopping", "Whether to stop when the best no longer improves", EFFORT),
]
Seed = Annotated[str | None, option("--seed", "seed", "Of every random number", EFFORT)]

RequestFile = Annotated[
    str | None,
    typer.Option(
        "--request",
        help="A JSON file with the whole request. Of the other options only --name, --trials, --paths, --years "
        "and --seed may go with it.",
        rich_help_panel=HOW,
        metavar="FILE",
    ),
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", help="Go on with a run that did not finish.", rich_help_panel=HOW, metavar="RUN"),
]
Warm = Annotated[
    bool,
    typer.Option(
        "--warm",
        help="Begin with the best and the most promising configurations, by the surrogate of this problem "
        "(surrogate fit makes one).",
        rich_help_panel=HOW,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object on stdout and nothing else there.",
        rich_help_panel=HOW,
    ),
]

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Ask a server, such as http://127.0.0.1:8000, instead of the home; by default STRATIGOS_SERVER.",
        rich_help_panel=HOW,
        metavar="URL",
    ),
]

OVERRIDES = frozenset({"name", "trials", "paths", "years", "seed"})
"""What may be given beside a request file."""

RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The id of a run, its unique beginning, or `last`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
