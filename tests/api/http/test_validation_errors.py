"""Bodies that are wrong in a great many places are refused as quickly as others."""

from contextlib import suppress

import pytest
from fastapi.openapi.utils import get_fields_from_routes
from pydantic import ValidationError

from api.app import create_app
from api.http.descriptions import models_of
from tests.api.http.application import application, open_client, settings_of
from tests.graphs.dependencies import open_dependencies

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


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("estimates", {"seed": True}, "body.seed"),
        ("estimates", {"mandate": {"max_weight": True}}, "body.mandate.max_weight"),
        ("estimates", {"limits": {"leverage": {"bound": True}}}, "body.limits.leverage.bound"),
        ("estimates", {"space": {"slope": [4, True]}}, "body.space.slope.1"),
        ("optimization/hrp", {"returns": {"A": [0.1, 0.2, False]}}, "body.returns.A.2"),
        ("portfolios", {"name": "One", "holdings": {"AAPL": True}}, "body.holdings.AAPL"),
    ],
)
async def test_a_boolean_is_no_number(home, path, body, field):
    async with open_client(application(home)) as client:
        answer = await client.post(f"/api/{path}", json=body)
    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


async def test_a_boolean_is_accepted_where_it_is_one(home):
    body = {"name": "Two", "assets": {"AAPL": 60, "JNJ": 40}, "normalize": True}
    async with open_client(application(home)) as client:
        assert (await client.post("/api/portfolios", json=body)).status_code == 201


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"first_day": "2020-01-02", "last_day": "2019-01-02"}, "body.first_day", "first_day 2020-01-02 is not before"),
        (
            {"scenarios": [{"name": "mine", "mu": 0.05, "sigma": 0.2, "cash_rate": 0.02}]},
            "body.scenarios",
            "every probability is 0",
        ),
        (
            {"limits": {"max_drawdown": {"bound": 0.2, "scenarios": ["moon"]}}},
            "body.limits.max_drawdown.scenarios",
            "names ['moon']",
        ),
        ({"mandate": {"min_weight": 0.9, "max_weight": 0.1}}, "body.mandate.min_weight", "min_weight 0.9"),
    ],
)
async def test_an_error_about_several_fields_names_the_first_of_them(home, body, field, message):
    async with open_client(application(home)) as client:
        answer = await client.post("/api/estimates", json=body)
    (detail,) = answer.json()["error"]["details"]
    assert (detail["field"], message in detail["message"]) == (field, True), detail


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_a_body_of_another_content_type_is_not_read(home, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with open_client(application(home)) as client:
        answer = await client.post("/api/jobs", content="{}", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "application/json" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["jobs", "drafts", "threads", "portfolios", "scenarios", "monte-carlo/simulations"])
async def test_a_cursor_of_another_list_is_named_in_the_details(home, path):
    async with open_client(application(home)) as client:
        answer = await client.get(f"/api/{path}", params={"after": "of another list"})
    assert answer.status_code == 422
    (detail,) = answer.json()["error"]["details"]
    assert (detail["field"], detail["allowed"]) == ("query.after", "`next` of the previous page")


OF_ANY_KIND = (None, True, 0, -1.5, 1e400, "", "a", [], [None], [[]], {}, {"": None}, {"a": {}})


def test_a_field_with_a_value_of_any_kind_is_accepted_or_refused(home):
    """Neither a `TypeError` of a validator that expects another kind, nor any other fault."""
    app = create_app(settings_of(home), open_dependencies(home))
    models = set(models_of(field.field_info.annotation for field in get_fields_from_routes(app.routes)))
    assert len(models) > 200
    for model in models:
        for name, field in model.model_fields.items():
            for value in OF_ANY_KIND:
                with suppress(ValidationError):
                    model.model_validate({field.alias or name: value})
