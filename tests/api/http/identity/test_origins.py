import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

FOREIGN = [
    {"Host": "rebound.example"},
    {"Host": "rebound.example:8000"},
    {"Host": "127.0.0.1.example"},
    {"Host": ""},
    {"Host": "[::1"},
    {"Origin": "https://site.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1.site.example"},
    {"Origin": "http://127.0.0.1@site.example"},
]
OWN = [
    {"Host": "localhost:8000"},
    {"Host": "[::1]:8000"},
    {"Host": "127.0.0.1", "Origin": "http://localhost:5173"},
]


async def test_pages_of_other_sites_reach_nothing(home):
    async with open_client(application(home)) as client:
        for headers in FOREIGN:
            answer = await client.get("/api/health", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), headers
        for headers in OWN:
            assert (await client.get("/api/health", headers=headers)).status_code == 200, headers


@pytest.mark.parametrize("headers", [{"Host": "rebound.example", "Origin": "http://rebound.example"}])
def test_sockets_of_other_sites_are_closed(home, headers):
    with (
        TestClient(application(home), base_url="http://127.0.0.1") as client,
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect("/api/runs/x/events/ws", headers=headers),
    ):
        pass
    assert closed.value.code == 1008
