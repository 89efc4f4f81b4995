"""Portfolio risk: tail losses, drawdowns, contributions of holdings, crises, stress, backtests of value at risk."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from desk.figures.sheet import ORDINALS, Money, Sheet
from desk.market.prices import PriceSource
from desk.portfolios.holdings import Assets, Holdings, load_holdings
from desk.portfolios.risk_in_words import (
    describe_concentration,
    describe_correlations,
    describe_crisis,
    describe_days,
    describe_days_drawdown,
    describe_drawdown,
    describe_growth,
    describe_reverse,
    describe_risk,
    describe_safety,
    describe_shortfall,
    describe_stress,
    describe_tail,
)
from desk.portfolios.risk_schemas import (
    SIGNIFICANT,
    Backtest,
    Component,
    Episode,
    PortfolioRisk,
    Tail,
    TailRequest,
)
from desk.portfolios.stress import (
    add_factor_stress,
    add_reverse_stress,
    assess_factor_stress,
    assess_reverse_stress,
    load_factors,
)
from desk.portfolios.stress_schemas import USUAL_SHOCKS, StressRequest
from quant.covariance.estimators import correlation, sample
from quant.numeric.arrays import Floats
from quant.numeric.moments import Moments, moments
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.performance.crises import HISTORICAL_WINDOWS
from quant.performance.drawdown_periods import drawdown_table
from quant.performance.regression import alpha_beta
from quant.risk.backtest import OBSERVATIONS, christoffersen, kupiec, rolling_value_at_risk
from quant.risk.correlation_stress import CRISIS_CORRELATION, stressed_covariance
from quant.risk.portfolio import component_contributions, portfolio_returns
from quant.risk.stress import stress_table
from quant.risk.tails import Method, tail_risk

TOOL = "assess_portfolio"
TAILS: dict[Method, str] = {
    "historical": "by history",
    "cornish_fisher_matched": "by Cornish and Fisher's expansion",
    "filtered_garch": "by history filtered to the volatility of the last day used",
}
WINDOW = 250
"""Window of each value at risk in the backtest, in sessions."""
_MARKET_FALL = 0.2


@dataclass(frozen=True)
class Track:
    """Daily returns of what is assessed, shape (T,), and what each part brings of them; its parts sum to the returns.

    `weights` are those of the parts at the end.
    """

    own: Floats
    parts: Returns
    weights: tuple[float, ...]
    caveat: str


async def assess(
    prices: PriceSource,
    holdings: Mapping[str, float],
    money: Money | None = None,
    stress: StressRequest | None = None,
    tail: TailRequest | None = None,
) -> PortfolioRisk:
    """Assess `holdings`, rebalanced daily, on the days before the holdout; `tail` is the loss that is told in words."""
    loaded_holdings = await load_holdings(prices, holdings)
    stress = stress or StressRequest()
    factors = await load_factors(prices, loaded_holdings, tuple(stress.shocks)) if stress.shocks else None
    return await asyncio.to_thread(assess_loaded, loaded_holdings, money, stress, factors, None, tail)


def assess_loaded(
    holdings: Holdings,
    money: Money | None,
    stress: StressRequest,
    factors: Assets | None,
    track: Track | None = None,
    asked: TailRequest | None = None,
) -> PortfolioRisk:
    """Assess the holdings as constant shares, or with `track` by the returns that it states; stress is of the holdings.

    A crisis is bought before and left alone, a track followed through it.
    """
    returns, weights = holdings.returns()
    if track is None:
        own, components = portfolio_returns(returns, weights), _components(returns, weights, weights)
    else:
        whole_track = Returns(track.parts.dates, ("strategy",), track.own[:, None])
        own, components = track.own, _components(track.parts, np.ones(len(track.weights)), np.array(track.weights))
        returns, weights = whole_track, np.ones(1)
    tails = _tails(own)
    episodes = _episodes(holdings, returns, weights)
    backtests = _backtests(own)
    reverse = assess_reverse_stress(holdings, stress)
    factor_stress = assess_factor_stress(holdings, factors, stress.shocks or USUAL_SHOCKS)
    whole = math.fsum(c.volatility for c in components)
    sheet = Sheet(TOOL, "risk")
    _add_shape(sheet, holdings, own)
    _add_drawdown(sheet, returns, own, money)
    _add_tails(sheet, tails, money)
    sheet.say("summary_sentence", _summary(own, returns, tails, money))
    _add_asked_tail(sheet, own, asked or TailRequest(), money)
    if asked is not None and (asked.first_day or asked.last_day):
        sheet.say("days_sentence", describe_days(returns.dates, own, asked, money))
        sheet.say("days_drawdown_sentence", describe_days_drawdown(returns.dates, own, asked, money))
    _add_components(sheet, components, money)
    _add_episodes(sheet, episodes, money)
    _add_correlations(sheet, holdings)
    _add_backtests(sheet, backtests)
    add_reverse_stress(sheet, reverse, money)
    add_factor_stress(sheet, factor_stress, money)
    if factor_stress is not None:
        moves = [(factor.factor, factor.move) for factor in factor_stress.factors]
        sheet.say("stress_sentence", describe_stress(moves, factor_stress.loss, money))
    if reverse.distance and reverse.probability is not None:
        sheet.say("reverse_sentence", describe_reverse(reverse, money))
    if len(components) > 1 and whole > 0.0:
        shares = [component.volatility / whole for component in components]
        sheet.say("concentration_sentence", describe_concentration([c.asset for c in components], shares))
    return PortfolioRisk(
        first_day=holdings.assets.first_day,
        last_day=holdings.assets.last_day,
        components=components,
        tails=tails,
        episodes=episodes,
        backtests=backtests,
        concentrated=len(components) > 1 and max(c.volatility for c in components) > 0.5 * whole,
        caveats=(
            holdings.assets.days_used,
            "Shares are restored every day, free of cost." if track is None else track.caveat,
            *holdings.assets.caveats,
        ),
        figures=sheet.figures,
        reverse_stress=reverse,
        factor_stress=factor_stress,
    )


def _components(returns: Returns, factors: Floats, weights: Floats) -> tuple[Component, ...]:
    """What `factors` times the returns contribute, with the `weights` to show."""
    spread = component_contributions(factors, returns)
    shortfall = component_contributions(factors, returns, measure="expected_shortfall")
    rows = zip(returns.assets, weights, spread.components, shortfall.components, strict=True)
    return tuple(Component(asset=a, weight=float(w), volatility=v, shortfall=s) for a, w, v, s in rows)


def _tails(own: Floats) -> tuple[Tail, ...]:
    return tuple(
        Tail(
            method=row.method,
            horizon=row.horizon,
            level=row.level,
            value_at_risk=row.value_at_risk,
            expected_shortfall=row.expected_shortfall,
            reason=row.reason,
        )
        for row in tail_risk(own, methods=tuple(TAILS))
    )


def _episodes(holdings: Holdings, returns: Returns, weights: Floats) -> tuple[Episode, ...]:
    last = holdings.assets.last_day
    return tuple(
        Episode(
            name=row.window.name,
            first=row.window.first,
            last=row.window.last,
            loss=row.loss,
            reason=f"after {last} the days are locked" if row.window.last > last else row.reason,
        )
        for row in stress_table(returns, weights, windows=HISTORICAL_WINDOWS)
    )


def _backtests(own: Floats) -> tuple[Backtest, ...]:
    if own.size < WINDOW + OBSERVATIONS:
        return ()
    backtests: list[Backtest] = []
    for level in (0.95, 0.99):
        announced = rolling_value_at_risk(own, level, window=WINDOW)
        share = kupiec(own[WINDOW:], announced, level)
        chance = christoffersen(own[WINDOW:], announced, level).independence.p_value
        backtests.append(
            Backtest(
                level=level,
                observations=share.observations,
                exceedances=share.exceedances,
                expected=share.expected,
                right_share=share.test.p_value,
                independent=chance,
                held=min(share.test.p_value, chance) >= SIGNIFICANT,
            )
        )
    return tuple(backtests)


def _add_shape(sheet: Sheet, holdings: Holdings, own: Floats) -> None:
    assets, shape = holdings.assets, moments(own)
    sheet.add("first_day", "first day used for the risk of the portfolio", assets.first_day, "date")
    sheet.add("last_day", "last day used for the risk of the portfolio", assets.last_day, "date")
    sheet.add("sessions", "sessions used for the risk of the portfolio", own.size, "count")
    sheet.add("source", "prices behind the risk of the portfolio", "; ".join(assets.sources), "text")
    sheet.add("volatility", "yearly volatility of the portfolio", _annual(shape), "percent")
    sheet.say("growth_sentence", describe_growth(assets.returns.dates, own, assets.cash))
    sheet.add("skewness", "skewness of the portfolio's daily returns", shape.skewness, "ratio")
    sheet.add(
        "kurtosis", "kurtosis of the portfolio's daily returns; three for the normal law", shape.kurtosis, "ratio"
    )
    if assets.index is not None:
        regression = alpha_beta(own - assets.cash, assets.index - assets.cash)
        sheet.add("beta", "beta of the portfolio against the S&P 500", regression.beta, "ratio")
        loss = regression.beta.value * _MARKET_FALL
        sheet.add("market_fall_loss", "loss of the portfolio if the S&P 500 falls by 20%, by its beta", loss, "percent")
        sheet.say("safety_sentence", describe_safety(own, assets.index))


def _annual(shape: Moments) -> float:
    return shape.deviation * math.sqrt(DAYS)


def _add_drawdown(sheet: Sheet, returns: Returns, own: Floats, money: Money | None) -> None:
    for fall in drawdown_table(own, returns.dates, count=1):
        quantity = "maximum drawdown of the portfolio"
        sheet.add("max_drawdown", quantity, fall.depth, "percent")
        sheet.share_of(money, "max_drawdown", quantity, fall.depth)
        sheet.say("drawdown_sentence", describe_drawdown(fall.depth, str(fall.trough_date), money))
        sheet.add("max_drawdown_trough", "day of the bottom of the maximum drawdown", str(fall.trough_date), "date")
        sheet.add(
            "max_drawdown_length", "sessions of the maximum drawdown until the peak was regained", fall.length, "days"
        )


def _summary(own: Floats, returns: Returns, tails: tuple[Tail, ...], money: Money | None) -> str:
    fall = next((each.depth for each in drawdown_table(own, returns.dates, count=1)), None)
    month = next(t for t in tails if (t.method, t.horizon, t.level) == ("historical", 21, 0.95))
    return describe_risk(_annual(moments(own)), fall, month.value_at_risk, money)


def _add_tails(sheet: Sheet, tails: tuple[Tail, ...], money: Money | None) -> None:
    for row in tails:
        place = f"{100 * row.level:.0f}_{row.horizon}d_{row.method}"
        sessions = "one session" if row.horizon == 1 else f"{row.horizon} sessions"
        over = f"over {sessions} at {row.level:.0%} confidence, {TAILS[row.method]}"  # pyright: ignore[reportArgumentType]
        for name, words, loss in (
            ("value_at_risk", "value at risk of the portfolio", row.value_at_risk),
            (
                "shortfall",
                "expected shortfall of the portfolio, the mean loss beyond value at risk,",
                row.expected_shortfall,
            ),
        ):
            sheet.add(f"{name}_{place}", f"{words} {over}", loss, "percent")
            sheet.share_of(money, f"{name}_{place}", f"{words} {over}", loss)


def _add_asked_tail(sheet: Sheet, own: Floats, asked: TailRequest, money: Money | None) -> None:
    """Value at risk and shortfall at one level and horizon, in a sentence."""
    [row] = tail_risk(own, levels=(asked.level,), horizons=(asked.sessions,), methods=("historical",))
    sheet.say("tail_sentence", describe_tail(row, money))
    if shortfall := describe_shortfall(row, money):
        sheet.say("shortfall_sentence", shortfall)


def _add_components(sheet: Sheet, components: tuple[Component, ...], money: Money | None) -> None:
    whole = math.fsum(c.volatility for c in components)
    worst = math.fsum(c.shortfall for c in components)
    for n, part in enumerate(components, 1):
        word = ORDINALS[n - 1]
        sheet.add(f"holding_{n}_name", f'name of the "{word}" holding', part.asset, "text")
        sheet.add(f"holding_{n}_weight", f'share of wealth in the "{word}" holding', part.weight, "weight")
        sheet.share_of(money, f"holding_{n}_weight", f'share of wealth in the "{word}" holding', part.weight)
        share = part.volatility / whole if whole > 0.0 else None
        sheet.add(f"holding_{n}_risk", f'risk share of the "{word}" holding, of the volatility', share, "percent")
        share = part.shortfall / worst if worst > 0.0 else None
        quantity = f'part of the expected shortfall at 95% over one session that the "{word}" holding brings'
        sheet.add(f"holding_{n}_shortfall", quantity, share, "percent")


def _add_episodes(sheet: Sheet, episodes: tuple[Episode, ...], money: Money | None) -> None:
    visible_episodes = [episode for episode in episodes if episode.loss is not None]
    sheet.add("crises", "past crises that the days used cover", len(visible_episodes), "count")
    for n, episode in enumerate(visible_episodes, 1):
        assert episode.loss is not None
        quantity = (
            f'loss of the portfolio in the crisis "{episode.name}", bought before and left alone; negative is a gain'
        )
        sheet.add(f"crisis_{n}_name", "name of a past crisis", episode.name, "text")
        sheet.add(f"crisis_{n}_loss", quantity, episode.loss, "percent")
        sheet.share_of(money, f"crisis_{n}_loss", quantity, episode.loss)
    if visible_episodes:
        worst = max(visible_episodes, key=lambda e: e.loss or 0.0)
        sheet.add("worst_crisis_name", "the crisis that cost the portfolio most", worst.name, "text")
        sheet.add("worst_crisis_loss", 'loss of the portfolio in its "worst crisis"', worst.loss, "percent")
        sheet.say("crisis_sentence", describe_crisis(worst.name, worst.loss or 0.0, money))


def _add_correlations(sheet: Sheet, holdings: Holdings) -> None:
    names = holdings.assets.returns.assets
    if len(names) < 2:
        return
    daily = sample(holdings.assets.returns)
    pairs = correlation(daily)[np.triu_indices(len(names), 1)]
    sheet.add("mean_correlation", "mean correlation of two risky holdings", float(np.mean(pairs)), "ratio")
    for word, place in (("lowest", int(pairs.argmin())), ("highest", int(pairs.argmax()))):
        first, second = (int(rows[place]) for rows in np.triu_indices(len(names), 1))
        sheet.add(f"{word}_correlation", f"{word} correlation of two risky holdings", float(pairs[place]), "ratio")
        pair = f"{names[first]} and {names[second]}"
        sheet.add(f"{word}_correlation_pair", f"the two holdings of the {word} correlation", pair, "text")
    sheet.say("correlation_sentence", describe_correlations(names, pairs))
    together = component_contributions(holdings.weights, stressed_covariance(daily, 1.0)).total * math.sqrt(DAYS)
    sheet.add(
        "crisis_correlation", "imagined correlation of all risky holdings in a crisis", CRISIS_CORRELATION, "ratio"
    )
    quantity = "yearly volatility of the portfolio if all risky holdings had that imagined correlation"
    sheet.add("crisis_volatility", quantity, together, "percent")


def _add_backtests(sheet: Sheet, backtests: tuple[Backtest, ...]) -> None:
    for row in backtests:
        place = f"{100 * row.level:.0f}"
        of = f"the one-session value at risk at {row.level:.0%} confidence"
        sheet.add(f"backtest_{place}_days", f"sessions on which {of} was tested", row.observations, "count")
        sheet.add(f"backtest_{place}_exceeded", f"sessions whose loss exceeded {of}", row.exceedances, "count")
        sheet.add(f"backtest_{place}_expected", f"sessions expected to exceed {of}", row.expected, "count")
        quantity = f"chance of so different a number of losses beyond {of}, were it right (Kupiec)"
        sheet.add(f"backtest_{place}_share", quantity, row.right_share, "probability")
        quantity = f"chance of losses beyond {of} so bunched, were they independent (Christoffersen)"
        sheet.add(f"backtest_{place}_bunched", quantity, row.independent, "probability")
