"""Where searches are computed, as the settings choose it: in this process, on a Ray cluster, or on SageMaker."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING

from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from api.settings import Settings
    from desk.compute.sagemaker.processing import Cluster
    from desk.governance.estimates import Machines
    from desk.market.prices import PriceSource
    from desk.optimization.jobs import JobRunner
    from store.store import Store

SAGEMAKER = "sagemaker"


@asynccontextmanager
async def job_runner(settings: "Settings", store: "Store", prices: "PriceSource") -> "AsyncGenerator[JobRunner]":
    from desk.optimization.inputs.owned_market import load_owned, owned_prices

    market = partial(load_owned, store, prices)
    if settings.compute == SAGEMAKER:
        from desk.compute.sagemaker.runner import sagemaker_runner

        check(settings)
        given = partial(owned_prices, store, prices)
        async with sagemaker_runner(store, given, cluster_of(settings), machines_of(settings)) as runner:
            yield runner
    elif settings.compute:
        from desk.compute.ray_cluster import ray_runner

        yield ray_runner(store, market, settings.compute.removeprefix("ray").removeprefix(":"))
    else:
        from desk.compute.local import LocalRunner

        yield LocalRunner(store, market)


def check(settings: "Settings") -> None:
    """Refuse settings of SageMaker that do not fit each other; forms are checked where they are read."""
    if settings.compute == SAGEMAKER:
        require(settings, "STRATIGOS_COMPUTE is sagemaker")


def require(settings: "Settings", because: str) -> None:
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


def cluster_of(settings: "Settings") -> "Cluster":
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


def machines_of(settings: "Settings") -> "Machines":
    from desk.compute.instance_types import read_instances
    from desk.compute.sagemaker.processing import STARTING_SECONDS
    from desk.governance.estimates import Machines

    table, type_ = read_instances(settings.instance_prices), settings.sagemaker_instance_type
    instance = table.of(type_)
    if instance is None:
        reason = f"the cores and the price of {type_} are not known"
        known = ", ".join(dict.fromkeys(each.type for each in table.instances))
        allowed = f"{known}, or one that the file of INSTANCE_PRICES has"
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


def _tags(settings: "Settings") -> tuple[tuple[str, str], ...]:
    from desk.compute.sagemaker.processing import RESERVED_TAGS

    tags = [(name, value) for name, _, value in (pair.partition("=") for pair in _listed(settings.sagemaker_tags))]
    names = [name for name, _ in tags]
    for reason, wrong in (
        ("is added to every job already", sorted(RESERVED_TAGS & set(names))),
        ("is reserved by AWS", [name for name in names if name.lower().startswith("aws:")]),
        ("is there twice", sorted({name for name in names if names.count(name) > 1})),
    ):
        if wrong:
            told = f"{', '.join(wrong)} {reason}"
            raise InvalidInput("SAGEMAKER_TAGS", settings.sagemaker_tags, reason=told, allowed="other names")
    return tuple(tags)
