"""The risk of a portfolio over HTTP."""

import csv
import io
import math

import pytest

from desk.market.bundled import BundledPrices
from desk.portfolios.risk import assess
from desk.portfolios.stress_schemas import StressRequest
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

HOLDINGS = {"AAPL": 0.5, "XOM": 0.3, "cash": 0.2}
STRESS = {"loss": 0.15, "sessions": 10, "shocks": {"sp500": -0.3, "XOM": 0.1}}


@pytest.fixture
async def client(home):
    async with open_client(application(home)) as client:
        yield client


async def test_holdings_and_a_stored_portfolio_have_the_same_report(client):
    body = {"amount": 1e6, "currency": "EUR", "stress": STRESS}
    answer = await client.post("/api/risk", json={"holdings": HOLDINGS} | body)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    direct = await assess(BundledPrices(), HOLDINGS, stress=StressRequest.model_validate(STRESS))
    assert report["reverse_stress"] == direct.model_dump(mode="json")["reverse_stress"]
    assert report["factor_stress"] == direct.model_dump(mode="json")["factor_stress"]
    moves = {row["asset"]: row["move"] for row in report["reverse_stress"]["moves"]}
    assert sum(HOLDINGS[asset] * move for asset, move in moves.items()) == pytest.approx(-0.15)
    figures = {figure["id"]: figure for figure in report["figures"]}
    assert figures["risk_reverse_loss"]["unit"] == "percent"
    assert figures["risk_reverse_loss_money"]["value"] == pytest.approx(150_000.0)
    assert figures["risk_reverse_loss_money"]["currency"] == "EUR"
    draft = {"name": "Two", "assets": {"AAPL": 0.5, "XOM": 0.3}, "cash": {"weight": 0.2}}
    portfolio = (await client.post("/api/portfolios", json=draft)).json()["id"]
    stored = await client.post("/api/risk", json={"portfolio_id": portfolio} | body)
    assert stored.json() == report


async def test_a_saved_strategy_is_assessed_by_the_returns_of_its_rule(client):
    config = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 252, "rebalancing": "monthly"}
    saved = (await client.post("/api/strategies", json={"name": "Core", "rule": {"config": config}})).json()
    answer = await client.post("/api/risk", json={"strategy_id": saved["id"], "amount": 1e6, "stress": STRESS})
    assert answer.status_code == 200, answer.text
    report = answer.json()
    evaluation = (await client.post("/api/evaluations", json={"config": config})).json()
    assert (report["first_day"], report["last_day"]) == (evaluation["first_day"], evaluation["last_day"])
    figures = {figure["id"]: figure["value"] for figure in report["figures"]}
    metrics = evaluation["held"][0]["history"]["metrics"]
    assert figures["risk_max_drawdown"] == pytest.approx(metrics["max_drawdown"]["value"], abs=1e-9)
    assert 0.0 < figures["risk_beta"] < 1.0
    daily = math.fsum(part["volatility"] for part in report["components"])  # RSK-4
    assert math.sqrt(252) * daily == pytest.approx(figures["risk_volatility"], abs=1e-9)
    assert {part["asset"]: part["weight"] for part in report["components"]} == {
        "risky leg": pytest.approx(evaluation["today"]["weight"]),
        "safe leg and costs": pytest.approx(1.0 - evaluation["today"]["weight"]),
    }
    assert [row["level"] for row in report["backtests"]] == [0.95, 0.99]  # RSK-3
    assert {(row["method"], row["horizon"]) for row in report["tails"]} >= {("historical", 1), ("filtered_garch", 21)}
    (move,) = report["reverse_stress"]["moves"]
    assert evaluation["today"]["weight"] * move["move"] == pytest.approx(-0.15)
    assert {row["factor"] for row in report["factor_stress"]["factors"]} == {"sp500", "XOM"}
    crash = next(row for row in report["episodes"] if "2008" in row["first"] or "2008" in row["last"])
    assert crash["loss"] is not None


async def test_the_figures_are_a_csv_file(client):
    answer = await client.post("/api/risk", params={"format": "csv"}, json={"holdings": HOLDINGS, "stress": STRESS})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0].keys() == {"figure", "quantity", "value", "unit", "error", "source"}
    values = {row["figure"]: row for row in rows}
    assert float(values["risk_reverse_loss"]["value"]) == 0.15
    assert values["risk_factor_2_name"]["value"] == "XOM"


async def test_what_is_wrong_is_refused_by_name(client):
    units = await client.post("/api/portfolios", json={"name": "u", "holdings": {"AAPL": 3}})
    for body, field, part in (
        ({}, "body.portfolio_id", "portfolio_id, strategy_id, job and holdings are missing"),
        ({"holdings": HOLDINGS, "portfolio_id": "p"}, "body.portfolio_id", "combined"),
        ({"holdings": {"AAPL": 0.5}}, "holdings", "add up to 50"),
        ({"holdings": {"NOPE": 1.0}}, "assets", "no prices of NOPE"),
        ({"holdings": {"AAPL": 0.5, "aapl": 0.5}}, "body.holdings", "named twice"),
        ({"holdings": HOLDINGS, "stress": {"loss": 0.0}}, "body.stress.loss", "0.0"),
        ({"holdings": HOLDINGS, "stress": {"sessions": 0}}, "body.stress.sessions", "0"),
        ({"holdings": HOLDINGS, "stress": {"shocks": {"sp500": -1.0}}}, "body.stress.shocks.sp500", "-1"),
        ({"holdings": HOLDINGS, "stress": {"shocks": {"NOPE": -0.1}}}, "shocks", "no prices of NOPE"),
        ({"portfolio_id": units.json()["id"]}, "portfolio_id", "units and no weights"),
    ):
        answer = await client.post("/api/risk", json=body)
        assert answer.status_code == 422, answer.text
        error = answer.json()["error"]
        assert error["details"][0]["field"] == field, error
        assert part in error["message"], error
    assert (await client.post("/api/risk", json={"portfolio_id": "none"})).status_code == 404


async def test_a_portfolio_of_another_user_is_not_found(client, home):
    draft = {"name": "mine", "assets": {"AAPL": 1.0}}
    portfolio = (await client.post("/api/portfolios", json=draft)).json()["id"]
    async with open_client(application(home, owner="bob")) as bob:
        assert (await bob.post("/api/risk", json={"portfolio_id": portfolio})).status_code == 404
