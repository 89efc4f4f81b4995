"""The pipeline definition in the JSON schema of SageMaker Pipelines."""

import re
from typing import Any, cast

from desk.compute.pipeline.definition import EXPIRY_DAYS, REQUEST, RETRIES, STEPS, Retry, Step
from desk.compute.sagemaker.processing import APPLICATION, Cluster, request

VERSION = "2020-12-01"
SHARDS = "shards"
"""Folder in which the instances of a search store shards, so that a retried step reuses them."""

_REFERENCE = re.compile(r"\{([A-Za-z]+)\}(.*)")


def definition(cluster: Cluster) -> dict[str, Any]:
    """The definition, with a parameter for each value that differs between executions."""
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
        "Steps": [_step_or_condition(step, cluster) for step in STEPS],
    }


def _step_or_condition(step: Step, cluster: Cluster) -> dict[str, Any]:
    dependencies = {"DependsOn": list(step.dependencies)} if step.dependencies else {}
    if not step.optional:
        return _step(step, cluster) | dependencies
    condition = {"Type": "Equals", "LeftValue": {"Get": f"Parameters.{step.name.title()}"}, "RightValue": True}
    return {
        "Name": f"{step.name}_wanted",
        "Type": "Condition",
        "Arguments": {"Conditions": [condition], "IfSteps": [_step(step, cluster)], "ElseSteps": []},
        **dependencies,
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
    """Arguments of the step's processing job; names in braces become parameters of the pipeline."""
    inputs = {name: f"{{Folder}}/{_output_folder(name)}" for name in step.inputs}
    outputs = {step.output: f"{{Folder}}/{step.name}"}
    if step.distributed:
        inputs[SHARDS] = f"{{Folder}}/{SHARDS}"
        outputs = {SHARDS: f"{{Folder}}/{SHARDS}", **outputs}
    arguments = request(
        cluster.model_copy(update={"image": "{Image}", "role": "{Role}", "instance_type": "{InstanceType}"}),
        name="",
        arguments=["worker", "--step", step.name],
        inputs=inputs,
        outputs=outputs,
        tags={"application": APPLICATION},
        instances=2 if step.distributed else 1,
    )
    del arguments["ProcessingJobName"]  # SageMaker generates it
    if step.distributed:
        arguments["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = {"Get": "Parameters.Instances"}
    return _with_references(arguments)


def _output_folder(name: str) -> str:
    """Name of the step that writes the folder, or `request`."""
    return REQUEST if name == REQUEST else next(step.name for step in STEPS if step.output == name)


def _policy(retry: Retry) -> dict[str, Any]:
    return {
        "ExceptionType": list(retry.faults),
        "IntervalSeconds": retry.first_seconds,
        "BackoffRate": retry.backoff,
        "MaxAttempts": retry.attempts,
    }


def _with_references(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_references(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_with_references(item) for item in cast("list[Any]", value)]
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    parameter, rest = {"Get": f"Parameters.{match[1]}"}, match[2]
    return {"Std:Join": {"On": "", "Values": [parameter, rest]}} if rest else parameter
