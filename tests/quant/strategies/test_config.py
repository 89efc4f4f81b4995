"""What a mandate, a strategy and a search space may hold, and what names them."""

import hashlib
import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from quant.numeric.frozen import digest_of
from quant.strategies.choices import ESTIMATORS, Estimator
from quant.strategies.config import SHAPES, SearchSpace, StrategyConfig
from quant.strategies.family import ACTIVE, FAMILY, Grids, WeightFunction
from quant.strategies.mandate import Mandate
from quant.strategies.rules import lay_out
from quant.strategies.search import compose
from quant.strategies.signals import AVERAGE_START, volatility_signal

SPACE = SearchSpace(inner=("equal_weight", "inverse_volatility"), target_volatility=(0.08, 0.10))
SPREADSHEET = {"weight_function": "inverse_vol", "lookback_days": 252}


@st.composite
def configs(draw: st.DrawFn) -> StrategyConfig:
    return compose(SPACE, lambda _, values: draw(st.sampled_from(values)))


@given(configs())
@settings(max_examples=100, deadline=None)
def test_every_config_of_a_space_validates_and_survives_its_own_json(config: StrategyConfig) -> None:
    again = StrategyConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert hash(again) == hash(config)
    assert again.digest() == config.digest()


@given(configs(), st.randoms())
@settings(max_examples=50, deadline=None)
def test_a_digest_does_not_depend_on_the_order_of_fields_or_on_what_is_left_out(
    config: StrategyConfig, chance: random.Random
) -> None:
    fields = list(config.model_dump().items())
    chance.shuffle(fields)
    assert StrategyConfig(**dict(fields)).digest() == config.digest()
    given_ = {name: value for name, value in fields if value is not None}
    assert StrategyConfig(**given_).digest() == config.digest()


@given(st.lists(configs(), min_size=2, max_size=20))
@settings(max_examples=50, deadline=None)
def test_two_configs_have_one_digest_only_if_they_are_equal(sample: list[StrategyConfig]) -> None:
    assert len({c.digest() for c in sample}) == len(set(sample))


def test_a_whole_number_is_the_number_it_is() -> None:
    as_int = StrategyConfig(weight_function="linear_decay", lookback_days=63, slope=5)
    as_float = StrategyConfig.model_validate({"weight_function": "linear_decay", "lookback_days": 63.0, "slope": 5.0})
    assert as_int.digest() == as_float.digest()


def test_a_digest_is_the_hash_of_the_canonical_json() -> None:
    """Sorted keys, no spaces: anyone can compute it."""
    import hashlib

    mandate = Mandate(target_volatility=0.12)
    text = json.dumps(json.loads(mandate.model_dump_json()), sort_keys=True, separators=(",", ":"))
    assert digest_of(mandate) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("field", list(Mandate.model_fields))
def test_a_digest_changes_with_every_field_of_the_mandate(field: str) -> None:
    other: dict[str, Any] = dict.fromkeys(Mandate.model_fields, 0.11) | {"decision_lag": 3, "risk_aversion": 3.0}
    assert digest_of(Mandate.model_validate({field: other[field]})) != digest_of(Mandate())


# refusals: every one names the field and what is allowed


@pytest.mark.parametrize(
    ("values", "field", "allowed"),
    [
        ({"target_volatility": 0.0}, "target_volatility", "0.05"),
        ({"target_volatility": 10.0}, "target_volatility", "0.2"),
        ({"min_weight": 0.6, "max_weight": 0.5}, "min_weight", "min_weight <= max_weight"),
        ({"max_weight": 3.0}, "max_weight", "2"),
        ({"risk_aversion": 0.1}, "risk_aversion", "0.5"),
        ({"transaction_cost_bps": -1.0}, "transaction_cost_bps", "0"),
        ({"decision_lag": 0}, "decision_lag", "1"),
        ({"max_change": 0.0}, "max_change", "greater than 0"),
        ({"expected_premium": float("nan")}, "expected_premium", "finite"),
        ({"leverage": 2.0}, "leverage", "not permitted"),
    ],
)
def test_a_mandate_refuses_by_name(values: dict[str, float], field: str, allowed: str) -> None:
    with pytest.raises(ValidationError) as error:
        Mandate.model_validate(values)
    assert field in str(error.value)
    assert allowed in str(error.value)


@pytest.mark.parametrize(
    ("changes", "field", "allowed"),
    [
        ({"weight_function": "momentum"}, "weight_function", "'inverse_vol'"),
        ({"estimator": "parkinson"}, "estimator", "'rolling', 'ewma'"),
        ({"lookback_days": 5}, "lookback_days", "10"),
        ({"lookback_days": 1000}, "lookback_days", "504"),
        ({"lookback_days": None}, "lookback_days", "required with inverse_vol and rolling"),
        ({"decay": 0.94}, "decay", "no effect with inverse_vol and rolling; expected null"),
        ({"estimator": "ewma"}, "lookback_days", "no effect with inverse_vol and ewma; expected null"),
        ({"slope": 5.0}, "slope", "no effect with inverse_vol and rolling; expected null"),
        ({"weight_function": "sigmoid"}, "midpoint", "required with sigmoid"),
        ({"weight_function": "sigmoid", "midpoint": 0.15}, "scale", "required with sigmoid"),
        ({"no_trade_band": 0.5}, "no_trade_band", "0.25"),
        ({"rebalancing": "yearly"}, "rebalancing", "'monthly'"),
        ({"transaction_cost_bps": 0.0}, "transaction_cost_bps", "not permitted"),
    ],
)
def test_a_strategy_refuses_by_name(changes: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(ValidationError) as error:
        StrategyConfig.model_validate(SPREADSHEET | changes)
    assert field in str(error.value)
    assert allowed in str(error.value)


@pytest.mark.parametrize(
    ("changes", "field", "allowed"),
    [
        ({"weight_functions": ("inverse_vol", "constant")}, "weight_functions", "expected any other function"),
        ({"lookback_days": (21, 21)}, "lookback_days", "expected distinct values"),
        ({"lookback_days": (5,)}, "lookback_days", "10"),
        ({"rebalancing": ()}, "rebalancing", "at least 1"),
        ({"weight_functions": ()}, "weight_functions", "at least 1"),
        ({"midpoint": (0.9,)}, "midpoint", "0.4"),
        ({"transaction_cost_bps": (0.0, 5.0)}, "transaction_cost_bps", "not permitted"),
    ],
)
def test_a_space_refuses_by_name(changes: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(ValidationError) as error:
        SearchSpace.model_validate(changes)
    assert field in str(error.value)
    assert allowed in str(error.value)


@pytest.mark.parametrize("function", list(FAMILY))
def test_every_inactive_shape_is_refused(function: WeightFunction) -> None:
    """A strategy has one name: nothing may be set that changes nothing."""
    examples: dict[str, Any] = {name: grid[0] for name, grid in Grids()} | {"constant_weight": 0.5}
    assert set(examples) == set(SHAPES)
    base: dict[str, Any] = {"weight_function": function}
    base |= {name: examples[name] for name in ACTIVE[function]}
    base |= {"lookback_days": 21} if FAMILY[function].volatility else {}
    StrategyConfig.model_validate(base)
    for name in set(SHAPES) - set(base):
        with pytest.raises(ValidationError, match=f"{name} has no effect"):
            StrategyConfig.model_validate(base | {name: examples[name]})
    for name in ACTIVE[function]:
        with pytest.raises(ValidationError, match=f"{name} is required"):
            StrategyConfig.model_validate(base | {name: None})


def test_words_of_the_core_are_immutable() -> None:
    for model, field in ((Mandate(), "max_weight"), (StrategyConfig.model_validate(SPREADSHEET), "rebalancing")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, field, None)


# lookbacks


@given(configs())
@settings(max_examples=100, deadline=None)
def test_the_longest_lookback_of_a_space_covers_each_of_its_configs(config: StrategyConfig) -> None:
    """And that of a config covers what its signals need before they are defined."""
    alone = config.longest_lookback()
    assert alone <= SPACE.longest_lookback()
    assert lay_out([config], Mandate(), trained=lambda _: 0.02).lookback <= alone
    narrow = SearchSpace(
        weight_functions=(config.weight_function,),
        estimators=(config.estimator,),
        lookback_days=(config.lookback_days or 10,),
        inner=(config.inner,) if config.inner else (),
    )
    assert narrow.longest_lookback() == alone


@pytest.mark.parametrize("estimator", ["rolling", "downside", "ewma", "ewma_max"])
def test_a_signal_is_defined_after_its_lookback_and_not_before(estimator: Estimator) -> None:
    """Before it is, it holds its first defined value, which is known only later: no rule may read it."""
    lookback = 63 if estimator in ("rolling", "downside") else AVERAGE_START
    logs = np.random.default_rng(0).normal(0.0, 0.01, size=(300, 1))
    for day, defined in ((lookback - 2, False), (lookback - 1, True)):
        crash = logs.copy()
        crash[day + 1 :] = -0.1
        result, other = np.empty(logs.shape), np.empty(logs.shape)
        volatility_signal(ESTIMATORS[estimator].code, 63, 0.94, logs, logs, result)
        volatility_signal(ESTIMATORS[estimator].code, 63, 0.94, crash, crash, other)
        assert np.array_equal(result[day], other[day]) == defined


@pytest.mark.parametrize(
    ("changes", "sessions"),
    [
        ({"weight_functions": ("inverse_vol",), "estimators": ("rolling",), "lookback_days": (10, 31)}, 31),
        ({"weight_functions": ("inverse_vol",), "estimators": ("ewma",), "lookback_days": (10,)}, 63),
        ({"weight_functions": ("trend_overlay",), "lookback_days": (10,)}, 252),
        ({"weight_functions": ("cppi",)}, 0),
        ({"weight_functions": ("cppi",), "inner": ("inverse_volatility",)}, 252),
        ({"weight_functions": ("sigmoid",), "lookback_days": (504,)}, 504),
    ],
)
def test_the_longest_lookback_is_that_of_the_slowest_signal(changes: dict[str, Any], sessions: int) -> None:
    assert SearchSpace.model_validate(changes).longest_lookback() == sessions


def test_a_parameter_that_a_strategy_does_not_have_is_no_part_of_its_name() -> None:
    """So that a weight function may be added without renaming what was tried before."""
    spreadsheet = StrategyConfig.model_validate(SPREADSHEET)
    digests = {name: value for name, value in spreadsheet.model_dump(mode="json").items() if value is not None}
    text = json.dumps(digests, sort_keys=True, separators=(",", ":"))
    assert spreadsheet.digest() == hashlib.sha256(text.encode()).hexdigest()
