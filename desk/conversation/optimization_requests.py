"""From a wish in the person's words to a request in numbers; code reads every number."""

from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.conversation import amounts
from desk.conversation.focus import Focus
from desk.conversation.wishes import Wish
from desk.optimization.request import Limit, OptimizationRequest
from desk.scenarios.repository import ScenarioBook, weighted
from desk.scenarios.repository import named as scenario_named
from desk.scenarios.schemas import HISTORY

Word = TypeVar("Word", bound=BaseModel)

DRAWDOWN_TOLERANCE = 0.20
INDEX_NAMES = {"sp500", "s&p 500", "s&p500", "spx", "sp 500", "the index"}


def request_of(wish: Wish, focus: Focus, book: ScenarioBook) -> OptimizationRequest:
    """`book` holds the scenarios that the person may name; `InvalidInput` says what cannot be."""
    base = OptimizationRequest() if wish.base == "new" else focus.request
    if base is None:
        raise InvalidInput("base", "last", reason="nothing was asked for before", allowed="a request of its own")
    asked: dict[str, Any] = base.model_dump()
    if wish.name is not None:
        asked["name"] = wish.name
    if wish.assets:
        asked["universe"] = universe_of(wish.assets)
    _mandate(asked["mandate"], wish)
    _space(asked["space"], wish)
    asked["scenarios"] = _scenarios(base, wish, book)
    _limits(asked, wish)
    for name, quote in (("trials", wish.trials), ("seed", wish.seed)):
        if quote is not None:
            asked[name] = amounts.read_whole(name, quote)
    if wish.goal is not None:
        asked["goal"] = wish.goal
    return checked(OptimizationRequest, asked)


def universe_of(assets: tuple[str, ...]) -> str:
    """The index, all bundled stocks, or some of them."""
    names = [asset.strip() for asset in assets]
    lowered = [name.lower() for name in names]
    if len(names) == 1 and lowered[0] in {*INDEX_NAMES, "stocks"}:
        return "stocks" if lowered[0] == "stocks" else "sp500"
    mixed = sorted({*lowered} & {*INDEX_NAMES, "stocks"})
    if mixed:
        allowed = "the index alone, all stocks, or some stocks by their tickers"
        raise InvalidInput("assets", ", ".join(names), reason=f"{mixed[0]} is more than one stock", allowed=allowed)
    return "stocks:" + ",".join(name.upper() for name in names)


def checked(word: type[Word], content: dict[str, Any]) -> Word:
    """The word that `content` makes, or `InvalidInput` for the first thing that is wrong."""
    try:
        return word.model_validate(content)
    except ValidationError as error:
        raise refused(error) from error


def refused(error: ValidationError) -> InvalidInput:
    """The first thing that is wrong, in the words of the field."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(step) for step in first["loc"]) or "request"
    message = first["msg"].removeprefix("Value error, ")
    reason, allowed = reason_and_allowed(message)
    return InvalidInput(path, first["input"], reason=reason, allowed=allowed or message)


def _mandate(mandate: dict[str, Any], wish: Wish) -> None:
    for name in ("target_volatility", "min_weight", "max_weight", "risk_aversion"):
        quote = cast("str | None", getattr(wish, name))
        if quote is not None:
            mandate[name] = amounts.read(name, quote)
    if wish.transaction_cost is not None:
        before = mandate["transaction_cost_bps"]
        mandate["transaction_cost_bps"] = amounts.scaled("transaction_cost", wish.transaction_cost, before)


def _space(space: dict[str, Any], wish: Wish) -> None:
    given = {
        "weight_functions": wish.weight_functions,
        "estimators": wish.estimators,
        "rebalancing": wish.rebalancing,
        "inner": wish.inner,
        "lookback_days": tuple(amounts.read_sessions(quote) for quote in wish.lookbacks),
    }
    space |= {name: values for name, values in given.items() if values}


def _scenarios(base: OptimizationRequest, wish: Wish, book: ScenarioBook) -> list[dict[str, Any]]:
    old = base.scenarios[0]
    size = {"paths": old.paths, "years": old.years}
    named = [scenario_named(book, name) for name in dict.fromkeys(wish.scenarios)]
    chosen = [scenario.model_copy(update=size) for scenario in weighted(named)]
    changes: dict[str, Any] = {}
    if wish.paths is not None:
        changes["paths"] = amounts.read_whole("paths", wish.paths)
    if wish.years is not None:
        changes["years"] = amounts.read_years(wish.years, 30)
    if wish.engine is not None:
        changes["engine"] = wish.engine
    return [
        scenario.model_dump() | {k: v for k, v in changes.items() if k != "engine" or not scenario.states}
        for scenario in (chosen or base.scenarios)
    ]


_LIMITS = {
    "max_drawdown": "max_drawdown",
    "value_at_risk": "value_at_risk",
    "expected_shortfall": "expected_shortfall",
    "turnover": "max_turnover",
    "cost_bps": "max_cost",
    "leverage": "max_leverage",
}
"""The limits of a request, and how a wish calls them."""


def _limits(asked: dict[str, Any], wish: Wish) -> None:
    names = [scenario["name"] for scenario in asked["scenarios"]]
    where = ("base_case" if "base_case" in names else names[0], HISTORY)
    for name, quoted in _LIMITS.items():
        quote = cast("str | None", getattr(wish, quoted))
        if quote is None:
            continue
        try:
            limit = Limit(bound=amounts.read(quoted, quote), scenarios=where, tolerated=DRAWDOWN_TOLERANCE)
        except ValidationError as error:
            raise InvalidInput(quoted, quote, allowed="above 0") from error
        asked["limits"][name] = limit.model_dump()
    for limit in asked["limits"].values():  # scenarios that were exchanged take their limits along
        if limit is not None and not {*limit["scenarios"]} <= {*names, HISTORY}:
            limit["scenarios"] = where
