"""Settings of where searches are computed, and the checks between them."""

from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from desk.compute.sagemaker.processing import Cluster
    from desk.governance.estimates import Machines

SAGEMAKER = "sagemaker"


class ComputeSettings(BaseSettings):
    compute: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_COMPUTE",
            max_length=300,
            pattern=r"^(ray(:(auto|[A-Za-z0-9_.\[\]:-]+:[0-9]+))?|sagemaker)?$",
            description="Where searches are computed; by default in this process.",
        ),
    ] = ""
    sagemaker_image: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_IMAGE",
            max_length=255,
            pattern=r"^([0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9][a-z0-9._/-]*"
            r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})?)?$",
            description="Image of exactly this version of the program in ECR.",
        ),
    ] = ""
    sagemaker_role: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_ROLE",
            max_length=2048,
            pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+)?$",
            description="Role with which SageMaker runs the image.",
        ),
    ] = ""
    sagemaker_storage: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_STORAGE",
            max_length=300,
            pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_][A-Za-z0-9_.=+@-]*)*/?)?$",
            description="Where jobs read their input and write shards and results.",
        ),
    ] = ""
    sagemaker_instances: Annotated[
        int,
        Field(
            validation_alias="SAGEMAKER_INSTANCES",
            ge=1,
            le=20,
            description="Instances of a job. More than eight rarely help, see [scaling](scaling.md#where-it-ends).",
        ),
    ] = 1
    sagemaker_instance_type: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_INSTANCE_TYPE",
            pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$",
            max_length=64,
            description="Type of the instances.",
        ),
    ] = "ml.c5.4xlarge"
    sagemaker_kms_key: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_KMS_KEY",
            max_length=2048,
            pattern=r"^[A-Za-z0-9:/_-]*$",
            description="Key that encrypts inputs, outputs and volumes; by default that of the bucket.",
        ),
    ] = ""
    sagemaker_subnets: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_SUBNETS",
            pattern=r"^(subnet-[0-9a-f]{8,17}(,subnet-[0-9a-f]{8,17}){0,15})?$",
            description="Subnets of the instances; needs `SAGEMAKER_SECURITY_GROUPS`.",
        ),
    ] = ""
    sagemaker_security_groups: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_SECURITY_GROUPS",
            pattern=r"^(sg-[0-9a-f]{8,17}(,sg-[0-9a-f]{8,17}){0,4})?$",
            description="Security groups of the instances; needs `SAGEMAKER_SUBNETS`.",
        ),
    ] = ""
    sagemaker_network_isolation: Annotated[
        bool,
        Field(
            validation_alias="SAGEMAKER_NETWORK_ISOLATION", description="Whether containers can reach only each other."
        ),
    ] = True
    sagemaker_tags: Annotated[
        str,
        Field(
            validation_alias="SAGEMAKER_TAGS",
            max_length=4000,
            pattern=r"^([A-Za-z0-9_.:/+@ -]{1,128}=[A-Za-z0-9_.:/+@ -]{0,256}"
            r"(,[A-Za-z0-9_.:/+@ -]{1,128}=[A-Za-z0-9_.:/+@ -]{0,256}){0,39})?$",
            description="Tags of jobs, for cost allocation.",
        ),
    ] = ""
    sagemaker_max_hours: Annotated[
        float,
        Field(
            validation_alias="SAGEMAKER_MAX_HOURS",
            gt=0.0,
            le=216.0,
            allow_inf_nan=False,
            description="Longest time of one processing job in hours.",
        ),
    ] = 24.0
    sagemaker_attempts: Annotated[
        int,
        Field(
            validation_alias="SAGEMAKER_ATTEMPTS",
            ge=1,
            le=20,
            description="Processing jobs that a search may use before it fails.",
        ),
    ] = 3
    instance_prices: Annotated[
        Path | None,
        Field(
            validation_alias="INSTANCE_PRICES",
            description="File in the format of `desk/compute/instance_prices.toml`, whose instances take precedence.",
        ),
    ] = None


COMPUTE_FORMS = {
    "STRATIGOS_COMPUTE": "ray, ray:auto, ray:HOST:PORT, sagemaker, or nothing for this process",
    "SAGEMAKER_IMAGE": "ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG, the image of this program",
    "SAGEMAKER_ROLE": "the ARN of a role, such as arn:aws:iam::123456789012:role/NAME",
    "SAGEMAKER_STORAGE": "s3://BUCKET or s3://BUCKET/PREFIX",
    "SAGEMAKER_INSTANCE_TYPE": "an instance type of SageMaker such as ml.c5.4xlarge",
    "SAGEMAKER_KMS_KEY": "the id or the ARN of a key, or nothing for the bucket's own encryption",
    "SAGEMAKER_SUBNETS": "up to 16 ids such as subnet-0123456789abcdef0, separated by commas, or nothing",
    "SAGEMAKER_SECURITY_GROUPS": "up to 5 ids such as sg-0123456789abcdef0, separated by commas, or nothing",
    "SAGEMAKER_TAGS": "up to 40 pairs such as team=allocation,stage=prod: letters, digits, spaces and :/+@_.-",
}


def check_compute(settings: ComputeSettings) -> None:
    """Refuse settings of SageMaker that do not fit each other; forms are checked where they are read."""
    if settings.compute == SAGEMAKER:
        require_sagemaker(settings, "STRATIGOS_COMPUTE is sagemaker")


def require_sagemaker(settings: ComputeSettings, because: str) -> None:
    """Refuse settings with which SageMaker cannot be asked for anything."""
    needed = {
        "SAGEMAKER_IMAGE": settings.sagemaker_image,
        "SAGEMAKER_ROLE": settings.sagemaker_role,
        "SAGEMAKER_STORAGE": settings.sagemaker_storage,
    }
    placing = {
        "SAGEMAKER_SUBNETS": settings.sagemaker_subnets,
        "SAGEMAKER_SECURITY_GROUPS": settings.sagemaker_security_groups,
    }
    missing = [name for name, value in needed.items() if not value]
    reasons = [because] if missing else []
    for name, companion in permutations(placing):
        if placing[companion] and not placing[name]:
            missing.append(name)
            reasons.append(f"{companion} is set")
    if missing:
        reason, allowed = ("are not set", "a value of each") if len(missing) > 1 else ("is not set", "a value")
        since = f"{allowed}, since {' and '.join(reasons)}"
        raise InvalidInput(", ".join(missing), "", reason=reason, allowed=since)
    machines_of(settings)
    _tags(settings)


def cluster_of(settings: ComputeSettings) -> "Cluster":
    from desk.compute.sagemaker.processing import Cluster

    bucket, _, prefix = settings.sagemaker_storage.removeprefix("s3://").rstrip("/").partition("/")
    return Cluster(
        image=settings.sagemaker_image,
        role=settings.sagemaker_role,
        bucket=bucket,
        prefix=prefix,
        instances=settings.sagemaker_instances,
        instance_type=settings.sagemaker_instance_type,
        kms_key=settings.sagemaker_kms_key,
        subnets=_listed(settings.sagemaker_subnets),
        security_groups=_listed(settings.sagemaker_security_groups),
        network_isolation=settings.sagemaker_network_isolation,
        tags=_tags(settings),
        max_hours=settings.sagemaker_max_hours,
        attempts=settings.sagemaker_attempts,
    )


def machines_of(settings: ComputeSettings) -> "Machines":
    from desk.compute.instance_types import read_instances
    from desk.compute.sagemaker.processing import STARTING_SECONDS
    from desk.governance.estimates import Machines

    table, type_ = read_instances(settings.instance_prices), settings.sagemaker_instance_type
    instance = table.of(type_)
    if instance is None:
        reason = f"the cores and the price of {type_} are not known"
        known_types = ", ".join(dict.fromkeys(each.type for each in table.instances))
        allowed = f"{known_types}, or one that the file of INSTANCE_PRICES has"
        raise InvalidInput("SAGEMAKER_INSTANCE_TYPE", type_, reason=reason, allowed=allowed)
    return Machines(
        kind=SAGEMAKER,
        instances=settings.sagemaker_instances,
        cores=settings.sagemaker_instances * instance.cores,
        instance_type=type_,
        dollars_per_hour=instance.dollars_per_hour,
        starting_seconds=STARTING_SECONDS,
    )


def _listed(value: str) -> tuple[str, ...]:
    return tuple(filter(None, value.split(",")))


def _tags(settings: ComputeSettings) -> tuple[tuple[str, str], ...]:
    from desk.compute.sagemaker.processing import RESERVED_TAGS

    tags = [(name, value) for name, _, value in (pair.partition("=") for pair in _listed(settings.sagemaker_tags))]
    names = [name for name, _ in tags]
    for reason, wrong in (
        ("is added to every job already", sorted(RESERVED_TAGS & set(names))),
        ("is reserved by AWS", [name for name in names if name.lower().startswith("aws:")]),
        ("is there twice", sorted({name for name in names if names.count(name) > 1})),
    ):
        if wrong:
            problem = f"{', '.join(wrong)} {reason}"
            raise InvalidInput("SAGEMAKER_TAGS", settings.sagemaker_tags, reason=problem, allowed="other names")
    return tuple(tags)
