"""Correlations that a request sets, in optimizers and simulations, and the repair of impossible ones with consent."""

import numpy as np
import pytest

from quant.allocate import risk_parity
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

HIGHAM = {"A": {"B": 1.0, "C": 0.0}, "B": {"C": 1.0}}
"""Higham (2002), section 1: no returns have these correlations; the nearest are 0.7607 and 0.1573, 0.5278 away."""
NEAREST = np.array([[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]])


@pytest.fixture
async def client(home):
    async with open_client(application(home)) as client:
        yield client


def returns(periods: int = 500) -> dict[str, list[float]]:
    values = np.random.default_rng(4).normal(0.0003, (0.006, 0.01, 0.02), (periods, 3))
    return {name: column.tolist() for name, column in zip("ABC", values.T, strict=True)}


def covariance_with(correlation: np.ndarray) -> np.ndarray:
    deviations = np.std(np.column_stack(list(returns().values())), axis=0, ddof=1)
    return correlation * np.outer(deviations, deviations)


async def solution(client, **body) -> dict:
    answer = await client.post("/api/optimization/risk-parity", json={"returns": returns()} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refusal(client, path: str, body: dict) -> dict:
    answer = await client.post(f"/api/{path}", json={"returns": returns()} | body)
    assert answer.status_code == 422, answer.text
    return answer.json()["error"]


async def test_the_weights_are_those_of_the_correlations_that_were_set(client):
    edited = await solution(client, correlations={"a": {"B": 0.5}, "C": {"B": -0.2, "A": 0.1}})
    correlation = np.array([[1.0, 0.5, 0.1], [0.5, 1.0, -0.2], [0.1, -0.2, 1.0]])
    expected = risk_parity(covariance_with(correlation))
    assert list(edited["result"]["weights"].values()) == pytest.approx(expected.tolist(), rel=1e-9)
    assert edited["correlationRepair"] is None
    assert edited["parameters"]["correlations"] == {"a": {"B": 0.5}, "C": {"B": -0.2, "A": 0.1}}
    plain = await solution(client)
    assert plain["correlationRepair"] is None
    assert not {"correlations", "repairCorrelations"} & set(plain["parameters"])


async def test_impossible_correlations_are_repaired_with_consent_only(client):
    error = await refusal(client, "optimization/risk-parity", {"correlations": HIGHAM})
    assert error["details"][0]["field"] == "correlations"
    assert "-0.414" in error["message"], "1 less the root of 2"
    assert "repairCorrelations: true" in error["details"][0]["allowed"]
    assert "0.528" in error["details"][0]["allowed"]
    repaired = await solution(client, correlations=HIGHAM, repairCorrelations=True)
    repair = repaired["correlationRepair"]
    assert repair["distance"] == pytest.approx(0.5278, abs=2e-4)
    assert repair["smallestEigenvalue"] == pytest.approx(1.0 - np.sqrt(2.0))
    assert repair["largestChange"] == pytest.approx(1.0 - 0.7607, abs=2e-4)
    assert any("nearest matrix" in warning for warning in repaired["warnings"])
    expected = risk_parity(covariance_with(NEAREST + 1e-3 * np.eye(3)))
    assert list(repaired["result"]["weights"].values()) == pytest.approx(expected.tolist(), abs=1e-3)
    stored = (await client.get(f"/api/optimization/results/{repaired['id']}")).json()
    assert stored == repaired


@pytest.mark.parametrize(("engine", "rho"), [("gbm", 0.9), ("gbm", -0.9), ("merton", 0.5)])
async def test_simulated_assets_have_the_correlation_that_was_set(client, engine, rho):
    body = {
        "returns": {name: returns()[name] for name in "AB"},
        "weights": {"A": 0.5, "B": 0.5},
        "engine": engine,
        "correlations": {"A": {"B": rho}},
        "numSimulations": 20_000,
        "numPeriods": 21,
        "rebalancing": "daily",
        "transactionCostBps": 0,
    }
    simulation = (await client.post("/api/monte-carlo/simulate", json=body)).json()
    assert simulation["parameters"]["correlations"] == {"A": {"B": rho}}
    assert simulation["parameters"]["correlationRepair"] is None
    analysis = (await client.post("/api/monte-carlo/analyze", json={"simulationId": simulation["id"]})).json()
    deviations = np.array([np.std(returns()[name], ddof=1) for name in "AB"])
    cov = np.array([[1.0, rho], [rho, 1.0]]) * np.outer(deviations, deviations)
    expected = np.sqrt(21.0 * np.full(2, 0.5) @ cov @ np.full(2, 0.5))
    assert analysis["result"]["expectedRisk"] == pytest.approx(expected, rel=0.04), "of 20,000 paths"


async def test_simulations_repair_with_consent_too(client):
    body = {"weights": {"A": 0.4, "B": 0.3, "C": 0.3}, "correlations": HIGHAM, "numSimulations": 50, "numPeriods": 5}
    error = await refusal(client, "monte-carlo/simulate", body)
    assert error["details"][0]["field"] == "correlations"
    answer = await client.post(
        "/api/monte-carlo/simulate", json={"returns": returns(), "repairCorrelations": True} | body
    )
    simulation = answer.json()
    assert simulation["parameters"]["correlationRepair"]["distance"] == pytest.approx(0.5278, abs=2e-4)
    assert any("nearest matrix" in caveat for caveat in simulation["caveats"])
    assert (await client.get(f"/api/monte-carlo/simulations/{simulation['id']}")).json() == simulation
    error = await refusal(client, "monte-carlo/simulate", body | {"engine": "bootstrap"})
    assert "no effect under bootstrap" in error["message"]


@pytest.mark.parametrize(
    ("correlations", "field", "part"),
    [
        ({"A": {"Q": 0.5}}, "correlations.A.Q", "Q is not among the assets"),
        ({"A": {"A": 0.5}}, "correlations.A.A", "with itself"),
        ({"A": {"B": 0.5}, "B": {"A": 0.4}}, "correlations.B.A", "two different correlations"),
        ({"A": {"B": 1.5}}, "body.correlations.A.B", "1.5"),
        ({}, "body.correlations", "{}"),
    ],
)
async def test_what_is_wrong_with_a_correlation_is_named(client, correlations, field, part):
    error = await refusal(client, "optimization/hrp", {"correlations": correlations})
    assert error["details"][0]["field"] == field
    assert part in error["message"]


async def test_correlations_are_refused_where_they_have_no_effect(client):
    error = await refusal(client, "optimization/minimum-cvar", {"correlations": {"A": {"B": 0.5}}})
    assert "no effect on the conditional value at risk" in error["message"]
    error = await refusal(client, "optimization/hrp", {"correlations": {"A": {"B": 0.5}}, "bootstrap": {"draws": 20}})
    assert "bootstrap cannot be combined with correlations" in error["message"]
