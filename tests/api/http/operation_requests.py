"""Requests for each operation of the document, with names of `tests.api.http.two_users` in place of ids."""

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from tests.api.http.application import document
from tests.api.http.two_users import DAYS, HIDDEN, Words, fill_ids

RULE = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63}
PLACES = {
    "job_id": "job",
    "draft_id": "draft",
    "run": "job",
    "digest": "digest",
    "thread": "thread",
    "number": "number",
    "portfolio_id": "portfolio",
    "optimization_id": "optimization",
    "simulation_id": "simulation",
    "name": "dataset",
    "hash": "hash",
    "marker": "marker",
    "question": "question",
    "scenario_name": "scenario",
    "strategy_id": "strategy",
    "version": "number",
}
"""What stands in a path where a request says nothing else."""


@dataclass(frozen=True)
class Request:
    params: Any = None
    json: Any = None
    content: str | None = None
    headers: Any = None
    at: dict[str, str] = field(default_factory=dict)
    """Other names for places of the path."""


@dataclass(frozen=True)
class OperationCall:
    label: str
    method: str
    path: str
    request: Request

    def send(
        self, client: httpx.Client, ids: Words, *, headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        places = {name: ids[word] for name, word in (PLACES | self.request.at).items()}
        return client.request(
            self.method,
            self.path.format_map(places),
            params=(fill_ids(self.request.params, ids) or {}) | params,
            json=fill_ids(self.request.json, ids),
            content=self.request.content,
            headers=(fill_ids(self.request.headers, ids) or {}) | (headers or {}),
        )


PUBLIC = {"GET /api/health", "GET /api/ready", "GET /api/session/methods"}
SIGN_IN = {"POST /api/session", "POST /api/session/authorization"}
"""Operations without sign-in; those of `SIGN_IN` check the credentials in their body."""
OTHER_PRICES = "date,A,B\n2024-01-02,1.5,2\n2024-01-03,1.6,2.1\n2024-01-04,1.7,2.05\n"
HELD = {"portfolioId": "{portfolio}"} | DAYS
WORLD = {"name": "my_world", "mu": 0.05, "sigma": 0.2, "cash_rate": 0.02}
STRATEGY = {"schema": "stratigos.strategy", "schema_version": 1, "name": "mine", "rule": {"config": RULE}}
SAID = {"id": "m1", "role": "user", "content": "tell me a joke"}
JOBS = ("job", "waiting", "queued", "archived")
RUNS = (*JOBS, "turn")


def _of(places: tuple[str, ...], name: str = "job_id", **more: Any) -> list[Request]:
    return [Request(at={name: place}, **more) for place in places]


REQUESTS: dict[str, list[Request]] = {
    "GET /api/jobs/compare": [Request(params={"ids": "{job},{waiting}"}), Request(params={"ids": "{job},{archived}"})],
    "GET /api/jobs/{job_id}/charts": [Request(), Request(params={"chart": "fan"})],
    "GET /api/jobs/{job_id}/explanation": _of(JOBS),
    "GET /api/jobs/{job_id}/export": [
        Request(params=params)
        for params in (
            {"format": "json"},
            {"format": "csv"},
            {"format": "csv", "table": "figures"},
            {"format": "xlsx"},
            {"format": "html"},
        )
    ],
    "GET /api/jobs/{job_id}": _of(JOBS),
    "GET /api/jobs/{job_id}/request": _of(JOBS),
    "GET /api/jobs": [Request(), Request(params={"name": HIDDEN}), Request(params={"state": "waiting"})],
    "POST /api/jobs": [
        Request(json={"universe": "{dataset}"}),
        Request(json={"universe": "{dataset}@{hash}"}),
        Request(json={"trials": 10, "seed": 8}, headers={"Idempotency-Key": "{key}"}),
    ],
    "DELETE /api/jobs/{job_id}": _of(("queued",)),
    "POST /api/jobs/{job_id}/restart": _of(JOBS),
    "POST /api/jobs/{job_id}/approval": _of(("waiting", "job"), json={"verdict": "approved"}),
    "POST /api/jobs/{job_id}/holdout": _of(("job", "waiting"), json={"verdict": "approved"}),
    "POST /api/drafts": [Request(json={"name": "mine", "trials": 0})],
    "PUT /api/drafts/{draft_id}": [Request(json={"name": "mine"})],
    "POST /api/jobs/{job_id}/unarchive": _of(("archived", "job")),
    "POST /api/approvals/{question}": [Request(json={"verdict": "approved"})],
    "POST /api/evaluations": [
        Request(json={"config": RULE, "universe": "{dataset}"}),
        Request(json={"config": RULE, "scenario": "{scenario}"}),
    ],
    "POST /api/evaluations/predicted": [
        *(Request(json={"config": RULE, "job": f"{{{job}}}"}) for job in JOBS),
        Request(json={"config": RULE, "request": {"universe": "{dataset}"}}),
    ],
    "POST /api/tearsheets": [
        Request(json={"portfolio": "{portfolio}"}),
        Request(json={"asset": "{dataset}:A"}),
        *(Request(json={"job": f"{{{job}}}"}) for job in JOBS),
    ],
    "POST /api/estimates": [Request(json={"universe": "{dataset}"})],
    "GET /api/runs/{run}/events": _of(RUNS, "run"),
    "GET /api/runs/{run}/events/poll": _of(RUNS, "run"),
    "POST /api/tickets": [Request(json={"path": "/api/runs/{job}/events"})],
    "POST /api/threads": [Request(json={"title": "mine"})],
    "PATCH /api/threads/{thread}": [Request(json={"title": "mine"})],
    "DELETE /api/threads/{thread}": _of(("empty",), "thread"),
    "POST /api/threads/{thread}/branches": [Request(json={"after": 1})],
    "POST /api/threads/{thread}/runs": [
        Request(json={"message": "tell me a joke"}, params={"stream": False}),
        Request(json={"message": "tell me a joke"}, at={"thread": "empty"}),
    ],
    "POST /api/threads/{thread}/interrupts/{run}": _of(
        ("interrupted",), "run", json={"verdict": "rejected", "reason": "no"}
    ),
    "POST /api/threads/{thread}/runs/{number}/feedback": [Request(json={"rating": 1})],
    "POST /api/agent": [Request(json={"threadId": "{thread}", "runId": "run-1", "messages": [SAID]})],
    "POST /api/portfolios": [Request(json={"name": "mine", "assets": {"AAPL": 1}})],
    "GET /api/portfolios": [Request(), Request(params={"tag": HIDDEN}), Request(params={"deleted": True})],
    "PUT /api/portfolios/{portfolio_id}": [Request(json={"name": "mine"})],
    "DELETE /api/portfolios/{portfolio_id}": _of(("portfolio",), "portfolio_id"),
    "POST /api/portfolios/{portfolio_id}/restore": _of(("gone",), "portfolio_id"),
    "POST /api/optimization/risk-parity": [Request(json=HELD)],
    "POST /api/optimization/hrp": [Request(json=HELD)],
    "POST /api/optimization/minimum-cvar": [Request(json=HELD)],
    "POST /api/optimization/maximum-diversification": [Request(json=HELD)],
    "POST /api/optimization/efficient-frontier": [Request(json=HELD)],
    "POST /api/risk": [Request(json={"portfolio_id": "{portfolio}"}), Request(json={"holdings": {"{symbol}": 1.0}})],
    "POST /api/monte-carlo/simulate": [Request(json=HELD)],
    "POST /api/monte-carlo/analyze": [Request(json={"simulationId": "{simulation}"})],
    "GET /api/monte-carlo/simulations/{simulation_id}/trajectories": [Request(), Request(params={"format": "csv"})],
    "POST /api/market-data/imports": [Request(params={"dataset": "{dataset}"}, content=OTHER_PRICES)],
    "POST /api/market-data/markers": [Request(json={"symbol": "{symbol}", "reason": "looks odd"})],
    "POST /api/scenarios": [Request(json=WORLD)],
    "POST /api/scenarios/preview": [
        Request(json={"scenario": "{scenario}", "paths": 100, "points": 5}),
        Request(json={"universe": "{dataset}", "paths": 100}),
    ],
    "POST /api/scenarios/correlations": [Request(json={"matrix": [[1.0, 0.5], [0.5, 1.0]]})],
    "PUT /api/scenarios/{scenario_name}": [Request(json=WORLD | {"name": "{scenario}"})],
    "DELETE /api/scenarios/{scenario_name}": _of(("second_scenario",), "scenario_name"),
    "POST /api/scenarios/{scenario_name}/clone": [Request(json={"name": "my_copy"})],
    "GET /api/strategies": [Request(), Request(params={"archived": True})],
    "POST /api/strategies": [Request(json={"name": "mine", "rule": {"config": RULE}})],
    "POST /api/strategies/import": [Request(json=STRATEGY, params={"name": "mine too"})],
    "GET /api/strategies/{strategy_id}/differences": [Request(params={"first": 1, "second": 1})],
    "POST /api/strategies/{strategy_id}/versions": [Request(json={"rule": {"config": RULE}})],
    "POST /api/strategies/{strategy_id}/clone": [Request(json={"name": "mine as well"})],
    "POST /api/session": [Request(json={"key": "stratigos_none"})],
    "POST /api/session/authorization": [Request(json={"redirect_uri": "https://desk.example/sign-in"})],
    "PUT /api/me/preferences": [Request(json={"theme": "dark"})],
    "GET /api/market-data/prices": [
        Request(params={"symbols": "{symbol}"}),
        Request(params={"symbols": "{symbol}", "dataset": "{dataset}"}),
        Request(params={"symbols": "{symbol}", "dataset": "{dataset}@{hash}"}),
    ],
    "GET /api/market-data/regimes": [Request(params={"symbols": "{symbol}"})],
    "GET /api/market-data/yield-curve": [Request(params={"dataset": "{dataset}"})],
    "GET /api/market-data/vol-surface": [Request(params={"dataset": "{dataset}"})],
    "GET /api/market-data/returns": [Request(params={"symbols": "{symbol}", "dataset": "{dataset}"})],
}
"""Whatever names something of Anna, beyond a path; one request at least for each operation that reads a body."""


def operations() -> Generator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


@cache
def operation_calls() -> list[OperationCall]:
    """Of every operation; one for which nothing is written down here is a fault of this file."""
    calls: list[OperationCall] = []
    for method, path, operation in operations():
        label = f"{method} {path}"
        places = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert places <= PLACES.keys(), f"{label}: say in PLACES what Anna has of {places - PLACES.keys()}"
        assert "requestBody" not in operation or label in REQUESTS, f"{label}: write down in REQUESTS what is asked"
        calls += [OperationCall(label, method, path, request) for request in REQUESTS.get(label, [Request()])]
    unknown = REQUESTS.keys() - {one.label for one in calls}
    assert not unknown, f"no operation of the document: {unknown}"
    return calls


def in_order(one: OperationCall) -> int:
    """Looking comes first, then what makes things, what takes them away, and what makes a thread under any name."""
    return 3 if one.label == "POST /api/agent" else {"GET": 0, "DELETE": 2}.get(one.method, 1)
