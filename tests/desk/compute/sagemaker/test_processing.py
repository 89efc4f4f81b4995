"""Processing requests fit the service's model, and each job description has one meaning."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desk.compute.sagemaker.processing import LONGEST_REASON, Cluster, outcome_of, plain, request, tags_of
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE
from tests.doubles.sagemaker.validation import reject_invalid

LONGEST = timedelta(hours=24)
START = datetime(2026, 3, 2, tzinfo=UTC)


def cluster(**changes: Any) -> Cluster:
    return Cluster.model_validate({"image": IMAGE_URI, "role": ROLE, "bucket": "desk"} | changes)


def build_request(settings: Cluster, *, instances: int = 4, shards: bool = True) -> Any:
    inputs = {name: settings.uri(settings.key("j", name)) for name in ("work", "shards") if name == "work" or shards}
    outputs = {name: settings.uri(settings.key("j", name)) for name in ("shards", "result")}
    tags = tags_of("ann@example.com", "r1")
    return request(
        settings, name="j-1", arguments=["worker"], inputs=inputs, outputs=outputs, tags=tags, instances=instances
    )


@pytest.mark.parametrize(
    ("changes", "instances"),
    [
        ({}, 1),
        ({}, 20),
        ({"prefix": "a/b", "tags": (("team", "allocation"), ("stage", ""))}, 4),
        ({"kms_key": f"arn:aws:kms:eu-west-1:{'1' * 12}:key/{'a' * 36}", "max_hours": 216}, 4),
        ({"subnets": ("subnet-0a1b2c3d",), "security_groups": ("sg-0a1b2c3d",), "network_isolation": False}, 2),
        ({"max_hours": 0.001}, 1),
    ],
)
def test_every_request_fits_the_model_of_the_service(changes: Any, instances: int) -> None:
    settings = cluster(**changes)
    reject_invalid("CreateProcessingJob", build_request(settings, instances=instances))
    reject_invalid("CreateProcessingJob", build_request(settings, instances=instances, shards=False))


def test_traffic_between_instances_is_encrypted_and_nothing_else_is_reached() -> None:
    assert build_request(cluster())["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
    }
    assert not build_request(cluster(), instances=1)["NetworkConfig"]["EnableInterContainerTrafficEncryption"]


def test_requests_contain_neither_names_nor_secrets() -> None:
    text = str(build_request(cluster(kms_key="k")))
    assert "ann@" not in text
    assert build_request(cluster())["Environment"] == {"STRATIGOS_LOG": "stdout"}


@pytest.mark.parametrize(
    ("reason", "message", "meaning", "expected_reason"),
    [
        ("CapacityError: Unable to provision requested ML compute capacity.", "", "capacity", "CapacityError: Unable"),
        ("InternalServerError: We encountered an internal error.", "", "lost", "InternalServerError"),
        ("AlgorithmError: See job logs for more information, exit code: 137", "", "lost", "AlgorithmError"),
        ("AlgorithmError: See job logs for more information, exit code: 143", "bye", "lost", "AlgorithmError"),
        ("AlgorithmError: , exit code: 75", "the leader is gone", "lost", "AlgorithmError"),
        ("AlgorithmError: , exit code: 1", "KeyError", "fault", "KeyError"),
        ("AlgorithmError: See job logs for more information", "KeyError", "fault", "KeyError"),
        ("AlgorithmError: , exit code: 1", "", "lost", "AlgorithmError"),
        ("AlgorithmError: , exit code: 2", "prices.npz: x; expected y", "mendable", "prices.npz: x; expected y"),
        ("AlgorithmError: exit code of 127.2.1.2: 137, 127.2.1.1: 1", "gone", "lost", "AlgorithmError"),
        ("AlgorithmError: exit code of 127.2.1.1: 2, 127.2.1.2: 75", "x: y", "mendable", "x: y"),
        ("ClientError: Data download failed: access denied", "", "mendable", "ClientError: Data"),
        ("", "", "lost", "it failed, and AWS does not say why"),
    ],
)
def test_a_failure_has_one_meaning(reason: str, message: str, meaning: str, expected_reason: str) -> None:
    outcome = outcome_of({"ProcessingJobStatus": "Failed", "FailureReason": reason, "ExitMessage": message}, LONGEST)
    assert outcome.meaning == meaning
    assert outcome.reason.startswith(expected_reason)


@pytest.mark.parametrize(
    ("description", "meaning"),
    [
        ({"ProcessingJobStatus": "InProgress"}, "waiting"),
        ({"ProcessingJobStatus": "InProgress", "ProcessingStartTime": START}, "running"),
        ({"ProcessingJobStatus": "Stopping", "ProcessingStartTime": START}, "running"),
        ({"ProcessingJobStatus": "Completed"}, "completed"),
        ({"ProcessingJobStatus": "Stopped"}, "stopped"),
        (
            {"ProcessingJobStatus": "Stopped", "ProcessingStartTime": START, "ProcessingEndTime": START + LONGEST},
            "too_long",
        ),
        (
            {
                "ProcessingJobStatus": "Stopped",
                "ProcessingStartTime": START,
                "ProcessingEndTime": START + LONGEST - timedelta(seconds=1),
            },
            "stopped",
        ),
    ],
)
def test_a_state_has_one_meaning(description: Any, meaning: str) -> None:
    assert outcome_of(description, LONGEST).meaning == meaning


def test_reported_reasons_contain_no_account() -> None:
    assert plain("role arn:aws:iam::123456789012:role/x\n  is not there") == (
        "role arn:aws:iam::************:role/x is not there"
    )
    assert len(plain("x" * 5_000)) == LONGEST_REASON + 3
