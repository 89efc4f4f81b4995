import re

import httpx
import pytest

from tests.api.http.application import application, open_client, run_server

pytestmark = pytest.mark.anyio


async def test_it_answers(home):
    async with open_client(application(home)) as client:
        answer = await client.get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_an_unknown_path_has_the_envelope_of_every_error(home):
    async with open_client(application(home)) as client:
        answer = await client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "code": "NOT_FOUND",
        "message": "there is no route /api/nothing",
        "details": [],
    }


def test_a_real_server_answers(home):
    with run_server(application(home)) as address:
        assert httpx.get(f"{address}/api/health").json() == {"status": "ok"}


async def test_the_documentation_asks_no_other_host(home):
    async with open_client(application(home)) as client:
        page = (await client.get("/api/docs")).text
        named = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
        answers = [await client.get(place) for place in named]
    assert len(named) >= 2
    assert all(place.startswith("/api/docs/") for place in named)
    assert {answer.status_code for answer in answers} == {200}


def test_every_area_of_the_documentation_is_described(home):
    document = application(home).openapi()
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"]}
