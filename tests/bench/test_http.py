"""Cost of a request over HTTP, compared with a bare FastAPI route that returns the same bytes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.bench.comparison import Comparison, Row
from tests.bench.loading import CONNECTIONS, content_of, measure_load, serving

pytestmark = pytest.mark.bench

QUIET = {"STRATIGOS_LOG_LEVEL": "warning"}
RULE = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63, "rebalancing": "monthly"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = str(tmp_path_factory.mktemp("home"))
    with serving("api", "serve", ready="/api/health", STRATIGOS_HOME=home, **QUIET) as address:
        yield f"{address}/api"


def compare(
    comparison: Comparison, folder: Path, address: str, what: str, method: str, path: str, body: Any = None
) -> None:
    """One row: seconds of a request at full load, ours and the bare route's."""
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    with httpx.Client(timeout=60.0) as client:  # the first request compiles
        answer = client.request(method, f"{address}{path}", content=content, headers=headers)
    file = content_of(folder, answer)
    ours = measure_load(address, method, f"/api{path}", content)
    command = ("uvicorn", "--factory", "tests.bench.bare:create_app", "--log-level", "warning", "--no-access-log")
    with serving(*command, ready="/answer", BARE_CONTENT=file) as bare:
        peer = measure_load(bare, method, "/answer", content)
    size = f"{CONNECTIONS} connections, {len(content):,} bytes asked, {len(answer.content):,} answered"
    note = f"{ours.text}; bare: {peer.text}"
    times = {"bare FastAPI route, same bytes": 1.0 / peer.rate}
    comparison.rows.append(Row(f"{what} over HTTP", size, 1.0 / ours.rate, times, None, note))


def test_reading_a_portfolio(comparison: Comparison, address: str, tmp_path: Path) -> None:
    assets = dict.fromkeys([f"A{n}" for n in range(20)], 0.05)
    portfolio = httpx.post(f"{address}/portfolios", json={"name": "read", "assets": assets}).json()
    compare(comparison, tmp_path, address, "reading a portfolio", "GET", f"/portfolios/{portfolio['id']}")


def test_listing_portfolios(comparison: Comparison, address: str, tmp_path: Path) -> None:
    for n in range(100):
        httpx.post(f"{address}/portfolios", json={"name": f"p{n}", "assets": {"AAPL": 0.5, "MSFT": 0.5}})
    compare(comparison, tmp_path, address, "a page of 100 portfolios", "GET", "/portfolios")


def test_risk_parity_of_twenty_assets(comparison: Comparison, address: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.0004, 0.01, (252, 20)) + rng.normal(0.0, 0.005, (252, 1))
    body = {"returns": {f"A{n}": column.round(6).tolist() for n, column in enumerate(values.T)}}
    compare(comparison, tmp_path, address, "risk parity of 20 assets", "POST", "/optimization/risk-parity", body)


def test_a_quick_evaluation(comparison: Comparison, address: str, tmp_path: Path) -> None:
    compare(comparison, tmp_path, address, "a quick evaluation", "POST", "/evaluations", {"config": RULE})
