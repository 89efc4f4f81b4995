"""Simulated wealth over HTTP: what it means, how long it is kept, and what is refused."""

import csv
import io
import json
import math
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.http.application import application, open_client, run_server
from tests.api.http.sample_requests import RANDOM_RETURNS, TWO_ASSET_SIMULATION
from tests.graphs.dependencies import open_dependencies

pytestmark = pytest.mark.anyio  # the others ask a server that runs beside them

BASE = "/api/monte-carlo"
SEED_FORM: dict[str, Any] = {
    "returns": {
        "AAPL": [0.01, 0.02, -0.01, 0.03, -0.02],
        "MSFT": [0.02, 0.01, -0.02, 0.02, -0.01],
        "GOOGL": [0.03, -0.01, 0.01, 0.02, -0.03],
        "AMZN": [0.02, -0.02, 0.03, 0.01, -0.01],
        "META": [0.01, 0.03, -0.03, 0.02, -0.02],
    },
    "initialInvestment": 10_000,
    "numSimulations": 1_000,
    "numPeriods": 252,
}
TECH = {"AAPL": 0.25, "MSFT": 0.25, "GOOGL": 0.20, "AMZN": 0.20, "META": 0.10}


@pytest.fixture
async def client(home):
    async with open_client(application(home)) as answering:
        yield answering


async def simulate(client: Any, **changes: Any) -> dict[str, Any]:
    answer = await client.post(f"{BASE}/simulate", json=TWO_ASSET_SIMULATION | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def analysed(client: Any, simulation: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(f"{BASE}/analyze", json={"simulationId": simulation["id"]})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def closes(client: Any, simulation: dict[str, Any]) -> Any:
    answer = await client.get(f"{BASE}/simulations/{simulation['id']}/trajectories")
    return np.array(answer.json()["trajectories"])


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """A client of a server for all that needs no home of its own."""
    home = tmp_path_factory.mktemp("home")
    with (
        run_server(application(home)) as address,
        httpx.Client(base_url=f"{address}{BASE}", verify=False, timeout=120) as asking,
    ):
        yield asking


async def test_the_form_of_the_first_interface_is_served(client) -> None:
    portfolio = (await client.post("/api/portfolios", json={"name": "Tech", "assets": TECH})).json()
    body = (await client.post(f"{BASE}/simulate", json=SEED_FORM | {"portfolioId": portfolio["id"]})).json()
    assert body["portfolioId"] == portfolio["id"]
    assert {name: body["parameters"][name] for name in SEED_FORM if name != "returns"} == {
        name: SEED_FORM[name] for name in SEED_FORM if name != "returns"
    }
    assert body["parameters"]["weights"] == pytest.approx(TECH)
    statistics = body["result"]["statistics"]
    assert {"meanFinalValue", "medianFinalValue", "minFinalValue", "maxFinalValue", "standardDeviation"} < set(
        statistics
    )
    assert list(statistics["percentiles"]) == ["5", "25", "50", "75", "95"]
    # the mean daily return of the portfolio is 0.46%
    assert statistics["meanFinalValue"] == pytest.approx(10_000 * 1.0046**252, rel=0.05)


async def test_the_same_request_gives_the_same_numbers_in_any_order(client) -> None:
    first, again = await simulate(client), await simulate(client)
    turned = await simulate(
        client, **{name: dict(reversed(TWO_ASSET_SIMULATION[name].items())) for name in ("weights", "returns")}
    )
    other = await simulate(client, seed=2)
    assert first["id"] != again["id"]
    assert first["result"] == again["result"] == turned["result"]
    assert first["result"] != other["result"]
    assert await analysed(client, first) == await analysed(client, turned)


async def test_assets_move_together(client) -> None:
    """Two that mirror each other leave nothing to chance; drawn one by one they would leave a tenth."""
    mirrored = {"A": RANDOM_RETURNS[:, 0].tolist(), "B": (-RANDOM_RETURNS[:, 0]).tolist()}
    simulation = await simulate(
        client,
        returns=mirrored,
        weights={"A": 0.5, "B": 0.5},
        rebalancing="daily",
        transactionCostBps=0,
        numPeriods=252,
    )
    assert simulation["result"]["statistics"]["standardDeviation"] < 20.0


async def test_statistics_and_analysis_are_those_of_the_paths(client) -> None:
    simulation = await simulate(
        client, trajectories=400, contribution=100.0, withdrawal=250.0, inflation=0.0, goal=9_800.0
    )
    paths, result = await closes(client, simulation), await analysed(client, simulation)
    end, statistics = paths[:, -1], simulation["result"]["statistics"]
    assert paths.shape == (400, 51)
    assert set(paths[:, 0]) == {10_000.0}
    assert statistics["meanFinalValue"] == pytest.approx(end.mean(), rel=1e-12)
    assert statistics["standardDeviation"] == pytest.approx(end.std(ddof=1), rel=1e-9)
    assert (statistics["minFinalValue"], statistics["maxFinalValue"]) == (end.min(), end.max())
    assert statistics["standardErrors"]["meanFinalValue"] == pytest.approx(end.std(ddof=1) / 20.0, rel=1e-9)
    bands = simulation["result"]["bands"]
    assert bands["periods"] == [0, 21, 42, 50]
    for level, band in bands["percentiles"].items():
        assert band == pytest.approx(np.quantile(paths[:, bands["periods"]], float(level) / 100, axis=0), rel=2e-3)

    assert result["paidIn"] == 10_200.0
    losses = 10_200.0 - (end + 500.0)
    assert result["probabilityOfGoal"] == pytest.approx((end >= 9_800.0).mean())
    assert result["probabilityOfLoss"] == pytest.approx((losses > 0.0).mean())
    assert result["valueAtRisk"]["95"] == pytest.approx(np.quantile(losses, 0.95), rel=0.02)
    assert result["valueAtRiskFraction"]["95"] == pytest.approx(result["valueAtRisk"]["95"] / 10_200.0)
    assert result["expectedShortfall"]["95"] > result["valueAtRisk"]["95"] > 0.0
    assert result["probabilityOfGain"] == 1.0 - result["probabilityOfLoss"]
    assert result["annualizedReturn"] is None


async def test_an_account_is_closed_at_ruin(client) -> None:
    simulation = await simulate(client, trajectories=400, ruin=9_800.0)
    ruined = (await closes(client, simulation) <= 9_800.0).any(axis=1)
    result = await analysed(client, simulation)
    assert 0.0 < result["probabilityOfRuin"] == pytest.approx(ruined.mean())
    assert simulation["result"]["bands"]["probabilityOfRuin"][-1] == pytest.approx(ruined.mean())


async def test_every_figure_of_an_analysis_has_a_standard_error(client) -> None:
    result = await analysed(client, await simulate(client, numPeriods=252, goal=10_000.0))
    errors = result["standardErrors"]
    assert set(errors) == set(result) - {"standardErrors", "horizonPeriods", "paidIn"}
    assert errors["expectedReturn"] == pytest.approx(result["expectedRisk"] / 20.0)
    assert all(value > 0.0 for value in _leaves(errors))
    assert result["maxDrawdown"]["max"] >= result["maxDrawdown"]["mean"] > 0.0
    assert result["annualizedReturn"] == pytest.approx(result["expectedReturn"])


def _leaves(value: Any) -> list[float]:
    return [leaf for inner in value.values() for leaf in _leaves(inner)] if isinstance(value, dict) else [value]


async def test_a_standard_error_is_reached_or_refused_with_what_is_possible(client) -> None:
    simulation = await simulate(client, standardError=10.0)
    assert simulation["result"]["statistics"]["standardErrors"]["meanFinalValue"] <= 10.0
    assert 400 < simulation["parameters"]["numSimulations"] < 10_000
    for wanted in (1e-3, 1e-300):
        answer = await client.post(f"{BASE}/simulate", json=TWO_ASSET_SIMULATION | {"standardError": wanted})
        assert answer.status_code == 422
        (detail,) = answer.json()["error"]["details"]
        assert detail["field"] == "standardError"
        assert "2500000 simulations" in detail["allowed"]


async def test_trajectories_stream_as_csv_too_and_only_where_they_were_asked_for(client) -> None:
    simulation, without = await simulate(client, trajectories=3), await simulate(client)
    paths = await closes(client, simulation)
    answer = await client.get(f"{BASE}/simulations/{simulation['id']}/trajectories", params={"format": "csv"})
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == ["period", "path_1", "path_2", "path_3"]
    assert [int(row[0]) for row in rows] == list(range(51))
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], dtype=float).T, paths)
    missing = await client.get(f"{BASE}/simulations/{without['id']}/trajectories")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_prices_of_the_desk_are_drawn_without_the_locked_days(client) -> None:
    body = {"weights": {"AAPL": 0.5, "jnj": 0.2, "cash": 0.3}, "numSimulations": 200, "engine": "bootstrap"}
    answer = await client.post(f"{BASE}/simulate", json=body)
    simulation = answer.json()
    assert answer.status_code == 200, answer.text
    parameters = simulation["parameters"]
    assert parameters["cashWeight"] == pytest.approx(0.3)
    assert parameters["meanBlock"] == 40
    assert parameters["lastDay"] < "2017"
    assert any("locked" in caveat for caveat in simulation["caveats"])
    window = {"startDate": "2000-01-01", "endDate": "2002-12-31"}
    later = (await client.post(f"{BASE}/simulate", json=body | window)).json()["parameters"]
    assert (later["firstDay"], later["lastDay"], later["observations"]) == ("2000-01-03", "2002-12-31", 752)
    locked = await client.post(f"{BASE}/simulate", json=body | {"startDate": "2020-01-01"})
    assert locked.status_code == 422
    assert "locked" in locked.json()["error"]["message"]
    nothing = await client.post(f"{BASE}/simulate", json=body | {"weights": {"NOPE": 1.0}})
    assert "NOPE" in nothing.json()["error"]["message"]


@pytest.mark.parametrize(
    "engine", ["heston", "merton", "bates", "regime_switching", "garch", "bootstrap", "conditional_bootstrap", "replay"]
)
def test_every_engine_is_served(beside, engine) -> None:
    label = {"label": "base"} if engine == "conditional_bootstrap" else {}
    simulation = beside.post(
        "/simulate", json=TWO_ASSET_SIMULATION | label | {"engine": engine, "numSimulations": 64}
    ).json()
    assert simulation["parameters"]["engine"] == engine
    assert simulation["result"]["statistics"]["meanFinalValue"] > 0.0


async def test_a_simulation_is_read_again_and_listed_newest_first(client) -> None:
    ids = []
    for seed in (1, 2, 3):
        simulation = await simulate(client, seed=seed)
        ids.append(simulation["id"])
        assert (await client.get(f"{BASE}/simulations/{simulation['id']}")).json() == simulation
    first = (await client.get(f"{BASE}/simulations", params={"limit": 2})).json()
    rest = (await client.get(f"{BASE}/simulations", params={"limit": 2, "after": first["next"]})).json()
    assert [item["id"] for item in (*first["items"], *rest["items"])] == ids[::-1]
    assert rest["next"] is None
    assert set(first["items"][0]["result"]) == {"statistics"}
    assert (await client.get(f"{BASE}/simulations", params={"after": "nonsense"})).status_code == 422


async def test_another_owner_finds_nothing(client, home) -> None:
    simulation = await simulate(client)
    async with open_client(application(home, owner="ben")) as ben:
        for answer in (
            await ben.get(f"{BASE}/simulations/{simulation['id']}"),
            await ben.get(f"{BASE}/simulations/{simulation['id']}/trajectories"),
            await ben.post(f"{BASE}/analyze", json={"simulationId": simulation["id"]}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert (await ben.get(f"{BASE}/simulations")).json()["items"] == []


async def test_an_expired_simulation_is_gone_and_an_unknown_one_is_not_found(home) -> None:
    @asynccontextmanager
    async def a_month_ago():
        async with open_dependencies(home) as dependencies:
            yield replace(dependencies, now=lambda: datetime.now(UTC) - timedelta(days=30, seconds=1))

    async with open_client(application(home, a_month_ago())) as client:
        simulation = await simulate(client, trajectories=1)
        for answer in (
            await client.get(f"{BASE}/simulations/{simulation['id']}"),
            await client.get(f"{BASE}/simulations/{simulation['id']}/trajectories"),
            await client.post(f"{BASE}/analyze", json={"simulationId": simulation["id"]}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (410, "GONE")
        assert (await client.get(f"{BASE}/simulations")).json()["items"] == []
        unknown = await client.post(f"{BASE}/analyze", json={"simulationId": "s-0"})
        assert unknown.status_code == 404


async def test_sixty_years_of_fifty_assets_stay_below_a_hundred_kilobytes(client) -> None:
    names = [f"ASSET{n:02d}" for n in range(50)]
    returns = np.random.default_rng(1).normal(0.0004, 0.01, (60, 50))
    simulation = await simulate(
        client,
        returns=dict(zip(names, returns.T.tolist(), strict=True)),
        weights=dict.fromkeys(names, 0.02),
        numPeriods=15_120,
        numSimulations=2,
    )
    assert len(json.dumps(simulation)) < 100_000
    assert simulation["result"]["bands"]["periods"][-1] == 15_120


HUGE = 1e308
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no weights": ({"weights": None}, "weights"),
    "both": ({"portfolioId": "p-1"}, "portfolioId"),
    "weights above one": ({"weights": {"A": 0.9, "B": 0.9}}, "weights"),
    "a negative weight": ({"weights": {"A": -0.1}}, "weights.A"),
    "a huge weight": ({"weights": {"A": HUGE}}, "weights.A"),
    "only cash": ({"weights": {"Cash": 1.0}}, "weights"),
    "the same twice": ({"weights": {"a": 0.5, "A": 0.5}}, "weights"),
    "no symbol": ({"weights": {}}, "weights"),
    "an empty symbol": ({"weights": {"": 1.0}}, "weights"),
    "weights without returns": ({"weights": {"A": 0.5, "C": 0.5}}, "C"),
    "returns twice": ({"returns": {"A": [0.1, 0.0], "a": [0.1, 0.0], "B": [0.1, 0.0]}}, "returns"),
    "unequal lengths": ({"returns": {"A": [0.1, 0.0], "B": [0.1, 0.0, 0.0]}}, "returns"),
    "one return": ({"returns": {"A": [0.1], "B": [0.1]}}, "returns.A"),
    "no returns": ({"returns": {}}, "returns"),
    "empty returns": ({"returns": {"A": [], "B": []}}, "returns.A"),
    "a total loss": ({"returns": {"A": [-1.0, 0.0], "B": [0.1, 0.0]}}, "returns.A.0"),
    "a huge return": ({"returns": {"A": [HUGE, 0.0], "B": [0.1, 0.0]}}, "returns.A.0"),
    "text": ({"returns": {"A": ["x", 0.0], "B": [0.1, 0.0]}}, "returns.A.0"),
    "wild returns": ({"returns": {"A": [9.0, -0.9], "B": [0.1, 0.0]}}, "returns.A"),
    "fewer days than assets": (
        {"weights": dict.fromkeys("ABC", 0.3), "returns": {c: [0.01, 0.0] for c in "ABC"}},
        "engine",
    ),
    "little history": ({"engine": "bootstrap", "returns": {"A": [0.01, 0.0], "B": [0.0, 0.01]}}, "engine"),
    "a long replay": ({"engine": "replay", "numPeriods": 601}, "engine"),
    "no label": ({"engine": "conditional_bootstrap"}, "label"),
    "a useless label": ({"label": "bear"}, "label"),
    "a useless block": ({"meanBlock": 30}, "meanBlock"),
    "an unknown engine": ({"engine": "magic"}, "engine"),
    "no money": ({"initialInvestment": 0}, "initialInvestment"),
    "less than no money": ({"initialInvestment": -5}, "initialInvestment"),
    "huge money": ({"initialInvestment": HUGE}, "initialInvestment"),
    "ruined from the start": ({"ruin": 10_000}, "ruin"),
    "one path": ({"numSimulations": 1}, "numSimulations"),
    "many paths": ({"numSimulations": 10**30}, "numSimulations"),
    "half a path": ({"numSimulations": 10.5}, "numSimulations"),
    "no periods": ({"numPeriods": 0}, "numPeriods"),
    "too much work": ({"numSimulations": 200_000, "numPeriods": 15_120}, "numSimulations"),
    "too many closes": ({"numSimulations": 200_000, "trajectories": 200_000}, "trajectories"),
    "a negative seed": ({"seed": -1}, "seed"),
    "a huge seed": ({"seed": 2**32}, "seed"),
    "dates of given returns": ({"startDate": "2000-01-01"}, "startDate"),
    "an unknown field": ({"numSims": 5}, "numSims"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_is_named_and_nothing_is_kept(beside, name) -> None:
    changes, word = BAD[name]
    before = beside.get("/simulations").json()
    answer = beside.post("/simulate", json=TWO_ASSET_SIMULATION | changes)
    assert answer.status_code == 422, answer.text
    assert beside.get("/simulations").json() == before
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert word in error["message"]
    assert error["details"][0]["allowed"]


async def test_an_unknown_portfolio_is_not_found(client) -> None:
    answer = await client.post(f"{BASE}/simulate", json=SEED_FORM | {"portfolioId": "p-404"})
    assert answer.status_code == 404


@pytest.mark.parametrize("text", ['{"weights": {"A": NaN}}', '{"weights": {"A": Infinity}}', "[1, 2", "", "null", "[]"])
def test_what_is_no_json_of_numbers_is_refused(beside, text) -> None:
    answer = beside.post("/simulate", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2, 10**6, 10**40, -(10**40), 1e308, -1e308, 1e-308, 0.5, 0.2, 12, 250, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(),
    st.sampled_from([None, "x", "", True, [], {}]),
)
MODEST = st.sampled_from([-0.9, -0.5, -0.1, -1e-300, 0.0, 1e-9, 0.01, 0.1, 0.5, 3.0])
FIELDS = (
    "initialInvestment contribution withdrawal inflation fee transactionCostBps goal ruin cashRate "
    "standardError seed trajectories meanBlock"
).split()
REQUESTS = st.fixed_dictionaries(
    {
        "weights": st.dictionaries(
            st.sampled_from(["A", "B", "cash"]), st.sampled_from([0.0, 1e-300, 0.1, 0.4, 0.5]), min_size=1
        ),
        "returns": st.lists(st.tuples(MODEST, MODEST), min_size=2, max_size=12).map(
            lambda rows: {"A": [a for a, _ in rows], "B": [b for _, b in rows]}
        ),
        "numSimulations": st.sampled_from([2, 3, 64, 65]),
        "numPeriods": st.sampled_from([1, 2, 21, 22, 300]),
        "engine": st.sampled_from(["gbm", "heston", "merton", "bates", "regime_switching", "replay", "garch"]),
        "rebalancing": st.sampled_from(["daily", "none", "monthly"]),
    },
    optional=dict.fromkeys(FIELDS, NUMBERS),
)


@settings(max_examples=60)
@given(body=REQUESTS)
def test_no_numbers_are_a_fault_of_the_service(beside, body) -> None:
    answer = beside.post("/simulate", json=body)
    assert answer.status_code in (200, 422), (body, answer.text)
    if answer.status_code == 200:
        assert math.isfinite(answer.json()["result"]["statistics"]["meanFinalValue"])
