"""Files of every accepted format over HTTP: the closes of a data set, or a refusal."""

import sys
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from tests.api.http.application import application, open_client
from tests.desk.market.files.price_samples import REFUSED, SAMPLES, Expected, content_of, expected

pytestmark = pytest.mark.anyio

IMPORTS = "/api/market-data/imports"


async def import_over_http(client: httpx.AsyncClient, content: bytes, dataset: str, **options: str) -> httpx.Response:
    return await client.post(IMPORTS, params={"dataset": dataset, "dry_run": False, **options}, content=content)


async def test_every_format_gives_the_same_closes_over_http(home):
    async with open_client(application(home)) as client:
        for n, (name, sample) in enumerate(SAMPLES.items()):
            response = await import_over_http(client, content_of(sample), f"d{n}", symbol="mine")
            assert response.status_code == 201, (name, response.text)
            answer = expected(name, "mine")
            assert tuple(response.json()["version"]["assets"]) == answer.assets, name
            period = {"startDate": answer.days[0], "endDate": answer.days[-1]}
            query = {"symbols": ",".join(answer.assets), "dataset": f"d{n}", **period}
            prices = (await client.get("/api/market-data/prices", params=query)).json()
            columns = [prices[asset]["close"] for asset in answer.assets]
            closes = [list(row) for row in zip(*columns, strict=True)]
            assert Expected(answer.assets, tuple(prices[answer.assets[0]]["dates"]), closes) == answer, name


async def test_every_damaged_file_is_refused_over_http(home):
    async with open_client(application(home)) as client:
        for name, (sample, _) in REFUSED.items():
            response = await import_over_http(client, content_of(sample), "refused", calendar="none")
            assert response.status_code == 422, (name, response.text)
        assert (await client.get("/api/market-data/datasets")).json()["items"] == []


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
async def test_the_memory_of_a_large_import_is_returned(home):
    days = [(date(1920, 1, 1) + timedelta(day)).isoformat() for day in range(40_000)]
    rows = [",".join([day, *(f"{n % 97 + asset}.25" for asset in range(90))]) for n, day in enumerate(days)]
    header = ",".join(["date", *(f"A{asset}" for asset in range(90))])
    async with open_client(application(home)) as client:
        for last in (1_000, None):  # the first import loads the libraries
            before = resident_megabytes()
            content = "\n".join([header, *rows[:last]])
            assert (await client.post(IMPORTS, params={"dataset": "own"}, content=content)).status_code == 200
        growth = resident_megabytes() - before
    print(f"{growth:.0f} MB stay after an import of 3.6 million cells")
    assert growth < 100


def resident_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
