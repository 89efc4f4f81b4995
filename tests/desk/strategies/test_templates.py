from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.base.errors import InvalidInput
from desk.optimization.request import CURRENT_RULE
from desk.strategies.templates import TEMPLATES, Rule, StrategyValues, Template, build_rule
from quant.strategies.config import StrategyConfig
from quant.strategies.family import ACTIVE, FAMILY, PARAMETERS, WeightFunction
from quant.strategies.mandate import Mandate


def test_every_template_has_a_rule() -> None:
    assert set(TEMPLATES) == set(get_args(Template))


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("twelve_month_rule", CURRENT_RULE.model_dump(exclude_none=True)),
        ("risk_control", {"weight_function": "inverse_vol", "estimator": "ewma_max", "rebalancing": "daily"}),
        ("sixty_forty", {"weight_function": "constant", "constant_weight": 0.6}),
        ("cppi_90", {"weight_function": "cppi", "floor": 0.9}),
        ("merton", {"weight_function": "merton"}),
        ("trend_overlay", {"weight_function": "trend_overlay"}),
    ],
)
def test_a_template_has_the_parameters_of_its_strategy(template, values) -> None:
    rule = build_rule(StrategyValues(template=template))
    assert rule.config.model_dump(exclude_none=True).items() >= values.items()


def test_a_template_sets_only_its_own_fields_of_the_mandate() -> None:
    mandate = Mandate(target_volatility=0.15, transaction_cost_bps=9.0)
    control = build_rule(StrategyValues(template="risk_control"), mandate=mandate)
    assert control.mandate == mandate.model_copy(update={"target_volatility": 0.10})
    assert build_rule(StrategyValues(template="merton")).mandate.risk_aversion == 3.0
    assert build_rule(StrategyValues(template="risk_control", target_volatility=0.12)).mandate.target_volatility == 0.12


@pytest.mark.parametrize("function", [f for f in get_args(WeightFunction) if f != "constant"])
def test_a_function_alone_gets_usual_parameters(function) -> None:
    config = build_rule(StrategyValues(weight_function=function)).config
    assert config.weight_function == function
    assert all(getattr(config, name) is not None for name in ACTIVE[function])


def test_a_sigmoid_is_usually_centred_at_the_target() -> None:
    rule = build_rule(StrategyValues(weight_function="sigmoid", target_volatility=0.14))
    assert (rule.config.midpoint, rule.mandate.target_volatility) == (0.14, 0.14)


@pytest.mark.parametrize(
    ("values", "function"),
    [
        ({"midpoint": 0.2}, "sigmoid"),
        ({"drawdown_cap": 0.15}, "drawdown_control"),
        ({"constant_weight": 0.4}, "constant"),
        ({"lookback_days": 21}, "inverse_vol"),
        ({}, "inverse_vol"),
    ],
)
def test_stated_values_select_a_function(values, function) -> None:
    config = build_rule(StrategyValues(**values)).config
    assert config.weight_function == function
    assert config.model_dump().items() >= values.items()


@pytest.mark.parametrize("parameter", [name for name, row in PARAMETERS.items() if row.unit != "choice" and row.usual])
def test_a_parameter_selects_its_only_function_and_several_are_a_question(parameter: str) -> None:
    values = StrategyValues.model_validate({parameter: PARAMETERS[parameter].usual})
    functions = [name for name, active in ACTIVE.items() if parameter in active]
    if len(functions) == 1:
        assert build_rule(values).config.weight_function == functions[0]
    else:
        with pytest.raises(InvalidInput) as refusal:
            build_rule(values)
        assert refusal.value.field == "weight_function"
        assert all(name in refusal.value.allowed for name in functions)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"template": "constant_weight"}, "constant_weight"),
        ({"floor": 0.9}, "weight_function"),
        ({"slope": 3.0, "midpoint": 0.2}, "weight_function"),
        ({"weight_function": "inverse_vol", "midpoint": 0.2}, "midpoint"),
        ({"weight_function": "sigmoid", "midpoint": 0.9}, "midpoint"),
        ({"lookback_days": 5}, "lookback_days"),
        ({"estimator": "ewma", "lookback_days": 60}, "lookback_days"),
        ({"weight_function": "cppi", "estimator": "ewma"}, "estimator"),
        ({"target_volatility": 0.5}, "target_volatility"),
        ({"transaction_cost_bps": -1.0}, "transaction_cost_bps"),
        ({"no_trade_band": 0.9}, "no_trade_band"),
    ],
)
def test_invalid_values_are_refused_with_their_field(values, field) -> None:
    with pytest.raises(InvalidInput) as refusal:
        build_rule(StrategyValues(**values))
    assert refusal.value.field == field
    assert refusal.value.allowed


def test_a_change_keeps_earlier_values_that_still_have_an_effect() -> None:
    base = build_rule(StrategyValues(template="twelve_month_rule", transaction_cost_bps=8.0))
    sigmoid = build_rule(StrategyValues(weight_function="sigmoid"), base=base)
    assert sigmoid.config.lookback_days == 252
    assert sigmoid.mandate.transaction_cost_bps == 8.0
    shifted = build_rule(StrategyValues(midpoint=0.16), base=sigmoid)
    assert shifted.config == sigmoid.config.model_copy(update={"midpoint": 0.16})
    ewma = build_rule(StrategyValues(estimator="ewma"), base=shifted)
    assert (ewma.config.lookback_days, ewma.config.decay) == (None, 0.94)
    position = build_rule(StrategyValues(weight_function="constant", constant_weight=0.5), base=ewma)
    assert position.config.estimator == "rolling"


@st.composite
def rules(draw):
    function = draw(st.sampled_from([f for f in get_args(WeightFunction) if f != "constant"]))
    values = {"weight_function": function, "rebalancing": draw(st.sampled_from(["daily", "monthly"]))}
    if FAMILY[function].volatility:
        values["estimator"] = draw(st.sampled_from(["rolling", "ewma", "garch", "downside"]))
    return build_rule(StrategyValues(**values))


@given(base=rules(), other=rules())
def test_any_function_can_follow_any_other(base: Rule, other: Rule) -> None:
    followed = build_rule(StrategyValues(weight_function=other.config.weight_function), base=base)
    assert followed.config.weight_function == other.config.weight_function
    assert followed.config.rebalancing == base.config.rebalancing
    StrategyConfig.model_validate(followed.config.model_dump())
    assert build_rule(StrategyValues(), base=followed) == followed
