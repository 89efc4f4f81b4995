"""Simulates wealth over years: holdings with contributions, withdrawals and a goal."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.base.text import spaced
from desk.figures.figures import Figure
from desk.figures.sheet import ORDINALS, Sheet
from desk.market.prices import PriceSource
from desk.portfolios.holdings import INDEX, Assets, Holdings, load_holdings
from desk.wealth.projection_in_words import add_sentences
from desk.wealth.savings_plan import SavingsPlan
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured
from quant.numeric.units import DAYS
from quant.wealth.montecarlo import simulate_wealth
from quant.wealth.summary import WealthSummary
from quant.wealth.terms import AccountTerms
from quant.worlds.joint import JointModel, joint_model
from quant.worlds.joint_laws import MarketState
from quant.worlds.regimes import labels
from quant.worlds.scenario import BUILT_IN, GBM_BANNER, Scenario

TOOL = "simulate_wealth"
_LUCK = {0.05: "bad luck", 0.25: "some misfortune", 0.50: "ordinary luck", 0.75: "some fortune", 0.95: "good luck"}
LEVELS = tuple(_LUCK)
_RESAMPLING = ("garch", "bootstrap", "conditional_bootstrap", "replay")
"""Engines that resample or fit history."""


class Percentile(Frozen):
    """Quantile of final wealth at `level`, and the same in today's money."""

    level: float
    wealth: Measured
    real: Measured


class WealthOutlook(Frozen):
    scenario: str | None
    """None if the assets' own history is resampled."""
    percentiles: tuple[Percentile, ...]
    years: tuple[float, ...]
    bands: tuple[tuple[float, ...], ...]
    """Percentiles of wealth at the end of each year in nominal money; one row per level."""
    loss: Measured
    ruin: Measured
    goal: Measured | None
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...]


async def simulate(prices: PriceSource, plan: SavingsPlan) -> WealthOutlook:
    """Simulate the wealth of `plan`; holdings are rebalanced every month."""
    holdings = await load_holdings(prices, plan.holdings)
    return await asyncio.to_thread(_simulate, holdings, plan)


def _simulate(holdings: Holdings, plan: SavingsPlan) -> WealthOutlook:
    scenario = _scenario(holdings, plan)
    try:
        model = _index_model(scenario, holdings.assets, plan) if scenario else _history_model(holdings.assets, plan)
        summary = _summary(model, holdings, plan, plan.fee)
        without_fee = _summary(model, holdings, plan, 0.0) if plan.fee > 0.0 else None
    except DataError as error:
        reason, allowed = reason_and_allowed(str(error))
        name = "scenario" if scenario else "assets"
        value = scenario.engine if scenario else list(holdings.names)
        raise InvalidInput(name, value, reason=reason, allowed=allowed or "another one") from error
    percentiles = (summary.terminal.percentiles, summary.terminal_real.percentiles)
    return WealthOutlook(
        scenario=scenario.name if scenario else None,
        percentiles=tuple(
            Percentile(level=level, wealth=wealth, real=real)
            for level, wealth, real in zip(LEVELS, *percentiles, strict=True)
        ),
        years=tuple(map(float, summary.times[::12])),
        bands=tuple(tuple(map(float, row[::12])) for row in summary.bands),
        loss=summary.loss_probability,
        ruin=summary.ruin_probability,
        goal=summary.goal_probability,
        caveats=tuple(_caveats(holdings.assets, scenario)),
        figures=_figures(holdings, plan, scenario, model, summary, without_fee),
    )


def _summary(model: JointModel, holdings: Holdings, plan: SavingsPlan, fee: float) -> WealthSummary:
    terms = AccountTerms(
        initial=plan.amount,
        years=plan.years,
        contributions=plan.contribution,
        withdrawals=plan.withdrawal,
        fee=fee,
        cost_bps=plan.cost_bps,
        inflation=plan.inflation,
    )
    return simulate_wealth(model, holdings.weights, terms, paths=plan.paths, goal=plan.goal, levels=LEVELS)


def _scenario(holdings: Holdings, plan: SavingsPlan) -> Scenario | None:
    """The scenario of the index; None for stocks, which are simulated from their own history."""
    if holdings.assets.universes == (INDEX,):
        return plan.scenario or BUILT_IN[0]
    if plan.scenario is not None:
        raise InvalidInput(
            "scenario",
            plan.scenario.name,
            reason="a scenario describes one index, and these holdings draw on their own history",
            allowed=f"no scenario, or {INDEX} and cash as holdings",
        )
    return None


def _history_model(assets: Assets, plan: SavingsPlan) -> JointModel:
    """Joint block bootstrap of all assets, with cash at its mean rate."""
    rate = power(1.0 + math.fsum(assets.cash) / assets.cash.size, DAYS) - 1.0
    return joint_model("bootstrap", cash_rate=rate, seed=plan.seed, name="history", history=assets.returns)


def _index_model(scenario: Scenario, assets: Assets, plan: SavingsPlan) -> JointModel:
    arguments: dict[str, Any] = {
        name: getattr(scenario, name)
        for name in ("mean_block", "mean_reversion", "vol_of_vol", "leverage", "premium_power", "jumps_per_year")
    }
    if scenario.engine in _RESAMPLING:
        past = assets.returns.values[: assets.train]
        arguments["history"] = past
        if scenario.engine == "conditional_bootstrap":
            arguments["labels"] = getattr(labels(past[:, 0]), scenario.label)
    if scenario.states:
        arguments |= _states(scenario)
    else:
        arguments |= {"mu": [scenario.mu], "sigma": [scenario.sigma]}
    return joint_model(
        scenario.engine,
        cash_rate=scenario.cash_rate,
        seed=(plan.seed + scenario.seed) % 2**63,
        name=scenario.name,
        **arguments,
    )


def _states(scenario: Scenario) -> Mapping[str, Any]:
    """Markov states with equal probabilities of moving to each other state."""
    stay = np.array([1.0 - 1.0 / state.mean_days for state in scenario.states])
    moving = np.repeat(((1.0 - stay) / (stay.size - 1))[:, None], stay.size, axis=1)
    np.fill_diagonal(moving, stay)
    return {
        "states": [MarketState(mu=[s.mu], sigma=[s.sigma], correlation=[[1.0]]) for s in scenario.states],
        "transition": moving,
    }


def _caveats(assets: Assets, scenario: Scenario | None) -> list[str]:
    if scenario is None:
        caveats = (
            "The future is drawn from blocks of the assets' own past, with its means: nothing new can happen in it."
        )
        return [caveats, assets.days_used, *assets.caveats]
    caveats = [f"The index follows the scenario {spaced(scenario.name)}: its return and volatility are assumptions."]
    if scenario.engine == "gbm":
        caveats.append(GBM_BANNER)
    if scenario.engine in _RESAMPLING:
        caveats.append(f"Its days are drawn from the training days, {assets.first_day} to {assets.train_end}.")
    return caveats


def _figures(
    holdings: Holdings,
    plan: SavingsPlan,
    scenario: Scenario | None,
    model: JointModel,
    summary: WealthSummary,
    without_fee: WealthSummary | None,
) -> tuple[Figure, ...]:
    sheet = Sheet(TOOL, "wealth")
    source = spaced(scenario.name) if scenario else "own history"
    sheet.add("scenario", "scenario of the simulated wealth", source, "text")
    sheet.add("years", "years of the simulated wealth", float(plan.years), "years")
    sheet.add("paths", "simulated paths of wealth", plan.paths, "count")
    sheet.add("inflation", "assumed inflation a year", plan.inflation, "percent")
    sheet.add("fee", "assumed fee a year", plan.fee, "percent")
    sheet.add("cash_rate", "assumed yearly return of cash", power(1.0 + model.cash, DAYS) - 1.0, "percent")
    shares = [*holdings.weights, *([holdings.cash_weight] if holdings.cash_weight > 0.0 else [])]
    for n, (name, share) in enumerate(zip(holdings.names, shares, strict=True), 1):
        ordinal = ORDINALS[n - 1]
        sheet.add(f"holding_{n}_name", f'name of the "{ordinal}" holding', name, "text")
        sheet.add(f"holding_{n}_weight", f'share of wealth in the "{ordinal}" holding', float(share), "weight")
    for n, (mu, sigma) in enumerate(zip(model.mu, model.sigma, strict=True), 1):
        ordinal = ORDINALS[n - 1]
        sheet.add(
            f"holding_{n}_return", f'yearly return that the "{ordinal}" holding is simulated with', float(mu), "percent"
        )
        quantity = f'yearly volatility that the "{ordinal}" holding is simulated with'
        sheet.add(f"holding_{n}_volatility", quantity, float(sigma), "percent")
    _add_flows(sheet, plan)
    add_sentences(sheet, plan, summary, without_fee)
    _add_final_wealth(sheet, plan, summary)
    return sheet.figures


def _add_flows(sheet: Sheet, plan: SavingsPlan) -> None:
    for name, quantity, value in (
        ("start", "wealth at the start", plan.amount),
        ("contribution", "paid in each month, in today's money", plan.contribution or None),
        ("withdrawal", "taken out each month, in today's money", plan.withdrawal or None),
        ("goal", 'money "wanted at the end", a goal in today\'s money', plan.goal),
    ):
        sheet.add(name, quantity, value, "money", currency=plan.currency)


def _add_final_wealth(sheet: Sheet, plan: SavingsPlan, summary: WealthSummary) -> None:
    for suffix, name_suffix, terminal in (
        ("", "", summary.terminal),
        (", in today's money", "_real", summary.terminal_real),
    ):
        mean = f'wealth at the end "averaged over paths"{suffix}'
        sheet.add(f"mean{name_suffix}", mean, terminal.mean, "money", currency=plan.currency)
        for level, value in zip(terminal.levels, terminal.percentiles, strict=True):
            name = "median" if level == 0.5 else f"p{100 * level:.0f}"
            quantity = f'wealth at the end with "{_LUCK[level]}", that {level:.0%} of the paths stay below{suffix}'
            sheet.add(f"{name}{name_suffix}", quantity, value, "money", currency=plan.currency)
    quantity = 'probability of a "loss by the end", of getting less out than was paid in'
    sheet.add("loss_probability", quantity, summary.loss_probability, "probability")
    if plan.withdrawal > 0.0:
        quantity = 'probability that the money "runs out" before the end'
        sheet.add("ruin_probability", quantity, summary.ruin_probability, "probability")
    sheet.add(
        "goal_probability", 'probability of "reaching the goal" at the end', summary.goal_probability, "probability"
    )
    sheet.add("drawdown", "maximum drawdown on the way, mean over paths", summary.drawdown.mean, "percent")
    sheet.add("growth", "yearly growth after fees and costs, mean over paths", summary.growth.mean, "percent")
