import httpx
import pytest

from tests.api.serving import application, running, served

pytestmark = pytest.mark.anyio


async def test_it_answers(home):
    async with served(application(home)) as client:
        answer = await client.get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_an_unknown_path_has_the_envelope_of_every_error(home):
    async with served(application(home)) as client:
        answer = await client.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "code": "NOT_FOUND",
        "message": "there is nothing at /api/nothing",
        "details": [],
    }


def test_a_real_server_answers(home):
    with running(application(home)) as address:
        assert httpx.get(f"{address}/api/health").json() == {"status": "ok"}
