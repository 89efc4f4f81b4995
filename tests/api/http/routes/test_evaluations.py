"""One configuration at once, estimates, scenarios and templates over HTTP."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, get_args

import httpx
import numpy as np
import pytest

from desk.governance.approvals import Thresholds
from desk.market.bundled import BundledPrices
from desk.optimization.estimate import estimate
from desk.optimization.repositories.ledger import ledger_entry
from desk.optimization.request import OptimizationRequest
from desk.runs.earlier_trials import earlier_entries
from desk.scenarios.repository import ScenarioValues, add_scenario
from desk.strategies.evaluation import run_evaluation
from desk.strategies.evaluation_schemas import EvaluationField
from desk.strategies.templates import Rule, templates
from quant.worlds.scenario import BUILT_IN
from store.embedded import open_store
from tests.api.http.application import application, run_server
from tests.graphs.dependencies import open_dependencies

RULE = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63, "rebalancing": "monthly"}
TEN_YEARS = {"first_day": "2005-01-01", "last_day": "2014-12-31"}


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("home")

    async def keep() -> None:
        async with open_store(home) as store:
            await add_scenario(store, "local", ScenarioValues(name="mine", mu=0.02))
            await add_scenario(store, "ben", ScenarioValues(name="bens", mu=0.02))

    asyncio.run(keep())
    with (
        run_server(application(home)) as address,
        httpx.Client(base_url=f"{address}/api", verify=False, timeout=120) as asking,
    ):
        yield asking


def evaluate(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = client.post("/evaluations", json={"config": RULE} | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def evaluation(client) -> dict[str, Any]:
    return evaluate(client)


def test_it_is_what_the_chat_says_of_the_same_strategy(evaluation) -> None:
    rule = Rule.model_validate({"config": RULE})
    expected = asyncio.run(run_evaluation(BundledPrices(), rule)).evaluation.model_dump(mode="json")
    assert {name: evaluation[name] for name in expected} == expected
    assert all(figure["source"] for figure in evaluation["figures"])


def test_lines_are_thinned_out_and_lose_neither_end_nor_worst_fall(client, evaluation) -> None:
    lines, few = evaluation["lines"], evaluate(client, points=7)["lines"]
    assert len(lines["dates"]) == 250
    assert len(few["dates"]) == 7
    assert lines["dates"][-1] == few["dates"][-1] == evaluation["last_day"]
    for n, weights in enumerate(evaluation["held"]):
        subject, metrics = weights["subject"], evaluation["held"][n]["history"]["metrics"]
        assert max(lines["drawdown"][subject]) == pytest.approx(metrics["max_drawdown"]["value"])
        assert max(few["drawdown"][subject]) == max(lines["drawdown"][subject])
        assert few["wealth"][subject][-1] == lines["wealth"][subject][-1]
        growth = metrics["geometric_return"]["value"]
        years = weights["history"]["days"] / 252
        assert lines["wealth"][subject][-1] == pytest.approx((1.0 + growth) ** years, rel=1e-6)
    assert lines["weight"][-1] == figure(evaluation, "quick_last_weight")


def figure(evaluation: dict[str, Any], name: str) -> Any:
    return next(one["value"] for one in evaluation["figures"] if one["id"] == name)


def test_a_window_narrows_history_and_never_reaches_the_locked_days(client, evaluation) -> None:
    narrow = evaluate(client, window=TEN_YEARS)
    assert (narrow["first_day"], narrow["last_day"]) == ("2005-01-03", "2014-12-31")
    assert narrow["caveats"][0].endswith(f"the days after {evaluation['last_day']} are locked.")
    assert [row["year"] for row in narrow["years"]] == list(range(2005, 2015))
    own = {row["year"]: row for row in evaluation["years"]}
    assert [row["equity"] for row in narrow["years"]] == pytest.approx([own[y]["equity"] for y in range(2005, 2015)])
    assert narrow["held"][0]["simulated"] == evaluation["held"][0]["simulated"]
    late = client.post("/evaluations", json={"config": RULE, "window": {"first_day": "2017-01-01"}})
    assert late.status_code == 422
    assert "locked" in late.json()["error"]["message"]


def test_today_is_the_weight_after_the_last_close(evaluation) -> None:
    today = evaluation["today"]
    assert today["as_of"] == "2022-12-28"
    closes = asyncio.run(BundledPrices().load("sp500")).closes[:, 0]
    days = np.diff(np.log(closes))[-63:]
    # the last rebalancing was at the end of November: the window moved by a month since then
    assert today["weight"] == pytest.approx(0.10 / (days.std(ddof=1) * 252**0.5), rel=0.25)


def test_costs_and_scenario_are_those_of_the_request(client, evaluation) -> None:
    dear = evaluate(client, mandate={"transaction_cost_bps": 50}, scenario="mine")
    assert dear["scenario"] == "mine"
    cost = [one["held"][0]["history"]["metrics"]["cost"]["value"] for one in (evaluation, dear)]
    assert cost[1] == pytest.approx(10 * cost[0], rel=0.01)
    own = BUILT_IN[2].model_copy(update={"paths": 200, "years": 2}).model_dump(mode="json")
    simulated = evaluate(client, scenario=own)["held"][0]["simulated"]
    assert (simulated["scenario"], simulated["paths"], simulated["days"]) == ("bear_market", 200, 504)


@pytest.mark.parametrize(
    "fields", [["curve", "today"], ["lines"], ["held", "cautions"], ["figures"], ["years", "rule"]]
)
def test_selected_fields_are_those_of_the_whole_evaluation(client, evaluation, fields) -> None:
    answer = client.post("/evaluations", json={"config": RULE}, params={"fields": fields})
    assert answer.json() == {name: evaluation[name] for name in fields}


def test_every_field_can_be_selected_and_no_other(client, evaluation) -> None:
    assert evaluation.keys() == set(get_args(EvaluationField))
    refused = client.post("/evaluations", json={"config": RULE}, params={"fields": "colour"})
    assert refused.json()["error"]["details"][0]["field"] == "query.fields.0"


def test_warnings_come_in_words(client) -> None:
    slow = evaluate(client, config=RULE | {"lookback_days": 15}, mandate={"target_volatility": 0.20})
    assert [one["code"] for one in slow["cautions"]] == ["target_unreachable", "lookback_below_rebalancing"]
    assert slow["warnings"] == [one["code"] for one in slow["cautions"]]
    assert all(one["message"] for one in slow["cautions"])


def test_an_evaluation_counts_once_as_tried_and_a_refused_one_does_not(tmp_path) -> None:
    rules = [RULE, RULE, RULE | {"lookback_days": 64}, RULE | {"lookback_days": 1}]
    with (
        run_server(application(tmp_path)) as address,
        httpx.Client(base_url=f"{address}/api", verify=False, timeout=120) as asking,
    ):
        answers = [asking.post("/evaluations", json={"config": rule, "window": TEN_YEARS}) for rule in rules]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 422]

    async def tried() -> set[str]:
        digest = (await BundledPrices().load("sp500")).digest
        async with open_store(tmp_path) as store:
            return set(await earlier_entries(store, "local", digest))

    configs = [Rule.model_validate({"config": rule}) for rule in rules[:3]]
    assert asyncio.run(tried()) == {ledger_entry(rule.mandate, rule.config.digest()) for rule in configs}


@pytest.mark.soak  # measures durations
def test_ten_years_take_less_than_three_tenths_of_a_second(client, evaluation) -> None:
    durations: list[float] = []
    for days in range(20, 60):
        begun = time.perf_counter()
        evaluate(client, window=TEN_YEARS, config=RULE | {"lookback_days": days})
        durations.append(time.perf_counter() - begun)
    assert sorted(durations)[37] < 0.3  # 95% of 40


HEAVY = BUILT_IN[0].model_copy(update={"paths": 100_000, "years": 30}).model_dump(mode="json")
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no config": ({"config": None}, "config"),
    "a missing parameter": ({"config": {"weight_function": "inverse_vol"}}, "lookback_days"),
    "a useless parameter": ({"config": RULE | {"decay": 0.94}}, "decay"),
    "blind in simulations": ({"config": {"weight_function": "inverse_vol", "estimator": "implied"}}, "estimator"),
    "an unknown universe": ({"universe": "mars"}, "universe"),
    "an unknown scenario": ({"scenario": "atlantis"}, "atlantis"),
    "the scenario of another": ({"scenario": "bens"}, "bens"),
    "a heavy scenario": ({"scenario": HEAVY}, "paths"),
    "a reversed window": ({"window": {"first_day": "2010-01-01", "last_day": "2009-01-01"}}, "first_day"),
    "a short window": ({"window": {"first_day": "2010-01-01", "last_day": "2010-03-01"}}, "window"),
    "a distant window": ({"window": {"first_day": "9999-01-01"}}, "window"),
    "a huge target": ({"mandate": {"target_volatility": 1e308}}, "target_volatility"),
    "one point": ({"points": 1}, "points"),
    "an unknown field": ({"confg": 1}, "confg"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_is_named(client, name) -> None:
    changes, word = BAD[name]
    answer = client.post("/evaluations", json={"config": RULE} | changes)
    assert answer.status_code == 422, answer.text
    assert word in answer.json()["error"]["message"]


@pytest.mark.parametrize("lowest", [0.0, 1.0])
@pytest.mark.parametrize("highest", [0.0, 1.0, 2.0])
def test_a_mandate_without_room_is_served_or_refused(client, lowest, highest) -> None:
    answer = client.post(
        "/evaluations", json={"config": RULE, "mandate": {"min_weight": lowest, "max_weight": highest}}
    )
    assert answer.status_code == (200 if lowest <= highest else 422), answer.text


def test_an_estimate_says_what_a_job_takes_and_whether_a_person_is_asked(client) -> None:
    usual = client.post("/estimates", json={}).json()
    assert usual["estimate"] == estimate(OptimizationRequest()).model_dump(mode="json")
    assert (usual["needs_approval"], usual["exceeded"]) == (False, [])
    large = client.post("/estimates", json={"trials": 5_000}).json()
    assert (large["needs_approval"], large["exceeded"]) == (True, ["evaluations"])
    assert large["thresholds"] == Thresholds().model_dump(mode="json")


def test_an_estimate_states_the_limits_that_apply_though_none_is_set(client) -> None:
    asked = {"mandate": {"target_volatility": 0.12}}
    [limit] = client.post("/estimates", json=asked).json()["default_limits"]
    assert (limit["limit"], limit["bound"]) == ("volatility_error", pytest.approx(0.036))
    assert "30% of the target" in limit["words"]
    assert client.post("/estimates", json=asked | {"goal": "robust_utility"}).json()["default_limits"] == []


def test_who_asks_nobody_needs_no_approval(home) -> None:
    @asynccontextmanager
    async def alone():
        async with open_dependencies(home) as dependencies:
            yield replace(dependencies, thresholds=None)

    with run_server(application(home, alone())) as address:
        answer = httpx.post(f"{address}/api/estimates", json={"trials": 5_000}, timeout=120).json()
    assert (answer["needs_approval"], answer["thresholds"]) == (False, None)


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"prices_file": "/etc/passwd"}, "prices_file"), ({"universe": "mars"}, "universe"), ({"trials": 3}, "trials")],
)
def test_an_estimate_of_what_cannot_run_is_refused(client, changes, word) -> None:
    answer = client.post("/estimates", json=changes)
    assert answer.status_code == 422
    assert word in answer.json()["error"]["message"]


def test_scenarios_are_the_built_in_ones_and_ones_own_page_by_page(client) -> None:
    whole = client.get("/scenarios").json()
    names = [item["scenario"]["name"] for item in whole["items"]]
    assert names == [*(scenario.name for scenario in BUILT_IN), "cycle", "mine"]
    assert [item["own"] for item in whole["items"]] == [False] * 6 + [True]
    first = client.get("/scenarios", params={"limit": 4}).json()
    rest = client.get("/scenarios", params={"limit": 4, "after": first["next"]}).json()
    assert first["items"] + rest["items"] == whole["items"]
    assert rest["next"] is None
    assert client.get("/scenarios", params={"after": "nothing"}).status_code == 422
    base = {one["id"]: one["value"] for one in whole["items"][0]["figures"]}
    assert base["scenario_base_case_sharpe"] == pytest.approx((0.08 - 0.03) / 0.18)


def test_every_template_can_be_evaluated(client) -> None:
    listed = client.get("/strategies/templates").json()["items"]
    assert [item["name"] for item in listed] == [template.name for template in templates()]
    for item in listed:
        evaluation = evaluate(client, **item["rule"], points=2)
        assert evaluation["rule"] == item["rule"]


@pytest.mark.parametrize("engine", ["heston", "bates"])
def test_a_variance_that_hardly_reverts_is_refused(client, engine) -> None:
    scenario = {
        "name": "slow",
        "engine": engine,
        "mu": 0.06,
        "sigma": 0.18,
        "cash_rate": 0.03,
        "years": 1,
        "paths": 100,
    }
    answer = client.post("/evaluations", json={"config": RULE, "scenario": scenario | {"mean_reversion": 1e-300}})
    assert answer.status_code == 422, answer.text
    assert "mean_reversion" in answer.text


@pytest.mark.parametrize("largest", [0.02, 1e-3, 1e-300])
def test_a_small_largest_change_is_evaluated(client, largest) -> None:
    answer = client.post("/evaluations", json={"config": RULE, "mandate": {"max_change": largest}})
    assert answer.status_code == 200, answer.text
