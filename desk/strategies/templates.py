"""A configuration as a person names it: a template, a function and some of its parameters; the rest is usual."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.optimization.request import CURRENT_RULE
from quant.numeric.frozen import Frozen
from quant.strategies.config import SHAPES, Estimator, InnerPortfolio, Rebalancing, StrategyConfig, length_of
from quant.strategies.family import ACTIVE, FAMILY, WeightFunction
from quant.strategies.mandate import Mandate

Template: TypeAlias = Literal[
    "twelve_month_rule", "risk_control", "sixty_forty", "cppi_90", "merton", "trend_overlay", "constant_weight"
]


Checked = TypeVar("Checked", bound=Frozen)

USUAL: dict[str, Any] = {
    "lookback_days": 63,
    "decay": 0.94,
    "variance_constant": "target",
    "slope": 4.0,
    "scale": 0.03,
    "floor": 0.90,
    "multiplier": 4.0,
    "hysteresis": 0.01,
    "drawdown_cap": 0.20,
    "calm_weight": 1.0,
    "turbulent_weight": 0.2,
    "gain": 1.0,
}
"""Where nothing was said; the usual midpoint is the target volatility, and a constant has no usual weight."""


class StrategyValues(Frozen):
    """What was said of a configuration, as values; None is unsaid. Ranges are those of the configuration itself."""

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
    drawdown_cap: float | None = None
    constant_weight: float | None = None
    target_volatility: float | None = None
    transaction_cost_bps: float | None = None

    def said(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True, exclude={"template"})


class Rule(Frozen):
    """A configuration and the mandate that it is held under."""

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
"""What each template says of the configuration and of the mandate."""


class StrategyTemplate(Frozen):
    """A strategy to begin with."""

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
"""Of the templates that say everything; a constant weight must be named."""


def templates() -> tuple[StrategyTemplate, ...]:
    return tuple(
        StrategyTemplate(name=name, title=title, rule=strategy_of(StrategyValues(template=name)))
        for name, title in _TITLES.items()
    )


def strategy_of(values: StrategyValues, *, base: Rule | None = None, mandate: Mandate | None = None) -> Rule:
    """The configuration that `values` describe.

    `base` gives what was left unsaid, as far as it has an effect; a template takes its place but for the mandate.
    """
    settings, of_mandate = TEMPLATES[values.template] if values.template else ({}, {})
    if base is not None and values.template is None:
        settings = base.config.model_dump(exclude_none=True)
    said = values.said()
    changes = of_mandate | {name: said.pop(name) for name in tuple(said) if name in Mandate.model_fields}
    before = mandate or (base.mandate if base else Mandate())
    held = _checked(Mandate, before.model_dump() | changes)
    return Rule(config=_checked(StrategyConfig, _completed(said, settings, held)), mandate=held)


def _completed(said: Mapping[str, Any], settings: Mapping[str, Any], mandate: Mandate) -> dict[str, Any]:
    """What was said, then what `settings` hold and has an effect, then what is usual."""
    function: WeightFunction = said.get("weight_function") or settings.get("weight_function") or _function_of(said)
    looks = FAMILY[function].volatility
    estimator: Estimator = said.get("estimator") or (settings.get("estimator") if looks else None) or "rolling"
    found = {
        "rebalancing": "monthly",
        **{name: settings[name] for name in ("rebalancing", "no_trade_band", "inner") if name in settings},
        "weight_function": function,
        "estimator": estimator,
    }
    active = [*ACTIVE[function], *((length_of(estimator),) if looks and length_of(estimator) else ())]
    for name in active:
        usual = min(max(mandate.target_volatility, 0.05), 0.40) if name == "midpoint" else USUAL.get(str(name))
        value = said.get(str(name), settings.get(str(name), usual))
        if value is None:
            raise InvalidInput(str(name), None, reason="it was not said, and none is usual", allowed="0% to 200%")
        found[str(name)] = value
    return found | dict(said)


def _function_of(said: Mapping[str, Any]) -> WeightFunction:
    """The only function with such parameters; inverse volatility where none was named."""
    named = {name for name in said if name in SHAPES}
    if not named:
        return "inverse_vol"
    fitting: list[WeightFunction] = [name for name in get_args(WeightFunction) if named <= set(ACTIVE[name])]
    if len(fitting) != 1:
        allowed = ", ".join(fitting or get_args(WeightFunction))
        reason = f"{', '.join(sorted(named))} do not say which weight function is meant"
        raise InvalidInput("weight_function", None, reason=reason, allowed=allowed)
    return fitting[0]


def _checked(model: type[Checked], values: Mapping[str, Any]) -> Checked:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise _refused(error.errors(include_url=False)[0]) from error


def _refused(details: ErrorDetails) -> InvalidInput:
    """The first thing that is wrong, in our own words where the model has them."""
    message = details["msg"]
    if details["type"] == "value_error":
        reason, allowed = reason_and_allowed(message)
        allowed = {"null": "nothing: leave it out", "not null": "a value"}.get(allowed, allowed)
        return InvalidInput(reason.split()[0].rstrip(":"), None, reason=reason, allowed=allowed)
    return InvalidInput(str(details["loc"][-1]), details["input"], allowed=message.removeprefix("Input should be "))
