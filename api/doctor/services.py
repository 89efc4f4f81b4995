"""Checks of the services that this installation uses: models, sign-in, the clock of AWS, and where searches run."""

import asyncio
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import Any

from agents.models.options import BEDROCK
from api.compute_settings import cluster_of
from api.doctor.findings import Finding, failed, invalid_setting, ok, skipped, warning
from api.http.errors.problems import Problem
from api.http.identity.authentication import check_auth_settings
from api.http.identity.jwks import JwksCache
from api.http.identity.loopback import LOOPBACK
from api.models import model_maker
from api.operations import readiness
from api.operations.aws_resources import lacking_resources, uses_aws
from api.settings import Settings, read_model_options
from desk.base.errors import InvalidInput, UserError
from store.errors import Unavailable

MAX_SKEW_SECONDS, REJECTED_SKEW_SECONDS = 30.0, 300.0
"""AWS rejects signatures beyond the second."""


async def check_models(settings: Settings) -> Finding:
    name = "models"
    try:
        models = await asyncio.to_thread(model_maker(settings))
        async with asyncio.timeout(2 * readiness.CHECK_TIMEOUT):
            result = await readiness.check_models(models)
    except InvalidInput as error:
        return invalid_setting(name, error)
    except (OSError, TimeoutError) as error:
        todo = "check the network, AWS_REGION, and the proxy or endpoint that is set"
        return failed(name, f"Bedrock cannot be reached: {str(error) or 'no response'}", todo)
    if result.status != "ok":
        return failed(name, result.reason, "set AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role")
    if models.unpriced:
        unpriced = ", ".join(models.unpriced)
        return warning(name, f"the price of {unpriced} is unknown", "add it to a file and set MODEL_PRICES")
    return ok(name, f"{models.name}; no model was called")


async def check_sign_in(settings: Settings) -> Finding:
    name, public = "sign-in", settings.host not in LOOPBACK
    if not settings.auth:
        if public:
            todo = "set STRATIGOS_AUTH to keys or cognito, or STRATIGOS_HOST to 127.0.0.1"
            return failed(name, f"authentication is off, and {settings.host} is not a loopback address", todo)
        return ok(name, "authentication is off: one local user, on this machine only")
    try:
        check_auth_settings(settings)
        if "cognito" in settings.auth:
            await JwksCache(settings.cognito_issuer).find("doctor")
    except InvalidInput as error:
        return invalid_setting(name, error)
    except Problem:
        todo = "check COGNITO_ISSUER and the network; until then sign-in with a token fails"
        return failed(name, f"the keys of {settings.cognito_issuer} cannot be read", todo)
    return ok(name, f"users sign in with {settings.auth.replace(',', ' or ')}")


async def check_clock(settings: Settings) -> Finding:
    call = _free_call(settings)
    if call is None:
        return skipped("clock", "no service of AWS is used")
    aws_time = await asyncio.to_thread(_aws_time, *call)
    if aws_time is None:
        return skipped("clock", "AWS did not respond, so its clock is unknown")
    skew = abs((datetime.now(UTC) - aws_time).total_seconds())
    difference = f"the clock differs from that of AWS by {skew:.0f} seconds"
    if skew < MAX_SKEW_SECONDS:
        return ok("clock", difference)
    finding = failed if skew > REJECTED_SKEW_SECONDS else warning
    return finding("clock", difference, "synchronize the clock by NTP: AWS rejects requests beyond five minutes")


async def check_compute(settings: Settings) -> Finding:
    name = "compute"
    if settings.compute.startswith("ray"):
        return await asyncio.to_thread(_check_ray, settings.compute)
    if not settings.compute:
        return ok(name, "searches run on this machine")
    from desk.compute.sagemaker.runner import check_access  # boto3

    cluster = cluster_of(settings)
    try:
        await check_access(cluster)
    except (UserError, Unavailable) as error:
        return failed(name, str(error), "check the credentials, AWS_REGION, the network, and SAGEMAKER_STORAGE")
    return ok(name, f"SageMaker responds; a search uses {cluster.instances} x {cluster.instance_type}")


def _check_ray(compute: str) -> Finding:
    from desk.compute.ray_cluster import check_head, resolve_address

    name, (setting, address) = "compute", resolve_address(compute.removeprefix("ray").removeprefix(":"))
    try:
        if address not in ("local", "auto"):
            check_head(address, setting)
    except InvalidInput as error:
        return invalid_setting(name, error)
    except OSError as error:
        return failed(name, f"no cluster responds at {address} ({setting}): {error}", f"start it, or unset {setting}")
    if find_spec("ray") is None:
        return failed(name, "Ray is not installed", "`uv sync --group ray`, or unset STRATIGOS_COMPUTE")
    return ok(name, f"searches run on {compute}")


def _free_call(settings: Settings) -> tuple[str, str, dict[str, Any]] | None:
    """Service, operation and arguments of a free call to a service of AWS that these settings use."""
    if place := settings.store or settings.checkpoints:
        table = place.removeprefix("dynamodb:").partition(",")[0]
        return "dynamodb", "describe_table", {"TableName": f"{table}-records" if settings.store else table}
    if settings.compute == "sagemaker":
        return "sagemaker", "describe_processing_job", {"ProcessingJobName": "stratigos"}
    if settings.queue:
        return "sqs", "get_queue_attributes", {"QueueUrl": settings.queue.removeprefix("sqs:").partition(",")[0]}
    with suppress(InvalidInput):  # reported by check_models
        options = read_model_options()
        if any(name.startswith(BEDROCK) for name in (options.model, *options.agents.values(), *options.fallbacks)):
            return "bedrock-runtime", "list_async_invokes", {"maxResults": 1}
    return None


def _aws_time(service: str, operation: str, arguments: dict[str, Any]) -> datetime | None:
    """The Date header of the response; an error response has one too."""
    from botocore.exceptions import BotoCoreError, ClientError

    from store.aws.clients import connect  # boto3

    try:
        with closing(connect(service)) as client:
            response = getattr(client, operation)(**arguments)
    except ClientError as error:
        response: Any = error.response
    except (BotoCoreError, Unavailable):
        return None
    date = response["ResponseMetadata"]["HTTPHeaders"].get("date")
    return None if date is None else parsedate_to_datetime(date)


async def check_resources(settings: Settings) -> Finding:
    """Tables, bucket and queues on AWS; tries reads, and writes under a condition that never holds."""
    name = "resources"
    if not uses_aws(settings):
        return skipped(name, "no table, bucket or queue of AWS is set")
    try:
        async with asyncio.timeout(10 * readiness.CHECK_TIMEOUT):
            lacking = await lacking_resources(settings, worker=settings.workers > 0)
    except (Unavailable, TimeoutError) as error:
        return failed(name, str(error) or "AWS does not respond", "check the network, the region and the credentials")
    if not lacking:
        return ok(name, "tables, time to live, lifecycle rules, queues and permissions are complete")
    todo = "correct it with infra/, or as docs/operations.md describes under DynamoDB, S3, SQS"
    return failed(name, "; ".join(lacking), todo)
