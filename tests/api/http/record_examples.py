"""Writes api/http/examples.json: a body and an answer of every operation, as a service gives them.

Run by `make examples`, after an operation or a schema has changed. Lists and maps are shortened to their first entries.
"""

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from api.http.examples import EXAMPLES, SCHEMAS, without_example
from desk.governance.roles import ROLES
from desk.market.datasets.ingestion import import_file
from desk.market.datasets.schemas import Terms
from desk.optimization.request import OptimizationRequest
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from graphs.runs.surrogates import fit_surrogate
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import document
from tests.api.http.identity.sign_in import bearer, create_key
from tests.api.http.operation_requests import RULE, SAID, OperationCall, Request, in_order, operation_calls
from tests.api.http.two_users import ANNA, HIDDEN, Words, client, fill_ids, serve_two_users
from tests.doubles.cognito import pool
from tests.graphs.dependencies import open_dependencies
from tests.session_folder import SETTING

LONGEST = 2
"""Entries that remain of a list or a map, unless it needs more."""
STREAMED = 6
"""Lines that remain of a stream of events."""
JSON = "application/json"
SURFACES = "date,1M_90,1M_100,3M_90,3M_100\n2024-01-02,19.2,13.1,20.4,14.5\n2024-01-03,19.9,13.6,20.8,14.9\n"
CURVES = "date,2Y,10Y\n2024-01-02,4.33,3.95\n2024-01-03,4.33,3.91\n"
MORE = {
    "GET /api/jobs/compare": Request(params={"ids": "{job},{searched}"}),
    "GET /api/market-data/regimes": Request(params={"symbols": "AAPL"}),
    "GET /api/market-data/yield-curve": Request(params={"dataset": "treasury"}),
    "GET /api/market-data/vol-surface": Request(params={"dataset": "spx_surface"}),
    "POST /api/agent": Request(json={"threadId": "my-thread", "runId": "run-1", "messages": [SAID]}),
    "POST /api/evaluations/predicted": Request(json={"config": RULE, "job": "{searched}"}),
    "POST /api/jobs": Request(json={"trials": 10, "seed": 8, "universe": "sp500"}),
    "POST /api/market-data/imports": Request(
        params={"dataset": "treasury", "kind": "curve", "dry_run": False}, content=CURVES
    ),
    "POST /api/session": Request(json={"key": "{key_of_anna}"}),
    "POST /api/threads/{thread}/runs": Request(
        json={"message": "which scenarios are there?"}, params={"stream": False}, at={"thread": "empty"}
    ),
}
"""Requests that succeed, where those of the tests are refused."""
STREAM = Request(json={"message": "which scenarios are there?"}, at={"thread": "empty"})


def calls() -> list[OperationCall]:
    """Each operation once or more; what takes something away comes last, and restarts only what was taken away."""
    known = operation_calls()
    more = [replace(next(one for one in known if one.label == label), request=MORE[label]) for label in MORE]
    more.insert(0, replace(more[-1], request=STREAM))  # a turn that is awaited comes before one that waits
    ordered = sorted([*more, *known], key=lambda one: (in_order(one), one.label == "GET /api/market-data/yield-curve"))
    again = [one for one in known if one.label == "POST /api/jobs/{job_id}/restart"]
    return [*ordered, *(one for one in more if one.method == "GET"), *again]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ[SETTING] = folder
        record_all()


def record_all() -> None:
    EXAMPLES.write_text("{}\n")  # the document shall have those of its schemas alone
    missing = without_example(document(), {})
    recorded: dict[str, dict[str, Any]] = {label: {} for label, _ in missing}
    with (
        tempfile.TemporaryDirectory() as home,
        pool() as signing,
        serve_two_users(Path(home), signing) as server,
        client(server.address, bearer(signing.token(groups=list(ROLES)))) as anna,
    ):
        ids = {**server.ids, **asyncio.run(create_more(Path(home)))}
        for call in calls():
            if any(label == call.label and part not in recorded[label] for label, part in missing):
                record(call, anna, ids, recorded[call.label])
    entries = {
        label: {part: entry[part] for part in entry if (label, part) in missing} for label, entry in recorded.items()
    }
    entries = {label: entry for label, entry in entries.items() if entry}
    EXAMPLES.write_text(json.dumps(in_plain_words(entries), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    if lacking := without_example(document(), entries):
        sys.exit("no example:\n" + "\n".join(f"{label} {part}" for label, part in lacking))


async def create_more(home: Path) -> dict[str, str]:
    """A second search that has ended, with a surrogate, and a key."""
    scenarios = tuple(scenario.model_copy(update={"paths": 100, "years": 1}) for scenario in BUILT_IN[:1])
    request = OptimizationRequest(name="Monthly review", trials=20, scenarios=scenarios, stopping="budget")
    async with open_dependencies(home) as dependencies:
        searched = await create_run(dependencies, ANNA, request)
        async for _ in execute(dependencies, ANNA, searched):
            pass
        await fit_surrogate(dependencies, ANNA, searched)
        surface = Terms(kind="index", calendar="none")
        await import_file(dependencies.store, ANNA, "spx_surface", SURFACES.encode(), surface, commit=True)
    return {"searched": searched, "key_of_anna": await create_key(home, ANNA)}


def record(call: OperationCall, anna: httpx.Client, ids: Words, entry: dict[str, Any]) -> None:
    answer = call.send(anna, ids)
    part = str(answer.status_code)
    if not answer.is_success or part in entry:
        return
    if call.request.json is not None:
        entry.setdefault("body", fill_ids(call.request.json, ids))
    media = answer.headers.get("content-type", "").partition(";")[0]
    if media == JSON:
        operation = document()["paths"][call.path][call.method.lower()]
        entry[part] = shortened(answer.json(), operation["responses"][part]["content"][JSON]["schema"])
    elif media == "text/event-stream":
        entry[part] = "\n".join(answer.text.splitlines()[:STREAMED]) + "\n\n"


def shortened(value: Any, schema: dict[str, Any]) -> Any:
    """The first entries of each list and of each map whose keys no schema names."""
    node = fitting(value, schema)
    if isinstance(value, list):
        return [shortened(each, node.get("items", {})) for each in value[: max(LONGEST, node.get("minItems", 0))]]
    if isinstance(value, dict):
        named = node.get("properties", {})
        others = {} if isinstance(more := node.get("additionalProperties", {}), bool) else more
        kept = value if named else dict(list(value.items())[:LONGEST])
        return {name: shortened(each, named.get(name, others)) for name, each in kept.items()}
    return value


def fitting(value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or the one of its alternatives that accepts the value."""
    schemas = document()["components"]["schemas"]
    if "$ref" in schema:
        return fitting(value, schemas[schema["$ref"].removeprefix(SCHEMAS)])
    for option in schema.get("anyOf", schema.get("oneOf", ())):
        if Draft202012Validator({**option, "components": {"schemas": schemas}}).is_valid(value):
            return fitting(value, option)
    return schema


def in_plain_words(entries: dict[str, Any]) -> Any:
    """The entries without the names that the tests look for."""
    text = json.dumps(entries, ensure_ascii=False)
    for word, plain in ((HIDDEN, "core"), (HIDDEN.upper(), "CORE"), (ANNA, "anna")):
        text = text.replace(word, plain)
    return json.loads(text)


if __name__ == "__main__":
    main()
