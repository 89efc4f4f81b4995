"""The optimizers over HTTP: what they answer, what it rests on, and what they refuse."""

import json

import httpx
import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from desk.market.bundled import BundledPrices
from quant.allocate import maximum_sharpe, minimum_variance
from quant.covariance.estimators import sample
from quant.covariance.shrinkage import ledoit_wolf
from quant.numeric.returns import Returns
from tests.api.http.application import application, open_client

pytestmark = pytest.mark.anyio

KINDS = ("risk-parity", "hrp", "efficient-frontier")
"""Those of the first interface; the fewest periods that they take are two."""
EVERY_KIND = (*KINDS, "minimum-cvar", "maximum-diversification")
SEED_RETURNS = {
    "AAPL": [0.01, 0.02, -0.01, 0.03, -0.02],
    "MSFT": [0.02, 0.01, -0.02, 0.02, -0.01],
    "GOOGL": [0.03, -0.01, 0.01, 0.02, -0.03],
    "AMZN": [0.02, -0.02, 0.03, 0.01, -0.01],
    "META": [0.01, 0.03, -0.03, 0.02, -0.02],
}
DEVIATIONS = (0.003, 0.006, 0.01, 0.015, 0.03)
GROUP = {"name": "g", "members": ["X"]}
WINDOW = {"symbols": ["AAPL", "JNJ", "KO", "XOM"], "startDate": "2015-01-02", "endDate": "2019-12-31"}


def daily(seed: int = 1, periods: int = 500) -> dict[str, list[float]]:
    """Five assets whose daily variances are of the order of 1e-5 to 1e-3."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0004, DEVIATIONS, (periods, 5)) + rng.normal(0.0, 0.004, (periods, 1))
    return {name: column.tolist() for name, column in zip("ABCDE", values.T, strict=True)}


def matrix(returns: dict[str, list[float]]) -> np.ndarray:
    return np.column_stack(list(returns.values()))


@pytest.fixture
async def client(home):
    async with open_client(application(home)) as client:
        yield client


async def solve(client: httpx.AsyncClient, kind: str, **body) -> dict:
    answer = await client.post(f"/api/optimization/{kind}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def error_of(client: httpx.AsyncClient, kind: str, body) -> dict:
    answer = await client.post(f"/api/optimization/{kind}", json=body)
    assert answer.status_code == 422, answer.text
    return answer.json()["error"]


def weights_of(solution: dict) -> np.ndarray:
    return np.array(list(solution["weights"].values()))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_request_of_the_first_interface_is_answered_in_its_shape(client, kind):
    body = {"name": "Tech", "assets": dict.fromkeys(SEED_RETURNS, 0.2)}
    portfolio = (await client.post("/api/portfolios", json=body)).json()["id"]
    solution = await solve(client, kind, portfolioId=portfolio, returns=SEED_RETURNS)
    assert {"id", "portfolioId", "type", "parameters", "result", "createdAt"} <= set(solution)
    assert (solution["portfolioId"], solution["type"]) == (portfolio, kind)
    result = solution["result"]
    if kind == "efficient-frontier":
        assert len(result["portfolios"]) == solution["parameters"]["numPortfolios"] == 20
        assert {"weights", "return", "risk"} == set(result["portfolios"][0])
        assert {"weights", "return", "risk", "sharpe"} == set(result["maxSharpePortfolio"])
    else:
        assert set(result["weights"]) == set(SEED_RETURNS)
        assert sum(result["weights"].values()) == pytest.approx(1.0)
        assert result["metrics"]["portfolioVolatility"] > 0.0
    if kind == "hrp":
        assert (solution["parameters"]["linkage"], solution["parameters"]["metric"]) == ("single", "euclidean")
        assert result["metrics"]["clusterTree"] == [[0, 4], [1, 5], [2, 3], [6, 7]]
    if kind == "risk-parity":
        assert {"method", "maxIterations"} <= set(solution["parameters"])
    warnings = " ".join(solution["warnings"])
    assert "5 periods for 5 assets" in warnings
    assert "singular" in warnings
    assert "without dates" in warnings
    assert solution["conditionNumber"] is None
    assert (await client.get(f"/api/optimization/results/{solution['id']}")).json() == solution


async def test_risk_is_truly_equal_on_daily_returns(client):
    """Variances of 1e-5 stop a general solver at its start: the risk shares were 3.5 to 48.3 percent."""
    returns = daily()
    solution = await solve(client, "risk-parity", returns=returns, annualization=1)
    weights, cov = weights_of(solution["result"]), np.cov(matrix(returns).T)
    volatility = np.sqrt(weights @ cov @ weights)
    contributions = weights * (cov @ weights) / volatility
    assert np.abs(contributions / volatility - 0.2).max() < 1e-9
    metrics = solution["result"]["metrics"]
    assert metrics["portfolioVolatility"] == pytest.approx(volatility, rel=1e-12)
    assert list(metrics["riskContribution"].values()) == pytest.approx(contributions.tolist(), rel=1e-9)
    assert solution["residual"]["value"] < 1e-10 < solution["residual"]["accepted"]


async def test_shares_of_risk_are_those_of_the_budgets(client):
    budgets = {"A": 0.1, "B": 0.2, "C": 0.3, "D": 0.4, "E": 0.0}
    solution = await solve(client, "risk-parity", returns=daily(), riskBudgets=budgets)
    assert solution["result"]["metrics"]["riskShares"] == pytest.approx(budgets, abs=1e-9)
    assert solution["result"]["weights"]["E"] == 0.0
    rounded = await solve(client, "risk-parity", returns=daily(), riskBudgets=budgets | {"D": 0.4000001})
    assert rounded["result"]["weights"] == pytest.approx(solution["result"]["weights"], abs=1e-6)  # as `quant` does


async def test_figures_are_those_of_a_year_unless_asked_otherwise(client):
    solutions = [
        (await solve(client, "risk-parity", returns=daily(), annualization=year))["result"] for year in (1.0, 252.0)
    ]
    assert solutions[0]["weights"] == pytest.approx(solutions[1]["weights"], rel=1e-9)
    volatilities = [result["metrics"]["portfolioVolatility"] for result in solutions]
    assert volatilities[1] == pytest.approx(volatilities[0] * np.sqrt(252.0))


async def test_hrp_splits_the_weight_down_its_tree(client):
    """Two pairs that hedge nothing of each other: the bisection of the paper by hand."""
    rng = np.random.default_rng(5)
    common = rng.normal(0.0, 0.01, (2000, 2))
    values = np.repeat(common, 2, axis=1) + rng.normal(0.0, 0.002, (2000, 4)) * [1.0, 2.0, 3.0, 4.0]
    returns = {name: values[:, n].tolist() for n, name in enumerate(("W", "X", "Y", "Z"))}
    solution = await solve(client, "hrp", returns=returns, variant="pyportfolioopt")
    cov = np.cov(values.T)
    order = [list(returns).index(name) for name in solution["result"]["metrics"]["order"]]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({0, 1}), frozenset({2, 3})}

    def inverse(part: list[int]) -> tuple[np.ndarray, float]:
        weights = 1.0 / np.diag(cov)[part]
        weights /= weights.sum()
        return weights, weights @ cov[np.ix_(part, part)] @ weights

    expected = np.zeros(4)
    (left, low), (right, high) = inverse(order[:2]), inverse(order[2:])
    expected[order[:2]], expected[order[2:]] = left * high / (low + high), right * low / (low + high)
    assert weights_of(solution["result"]) == pytest.approx(expected, rel=1e-9)
    assert solution["parameters"]["metric"] == "correlation"
    other = await solve(client, "hrp", returns=returns, linkage="ward", leafOrder="optimal")
    assert (other["parameters"]["linkage"], other["parameters"]["leafOrder"]) == ("ward", "optimal")


async def test_the_frontier_is_efficient_and_holds_both_its_ends(client):
    returns = daily()
    mean, cov = 252 * matrix(returns).mean(axis=0), 252 * np.cov(matrix(returns).T)
    solution = await solve(client, "efficient-frontier", returns=returns, numPortfolios=7, riskFreeRate=0.01)
    result = solution["result"]
    risks = [portfolio["risk"] for portfolio in result["portfolios"]]
    assert len(risks) == 7
    assert risks == sorted(risks)
    assert result["portfolios"][0] == result["minVolatilityPortfolio"]
    assert weights_of(result["minVolatilityPortfolio"]) == pytest.approx(minimum_variance(cov), abs=1e-9)
    best = result["maxSharpePortfolio"]
    assert weights_of(best) == pytest.approx(maximum_sharpe(mean, cov, rate=0.01), abs=1e-9)
    assert best["sharpe"] == pytest.approx((best["return"] - 0.01) / best["risk"])
    for portfolio in result["portfolios"]:
        weights = weights_of(portfolio)
        assert portfolio["return"] == pytest.approx(weights @ mean)
        assert portfolio["risk"] == pytest.approx(np.sqrt(weights @ cov @ weights))
    assert result["corners"][0]["return"] == pytest.approx(mean.max())
    assert result["corners"][-1]["multiplier"] == 0.0
    assert solution["residual"]["value"] < solution["residual"]["accepted"] == 1e-6


async def test_a_frontier_under_constraints_satisfies_them(client):
    constraints = {
        "lower": {"A": 0.1},
        "upper": 0.6,
        "groups": [{"name": "risky", "members": ["d", "E"], "lower": 0.2, "upper": 0.5}],
        "turnover": 0.3,
        "currentWeights": {"A": 0.4, "B": 0.2, "C": 0.2, "D": 0.2},
    }
    solution = await solve(client, "efficient-frontier", returns=daily(), numPortfolios=5, constraints=constraints)
    result = solution["result"]
    assert result["corners"] is None
    for portfolio in [*result["portfolios"], result["maxSharpePortfolio"]]:
        weights = weights_of(portfolio)
        assert weights.sum() == pytest.approx(1.0)
        assert weights[0] >= 0.1 - 1e-9
        assert weights.max() <= 0.6 + 1e-9
        assert 0.2 - 1e-9 <= weights[3:].sum() <= 0.5 + 1e-9
        assert np.abs(weights - [0.4, 0.2, 0.2, 0.2, 0.0]).sum() / 2 <= 0.3 + 1e-9
    free = await solve(client, "efficient-frontier", returns=daily(), numPortfolios=5)
    assert free["result"]["minVolatilityPortfolio"]["risk"] < result["minVolatilityPortfolio"]["risk"]


async def test_turnover_is_counted_from_the_weights_of_the_portfolio(client):
    body = {"name": "held", "assets": {"A": 0.5, "B": 0.5, "C": 0.0, "D": 0.0, "E": 0.0}}
    portfolio = (await client.post("/api/portfolios", json=body)).json()["id"]
    asked = {"portfolioId": portfolio, "returns": daily(), "constraints": {"turnover": 0.0}, "numPortfolios": 2}
    solution = await solve(client, "efficient-frontier", **asked)
    assert weights_of(solution["result"]["minVolatilityPortfolio"]) == pytest.approx([0.5, 0.5, 0, 0, 0], abs=1e-8)
    assert any("whole frontier" in warning for warning in solution["warnings"])


@pytest.mark.parametrize(("level", "upper"), [(0.95, 1.0), (0.9, 0.3), (0.975, 1.0)])
async def test_the_least_cvar_is_that_of_the_linear_programme(client, level, upper):
    """Rockafellar and Uryasev (2000), equation 17, with a variable and a row for each period."""
    returns = daily(periods=300)
    solution = await solve(
        client, "minimum-cvar", returns=returns, level=level, annualization=1, constraints={"upper": upper}
    )
    values, weights = matrix(returns), weights_of(solution["result"])
    count, assets = values.shape
    programme = linprog(
        np.concatenate([np.zeros(assets), [1.0], np.full(count, 1.0 / ((1.0 - level) * count))]),
        A_ub=np.hstack([-values, -np.ones((count, 1)), -np.eye(count)]),
        b_ub=np.zeros(count),
        A_eq=np.concatenate([np.ones(assets), np.zeros(count + 1)])[None],
        b_eq=[1.0],
        bounds=[(0.0, upper)] * assets + [(None, None)] + [(0.0, None)] * count,
    )
    metrics = solution["result"]["metrics"]
    assert metrics["conditionalValueAtRisk"] == pytest.approx(programme.fun, rel=1e-8)
    losses = np.sort(-values @ weights)[::-1]
    share = (1.0 - level) * count
    whole = int(share + 1e-9)
    tail = (losses[:whole].sum() + (share - whole) * losses[min(whole, count - 1)]) / share
    assert metrics["conditionalValueAtRisk"] == pytest.approx(tail, rel=1e-9)
    assert sum(metrics["cvarContribution"].values()) == pytest.approx(tail, rel=1e-9)
    assert metrics["valueAtRisk"] == pytest.approx(losses[int(np.ceil(share - 1e-9)) - 1])
    assert weights.sum() == pytest.approx(1.0)
    assert weights.max() <= upper
    assert solution["residual"]["value"] <= solution["residual"]["accepted"] == 1e-8
    assert solution["parameters"]["level"] == level


async def test_no_weights_are_more_diversified(client):
    returns, groups = daily(), [{"name": "g", "members": ["A", "B"], "upper": 0.5}]
    cov = 252 * np.cov(matrix(returns).T)
    deviations = np.sqrt(np.diag(cov))
    equations = [{"type": "eq", "fun": lambda w: w.sum() - 1.0}]
    for asked, inequalities in (
        ({}, []),
        ({"constraints": {"groups": groups}}, [{"type": "ineq", "fun": lambda w: 0.5 - w[:2].sum()}]),
    ):
        solution = await solve(client, "maximum-diversification", returns=returns, **asked)
        best = minimize(
            lambda w: -(deviations @ w) / np.sqrt(w @ cov @ w),
            np.full(5, 0.2),
            bounds=[(0.0, 1.0)] * 5,
            constraints=equations + inequalities,
            options={"ftol": 1e-14},
        )
        assert solution["result"]["metrics"]["diversificationRatio"] == pytest.approx(-best.fun, rel=1e-9)
        assert weights_of(solution["result"]) == pytest.approx(best.x, abs=1e-5)
    assert weights_of(solution["result"])[:2].sum() == pytest.approx(0.5, abs=1e-11), "the group binds"


async def test_minimum_cvar_refuses_what_it_cannot_satisfy(client):
    error = await error_of(client, "minimum-cvar", {"returns": SEED_RETURNS})
    assert error["details"][0]["field"] == "level"
    assert "less than one of 5 periods" in error["message"]
    assert "at most 0.8" in error["details"][0]["allowed"]
    weights = (await solve(client, "minimum-cvar", returns=daily()))["result"]["weights"]
    heavy = max(weights, key=weights.__getitem__)
    group = [{"name": "heavy", "members": [heavy], "upper": 0.5 * weights[heavy]}]
    error = await error_of(client, "minimum-cvar", {"returns": daily(), "constraints": {"groups": group}})
    assert error["code"] == "OPTIMIZATION_ERROR"
    assert "group 'heavy' is" in error["message"]
    error = await error_of(client, "minimum-cvar", {"returns": daily(), "constraints": {"upper": 0.1}})
    assert "upper" in error["message"]


async def test_what_no_portfolio_satisfies_is_refused_with_what_binds(client):
    error = await error_of(client, "efficient-frontier", {"returns": daily(), "constraints": {"upper": 0.1}})
    assert error["code"] == "OPTIMIZATION_ERROR"
    assert "upper" in error["message"]
    groups = [
        {"name": "low", "members": ["A", "B"], "upper": 0.2},
        {"name": "high", "members": ["C", "D", "E"], "upper": 0.3},
    ]
    error = await error_of(client, "efficient-frontier", {"returns": daily(), "constraints": {"groups": groups}})
    assert "'low' (at most 0.2)" in error["message"]
    assert "'high' (at most 0.3)" in error["message"]
    error = await error_of(client, "efficient-frontier", {"returns": daily(), "constraints": {"lower": {"D": 1.5}}})
    assert "asset D has 1.5 and 1" in error["message"]
    for kind in ("risk-parity", "hrp"):
        error = await error_of(client, kind, {"returns": daily(), "constraints": {"upper": {"A": 0.2}}})
        assert error["code"] == "OPTIMIZATION_ERROR"
        assert "the weight of A is" in error["message"]
        solution = await solve(client, kind, returns=daily(), constraints={"upper": {"A": 0.9}})
        assert solution["result"] == (await solve(client, kind, returns=daily()))["result"]


async def test_weights_whose_risk_is_rounding_are_refused(client):
    """Two assets that cancel: the shares of what is left of their risk are chance."""
    error = await error_of(client, "risk-parity", {"returns": {"A": [0.01, 0.02], "B": [0.02, -0.01]}})
    assert error["code"] == "OPTIMIZATION_ERROR"


async def test_a_rate_that_nothing_beats_leaves_no_sharpe_portfolio(client):
    solution = await solve(client, "efficient-frontier", returns=daily(), riskFreeRate=9.0)
    assert solution["result"]["maxSharpePortfolio"] is None
    assert any("no portfolio of maximum Sharpe" in warning for warning in solution["warnings"])


@pytest.mark.parametrize("kind", EVERY_KIND)
async def test_prices_at_hand_give_what_their_returns_give(client, kind):
    solution = await solve(client, kind, **WINDOW)
    prices = (await BundledPrices().load("stocks")).select(WINDOW["symbols"])
    days = (prices.dates >= np.datetime64("2015-01-02")) & (prices.dates <= np.datetime64("2019-12-31"))
    returns = Returns.from_prices(prices.dates[days], prices.assets, prices.closes[days])
    returns_by_asset = {name: returns.values[:, n].tolist() for n, name in enumerate(returns.assets)}
    dates = [str(day) for day in returns.dates]
    same = await solve(client, kind, returns=returns_by_asset, dates=dates)
    assert same["result"] == solution["result"]
    history = solution["history"]
    assert (history["firstDate"], history["lastDate"], history["periods"]) == ("2015-01-05", "2019-12-31", 1257)
    assert (same["history"]["firstDate"], same["history"]["lastDate"]) == ("2015-01-05", "2019-12-31")
    assert history["assets"] == WINDOW["symbols"]
    assert any("still exist" in warning for warning in solution["warnings"])
    assert not any("without dates" in warning for warning in same["warnings"])


async def test_assets_of_several_sources_meet_on_their_common_days(client):
    solution = await solve(client, "risk-parity", symbols=["sp500", "aapl"], startDate="2010-01-01")
    assert solution["history"]["assets"] == ["SP500", "AAPL"]
    assert set(solution["history"]["datasets"]) == {"sp500", "stocks"}
    assert any("dividends" in warning for warning in solution["warnings"])


async def test_own_prices_come_before_those_that_all_have(client):
    days = np.arange("2015-01-05", "2015-03-01", dtype="datetime64[D]")
    days = days[np.is_busday(days, holidays=["2015-01-19", "2015-02-16"])]
    rng = np.random.default_rng(3)
    closes = 100.0 * np.cumprod(1.0 + rng.normal(0.0, 0.01, (days.size, 2)), axis=0)
    rows = [f"{day},{a!r},{b!r}" for day, (a, b) in zip(days, closes.tolist(), strict=True)]
    response = await client.post(
        "/api/market-data/imports",
        params={"dataset": "mine", "dry_run": False},
        content="\n".join(["date,AAPL,OWN", *rows]),
    )
    assert response.status_code in (200, 201), response.text
    solution = await solve(client, "risk-parity", symbols=["AAPL", "OWN"])
    assert solution["history"]["datasets"][0].startswith("mine@")
    returns = closes[1:] / closes[:-1] - 1.0
    same = await solve(client, "risk-parity", returns={"AAPL": returns[:, 0].tolist(), "OWN": returns[:, 1].tolist()})
    assert solution["result"]["weights"] == pytest.approx(same["result"]["weights"], rel=1e-6)
    pinned = await solve(client, "risk-parity", symbols=["AAPL", "OWN"], dataset=solution["history"]["datasets"][0])
    assert pinned["result"] == solution["result"]
    error = await error_of(client, "risk-parity", {"symbols": ["AAPL", "OWN"], "dataset": "stocks"})
    assert "no prices of OWN" in error["message"]
    body = {"symbols": ["AAPL", "OWN"], "dataset": "nothing"}
    assert (await client.post("/api/optimization/hrp", json=body)).status_code == 404


@pytest.mark.parametrize(
    "method", ["sample", "ledoit_wolf", "constant_correlation", "exponential", "nonlinear_shrinkage", "denoised"]
)
async def test_each_covariance_is_named_and_judged(client, method):
    solution = await solve(client, "risk-parity", returns=daily(), covariance=method)
    assert solution["covarianceMethod"] == method
    assert ("halflife" in solution["parameters"]) == (method == "exponential")
    if method in ("sample", "ledoit_wolf"):
        values = matrix(daily())
        eigenvalues = np.linalg.eigvalsh(sample(values) if method == "sample" else ledoit_wolf(values).matrix)
        assert solution["conditionNumber"] == pytest.approx(eigenvalues[-1] / eigenvalues[0])


async def test_fewer_periods_than_assets_ask_for_shrinkage(client):
    returns = {name: series[:4] for name, series in daily().items()}
    error = await error_of(client, "risk-parity", {"returns": returns})
    assert error["details"][0]["field"] == "covariance"
    assert "4 periods of 5 assets" in error["message"]
    solution = await solve(client, "risk-parity", returns=returns, covariance="ledoit_wolf")
    assert solution["residual"]["value"] < 1e-8


async def test_intervals_hold_the_estimate_and_are_the_same_again(client):
    body = {"returns": daily(periods=250), "bootstrap": {"draws": 40, "level": 0.8, "seed": 3}}
    for kind in ("risk-parity", "hrp", "minimum-cvar", "maximum-diversification"):
        result = (await solve(client, kind, **body))["result"]
        intervals = result["intervals"]
        assert (intervals["draws"], intervals["refused"], intervals["level"]) == (40, 0, 0.8)
        for name, interval in intervals["weights"].items():
            assert interval["estimate"] == result["weights"][name]
            assert 0.0 <= interval["lower"] <= interval["upper"] <= 1.0
            if kind in KINDS:  # the others leave assets out on most draws, where the mean may lie beyond a quantile
                assert interval["lower"] < interval["mean"] < interval["upper"]
        assert (await solve(client, kind, **body))["result"] == result
    result = (await solve(client, "efficient-frontier", **body, numPortfolios=4))["result"]
    assert set(result["intervals"]["minVolatility"]["weights"]) == set("ABCDE")
    ranks = result["resampled"]
    assert len(ranks) == 4
    assert [rank["risk"] for rank in ranks] == sorted(rank["risk"] for rank in ranks)
    assert all(sum(rank["weights"].values()) == pytest.approx(1.0) for rank in ranks)


async def test_more_draws_than_seconds_are_refused(client):
    rng = np.random.default_rng(2)
    returns = {f"A{n}": column.tolist() for n, column in enumerate(rng.normal(0.0, 0.01, (400, 200)).T)}
    error = await error_of(client, "hrp", {"returns": returns, "variant": "skfolio", "bootstrap": {"draws": 2000}})
    assert error["details"][0]["field"] == "bootstrap.draws"
    body = {"returns": returns, "numPortfolios": 200, "constraints": {"turnover": 0.5, "currentWeights": {"A1": 1.0}}}
    error = await error_of(client, "efficient-frontier", body)
    assert error["details"][0]["field"] == "numPortfolios"


async def test_optimizations_are_listed_by_portfolio_and_owner(client, home):
    assets = dict.fromkeys(daily(), 0.2)
    one, two = [(await client.post("/api/portfolios", json={"name": n, "assets": assets})).json()["id"] for n in "xy"]
    ids = [(await solve(client, kind, portfolioId=one, returns=daily()))["id"] for kind in EVERY_KIND]
    await solve(client, "hrp", portfolioId=two, returns=daily())
    await solve(client, "hrp", returns=daily())
    path, items, after = f"/api/portfolios/{one}/optimizations", [], None
    while True:
        page = (await client.get(path, params={"limit": 2, **({"after": after} if after else {})})).json()
        items += page["items"]
        if (after := page["next"]) is None:
            break
    assert [item["id"] for item in items] == ids[::-1]
    assert [item["type"] for item in items] == list(EVERY_KIND[::-1])
    assert (await client.get(path, params={"after": "x"})).status_code == 422
    async with open_client(application(home, owner="bob")) as bob:
        assert (await bob.get(path)).status_code == 404
        assert (await bob.get(f"/api/optimization/results/{ids[0]}")).status_code == 404
        body = {"portfolioId": one, "returns": daily()}
        assert (await bob.post("/api/optimization/hrp", json=body)).status_code == 404
    await client.delete(f"/api/portfolios/{one}")
    assert (await client.get(path)).status_code == 404
    assert (
        await client.post("/api/optimization/hrp", json={"portfolioId": one, "returns": daily()})
    ).status_code == 404


WRONG = (
    ({}, "body", "the assets are missing"),
    ({"returns": {}}, "body.returns", "0 assets"),
    ({"returns": {"A": [0.1, 0.2]}}, "body.returns", "1 assets"),
    ({"returns": {"A": [0.1], "B": [0.2]}}, "body.returns", "1 periods"),
    ({"returns": {"A": [0.1, 0.2], "B": [0.1, 0.2, 0.3]}}, "body.returns", "A has 2 periods and B has 3"),
    ({"returns": {"A": [0.1, 0.2], "a": [0.1, 0.2]}}, "body.returns", "named twice"),
    ({"returns": {"A": [0.1, None], "B": [0.1, 0.2]}}, "body.returns.A.1", "None"),
    ({"returns": {"A": [0.1, "x"], "B": [0.1, 0.2]}}, "body.returns.A.1", "'x'"),
    ({"returns": {"A": [0.1, -1.0], "B": [0.1, 0.2]}}, "body.returns.A.1", "-1"),
    ({"returns": {"A": [0.1, 0.1], "B": [0.1, 0.2]}}, "returns.A", "constant"),
    ({"returns": {f"A{n}": [0.1, 0.2] for n in range(501)}}, "body.returns", "501 assets"),
    ({"returns": {"A": [0.0] * 20_001, "B": [0.0] * 20_001}}, "body.returns", "20001 periods"),
    ({"symbols": ["AAPL"]}, "body.symbols", "AAPL"),
    ({"symbols": ["AAPL", "aapl"]}, "body.symbols", "named twice"),
    ({"symbols": ["AAPL", "NOPE"]}, "symbols", "no prices of NOPE"),
    ({"symbols": ["AAPL", "KO"], "startDate": "2030-01-01"}, "startDate", "0 closes"),
    ({"symbols": ["AAPL", "KO"], "startDate": "2010-01-01", "endDate": "2009-01-01"}, "body.endDate", "not after"),
    ({"symbols": ["AAPL", "KO"], "returns": daily()}, "body.symbols", "symbols cannot be combined with returns"),
    ({"returns": daily(), "startDate": "2010-01-01"}, "body.startDate", "startDate cannot be combined with returns"),
    ({"returns": daily(), "dates": ["2010-01-04"]}, "body.dates", "2010-01-04"),
    ({"returns": daily(), "dates": ["2010-01-04", "2010-01-05"]}, "body", "2 dates for 500 periods"),
    ({"returns": daily(), "dates": ["2010-01-05", "2010-01-04"]}, "body.dates", "does not come after"),
    ({"symbols": ["AAPL", "KO"], "dates": ["2010-01-04", "2010-01-05"]}, "body", "no returns"),
    ({"returns": daily(), "covariance": "magic"}, "body.covariance", "magic"),
    ({"returns": daily(), "annualization": 0}, "body.annualization", "0"),
    ({"returns": daily(), "constraints": {"upper": {"X": 1.0}}}, "constraints.upper", "X is not among"),
    ({"returns": daily(), "constraints": {"turnover": 0.1}}, "constraints.currentWeights", "unknown"),
    ({"returns": daily(), "constraints": {"groups": [GROUP]}}, "constraints.groups.0.members", "X is not"),
    ({"returns": daily(), "bootstrap": {"draws": 1}}, "body.bootstrap.draws", "1"),
    ({"returns": daily(), "colour": 1}, "body.colour", "no such field"),
)


async def test_what_is_wrong_is_refused_by_name(client):
    for body, field, part in WRONG:
        error = await error_of(client, "efficient-frontier", body)
        assert (error["code"], error["details"][0]["field"]) == ("VALIDATION_ERROR", field)
        assert part in error["message"]
        assert error["details"][0]["allowed"]


async def test_budgets_that_do_not_fit_are_refused(client):
    for budgets, part in (
        ({"A": 1.0}, "the budget of B, C, D, E is missing"),
        (dict.fromkeys("ABCDE", 0.3), "add up to 1.5"),
        (dict.fromkeys("ABCDEF", 0.1), "F is not among"),
    ):
        error = await error_of(client, "risk-parity", {"returns": daily(), "riskBudgets": budgets})
        assert part in error["message"]


async def test_returns_must_cover_the_portfolio(client):
    body = {"name": "x", "assets": {"A": 0.5, "Q": 0.5}}
    portfolio = (await client.post("/api/portfolios", json=body)).json()["id"]
    error = await error_of(client, "hrp", {"portfolioId": portfolio, "returns": daily()})
    assert "Q" in error["message"]
    lone = (await client.post("/api/portfolios", json={"name": "x", "assets": {"A": 1.0}})).json()["id"]
    assert (await error_of(client, "hrp", {"portfolioId": lone, "returns": daily()}))["details"][0][
        "field"
    ] == "portfolioId"
    assert (await error_of(client, "hrp", {"portfolioId": lone}))["details"][0]["field"] == "portfolioId"
    portfolio_id = (await client.post("/api/portfolios", json={"name": "u", "holdings": {"B": 3, "C": 2}})).json()["id"]
    solution = await solve(client, "hrp", portfolioId=portfolio_id, returns=daily())
    assert set(solution["result"]["weights"]) == {"B", "C"}
    assert any("left out: A, D, E" in warning for warning in solution["warnings"])


async def test_returns_that_are_no_returns_are_refused(client):
    for value in ("NaN", "Infinity", "-Infinity", "1e999", "1e300"):
        content = f'{{"returns": {{"A": [0.1, {value}], "B": [0.1, 0.2]}}}}'
        headers = {"content-type": "application/json"}
        answer = await client.post("/api/optimization/hrp", content=content, headers=headers)
        assert answer.status_code == 422, value
        assert answer.json()["error"]["details"][0]["field"] == "body.returns.A.1"


async def test_a_body_of_more_than_sixteen_megabytes_is_refused(client):
    content = json.dumps({"returns": {"A": [0.1, 0.2]}}).encode() + b" " * 16_000_000
    headers = {"content-type": "application/json"}
    answer = await client.post("/api/optimization/hrp", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
