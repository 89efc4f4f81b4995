"""Sentences about a portfolio's risk, allocation methods, the market and wealth over years."""

from collections.abc import Iterator, Sequence

from desk.base.text import join_words
from desk.conversation.sentences.aspects import Sentence, answering_first
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
_IMAGINED = (
    "A merely imagined fall of the index by {{risk_market_fall}} would bring a loss of {{risk_market_fall_loss}}, if "
    "the portfolio moves with it as usual."
)
_SPOKEN = 3
"""Number of assets in the text; the table contains all."""


def describe_risk(result: PortfolioRisk, message: str) -> list[str]:
    stress = result.factor_stress
    if stress is not None and {factor.factor: factor.move for factor in stress.factors} != USUAL_SHOCKS:
        rest = answering_first(_describe_portfolio(result), "")
        return ["{{risk_stress_sentence}}", *(text for text in rest if text != _IMAGINED)]
    days = ["{{risk_days_sentence}}"] if any(f.id == "risk_days_sentence" for f in result.figures) else []
    return [*days, *answering_first(_describe_portfolio(result), "" if days else message)]


def _describe_portfolio(result: PortfolioRisk) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    yield Sentence("{{risk_summary_sentence}}", "volatility")
    if "risk_tail_sentence" in ids:
        yield Sentence("{{risk_tail_sentence}}", "tail")
    if "risk_max_drawdown_money" in ids:
        yield Sentence("In money the maximum drawdown of the portfolio is {{risk_max_drawdown_money}}.", "drawdown")
    else:
        yield Sentence("On history the maximum drawdown of the portfolio was {{risk_max_drawdown}}.", "drawdown")
    if "risk_market_fall_loss" in ids:
        yield Sentence(_IMAGINED, "")
    if "risk_beta" in ids:
        yield Sentence("The beta of the portfolio is {{risk_beta}}.", "beta", on_demand=True)
    yield from _describe_crises(result)
    yield from (Sentence(text, "") for text in _describe_stress(result))
    if "risk_mean_correlation" in ids:
        yield Sentence("{{risk_correlation_sentence}}", "correlation", on_demand=True)
    if len(result.components) > 1:
        n = 1 + max(range(len(result.components)), key=lambda k: result.components[k].volatility)
        opening = "It is concentrated in" if result.concentrated else "Most of its risk comes from"
        name, share = f"{{{{risk_holding_{n}_name}}}}", f"{{{{risk_holding_{n}_risk}}}}"
        yield Sentence(f"{opening} {name}, whose risk share is {share}.", "concentration")
    if result.backtests:
        yield Sentence(_describe_backtests(result.backtests), "")


def _describe_crises(result: PortfolioRisk) -> Iterator[Sentence]:
    losses = [episode.loss for episode in result.episodes if episode.loss is not None]
    if losses:
        yield Sentence(
            "{{risk_crisis_sentence}}"
            if max(losses) > 0.0
            else "No past crisis that those days cover brought it a loss.",
            "crisis",
        )


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


def describe_allocations(result: Allocations, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    solved = [a for a in result.allocations if a.volatility is not None]
    calmest = min(solved, key=lambda a: a.volatility or 0.0)
    alike = [a for a in solved if _shown(a.volatility, _PERCENT) == _shown(calmest.volatility, _PERCENT)]
    names = join_words([_MIXES[a.method] for a in alike])
    yield (
        f"Of these mixes {names} {'were equally calm, and the calmest' if len(alike) > 1 else 'was the calmest'}: "
        f"{'their' if len(alike) > 1 else 'its'} yearly volatility is "
        f"{{{{allocation_{calmest.method}_volatility}}}}."
    )
    if result.covariance != "sample":
        yield "The estimate of the covariance behind them is {{allocation_covariance}}."
    equal = next((a for a in solved if a.method == "equal_weight"), None)
    if equal is not None and equal is not calmest:
        if equal not in alike:
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


_PERCENT, _RATIO = 100.0, 1.0


def _shown(value: float | None, scale: float) -> float:
    """A value at the precision of the table: a tenth of a percent, or two decimals of a ratio."""
    return round(scale * (value or 0.0), 1 if scale > 1.0 else 2)


def _describe_later_performance(solved: Sequence[Allocation]) -> Iterator[str]:
    tested_mixes = [a for a in solved if a.later_sharpe is not None]
    if len(tested_mixes) < 2:
        return
    best = max(tested_mixes, key=lambda a: a.later_sharpe or 0.0)
    alike = [a for a in tested_mixes if _shown(a.later_sharpe, _RATIO) == _shown(best.later_sharpe, _RATIO)]
    names = join_words([_MIXES[a.method] for a in alike])
    yield (
        f"On the validation window, whose days no weights had seen, {names} had {'alike ' if alike[1:] else ''}"
        f"the best later Sharpe ratio, {{{{allocation_{best.method}_later_sharpe}}}}; over a few years such a lead is "
        "often chance."
    )


def describe_market(result: MarketAnalysis, message: str) -> Iterator[str]:
    for n, regime in enumerate(result.regimes[:_SPOKEN], 1):
        yield from answering_first(_describe_regime(n, regime, alone=len(result.regimes) == 1), message)
    if len(result.regimes) > 1:
        yield "The mean correlation of the assets over all days used is {{regime_correlation}}."
    if len(result.regimes) > _SPOKEN:
        yield "The others stand in the table."
    yield "Later days are the locked holdout; this describes and does not forecast."


def _describe_regime(n: int, regime: MarketRegime, *, alone: bool) -> Iterator[Sentence]:
    name, latest = f"{{{{regime_{n}_name}}}}", f"{{{{regime_{n}_current_volatility}}}}"
    yield Sentence(f"{{{{regime_{n}_state_sentence}}}}", "phase trend")
    yield Sentence(f"{{{{regime_{n}_volatility_sentence}}}}", "volatility", on_demand=True)
    if alone or regime.in_drawdown:
        yield Sentence(f"The fall of {name} from its peak is {{{{regime_{n}_current_drawdown}}}}.", "drawdown")
    if regime.turbulent:
        yield Sentence(
            f"At the latest volatility of {name}, {latest}, the turbulent one of two states is more likely.",
            "turbulence",
        )
    if regime.one_state_because is not None:
        yield Sentence(
            f"No turbulent state is behind the latest volatility of {name}, {latest}: {regime.one_state_because}.",
            "turbulence",
        )


def _odds(probability: float, above: str, below: str, even: str) -> str:
    """The words for a probability above, below or at a half, at the precision that is shown."""
    percent = round(100.0 * probability)
    return even if percent == 50 else above if percent > 50 else below


def describe_wealth(result: WealthOutlook, message: str) -> list[str]:
    return answering_first(_describe_outcomes(result), message)


def _describe_outcomes(result: WealthOutlook) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    yield Sentence("{{wealth_sentence}}", "")
    if result.goal is not None:
        likely = _odds(result.goal.value, "more likely than not", "less likely than not", "as likely as not")
        yield Sentence(
            f"Reaching the goal is {likely}: the probability of reaching the goal is {{{{wealth_goal_probability}}}}.",
            "goal",
        )
    if "wealth_ruin_probability" in ids:
        lasts = _odds(
            result.ruin.value, "more likely than not to run out", "likely to last", "as likely to last as to run out"
        )
        yield Sentence(
            f"The money is {lasts}: the probability that the money runs out is {{{{wealth_ruin_probability}}}}.", "ruin"
        )
    yield Sentence("The probability of a loss by the end is {{wealth_loss_probability}}.", "loss")
    yield Sentence(
        "On the way the maximum drawdown is {{wealth_drawdown}} on average, and that has to be sat through.", "drawdown"
    )
    yield Sentence(
        "All of it rests on what was assumed: the errors beside the numbers are those of the simulation alone, not of "
        "those assumptions.",
        "",
    )
