"""The pipeline definition, compared with its steps and with SageMaker's service model."""

import json
from typing import Any

import pytest

from desk.compute.pipeline.definition import RETRIES, STEPS
from desk.compute.sagemaker.pipeline_definition import definition
from desk.compute.sagemaker.processing import Cluster
from tests.doubles.sagemaker.definitions import order_steps, parse
from tests.doubles.sagemaker.references import resolve
from tests.doubles.sagemaker.validation import reject_invalid

ROLE = "arn:aws:iam::123456789012:role/stratigos"
SEALED = Cluster(
    image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/stratigos:1",
    role=ROLE,
    bucket="desk",
    prefix="searches",
    instances=8,
    kms_key="arn:aws:kms:eu-west-1:123456789012:key/0f0e",
    subnets=("subnet-0123456789abcdef0",),
    security_groups=("sg-0123456789abcdef0",),
    tags=(("team", "allocation"),),
)
PARAMETERS = {"Folder": "s3://desk/searches/pipelines/ab12", "Training": True}


def parameters(document: dict[str, Any]) -> dict[str, Any]:
    return {each["Name"]: each.get("DefaultValue") for each in document["Parameters"]} | PARAMETERS


def arguments(document: dict[str, Any]) -> dict[str, Any]:
    """The request of each processing step, as an execution would send it."""
    values = {f"Parameters.{name}": value for name, value in parameters(document).items()}
    steps = [each.step for each in order_steps(parse(json.dumps(document)).steps)]
    return {step.name: resolve(step.arguments, values.__getitem__) for step in steps if step.type == "Processing"}


def test_the_pipeline_has_the_steps_in_their_order() -> None:
    document = definition(SEALED)
    after = {
        each.step.name: (each.after - {each.only_if[0]} if each.only_if else each.after)
        for each in order_steps(parse(json.dumps(document)).steps)
    }
    for step in STEPS:
        condition_name = f"{step.name}_wanted" if step.optional else step.name
        assert after[condition_name] == set(step.dependencies)
        assert after[step.name] <= set(step.dependencies)
    assert [name for name in after if not name.endswith("_wanted")] == [step.name for step in STEPS]


def test_every_step_is_cached_and_retried() -> None:
    for each in order_steps(parse(json.dumps(definition(SEALED))).steps):
        if each.step.type == "Processing":
            assert each.step.cache_config is not None
            assert each.step.cache_config.seconds == 30 * 86_400
            assert [tuple(policy.exception_type) for policy in each.step.retry_policies] == [
                retry.faults for retry in RETRIES
            ]


@pytest.mark.parametrize("cluster", [SEALED, SEALED.model_copy(update={"kms_key": "", "subnets": (), "tags": ()})])
def test_the_definition_fits_the_model_of_the_service(cluster: Cluster) -> None:
    document = definition(cluster)
    request = {"PipelineName": "stratigos", "PipelineDefinition": json.dumps(document), "RoleArn": ROLE}
    reject_invalid("CreatePipeline", request | {"ClientRequestToken": "0" * 32})
    for step in arguments(document).values():
        reject_invalid("CreateProcessingJob", {"ProcessingJobName": "made-by-the-service"} | step)


def test_steps_find_what_others_leave_below_the_folder_of_the_execution() -> None:
    uris: dict[str, str] = {"request": f"{PARAMETERS['Folder']}/request"}
    for (name, request), step in zip(arguments(definition(SEALED)).items(), STEPS, strict=True):
        assert name == step.name
        inputs = {each["InputName"]: each["S3Input"]["S3Uri"] for each in request["ProcessingInputs"]}
        shards = inputs.pop("shards", None)
        assert inputs == {each: uris[each] for each in step.inputs}
        outputs = {each["OutputName"]: each["S3Output"] for each in request["ProcessingOutputConfig"]["Outputs"]}
        assert outputs.pop("shards", {"S3Uri": None})["S3Uri"] == shards
        assert outputs[step.output]["LocalPath"] == f"/opt/ml/processing/output/{step.output}"
        uris[step.output] = outputs[step.output]["S3Uri"]
        assert request["AppSpecification"]["ContainerArguments"] == ["worker", "--step", name]
        instances = request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        assert instances == (SEALED.instances if step.distributed else 1)
        assert request["NetworkConfig"]["EnableNetworkIsolation"]
        assert {"Key": "team", "Value": "allocation"} in request["Tags"]
    assert len(set(uris.values())) == len(uris)
