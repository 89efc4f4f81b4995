"""Files of every accepted format over HTTP: the closes of a data set, or a refusal."""

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
