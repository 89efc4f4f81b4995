"""The catalogue: every field of a request with its range, default, unit, meaning and effect, and the data at hand."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from desk.market.prices import PriceSource
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import Limit, OptimizationRequest
from desk.optimization.window import Split
from desk.strategies import field_notes
from desk.strategies.catalogue_schemas import (
    Catalogue,
    CatalogueChoice,
    CatalogueData,
    CatalogueEstimator,
    CatalogueField,
    CatalogueFunction,
    CatalogueGroup,
    CatalogueLimit,
    CatalogueMetric,
    CatalogueSuggestion,
    FieldType,
)
from desk.strategies.field_notes import FieldNote, FieldUnit
from desk.strategies.templates import DEFAULTS
from quant.numeric.frozen import Frozen
from quant.strategies.choices import ESTIMATORS, INNER_PORTFOLIOS, REBALANCING, Estimator
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.family import FAMILY, PARAMETERS, WeightFunction
from quant.strategies.mandate import Mandate
from quant.strategies.metrics import METRICS
from quant.worlds.scenario import RegimeState, Scenario
from store.store import Store

MOST_DATASETS = 200
_TYPES: dict[str, FieldType] = {"number": "number", "integer": "integer", "boolean": "switch", "string": "text"}
_BOUND_UNITS: dict[str, FieldUnit] = {"bps": "basis_points", "weight": "fraction"}
"""Units of the bounds of limits; fractions else."""


async def load_catalogue(
    store: Store, owner: str, prices: PriceSource, *, now: datetime, suggestions: tuple[CatalogueSuggestion, ...]
) -> Catalogue:
    """The catalogue with the bundled universes of `prices` and the data sets of the owner."""
    from desk.market.datasets.queries import list_datasets  # imports numpy, which a light route does without

    bundled = [await _bundled(prices, name) for name in await prices.universes()]
    own, _ = await list_datasets(store, owner, now, limit=MOST_DATASETS, after=None)
    imported = [
        CatalogueData(
            name=dataset.name,
            bundled=False,
            kind=dataset.kind,
            symbols=dataset.assets,
            first=dataset.first,
            last=dataset.last,
            freshness=dataset.freshness,
        )
        for dataset in own
    ]
    data = (*filter(None, bundled), *sorted(imported, key=lambda each: each.name))
    return Catalogue(**_tables(), data=data, suggestions=suggestions)


async def _bundled(prices: PriceSource, name: str) -> CatalogueData | None:
    facts = await prices.facts(name)
    if facts is None:  # a source whose prices must be read first
        return None
    return CatalogueData(
        name=name,
        bundled=True,
        kind="prices",
        symbols=facts.assets,
        first=facts.first,
        last=facts.last,
        freshness=None,
    )


@cache
def _tables() -> dict[str, Any]:
    """The parts of the catalogue that are the same for all users."""
    return {
        "groups": (
            CatalogueGroup(name="request", places=("",), fields=_fields(OptimizationRequest, field_notes.REQUEST)),
            CatalogueGroup(name="mandate", places=("mandate",), fields=_mandate_fields()),
            CatalogueGroup(name="split", places=("split",), fields=_fields(Split, field_notes.SPLIT)),
            CatalogueGroup(name="limits", places=("limits.*",), fields=_fields(Limit, field_notes.LIMIT)),
            CatalogueGroup(name="space", places=("space",), fields=_space_fields()),
            CatalogueGroup(
                name="configuration", places=("current_rule", "start.*", "config"), fields=_configuration_fields()
            ),
            CatalogueGroup(name="scenario", places=("scenarios.*",), fields=_scenario_fields()),
            CatalogueGroup(
                name="state", places=("scenarios.*.states.*",), fields=_fields(RegimeState, field_notes.STATE)
            ),
        ),
        "weight_functions": tuple(
            CatalogueFunction(
                name=name,
                number=row.number,
                title=row.title,
                formula=row.formula,
                parameters=row.parameters,
                volatility=row.volatility,
                memory=row.memory,
                searched=row.searched,
                benchmark=row.benchmark,
                source=row.source,
            )
            for name, row in FAMILY.items()
        ),
        "estimators": tuple(
            CatalogueEstimator(
                name=name,
                number=row.number,
                meaning=row.meaning,
                parameter=row.length,
                searched=row.searched,
                simulated=row.simulated,
            )
            for name, row in ESTIMATORS.items()
        ),
        "rebalancing": tuple(
            CatalogueChoice(name=name, meaning=f"every {row.days} sessions of a simulated path")
            for name, row in REBALANCING.items()
        ),
        "inner_portfolios": tuple(
            CatalogueChoice(name=name, meaning=row.meaning) for name, row in INNER_PORTFOLIOS.items()
        ),
        "metrics": tuple(
            CatalogueMetric(name=name, label=row.label, unit=row.unit, definition=row.definition, better=row.better)
            for name, row in METRICS.items()
        ),
        "limits": tuple(
            CatalogueLimit(name=name, label=row.label, metric=row.metric, unit=_BOUND_UNITS.get(row.unit, "fraction"))
            for name, row in LIMITS.items()
        ),
    }


def _fields(model: type[Frozen], notes: Mapping[str, FieldNote]) -> tuple[CatalogueField, ...]:
    """The fields of a type that have a note, with the ranges, choices and defaults of its JSON schema."""
    schema = model.model_json_schema()
    return tuple(
        _field(name, schema["properties"][name], schema.get("$defs", {}), note) for name, note in notes.items()
    )


def _field(name: str, node: dict[str, Any], definitions: dict[str, Any], note: FieldNote) -> CatalogueField:
    values = _resolve(node, definitions)
    many = values.get("type") == "array"
    item = _resolve(values["items"], definitions) if many else values
    low, high = item.get("minimum"), item.get("maximum")
    above, below = item.get("exclusiveMinimum"), item.get("exclusiveMaximum")
    choices = item.get("enum", ())
    return CatalogueField(
        name=name,
        type="choice" if choices else _TYPES[item["type"]],
        many=many,
        default=node.get("default"),
        minimum=low if above is None else above,
        maximum=high if below is None else below,
        exclusive_minimum=above is not None,
        exclusive_maximum=below is not None,
        choices=tuple(choices),
        unit=note.unit,
        meaning=node.get("description") or note.meaning,
        effect=note.effect,
    )


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema without null and without references."""
    for option in node.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolve(option, definitions)
    return definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _mandate_fields() -> tuple[CatalogueField, ...]:
    used = {"target_volatility": _functions_of("target"), "risk_aversion": _functions_of("risk_aversion")}
    used["expected_premium"] = _functions_of("expected_premium")
    fields = _fields(Mandate, field_notes.MANDATE)
    return tuple(field.model_copy(update={"weight_functions": used.get(field.name)}) for field in fields)


def _functions_of(value: str) -> tuple[WeightFunction, ...]:
    """The weight functions whose formula reads the value: its code names what it takes from its inputs."""
    return tuple(
        name
        for name, row in FAMILY.items()
        for formula in [(row.weigh, *((row.numbers,) if row.numbers else ()))]
        if any(value in part.__code__.co_names for part in formula)
    )


def _configuration_fields() -> tuple[CatalogueField, ...]:
    fields = _fields(StrategyConfig, field_notes.CONFIGURATION)
    return tuple(
        field.model_copy(update=_restrictions(field.name) | {"default": DEFAULTS.get(field.name, field.default)})
        for field in fields
    )


def _restrictions(name: str) -> dict[str, Any]:
    """The weight functions and estimators under which a parameter has an effect, as the configuration checks them."""
    if name in PARAMETERS:
        return {"weight_functions": tuple(function for function, row in FAMILY.items() if name in row.parameters)}
    with_volatility = tuple(function for function, row in FAMILY.items() if row.volatility)
    if name == "target_volatility":
        return {"weight_functions": _functions_of("target")}
    if name == "estimator":
        return {"weight_functions": with_volatility}
    if name in ("lookback_days", "decay"):
        estimators: tuple[Estimator, ...] = tuple(each for each, row in ESTIMATORS.items() if row.length == name)
        return {"weight_functions": with_volatility, "estimators": estimators}
    return {}


def _space_fields() -> tuple[CatalogueField, ...]:
    """The grids of a search; values of a parameter without an effect are not searched."""
    notes = {_SINGULAR.get(name, name): name for name in SearchSpace.model_fields}
    fields = _fields(
        SearchSpace, {plural: _space_note(field_notes.CONFIGURATION[single]) for single, plural in notes.items()}
    )
    unsearchable = {
        "weight_functions": {name for name, row in FAMILY.items() if row.benchmark},
        "estimators": {name for name, row in ESTIMATORS.items() if not row.simulated},
    }
    return tuple(
        field.model_copy(
            update={
                "choices": tuple(each for each in field.choices if each not in unsearchable.get(field.name, ())),
                **_restrictions(single),
            }
        )
        for field, single in zip(fields, notes, strict=True)
    )


_SINGULAR = {"weight_functions": "weight_function", "estimators": "estimator"}


def _space_note(note: FieldNote) -> FieldNote:
    return FieldNote(note.unit, f"Values to search. {note.meaning}", note.effect)


def _scenario_fields() -> tuple[CatalogueField, ...]:
    fields = _fields(Scenario, field_notes.SCENARIO)
    return tuple(field.model_copy(update={"engines": field_notes.ENGINES.get(field.name)}) for field in fields)
