"""The catalogue over HTTP."""

from pathlib import Path

import pytest

from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

PRICES = "date,A,B\n2024-01-02,1.5,2\n2024-01-03,1.6,2.1\n2024-01-04,1.7,2.05\n"


async def test_the_catalogue_lists_imported_data_and_is_not_sent_twice(home: Path) -> None:
    async with open_client(application(home)) as client:
        first = await client.get("/api/catalogue")
        assert [each["name"] for each in first.json()["data"]] == ["sp500", "stocks"]
        tag = {"If-None-Match": first.headers["ETag"]}
        assert (await client.get("/api/catalogue", headers=tag)).status_code == 304
        place = "/api/market-data/imports"
        await client.post(place, params={"dataset": "mine", "dry_run": False}, content=PRICES)
        second = await client.get("/api/catalogue", headers=tag)
    (mine,) = [each for each in second.json()["data"] if not each["bundled"]]
    assert (mine["name"], mine["symbols"], mine["last"]) == ("mine", ["A", "B"], "2024-01-04")
    assert mine["freshness"]["fresh"] is False
    assert all(each["message"] and each["does"] for each in second.json()["suggestions"])
