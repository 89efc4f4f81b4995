import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.doubles.sagemaker.fleet import Fleet
from tests.doubles.sagemaker.job_requests import job_of
from tests.doubles.sagemaker.validation import Fault, Request, checked_response, reject_invalid


def changed(path: str, value: Any) -> Request:
    """A valid request with one value changed, added, or removed where it is `...`."""
    request: Any = job_of("good", "bucket", "copy")
    *parents, last = [int(name) if name.isdecimal() else name for name in path.split(".")]
    place = request
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return request


def refusal(operation: str, request: Request) -> Fault:
    with pytest.raises(Fault) as info:
        reject_invalid(operation, request)
    return info.value


def test_a_good_request_passes() -> None:
    reject_invalid("CreateProcessingJob", job_of("good", "bucket", "copy"))
    reject_invalid("CreateProcessingJob", changed("Tags", [{"Key": "Kostenstelle ä", "Value": "漢 12:/=+-@"}]))
    reject_invalid("ListProcessingJobs", {"CreationTimeAfter": 1.5, "MaxResults": 100})


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [
        ("Colour", "red", "Value at 'Colour'"),
        ("ProcessingResources.ClusterConfig.Size", 1, "Value at 'ProcessingResources.ClusterConfig.Size'"),
        ("RoleArn", ..., "Value at 'RoleArn' failed to satisfy constraint: Member must not be null"),
        ("RoleArn", "role", "Value 'role' at 'RoleArn' failed to satisfy constraint: Member must have length greater"),
        ("ProcessingJobName", "a_b", "Value 'a_b' at 'ProcessingJobName'"),
        ("ProcessingJobName", "a" * 64, "satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
        ("ProcessingJobName", "a" * 64, "length less than or equal to 63"),
        ("ProcessingResources.ClusterConfig.InstanceCount", 0, "value greater than or equal to 1"),
        ("ProcessingResources.ClusterConfig.InstanceCount", 101, "value less than or equal to 100"),
        ("ProcessingResources.ClusterConfig.InstanceType", "ml.c5.5xlarge", "satisfy enum value set: [ml.t3.medium"),
        ("AppSpecification.ContainerArguments", [], "length greater than or equal to 1"),
        ("AppSpecification.ContainerArguments", ["x" * 257], "'AppSpecification.ContainerArguments.1.member'"),
        ("AppSpecification.ContainerArguments", ["a\nb"], "pattern: .*"),
        ("Environment", {"1A": "x"}, "Value '1A' at 'Environment.key'"),
        ("Environment", {"A": "x" * 257}, "'Environment.A.member'"),
        ("NetworkConfig.VpcConfig", {"SecurityGroupIds": ["sg"], "Subnets": []}, "'NetworkConfig.VpcConfig.Subnets'"),
        ("NetworkConfig.VpcConfig", {"SecurityGroupIds": ["sg"]}, "'NetworkConfig.VpcConfig.Subnets'"),
        ("StoppingCondition.MaxRuntimeInSeconds", 777_601, "value less than or equal to 777600"),
        ("Tags", [{"Key": "a;b", "Value": ""}], "Value 'a;b' at 'Tags.1.member.Key'"),
        ("ProcessingInputs.0.S3Input.LocalPath", "/tmp", "Member must begin with /opt/ml/processing/"),
        ("ProcessingInputs.0.S3Input.LocalPath", ..., "'LocalPath' failed to satisfy constraint: Member must be given"),
        ("ProcessingInputs.0.S3Input.S3InputMode", "Pipe", "the fleet plays"),
        ("ProcessingInputs.0.S3Input.S3Uri", "https://host/key", "the fleet plays"),
        ("ProcessingOutputConfig.Outputs.1.OutputName", "result", "Value 'result' at 'OutputName'"),
        ("ProcessingResources.ClusterConfig.InstanceType", ..., "'ProcessingResources.ClusterConfig.InstanceType'"),
    ],
)
def test_a_bad_request_is_refused_by_path_value_and_what_is_allowed(path: str, value: Any, allowed: str) -> None:
    fault = refusal("CreateProcessingJob", changed(path, value))
    assert fault.code == "ValidationException"
    assert allowed in fault.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ProcessingResources.ClusterConfig.InstanceCount", "4"),
        ("ProcessingResources.ClusterConfig.InstanceCount", True),
        ("AppSpecification.ContainerArguments", "worker"),
        ("Environment", {"A": 1}),
        ("NetworkConfig.EnableNetworkIsolation", "true"),
        ("Tags", None),
    ],
)
def test_a_wrong_type_cannot_be_read(path: str, value: Any) -> None:
    assert refusal("CreateProcessingJob", changed(path, value)).code == "SerializationException"


def test_all_violations_are_reported_at_once() -> None:
    request = changed("RoleArn", ...) | {"ProcessingJobName": "-"}
    assert refusal("CreateProcessingJob", request).message.startswith("2 validation errors detected: ")


def test_an_unknown_operation_is_refused() -> None:
    assert refusal("CreateProcessingJobs", {}).code == "UnknownOperationException"


def test_an_answer_fits_the_model_too() -> None:
    with pytest.raises(AssertionError, match="ProcessingJobStatus"):
        checked_response("DescribeProcessingJob", {"ProcessingJobName": "a"})


def test_the_fleet_records_violations(fleet: Fleet) -> None:
    with pytest.raises(ClientError, match="ProcessingJobName"):
        fleet.client().create_processing_job(**changed("ProcessingJobName", "a_b"))
    assert fleet.jobs == {}
    assert fleet.violations == [fleet.violations[0]]
    assert "Value 'a_b' at 'ProcessingJobName'" in fleet.violations[0]


def test_a_request_is_signed_and_of_the_right_kind(fleet: Fleet) -> None:
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/sagemaker/aws4_request"}
    right = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListProcessingJobs"}
    assert post_request(fleet, right) == "MissingAuthenticationTokenException"
    assert post_request(fleet, signed | right | {"Content-Type": "application/json"}) == "UnknownOperationException"
    assert post_request(fleet, signed | right | {"X-Amz-Target": "ListProcessingJobs"}) == "UnknownOperationException"
    assert len(fleet.violations) == 3
    assert post_request(fleet, signed | right) is None


def post_request(fleet: Fleet, headers: dict[str, str]) -> str | None:
    connection = http.client.HTTPConnection(urlsplit(fleet.url).netloc)
    connection.request("POST", "/", b"{}", headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer.get("__type")
