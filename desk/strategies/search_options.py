"""What a strategy's search takes other than by default, as the fields of an optimization request."""

from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, Field, create_model

from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen

_ELSEWHERE: Final = {
    "name",
    "universe",
    "prices_file",
    "price_index",
    "calendar",
    "currency",
    "mandate",
    "current_rule",
    "scenarios",
    "worlds_base",
    "start",
}
"""Fields of a request that the strategy itself holds, that describe a file, or that a search computes."""
_FIELDS: dict[str, Any] = {
    name: (field.annotation, field)
    for name, field in OptimizationRequest.model_fields.items()
    if name not in _ELSEWHERE
}
_Names: TypeAlias = Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(min_length=1, max_length=20)]
_Options = create_model("SearchOptions", __base__=Frozen, scenarios=(_Names | None, None), **_FIELDS)


def _check(options: dict[str, Any]) -> dict[str, Any]:
    return _Options.model_validate(options).model_dump(mode="json", exclude_unset=True)


OTHER_PRICES: Final = ("safe", "cash", "exchange_rate")
"""Options that an evaluation takes too: with the universe they are what a strategy is evaluated on."""
SearchOptions: TypeAlias = Annotated[
    dict[str, Any],
    AfterValidator(_check),
    Field(
        default_factory=dict,
        description="What its searches take other than by default: fields of the body of `POST /api/jobs`, such as "
        "`trials`, `limits` or `cash`, with `scenarios` as a list of names. Each is checked by itself; whether they "
        "agree, a search checks",
        examples=[{"trials": 200, "limits": {"max_drawdown": {"bound": 0.25}}, "scenarios": ["base_case"]}],
    ),
]
