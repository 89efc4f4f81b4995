"""Market regimes, yield curves and volatility surfaces over HTTP."""

import asyncio
from pathlib import Path

import pytest

from desk.market.bundled import BundledPrices
from desk.portfolios.market_regimes import analyse_market
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

CURVES = "date,2Y,10Y\n2024-01-02,4.33,3.95\n2024-01-03,4.33,3.91\n2024-01-04,4.38,\n"


async def test_regimes_are_those_that_the_assistant_says(home: Path) -> None:
    expected = await asyncio.create_task(analyse_market(BundledPrices(), ["AAPL", "JNJ"]))
    async with open_client(application(home)) as client:
        response = await client.get("/api/market-data/regimes", params={"symbols": "AAPL, JNJ"})
        unknown = await client.get("/api/market-data/regimes", params={"symbols": "NOTHING"})
    assert response.json() == expected.model_dump(mode="json")
    assert unknown.status_code == 422


async def test_yield_curves_are_those_of_the_file(home: Path) -> None:
    place = "/api/market-data/yield-curve"
    async with open_client(application(home)) as client:
        terms = {"dataset": "treasury", "kind": "curve", "dry_run": False}
        imported = await client.post("/api/market-data/imports", params=terms, content=CURVES)
        assert imported.status_code == 201, imported.text
        whole = (await client.get(place, params={"dataset": "treasury"})).json()
        assert (whole["tenors"], whole["yields"]) == (["2Y", "10Y"], [[4.33, 3.95], [4.33, 3.91], [4.38, None]])
        days = {"dataset": "treasury", "first_day": "2024-01-03", "last_day": "2024-01-03"}
        part = (await client.get(place, params=days)).json()
        assert (part["dates"], part["yields"]) == (["2024-01-03"], [[4.33, 3.91]])
        assert (await client.get(place, params={"dataset": "missing"})).status_code == 404
        await client.post(
            "/api/market-data/imports",
            params=terms | {"dataset": "prices", "kind": "prices"},
            content=CURVES[:-1] + "4\n",
        )
        assert (await client.get(place, params={"dataset": "prices"})).status_code == 422


SURFACES = """date,3M_100,1M_90,1M_100
2024-01-02,14.5,19.2,13.1
2024-01-03,14.9,19.9,13.6
2024-01-04,15.0,20.1,
"""


async def test_volatility_surfaces_are_those_of_the_file_by_tenor_and_strike(home: Path) -> None:
    place = "/api/market-data/vol-surface"
    terms = {"kind": "index", "dry_run": False}
    async with open_client(application(home)) as client:
        for dataset, content in (("spx_surface", SURFACES), ("vix", "date,VIX\n2024-01-02,13.2\n2024-01-03,14.0\n")):
            imported = await client.post(
                "/api/market-data/imports", params=terms | {"dataset": dataset}, content=content
            )
            assert imported.status_code == 201, imported.text
        whole = (await client.get(place, params={"dataset": "spx_surface"})).json()
        assert (whole["tenors"], whole["strikes"]) == (["1M", "3M"], [90.0, 100.0])
        assert whole["volatilities"] == [
            [[19.2, 13.1], [None, 14.5]],
            [[19.9, 13.6], [None, 14.9]],
            [[20.1, None], [None, 15.0]],
        ]
        days = {"dataset": "spx_surface", "first_day": "2024-01-03", "last_day": "2024-01-03"}
        part = (await client.get(place, params=days)).json()
        assert (part["dates"], part["volatilities"]) == (["2024-01-03"], [[[19.9, 13.6], [None, 14.9]]])
        refused = await client.get(place, params={"dataset": "vix"})
        assert (refused.status_code, "1M_90" in refused.text) == (422, True)
        assert (await client.get(place, params={"dataset": "missing"})).status_code == 404
