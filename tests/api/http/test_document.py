"""The OpenAPI document as generators of clients read it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.http.examples import EXAMPLES, without_example
from api.http.openapi import undescribed
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


def test_an_operation_without_an_example_is_named() -> None:
    answer = {"content": {"application/json": {"schema": {"type": "string"}}}}
    page = {"paths": {"/new": {"get": {"responses": {"200": answer}}}}, "components": {"schemas": {}}}
    assert without_example(page, {}) == [("GET /new", "200")]
    assert without_example(page, {"GET /new": {"200": "text"}}) == []
