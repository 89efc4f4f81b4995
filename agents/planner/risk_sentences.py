"""Sentences about a portfolio's risk, allocation methods, the market and wealth over years."""

from collections.abc import Iterator, Sequence

from desk.portfolios.allocations import Allocation, Allocations
from desk.portfolios.market_regime_schemas import MarketAnalysis, MarketRegime
from desk.portfolios.risk_schemas import SIGNIFICANT, Backtest, PortfolioRisk
from desk.portfolios.schemas import Method
from desk.portfolios.stress_schemas import USUAL_SHOCKS
from desk.wealth.projection import WealthOutlook

_MIXES: dict[Method, str] = {
    "equal_weight": "equal weights",
    "inverse_volatility": "inverse volatility",
    "risk_parity": "risk parity",
    "hierarchical_risk_parity": "hierarchical clustering",
    "minimum_variance": "minimised variance",
    "maximum_sharpe": "maximised Sharpe",
    "maximum_diversification": "maximised diversification",
    "minimum_cvar": "minimised shortfall",
}
_SPOKEN = 3
"""Number of assets in the text; the table contains all."""


def describe_risk(result: PortfolioRisk) -> Iterator[str]:
    ids = {figure.id for figure in result.figures}
    stress = result.factor_stress
    if stress is not None and {factor.factor: factor.move for factor in stress.factors} != USUAL_SHOCKS:
        yield "In the factor stress the loss of the portfolio is {{risk_factor_loss}}."
    yield "On history the deepest fall of the portfolio from a peak was {{risk_max_drawdown}}."
    if "risk_max_drawdown_money" in ids:
        yield "In money the deepest fall of the portfolio from a peak would be {{risk_max_drawdown_money}}."
    yield "The yearly volatility of the portfolio is {{risk_volatility}}."
    if "risk_market_fall_loss" in ids:
        yield (
            "A merely imagined fall of the index by {{risk_market_fall}} would bring a loss of "
            "{{risk_market_fall_loss}}, if the portfolio moves with it as usual."
        )
    if "risk_worst_crisis_name" in ids:
        worst = max(episode.loss for episode in result.episodes if episode.loss is not None)
        yield (
            "The crisis that cost the portfolio most was {{risk_worst_crisis_name}}: in its worst crisis the loss of "
            "the portfolio was {{risk_worst_crisis_loss}}."
            if worst > 0.0
            else "No past crisis that those days cover brought it a loss."
        )
    yield from _describe_stress(result)
    if result.concentrated:
        n = 1 + max(range(len(result.components)), key=lambda k: result.components[k].volatility)
        yield (
            f"It is concentrated in {{{{risk_holding_{n}_name}}}}, whose risk share is {{{{risk_holding_{n}_risk}}}}."
        )
    if result.backtests:
        yield _describe_backtests(result.backtests)
    yield "How much may be lost over days and weeks stands in the table; worse than any of it can happen."


def _describe_stress(result: PortfolioRisk) -> Iterator[str]:
    stress = result.reverse_stress
    if stress is not None and stress.distance:
        yield (
            "In the reverse stress the loss asked for is {{risk_reverse_loss}}: the distance is "
            "{{risk_reverse_distance}} standard deviations of the portfolio, and the table shows the most likely way "
            "there."
        )


def _describe_backtests(backtests: Sequence[Backtest]) -> str:
    opening = "A value at risk announced every day from the days before it would"
    if all(test.held for test in backtests):
        return f"{opening} have held: losses beyond it came about as often as expected, and not bunched."
    wrong = [test for test in backtests if test.right_share < SIGNIFICANT]
    came = [
        *(["too often"] if any(test.exceedances > test.expected for test in wrong) else []),
        *(["too rarely"] if any(test.exceedances <= test.expected for test in wrong) else []),
        *(["in bunches"] if any(test.independent < SIGNIFICANT for test in backtests) else []),
    ]
    return f"{opening} not have held: losses beyond it came {' and '.join(came)}, so do not lean on it alone."


def describe_allocations(result: Allocations) -> Iterator[str]:
    solved = [a for a in result.allocations if a.volatility is not None]
    calmest = min(solved, key=lambda a: a.volatility or 0.0)
    yield (
        f"Of these mixes {_MIXES[calmest.method]} was the calmest: its yearly volatility is "
        f"{{{{allocation_{calmest.method}_volatility}}}}."
    )
    if result.covariance != "sample":
        yield "The estimate of the covariance behind them is {{allocation_covariance}}."
    equal = next((a for a in solved if a.method == "equal_weight"), None)
    if equal is not None and equal is not calmest:
        yield "With equal weights the yearly volatility is {{allocation_equal_weight_volatility}}."
        n = 1 + max(range(len(equal.risk_shares)), key=equal.risk_shares.__getitem__)
        yield (
            f"Under equal weights most of the risk comes from {{{{allocation_asset_{n}_name}}}}: its risk share is "
            f"{{{{allocation_equal_weight_risk_{n}}}}}."
        )
    yield from _describe_later_performance(solved)
    if result.ill_conditioned:
        yield (
            "The assets move so much alike that minimised variance and maximised Sharpe react to noise; the simpler "
            "mixes are safer."
        )
    if result.few_sessions:
        yield "There are few days for so many assets, so equal weights are hard to beat on them."
    for allocation in result.allocations:
        if allocation.volatility is None:
            yield f"There is no answer for {_MIXES[allocation.method]}; the reason stands below the table."
    yield "None of them is best whatever comes: they differ in what they assume about returns to come."


def _describe_later_performance(solved: Sequence[Allocation]) -> Iterator[str]:
    tested_mixes = [a for a in solved if a.later_sharpe is not None]
    if len(tested_mixes) < 2:
        return
    best = max(tested_mixes, key=lambda a: a.later_sharpe or 0.0)
    yield (
        f"On the validation window, whose days its weights had not seen, {_MIXES[best.method]} had the best later "
        f"Sharpe ratio, {{{{allocation_{best.method}_later_sharpe}}}}; over a few years such a lead is often chance."
    )


def describe_market(result: MarketAnalysis) -> Iterator[str]:
    for n, regime in enumerate(result.regimes[:_SPOKEN], 1):
        yield from _describe_regime(n, regime, alone=len(result.regimes) == 1)
    if len(result.regimes) > _SPOKEN:
        yield "The others stand in the table."
    yield (
        "That is how things stood on {{regime_last_day}}, the last day before the locked holdout; it describes and "
        "does not forecast."
    )


_BANDS = {"low": "low", "middle": "neither low nor high", "high": "high"}
_TRENDS = {"rising": "points up", "flat": "is flat", "falling": "points down"}
_PHASES = {"bull": "a bull market", "bear": "a bear market", "undetermined": "neither a bull nor a bear market yet"}


def _describe_regime(n: int, regime: MarketRegime, *, alone: bool) -> Iterator[str]:
    name, latest = f"{{{{regime_{n}_name}}}}", f"{{{{regime_{n}_current_volatility}}}}"
    yield (
        f"For {name} the latest volatility is {latest}, {_BANDS[regime.volatility_band]} "
        f"against its past; its trend {_TRENDS[regime.trend]}, and by the rule of large swings it is in "
        f"{_PHASES[regime.phase]}."
    )
    if alone or regime.in_drawdown:
        yield f"The fall of {name} from its peak is {{{{regime_{n}_current_drawdown}}}}."
    if regime.turbulent:
        yield f"At the latest volatility of {name}, {latest}, the turbulent one of two states is more likely."
    if regime.one_state_because is not None:
        yield f"No turbulent state is behind the latest volatility of {name}, {latest}: {regime.one_state_because}."


def describe_wealth(result: WealthOutlook) -> Iterator[str]:
    ids = {figure.id for figure in result.figures}
    if result.goal is not None:
        likely = "more likely than not" if result.goal.value > 0.5 else "less likely than not"
        yield f"Reaching the goal is {likely}: the probability of reaching the goal is {{{{wealth_goal_probability}}}}."
    for luck, place in (("ordinary", "median"), ("bad", "p5"), ("good", "p95")):
        yield f"In today's money the wealth at the end with {luck} luck is {{{{wealth_{place}_real}}}}."
    if "wealth_ruin_probability" in ids:
        yield "The probability that the money runs out is {{wealth_ruin_probability}}."
    yield "The probability of a loss by the end is {{wealth_loss_probability}}."
    yield "On the way the deepest fall is {{wealth_drawdown}} on average, and that has to be sat through."
    yield (
        "All of it rests on what was assumed: the errors beside the numbers are those of the simulation alone, not of "
        "those assumptions."
    )
