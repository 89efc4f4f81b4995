"""The OpenAPI document as generators of clients read it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.http.examples import EXAMPLES, without_example
from api.http.middleware.stack import CORS_EXPOSED, CORS_HEADERS, METHODS
from api.http.openapi import UNDESCRIBED_ANSWER, undescribed
from desk.optimization.request import OptimizationRequest
from desk.runs.events.table import EVENTS
from tests.api.http.application import document


def schemas() -> dict[str, Any]:
    return document()["components"]["schemas"]


def operations() -> Iterator[tuple[str, Any]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_operation_ids_are_verbs_with_a_noun_in_camel_case() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(set(ids)) == len(ids)
    assert [each for each in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z0-9]+)+", each)] == []


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("GET /api/jobs", "listJobs"), ("POST /api/jobs", "submitJob"), ("GET /api/jobs/{job_id}", "getJob")],
)
def test_operation_ids_are_stable(operation: str, expected: str) -> None:
    """Clients name their functions after them."""
    assert dict(operations())[operation]["operationId"] == expected


def test_schemas_have_the_names_of_their_types() -> None:
    """A type of two modules, of two directions or with parameters would get a name that tools invent."""
    assert [name for name in schemas() if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name)] == []


def test_every_operation_parameter_and_property_is_described() -> None:
    assert undescribed(document()) == []


def test_a_field_is_described_by_its_own_text_or_the_docstring_under_it() -> None:
    properties = schemas()["Luck"]["properties"]
    assert properties["ledger_trials"]["description"].startswith("All trials of the owner on the same data")
    assert schemas()["JobSummary"]["properties"]["trials"]["description"] == "Requested trials"
    assert undescribed({"paths": {}, "components": {"schemas": {"A": {"properties": {"b": {}}}}}}) == ["A.b"]


def test_a_field_of_a_body_with_a_default_may_be_left_out() -> None:
    """Generators of clients read a default as a promise of the answer, and would make the field required."""
    request = schemas()["OptimizationRequest"]
    assert "required" not in request
    assert [name for name, node in request["properties"].items() if "default" in node] == []
    assert request["properties"]["trials"]["description"].endswith("Default: 100")


def test_lists_are_objects_with_items_except_that_of_the_first_interface() -> None:
    bare = [
        label
        for label, operation in operations()
        for status, answer in operation["responses"].items()
        if status.startswith("2")
        and answer.get("content", {}).get("application/json", {}).get("schema", {}).get("type") == "array"
    ]
    assert bare == ["GET /api/portfolios"]


def test_no_object_mixes_two_spellings_of_fields() -> None:
    """camelCase is that of the first interface and of AG-UI."""
    mixed = [
        name
        for name, schema in schemas().items()
        if re.search(r"[a-z][A-Z].*_|_.*[a-z][A-Z]", " ".join(schema.get("properties", ())))
    ]
    assert mixed == []


def test_answers_that_ask_for_patience_say_for_how_long() -> None:
    for label, operation in operations():
        for status in {"429", "503"} & operation["responses"].keys():
            assert "Retry-After" in operation["responses"][status]["headers"], (label, status)


def test_every_body_and_answer_has_an_example_that_its_schema_accepts() -> None:
    """`make examples` records them; those of a table or a page are left out."""
    whole = document()
    assert without_example(whole, {}) == [], "run make examples"
    recorded = json.loads(EXAMPLES.read_text())
    assert len(recorded) > 90
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            parts = {"body": operation.get("requestBody", {}), **operation["responses"]}
            for part, example in recorded.pop(f"{method.upper()} {path}", {}).items():
                schema = parts[part]["content"].get("application/json", {}).get("schema")
                if schema is not None:
                    check = Draft202012Validator({**schema, "components": whole["components"]})
                    errors = [f"{error.json_path}: {error.message}" for error in check.iter_errors(example)]
                    assert errors == [], f"{method} {path} {part}: run make examples"
    assert recorded == {}, "operations that are no more: run make examples"


def test_every_named_example_of_a_body_is_one_that_its_schema_accepts() -> None:
    whole = document()
    examples = [
        (label, name, media["schema"], example["value"])
        for label, operation in operations()
        for media in operation.get("requestBody", {}).get("content", {}).values()
        for name, example in media.get("examples", {}).items()
    ]
    assert len(examples) > 10
    for label, name, schema, value in examples:
        check = Draft202012Validator({**schema, "components": whole["components"]})
        assert [error.message for error in check.iter_errors(value)] == [], (label, name)


@pytest.mark.parametrize("body", ["small", "stocks", "scenario"])
def test_every_example_of_a_search_is_a_request(body: str) -> None:
    """Also by the rules across fields, which a schema does not state."""
    content = document()["paths"]["/api/jobs"]["post"]["requestBody"]["content"]["application/json"]
    OptimizationRequest.model_validate(content["examples"][body]["value"])


def test_an_operation_without_an_example_is_named() -> None:
    answer = {"content": {"application/json": {"schema": {"type": "string"}}}}
    page = {"paths": {"/new": {"get": {"responses": {"200": answer}}}}, "components": {"schemas": {}}}
    assert without_example(page, {}) == [("GET /new", "200")]
    assert without_example(page, {"GET /new": {"200": "text"}}) == []


def test_every_operation_that_a_text_names_exists() -> None:
    """Also in the introduction, the descriptions and the examples."""
    known = {re.sub(r"{\w+}", "{}", label) for label, _ in operations()}
    named = re.findall(r"\b((?:GET|POST|PUT|PATCH|DELETE) /[\w/{}-]+)", json.dumps(document()))
    assert len(named) > 20
    assert {re.sub(r"{\w+}", "{}", label) for label in named} - known == set()


def test_every_answer_says_what_it_holds() -> None:
    answers = [answer["description"] for _, operation in operations() for answer in operation["responses"].values()]
    assert UNDESCRIBED_ANSWER not in answers
    assert [name for name, schema in schemas().items() if ".. Default" in json.dumps(schema)] == []


def test_a_change_with_a_session_needs_its_csrf_token() -> None:
    schemes = document()["components"]["securitySchemes"]
    assert (schemes["csrf"]["in"], schemes["csrf"]["name"]) == ("header", "X-CSRF-Token")
    for label, operation in operations():
        needed = {"session": []} if label.startswith("GET") else {"session": [], "csrf": []}
        assert operation.get("security", [needed])[-1] == needed, label


def test_a_page_knows_the_kinds_of_events_for_which_it_listens() -> None:
    """An `EventSource` hands an event only to the listeners of its kind."""
    stream = dict(operations())["GET /api/runs/{run}/events"]["responses"]["200"]["content"]["text/event-stream"]
    assert stream["schema"]["properties"]["event"]["enum"] == [*EVENTS, "end"]


def test_pages_of_other_origins_may_send_and_read_the_headers_of_the_document() -> None:
    """Except those of cookies, which other origins do not get."""
    every = [operation for _, operation in operations()]
    sent = {one["name"] for operation in every for one in operation.get("parameters", ()) if one["in"] == "header"}
    answers = [answer for operation in every for answer in operation["responses"].values()]
    read = {name for answer in answers for name in answer.get("headers", ())}
    assert sent <= {name.lower() for name in CORS_HEADERS}
    assert read - {"Set-Cookie", "WWW-Authenticate"} <= set(CORS_EXPOSED)
    assert {label.split()[0] for label, _ in operations()} <= set(METHODS)
