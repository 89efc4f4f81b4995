"""Request and response types of the strategy library."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field

from desk.strategies.repository import SavedStrategy
from desk.strategies.search_options import SearchOptions
from desk.strategies.templates import Rule
from quant.numeric.frozen import Frozen

SCHEMA: Final = "stratigos.strategy"
SCHEMA_VERSION: Final = 2

Name: TypeAlias = Annotated[
    str,
    Field(
        min_length=1, max_length=64, description="Unique among your strategies, whatever the case", examples=["Core"]
    ),
]
Universe: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=400,
        description="A bundled universe or a data set, NAME:A,B for some of its assets",
        examples=["sp500"],
    ),
]
Note: TypeAlias = Annotated[
    str, Field(max_length=500, description="Why the version was saved", examples=["slower estimator"])
]
_RULE: dict[str, Any] = {
    "config": {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63},
    "mandate": {"target_volatility": 0.10},
}


class StrategyContent(Frozen):
    """The content of a version."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rule": _RULE, "universe": "sp500"}]})

    rule: Annotated[Rule, Field(description="The configuration and its mandate")]
    universe: Universe = "sp500"
    search: SearchOptions
    note: Note = ""


class NewStrategy(StrategyContent):
    """A strategy to save under a new name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Core", "rule": _RULE, "universe": "sp500"}]})

    name: Name


class StrategyClone(Frozen):
    """The name of a copy."""

    name: Name
    version: Annotated[int | None, Field(ge=1, description="Version to copy; null for the latest", examples=[1])] = None


class StrategyDocument(Frozen):
    """A strategy as a file, which any installation imports."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "name": "Core", "universe": "sp500", "rule": _RULE}
            ]
        }
    )

    schema_: Annotated[Literal["stratigos.strategy"], Field(alias="schema", description="Kind of the document")]
    schema_version: Annotated[
        Literal[1, 2], Field(description="Version of its form; 1 has no `search`", examples=[SCHEMA_VERSION])
    ]
    name: Name
    universe: Universe = "sp500"
    rule: Annotated[Rule, Field(description="The configuration and its mandate")]
    search: SearchOptions
    note: Note = ""

    def content(self) -> StrategyContent:
        return StrategyContent(rule=self.rule, universe=self.universe, search=self.search, note=self.note)


class LibraryEntry(Frozen):
    """A strategy with its latest version."""

    id: Annotated[str, Field(description="Id of the strategy", examples=["8d969eef6ecad3c29a3a629280e686cf"])]
    label: Annotated[
        str,
        Field(
            description="The configuration in words",
            examples=["inverse volatility on 63-day volatility, rebalanced monthly"],
        ),
    ]
    latest: Annotated[SavedStrategy, Field(description="The latest version")]
    versions: Annotated[int, Field(description="Number of versions", examples=[2])]
    archived_at: Annotated[datetime | None, Field(description="When it was archived; null for a strategy in use")]


class StrategyDifference(Frozen):
    """A field in which two versions differ."""

    field: Annotated[str, Field(description="Path of the field", examples=["rule.config.lookback_days"])]
    before: Annotated[Any, Field(description="Value in the first version; null where it has none", examples=[63])]
    after: Annotated[Any, Field(description="Value in the second version; null where it has none", examples=[126])]
