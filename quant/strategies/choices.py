"""The named choices of a config beside its weight function, one table each.

Estimators of volatility, rebalancing frequencies and inner portfolios: what exists, what it needs, and how people name
it. `quant.strategies.family` holds the weight functions.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

Estimator: TypeAlias = Literal["rolling", "ewma", "ewma_max", "garch", "range", "implied", "downside"]
Rebalancing: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly"]
InnerPortfolio: TypeAlias = Literal[
    "equal_weight",
    "inverse_volatility",
    "risk_parity",
    "hierarchical_risk_parity",
    "minimum_variance",
    "risk_control",
]

ROLLING, EWMA, EWMA_MAX, DOWNSIDE, GARCH, EXTERNAL = range(6)
"""The kernel's codes of the volatility estimators; EXTERNAL is a series supplied by the caller."""


@dataclass(frozen=True)
class EstimatorRow:
    """One estimator of the risky leg's volatility."""

    number: str
    """In the specification, section 5.2."""
    meaning: str
    label: str
    """In a sentence; `{lookback_days}` and `{decay}` stand for the config's values."""
    code: int
    """Of the kernel."""
    length: Literal["lookback_days", "decay"] | None = None
    """The parameter that says how far it looks back; None if it has neither a window nor a decay."""
    words: str = ""
    """Phrases that name it in plain English, separated by `|`; "estimator", "estimate", "vol" and "volatility" may
    follow each of them. Empty for an estimator that the assistant cannot evaluate."""
    searched: bool = False
    """Whether a search includes it by default."""
    simulated: bool = True
    """Whether simulated worlds have the data that it needs; otherwise it works on history alone."""


ESTIMATORS: dict[Estimator, EstimatorRow] = {
    "rolling": EstimatorRow(
        "V1",
        "sample standard deviation of log returns over `lookback_days`",
        "{lookback_days}-day volatility",
        ROLLING,
        length="lookback_days",
        words="rolling|rolling window|sample volatility|simple rolling|rolling standard deviation|"
        "simple standard deviation|"
        "plain standard deviation|historical volatility|simple volatility|equally weighted window|moving window|"
        "simple moving window|plain rolling",
        searched=True,
    ),
    "ewma": EstimatorRow(
        "V2",
        "exponentially weighted, with `decay`",
        "EWMA volatility (decay {decay})",
        EWMA,
        length="decay",
        words="ewma|exponential estimator|exponential estimate|exponential vol|exponential volatility|"
        "exponential average|exponentially weighted|exponential weighting|riskmetrics|"
        "exponential smoothing|exponentially smoothed|exponential moving average|exponentially weighted moving average",
        searched=True,
    ),
    "ewma_max": EstimatorRow(
        "V3",
        "the larger of two exponentially weighted estimates, with `decay` and (1 + `decay`) / 2",
        "the larger of two EWMA volatilities (decay {decay})",
        EWMA_MAX,
        length="decay",
        words="ewma max|ewmamax|max ewma|ewma maximum|larger of two ewmas|larger ewma|two ewmas",
        searched=True,
    ),
    "garch": EstimatorRow(
        "V4",
        "mean forecast over 21 sessions of a GJR-GARCH model with Student's t, fitted on training days",
        "a GARCH forecast of volatility",
        GARCH,
        words="garch|garch forecast|garch 1 1",
    ),
    "range": EstimatorRow(
        "V5",
        "Yang-Zhang, Parkinson, Garman-Klass or Rogers-Satchell; needs opens, highs and lows",
        "{lookback_days}-day range volatility",
        EXTERNAL,
        length="lookback_days",
        simulated=False,
    ),
    "implied": EstimatorRow(
        "V6",
        "the last known value of an implied volatility index",
        "implied volatility",
        EXTERNAL,
        simulated=False,
    ),
    "downside": EstimatorRow(
        "V7",
        "downside semideviation of excess returns over `lookback_days`, times the square root of 2",
        "{lookback_days}-day downside volatility",
        DOWNSIDE,
        length="lookback_days",
        words="downside|downside deviation|semideviation|semi deviation|downside risk|downside vol only|"
        "semi variance|semivariance|downside only|downside semideviation",
        searched=True,
    ),
}


def estimators_with(lengths: Collection[str], among: Collection[Estimator] = ()) -> tuple[Estimator, ...]:
    """Those of `among` with one of `lengths` ("lookback_days", "decay"); if there is none, the searched ones."""
    fitting: list[Estimator] = [name for name, row in ESTIMATORS.items() if row.length in lengths]
    limited: list[Estimator] = [name for name in fitting if name in among]
    searched: list[Estimator] = [name for name in fitting if ESTIMATORS[name].searched]
    return tuple(limited or searched)


@dataclass(frozen=True)
class RebalancingRow:
    """One rebalancing frequency."""

    days: int
    """Days between two rebalancings of a simulated path."""
    words: str
    """Phrases that name it in plain English, separated by `|`."""


REBALANCING: dict[Rebalancing, RebalancingRow] = {
    "daily": RebalancingRow(
        1,
        "daily|every day|each day|day by day|daily rebalancing|rebalanced daily|each session|daily rebalanced|"
        "every trading day|every session|every business day|each trading day|once a day|day to day",
    ),
    "weekly": RebalancingRow(
        5,
        "weekly|every week|each week|once a week|weekly rebalancing|rebalanced weekly|every friday|each friday|"
        "every monday|each monday|once weekly|week by week|every 5 days",
    ),
    "monthly": RebalancingRow(
        21,
        "monthly|every month|each month|once a month|monthly rebalancing|rebalanced monthly|month end|each month end|"
        "at month end|every month end|end of month|end of the month|once monthly|month by month",
    ),
    "quarterly": RebalancingRow(
        63,
        "quarterly|every quarter|each quarter|once a quarter|quarterly rebalancing|rebalanced quarterly|"
        "four times a year|each quarter end|quarter end|every three months|once every quarter|every 3 months|"
        "quarter by quarter",
    ),
}
"""From the most to the least frequent; the kernel's rows of trading days are in this order."""


@dataclass(frozen=True)
class InnerRow:
    """One way to mix several risky assets."""

    label: str
    """In a sentence, with its article."""
    meaning: str
    words: str = ""
    """Phrases that name it in plain English, separated by `|`; empty where the assistant names a template so."""


INNER_PORTFOLIOS: dict[InnerPortfolio, InnerRow] = {
    "equal_weight": InnerRow(
        "an equal-weight portfolio",
        "equal",
        "equal weight|equal weighted|equally weighted|equal weighting|one over n|naive diversification|equal weights|"
        "1 n|same weight|same weights|same amount in each|naive split|equal split|equal shares of each|ew",
    ),
    "inverse_volatility": InnerRow(
        "an inverse-volatility portfolio",
        "in proportion to the inverse volatility",
        "inverse vol|inverse volatility|inverse vol weighting|inverse volatility weighting|inverse vol weights|"
        "inverse volatility weights|inverse vol weighted|inverse volatility weighted",
    ),
    "risk_parity": InnerRow(
        "a risk-parity portfolio",
        "each asset contributes the same risk",
        "risk parity|equal risk|equal risk contribution|erc|equal risk contributions|risk balanced|riskparity",
    ),
    "hierarchical_risk_parity": InnerRow(
        "a hierarchical risk-parity portfolio",
        "Lopez de Prado (2016), single linkage",
        "hrp|hierarchical risk parity|hierarchical|lopez de prado|clustering|cluster based",
    ),
    "minimum_variance": InnerRow(
        "a minimum-variance portfolio",
        "the long-only portfolio with the lowest variance",
        "minimum variance|min variance|min var|minvar|minimum volatility portfolio|min vol portfolio|"
        "global minimum variance|gmv|least variance|lowest variance|minimum risk portfolio|smallest variance|"
        "minimal variance|minimal risk",
    ),
    "risk_control": InnerRow(
        "a risk-control mix",
        # cash takes over where even the calmest mix is above the target (S&P risk control 2.0)
        "two assets, the riskier first, mixed to the target volatility; with cash if no mix is low enough",
    ),
}
