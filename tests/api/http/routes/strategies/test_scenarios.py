"""Own scenarios over HTTP, sample paths of a scenario, and the check of correlations."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import BUILT_IN, Scenario
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

PLACE = "/api/scenarios"
OWN = {"name": "stagflation", "mu": 0.01, "sigma": 0.24, "cash_rate": 0.05, "bond_correlation": 0.4}


@pytest.fixture
async def client(home: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(application(home)) as client:
        yield client


async def test_a_scenario_is_stored_changed_and_deleted(client: httpx.AsyncClient) -> None:
    created = await client.post(PLACE, json=OWN)
    assert (created.status_code, created.json()["own"]) == (201, True)
    place, tag = created.headers["Location"], created.headers["ETag"]
    listed = (await client.get(PLACE)).json()["items"]
    assert created.json() in listed
    assert (await client.get(place, headers={"If-None-Match": tag})).status_code == 304
    changed = await client.put(place, json=OWN | {"sigma": 0.3}, headers={"If-Match": tag})
    assert changed.json()["scenario"]["sigma"] == 0.3
    assert (await client.get(place)).json() == changed.json()
    for method, body in (("PUT", OWN), ("DELETE", None)):
        assert (await client.request(method, place, json=body, headers={"If-Match": tag})).status_code == 412
    renamed = await client.put(place, json=OWN | {"name": "other"})
    assert renamed.json()["error"]["details"][0]["field"] == "body.name"
    assert (await client.delete(place)).status_code == 204
    assert (await client.get(place)).status_code == 404


async def test_a_copy_of_a_built_in_scenario_can_be_changed_and_the_original_cannot(client: httpx.AsyncClient) -> None:
    place = f"{PLACE}/bear_market"
    bear = (await client.get(place)).json()["scenario"]
    for method, path, body in (
        ("PUT", place, bear),
        ("DELETE", place, None),
        ("POST", PLACE, bear),
        ("POST", f"{place}/clone", {"name": "base_case"}),
        ("POST", f"{place}/clone", {"name": "history"}),
    ):
        assert (await client.request(method, path, json=body)).status_code == 409, (method, path)
    copy = (await client.post(f"{place}/clone", json={"name": "mild_bear"})).json()
    assert copy["scenario"] == bear | {"name": "mild_bear"}
    changed = await client.put(f"{PLACE}/mild_bear", json=copy["scenario"] | {"mu": -0.01})
    assert changed.json()["scenario"]["mu"] == -0.01
    assert (await client.get(place)).json()["scenario"] == bear


async def test_parameters_without_valid_paths_are_rejected(client: httpx.AsyncClient) -> None:
    assert (await client.post(PLACE, json=OWN | {"sigma": 2.0})).status_code == 422
    impossible = OWN | {"name": "impossible", "engine": "regime_switching", "mu": 0.5, "sigma": 0.01}
    response = await client.post(PLACE, json=impossible)
    assert (response.status_code, response.json()["error"]["details"][0]["field"]) == (422, "scenario")


async def test_a_preview_shows_the_paths_that_the_engine_draws_and_their_percentiles(client: httpx.AsyncClient) -> None:
    request = {"scenario": OWN | {"years": 2}, "paths": 150, "shown": 3, "points": 5}
    preview = (await client.post(f"{PLACE}/preview", json=request)).json()
    scenario = Scenario.model_validate(OWN | {"years": 2})
    drawn = sample_paths(path_model(scenario, seed=1), days=504, blocks=3)[:, :150]
    wealth = np.vstack([np.ones(150), np.cumprod(1.0 + drawn, axis=0)])[preview["sessions"]]
    assert preview["sessions"] == [0, 126, 252, 378, 504]
    assert np.allclose(preview["paths"], wealth.T[:3], rtol=1e-12)
    for name, percentile in (("p5", 5), ("p50", 50), ("p95", 95)):
        assert np.allclose(preview["bands"][name], np.percentile(wealth, percentile, axis=1), rtol=1e-12)
    moments = {moment["name"]: moment for moment in preview["moments"]}
    assert moments["mean"]["implied"] == pytest.approx(0.01)
    assert moments["volatility"]["implied"] == pytest.approx(0.24)
    assert preview["scenario"] == scenario.model_dump(mode="json")


async def test_a_built_in_scenario_is_drawn_as_a_search_on_the_same_prices_would(client: httpx.AsyncClient) -> None:
    request = {"scenario": "bear_market", "paths": 100, "points": 2}
    preview = (await client.post(f"{PLACE}/preview", json=request)).json()
    bear = next(scenario for scenario in BUILT_IN if scenario.name == "bear_market")
    assert preview["scenario"]["sigma"] != bear.sigma  # calibrated to the training days
    assert (preview["first_day"], preview["last_day"] < "2019-01-01") == ("1990-01-03", True)
    again = (await client.post(f"{PLACE}/preview", json=request)).json()
    assert again == preview


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scenario": "unheard"}, "scenario"),
        ({"scenario": OWN | {"years": 30}, "paths": 2_000}, "body.paths"),
        ({"shown": 51}, "body.shown"),
        ({"universe": "unheard"}, "universe"),
    ],
)
async def test_an_impossible_preview_names_its_field(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    response = await client.post(f"{PLACE}/preview", json=body)
    assert response.status_code == 422
    assert field in [detail["field"] for detail in response.json()["error"]["details"]]


async def test_correlations_are_checked_and_the_nearest_matrix_is_proposed(client: httpx.AsyncClient) -> None:
    place = f"{PLACE}/correlations"
    fine = (await client.post(place, json={"matrix": [[1.0, 0.5], [0.5, 1.0]]})).json()
    assert (fine["valid"], fine["nearest"], fine["smallest_eigenvalue"]) == (True, None, pytest.approx(0.5))
    # Higham (2002), section 4: the nearest correlation matrix of this one, to four decimals
    matrix = [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    check = (await client.post(place, json={"matrix": matrix})).json()
    assert check["valid"] is False
    assert np.allclose(check["nearest"], [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]], atol=1e-3)
    assert check["distance"] == pytest.approx(np.linalg.norm(np.array(check["nearest"]) - matrix), rel=1e-6)
    for wrong in ([[1.0, 0.5], [0.4, 1.0]], [[1.0, 0.5]], [[2.0, 0.5], [0.5, 1.0]], [[1.0, 2.0], [2.0, 1.0]]):
        assert (await client.post(place, json={"matrix": wrong})).status_code == 422, wrong
