"""Tear sheets over HTTP: each subject, each format, and what is refused."""

import io

import pytest
from openpyxl import load_workbook

from desk.tearsheets.schemas import TearsheetDocument
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

PATH = "/api/tearsheets"


@pytest.fixture
async def client(home):
    async with open_client(application(home)) as client:
        yield client


async def document_of(client, **body) -> TearsheetDocument:
    answer = await client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    return TearsheetDocument.model_validate_json(answer.content)


async def keep(client, **draft) -> str:
    answer = await client.post("/api/portfolios", json={"name": "Mine", **draft})
    return answer.json()["id"]


async def test_weights_of_a_stored_portfolio_are_restored_every_day(client):
    portfolio = await keep(client, assets={"AAPL": 0.4, "XOM": 0.6})
    document = await document_of(client, portfolio=portfolio, benchmark="none")
    parts = [(await document_of(client, asset=name, benchmark="none")).series for name in ("AAPL", "XOM")]
    mixed = [0.4 * a + 0.6 * b for a, b in zip(parts[0].returns, parts[1].returns, strict=True)]
    assert document.title == "Mine"
    assert document.series.returns == pytest.approx(mixed, abs=1e-12)
    assert document.statistic("average_leverage").value == pytest.approx(1.0)


async def test_units_of_a_stored_portfolio_are_held(client):
    portfolio = await keep(client, holdings={"AAPL": 10.0, "XOM": 5.0})
    document = await document_of(client, portfolio=portfolio, benchmark="none")
    answer = await client.get(
        "/api/market-data/prices",
        params={"symbols": "AAPL,XOM", "startDate": "1990-01-01", "endDate": str(document.last_day)},
    )
    closes = {name: series["close"] for name, series in answer.json().items()}
    worth = [10 * a + 5 * b for a, b in zip(closes["AAPL"], closes["XOM"], strict=True)]
    assert document.series.wealth[-1] == pytest.approx(worth[-1] / worth[0], rel=1e-9)
    assert document.series.wealth[100] == pytest.approx(worth[101] / worth[0], rel=1e-9)


@pytest.mark.parametrize(
    ("format_", "kind", "start"),
    [
        ("csv", "text/csv", b"name,label,unit"),
        ("html", "text/html", b"<!doctype html>"),
        ("xlsx", "application/vnd", b"PK"),
    ],
)
async def test_a_tear_sheet_is_a_file(client, format_, kind, start):
    body = {"asset": "JNJ", "first_day": "2005-01-01", "last_day": "2006-12-31"}
    answers = [await client.post(PATH, json=body, params={"format": format_}) for _ in range(2)]
    assert answers[0].status_code == 200, answers[0].text
    assert answers[0].headers["content-type"].startswith(kind)
    assert answers[0].headers["content-disposition"] == f'attachment; filename="tearsheet.{format_}"'
    assert answers[0].content.lstrip().startswith(start)
    assert answers[0].content == answers[1].content
    if format_ == "xlsx":
        assert "Series" in load_workbook(io.BytesIO(answers[0].content), read_only=True).sheetnames


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 422, "expected exactly one of asset, portfolio, holdings, job, series"),
        ({"asset": "NOPE"}, 422, "no prices of NOPE"),
        ({"portfolio": "p-unknown"}, 404, "p-unknown"),
        ({"job": "unknown"}, 404, "unknown"),
        ({"asset": "AAPL", "window": 1}, 422, "window"),
        ({"asset": "AAPL", "colour": "red"}, 422, "colour"),
    ],
)
async def test_what_is_refused_is_named(client, body, status, text):
    answer = await client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    assert text in answer.text


@pytest.mark.parametrize("format_", ["json", "html"])
async def test_a_portfolio_of_another_user_is_not_found(client, home, format_):
    portfolio = await keep(client, assets={"AAPL": 1.0})
    async with open_client(application(home, owner="bob")) as bob:
        answer = await bob.post(PATH, json={"portfolio": portfolio}, params={"format": format_})
    assert answer.status_code == 404
    assert portfolio in answer.text
