"""Market regimes of several assets at the end of the validation days."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from desk.figures.figures import Figure, format_figure
from desk.figures.sheet import ORDINALS, Sheet
from desk.market.prices import PriceSource
from desk.market.regimes import regime_of
from desk.portfolios.holdings import INDEX, Assets, load_assets
from desk.portfolios.market_regime_schemas import MarketAnalysis, MarketRegime
from desk.portfolios.risk_in_words import INDEX_NAME
from quant.covariance.estimators import correlation, sample
from quant.numeric.arrays import Floats
from quant.numeric.units import DAYS
from quant.performance.growth import compounded
from quant.worlds.hidden_markov import filtered_probabilities
from quant.worlds.regime_evidence import WHY_ONE_STATE, examine_regimes
from quant.worlds.regimes import MARKETS, market_state

TOOL = "analyse_market"


async def analyse_market(prices: PriceSource, assets: Sequence[str]) -> MarketAnalysis:
    """Volatility band, trend and drawdown of each of `assets`."""
    assets_data = await load_assets(prices, assets)
    return await asyncio.to_thread(_analyse, assets_data)


def _analyse(assets: Assets) -> MarketAnalysis:
    sheet = Sheet(TOOL, "regime")
    sheet.add("first_day", "first day used for the regimes", assets.first_day, "date")
    sheet.add("last_day", "day on which the regimes stand, the last before the locked holdout", assets.last_day, "date")
    figures: list[Figure] = []
    regimes: list[MarketRegime] = []
    for n, (name, column) in enumerate(zip(assets.returns.assets, assets.returns.values.T, strict=True), 1):
        own = np.ascontiguousarray(column)
        report = regime_of(
            own, f"regime_{n}", f"{TOOL}.{n}", f'of the "{ORDINALS[n - 1]}" market, on the day used last'
        )
        evidence = examine_regimes(own[: assets.train])
        turbulence = float(filtered_probabilities(evidence.model, own)[-1, -1]) if evidence.model is not None else None
        regimes.append(
            MarketRegime(
                asset=name,
                volatility_band=report.volatility_band,
                trend=report.trend,
                in_drawdown=report.in_drawdown,
                phase=MARKETS[int(market_state(own).state[-1]) + 1],
                turbulent=None if turbulence is None else turbulence > 0.5,
                one_state_because=None if evidence.reason is None else WHY_ONE_STATE[evidence.reason],
            )
        )
        figures += report.figures
        _add_sentences(sheet, n, regimes[-1], assets.last_day, report.figures)
        _add_figures(sheet, n, regimes[-1], own, turbulence)
    _add_correlations(sheet, assets)
    _add_most_volatile(sheet, assets, figures)
    _add_moods(sheet, assets, regimes)
    return MarketAnalysis(
        first_day=assets.first_day,
        last_day=assets.last_day,
        regimes=tuple(regimes),
        caveats=(assets.days_used, *assets.caveats),
        figures=(*sheet.figures, *figures),
    )


_BANDS = {"low": "low", "middle": "neither low nor high", "high": "high"}
_MOODS = {"low": "calm", "middle": "neither calm nor nervous", "high": "nervous"}
_TRENDS = {"rising": "a rising trend", "flat": "a flat trend", "falling": "a falling trend"}
_PHASES = {"bull": "a bull market", "bear": "a bear market", "undetermined": "neither a bull nor a bear market yet"}


def _add_sentences(sheet: Sheet, n: int, regime: MarketRegime, day: str, figures: Sequence[Figure]) -> None:
    """The state of a market, its volatility, its trend and its fall, with the day on which they stand."""
    name = _name(regime.asset)
    volatility, fall = (
        next(format_figure(f) for f in figures if f.id == f"regime_{n}_current_{measure}")
        for measure in ("volatility", "drawdown")
    )
    band = f"{volatility} a year, {_BANDS[regime.volatility_band]} against its past"
    where = f"On {day}, the last day before the locked holdout,"
    phase, trend, mood = _PHASES[regime.phase], _TRENDS[regime.trend], _MOODS[regime.volatility_band]
    for what, text in (
        ("state", f"was in {phase} with {trend}, {fall} below its peak; its volatility was {band}"),
        ("volatility", f"was {mood}: its volatility was {band}"),
        ("trend", f"had {trend} and was in {phase}"),
        ("fall", f"stood {fall} below its peak, in {phase}"),
    ):
        sheet.say(f"{n}_{what}_sentence", f"{where} {name} {text}.")


def _name(asset: str) -> str:
    return INDEX_NAME if asset.lower() == INDEX else asset


def _add_most_volatile(sheet: Sheet, assets: Assets, figures: Sequence[Figure]) -> None:
    """The assets by their latest volatility."""
    names = [*map(_name, assets.returns.assets)]
    latest = {f.id: f for f in figures}
    rows = [latest[f"regime_{n}_current_volatility"] for n in range(1, len(names) + 1)]
    ordered = sorted(zip(rows, names, strict=True), key=lambda row: -float(row[0].value))
    if len(ordered) > 1:
        (most, first), *others = ordered[:MOST_NAMED]
        then = "".join(f", then {name} with {format_figure(figure)}" for figure, name in others)
        sheet.say(
            "most_volatile_sentence",
            f"{first[:1].upper()}{first[1:]} was the most volatile on {assets.last_day}, with {format_figure(most)} a "
            f"year{then}.",
        )


def _add_moods(sheet: Sheet, assets: Assets, regimes: Sequence[MarketRegime]) -> None:
    """How many of several assets are calm and how many nervous."""
    moods = Counter(regime.volatility_band for regime in regimes)
    if len(regimes) > 1:
        sheet.say(
            "moods_sentence",
            f"Of the {len(regimes)} assets {moods['low']} {'was' if moods['low'] == 1 else 'were'} calm on "
            f"{assets.last_day}, {moods['high']} nervous and {moods['middle']} neither, each against its own past.",
        )


MOST_NAMED = 5
"""Assets that the sentence about volatilities names."""


def _add_figures(sheet: Sheet, n: int, regime: MarketRegime, own: Floats, turbulence: float | None) -> None:
    word = ORDINALS[n - 1]
    of = f'of the "{ORDINALS[n - 1]}" market'
    sheet.add(f"{n}_name", f"name {of}", regime.asset, "text")
    sheet.add(
        f"{n}_band", f"how calm or rough the {word} market is, against all days before", regime.volatility_band, "text"
    )
    sheet.add(f"{n}_trend", f"direction of the trend of the {word} market", regime.trend, "text")
    sheet.add(f"{n}_phase", f"phase of the {word} market by the rule of a fifth", regime.phase, "text")
    if turbulence is not None:
        sheet.add(f"{n}_turbulence", f"probability {of} of being in the turbulent state", turbulence, "probability")
    sheet.add(f"{n}_year", f"return {of} over the last 252 sessions used", compounded(own[-DAYS:]), "percent")


def _add_correlations(sheet: Sheet, assets: Assets) -> None:
    count = len(assets.returns.assets)
    if count < 2:
        return
    pairs = np.triu_indices(count, 1)
    for name, words, values in (
        ("correlation", "over all days used", assets.returns.values),
        ("correlation_year", "over the last 252 sessions used", assets.returns.values[-DAYS:]),
    ):
        correlations = correlation(sample(values))[pairs]
        sheet.add(
            name, f"mean correlation of two of the assets {words}", math.fsum(correlations) / correlations.size, "ratio"
        )
