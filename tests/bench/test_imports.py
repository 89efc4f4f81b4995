"""Time from the start of a process to its first answer, by route: the cold start of a Lambda function."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench.comparison import Comparison, Row

pytestmark = pytest.mark.bench

ROOT = Path(__file__).parents[2]
TIMES = 3
RULE = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63, "rebalancing": "monthly"}
RETURNS = {"A": [0.01, -0.02, 0.015, 0.0], "B": [-0.01, 0.01, 0.02, -0.005]}
BARE = """
import asyncio, httpx
from fastapi import FastAPI
app = FastAPI()
@app.get("/answer")
async def read() -> dict[str, str]:
    return {}
async def main():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bare") as client:
        assert (await client.get("/answer")).status_code == 200
asyncio.run(main())
"""

LIGHT: dict[str, Any] = {
    "GET /health": None,
    "POST /portfolios": {"name": "Balanced", "assets": {"SPY": 0.6, "AGG": 0.4}},
    "GET /portfolios": None,
    "GET /portfolios/{portfolio}": None,
    "POST /jobs": {"trials": 20},
    "POST /jobs, stocks, a limit": {"universe": "stocks", "limits": {"max_drawdown": {"bound": 0.2}}},
    "POST /jobs, some stocks again": {"universe": "stocks:AAPL,JNJ"},
    "GET /jobs": None,
    "GET /jobs/{job}": None,
    "GET /jobs/{job}/request": None,
    "GET /runs/{job}/events/poll": None,
    "GET /threads": None,
}
OTHERS: dict[str, Any] = {
    "POST /jobs, some stocks": {"universe": "stocks:AAPL,XOM"},
    "POST /jobs, a limit and a weight": {
        "limits": {"max_drawdown": {"bound": 0.9}},
        "mandate": {"min_weight": 0.1},
    },
    "POST /evaluations": {"config": RULE},
    "POST /estimates": {},
    "GET /scenarios": None,
    "POST /optimization/risk-parity": {"returns": RETURNS},
    "GET /market-data/datasets": None,
    "GET /openapi.json": None,
    "POST /threads": {},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def ids(home: Path) -> dict[str, str]:
    """Ids for the routes with an id; creating them also loads the prices of one choice of stocks."""
    portfolio = first(home, "POST", "/portfolios", {"name": "p", "assets": {"A": 1.0}})
    job = first(home, "POST", "/jobs", {"universe": "stocks:AAPL,JNJ"})
    return {"portfolio": json.loads(portfolio["content"])["id"], "job": json.loads(job["content"])["id"]}


def first(home: Path, method: str, path: str, body: Any = None) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.first_answer", str(home), method, path]
    content = "" if body is None else json.dumps(body)
    variables = {"BEGUN": str(time.time())}
    environment = os.environ | variables
    process = subprocess.run(command, cwd=ROOT, env=environment, input=content, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    answer = json.loads(process.stdout.splitlines()[-1])
    assert answer["status"] < 300, answer
    return answer


def least(*command: str) -> float:
    """Seconds of a whole process."""
    times: list[float] = []
    for _ in range(TIMES):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.fixture(scope="module")
def bare() -> float:
    return least("-c", BARE)


@pytest.mark.parametrize("route", [*LIGHT, *OTHERS])
def test_first_answer(comparison: Comparison, home: Path, ids: dict[str, str], bare: float, route: str) -> None:
    method, path = route.partition(",")[0].format_map(ids).split()
    runs = [first(home, method, path, (LIGHT | OTHERS)[route]) for _ in range(1 if route in OTHERS else TIMES)]
    best = min(runs, key=lambda run: run["answered"])
    heavy = ", ".join(best["heavy"])
    if route in LIGHT:
        assert not heavy
    cpu = min(run["cpu"] for run in runs)
    note = f"{best['imported']:.2f} s imported and made, {cpu:.2f} s of CPU; " + (heavy or "nothing heavy")
    comparison.rows.append(
        Row(f"first answer of a process: {route}", "", best["answered"], {"bare FastAPI": bare}, None, note)
    )


@pytest.mark.parametrize("name", ["numpy", "numba", "langgraph.graph", "langchain_aws", "pandas", "fastapi"])
def test_import_of_a_library(comparison: Comparison, name: str) -> None:
    comparison.rows.append(Row(f"import {name}", "", least("-c", f"import {name}"), {}))


@pytest.mark.parametrize("command", [["--help"], ["runs"]], ids=" ".join)
def test_command(comparison: Comparison, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATIGOS_HOME", str(tmp_path))
    comparison.rows.append(Row(f"python -m api {' '.join(command)}", "", least("-m", "api", *command), {}))
