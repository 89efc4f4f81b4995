"""Whether prices can serve a request, as far as that can be said without the numeric core."""

from datetime import date

from desk.market.price_facts import PriceFacts
from desk.optimization.inputs.splits import MIXES, check_mixes, resolve_mixes, split, warm_up_sessions
from desk.optimization.request import OptimizationRequest
from quant.worlds.scenario import Scenario

CASH_RATE_NONNEGATIVE_FROM = date(1942, 1, 1)
"""From here on the bundled cash rate is known, and in no month below zero."""
_MIN_HESTON_PARAMETER = 1e-3
"""From here on the variance process of Heston has constants that can be computed."""


def complete_request(request: OptimizationRequest, facts: PriceFacts) -> OptimizationRequest | None:
    """The request as its prices complete it; None where only the numeric core can say whether they serve it.

    Raises `InvalidInput` as `desk.optimization.inputs.market_data.build_market` does.
    """
    if facts.first < CASH_RATE_NONNEGATIVE_FROM:
        return None
    assets = len(facts.assets)
    check_mixes(request, assets=assets)
    completed = resolve_mixes(request, assets=assets)
    split(facts.sessions - 1, warm_up_sessions(completed))
    mixes = {*completed.space.inner, completed.current_rule.inner} - {None}
    closed_form = mixes.issubset(MIXES)  # the others are solved for, which may fail
    simulated = all(_is_always_simulated(scenario) for scenario in completed.scenarios)
    return completed if closed_form and simulated and _keeps_limits_in_cash(completed) else None


def _is_always_simulated(scenario: Scenario) -> bool:
    """Its engine needs no history, and has constants whatever mean and volatility are."""
    if scenario.engine == "heston":
        return min(scenario.vol_of_vol, scenario.mean_reversion) >= _MIN_HESTON_PARAMETER
    return scenario.engine == "gbm"


def _keeps_limits_in_cash(request: OptimizationRequest) -> bool:
    """Who may hold nothing but cash keeps every limit, where cash never loses."""
    rates = [request.cash_rate_after, *(scenario.cash_rate for scenario in request.scenarios)]
    return not request.limits.defined() or (request.mandate.min_weight == 0.0 and min(rates) >= 0.0)
