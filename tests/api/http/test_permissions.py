"""Who may use which operation: decided here a second time, so that a new one needs a decision."""

from pathlib import Path

import httpx
import pytest

from desk.governance.roles import ROLES, Permission
from tests.api.http.application import document
from tests.api.http.identity.sign_in import bearer, create_key, remote_client
from tests.api.http.operation_requests import PUBLIC, SIGN_IN, operations
from tests.api.http.two_users import sign_in_application
from tests.doubles.cognito import pool

pytestmark = pytest.mark.anyio

SIGNED_IN = """
    GET /api/me
    GET /api/me/preferences
    PUT /api/me/preferences
    GET /api/session
    DELETE /api/session
"""
"""No permission is needed, only valid credentials."""
DECIDED: dict[tuple[Permission, ...], str] = {
    ("research:read",): """
        GET /api/jobs/compare
        GET /api/jobs/{job_id}/result
        GET /api/jobs/{job_id}/trials
        GET /api/jobs/{job_id}/trials/{digest}
        GET /api/jobs/{job_id}/charts
        GET /api/jobs/{job_id}/explanation
        GET /api/jobs/{job_id}/export
        GET /api/jobs
        GET /api/jobs/{job_id}
        GET /api/jobs/{job_id}/request
        GET /api/jobs/{job_id}/reproductions
        GET /api/jobs/{job_id}/holdout
        GET /api/drafts
        GET /api/drafts/{draft_id}
        GET /api/catalogue
        GET /api/desk
        GET /api/glossary
        GET /api/scenarios
        GET /api/scenarios/{scenario_name}
        GET /api/strategies/templates
        GET /api/strategies
        GET /api/strategies/{strategy_id}
        GET /api/strategies/{strategy_id}/versions
        GET /api/strategies/{strategy_id}/versions/{version}
        GET /api/strategies/{strategy_id}/differences
        GET /api/strategies/{strategy_id}/export
        GET /api/runs/{run}/events
        GET /api/runs/{run}/events/poll
        POST /api/tickets
        GET /api/threads
        GET /api/threads/{thread}
        GET /api/threads/{thread}/state
        GET /api/threads/{thread}/messages
        GET /api/threads/{thread}/runs
        GET /api/threads/{thread}/runs/{number}
        GET /api/threads/{thread}/interrupts
        GET /api/threads/{thread}/runs/{number}/feedback
        GET /api/portfolios
        GET /api/portfolios/{portfolio_id}
        GET /api/portfolios/{portfolio_id}/performance
        GET /api/optimization/results/{optimization_id}
        GET /api/portfolios/{portfolio_id}/optimizations
        GET /api/monte-carlo/simulations
        GET /api/monte-carlo/simulations/{simulation_id}
        GET /api/monte-carlo/simulations/{simulation_id}/trajectories
    """,
    ("research:write",): """
        POST /api/jobs
        DELETE /api/jobs/{job_id}
        POST /api/jobs/{job_id}/restart
        POST /api/jobs/{job_id}/approval
        POST /api/jobs/{job_id}/reproduce
        POST /api/jobs/{job_id}/holdout
        POST /api/jobs/{job_id}/unarchive
        POST /api/drafts
        PUT /api/drafts/{draft_id}
        DELETE /api/drafts/{draft_id}
        POST /api/drafts/{draft_id}/submit
        POST /api/scenarios
        POST /api/scenarios/preview
        POST /api/scenarios/correlations
        PUT /api/scenarios/{scenario_name}
        DELETE /api/scenarios/{scenario_name}
        POST /api/scenarios/{scenario_name}/clone
        POST /api/strategies
        POST /api/strategies/import
        POST /api/strategies/{strategy_id}/versions
        POST /api/strategies/{strategy_id}/clone
        POST /api/strategies/{strategy_id}/archive
        POST /api/strategies/{strategy_id}/restore
        POST /api/evaluations
        POST /api/tearsheets
        POST /api/evaluations/predicted
        POST /api/estimates
        POST /api/threads
        PATCH /api/threads/{thread}
        DELETE /api/threads/{thread}
        POST /api/threads/{thread}/branches
        POST /api/threads/{thread}/runs
        POST /api/threads/{thread}/runs/{number}/resume
        POST /api/threads/{thread}/interrupts/{run}
        POST /api/threads/{thread}/runs/{number}/feedback
        POST /api/agent
        POST /api/portfolios
        PUT /api/portfolios/{portfolio_id}
        DELETE /api/portfolios/{portfolio_id}
        POST /api/portfolios/{portfolio_id}/restore
        POST /api/optimization/risk-parity
        POST /api/optimization/hrp
        POST /api/optimization/minimum-cvar
        POST /api/optimization/maximum-diversification
        POST /api/optimization/efficient-frontier
        POST /api/risk
        POST /api/monte-carlo/simulate
        POST /api/monte-carlo/analyze
    """,
    ("market-data:read",): """
        GET /api/market-data/datasets
        GET /api/market-data/datasets/{name}
        GET /api/market-data/datasets/{name}/versions
        GET /api/market-data/datasets/{name}/versions/{hash}
        GET /api/market-data/stale-runs
        GET /api/market-data/markers
        GET /api/market-data/prices
        GET /api/market-data/regimes
        GET /api/market-data/yield-curve
        GET /api/market-data/vol-surface
        GET /api/market-data/returns
        GET /api/market-data/events
    """,
    ("proprietary-data:write",): """
        POST /api/market-data/imports
        POST /api/market-data/markers
        DELETE /api/market-data/markers/{marker}
    """,
    ("launch:approve", "compliance:write"): """
        GET /api/approvals
        GET /api/approvals/{question}
        POST /api/approvals/{question}
    """,
    ("admin:read",): """
        GET /api/audit
    """,
}
"""One of the permissions is needed; what is decided about a question needs the one of its kind."""
GRANTED: dict[str, set[Permission]] = {
    "analyst": {"research:read", "research:write", "market-data:read"},
    "portfolio-manager": {
        "research:read",
        "research:write",
        "market-data:read",
        "proprietary-data:write",
        "launch:approve",
    },
    "compliance-officer": {"research:read", "market-data:read", "compliance:write", "admin:read"},
    "administrator": {permission for needed in DECIDED for permission in needed},
    "traders": set(),
}
Operation = tuple[str, str, tuple[Permission, ...]]
ID = "0123456789abcdef0123456789abcdef"


def listed_operations() -> list[Operation]:
    allowed_operations: list[Operation] = []
    for needed, lines in DECIDED.items():
        for line in lines.strip().splitlines():
            method, path = line.split()
            allowed_operations.append((method, path, needed))
    return allowed_operations


def test_of_every_operation_it_was_decided_who_may_use_it() -> None:
    signed_in = {line.strip() for line in SIGNED_IN.strip().splitlines()}
    ours = {f"{method} {path}" for method, path, _ in listed_operations()} | signed_in | PUBLIC | SIGN_IN
    assert ours == {f"{method} {path}" for method, path, _ in operations()}
    assert set(ROLES) < set(GRANTED)


def test_the_document_names_the_permission_of_every_operation() -> None:
    paths = document()["paths"]
    for method, path, needed in listed_operations():
        assert sorted(paths[path][method.lower()]["x-permissions"]) == sorted(needed), (method, path)


async def ask(client: httpx.AsyncClient, method: str, path: str, credential: str) -> int:
    """Of what is not there, without a body: whoever is permitted is told of that."""
    for place in ("number", "version", "digest", "hash"):
        path = path.replace(f"{{{place}}}", ID * 2 if place in ("digest", "hash") else "1")
    path = path.replace("{scenario_name}", "a_missing_one")
    place = "/".join(ID if part.startswith("{") else part for part in path.split("/"))
    return (await client.request(method, place, headers=bearer(credential))).status_code


async def test_each_role_may_do_what_was_decided_and_nothing_else(home: Path) -> None:
    await try_roles(home, [operations[0] for operations in by_need().values()])


@pytest.mark.soak
async def test_each_role_may_do_what_was_decided_wherever_it_asks(home: Path) -> None:
    await try_roles(home, listed_operations())


def by_need() -> dict[tuple[Permission, ...], list[Operation]]:
    return {needed: [one for one in listed_operations() if one[2] == needed] for needed in DECIDED}


async def try_roles(home: Path, operations: list[Operation]) -> None:
    with pool() as signing:
        async with remote_client(sign_in_application(home, signing)) as client:
            for role, granted in GRANTED.items():
                credential = signing.token(groups=[role])
                for method, path, needed in operations:
                    status = await ask(client, method, path, credential)
                    assert status < 500
                    assert (status != 403) == bool(granted.intersection(needed)), (role, method, path, status)


async def test_every_signed_in_user_reads_and_changes_what_is_the_users_alone(home: Path) -> None:
    with pool() as signing:
        async with remote_client(sign_in_application(home, signing)) as client:
            for credential in (signing.token(groups=["traders"]), await create_key(home, scopes=())):
                for line in SIGNED_IN.strip().splitlines():
                    method, path = line.split()
                    assert await ask(client, method, path, credential) not in (401, 403), line


async def test_a_key_does_no_more_than_its_scopes(home: Path) -> None:
    permissions = GRANTED["administrator"]

    async def key(*scopes: Permission) -> str:
        return await create_key(home, roles=("administrator",), scopes=scopes)

    enough = {needed: [await key(scope) for scope in needed] for needed in DECIDED}
    others = {needed: await key(*permissions.difference(needed)) for needed in DECIDED}
    with pool() as signing:
        async with remote_client(sign_in_application(home, signing)) as client:
            for method, path, needed in listed_operations():
                for credential in enough[needed]:
                    assert await ask(client, method, path, credential) not in (401, 403), (method, path)
                assert await ask(client, method, path, others[needed]) == 403, (method, path)
