"""Keys, log groups, buckets and tables: encrypted, private, and retained as the stage says."""

from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from infra.blocks.roles import service_principal
from infra.blocks.stack import StageStack

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    365: logs.RetentionDays.ONE_YEAR,
}
RECOVERY_DAYS = 35
"""How far back a table can be restored to any second; DynamoDB allows no more."""


USE = ("kms:Decrypt", "kms:GenerateDataKey*")
"""What services need that send to an encrypted queue or topic, or write to an encrypted bucket."""
USE_OF_LOGS = (*USE, "kms:DescribeKey", "kms:Encrypt", "kms:ReEncrypt*")


def encryption_key(stack: StageStack, name: str, description: str, services: Sequence[str] = ()) -> kms.IKey:
    """A key that rotates every year; `services` may use it on behalf of resources of this account."""
    key = kms.Key(
        stack,
        f"{name}-key",
        alias=stack.config.named(name),
        description=description,
        enable_key_rotation=True,
        removal_policy=stack.removal,
        pending_window=Duration.days(30 if stack.config.retained else 7),
    )
    for service in services:
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[service_principal(service)],
                actions=list(USE_OF_LOGS if service.startswith("logs.") else USE),
                resources=["*"],  # in the policy of a key this is the key itself
                conditions=_of_this_account(stack, service),
            )
        )
    return cast("kms.IKey", key)


def _of_this_account(stack: StageStack, service: str) -> Mapping[str, Mapping[str, str]]:
    if service.startswith("logs."):
        groups = stack.arn("logs", f"log-group:*{stack.config.prefix}*")
        return {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
    return {"StringEquals": {"aws:SourceAccount": stack.config.account}}


def log_group(stack: StageStack, name: str, key: kms.IKey) -> logs.LogGroup:
    return logs.LogGroup(
        stack,
        f"{name.strip('/').replace('/', '-')}-log",
        log_group_name=name if name.startswith(("/", "aws-waf-logs-")) else f"/{stack.config.prefix}/{name}",
        encryption_key=key,
        retention=_RETENTION[stack.config.log_days],
        removal_policy=stack.removal,
    )


def log_bucket(stack: StageStack, name: str, *, days: int) -> s3.Bucket:
    """A bucket of logs that AWS delivers from this account; these deliveries need S3's own encryption."""
    logs_bucket = bucket(
        stack,
        name,
        key=None,
        access_logs=None,
        versioned=False,
        lifecycle=[s3.LifecycleRule(id="expiry", expiration=Duration.days(days))],
    )
    for sid, service in (("DeliveredLogs", "delivery.logs"), ("AccessLogs", "logging.s3")):
        logs_bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                principals=[service_principal(f"{service}.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[logs_bucket.arn_for_objects("*")],
                conditions={"StringEquals": {"aws:SourceAccount": stack.config.account}},
            )
        )
    return logs_bucket


def bucket(
    stack: StageStack,
    name: str,
    *,
    key: kms.IKey | None,
    access_logs: s3.IBucket | None,
    lifecycle: Sequence[s3.LifecycleRule] = (),
    versioned: bool = True,
) -> s3.Bucket:
    """A private bucket that accepts TLS only; without a key S3's own encrypts it."""
    new = s3.Bucket(
        stack,
        f"{name}-bucket",
        bucket_name=stack.config.globally_named(name),
        encryption=s3.BucketEncryption.S3_MANAGED if key is None else s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=key is not None,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=versioned,
        lifecycle_rules=list(lifecycle),
        removal_policy=stack.removal,
    )
    if access_logs is not None:
        # the construct's own option would admit deliveries for every account
        resource = new.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=access_logs.bucket_name, log_file_prefix=f"s3/{name}/"
        )
    return new


def table(
    stack: StageStack,
    name: str,
    *,
    keys: tuple[str, str],
    key: kms.IKey,
    time_to_live: str | None = None,
    replicas: Mapping[str, str] | None = None,
) -> dynamodb.TableV2:
    """A table with string keys; `replicas` maps regions to keys of KMS."""
    partition, sort = (dynamodb.Attribute(name=each, type=dynamodb.AttributeType.STRING) for each in keys)
    return dynamodb.TableV2(
        stack,
        f"{name}-table",
        table_name=stack.config.named(name),
        partition_key=partition,
        sort_key=sort,
        billing=dynamodb.Billing.on_demand(),
        encryption=dynamodb.TableEncryptionV2.customer_managed_key(key, dict(replicas or {})),
        time_to_live_attribute=time_to_live,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True, recovery_period_in_days=RECOVERY_DAYS
        ),
        replicas=[dynamodb.ReplicaTableProps(region=region) for region in replicas or {}],
        deletion_protection=stack.config.retained,
        removal_policy=stack.removal,
    )
