"""Builds the request of a SageMaker processing job, and interprets the job's description."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import Field

from quant.numeric.frozen import Frozen

PROCESSING = "/opt/ml/processing"
VOLUME_GB = 30
STARTING_SECONDS = 240.0
"""Usual time until an instance computes: allocation, image pull, download of the input."""
APPLICATION = "stratigos"
RESERVED_TAGS = frozenset({"application", "owner", "run"})
LONGEST_REASON = 1000
FAULT, MENDABLE = 1, 2
"""Exit codes of a container for a fault and for an error that the user can fix; others mean a lost instance."""

_CAPACITY = re.compile(r"\b(CapacityError|InsufficientInstanceCapacity|InsufficientCapacity)", re.IGNORECASE)
_EXIT_CODES = re.compile(r"exit codes?\b(.*)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"(?<![\d.])\d{1,3}(?![\d.])")
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")

Meaning: TypeAlias = Literal[
    "waiting", "running", "completed", "stopped", "too_long", "lost", "capacity", "fault", "mendable"
]


class Cluster(Frozen):
    """Settings of processing jobs."""

    image: str
    role: str
    """ARN of the role of jobs."""
    bucket: str
    prefix: str = ""
    instances: Annotated[int, Field(ge=1, le=20)] = 4
    instance_type: str = "ml.c5.4xlarge"
    kms_key: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    network_isolation: bool = True
    tags: tuple[tuple[str, str], ...] = ()
    max_hours: Annotated[float, Field(gt=0.0, le=216.0)] = 24.0
    """Maximum duration of one attempt."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3

    def key(self, job: str, *below: str) -> str:
        """Key of a file or folder of a job in the bucket."""
        return "/".join(part for part in (self.prefix, "jobs", job, *below) if part)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    @property
    def max_seconds(self) -> int:
        return round(3600 * self.max_hours)

    @property
    def role_name(self) -> str:
        """The role's name without the account number."""
        return self.role.partition(":role/")[2]


def request(
    cluster: Cluster,
    *,
    name: str,
    arguments: list[str],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    tags: Mapping[str, str],
    instances: int,
) -> dict[str, Any]:
    """Arguments of `create_processing_job`; `inputs` and `outputs` map names to S3 URIs."""
    encryption = {"KmsKeyId": cluster.kms_key} if cluster.kms_key else {}
    return {
        "ProcessingJobName": name,
        "ProcessingInputs": [_input(each, uri) for each, uri in inputs.items()],
        "ProcessingOutputConfig": {"Outputs": [_output(each, uri) for each, uri in outputs.items()], **encryption},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": instances,
                "InstanceType": cluster.instance_type,
                "VolumeSizeInGB": VOLUME_GB,
                **({"VolumeKmsKeyId": cluster.kms_key} if cluster.kms_key else {}),
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": cluster.max_seconds},
        "AppSpecification": {"ImageUri": cluster.image, "ContainerArguments": arguments},
        "Environment": {"STRATIGOS_LOG": "stdout"},
        "NetworkConfig": _network(cluster, instances),
        "RoleArn": cluster.role,
        "Tags": [{"Key": key, "Value": value} for key, value in (*tags.items(), *cluster.tags)],
    }


def tags_of(owner: str, run: str) -> dict[str, str]:
    """Tags of a job, with a digest of the owner because names may be email addresses and tags appear in bills."""
    digest = hashlib.sha256(owner.encode()).hexdigest()[:16]
    return {"application": APPLICATION, "owner": digest, "run": run}


def _input(name: str, uri: str) -> dict[str, Any]:
    location = {
        "S3Uri": uri,
        "LocalPath": f"{PROCESSING}/input/{name}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"InputName": name, "S3Input": location}


def _output(name: str, uri: str) -> dict[str, Any]:
    location = {"S3Uri": uri, "LocalPath": f"{PROCESSING}/output/{name}", "S3UploadMode": "Continuous"}
    return {"OutputName": name, "S3Output": location}


def _network(cluster: Cluster, instances: int) -> dict[str, Any]:
    vpc = {"Subnets": list(cluster.subnets), "SecurityGroupIds": list(cluster.security_groups)}
    return {
        "EnableNetworkIsolation": cluster.network_isolation,
        "EnableInterContainerTrafficEncryption": instances > 1,
        **({"VpcConfig": vpc} if cluster.subnets else {}),
    }


class Outcome(NamedTuple):
    meaning: Meaning
    reason: str = ""
    """In AWS's words or the container's, without accounts; empty while nothing has ended."""


def outcome_of(description: Mapping[str, Any], longest: timedelta) -> Outcome:
    """The outcome in a response of `describe_processing_job`; `longest` is the maximum duration of a job."""
    status = description["ProcessingJobStatus"]
    if status in ("InProgress", "Stopping"):
        return Outcome("running" if "ProcessingStartTime" in description else "waiting")
    if status == "Completed":
        return Outcome("completed")
    if status == "Stopped":
        return Outcome("too_long", f"it ran for {longest}") if _duration(description) >= longest else Outcome("stopped")
    return _failure(str(description.get("FailureReason", "")), str(description.get("ExitMessage", "")))


def _failure(reason: str, message: str) -> Outcome:
    description = plain(reason) or "it failed, and AWS does not say why"
    if is_capacity(reason):
        return Outcome("capacity", description)
    if reason.startswith("ClientError"):
        return Outcome("mendable", description)
    exit_codes = _EXIT_CODES.search(reason)
    codes = {int(code) for code in _NUMBER.findall(exit_codes[1])} if exit_codes else set[int]()
    if MENDABLE in codes and message:
        return Outcome("mendable", plain(message))
    if reason.startswith("AlgorithmError") and message and codes <= {FAULT}:
        return Outcome("fault", plain(message))
    return Outcome("lost", description)


def is_capacity(reason: str) -> bool:
    return _CAPACITY.search(reason) is not None


def _duration(description: Mapping[str, Any]) -> timedelta:
    start: datetime | None = description.get("ProcessingStartTime")
    end: datetime | None = description.get("ProcessingEndTime")
    return end - start if start and end else timedelta()


def plain(text: str) -> str:
    """The text as one line of limited length, with account numbers masked."""
    line = " ".join(_ACCOUNT.sub("************", text).split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
