"""Whatever a client sends: no 5xx, and no answer that the OpenAPI document does not describe."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import AREAS
from desk.optimization.request import OptimizationRequest
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import application, document, run_server
from tests.api.http.declared_headers import undeclared_headers
from tests.api.http.identity.sign_in import bearer, create_key
from tests.api.http.operation_requests import PUBLIC, SIGN_IN
from tests.api.http.two_users import sign_in_application, with_own_address
from tests.doubles.cognito import pool
from tests.graphs.dependencies import FIRST_DAY, open_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies


def declares_its_headers(context: CheckContext, response: Response, case: Case) -> None:
    """A check of schemathesis."""
    assert not undeclared_headers(case.operation.definition.raw, response.status_code, response.headers)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    declares_its_headers,
]
FEW, SIGNED_IN, WITHOUT_SIGN_IN = 1, 160, 28
"""Cases of an operation; some operations have fewer."""
PATIENCE = 20.0
ROOT = str(Path(__file__).parents[3])
PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "planted-among-the-variables-of-aws",
    "STRATIGOS_KEY": "planted-as-the-key-of-a-client",
    "COMPANY_TOKEN": "planted-in-the-environment",
}
UNREACHED = {400: "the path contains", 404: "there is no route", 405: "", 414: "", 431: ""}
"""What is refused before it is asked who asks, and in which words: it reaches no operation."""

JOB, DATA = "known", "mydata"
PRICES = "date,A,B\n2024-01-02,1.5,2\n2024-01-03,1.6,2.1\n2024-01-04,1.7,2.05\n"


@dataclass(frozen=True)
class Target:
    address: str
    """Of the one local user."""
    guarded: str
    """Of the same desk, where people sign in."""
    key: str
    home: Path
    ids: dict[str, Any]
    """Path parameters that lead to objects which are there."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("home")
    asyncio.run(_search(home))
    key = asyncio.run(create_key(home, "local", roles=("administrator",)))
    with (
        pytest.MonkeyPatch.context() as environment,
        pool() as signing,
        run_server(application(home, queued_dependencies(home))) as base,
        run_server(sign_in_application(home, signing)) as guarded,
        httpx.Client(base_url=f"{base}/api", timeout=300) as client,
    ):
        for name, value in PLANTED.items():
            environment.setenv(name, value)
        yield Target(base, guarded, key, home, _create_objects(client))


async def _search(home: Path) -> None:
    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
    async with open_dependencies(home) as dependencies:
        await create_run(
            dependencies,
            "local",
            OptimizationRequest(trials=10, scenarios=scenarios, seed=3, first_day=FIRST_DAY),
            run_id=JOB,
        )
        async for _ in execute(dependencies, "local", JOB):
            pass


def _create_objects(client: httpx.Client) -> dict[str, Any]:
    def post(path: str, **options: Any) -> Any:
        answer = client.post(path, **options)
        assert answer.is_success, answer.text
        return answer.json()

    thread = post("/threads", json={})["id"]
    post(f"/threads/{thread}/runs", params={"stream": False}, json={"message": "is it luck?"})
    portfolio = post("/portfolios", json={"name": "Two", "assets": {"AAPL": 0.5, "JNJ": 0.5}})["id"]
    simulated = {"portfolioId": portfolio, "trajectories": 2}
    days = {"startDate": "2014-01-02", "endDate": "2014-12-31"}
    rule = {"config": {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63}}
    strategy = post("/strategies", json={"name": "Core", "rule": rule})["id"]
    version = post("/market-data/imports", params={"dataset": DATA, "dry_run": False}, content=PRICES)["version"]
    return {
        "job_id": JOB,
        "run": JOB,
        "digest": client.get(f"/jobs/{JOB}/trials").json()["items"][0]["digest"],
        "thread": thread,
        "number": 1,
        "portfolio_id": portfolio,
        "optimization_id": post("/optimization/hrp", json={"portfolioId": portfolio, **days})["id"],
        "simulation_id": post("/monte-carlo/simulate", json=simulated | days)["id"],
        "scenario_name": "bear_market",
        "strategy_id": strategy,
        "version": 1,
        "name": DATA,
        "hash": version["hash"],
        "marker": post("/market-data/markers", json={"symbol": "XOM", "reason": "a wrong tick"})["id"],
    }


def storm(target: Target, operation: Any, cases: int, send: Callable[[Target, Case], None]) -> int:
    """Cases as the document allows them and cases that it does not; of objects that are there, and of others.

    Returns their number.
    """
    sent = 0
    modes = list(GenerationMode)
    ways = [operation.as_strategy(generation_mode=mode) for mode in modes]
    ids = {name: value for name, value in target.ids.items() if f"{{{name}}}" in operation.path}
    if ids and operation.method != "delete":
        ways += [operation.as_strategy(generation_mode=mode, path_parameters=ids) for mode in modes]

    @seed(1)
    @settings(
        max_examples=cases,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        database=None,
    )
    @given(st.one_of(*ways))
    def send_case(case: Case) -> None:
        nonlocal sent
        send(target, case)
        sent += 1

    send_case()
    return sent


def by_the_local_user(target: Target, case: Case) -> None:
    answer = case.call(base_url=target.address, timeout=PATIENCE)
    case.validate_response(answer, checks=CHECKS)
    tells_no_secret(target, answer)


def by_who_signed_in(target: Target, case: Case) -> None:
    for name in [name for name in case.headers if name.lower() in ("authorization", "x-api-key")]:
        del case.headers[name]
    case.query.pop("ticket", None)  # a wrong one is not made good by a key
    answer = case.call(base_url=target.guarded, headers=bearer(target.key), timeout=PATIENCE)
    assert answer.status_code not in (401, 403)
    case.validate_response(answer, checks=CHECKS)
    tells_no_secret(target, answer)


def with_a_wrong_key(target: Target, case: Case) -> None:
    """Sign-in: what the document makes up is no key."""
    answer = case.call(base_url=target.guarded, headers=with_own_address({}), timeout=PATIENCE)
    assert answer.status_code != 201
    case.validate_response(answer, checks=CHECKS)
    tells_no_secret(target, answer)


def by_a_stranger(target: Target, case: Case) -> None:
    """With nothing, or with what the document's own examples of keys and tokens make up."""
    answer = case.call(base_url=target.guarded, headers=with_own_address({}), timeout=PATIENCE)
    case.validate_response(answer, checks=CHECKS)
    tells_no_secret(target, answer)
    if answer.status_code != 401:
        message = answer.json()["error"]["message"]
        assert message.startswith(UNREACHED[answer.status_code]), (answer.status_code, message)


def tells_no_secret(target: Target, answer: Any) -> None:
    text = f"{answer.content.decode(errors='replace')} {answer.headers}"  # workbooks are not text
    _, _, random_part = target.key.split("_", 2)  # which may hold the separator itself
    for secret in (*PLANTED.values(), random_part, hashlib.sha256(target.key.encode()).hexdigest()):
        assert secret not in text
    for inside in ("Traceback (most", 'File "', "site-packages", ROOT, str(target.home)):
        assert inside not in text, inside


@cache
def operations() -> dict[str, list[Any]]:
    """The operations of each area."""
    areas: dict[str, list[Any]] = {area: [] for area in AREAS}
    for found in schemathesis.openapi.from_dict(document()).get_all_operations():
        assert isinstance(found, Ok), found
        (area,) = list(found.ok().tags or ())
        areas[area].append(found.ok())
    return areas


def storm_where_people_sign_in(target: Target, operation: Any, cases: int) -> int:
    return storm(target, operation, cases, with_a_wrong_key if operation.label in SIGN_IN else by_who_signed_in)


def storm_without_sign_in(target: Target, operation: Any, cases: int) -> int:
    sent = storm(target, operation, cases, by_the_local_user)
    if operation.label not in PUBLIC | SIGN_IN:
        sent += storm(target, operation, cases, by_a_stranger)
    return sent


@pytest.mark.parametrize("area", AREAS)
def test_no_answer_breaks_the_document(target: Target, area: str) -> None:
    for operation in operations()[area]:
        storm(target, operation, FEW, by_the_local_user)


@pytest.mark.parametrize("area", AREAS)
def test_no_answer_where_people_sign_in_breaks_the_document_or_tells_a_secret(target: Target, area: str) -> None:
    for operation in operations()[area]:
        storm_where_people_sign_in(target, operation, 1)
        if operation.label not in PUBLIC | SIGN_IN:
            storm(target, operation, 1, by_a_stranger)


# the server, a thread of this process, draws random numbers while hypothesis draws a case
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.soak
@pytest.mark.timeout(5400)
def test_fifteen_thousand_cases_of_who_signed_in_break_nothing(target: Target, subtests: pytest.Subtests) -> None:
    assert storm_everywhere(target, subtests, storm_where_people_sign_in, SIGNED_IN) >= 15_000


@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.soak
@pytest.mark.timeout(5400)
def test_five_thousand_cases_without_sign_in_break_nothing(target: Target, subtests: pytest.Subtests) -> None:
    """Where nobody signs in, and by strangers where people do."""
    assert storm_everywhere(target, subtests, storm_without_sign_in, WITHOUT_SIGN_IN) >= 5_000


def storm_everywhere(target: Target, subtests: pytest.Subtests, kind: Callable[..., int], cases: int) -> int:
    """The number of cases that were sent; each operation fails on its own."""
    sent = 0
    for operation in chain.from_iterable(operations().values()):
        with subtests.test(operation.label):
            sent += kind(target, operation, cases)
        print(sent, operation.label, flush=True)
    return sent
