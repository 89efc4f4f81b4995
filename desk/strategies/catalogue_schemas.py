"""Response types of the catalogue: what a request may contain, and what each field means."""

from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from desk.market.datasets.schemas import Freshness
from desk.market.datasets.schemas import Kind as DatasetKind
from desk.optimization.request import LimitName
from desk.strategies.field_notes import FieldUnit
from quant.numeric.frozen import Frozen
from quant.strategies.choices import Estimator, InnerPortfolio, Rebalancing
from quant.strategies.family import WeightFunction
from quant.strategies.metrics import Unit
from quant.worlds.scenario import Engine

FieldType: TypeAlias = Literal["number", "integer", "text", "choice", "switch"]
GroupName: TypeAlias = Literal["request", "mandate", "split", "limits", "space", "configuration", "scenario", "state"]


class CatalogueField(Frozen):
    """One field of a request."""

    name: Annotated[str, Field(description="Name within the group", examples=["target_volatility"])]
    type: Annotated[FieldType, Field(description="Type of the value, or of each value of a list")]
    many: Annotated[bool, Field(description="Whether the value is a list")]
    default: Annotated[
        Any, Field(description="Value without a statement; null where there is none", examples=[0.1])
    ] = None
    minimum: Annotated[float | None, Field(description="Smallest value; null without one", examples=[0.05])] = None
    maximum: Annotated[float | None, Field(description="Largest value; null without one", examples=[0.2])] = None
    exclusive_minimum: Annotated[bool, Field(description="Whether values must be above `minimum`")] = False
    exclusive_maximum: Annotated[bool, Field(description="Whether values must be below `maximum`")] = False
    choices: Annotated[
        tuple[str | int, ...], Field(description="Allowed values of a choice, in order", examples=[["daily", "weekly"]])
    ] = ()
    unit: Annotated[
        FieldUnit | None, Field(description="Unit of a number; 0.10 is 10% for a fraction; null for other types")
    ] = None
    meaning: Annotated[str, Field(description="What the field means", examples=["Annual volatility aimed at"])]
    effect: Annotated[
        str,
        Field(
            description="When it has an effect, beside the restrictions below; empty for always",
            examples=["With max_weight above 1"],
        ),
    ] = ""
    weight_functions: Annotated[
        tuple[WeightFunction, ...] | None,
        Field(description="Weight functions whose weights it changes; null for all", examples=[["sigmoid"]]),
    ] = None
    estimators: Annotated[
        tuple[Estimator, ...] | None,
        Field(description="Estimators under which it has an effect; null for all", examples=[["rolling", "downside"]]),
    ] = None
    engines: Annotated[
        tuple[Engine, ...] | None,
        Field(description="Engines under which it has an effect; null for all", examples=[["heston", "bates"]]),
    ] = None


class CatalogueGroup(Frozen):
    """Fields of one object of a request."""

    name: Annotated[GroupName, Field(description="Name of the group")]
    places: Annotated[
        tuple[str, ...],
        Field(
            description="Where the object stands in a body; `*` stands for each item of a list, empty for the body",
            examples=[["current_rule", "start.*", "config"]],
        ),
    ]
    fields: Annotated[tuple[CatalogueField, ...], Field(description="The fields, in order")]


class CatalogueFunction(Frozen):
    """One weight function."""

    name: Annotated[WeightFunction, Field(description="Value of `weight_function`")]
    number: Annotated[str, Field(description="W1 to W11; empty for the rule of the benchmarks", examples=["W4"])]
    title: Annotated[str, Field(description="Name in a sentence", examples=["sigmoid"])]
    formula: Annotated[
        str,
        Field(
            description="The weight before bounds, largest change and no-trade band",
            examples=["1 / (1 + exp((volatility - midpoint) / scale))"],
        ),
    ]
    parameters: Annotated[
        tuple[str, ...],
        Field(description="Parameters that have an effect and are required", examples=[["midpoint", "scale"]]),
    ]
    volatility: Annotated[bool, Field(description="Whether it uses the volatility, so that an estimator matters")]
    memory: Annotated[
        Literal["wealth", "volatility"] | None,
        Field(description="Own results of the strategy that it uses; null for none"),
    ]
    searched: Annotated[bool, Field(description="Whether a search includes it by default")]
    benchmark: Annotated[bool, Field(description="Whether it is a rule of the benchmarks, which no search may include")]
    source: Annotated[str, Field(description="Publication; empty without one")]


class CatalogueEstimator(Frozen):
    """One estimator of volatility."""

    name: Annotated[Estimator, Field(description="Value of `estimator`")]
    number: Annotated[str, Field(description="V1 to V7", examples=["V1"])]
    meaning: Annotated[str, Field(description="What it computes")]
    parameter: Annotated[
        Literal["lookback_days", "decay"] | None, Field(description="Parameter that it requires; null for none")
    ]
    searched: Annotated[bool, Field(description="Whether a search includes it by default")]
    simulated: Annotated[bool, Field(description="Whether simulated worlds have its data; otherwise history only")]


class CatalogueChoice(Frozen):
    """One value of another choice."""

    name: Annotated[Rebalancing | InnerPortfolio, Field(description="The value", examples=["monthly"])]
    meaning: Annotated[str, Field(description="What it means", examples=["every 21 sessions of a simulated path"])]


class CatalogueMetric(Frozen):
    """One metric of a configuration."""

    name: Annotated[str, Field(description="Field of the metrics of a trial or an evaluation", examples=["sharpe"])]
    label: Annotated[str, Field(description="Heading of a column", examples=["Sharpe ratio"])]
    unit: Annotated[Unit, Field(description="How a value is shown; it is stored as a fraction or a ratio")]
    definition: Annotated[str, Field(description="How it is computed")]
    better: Annotated[
        Literal["higher", "lower"] | None, Field(description="Which of two values is preferred; null where neither")
    ]


class CatalogueLimit(Frozen):
    """One limit of a request."""

    name: Annotated[LimitName, Field(description="Field of `limits`")]
    label: Annotated[str, Field(description="Heading", examples=["Maximum drawdown"])]
    metric: Annotated[str, Field(description="The metric that it bounds", examples=["drawdown_breach"])]
    unit: Annotated[FieldUnit, Field(description="Unit of its `bound`")]


class CatalogueData(Frozen):
    """One universe or data set at hand."""

    name: Annotated[str, Field(description="Value of `universe`, or the prefix of NAME:A,B", examples=["stocks"])]
    bundled: Annotated[bool, Field(description="Whether it belongs to the application; otherwise it was imported")]
    kind: Annotated[DatasetKind, Field(description="Prices, a curve of yields, or an index such as the VIX")]
    symbols: Annotated[tuple[str, ...], Field(description="Assets, or series", examples=[["AAPL", "JNJ"]])]
    first: Annotated[date, Field(description="First day")]
    last: Annotated[date, Field(description="Last day")]
    freshness: Annotated[
        Freshness | None, Field(description="How far it is behind its exchange; null for bundled data, which ends")
    ]


class CatalogueSuggestion(Frozen):
    """One message for the assistant that needs no earlier one."""

    does: Annotated[str, Field(description="What it does", examples=["look at one strategy quickly"])]
    message: Annotated[str, Field(description="The message", examples=["does the 12-month rule still hold?"])]


class Catalogue(Frozen):
    """What a request may contain, and the data at hand."""

    groups: Annotated[tuple[CatalogueGroup, ...], Field(description="The fields of a request, by object")]
    weight_functions: Annotated[tuple[CatalogueFunction, ...], Field(description="The weight functions")]
    estimators: Annotated[tuple[CatalogueEstimator, ...], Field(description="The estimators of volatility")]
    rebalancing: Annotated[tuple[CatalogueChoice, ...], Field(description="The rebalancing frequencies")]
    inner_portfolios: Annotated[tuple[CatalogueChoice, ...], Field(description="The mixes of several risky assets")]
    metrics: Annotated[tuple[CatalogueMetric, ...], Field(description="The metrics of a configuration")]
    limits: Annotated[tuple[CatalogueLimit, ...], Field(description="The limits that a request may set")]
    data: Annotated[tuple[CatalogueData, ...], Field(description="Bundled universes, then your data sets by name")]
    suggestions: Annotated[
        tuple[CatalogueSuggestion, ...], Field(description="First messages for the assistant, with what they do")
    ]
