"""Whatever a client sends: no 5xx, and no answer that the OpenAPI document does not describe."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.serving import application, running
from tests.graphs.queued import queued_desk

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FEW, MANY = 3, 60
PATIENCE = 20.0

DOCUMENT = application(Path("/nowhere")).openapi()
OPERATIONS = {
    operation.label: operation
    for operation in (result.ok() for result in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    with running(application(home, queued_desk(home))) as base:
        yield base


def storm(address: str, operation: Any, cases: int) -> None:
    """Cases as the document allows them, and cases that it does not."""
    ways = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @seed(1)
    @settings(
        max_examples=cases,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.one_of(*ways))
    def send(case: Case) -> None:
        answer = case.call(base_url=address, timeout=PATIENCE)
        case.validate_response(answer, checks=CHECKS)

    send()


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_answer_breaks_the_document(address: str, label: str) -> None:
    storm(address, OPERATIONS[label], FEW)


@pytest.mark.soak
@pytest.mark.parametrize("label", OPERATIONS)
def test_no_answer_breaks_the_document_in_a_long_storm(address: str, label: str) -> None:
    storm(address, OPERATIONS[label], MANY)
