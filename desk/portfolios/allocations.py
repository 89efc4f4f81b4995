"""Compares allocation methods over several assets."""

import asyncio
import math
from collections.abc import Sequence
from typing import get_args

import numpy as np

from desk.base.errors import InvalidInput
from desk.figures.figures import Figure
from desk.figures.sheet import ORDINALS, Money, Sheet
from desk.market.prices import PriceSource
from desk.portfolios.allocation_schemas import Allocation
from desk.portfolios.allocations_in_words import add_sentences
from desk.portfolios.holdings import Assets, load_assets
from desk.portfolios.optimizers.requests import Covariance
from desk.portfolios.optimizers.risk_based import estimate_covariance
from desk.portfolios.schemas import Method
from quant.allocate import (
    efficient_frontier,
    equal_weights,
    hierarchical_risk_parity,
    inverse_volatility,
    maximum_diversification,
    minimum_cvar,
    risk_parity,
)
from quant.allocation.risk_budgeting import risk_contributions
from quant.covariance.estimators import ILL_CONDITIONED, condition_number, correlation
from quant.covariance.samples import RECOMMENDED_OBSERVATIONS
from quant.numeric.arrays import Floats
from quant.numeric.errors import Infeasible
from quant.numeric.frozen import Frozen
from quant.numeric.moments import moments
from quant.numeric.units import DAYS
from quant.risk.portfolio import portfolio_returns

TOOL = "compare_allocations"
METHODS: tuple[Method, ...] = get_args(Method)
_LABELS: dict[Method, str] = {
    "equal_weight": 'the "equal weights" portfolio',
    "inverse_volatility": 'the "inverse volatility" portfolio',
    "risk_parity": 'the "risk parity" portfolio',
    "hierarchical_risk_parity": 'the "hierarchical clustering" portfolio',
    "minimum_variance": 'the "minimised variance" portfolio',
    "maximum_sharpe": 'the "maximised Sharpe" portfolio',
    "maximum_diversification": 'the "maximised diversification" portfolio',
    "minimum_cvar": 'the "minimised shortfall" portfolio',
}
COVARIANCE_LABELS: dict[Covariance, str] = {
    "sample": "the sample covariance",
    "ledoit_wolf": "the sample covariance shrunk towards equal variances (Ledoit and Wolf)",
    "constant_correlation": "the sample covariance shrunk towards equal correlations (Ledoit and Wolf)",
    "exponential": "the covariance with recent days weighted more",
    "nonlinear_shrinkage": "the sample covariance with each eigenvalue shrunk (Ledoit and Wolf)",
    "denoised": "the sample covariance with the eigenvalues of noise replaced by their mean (Marchenko and Pastur)",
}


CVAR_LEVEL = 0.95
"""Confidence level of the minimum CVaR portfolio, over one session."""
HALFLIFE = 63.0
"""Of the exponential covariance, in sessions."""


class Allocations(Frozen):
    first_day: str
    last_day: str
    assets: tuple[str, ...]
    allocations: tuple[Allocation, ...]
    ill_conditioned: bool
    """Whether optimizers amplify the noise of the covariance."""
    few_sessions: bool
    """Whether there are fewer than three sessions per asset."""
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...]
    covariance: Covariance = "sample"


async def compare_allocations(
    prices: PriceSource,
    assets: Sequence[str],
    money: Money | None = None,
    methods: Sequence[Method] = METHODS,
    covariance: Covariance = "sample",
) -> Allocations:
    """Compare methods on the same days before the holdout; long-only and fully invested.

    Volatilities, shares of risk and all weights but those of minimum CVaR rest on the `covariance` estimate.
    """
    if len(assets) < 2:
        raise InvalidInput("assets", list(assets), allowed="at least two assets that are not cash")
    assets_data = await load_assets(prices, assets)
    return await asyncio.to_thread(_compare, assets_data, tuple(dict.fromkeys(methods)), covariance, money)


def _compare(assets: Assets, methods: Sequence[Method], covariance: Covariance, money: Money | None) -> Allocations:
    returns, rate = assets.returns, _yearly_mean(assets.cash)
    cov = _yearly_covariance(returns.values, covariance)
    condition = condition_number(cov)
    allocations = tuple(_allocation(assets, method, covariance, cov, rate) for method in methods)
    few = len(returns) < RECOMMENDED_OBSERVATIONS * len(returns.assets)
    sheet = Sheet(TOOL, "allocation")
    _add_data_figures(sheet, assets, cov, condition, rate)
    if covariance != "sample":
        sheet.add("covariance", "estimate of the covariance", COVARIANCE_LABELS[covariance], "text")
    for allocation in allocations:
        _add_figures(sheet, allocation, money)
    add_sentences(sheet, returns.assets, allocations, money)
    return Allocations(
        first_day=assets.first_day,
        last_day=assets.last_day,
        assets=returns.assets,
        allocations=allocations,
        ill_conditioned=condition > ILL_CONDITIONED,
        few_sessions=few,
        caveats=tuple(_caveats(assets, methods, ill=condition > ILL_CONDITIONED, few=few)),
        figures=sheet.figures,
        covariance=covariance,
    )


def _yearly_covariance(values: Floats, method: Covariance) -> Floats:
    return DAYS * estimate_covariance(values, method, HALFLIFE)


def _allocation(assets: Assets, method: Method, covariance: Covariance, cov: Floats, rate: float) -> Allocation:
    values, train = assets.returns.values, assets.train
    mean = np.array([_yearly_mean(column) for column in values.T])
    try:
        weights = weights_of(method, cov, values, mean, rate)
    except Infeasible as error:
        return Allocation(method=method, reason=str(error))
    parts = risk_contributions(weights, cov)
    volatility = math.fsum(parts)
    later = (
        _validation_figures(assets, method, covariance)
        if train >= RECOMMENDED_OBSERVATIONS * weights.size
        else (None, None)
    )
    return Allocation(
        method=method,
        weights=tuple(map(float, weights)),
        risk_shares=tuple(float(part) / volatility for part in parts),
        volatility=volatility,
        expected_return=math.fsum(weights * mean),
        diversification=math.fsum(weights * np.sqrt(np.diag(cov))) / volatility,
        later_volatility=later[0],
        later_sharpe=later[1],
    )


def weights_of(method: Method, cov: Floats, daily: Floats, mean: Floats, rate: float) -> Floats:
    """Long-only weights with sum 1.

    Only `maximum_sharpe` uses `mean` and `rate`, of the time unit of `cov`; only `minimum_cvar` uses
    the `daily` returns.
    """
    match method:
        case "equal_weight":
            return equal_weights(mean.size)
        case "inverse_volatility":
            return inverse_volatility(cov)
        case "risk_parity":
            return risk_parity(cov)
        case "hierarchical_risk_parity":
            return hierarchical_risk_parity(cov).weights
        case "minimum_variance":
            return efficient_frontier(mean, cov, points=2).minimum_variance.weights
        case "maximum_sharpe":
            return efficient_frontier(mean, cov, points=2).maximum_sharpe(rate).weights
        case "maximum_diversification":
            return maximum_diversification(cov)
        case "minimum_cvar":
            return minimum_cvar(daily, CVAR_LEVEL)


def _validation_figures(assets: Assets, method: Method, covariance: Covariance) -> tuple[float | None, float | None]:
    values, train = assets.returns.values, assets.train
    past, rate = values[:train], _yearly_mean(assets.cash[:train])
    mean = np.array([_yearly_mean(column) for column in past.T])
    try:
        weights = weights_of(method, _yearly_covariance(past, covariance), past, mean, rate)
    except Infeasible:
        return None, None
    own = portfolio_returns(values[train:], weights)
    excess = moments(own - assets.cash[train:])
    return moments(own).deviation * math.sqrt(DAYS), excess.sharpe * math.sqrt(DAYS)


def _yearly_mean(daily: Floats) -> float:
    return DAYS * math.fsum(daily) / daily.size


def _caveats(assets: Assets, methods: Sequence[Method], *, ill: bool, few: bool) -> list[str]:
    caveats = [assets.days_used, "Weights and volatilities come from the same days: those to come will differ."]
    if "maximum_sharpe" in methods:
        caveats.append("The maximum Sharpe ratio takes the past means for the expected returns, its weakest point.")
    if ill:
        caveats.append("The covariance is ill-conditioned: minimum variance and maximum Sharpe amplify its noise.")
    if few:
        caveats.append("There are fewer than three sessions for each asset: equal weights are hard to beat on so few.")
    return [*caveats, *assets.caveats]


def _add_data_figures(sheet: Sheet, assets: Assets, cov: Floats, condition: float, rate: float) -> None:
    returns = assets.returns
    sheet.add("first_day", "first day used for the allocations", assets.first_day, "date")
    sheet.add("last_day", "last day used for the allocations", assets.last_day, "date")
    sheet.add("sessions", "sessions used for the allocations", len(returns), "count")
    sheet.add("assets", "assets that were allocated", len(returns.assets), "count")
    needed = RECOMMENDED_OBSERVATIONS * len(returns.assets)
    sheet.add("sessions_needed", "sessions advisable for so many assets", needed, "count")
    if math.isfinite(condition):
        sheet.add("condition_number", "condition number of the covariance", condition, "ratio")
    pairs = correlation(cov)[np.triu_indices(len(returns.assets), 1)]
    sheet.add("mean_correlation", "mean correlation of two of the assets", float(np.mean(pairs)), "ratio")
    sheet.add("cash_rate", "yearly return of cash over the days used", rate, "percent")
    for n, asset in enumerate(returns.assets, 1):
        word = ORDINALS[n - 1]
        sheet.add(f"asset_{n}_name", f'name of the "{word}" holding', asset, "text")
        sheet.add(
            f"asset_{n}_volatility",
            f'yearly volatility of the "{word}" holding',
            math.sqrt(cov[n - 1, n - 1]),
            "percent",
        )
        mean = _yearly_mean(returns.values[:, n - 1])
        sheet.add(
            f"asset_{n}_return", f'past mean return of the "{word}" holding a year, an assumption', mean, "percent"
        )


def _add_figures(sheet: Sheet, allocation: Allocation, money: Money | None) -> None:
    name, words = allocation.method, _LABELS[allocation.method]
    sheet.add(f"{name}_volatility", f"yearly volatility of {words}", allocation.volatility, "percent")
    quantity = f"expected return of {words} a year, if past means came again"
    sheet.add(f"{name}_return", quantity, allocation.expected_return, "percent")
    quantity = f"diversification of {words}: mean volatility of its assets over its own"
    sheet.add(f"{name}_diversification", quantity, allocation.diversification, "ratio")
    quantity = f"later yearly volatility, over the validation window, of {words} fitted on the training days alone"
    sheet.add(f"{name}_later_volatility", quantity, allocation.later_volatility, "percent")
    quantity = f"later Sharpe ratio, over the validation window, of {words} fitted on the training days alone"
    sheet.add(f"{name}_later_sharpe", quantity, allocation.later_sharpe, "ratio")
    rows = zip(allocation.weights, allocation.risk_shares, strict=True)
    for n, (weight, share) in enumerate(rows, 1):
        word = ORDINALS[n - 1]
        quantity = f'weight of the "{word}" holding under {words}'
        sheet.add(f"{name}_weight_{n}", quantity, weight, "percent")
        sheet.share_of(money, f"{name}_weight_{n}", quantity, weight)
        sheet.add(
            f"{name}_risk_{n}", f'risk share, of volatility, of the "{word}" holding under {words}', share, "percent"
        )
