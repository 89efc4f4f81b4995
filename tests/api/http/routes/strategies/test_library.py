"""Saved strategies over HTTP: versions that never change, differences, copies, archive and files."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk.strategies.repository import save_strategy
from desk.strategies.templates import StrategyValues, build_rule
from store.embedded import open_store
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

PLACE = "/api/strategies"


def rule(days: int, target: float = 0.10) -> dict[str, Any]:
    config = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": days}
    return {"config": config, "mandate": {"target_volatility": target}}


@pytest.fixture
async def client(home: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(application(home)) as client:
        yield client


async def create(client: httpx.AsyncClient, name: str = "Core", days: int = 63) -> dict[str, Any]:
    response = await client.post(PLACE, json={"name": name, "rule": rule(days)})
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"{PLACE}/{response.json()['id']}"
    return response.json()


async def names(client: httpx.AsyncClient, **params: Any) -> list[str]:
    return [entry["latest"]["name"] for entry in (await client.get(PLACE, params=params)).json()["items"]]


async def test_an_edit_is_a_new_version_and_earlier_ones_never_change(client: httpx.AsyncClient) -> None:
    entry = await create(client)
    place = f"{PLACE}/{entry['id']}"
    first = (await client.get(f"{place}/versions/1")).json()
    tag = (await client.get(place)).headers["ETag"]
    edited = await client.post(
        f"{place}/versions", json={"rule": rule(126), "note": "slower"}, headers={"If-Match": tag}
    )
    assert (edited.status_code, edited.json()["latest"]["version"], edited.json()["versions"]) == (201, 2, 2)
    assert "126-day" in edited.json()["label"]
    late = await client.post(f"{place}/versions", json={"rule": rule(21)}, headers={"If-Match": tag})
    assert late.status_code == 412
    same = await client.post(f"{place}/versions", json={"rule": rule(126)})
    assert same.json() == edited.json()
    versions = (await client.get(f"{place}/versions")).json()["items"]
    assert [(each["version"], each["note"]) for each in versions] == [(2, "slower"), (1, "")]
    assert (await client.get(f"{place}/versions/1")).json() == first == versions[1]
    assert (await client.get(place)).json() == edited.json()
    known = {"If-None-Match": edited.headers["ETag"]}
    assert (await client.get(place, headers=known)).status_code == 304


async def test_differences_name_each_field_with_both_values(client: httpx.AsyncClient) -> None:
    place = f"{PLACE}/{(await create(client))['id']}"
    sigmoid = {
        "weight_function": "sigmoid",
        "estimator": "rolling",
        "lookback_days": 63,
        "midpoint": 0.2,
        "scale": 0.03,
    }
    changed = {"config": sigmoid, "mandate": {"target_volatility": 0.12}}
    await client.post(f"{place}/versions", json={"rule": changed, "universe": "stocks"})
    different = (await client.get(f"{place}/differences", params={"first": 1, "second": 2})).json()["items"]
    assert {each["field"]: (each["before"], each["after"]) for each in different} == {
        "universe": ("sp500", "stocks"),
        "rule.config.weight_function": ("inverse_vol", "sigmoid"),
        "rule.config.midpoint": (None, 0.2),
        "rule.config.scale": (None, 0.03),
        "rule.mandate.target_volatility": (0.10, 0.12),
    }
    none = await client.get(f"{place}/differences", params={"first": 2, "second": 2})
    assert none.json() == {"items": [], "next": None}
    missing = await client.get(f"{place}/differences", params={"first": 1, "second": 3})
    assert (missing.status_code, missing.json()["error"]["details"][0]["allowed"]) == (422, "1 to 2")


async def test_names_are_unique_whatever_their_case(client: httpx.AsyncClient) -> None:
    await create(client)
    for name in ("Core", "  CORE ", "core"):
        response = await client.post(PLACE, json={"name": name, "rule": rule(21)})
        assert (response.status_code, "another name" in response.json()["error"]["message"]) == (409, True)
    assert await names(client) == ["Core"]


async def test_a_copy_begins_with_a_version_of_its_origin(client: httpx.AsyncClient) -> None:
    place = f"{PLACE}/{(await create(client))['id']}"
    await client.post(f"{place}/versions", json={"rule": rule(126)})
    copy = (await client.post(f"{place}/clone", json={"name": "Copy", "version": 1})).json()
    assert (copy["latest"]["version"], copy["latest"]["note"]) == (1, "copy of Core, version 1")
    assert copy["latest"]["rule"]["config"]["lookback_days"] == 63
    assert (await client.post(f"{place}/clone", json={"name": "copy"})).status_code == 409
    assert await names(client) == ["Copy", "Core"]


async def test_an_archived_strategy_is_out_of_the_list_until_it_is_restored(client: httpx.AsyncClient) -> None:
    place = f"{PLACE}/{(await create(client))['id']}"
    tag = (await client.get(place)).headers["ETag"]
    archived = await client.post(f"{place}/archive")
    assert archived.json()["archived_at"] is not None
    assert (await client.post(f"{place}/archive")).json() == archived.json()
    assert (await names(client), await names(client, archived=True)) == ([], ["Core"])
    assert (await client.get(place, headers={"If-None-Match": tag})).status_code == 200
    assert (await client.post(f"{place}/versions", json={"rule": rule(21)})).status_code == 409
    assert (await client.post(PLACE, json={"name": "core", "rule": rule(21)})).status_code == 409
    assert (await client.post(f"{place}/restore")).json()["archived_at"] is None
    assert (await names(client), await names(client, archived=True)) == (["Core"], [])


async def test_a_document_is_imported_as_it_was_exported(client: httpx.AsyncClient) -> None:
    place = f"{PLACE}/{(await create(client))['id']}"
    response = await client.get(f"{place}/export")
    assert "attachment" in response.headers["Content-Disposition"]
    document = response.json()
    assert (document["schema"], document["schema_version"]) == ("stratigos.strategy", 2)
    assert (await client.post(f"{PLACE}/import", json=document)).status_code == 409
    imported = (await client.post(f"{PLACE}/import", json=document, params={"name": "Imported"})).json()
    assert imported["latest"]["rule"] == document["rule"]
    again = (await client.get(f"{PLACE}/{imported['id']}/export")).json()
    assert again == document | {"name": "Imported"}
    for changed in ({"schema_version": 3}, {"schema": "another"}, {"extra": 1}):
        refused = await client.post(f"{PLACE}/import", json=document | changed)
        assert refused.status_code == 422, changed


async def test_a_document_of_schema_version_1_is_read_as_before(client: httpx.AsyncClient) -> None:
    document = {"schema": "stratigos.strategy", "schema_version": 1, "name": "Old", "rule": rule(63)}
    imported = (await client.post(f"{PLACE}/import", json=document)).json()
    assert (imported["latest"]["search"], imported["latest"]["universe"]) == ({}, "sp500")


async def test_a_version_keeps_what_its_searches_take_other_than_by_default(
    home: Path, client: httpx.AsyncClient
) -> None:
    search = {
        "trials": 200,
        "cash": "0.03",
        "first_day": "1995-01-01",
        "limits": {"max_drawdown": {"bound": 0.25}},
        "space": {"lookback_days": [21, 63]},
        "scenarios": ["base_case", "my_own"],
    }
    place = f"{PLACE}/{(await create(client))['id']}"
    saved = (await client.post(f"{place}/versions", json={"rule": rule(63), "search": search})).json()
    assert (saved["latest"]["version"], saved["latest"]["search"]) == (2, search)
    different = (await client.get(f"{place}/differences", params={"first": 1, "second": 2})).json()["items"]
    assert {each["field"]: each["after"] for each in different} == {
        "search.trials": 200,
        "search.cash": "0.03",
        "search.first_day": "1995-01-01",
        "search.limits.max_drawdown.bound": 0.25,
        "search.space.lookback_days": [21, 63],
        "search.scenarios": ["base_case", "my_own"],
    }
    document = (await client.get(f"{place}/export")).json()
    imported = (await client.post(f"{PLACE}/import", json=document, params={"name": "Imported"})).json()
    copy = (await client.post(f"{place}/clone", json={"name": "Copy"})).json()
    async with open_store(home) as store:
        again = await save_strategy(store, "local", "core", build_rule(StrategyValues(midpoint=0.15)))
    assert imported["latest"]["search"] == copy["latest"]["search"] == again.search == search


@pytest.mark.parametrize(
    ("search", "field"),
    [
        ({"trials": 5}, "search.trials"),
        ({"limits": {"max_drawdown": {"bound": 2.0}}}, "search.limits"),
        ({"cash": "ten"}, None),
        ({"mandate": {}}, "search.mandate"),
        ({"scenarios": []}, "search.scenarios"),
        ({"unknown": 1}, "search.unknown"),
    ],
)
async def test_an_option_that_no_search_accepts_names_its_field(
    client: httpx.AsyncClient, search: dict[str, Any], field: str | None
) -> None:
    response = await client.post(PLACE, json={"name": "Core", "rule": rule(63), "search": search})
    if field is None:  # a series that may be imported later
        assert response.status_code == 201
    else:
        assert (response.status_code, response.json()["error"]["details"][0]["field"]) == (422, f"body.{field}")


async def test_a_strategy_that_the_assistant_saves_is_one_of_the_library(home: Path, client: httpx.AsyncClient) -> None:
    entry = await create(client)
    await client.post(f"{PLACE}/{entry['id']}/archive")
    async with open_store(home) as store:
        await save_strategy(store, "local", "core", build_rule(StrategyValues(midpoint=0.15)))
    latest = (await client.get(f"{PLACE}/{entry['id']}")).json()
    assert (latest["latest"]["version"], latest["latest"]["name"], latest["archived_at"]) == (2, "Core", None)


async def test_what_is_not_there_is_404_and_an_impossible_rule_names_its_field(client: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/versions"),
        ("GET", "/versions/1"),
        ("POST", "/archive"),
        ("GET", "/export"),
    ):
        assert (await client.request(method, f"{PLACE}/{'0' * 32}{path}")).status_code == 404
    response = await client.post(PLACE, json={"name": "Core", "rule": rule(9)})
    assert response.json()["error"]["details"][0]["field"] == "body.rule.config.lookback_days"
