"""The efficient frontier: exact with bounds only, point by point with groups or a turnover limit."""

import numpy as np

from desk.base.errors import InvalidInput
from desk.portfolios.optimizers.constraints import by_symbol, with_symbols
from desk.portfolios.optimizers.requests import FrontierRequest
from desk.portfolios.optimizers.responses import (
    Corner,
    FrontierIntervals,
    FrontierPortfolio,
    FrontierResult,
    ResampledPortfolio,
    Residual,
    SharpePortfolio,
)
from desk.portfolios.optimizers.risk_based import (
    MAX_GAP,
    MAX_SECONDS,
    Problem,
    Solution,
    bootstrap_intervals,
    check_draws,
)
from quant.allocate import (
    efficient_frontier,
    maximum_sharpe,
    minimum_variance,
    minimum_variance_at,
    resampled_frontier,
)
from quant.allocation.constraints import Constraints, highest
from quant.allocation.frontier import Frontier
from quant.allocation.optimality import sharpe_gap, variance_gap
from quant.numeric.arrays import Floats
from quant.numeric.errors import Infeasible


def solve_frontier(problem: Problem, request: FrontierRequest) -> Solution[FrontierResult]:
    mean, cov, limits = problem.mean, problem.cov, problem.limits
    warnings: list[str] = []
    if limits.bounds_only:
        exact = efficient_frontier(mean, cov, request.num_portfolios, limits.lower, limits.upper)
        laid_out, corners = exact.weights[::-1], _corners(problem, exact)
    else:
        laid_out, corners = _solve_each_point(problem, request.num_portfolios), None
    if len(laid_out) == 1:
        warnings.append("One portfolio is the whole frontier: none returns more than the one of least risk.")
    sharpest = _maximum_sharpe(problem, request.risk_free_rate)
    if isinstance(sharpest, str):
        warnings.append(f"There is no portfolio of maximum Sharpe ratio: {sharpest}.")
        sharpest = None
    gap = _gap(problem, laid_out, sharpest, request.risk_free_rate)
    result = FrontierResult(
        portfolios=[_portfolio(problem, weights) for weights in laid_out],
        min_volatility_portfolio=_portfolio(problem, laid_out[0]),
        max_sharpe_portfolio=None if sharpest is None else _sharpe(problem, sharpest, request.risk_free_rate),
        corners=corners,
        resampled=_resampled(problem, request, warnings),
        intervals=_intervals(problem, request, sharpest, warnings),
    )
    return Solution(result, gap, {}, tuple(warnings))


def _solve_each_point(problem: Problem, points: int) -> Floats:
    mean, cov, limits = problem.mean, problem.cov, problem.limits
    seconds = problem.seconds_per_portfolio
    if points * seconds > MAX_SECONDS:
        reason = f"{points} portfolios of {mean.size} assets under groups or turnover take too long"
        most = max(int(MAX_SECONDS / seconds), 2)
        raise InvalidInput("numPortfolios", points, reason=reason, allowed=f"at most {most} for this many assets")
    least = minimum_variance(cov, **limits.arguments)
    top = highest(mean, Constraints.checked(mean.size, **limits.arguments))
    targets = np.linspace(float(mean @ least), top, points)
    if not top - targets[0] > 1e-9 * float(np.abs(mean).max()):
        return least[None, :]
    others = [minimum_variance_at(mean, cov, float(target), **limits.arguments) for target in targets[1:]]
    return np.array([least, *others])


def _maximum_sharpe(problem: Problem, rate: float) -> Floats | str:
    """The weights, or the reason why there are none."""
    try:
        return maximum_sharpe(problem.mean, problem.cov, rate=rate, **problem.limits.arguments)
    except Infeasible as error:
        return with_symbols(str(error), problem.symbols)


def _gap(problem: Problem, laid_out: Floats, sharpest: Floats | None, rate: float) -> Residual:
    cov, mean, limits = problem.cov, problem.mean, problem.limits.arguments
    gaps = [variance_gap(laid_out[0], cov, **limits)]
    gaps += [variance_gap(weights, cov, mean=mean, **limits) for weights in laid_out[1:]]
    if sharpest is not None:
        gaps.append(sharpe_gap(sharpest, mean, cov, rate=rate, **limits))
    value = float(np.abs(gaps).max())
    meaning = (
        "the largest first-order gap: relative to its variance, what any portfolio that satisfies the constraints and "
        "returns no less could shed, halved; for the maximum Sharpe ratio, relative to the ratio, what any could gain"
    )
    return Residual(value=value, accepted=MAX_GAP, meaning=meaning)


def _figures(problem: Problem, weights: Floats) -> tuple[float, float]:
    return float(weights @ problem.mean), float(np.sqrt(max(weights @ problem.cov @ weights, 0.0)))


def _portfolio(problem: Problem, weights: Floats) -> FrontierPortfolio:
    expected_return, risk = _figures(problem, weights)
    return FrontierPortfolio(weights=by_symbol(problem.symbols, weights), expected=expected_return, risk=risk)


def _sharpe(problem: Problem, weights: Floats, rate: float) -> SharpePortfolio:
    expected_return, risk = _figures(problem, weights)
    sharpe = (expected_return - rate) / risk
    return SharpePortfolio(
        weights=by_symbol(problem.symbols, weights), expected=expected_return, risk=risk, sharpe=sharpe
    )


def _corners(problem: Problem, frontier: Frontier) -> list[Corner]:
    corners: list[Corner] = []
    for multiplier, weights in zip(frontier.corners.lambdas, frontier.corners.weights, strict=True):
        expected_return, risk = _figures(problem, weights)
        holdings = {symbol: weight for symbol, weight in by_symbol(problem.symbols, weights).items() if weight != 0.0}
        corners.append(Corner(weights=holdings, expected=expected_return, risk=risk, multiplier=float(multiplier)))
    return corners


def _resampled(problem: Problem, request: FrontierRequest, warnings: list[str]) -> list[ResampledPortfolio] | None:
    """Michaud's resampled frontier, which supports the sample covariance and bounds."""
    bootstrap = request.bootstrap
    if bootstrap is None:
        return None
    if not problem.limits.bounds_only or request.covariance != "sample":
        warnings.append("The resampled frontier was left out: it takes bounds and the sample covariance only.")
        return None
    check_draws(problem, bootstrap.draws, 1e-3)
    limits, year = problem.limits, request.annualization
    frontier = resampled_frontier(
        problem.sample.values,
        points=request.num_portfolios,
        draws=bootstrap.draws,
        seed=bootstrap.seed,
        mean_block=min(bootstrap.mean_block or 21.0, float(len(problem.sample.values))),
        lower=limits.lower,
        upper=limits.upper,
    )
    ranks = zip(frontier.weights, frontier.returns, frontier.volatilities, frontier.deviations, strict=True)
    return [
        ResampledPortfolio(
            weights=by_symbol(problem.symbols, weights),
            expected=year * float(expected_returns),
            risk=float(np.sqrt(year)) * float(risk),
            deviations=by_symbol(problem.symbols, deviations),
        )
        for weights, expected_returns, risk, deviations in reversed(list(ranks))
    ]


def _intervals(
    problem: Problem, request: FrontierRequest, sharpest: Floats | None, warnings: list[str]
) -> FrontierIntervals | None:
    limits, rate = problem.limits.arguments, request.risk_free_rate
    seconds = 2.0 * problem.seconds_per_portfolio
    least = bootstrap_intervals(
        problem, lambda values: minimum_variance(problem.cov_of(values), **limits), seconds=seconds
    )
    if least is None:
        return None
    best = None
    if sharpest is not None:
        try:
            best = bootstrap_intervals(
                problem,
                lambda values: maximum_sharpe(problem.mean_of(values), problem.cov_of(values), rate=rate, **limits),
                seconds=seconds,
            )
        except Infeasible as error:
            why = with_symbols(str(error), problem.symbols)
            warnings.append(f"There are no intervals of the portfolio of maximum Sharpe ratio: {why}.")
    return FrontierIntervals(min_volatility=least, max_sharpe=best)
