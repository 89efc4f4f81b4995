"""The catalogue says what requests accept, and which parameters change a weight."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from desk.market.bundled import BundledPrices
from desk.optimization.request import Limit, OptimizationRequest
from desk.optimization.window import Split
from desk.strategies.catalogue import load_catalogue
from desk.strategies.catalogue_schemas import Catalogue, CatalogueField, GroupName
from desk.strategies.templates import StrategyValues, build_rule
from quant.numeric.errors import DataError
from quant.numeric.frozen import Frozen
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.family import FAMILY, FormulaInputs, PathState, WeightFunction, numbers_of
from quant.strategies.mandate import Mandate
from quant.worlds.paths import path_model
from quant.worlds.scenario import BUILT_IN, Engine, RegimeState, Scenario
from store.embedded import open_store

pytestmark = pytest.mark.anyio

TYPES: dict[GroupName, type[Frozen]] = {
    "request": OptimizationRequest,
    "mandate": Mandate,
    "split": Split,
    "limits": Limit,
    "space": SearchSpace,
    "configuration": StrategyConfig,
    "scenario": Scenario,
    "state": RegimeState,
}
NOT_STATED = {"prices_file", "worlds_base"}
"""Fields of a request that no client states: a file of the server, and a value that the service computes."""
FUNCTIONS: tuple[WeightFunction, ...] = get_args(WeightFunction)


@pytest.fixture
async def catalogue(anyio_backend: str, home: Path) -> Catalogue:
    async with open_store(home) as store:
        return await load_catalogue(store, "anna", BundledPrices(), now=datetime.now(UTC), suggestions=())


def fields_of(catalogue: Catalogue, group: GroupName) -> dict[str, CatalogueField]:
    return {field.name: field for each in catalogue.groups if each.name == group for field in each.fields}


async def test_every_field_of_a_request_is_there_with_a_meaning_and_numbers_with_a_unit(catalogue: Catalogue) -> None:
    places = {place.partition(".")[0] for group in catalogue.groups for place in group.places}
    for group, type_ in TYPES.items():
        fields = fields_of(catalogue, group)
        objects = places | NOT_STATED if group == "request" else {"states"}
        assert fields.keys() == type_.model_fields.keys() - objects, group
        for field in fields.values():
            assert field.meaning, field
            is_number = field.type in ("number", "integer") and field.name != "bound"  # each limit has a unit
            assert (field.unit is not None) == is_number, field


def accepts(type_: type[Frozen], name: str, value: Any) -> bool:
    """Whether the field of the type accepts the value by itself."""
    info = type_.model_fields[name]
    annotated: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    try:
        TypeAdapter(annotated).validate_python(value)
    except ValidationError:
        return False
    return True


async def test_the_ranges_are_those_that_requests_accept(catalogue: Catalogue) -> None:
    checked = 0
    for group, type_ in TYPES.items():
        for field in fields_of(catalogue, group).values():
            for bound, outside, exclusive in (
                (field.minimum, -math.inf, field.exclusive_minimum),
                (field.maximum, math.inf, field.exclusive_maximum),
            ):
                if bound is None or bound > 2**53:
                    continue
                beyond = (
                    bound + math.copysign(1.0, outside) if field.type == "integer" else math.nextafter(bound, outside)
                )
                for value, allowed in ((bound, not exclusive), (beyond, False)):
                    number = int(value) if field.type == "integer" else value
                    assert accepts(type_, field.name, (number,) if field.many else number) == allowed, (
                        field,
                        value,
                    )
                    checked += 1
            for choice in field.choices:
                assert accepts(type_, field.name, (choice,) if field.many else choice), (field, choice)
    assert checked > 150


def weights(function: WeightFunction, mandate: Mandate) -> list[float]:
    """The weights of some days, without the mandate's bounds."""
    config = build_rule(StrategyValues(weight_function=function, constant_weight=_constant(function))).config
    inputs = FormulaInputs(config, mandate, mandate.target_volatility, None)
    first, second = numbers_of(function, inputs)
    days = [(0.15, 0.4, 0.97), (0.35, 0.8, 1.3)]
    return [
        FAMILY[function].weigh(
            PathState(
                volatility=volatility,
                signal=signal,
                value=value,
                floor=0.9,
                peak=1.4,
                own_volatility=0.09,
                last_weight=0.5,
                target=mandate.target_volatility,
                highest=1.0,
                first=first,
                second=second,
                exp=math.exp,
            )
        )
        for volatility, signal, value in days
    ]


def _constant(function: WeightFunction) -> float | None:
    return 0.6 if function == "constant" else None


@pytest.mark.parametrize("name", ["target_volatility", "risk_aversion", "expected_premium"])
async def test_a_field_of_the_mandate_names_the_functions_whose_weights_it_changes(
    catalogue: Catalogue, name: str
) -> None:
    usual = Mandate()
    changed = usual.model_copy(update={name: 1.3 * getattr(usual, name)})
    changes = [function for function in FUNCTIONS if weights(function, usual) != weights(function, changed)]
    assert list(fields_of(catalogue, "mandate")[name].weight_functions or ()) == changes


async def test_a_parameter_names_the_functions_and_estimators_that_require_it(catalogue: Catalogue) -> None:
    fields = fields_of(catalogue, "configuration")
    for function in catalogue.weight_functions:
        for estimator in [row.name for row in catalogue.estimators] if function.volatility else ["rolling"]:
            stated = {
                name: field.default if field.default is not None else 0.15
                for name, field in fields.items()
                if name not in ("rebalancing", "no_trade_band", "inner", "target_volatility")
                and function.name in (field.weight_functions or FUNCTIONS)
                and (field.estimators is None or estimator in field.estimators)
            }
            StrategyConfig.model_validate(stated | {"weight_function": function.name, "estimator": estimator})


@pytest.mark.parametrize("engine", ["heston", "merton", "bates", "garch", "regime_switching", "gbm"])
async def test_a_field_of_a_scenario_names_the_engines_whose_paths_it_changes(
    catalogue: Catalogue, engine: Engine
) -> None:
    scenario = BUILT_IN[0].model_copy(update={"engine": engine})
    usual = str(path_model(scenario, seed=0))
    for field in fields_of(catalogue, "scenario").values():
        if field.engines is None or (field.type == "choice" and field.name != "premium_power"):
            continue
        value = 0 if field.name == "premium_power" else 0.9 * field.default
        change = int(value) if field.type == "integer" else value
        try:
            differs = str(path_model(scenario.model_copy(update={field.name: change}), seed=0)) != usual
        except DataError:
            differs = True
        assert differs == (engine in field.engines), field.name


async def test_the_bundled_universes_are_listed_with_their_symbols(catalogue: Catalogue) -> None:
    assert [(each.name, each.bundled, len(each.symbols)) for each in catalogue.data] == [
        ("sp500", True, 1),
        ("stocks", True, 20),
    ]
