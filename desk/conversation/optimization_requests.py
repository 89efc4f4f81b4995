"""Builds an optimization request from a wish; code parses every number."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.conversation import amounts, quotes
from desk.conversation.days import parse_day
from desk.conversation.focus import Focus
from desk.conversation.wishes import StrategyWish, Wish
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import Limit, OptimizationRequest
from desk.scenarios.repository import ScenarioCatalog, find_scenario, with_probabilities
from desk.scenarios.schemas import HISTORY
from quant.strategies.choices import estimators_with

Model = TypeVar("Model", bound=BaseModel)

DRAWDOWN_TOLERANCE = 0.20


def build_request(wish: Wish, focus: Focus, book: ScenarioCatalog, universe: str | None = None) -> OptimizationRequest:
    """Build the request of a wish with the scenarios of `book`; `InvalidInput` names the first problem.

    `universe` holds the assets of the wish (see `desk.conversation.universes.find_universe`); None keeps those of the
    base.
    """
    base = OptimizationRequest() if wish.base == "new" else focus.request
    if base is None:
        raise InvalidInput("base", "last", reason="nothing was asked for before", allowed="a request of its own")
    fields = base.fields()
    if wish.name is not None:
        fields["name"] = wish.name
    if universe is not None:
        fields["universe"] = universe
    _legs(fields, wish)
    if wish.max_time is not None:
        fields["max_minutes"] = quotes.parse_minutes("max_time", wish.max_time, 0.1, 10_080.0)
    if wish.max_dollars is not None:
        fields["max_dollars"] = amounts.read_dollars("max_dollars", wish.max_dollars)
    _mandate(fields["mandate"], wish)
    _space(fields["space"], wish)
    fields["scenarios"] = _scenarios(base, wish, book, focus.scenarios)
    _limits(fields, wish)
    for name, quote in (("trials", wish.trials), ("seed", wish.seed)):
        if quote is not None:
            fields[name] = amounts.read_whole(name, quote)
    for name in ("worlds", "engine_parameters", "goal"):
        if (choice := cast("str | None", getattr(wish, name))) is not None:
            fields[name] = choice
    return validate(OptimizationRequest, fields)


def validate(model: type[Model], content: dict[str, Any]) -> Model:
    """Validate `content`; `InvalidInput` for the first error."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise invalid_input(error) from error


def invalid_input(error: ValidationError) -> InvalidInput:
    """Convert the first validation error."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(step) for step in first["loc"]) or "request"
    message = first["msg"].removeprefix("Value error, ")
    reason, allowed = reason_and_allowed(message)
    return InvalidInput(path, first["input"], reason=reason, allowed=allowed or message)


def _legs(fields: dict[str, Any], wish: Wish) -> None:
    """Fill in the safe leg, the cash, the series beside the prices, and the window."""
    if wish.benchmark is not None:
        fields["benchmark"] = wish.benchmark
    fields |= beside_assets(wish)
    for name, last in (("first_day", False), ("last_day", True)):
        day = cast("str | None", getattr(wish, name))
        if day is not None:
            fields[name] = parse_day(name, day, last=last)


def beside_assets(wish: Wish | StrategyWish) -> dict[str, Any]:
    """What the wish states of the safe leg, of what cash earns, and of the exchange rate, as fields of a request."""
    fields: dict[str, Any] = {"safe": wish.safe, "cash": wish.cash, "exchange_rate": wish.exchange_rate}
    if wish.cash is not None and wish.cash_rate is not None:
        raise InvalidInput(
            "cash", wish.cash, reason="a rate is stated beside the series", allowed="a rate or a series, not both"
        )
    if wish.cash_rate is not None:
        fields["cash"] = amounts.read_amount("cash_rate", wish.cash_rate)
    return {name: value for name, value in fields.items() if value is not None}


def _mandate(mandate: dict[str, Any], wish: Wish) -> None:
    for name in ("target_volatility", "min_weight", "max_weight", "risk_aversion"):
        quote = cast("str | None", getattr(wish, name))
        if quote is not None:
            mandate[name] = amounts.read_amount(name, quote)
    if wish.transaction_cost is not None:
        before = mandate["transaction_cost_bps"]
        mandate["transaction_cost_bps"] = amounts.read_amount_or_multiple(
            "transaction_cost", wish.transaction_cost, before
        )


def _space(space: dict[str, Any], wish: Wish) -> None:
    values_by_field = {
        "weight_functions": wish.weight_functions,
        "estimators": wish.estimators,
        "rebalancing": wish.rebalancing,
        "inner": wish.inner,
        "lookback_days": tuple(amounts.read_sessions(quote) for quote in wish.lookbacks),
    }
    space |= {name: values for name, values in values_by_field.items() if values}
    if wish.lookbacks and not wish.estimators:  # an estimator without a lookback would be tried beside
        space["estimators"] = estimators_with({"lookback_days"}, space["estimators"])


def _scenarios(
    base: OptimizationRequest, wish: Wish, book: ScenarioCatalog, added: Sequence[str]
) -> list[dict[str, Any]]:
    """The named scenarios, else those of the base and, unless these were chosen, those that the conversation added."""
    old = base.scenarios[0]
    size = {"paths": old.paths, "years": old.years}
    named = [find_scenario(book, name) for name in dict.fromkeys(wish.scenarios)]
    known, usual = {s.name for s in base.scenarios}, {s.name for s in OptimizationRequest().scenarios}
    kept = [s for s in book.scenarios if s.name in added and s.name not in known] if usual <= known else []
    new_scenarios = [s.model_copy(update=size) for s in (with_probabilities(named) or (*base.scenarios, *kept))]
    changes: dict[str, Any] = {}
    if wish.paths is not None:
        changes["paths"] = amounts.read_whole("paths", wish.paths)
    if wish.years is not None:
        changes["years"] = amounts.read_years(wish.years, 30)
    if wish.engine is not None:
        changes["engine"] = wish.engine
    return [
        scenario.model_dump() | {k: v for k, v in changes.items() if k != "engine" or not scenario.states}
        for scenario in new_scenarios
    ]


def _limits(fields: dict[str, Any], wish: Wish) -> None:
    names = [scenario["name"] for scenario in fields["scenarios"]]
    where = ("base_case" if "base_case" in names else names[0], HISTORY)
    for name, row in LIMITS.items():
        wish_field = row.wish
        quote = None if wish_field is None else cast("str | None", getattr(wish, wish_field))
        if wish_field is None or quote is None:
            continue
        try:
            limit = Limit(bound=amounts.read_amount(wish_field, quote), scenarios=where, tolerated=DRAWDOWN_TOLERANCE)
        except ValidationError as error:
            raise InvalidInput(wish_field, quote, allowed="above 0") from error
        fields["limits"][name] = limit.model_dump()
    for limit in fields["limits"].values():  # limits of replaced scenarios move to the new ones
        if limit is not None and not {*limit["scenarios"]} <= {*names, HISTORY}:
            limit["scenarios"] = where
