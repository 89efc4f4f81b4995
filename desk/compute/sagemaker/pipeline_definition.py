"""The pipeline as SageMaker Pipelines reads it: made of the steps and of the request of a processing job."""

import re
from typing import Any, cast

from desk.compute.pipeline.definition import EXPIRY_DAYS, REQUEST, RETRIES, STEPS, Retry, Step
from desk.compute.sagemaker.processing import APPLICATION, Cluster, request

VERSION = "2020-12-01"
SHARDS = "shards"
"""Where the instances of a search leave what they have computed, and find it when a step is tried again."""

_REFERENCE = re.compile(r"\{([A-Za-z]+)\}(.*)")


def definition(cluster: Cluster) -> dict[str, Any]:
    """What is the same in every execution stands in it; what differs is a parameter."""
    return {
        "Version": VERSION,
        "Parameters": [
            {"Name": "Folder", "Type": "String"},
            {"Name": "Training", "Type": "Boolean", "DefaultValue": False},
            {"Name": "Instances", "Type": "Integer", "DefaultValue": cluster.instances},
            {"Name": "InstanceType", "Type": "String", "DefaultValue": cluster.instance_type},
            {"Name": "Image", "Type": "String", "DefaultValue": cluster.image},
            {"Name": "Role", "Type": "String", "DefaultValue": cluster.role},
        ],
        "Steps": [_placed(step, cluster) for step in STEPS],
    }


def _placed(step: Step, cluster: Cluster) -> dict[str, Any]:
    after = {"DependsOn": list(step.needs)} if step.needs else {}
    if not step.optional:
        return _step(step, cluster) | after
    asked = {"Type": "Equals", "LeftValue": {"Get": f"Parameters.{step.name.title()}"}, "RightValue": True}
    return {
        "Name": f"{step.name}_wanted",
        "Type": "Condition",
        "Arguments": {"Conditions": [asked], "IfSteps": [_step(step, cluster)], "ElseSteps": []},
        **after,
    }


def _step(step: Step, cluster: Cluster) -> dict[str, Any]:
    return {
        "Name": step.name,
        "Type": "Processing",
        "Arguments": _arguments(step, cluster),
        "CacheConfig": {"Enabled": True, "ExpireAfter": f"P{EXPIRY_DAYS}D"},
        "RetryPolicies": [_policy(retry) for retry in RETRIES],
    }


def _arguments(step: Step, cluster: Cluster) -> dict[str, Any]:
    """Those of a processing job; what stands in braces is a parameter of the pipeline."""
    inputs = {name: f"{{Folder}}/{_place(name)}" for name in step.reads}
    outputs = {step.leaves: f"{{Folder}}/{step.name}"}
    if step.everywhere:
        inputs[SHARDS] = f"{{Folder}}/{SHARDS}"
        outputs = {SHARDS: f"{{Folder}}/{SHARDS}", **outputs}
    arguments = request(
        cluster.model_copy(update={"image": "{Image}", "role": "{Role}", "instance_type": "{InstanceType}"}),
        name="",
        arguments=["worker", "--step", step.name],
        inputs=inputs,
        outputs=outputs,
        tags={"application": APPLICATION},
        instances=2 if step.everywhere else 1,
    )
    del arguments["ProcessingJobName"]  # the service makes it
    if step.everywhere:
        arguments["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = {"Get": "Parameters.Instances"}
    return _referring(arguments)


def _place(name: str) -> str:
    """Where a folder lies: below the step that leaves it."""
    return REQUEST if name == REQUEST else next(step.name for step in STEPS if step.leaves == name)


def _policy(retry: Retry) -> dict[str, Any]:
    return {
        "ExceptionType": list(retry.faults),
        "IntervalSeconds": retry.first_seconds,
        "BackoffRate": retry.backoff,
        "MaxAttempts": retry.attempts,
    }


def _referring(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _referring(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_referring(each) for each in cast("list[Any]", value)]
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    parameter, rest = {"Get": f"Parameters.{found[1]}"}, found[2]
    return {"Std:Join": {"On": "", "Values": [parameter, rest]}} if rest else parameter
