"""Tables of portfolios, allocations, markets and wealth."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from desk.figures.tables import Exhibit, build_listing, build_notes, build_table
from quant.performance.statistics import STATISTICS

if TYPE_CHECKING:
    from desk.portfolios.allocations import Allocations
    from desk.portfolios.market_regime_schemas import MarketAnalysis
    from desk.portfolios.risk_schemas import PortfolioRisk
    from desk.tearsheets.summary import TearsheetSummary
    from desk.wealth.projection import WealthOutlook

_METHODS = {
    "historical": "as in the past",
    "cornish_fisher_matched": "with skewness and fat tails",
    "filtered_garch": "at the latest volatility",
}
_ALLOCATIONS = {
    "equal_weight": "Equal weight",
    "inverse_volatility": "Inverse volatility",
    "risk_parity": "Risk parity",
    "hierarchical_risk_parity": "HRP",
    "minimum_variance": "Minimum variance",
    "maximum_sharpe": "Maximum Sharpe",
    "maximum_diversification": "Maximum diversification",
    "minimum_cvar": "Minimum CVaR 95%",
}
_CAVEATS_TITLE = "To keep in mind"


def _risk(risk: "PortfolioRisk") -> Iterator[Exhibit]:
    tails = dict.fromkeys((row.horizon, row.method) for row in risk.tails)
    for title, ending in (("Losses, as a share of wealth", ""), ("Losses in money", "_money")):
        rows = [
            (
                f"{days} session{'s' if days > 1 else ''}, {_METHODS.get(method, method)}",
                *(
                    f"risk_{name}_{level}_{days}d_{method}{ending}"
                    for level in ("95", "99")
                    for name in ("value_at_risk", "shortfall")
                ),
            )
            for days, method in tails
        ]
        columns = ("", "VaR 95%", "Mean loss beyond", "VaR 99%", "Mean loss beyond")
        yield build_table(title, columns, rows, risk.figures)
    rows = [
        (
            f"{{{{risk_holding_{n}_name}}}}",
            *(f"risk_holding_{n}_{of}" for of in ("weight", "weight_money", "risk", "shortfall")),
        )
        for n in range(1, len(risk.components) + 1)
    ]
    columns = ("Holding", "Weight", "Money", "Share of volatility", "Share of shortfall")
    yield build_table("What each holding contributes", columns, rows, risk.figures)
    episodes_with_loss = [episode for episode in risk.episodes if episode.loss is not None]
    rows = [
        (f"{{{{risk_crisis_{n}_name}}}}", f"risk_crisis_{n}_loss", f"risk_crisis_{n}_loss_money")
        for n in range(1, len(episodes_with_loss) + 1)
    ]
    yield build_table("Past crises; a negative loss is a gain", ("Crisis", "Loss", "Money"), rows, risk.figures)
    rows = [
        (f"At {row.level:.0%}", *(f"risk_backtest_{100 * row.level:.0f}_{of}" for of in _BACKTEST))
        for row in risk.backtests
    ]
    yield build_table("Did the announced value at risk hold?", ("", *_BACKTEST.values()), rows, risk.figures)
    if risk.reverse_stress is not None:
        yield build_listing("The most likely way to lose as much", _REVERSE, risk.figures)
    rows = [
        (f"{{{{risk_holding_{n}_name}}}}", f"risk_holding_{n}_reverse", f"risk_holding_{n}_factor_loss")
        for n in range(1, len(risk.components) + 1)
    ]
    columns = ("Holding", "Return in the reverse stress", "Loss in the factor stress")
    yield build_table("Stress by holding", columns, rows, risk.figures)
    factors = () if risk.factor_stress is None else risk.factor_stress.factors
    rows = [
        (f"{{{{risk_factor_{n}_name}}}}", *(f"risk_factor_{n}_{of}" for of in ("move", "loss", "loss_money")))
        for n in range(1, len(factors) + 1)
    ]
    if len(rows) > 1:
        rows.append(("All of them", "", "risk_factor_loss", "risk_factor_loss_money"))
    yield build_table(
        "Loss if factors move; a negative loss is a gain", ("Factor", "Move", "Loss", "Money"), rows, risk.figures
    )
    yield build_listing("Shape of the returns", _SHAPE, risk.figures)
    yield build_notes(_CAVEATS_TITLE, risk.caveats)


_BACKTEST = {
    "days": "Sessions tested",
    "exceeded": "Loss was larger on",
    "expected": "Expected",
    "share": "Chance of that number",
    "bunched": "Chance of such bunching",
}
_REVERSE = {
    "risk_reverse_loss": "Loss",
    "risk_reverse_loss_money": "Loss in money",
    "risk_reverse_sessions": "Within sessions",
    "risk_reverse_distance": "Standard deviations of the portfolio",
    "risk_reverse_probability": "Chance of it or worse, were returns normal",
}
_SHAPE = {
    "risk_volatility": "Volatility a year",
    "risk_beta": "Beta to the S&P 500",
    "risk_market_fall_loss": "Loss if the S&P 500 falls by 20%, by beta",
    "risk_max_drawdown": "Maximum drawdown",
    "risk_max_drawdown_money": "Maximum drawdown in money",
    "risk_max_drawdown_trough": "Its bottom",
    "risk_max_drawdown_length": "Sessions until it was regained",
    "risk_skewness": "Skewness",
    "risk_kurtosis": "Kurtosis (3: normal)",
    "risk_mean_correlation": "Mean correlation of two holdings",
    "risk_crisis_volatility": "Volatility if correlations rise as in a crisis",
}


def _allocations(comparison: "Allocations") -> Iterator[Exhibit]:
    methods = [(allocation.method, _ALLOCATIONS[allocation.method]) for allocation in comparison.allocations]
    rows = [
        (
            label,
            *(
                f"allocation_{method}_{of}"
                for of in ("volatility", "diversification", "later_volatility", "later_sharpe")
            ),
        )
        for method, label in methods
    ]
    columns = ("Method", "Volatility", "Diversification", "Later volatility", "Later Sharpe ratio")
    title = "Methods; later: on days after those that the weights were fitted on"
    yield build_table(title, columns, rows, comparison.figures)
    for title, kind, ending in (
        ("Weights", "weight", ""),
        ("Money", "weight", "_money"),
        ("Shares of the portfolio's volatility", "risk", ""),
    ):
        rows = [
            (
                f"{{{{allocation_asset_{n}_name}}}}",
                *(f"allocation_{method}_{kind}_{n}{ending}" for method, _ in methods),
            )
            for n in range(1, len(comparison.assets) + 1)
        ]
        yield build_table(title, ("Asset", *(label for _, label in methods)), rows, comparison.figures)
    yield build_listing("Covariance", {"allocation_covariance": "Estimate"}, comparison.figures)
    reasons = [f"{_ALLOCATIONS[a.method]}: {a.reason}" for a in comparison.allocations if a.reason]
    yield build_notes(_CAVEATS_TITLE, (*reasons, *comparison.caveats))


def _market(analysis: "MarketAnalysis") -> Iterator[Exhibit]:
    for title, columns in (
        (f"State on {analysis.last_day}", _STATE),
        ("In numbers", _NUMBERS),
    ):
        rows = [
            (f"{{{{regime_{n}_name}}}}", *(f"regime_{n}_{of}" for of in columns))
            for n in range(1, len(analysis.regimes) + 1)
        ]
        yield build_table(title, ("Asset", *columns.values()), rows, analysis.figures)
    together = {
        "regime_correlation": "All days used",
        "regime_correlation_year": "Last 252 sessions used",
    }
    yield build_listing("Mean correlation of two assets", together, analysis.figures)
    yield build_notes(_CAVEATS_TITLE, analysis.caveats)


_STATE = {"band": "Volatility", "trend": "Trend", "phase": "Bull or bear", "turbulence": "Chance of turbulence"}
_NUMBERS = {
    "current_volatility": "Volatility now",
    "long_run_volatility": "Long run",
    "volatility_percentile": "Calmer days",
    "current_drawdown": "Below its peak",
    "trend_distance": "From its mean",
    "year": "Return of 252 sessions",
}


def _wealth(outlook: "WealthOutlook") -> Iterator[Exhibit]:
    percentile_labels = {0.5: "median"}
    rows = [
        (f"{row.level:.0%} of the paths end below", *(f"wealth_{place}{real}" for real in ("", "_real")))
        for row in outlook.percentiles
        for place in [percentile_labels.get(row.level, f"p{100 * row.level:.0f}")]
    ]
    rows.append(("Mean", "wealth_mean", "wealth_mean_real"))
    yield build_table("Wealth at the end", ("", "In money of then", "In today's money"), rows, outlook.figures)
    chances = {
        "wealth_goal_probability": "Of reaching the goal",
        "wealth_loss_probability": "Of getting less out than was paid in",
        "wealth_ruin_probability": "Of running out of money",
    }
    yield build_listing("Chances", chances, outlook.figures)
    yield build_listing(
        "On the way", {"wealth_growth": "Growth a year", "wealth_drawdown": "Maximum drawdown"}, outlook.figures
    )
    count = len([f for f in outlook.figures if f.id.startswith("wealth_holding_") and f.id.endswith("_name")])
    rows = [
        (f"{{{{wealth_holding_{n}_name}}}}", *(f"wealth_holding_{n}_{of}" for of in ("weight", "return", "volatility")))
        for n in range(1, count + 1)
    ]
    yield build_table(
        "Holdings, as simulated", ("Holding", "Weight", "Return a year", "Volatility"), rows, outlook.figures
    )
    yield build_listing("Assumed", _ASSUMED, outlook.figures)
    yield build_notes(_CAVEATS_TITLE, outlook.caveats)


_ASSUMED = {
    "wealth_start": "Wealth at the start",
    "wealth_contribution": "Paid in each month",
    "wealth_withdrawal": "Taken out each month",
    "wealth_goal": "Goal, in today's money",
    "wealth_inflation": "Inflation a year",
    "wealth_fee": "Fee a year",
    "wealth_cash_rate": "Cash rate a year",
    "wealth_paths": "Simulated paths",
}


def _tearsheet(sheet: "TearsheetSummary") -> Iterator[Exhibit]:
    title = f"Tear sheet, {sheet.first_day} to {sheet.last_day}"
    yield build_listing(title, _TEARSHEET, sheet.figures)
    rows = [
        (f"Place {n}", *(f"tearsheet_fall_{n}_{of}" for of in ("depth", "trough", "recovery")))
        for n in range(1, sheet.falls + 1)
    ]
    yield build_table("Deepest drawdowns", ("", "Depth", "Bottom", "Regained"), rows, sheet.figures)
    years = [(str(year), f"tearsheet_year_{year}") for year in sheet.years]
    yield build_table("Calendar years", ("Year", "Return"), years, sheet.figures)
    rows = [(f"{{{{tearsheet_crisis_{n}_name}}}}", f"tearsheet_crisis_{n}_return") for n in range(1, sheet.crises + 1)]
    yield build_table("Past crises", ("Crisis", "Return"), rows, sheet.figures)
    yield build_notes(_CAVEATS_TITLE, sheet.caveats)


_TEARSHEET = {f"tearsheet_{row.name}": row.label for row in STATISTICS}
"""Labels of all statistics; a listing shows those that have figures."""

RISK_TABLES: Mapping[str, Callable[[Any], Iterator[Exhibit]]] = {
    "PortfolioRisk": _risk,
    "Allocations": _allocations,
    "MarketAnalysis": _market,
    "WealthOutlook": _wealth,
    "TearsheetSummary": _tearsheet,
}
