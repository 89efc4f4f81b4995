import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.base.errors import InvalidInput
from desk.base.names import clean_name, identifier, name_key
from desk.optimization.request import OptimizationRequest
from desk.scenarios.repository import (
    MAX_SCENARIOS,
    TOOL,
    ScenarioValues,
    add_scenario,
    find_scenario,
    load_catalog,
    select_scenarios,
    with_probabilities,
)
from quant.worlds.paths import path_model
from quant.worlds.scenario import BUILT_IN, CYCLE, Scenario
from store.embedded import open_store
from tests.doubles.price_source import assert_well_formed, value

pytestmark = pytest.mark.anyio

INFLATION = ScenarioValues(name="2022-like: Inflation!", like="bear market", bond_correlation=0.5, mu=-0.08)


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path) as opened_store:
        yield opened_store


async def test_every_owner_has_the_built_in_scenarios(store) -> None:
    book = await load_catalog(store, "anne")
    assert book.scenarios == (*BUILT_IN, CYCLE)
    assert_well_formed(book.figures, TOOL)
    assert value(book.figures, "scenario_bear_market_mu") == -0.05
    assert value(book.figures, "scenario_base_case_sharpe") == pytest.approx(0.05 / 0.18)
    assert [e.scenario.name for e in book.entries if e.losing] == ["bear_market"]


async def test_an_own_scenario_is_a_changed_copy_of_another(store) -> None:
    scenario = await add_scenario(store, "anne", INFLATION)
    like = BUILT_IN[2]
    assert scenario == like.model_copy(
        update={
            "name": "own_2022_like_inflation",
            "bond_correlation": 0.5,
            "mu": -0.08,
            "probability": 0.10,
        }
    )
    book = await load_catalog(store, "anne")
    assert book.scenarios[-1] == scenario
    assert book.entries[-1].own
    assert find_scenario(book, "2022-like inflation") == scenario
    assert_well_formed(select_scenarios(book, ["bear_market", scenario.name]).figures, TOOL)


async def test_scenarios_belong_to_their_owner(store) -> None:
    await add_scenario(store, "anne", INFLATION)
    assert len((await load_catalog(store, "bert")).entries) == len(BUILT_IN) + 1


async def test_the_same_scenario_again_changes_nothing_and_another_of_its_name_is_refused(store) -> None:
    first = await add_scenario(store, "anne", INFLATION)
    assert await add_scenario(store, "anne", INFLATION) == first
    with pytest.raises(InvalidInput, match="taken"):
        await add_scenario(store, "anne", INFLATION.model_copy(update={"mu": 0.01}))
    for name in ("Base case", "cycle", "HISTORY"):
        with pytest.raises(InvalidInput, match="taken"):
            await add_scenario(store, "anne", ScenarioValues(name=name, mu=0.01))
    assert len((await load_catalog(store, "anne")).entries) == len(BUILT_IN) + 2


async def test_two_at_once_keep_one(store) -> None:
    values = [INFLATION.model_copy(update={"mu": mu}) for mu in (0.01, 0.02)]
    results = await asyncio.gather(*(add_scenario(store, "anne", v) for v in values), return_exceptions=True)
    remaining = [d for d in results if isinstance(d, Scenario)]
    assert len(remaining) == 1
    assert sum(isinstance(d, InvalidInput) for d in results) == 1
    assert (await load_catalog(store, "anne")).scenarios[-1] == remaining[0]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mu": 0.9}, "mu"),
        ({"sigma": 0.0}, "sigma"),
        ({"bond_correlation": 1.5}, "bond_correlation"),
        ({"like": "moon"}, "scenario"),
        ({"like": "cycle", "sigma": 0.3}, "like"),
        ({"name": "!!!"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"engine": "regime_switching", "mu": 0.5, "sigma": 0.012, "cash_rate": 0.0}, "scenario"),
    ],
)
async def test_invalid_values_are_refused_with_their_field(store, changes, field) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await add_scenario(store, "anne", ScenarioValues(**{"name": "mine"} | changes))
    assert refusal.value.field == field
    assert len((await load_catalog(store, "anne")).entries) == len(BUILT_IN) + 1


async def test_there_is_an_end_to_the_scenarios_of_one_owner(store) -> None:
    for n in range(MAX_SCENARIOS):
        await add_scenario(store, "anne", ScenarioValues(name=f"mine {n}", mu=0.01))
    with pytest.raises(InvalidInput, match="at most"):
        await add_scenario(store, "anne", ScenarioValues(name="one more", mu=0.01))


async def test_a_request_takes_own_scenarios_alone_or_beside_others(store) -> None:
    scenario = await add_scenario(store, "anne", INFLATION)
    path_model(scenario, seed=1)
    unlikely = scenario.model_copy(update={"probability": 0.0})
    for scenarios in ((scenario,), (*BUILT_IN, scenario), (unlikely,), (unlikely, CYCLE)):
        OptimizationRequest(scenarios=with_probabilities(scenarios))
    assert with_probabilities((*BUILT_IN, unlikely)) == (*BUILT_IN, unlikely)
    assert [s.probability for s in with_probabilities((unlikely, CYCLE))] == [0.5, 0.5]


@given(name=st.text(max_size=80))
def test_any_name_becomes_an_identifier_or_is_refused(name) -> None:
    try:
        actual = identifier("name", name)
    except InvalidInput:
        return
    assert Scenario(name=actual, mu=0.0, sigma=0.1, cash_rate=0.0).name == actual
    assert identifier("name", actual) == actual


@given(name=st.text(min_size=1, max_size=60))
def test_names_that_differ_in_case_alone_have_one_key(name) -> None:
    try:
        text = clean_name("name", name)
    except InvalidInput:
        return
    assert clean_name("name", f"  {name}\n") == text
    assert name_key(text) == name_key(text.casefold())
