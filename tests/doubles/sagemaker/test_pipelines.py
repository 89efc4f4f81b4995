"""Pipelines of the SageMaker double behave as in the service."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doubles.sagemaker.definitions import parse
from tests.doubles.sagemaker.fleet import ROLE, Fleet
from tests.doubles.sagemaker.job_requests import arguments_of
from tests.doubles.sagemaker.references import look_up, resolve
from tests.doubles.sagemaker.validation import InvalidRequest, Request

CACHED = {"Enabled": True, "ExpireAfter": "PT1H"}
RETRIED: Request = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 2}
ID = {"Get": "Execution.PipelineExecutionId"}


@pytest.fixture
def client(fleet: Fleet, bucket: str) -> Iterator[Any]:
    fleet.put(f"s3://{bucket}/work/a", b"x")
    yield fleet.client()
    assert fleet.violations == []


def join(*values: Any) -> Request:
    return {"Std:Join": {"On": "/", "Values": list(values)}}


def step(bucket: str, name: str, *command: Any, after: str = "", **more: Any) -> Request:
    """A processing step that writes below the execution's id, and reads the output of another step."""
    arguments = arguments_of(bucket, *command)
    arguments["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = join(f"s3://{bucket}", ID, name)
    if after:
        source = {"Get": f"Steps.{after}.ProcessingOutputConfig.Outputs['result'].S3Output.S3Uri"}
        arguments["ProcessingInputs"][0]["S3Input"]["S3Uri"] = source
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def definition_of(*steps: Request, parameters: list[Request] | None = None) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": steps})


def start(client: Any, definition: str, **parameters: str) -> str:
    """Create or update the pipeline, and start an execution."""
    pipelines = client.list_pipelines()["PipelineSummaries"]
    (client.update_pipeline if pipelines else client.create_pipeline)(
        PipelineName="five-steps", PipelineDefinition=definition, RoleArn=ROLE
    )
    values = [{"Name": name, "Value": value} for name, value in parameters.items()]
    return client.start_pipeline_execution(PipelineName="five-steps", PipelineParameters=values)["PipelineExecutionArn"]


def test_steps_run_in_order_with_resolved_references(fleet: Fleet, client: Any, bucket: str) -> None:
    branch: Request = {
        "Name": "wanted",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Training"}, "RightValue": True}],
            "IfSteps": [step(bucket, "trained", "copy", after="second_step")],
            "ElseSteps": [step(bucket, "untrained", "copy")],
        },
        "DependsOn": ["second_step"],
    }
    training = {"Name": "Training", "Type": "Boolean", "DefaultValue": False}
    what = {"Name": "What", "Type": "String", "DefaultValue": "fail"}
    second = step(bucket, "second_step", {"Get": "Parameters.What"}, after="first")
    definition = definition_of(branch, second, step(bucket, "first", "copy"), parameters=[training, what])
    arn = start(client, definition, Training="true", What="copy")
    status, steps = fleet.wait_for_execution(arn)
    assert (status, [*steps]) == ("Succeeded", ["first", "second_step", "wanted", "trained"]), steps
    assert steps["wanted"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    execution = arn.rpartition("/")[2]
    assert fleet.content(f"s3://{bucket}/{execution}/trained/work/work/work/a") == b"x"

    description = client.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert description["PipelineExecutionStatus"] == "Succeeded"
    assert client.list_pipeline_executions(PipelineName="five-steps")["PipelineExecutionSummaries"] == [
        {"PipelineExecutionArn": arn, "StartTime": description["CreationTime"], "PipelineExecutionStatus": "Succeeded"}
    ]
    listed = client.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
    assert [each["StepName"] for each in listed["PipelineExecutionSteps"]] == [*steps]
    jobs = [each["ProcessingJobName"] for each in client.list_processing_jobs()["ProcessingJobSummaries"]]
    assert sorted(name.rpartition("-")[0] for name in jobs) == [
        f"pipelines-{execution}-{name}" for name in ("first", "second-step", "trained")
    ]


def test_a_failed_step_names_its_cause_and_finished_ones_are_not_run_again(
    fleet: Fleet, client: Any, bucket: str
) -> None:
    first = step(bucket, "first", "copy", CacheConfig=CACHED)
    failing = step(bucket, "second", "fail", "2", "1", after="first")
    arn = start(client, definition_of(first, failing, step(bucket, "third", "copy", after="second")))
    status, steps = fleet.wait_for_execution(arn)
    assert (status, [*steps]) == ("Failed", ["first", "second"])
    assert steps["second"]["FailureReason"].startswith("AlgorithmError: ")
    reason = client.describe_pipeline_execution(PipelineExecutionArn=arn)["FailureReason"]
    assert reason == "Step failure: One or multiple steps failed."
    job = steps["second"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    assert client.describe_processing_job(ProcessingJobName=job)["ExitMessage"] == "the prices have no Tuesday"

    again = start(client, definition_of(first, step(bucket, "second", "copy", after="first")))
    status, later = fleet.wait_for_execution(again)
    assert status == "Succeeded"
    assert later["first"]["CacheHitResult"] == {"SourcePipelineExecutionArn": arn}
    assert later["first"]["Metadata"] == steps["first"]["Metadata"]
    assert fleet.content(f"s3://{bucket}/{again.rpartition('/')[2]}/second/work/work/a") == b"x"

    fleet.pipelines.cache.ahead = 3601
    status, after_an_hour = fleet.wait_for_execution(start(client, definition_of(first)))
    assert "CacheHitResult" not in after_an_hour["first"]


def test_an_execution_is_retried_from_its_failed_step(fleet: Fleet, client: Any, bucket: str) -> None:
    fleet.refuse("CreateProcessingJob", "AccessDeniedException", "not for this role")
    arn = start(client, definition_of(step(bucket, "only", "copy")))
    status, steps = fleet.wait_for_execution(arn)
    assert (status, steps["only"]["FailureReason"]) == ("Failed", "AccessDeniedException: not for this role")
    client.retry_pipeline_execution(PipelineExecutionArn=arn)
    status, steps = fleet.wait_for_execution(arn)
    assert (status, steps["only"]["StepStatus"]) == ("Succeeded", "Succeeded")


def test_a_step_is_retried_for_the_causes_of_its_policies(fleet: Fleet, client: Any, bucket: str) -> None:
    fleet.no_capacity(2)
    arn = start(client, definition_of(step(bucket, "one", "copy", RetryPolicies=[RETRIED])))
    status, steps = fleet.wait_for_execution(arn)
    assert (status, steps["one"]["AttemptCount"]) == ("Succeeded", 3)
    assert len(fleet.jobs) == 3


def test_retries_end_and_other_causes_have_none(fleet: Fleet, client: Any, bucket: str) -> None:
    fleet.no_capacity(3)
    status, steps = fleet.wait_for_execution(
        start(client, definition_of(step(bucket, "one", "copy", RetryPolicies=[RETRIED])))
    )
    assert (status, steps["one"]["AttemptCount"]) == ("Failed", 3)
    fleet.internal_error()
    status, steps = fleet.wait_for_execution(start(client, definition_of(step(bucket, "one", "copy"))))
    assert (status, steps["one"]["AttemptCount"]) == ("Failed", 1)


def test_throttling_is_retried_by_default(fleet: Fleet, client: Any, bucket: str) -> None:
    fleet.refuse("CreateProcessingJob", "ThrottlingException", times=2)
    status, steps = fleet.wait_for_execution(start(client, definition_of(step(bucket, "one", "copy"))))
    assert (status, steps["one"]["AttemptCount"]) == ("Succeeded", 3)


def test_an_execution_is_stopped_with_its_jobs(fleet: Fleet, client: Any, bucket: str) -> None:
    arn = start(client, definition_of(step(bucket, "long", "wait")))
    fleet.wait_for(lambda: any(job.started for job in fleet.jobs.values()), "the job")
    client.stop_pipeline_execution(PipelineExecutionArn=arn)
    status, steps = fleet.wait_for_execution(arn)
    assert (status, steps["long"]["StepStatus"]) == ("Stopped", "Stopped")


def test_the_same_token_is_the_same_start(fleet: Fleet, client: Any, bucket: str) -> None:
    definition = definition_of(step(bucket, "one", "copy"))
    client.create_pipeline(PipelineName="once", PipelineDefinition=definition, RoleArn=ROLE)
    arns = {
        client.start_pipeline_execution(PipelineName="once", ClientRequestToken="t" * 32)["PipelineExecutionArn"]
        for _ in range(2)
    }
    assert len(arns) == 1
    assert client.describe_pipeline(PipelineName="once")["PipelineDefinition"] == definition


def wrong_definitions() -> Iterator[tuple[str, str]]:
    one = step("bucket", "one", "copy")
    yield "Version", json.dumps({"Version": "2021-01-01", "Steps": [one]})
    yield "Colour", json.dumps({"Version": "2020-12-01", "Steps": [one], "Colour": "red"})
    yield "Steps.0.Processing.Retry", definition_of({**one, "Retry": 1})
    yield "MaxAttempts", definition_of({**one, "RetryPolicies": [{**RETRIED, "MaxAttempts": 21}]})
    yield "only one of", definition_of({**one, "RetryPolicies": [{**RETRIED, "ExpireAfterMin": 3}]})
    yield "ExceptionType", definition_of({**one, "RetryPolicies": [{"ExceptionType": ["Step.SLOW"]}]})
    yield "no duration", definition_of({**one, "CacheConfig": {"Enabled": True, "ExpireAfter": "an hour"}})
    yield "there twice", definition_of(one, one)
    yield "after nobody, which is no step", definition_of({**one, "DependsOn": ["nobody"]})
    yield "wait for each other", definition_of({**one, "DependsOn": ["one"]})
    yield "Parameters.What is not known", definition_of(step("bucket", "one", {"Get": "Parameters.What"}))
    yield "Execution.Weather is not known", definition_of(step("bucket", "one", {"Get": "Execution.Weather"}))
    yield "makes ProcessingJobName", definition_of({**one, "Arguments": {"ProcessingJobName": "mine"}})
    yield "Invalid JSON", "{"


@pytest.mark.parametrize(("message", "definition"), [*wrong_definitions()])
def test_a_wrong_definition_is_refused(message: str, definition: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse(definition)


def test_no_pipeline_is_made_of_a_wrong_definition(fleet: Fleet, bucket: str) -> None:
    client, definition = fleet.client(), definition_of(step(bucket, "one", {"Get": "Parameters.What"}))
    with pytest.raises(ClientError, match="What is not known"):
        client.create_pipeline(PipelineName="wrong", PipelineDefinition=definition, RoleArn=ROLE)
    assert client.list_pipelines()["PipelineSummaries"] == []
    assert len(fleet.violations) == 1


def test_parameters_are_checked_at_the_start(fleet: Fleet, bucket: str) -> None:
    count = {"Name": "Count", "Type": "Integer", "EnumValues": [1, 2]}
    client, definition = fleet.client(), definition_of(step(bucket, "one", "copy"), parameters=[count])
    for values, message in (
        ({}, "Count has no default"),
        ({"Count": "x"}, "'x' is no Integer"),
        ({"Count": "3"}, r"3 is not one of \[1, 2\]"),
        ({"Colour": "red"}, "Colour"),
    ):
        with pytest.raises(ClientError, match=message):
            start(client, definition, **values)
    assert fleet.pipelines.executions == {}


def test_a_step_with_invalid_arguments_fails_and_is_recorded(fleet: Fleet, bucket: str) -> None:
    one = step(bucket, "one", "copy")
    one["Arguments"]["Environment"] = {"COUNT": {"Get": "Parameters.Count"}}
    count = {"Name": "Count", "Type": "Integer", "DefaultValue": 3}
    arn = start(fleet.client(), definition_of(one, parameters=[count]))
    status, steps = fleet.wait_for_execution(arn)
    assert (status, fleet.jobs) == ("Failed", {})
    assert "int at 'Environment.COUNT.member' can not be converted to a string" in steps["one"]["FailureReason"]
    assert len(fleet.violations) == 1


def test_nested_references_are_replaced() -> None:
    values = {"Parameters.A": 3, "Execution.PipelineExecutionId": "e1"}
    value = {"x": [{"Get": "Parameters.A"}, {"Std:Join": {"On": "-", "Values": ["a", {"Get": "Parameters.A"}, True]}}]}
    assert resolve(value, values.__getitem__) == {"x": [3, "a-3-true"]}


def test_an_unknown_path_is_refused() -> None:
    description: Request = {"A": {"B": [{"OutputName": "o", "C": 1}]}}
    assert look_up(description, "A.B['o'].C") == look_up(description, "A.B[0].C") == 1
    for path in ("A.B['p'].C", "A.B[1]", "A.X", "A.B.C", "A-B"):
        with pytest.raises(InvalidRequest, match="no place"):
            look_up(description, path)
