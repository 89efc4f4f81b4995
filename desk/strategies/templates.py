"""Builds a rule from a template, a weight function or some parameters, with defaults for the rest."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.optimization.request import CURRENT_RULE
from quant.numeric.frozen import Frozen
from quant.strategies.choices import ESTIMATORS, Estimator, InnerPortfolio, Rebalancing
from quant.strategies.config import SHAPES, StrategyConfig
from quant.strategies.family import ACTIVE, FAMILY, PARAMETERS, WeightFunction
from quant.strategies.mandate import Mandate

Template: TypeAlias = Literal[
    "twelve_month_rule", "risk_control", "sixty_forty", "cppi_90", "merton", "trend_overlay", "constant_weight"
]


Model = TypeVar("Model", bound=Frozen)

DEFAULTS: dict[str, Any] = {
    "lookback_days": 63,
    "decay": 0.94,
    **{name: row.usual for name, row in PARAMETERS.items()},
}
"""Default parameters; the default midpoint is the target volatility, a constant weight has no default."""


class StrategyValues(Frozen):
    """Stated values of a configuration; None means not stated. Ranges are those of the configuration."""

    template: Template | None = None
    weight_function: WeightFunction | None = None
    estimator: Estimator | None = None
    lookback_days: int | None = None
    decay: float | None = None
    rebalancing: Rebalancing | None = None
    no_trade_band: float | None = None
    inner: InnerPortfolio | None = None
    slope: float | None = None
    midpoint: float | None = None
    scale: float | None = None
    floor: float | None = None
    multiplier: float | None = None
    hysteresis: float | None = None
    drawdown_cap: float | None = None
    calm_weight: float | None = None
    turbulent_weight: float | None = None
    gain: float | None = None
    constant_weight: float | None = None
    target_volatility: float | None = None
    transaction_cost_bps: float | None = None

    def stated_values(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True, exclude={"template"})


class Rule(Frozen):
    """A configuration and its mandate."""

    config: StrategyConfig
    mandate: Mandate = Mandate()


TEMPLATES: dict[Template, tuple[dict[str, Any], dict[str, float]]] = {
    "twelve_month_rule": (CURRENT_RULE.model_dump(exclude_none=True), {}),
    "risk_control": (
        {"weight_function": "inverse_vol", "estimator": "ewma_max", "decay": 0.94, "rebalancing": "daily"},
        {"target_volatility": 0.10},
    ),
    "sixty_forty": ({"weight_function": "constant", "constant_weight": 0.6}, {}),
    "cppi_90": ({"weight_function": "cppi", "floor": 0.90, "multiplier": 4.0, "rebalancing": "daily"}, {}),
    "merton": ({"weight_function": "merton"}, {"risk_aversion": 3.0}),
    "trend_overlay": ({"weight_function": "trend_overlay"}, {}),
    "constant_weight": ({"weight_function": "constant"}, {}),
}
"""Values of the configuration and of the mandate for each template."""


class StrategyTemplate(Frozen):
    """A predefined strategy."""

    name: Template
    title: str
    rule: Rule


_TITLES: dict[Template, str] = {
    "twelve_month_rule": "Spreadsheet 12-month rule",
    "risk_control": "S&P-style risk control 10%",
    "sixty_forty": "60/40",
    "cppi_90": "CPPI 90",
    "merton": "Merton with a risk aversion of 3",
    "trend_overlay": "Trend and volatility",
}
"""Titles of the complete templates; a constant weight must be given by the user."""


def template_title(name: Template | None) -> str:
    """The title of a complete template whose name does not say its rule; empty for any other."""
    return "" if name in (None, "sixty_forty") else _TITLES.get(name, "")


def templates() -> tuple[StrategyTemplate, ...]:
    return tuple(
        StrategyTemplate(name=name, title=title, rule=build_rule(StrategyValues(template=name)))
        for name, title in _TITLES.items()
    )


def build_rule(values: StrategyValues, *, base: Rule | None = None, mandate: Mandate | None = None) -> Rule:
    """Build the rule that `values` describe.

    Values that are not stated come from `base` if they have an effect; a template replaces `base` except its mandate.
    """
    settings, of_mandate = TEMPLATES[values.template] if values.template else ({}, {})
    if base is not None and values.template is None:
        settings = base.config.model_dump(exclude_none=True)
    stated_values = values.stated_values()
    changes = of_mandate | {
        name: stated_values.pop(name) for name in tuple(stated_values) if name in Mandate.model_fields
    }
    before = mandate or (base.mandate if base else Mandate())
    new_mandate = _validate(Mandate, before.model_dump() | changes)
    return Rule(config=_validate(StrategyConfig, _complete(stated_values, settings, new_mandate)), mandate=new_mandate)


def _complete(stated_values: Mapping[str, Any], settings: Mapping[str, Any], mandate: Mandate) -> dict[str, Any]:
    """Complete the stated values by `settings` that have an effect, then by defaults."""
    function: WeightFunction = (
        stated_values.get("weight_function") or settings.get("weight_function") or _infer_function(stated_values)
    )
    looks = FAMILY[function].volatility
    estimator: Estimator = stated_values.get("estimator") or (settings.get("estimator") if looks else None) or "rolling"
    values = {
        "rebalancing": "monthly",
        **{name: settings[name] for name in ("rebalancing", "no_trade_band", "inner") if name in settings},
        "weight_function": function,
        "estimator": estimator,
    }
    length = ESTIMATORS[estimator].length if looks else None
    for name in (*ACTIVE[function], *((length,) if length else ())):
        usual = min(max(mandate.target_volatility, 0.05), 0.40) if name == "midpoint" else DEFAULTS[name]
        value = stated_values.get(name, settings.get(name, usual))
        if value is None:
            raise InvalidInput(name, None, reason="it was not said, and none is usual", allowed="0% to 200%")
        values[name] = value
    return values | dict(stated_values)


def _infer_function(stated_values: Mapping[str, Any]) -> WeightFunction:
    """Infer the only function with the stated parameters; inverse volatility if there are none."""
    shape_parameters = {name for name in stated_values if name in SHAPES}
    if not shape_parameters:
        return "inverse_vol"
    fitting: list[WeightFunction] = [name for name in get_args(WeightFunction) if shape_parameters <= set(ACTIVE[name])]
    if len(fitting) != 1:
        allowed = ", ".join(fitting or get_args(WeightFunction))
        reason = f"{', '.join(sorted(shape_parameters))} do not say which weight function is meant"
        raise InvalidInput("weight_function", None, reason=reason, allowed=allowed)
    return fitting[0]


def _validate(model: type[Model], values: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise _invalid_input(error.errors(include_url=False)[0]) from error


def _invalid_input(details: ErrorDetails) -> InvalidInput:
    """Convert the first validation error."""
    message = details["msg"]
    if details["type"] == "value_error":
        reason, allowed = reason_and_allowed(message)
        allowed = {"null": "nothing: leave it out", "not null": "a value"}.get(allowed, allowed)
        return InvalidInput(reason.split()[0].rstrip(":"), None, reason=reason, allowed=allowed)
    return InvalidInput(str(details["loc"][-1]), details["input"], allowed=message.removeprefix("Input should be "))
