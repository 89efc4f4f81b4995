"""Configs that a request names to be tried first."""

import pytest
from pydantic import ValidationError

from desk.base.errors import InvalidInput
from desk.optimization.inputs.splits import MIXES, check_mixes, resolve_mixes
from desk.optimization.request import OptimizationRequest
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.search import contains, off_grid, sobol

SPACE = SearchSpace()
RULE = StrategyConfig(weight_function="inverse_vol", lookback_days=63)
MIXED = RULE.model_copy(update={"inner": "equal_weight"})


@pytest.mark.parametrize(
    "space", [SPACE, SearchSpace(inner=MIXES), SearchSpace(target_volatility=(0.1, 0.12)), SearchSpace(decay=(0.9,))]
)
def test_values_off_the_grid_are_named(space) -> None:
    for other in (SPACE, space):
        for config in sobol(other, 60, seed=1):
            assert contains(space, config) == (off_grid(space, config) == [])


@pytest.mark.parametrize(
    ("start", "word"),
    [
        ((RULE.model_copy(update={"lookback_days": 64}),), "start.0.lookback_days 64"),
        ((RULE, RULE.model_copy(update={"no_trade_band": 0.03})), "start.1.no_trade_band 0.03"),
        ((StrategyConfig(weight_function="constant", constant_weight=0.5),), "start.0.weight_function 'constant'"),
        ((RULE.model_copy(update={"target_volatility": 0.1}),), "start.0.target_volatility 0.1"),
        ((RULE, RULE), "repeats"),
        (tuple(sobol(SPACE, 11, seed=1)), "11 configs for 10 trials"),
        (tuple(sobol(SPACE, 21, seed=1)), "at most 20"),
    ],
)
def test_an_invalid_start_is_refused(start, word) -> None:
    with pytest.raises(ValidationError, match=word):
        OptimizationRequest(start=start, trials=10)


def test_mixes_of_a_start_are_those_of_the_universe() -> None:
    plain, mixed = OptimizationRequest(start=(RULE,)), OptimizationRequest(start=(MIXED,))
    check_mixes(plain, assets=1)
    check_mixes(mixed, assets=3)
    whole = resolve_mixes(mixed, assets=3)
    assert OptimizationRequest.model_validate(whole.model_dump()) == whole
    for request, assets in ((plain, 3), (mixed, 1)):
        with pytest.raises(InvalidInput, match=r"start\.0\.inner"):
            check_mixes(request, assets=assets)
