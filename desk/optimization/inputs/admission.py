"""Admission check: whether prices suffice for a request, decided without the numeric core."""

from datetime import date

from desk.market.price_facts import PriceFacts
from desk.optimization.inputs.splits import MIXES, check_mixes, resolve_mixes, split, warm_up_sessions
from desk.optimization.request import BUNDLED_CASH, BUNDLED_CURRENCY, CASH, OptimizationRequest
from desk.scenarios.schemas import HISTORY
from quant.strategies.choices import ESTIMATORS
from quant.worlds.scenario import Scenario

CASH_RATE_NONNEGATIVE_FROM = date(1942, 1, 1)
"""First day from which the bundled cash rate is known and never negative."""
_MIN_HESTON_PARAMETER = 1e-3
"""Least Heston parameter for which the constants of the variance process can be computed."""
_DRIFT = 0.25
"""Largest relative difference assumed between the volatility of a constant weight and the weight times the asset's."""


def complete_request(request: OptimizationRequest, facts: PriceFacts) -> OptimizationRequest | None:
    """Complete the request by its prices; None if only the numeric core can decide.

    Raises `InvalidInput` as `desk.optimization.inputs.market_data.build_market` does.
    """
    if request.cash != BUNDLED_CASH or request.series() or facts.currency != BUNDLED_CURRENCY:
        return None
    if facts.first < CASH_RATE_NONNEGATIVE_FROM or not ESTIMATORS[request.current_rule.estimator].simulated:
        return None
    if request.engine_parameters != "default" or request.safe != CASH:
        return None
    if request.first_day is not None or request.last_day is not None:
        return None
    assets = len(facts.assets)
    check_mixes(request, assets=assets)
    completed = resolve_mixes(request, assets=assets)
    split(facts.sessions - 1, warm_up_sessions(completed), completed.split)
    mixes = {*completed.space.inner, completed.current_rule.inner} - {None}
    closed_form = mixes.issubset(MIXES)  # other mixes need a solver, which may fail
    simulated = all(_is_always_simulated(scenario) for scenario in completed.scenarios)
    kept = _keeps_limits_in_cash(completed) and _reaches_target(completed, facts)
    return completed if closed_form and simulated and kept else None


def _is_always_simulated(scenario: Scenario) -> bool:
    """Whether the engine needs no history and accepts any mean and volatility."""
    if scenario.engine == "heston":
        return min(scenario.vol_of_vol, scenario.mean_reversion) >= _MIN_HESTON_PARAMETER
    return scenario.engine == "gbm"


def _keeps_limits_in_cash(request: OptimizationRequest) -> bool:
    """Whether all limits hold for a cash-only portfolio, because cash never loses."""
    rates = [request.cash_rate_after, *(scenario.cash_rate for scenario in request.scenarios)]
    losses = request.limits_in_force().keys() - {"volatility_error"}
    return not losses or (request.mandate.min_weight == 0.0 and min(rates) >= 0.0)


def _reaches_target(request: OptimizationRequest, facts: PriceFacts) -> bool:
    """Whether some allowed weight surely has the target volatility on history, as the limit on it wants."""
    limit, mandate = request.limits_in_force().get("volatility_error"), request.mandate
    if limit is None:
        return True
    if facts.training_volatility is None or limit.scenarios != (HISTORY,):
        return False
    smallest, largest = (weight * facts.training_volatility for weight in (mandate.min_weight, mandate.max_weight))
    low, high = mandate.target_volatility - limit.bound, mandate.target_volatility + limit.bound
    return low <= largest * (1.0 - _DRIFT) and smallest * (1.0 + _DRIFT) <= high
