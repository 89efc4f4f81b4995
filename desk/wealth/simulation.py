"""From a request for simulated wealth to its statistics, bands and analysis; every asset is drawn with the others."""

import asyncio
import hashlib
import io
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.market.prices import PriceSource
from desk.portfolios.holdings import load_assets
from desk.wealth.schemas import (
    CASH,
    MOST_SYMBOLS,
    MOST_WORK,
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
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.returns import DAYS
from quant.wealth.kernel import MONTH
from quant.wealth.montecarlo import paths_for_error, simulate_wealth, trajectories
from quant.wealth.summary import Distribution, WealthSummary
from quant.worlds.joint import JointModel, joint_model
from quant.worlds.joint_moments import correlation_of
from quant.worlds.regimes import labels

Floats = NDArray[np.float64]

ASSUMED_CASH_RATE = 0.02
"""Where nothing says what cash earned."""
MEAN_BLOCK = 40
FEWEST_DAYS = 20
LEVELS = (0.05, 0.25, 0.50, 0.75, 0.95)
MOST_DATES = 240
MORE = 1.05
"""On top of the paths that a standard error asks for, since it is an estimate itself."""
_MEANS, _VOLATILITIES = (-1.0, 2.0), (0.0, 3.0)
"""A year; what the engines take."""
_MOMENTS = ("gbm", "heston", "merton", "bates", "regime_switching")
_GBM = "Log-normal days of constant volatility: large falls come less often than in markets."
_OWN_MEANS = "The future has the means of the days used, which is the least certain thing that they say."


@dataclass(frozen=True)
class Sample:
    """Daily returns of N assets, in the order of their names, over T sessions, and what cash earns a year."""

    names: tuple[str, ...]
    values: Floats
    cash_rate: float
    days: NDArray[np.datetime64] | None
    caveats: tuple[str, ...]


@dataclass(frozen=True)
class Simulated:
    parameters: Parameters
    result: SimulationResult
    analysis: AnalysisResult
    caveats: tuple[str, ...]
    closes: bytes | None
    """Of the trajectories that were asked for."""


async def simulated(prices: PriceSource, request: SimulationRequest, weights: dict[str, float]) -> Simulated:
    """Wealth of what is held by `weights`; what they leave is cash."""
    risky = {name: weights[name] for name in sorted(weights) if name.casefold() != CASH and weights[name] > 0.0}
    if not risky:
        raise InvalidInput("weights", dict(weights), allowed="at least one symbol that is not cash, above 0")
    if len(risky) > MOST_SYMBOLS:
        raise InvalidInput("weights", len(risky), allowed=f"at most {MOST_SYMBOLS} symbols besides cash")
    _check_work(request, request.num_simulations, len(risky))
    if request.returns is not None:
        drawn = _given(request, tuple(risky))
    else:
        drawn = await _loaded(prices, request, tuple(risky))
    return await asyncio.to_thread(_simulated, request, drawn, np.array(list(risky.values())))


def _given(request: SimulationRequest, names: tuple[str, ...]) -> Sample:
    returns = request.returns or {}
    known = {symbol.casefold(): symbol for symbol in returns}
    if len(known) < len(returns):
        raise InvalidInput("returns", sorted(returns), reason="a symbol is there twice", allowed="each symbol once")
    missing = [name for name in names if name.casefold() not in known]
    if missing:
        reason = f"they are missing for {', '.join(missing)}"
        raise InvalidInput("returns", missing, reason=reason, allowed="returns of every symbol that is held")
    values = np.array([returns[known[name.casefold()]] for name in names]).T
    return Sample(names, values, ASSUMED_CASH_RATE, None, ())


async def _loaded(prices: PriceSource, request: SimulationRequest, names: tuple[str, ...]) -> Sample:
    assets = await load_assets(prices, names)
    days = assets.returns.dates
    start, end = request.start_date or days[0].item(), request.end_date or days[-1].item()
    part = (days >= np.datetime64(start, "D")) & (days <= np.datetime64(end, "D"))
    if part.sum() < FEWEST_DAYS:
        raise InvalidInput(
            "startDate, endDate",
            f"{start} to {end}",
            reason=f"{int(part.sum())} sessions lie within {start} to {end}",
            allowed=f"at least {FEWEST_DAYS} within {assets.first_day} to {assets.last_day}; the days after are locked",
        )
    cash = assets.cash[part]
    rate = power(1.0 + math.fsum(cash) / cash.size, DAYS) - 1.0
    return Sample(names, assets.returns.values[part], rate, days[part], (assets.days_used, *assets.caveats))


def _check_work(request: SimulationRequest, paths: int, symbols: int) -> None:
    if paths * _each(request, symbols) > MOST_WORK:
        field, value = (
            ("numSimulations", paths) if paths == request.num_simulations else ("standardError", request.standard_error)
        )
        raise _too_long(request, field, value, str(paths), symbols)


def _each(request: SimulationRequest, symbols: int) -> int:
    return request.num_periods * (symbols + 2)


def _too_long(request: SimulationRequest, field: str, value: float | None, paths: str, symbols: int) -> InvalidInput:
    return InvalidInput(
        field,
        value,
        reason=f"{paths} simulations of {request.num_periods} periods and {symbols} symbols take too long",
        allowed=f"what {MOST_WORK // _each(request, symbols)} simulations can do, or fewer periods or symbols",
    )


def _simulated(request: SimulationRequest, drawn: Sample, weights: Floats) -> Simulated:
    total = math.fsum(weights)
    held = weights / total if total > 1.0 else weights  # rounding of weights that sum to 1
    terms: dict[str, Any] = {
        "initial": request.initial_investment,
        "days": request.num_periods,
        "rebalancing": request.rebalancing,
        "contributions": request.contribution,
        "withdrawals": request.withdrawal,
        "indexed": request.indexed,
        "fee": request.fee,
        "cost_bps": request.transaction_cost_bps,
        "inflation": request.inflation,
        "ruin": request.ruin,
    }
    try:
        model = _model(request, drawn, held)
        found = _summary(request, model, held, terms)
        closes = None
        if request.trajectories:
            closes = _file_of(trajectories(model, held, paths=request.trajectories, **terms))
    except DataError as error:
        reason, allowed = reason_and_allowed(str(error))
        allowed = allowed or "another engine, or other returns"
        raise InvalidInput("engine", request.engine, reason=reason, allowed=allowed) from error
    parameters = _parameters(request, drawn, model, held, found.paths)
    return Simulated(
        parameters=parameters,
        result=SimulationResult(statistics=_statistics(found), bands=_bands(found, parameters)),
        analysis=_analysis(found, parameters),
        caveats=(_OWN_MEANS, *([_GBM] if request.engine == "gbm" else []), *drawn.caveats),
        closes=closes,
    )


def _summary(request: SimulationRequest, model: JointModel, weights: Floats, terms: dict[str, Any]) -> WealthSummary:
    paths = request.num_simulations
    while True:
        found = simulate_wealth(model, weights, paths=paths, goal=request.goal, levels=LEVELS, **terms)
        mean = found.terminal.mean
        if request.standard_error is None or (mean.error or 0.0) <= request.standard_error:
            return found
        try:
            paths = math.ceil(MORE * paths_for_error(mean, paths=paths, target=request.standard_error))
        except DataError as error:
            raise _too_long(request, "standardError", request.standard_error, "more than 1e15", weights.size) from error
        _check_work(request, paths, weights.size)


def _model(request: SimulationRequest, drawn: Sample, weights: Floats) -> JointModel:
    rate = drawn.cash_rate if request.cash_rate is None else request.cash_rate
    mu, sigma = _moments(drawn)
    given: dict[str, Any] = {}
    if request.engine in _MOMENTS:
        given = {"mu": mu, "sigma": sigma, "correlation": correlation_of(sample(drawn.values))}
    else:
        given["history"] = drawn.values
    if request.engine == "garch":
        given |= {"mu": mu, "sigma": sigma}
    if request.label is not None:
        given["labels"] = getattr(labels(drawn.values @ (weights / weights.sum())), request.label)
    return joint_model(
        request.engine,
        cash_rate=rate,
        seed=request.seed,
        name="portfolio",
        mean_block=float(request.mean_block or MEAN_BLOCK),
        **given,
    )


def _moments(drawn: Sample) -> tuple[Floats, Floats]:
    """Annual means and volatilities of the columns, within what a simulated world can have."""
    count = len(drawn.values)
    means = [math.fsum(column) / count for column in drawn.values.T]
    squares = [
        math.fsum((x - mean) * (x - mean) for x in column.tolist())
        for mean, column in zip(means, drawn.values.T, strict=True)
    ]
    mu = np.array(means) * DAYS
    sigma = np.sqrt(np.array(squares) / (count - 1) * DAYS)
    for words, values, (low, high) in (("mean", mu, _MEANS), ("volatility", sigma, _VOLATILITIES)):
        bad = ~((values >= low) & (values <= high))
        if bad.any():
            i = int(bad.argmax())
            raise InvalidInput(
                f"returns.{drawn.names[i]}",
                float(values[i]),
                reason=f"the {words} of its returns, taken as daily, is {values[i]:.0%} a year",
                allowed=f"daily returns with a {words} of {low:.0%} to {high:.0%} a year",
            )
    return mu, sigma


def _parameters(
    request: SimulationRequest, drawn: Sample, model: JointModel, weights: Floats, paths: int
) -> Parameters:
    def by_name(values: Floats) -> dict[str, float]:
        return dict(zip(drawn.names, map(float, values), strict=True))

    settled = {name: getattr(request, name) for name in Terms.model_fields}
    settled |= {"num_simulations": paths}
    if request.engine in ("bootstrap", "conditional_bootstrap"):
        settled |= {"mean_block": request.mean_block or MEAN_BLOCK}
    return Parameters(
        **settled,
        weights=by_name(weights),
        expected_returns=by_name(model.mu),
        volatilities=by_name(model.sigma),
        cash_weight=max(1.0 - math.fsum(weights), 0.0),
        cash_rate=drawn.cash_rate if request.cash_rate is None else request.cash_rate,
        observations=len(drawn.values),
        first_day=None if drawn.days is None else drawn.days[0].item(),
        last_day=None if drawn.days is None else drawn.days[-1].item(),
        returns_digest=_digest(drawn),
    )


def _digest(drawn: Sample) -> str:
    content = hashlib.sha256(b"stratigos returns 1\n")
    content.update(struct.pack("<qq", *drawn.values.shape))
    for name in drawn.names:
        text = name.encode()
        content.update(struct.pack("<q", len(text)) + text)
    content.update(drawn.values.astype("<f8").tobytes())
    return content.hexdigest()


def _statistics(found: WealthSummary) -> Statistics:
    end = found.terminal
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


def _by_level(found: Distribution, *, of_error: bool) -> dict[str, float]:
    return {
        _percent(level): _error(measured) if of_error else measured.value
        for level, measured in zip(found.levels, found.percentiles, strict=True)
    }


def _percent(level: float) -> str:
    return f"{100.0 * level:.0f}"


def _bands(found: WealthSummary, parameters: Parameters) -> Bands:
    dates = found.times.size
    step = math.ceil((dates - 1) / MOST_DATES)
    shown = [*range(0, dates - 1, step), dates - 1]
    periods = [min(m * MONTH, parameters.num_periods) for m in shown]

    def of(values: Floats) -> tuple[float, ...]:
        return tuple(float(values[m]) for m in shown)

    return Bands(
        periods=tuple(periods),
        years=of(found.times),
        mean=of(found.mean),
        percentiles={_percent(level): of(row) for level, row in zip(found.levels, found.bands, strict=True)},
        price_level=tuple(power(1.0 + parameters.inflation, days / DAYS) for days in periods),
        probability_of_ruin=of(found.ruin_by),
    )


def _analysis(found: WealthSummary, parameters: Parameters) -> AnalysisResult:
    paid_in = _paid_in(parameters)
    loss, ruin, goal, growth = found.loss_probability, found.ruin_probability, found.goal_probability, found.growth.mean
    whole_years = parameters.num_periods >= DAYS
    drawdown = found.drawdown
    return AnalysisResult(
        horizon_periods=parameters.num_periods,
        paid_in=paid_in,
        probability_of_loss=loss.value,
        probability_of_gain=1.0 - loss.value,
        probability_of_ruin=ruin.value,
        probability_of_goal=goal.value if goal else None,
        expected_return=found.gain.mean.value,
        expected_risk=found.gain_deviation.value,
        annualized_return=growth.value if whole_years else None,
        max_drawdown=Extremes(mean=drawdown.mean.value, median=drawdown.median.value, max=drawdown.maximum),
        **_tails(found, paid_in, of_error=False),
        standard_errors=AnalysisErrors(
            probability_of_loss=_error(loss),
            probability_of_gain=_error(loss),
            probability_of_ruin=_error(ruin),
            probability_of_goal=_error(goal) if goal else None,
            expected_return=_error(found.gain.mean),
            expected_risk=_error(found.gain_deviation),
            annualized_return=_error(growth) if whole_years else None,
            max_drawdown=ExtremesErrors(mean=_error(drawdown.mean), median=_error(drawdown.median)),
            **_tails(found, paid_in, of_error=True),
        ),
    )


def _tails(found: WealthSummary, paid_in: float, *, of_error: bool) -> dict[str, dict[str, float]]:
    by_name: dict[str, dict[str, float]] = {}
    for name in ("value_at_risk", "expected_shortfall"):
        measured: dict[str, Measured] = {_percent(risk.level): getattr(risk, name) for risk in found.risks}
        shares = {level: _error(one) if of_error else one.value for level, one in measured.items()}
        by_name[f"{name}_fraction"] = shares
        by_name[name] = {level: paid_in * share for level, share in shares.items()}
    return by_name


def _paid_in(parameters: Parameters) -> float:
    """Money paid in until the end, where nothing ruins the account before."""
    rate = parameters.inflation if parameters.indexed else 0.0
    months = range(1, parameters.num_periods // MONTH + 1)
    paid = math.fsum(parameters.contribution * power(1.0 + rate, m * MONTH / DAYS) for m in months)
    return parameters.initial_investment + paid


def _error(measured: Measured) -> float:
    assert measured.error is not None  # every figure of simulated wealth has one
    return measured.error


def _file_of(closes: Floats) -> bytes:
    file = io.BytesIO()
    np.save(file, closes.astype("<f8"), allow_pickle=False)
    return file.getvalue()


def closes_of(file: bytes) -> Floats:
    """Shape (trajectories, periods + 1), as `Simulated.closes` holds them."""
    return np.load(io.BytesIO(file), allow_pickle=False)
