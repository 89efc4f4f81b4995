"""Bodies that are wrong in a great many places are refused as quickly as others."""

import pytest

from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

MANY = 9_000
"""As many as the limit of parts lets through."""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("jobs", {f"field{n}": n for n in range(MANY)}),
        ("monte-carlo/simulate", {"weights": {"A": 1.0}, "returns": {f"A{n}": ["x"] * 180 for n in range(50)}}),
    ],
)
async def test_the_first_hundred_faults_are_told(home, path, body):
    async with open_client(application(home)) as client:
        answer = await client.post(f"/api/{path}", json=body)
    assert answer.status_code == 422
    assert 50 <= len(answer.json()["error"]["details"]) <= 100


async def test_a_list_that_is_too_long_is_told_with_its_length_and_the_limit(home):
    async with open_client(application(home)) as client:
        answer = await client.post(
            "/api/jobs",
            json={"start": [{"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63}] * 21},
        )
    (detail,) = answer.json()["error"]["details"]
    assert (detail["field"], detail["message"], detail["allowed"]) == ("body.start", "it has 21 items", "at most 20")


async def test_a_fault_that_follows_from_another_is_not_told(home):
    async with open_client(application(home)) as client:
        answer = await client.post("/api/optimization/hrp", json={"symbols": ["AAPL", 3]})
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["body.symbols.1"]
