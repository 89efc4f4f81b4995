"""Functions of the image, and queues."""

from collections.abc import Mapping
from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from infra.blocks.roles import allow
from infra.blocks.stack import StageStack
from infra.blocks.storage import log_group

ENTRY_POINT = ["python", "-m", "api.lambda_"]
WRITE_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
PULL_BY_LAMBDA = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""Actions with which Lambda pulls an image."""
VISIBILITY = 6
"""Timeouts of its function for which a message stays invisible, as AWS advises."""
MOST_RECEIVES = 1000
"""SQS allows no more. A job that returns to the queue counts as received; the worker itself sets bad ones aside."""
MESSAGE_DAYS = 14


def image_function(
    stack: StageStack,
    name: str,
    *,
    role: iam.Role,
    repository: ecr.IRepository,
    key: kms.IKey,
    environment: Mapping[str, str],
    memory: int,
    timeout: Duration,
) -> lambda_.IFunction:
    """A function of the image with its own log group, which its role may write."""
    group = log_group(stack, f"/aws/lambda/{stack.config.named(name)}", key)
    stack.process_logs.append(group)
    allow_logs(role, group)
    allow(
        role,
        "Traces",
        ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        ["*"],
        reason="Traces have no resource that a policy could name.",
    )
    function = lambda_.DockerImageFunction(
        stack,
        f"{name}-function",
        function_name=stack.config.named(name),
        code=lambda_.DockerImageCode.from_ecr(
            images(stack, name, repository), tag_or_digest=stack.config.image, entrypoint=ENTRY_POINT, cmd=[]
        ),
        architecture=lambda_.Architecture.X86_64,
        role=role.without_policy_updates(),
        environment=dict(environment),
        environment_encryption=key,
        memory_size=memory,
        timeout=timeout,
        tracing=lambda_.Tracing.ACTIVE,
        log_group=group,
    )
    return cast("lambda_.IFunction", function)


def images(stack: StageStack, name: str, repository: ecr.IRepository) -> ecr.IRepository:
    """A reference to the repository that adds nothing to its policy, which admits the functions of the stage."""
    return ecr.Repository.from_repository_attributes(
        stack,
        f"{name}-images",
        repository_arn=repository.repository_arn,
        repository_name=stack.config.named("images"),
    )


def allow_logs(role: iam.Role, group: logs.LogGroup) -> None:
    allow(role, "Log", WRITE_LOG, [group.log_group_arn])


def queue(
    stack: StageStack, name: str, *, key: kms.IKey, visibility: Duration | None = None, dead: sqs.IQueue | None = None
) -> sqs.IQueue:
    """An encrypted queue that keeps messages for the longest time that SQS has, and accepts TLS only."""
    new = sqs.Queue(
        stack,
        f"{name}-queue",
        queue_name=stack.config.named(name),
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        data_key_reuse=Duration.hours(1),
        enforce_ssl=True,
        retention_period=Duration.days(MESSAGE_DAYS),
        visibility_timeout=visibility,
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=MOST_RECEIVES) if dead else None,
        removal_policy=stack.removal,
    )
    return cast("sqs.IQueue", new)
