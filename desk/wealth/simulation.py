"""Simulates the wealth of a request with jointly simulated assets, and computes statistics, bands and analysis."""

import asyncio
import hashlib
import io
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.market.prices import PriceSource
from desk.portfolios.correlation_schemas import CorrelationRepair
from desk.portfolios.correlations import repair_warning, set_correlations
from desk.portfolios.holdings import load_assets
from desk.wealth.schemas import (
    CASH,
    MAX_SYMBOLS,
    MAX_WORK,
    MOMENTS,
    AnalysisErrors,
    AnalysisResult,
    Bands,
    Extremes,
    ExtremesErrors,
    Parameters,
    SimulationRequest,
    SimulationResult,
    StandardErrors,
    Statistics,
    Terms,
)
from quant.covariance.estimators import sample
from quant.numeric.arrays import Dates, Floats
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.units import DAYS
from quant.wealth.kernel import MONTH
from quant.wealth.montecarlo import paths_for_error, simulate_wealth, trajectories
from quant.wealth.summary import Distribution, WealthSummary
from quant.wealth.terms import AccountTerms
from quant.worlds.joint import JointModel, joint_model
from quant.worlds.joint_moments import correlation_of
from quant.worlds.regimes import labels

ASSUMED_CASH_RATE = 0.02
"""Cash rate for given returns, which contain none."""
MEAN_BLOCK = 40
MIN_DAYS = 20
LEVELS = (0.05, 0.25, 0.50, 0.75, 0.95)
MAX_DATES = 240
SAFETY_FACTOR = 1.05
"""Factor on the paths for a target standard error, which is itself an estimate."""
_MEANS, _VOLATILITIES = (-1.0, 2.0), (0.0, 3.0)
"""Annual ranges that the engines accept."""
_GBM = "Log-normal days of constant volatility: large falls come less often than in markets."
_OWN_MEANS = "The future has the means of the days used, which is the least certain thing that they say."


@dataclass(frozen=True)
class Sample:
    """Daily returns of N assets, in the order of their names, over T sessions, and the annual cash rate."""

    names: tuple[str, ...]
    values: Floats
    cash_rate: float
    days: Dates | None
    caveats: tuple[str, ...]


@dataclass(frozen=True)
class SimulationOutcome:
    parameters: Parameters
    result: SimulationResult
    analysis: AnalysisResult
    caveats: tuple[str, ...]
    closes: bytes | None
    """File of the requested trajectories."""


async def simulate_request(
    prices: PriceSource, request: SimulationRequest, weights: dict[str, float]
) -> SimulationOutcome:
    """Simulated wealth of a portfolio with `weights`; the remainder is cash."""
    risky = {name: weights[name] for name in sorted(weights) if name.casefold() != CASH and weights[name] > 0.0}
    if not risky:
        raise InvalidInput("weights", dict(weights), allowed="at least one symbol that is not cash, above 0")
    if len(risky) > MAX_SYMBOLS:
        raise InvalidInput("weights", len(risky), allowed=f"at most {MAX_SYMBOLS} symbols besides cash")
    _check_work(request, request.num_simulations, len(risky))
    if request.returns is not None:
        sample_returns = _own_sample(request, tuple(risky))
    else:
        sample_returns = await _load_sample(prices, request, tuple(risky))
    return await asyncio.to_thread(_simulate, request, sample_returns, np.array(list(risky.values())))


def _own_sample(request: SimulationRequest, names: tuple[str, ...]) -> Sample:
    returns = request.returns or {}
    symbols = {symbol.casefold(): symbol for symbol in returns}
    if len(symbols) < len(returns):
        raise InvalidInput("returns", sorted(returns), reason="a symbol occurs twice", allowed="each symbol once")
    missing = [name for name in names if name.casefold() not in symbols]
    if missing:
        reason = f"they are missing for {', '.join(missing)}"
        raise InvalidInput("returns", missing, reason=reason, allowed="returns of every symbol that is held")
    values = np.array([returns[symbols[name.casefold()]] for name in names]).T
    return Sample(names, values, ASSUMED_CASH_RATE, None, ())


async def _load_sample(prices: PriceSource, request: SimulationRequest, names: tuple[str, ...]) -> Sample:
    assets = await load_assets(prices, names)
    days = assets.returns.dates
    start, end = request.start_date or days[0].item(), request.end_date or days[-1].item()
    part = (days >= np.datetime64(start, "D")) & (days <= np.datetime64(end, "D"))
    if part.sum() < MIN_DAYS:
        raise InvalidInput(
            "startDate, endDate",
            f"{start} to {end}",
            reason=f"{int(part.sum())} sessions lie within {start} to {end}",
            allowed=f"at least {MIN_DAYS} within {assets.first_day} to {assets.last_day}; the days after are locked",
        )
    cash = assets.cash[part]
    rate = power(1.0 + math.fsum(cash) / cash.size, DAYS) - 1.0
    return Sample(names, assets.returns.values[part], rate, days[part], (assets.days_used, *assets.caveats))


def _check_work(request: SimulationRequest, paths: int, symbols: int) -> None:
    if paths * _work_per_path(request, symbols) > MAX_WORK:
        field, value = (
            ("numSimulations", paths) if paths == request.num_simulations else ("standardError", request.standard_error)
        )
        raise _too_long(request, field, value, str(paths), symbols)


def _work_per_path(request: SimulationRequest, symbols: int) -> int:
    return request.num_periods * (symbols + 2)


def _too_long(request: SimulationRequest, field: str, value: float | None, paths: str, symbols: int) -> InvalidInput:
    return InvalidInput(
        field,
        value,
        reason=f"{paths} simulations of {request.num_periods} periods and {symbols} symbols take too long",
        allowed=f"what {MAX_WORK // _work_per_path(request, symbols)} simulations can do, or fewer periods or symbols",
    )


def _simulate(request: SimulationRequest, sample_returns: Sample, weights: Floats) -> SimulationOutcome:
    total = math.fsum(weights)
    shares = weights / total if total > 1.0 else weights  # rounding of weights that sum to 1
    try:
        terms = AccountTerms(
            initial=request.initial_investment,
            days=request.num_periods,
            rebalancing=request.rebalancing,
            contributions=request.contribution,
            withdrawals=request.withdrawal,
            indexed=request.indexed,
            fee=request.fee,
            cost_bps=request.transaction_cost_bps,
            inflation=request.inflation,
            ruin=request.ruin,
        )
        correlation, repair = _correlation(request, sample_returns)
        model = _model(request, sample_returns, shares, correlation)
        summary = _summary(request, model, shares, terms)
        closes = None
        if request.trajectories:
            closes = _encode_closes(trajectories(model, shares, terms, paths=request.trajectories))
    except DataError as error:
        reason, allowed = reason_and_allowed(str(error))
        allowed = allowed or "another engine, or other returns"
        raise InvalidInput("engine", request.engine, reason=reason, allowed=allowed) from error
    parameters = _parameters(request, sample_returns, model, shares, summary.paths, repair)
    return SimulationOutcome(
        parameters=parameters,
        result=SimulationResult(statistics=_statistics(summary), bands=_bands(summary, parameters)),
        analysis=_analysis(summary, parameters),
        caveats=(
            _OWN_MEANS,
            *([_GBM] if request.engine == "gbm" else []),
            *([] if repair is None else [repair_warning(repair)]),
            *sample_returns.caveats,
        ),
        closes=closes,
    )


def _summary(request: SimulationRequest, model: JointModel, weights: Floats, terms: AccountTerms) -> WealthSummary:
    paths = request.num_simulations
    while True:
        summary = simulate_wealth(model, weights, terms, paths=paths, goal=request.goal, levels=LEVELS)
        mean = summary.terminal.mean
        if request.standard_error is None or (mean.error or 0.0) <= request.standard_error:
            return summary
        try:
            paths = math.ceil(SAFETY_FACTOR * paths_for_error(mean, paths=paths, target=request.standard_error))
        except DataError as error:
            raise _too_long(request, "standardError", request.standard_error, "more than 1e15", weights.size) from error
        _check_work(request, paths, weights.size)


def _correlation(request: SimulationRequest, sample_returns: Sample) -> tuple[Floats | None, CorrelationRepair | None]:
    """The sample's correlations with those that the request sets, and their repair; none for engines that take none."""
    if request.engine not in MOMENTS:
        return None, None
    covariance, repair = sample(sample_returns.values), None
    if request.correlations is not None:
        covariance, repair = set_correlations(
            covariance, sample_returns.names, request.correlations, repair=request.repair_correlations
        )
    return correlation_of(covariance), repair


def _model(
    request: SimulationRequest, sample_returns: Sample, weights: Floats, correlation: Floats | None
) -> JointModel:
    rate = sample_returns.cash_rate if request.cash_rate is None else request.cash_rate
    mu, sigma = _moments(sample_returns)
    arguments: dict[str, Any] = {}
    if correlation is not None:
        arguments = {"mu": mu, "sigma": sigma, "correlation": correlation}
    else:
        arguments["history"] = sample_returns.values
    if request.engine == "garch":
        arguments |= {"mu": mu, "sigma": sigma}
    if request.label is not None:
        arguments["labels"] = getattr(labels(sample_returns.values @ (weights / weights.sum())), request.label)
    return joint_model(
        request.engine,
        cash_rate=rate,
        seed=request.seed,
        name="portfolio",
        mean_block=float(request.mean_block or MEAN_BLOCK),
        **arguments,
    )


def _moments(sample_returns: Sample) -> tuple[Floats, Floats]:
    """Annual means and volatilities of the columns; raises `InvalidInput` outside the engines' ranges."""
    count = len(sample_returns.values)
    means = [math.fsum(column) / count for column in sample_returns.values.T]
    squares = [
        math.fsum((x - mean) * (x - mean) for x in column.tolist())
        for mean, column in zip(means, sample_returns.values.T, strict=True)
    ]
    mu = np.array(means) * DAYS
    sigma = np.sqrt(np.array(squares) / (count - 1) * DAYS)
    for quantity, values, (low, high) in (("mean", mu, _MEANS), ("volatility", sigma, _VOLATILITIES)):
        bad = ~((values >= low) & (values <= high))
        if bad.any():
            i = int(bad.argmax())
            raise InvalidInput(
                f"returns.{sample_returns.names[i]}",
                float(values[i]),
                reason=f"the {quantity} of its returns, taken as daily, is {values[i]:.0%} a year",
                allowed=f"daily returns with a {quantity} of {low:.0%} to {high:.0%} a year",
            )
    return mu, sigma


def _parameters(
    request: SimulationRequest,
    sample_returns: Sample,
    model: JointModel,
    weights: Floats,
    paths: int,
    repair: CorrelationRepair | None,
) -> Parameters:
    def by_name(values: Floats) -> dict[str, float]:
        return dict(zip(sample_returns.names, map(float, values), strict=True))

    terms = {name: getattr(request, name) for name in Terms.model_fields}
    terms |= {"num_simulations": paths}
    if request.engine in ("bootstrap", "conditional_bootstrap"):
        terms |= {"mean_block": request.mean_block or MEAN_BLOCK}
    return Parameters(
        **terms,
        weights=by_name(weights),
        expected_returns=by_name(model.mu),
        volatilities=by_name(model.sigma),
        cash_weight=max(1.0 - math.fsum(weights), 0.0),
        cash_rate=sample_returns.cash_rate if request.cash_rate is None else request.cash_rate,
        correlation_repair=repair,
        observations=len(sample_returns.values),
        first_day=None if sample_returns.days is None else sample_returns.days[0].item(),
        last_day=None if sample_returns.days is None else sample_returns.days[-1].item(),
        returns_digest=_digest(sample_returns),
    )


def _digest(sample_returns: Sample) -> str:
    content = hashlib.sha256(b"stratigos returns 1\n")
    content.update(struct.pack("<qq", *sample_returns.values.shape))
    for name in sample_returns.names:
        text = name.encode()
        content.update(struct.pack("<q", len(text)) + text)
    content.update(sample_returns.values.astype("<f8").tobytes())
    return content.hexdigest()


def _statistics(summary: WealthSummary) -> Statistics:
    end = summary.terminal
    return Statistics(
        mean_final_value=end.mean.value,
        median_final_value=end.median.value,
        min_final_value=end.minimum,
        max_final_value=end.maximum,
        standard_deviation=end.deviation,
        percentiles=_by_level(end, of_error=False),
        standard_errors=StandardErrors(
            mean_final_value=_error(end.mean),
            median_final_value=_error(end.median),
            percentiles=_by_level(end, of_error=True),
        ),
    )


def _by_level(distribution: Distribution, *, of_error: bool) -> dict[str, float]:
    return {
        _percent(level): _error(estimate) if of_error else estimate.value
        for level, estimate in zip(distribution.levels, distribution.percentiles, strict=True)
    }


def _percent(level: float) -> str:
    return f"{100.0 * level:.0f}"


def _bands(summary: WealthSummary, parameters: Parameters) -> Bands:
    dates = summary.times.size
    step = math.ceil((dates - 1) / MAX_DATES)
    months = [*range(0, dates - 1, step), dates - 1]
    periods = [min(m * MONTH, parameters.num_periods) for m in months]

    def of(values: Floats) -> tuple[float, ...]:
        return tuple(float(values[m]) for m in months)

    return Bands(
        periods=tuple(periods),
        years=of(summary.times),
        mean=of(summary.mean),
        percentiles={_percent(level): of(row) for level, row in zip(summary.levels, summary.bands, strict=True)},
        price_level=tuple(power(1.0 + parameters.inflation, days / DAYS) for days in periods),
        probability_of_ruin=of(summary.ruin_by),
    )


def _analysis(summary: WealthSummary, parameters: Parameters) -> AnalysisResult:
    paid_in = _paid_in(parameters)
    loss, ruin, goal, growth = (
        summary.loss_probability,
        summary.ruin_probability,
        summary.goal_probability,
        summary.growth.mean,
    )
    whole_years = parameters.num_periods >= DAYS
    drawdown = summary.drawdown
    return AnalysisResult(
        horizon_periods=parameters.num_periods,
        paid_in=paid_in,
        probability_of_loss=loss.value,
        probability_of_gain=1.0 - loss.value,
        probability_of_ruin=ruin.value,
        probability_of_goal=goal.value if goal else None,
        expected_return=summary.gain.mean.value,
        expected_risk=summary.gain_deviation.value,
        annualized_return=growth.value if whole_years else None,
        max_drawdown=Extremes(mean=drawdown.mean.value, median=drawdown.median.value, max=drawdown.maximum),
        **_tails(summary, paid_in, of_error=False),
        standard_errors=AnalysisErrors(
            probability_of_loss=_error(loss),
            probability_of_gain=_error(loss),
            probability_of_ruin=_error(ruin),
            probability_of_goal=_error(goal) if goal else None,
            expected_return=_error(summary.gain.mean),
            expected_risk=_error(summary.gain_deviation),
            annualized_return=_error(growth) if whole_years else None,
            max_drawdown=ExtremesErrors(mean=_error(drawdown.mean), median=_error(drawdown.median)),
            **_tails(summary, paid_in, of_error=True),
        ),
    )


def _tails(summary: WealthSummary, paid_in: float, *, of_error: bool) -> dict[str, dict[str, float]]:
    by_name: dict[str, dict[str, float]] = {}
    for name in ("value_at_risk", "expected_shortfall"):
        estimates: dict[str, Measured] = {_percent(risk.level): getattr(risk, name) for risk in summary.risks}
        shares = {level: _error(estimate) if of_error else estimate.value for level, estimate in estimates.items()}
        by_name[f"{name}_fraction"] = shares
        by_name[name] = {level: paid_in * share for level, share in shares.items()}
    return by_name


def _paid_in(parameters: Parameters) -> float:
    """Money paid in until the end, without ruin."""
    rate = parameters.inflation if parameters.indexed else 0.0
    months = range(1, parameters.num_periods // MONTH + 1)
    contributions = math.fsum(parameters.contribution * power(1.0 + rate, m * MONTH / DAYS) for m in months)
    return parameters.initial_investment + contributions


def _error(estimate: Measured) -> float:
    assert estimate.error is not None  # every statistic of simulated wealth has one
    return estimate.error


def _encode_closes(closes: Floats) -> bytes:
    file = io.BytesIO()
    np.save(file, closes.astype("<f8"), allow_pickle=False)
    return file.getvalue()


def decode_closes(file: bytes) -> Floats:
    """The array in a file of `SimulationOutcome.closes`, shape (trajectories, periods + 1)."""
    return np.load(io.BytesIO(file), allow_pickle=False)
