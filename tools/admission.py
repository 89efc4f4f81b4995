"""Whether prices can serve a request, as far as that can be said without the numeric core."""

from datetime import date

from quant.scenario import Scenario
from tools.optimization import HISTORY, OptimizationRequest
from tools.price_facts import PriceFacts
from tools.splits import MIXES, check_mixes, resolved, split, warm_up_of

NEVER_NEGATIVE = date(1942, 1, 1)
"""From here on no month of the bundled cash rate is below zero."""
_PLAIN = 1e-3
"""From here on the variance process of Heston has constants that can be computed."""


def admitted(request: OptimizationRequest, facts: PriceFacts) -> OptimizationRequest | None:
    """The request as its prices complete it; None where only the numeric core can say whether they serve it.

    Raises `InvalidInput` for what `tools.market.build_market` would refuse.
    """
    assets = len(facts.assets)
    check_mixes(request, assets=assets)
    completed = resolved(request, assets=assets)
    split(facts.sessions - 1, warm_up_of(completed))
    mixes = {*completed.space.inner, completed.current_rule.inner} - {None}
    found = mixes.issubset(MIXES)  # other mixes are solved for, which may fail
    simulated = all(_is_always_simulated(scenario) for scenario in completed.scenarios)
    return completed if found and simulated and _keeps_limits_in_cash(completed, facts) else None


def _is_always_simulated(scenario: Scenario) -> bool:
    """Its engine needs no history, and has constants whatever mean and volatility are."""
    if scenario.engine == "heston":
        return min(scenario.vol_of_vol, scenario.mean_reversion) >= _PLAIN
    return scenario.engine == "gbm"


def _keeps_limits_in_cash(request: OptimizationRequest, facts: PriceFacts) -> bool:
    """Who may hold nothing but cash keeps every limit where cash never loses."""
    given = request.limits.given()
    if not given:
        return True
    wanted = {name for limit in given.values() for name in limit.scenarios}
    gains = [s.cash_rate >= 0.0 for s in request.scenarios if s.name in wanted]
    if HISTORY in wanted:
        gains.append(facts.first >= NEVER_NEGATIVE and request.cash_rate_after >= 0.0)
    return request.mandate.min_weight == 0.0 and all(gains)
