"""What an account has once: a trail of all calls, and AWS Config with the rules that this platform keeps."""

from aws_cdk import Duration
from aws_cdk import aws_cloudtrail as trail
from aws_cdk import aws_config as config_
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.blocks.roles import service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import bucket, log_group
from infra.config import StageConfig
from infra.stacks.data import Data
from infra.stacks.foundation import Foundation

AUDIT_YEARS = 7
RULES = (
    "CLOUD_TRAIL_ENABLED",
    "CLOUDWATCH_LOG_GROUP_ENCRYPTED",
    "DYNAMODB_PITR_ENABLED",
    "ENCRYPTED_VOLUMES",
    "IAM_ROOT_ACCESS_KEY_CHECK",
    "IAM_USER_MFA_ENABLED",
    "LAMBDA_FUNCTION_PUBLIC_ACCESS_PROHIBITED",
    "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED",
    "S3_BUCKET_SSL_REQUESTS_ONLY",
    "VPC_DEFAULT_SECURITY_GROUP_CLOSED",
)
"""Identifiers of managed rules of AWS Config."""


class Operations(StageStack):
    def __init__(self, scope: Construct, config: StageConfig, *, foundation: Foundation, data: Data) -> None:
        super().__init__(scope, "operations", config)
        archive = bucket(
            self,
            "account",
            key=foundation.operations_key,
            access_logs=data.logs,
            lifecycle=[
                s3.LifecycleRule(
                    id="archive",
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                            transition_after=Duration.days(90),
                        )
                    ],
                    expiration=Duration.days(365 * AUDIT_YEARS),
                )
            ],
        )
        calls = trail.Trail(
            self,
            "trail",
            trail_name=config.named("calls"),
            bucket=archive,
            encryption_key=foundation.operations_key,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_file_validation=True,
            send_to_cloud_watch_logs=True,
            cloud_watch_log_group=log_group(self, "calls", foundation.operations_key),
        )
        role = calls.node.find_child("LogsRole").node.default_child
        assert isinstance(role, iam.CfnRole)
        role.role_name = config.named("calls")
        calls.add_s3_event_selector(
            [trail.S3EventSelector(bucket=data.documents)], read_write_type=trail.ReadWriteType.WRITE_ONLY
        )
        self._record(archive)

    def _record(self, archive: s3.Bucket) -> None:
        service = iam.ServicePrincipal(
            "config.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.config.account}}
        )
        role = service_role(
            self,
            "recorder",
            "config.amazonaws.com",
            managed=["service-role/AWS_ConfigRole"],
            reason="AWS extends the policy of its recorder with each kind of resource.",
        )
        archive.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[service],
                actions=["s3:GetBucketAcl", "s3:ListBucket"],
                resources=[archive.bucket_arn],
            )
        )
        archive.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[service],
                actions=["s3:PutObject"],
                resources=[archive.arn_for_objects(f"config/AWSLogs/{self.config.account}/*")],
            )
        )
        recorder = config_.CfnConfigurationRecorder(
            self,
            "recorder",
            name=self.config.named("recorder"),
            role_arn=role.role_arn,
            recording_group=config_.CfnConfigurationRecorder.RecordingGroupProperty(
                all_supported=True, include_global_resource_types=True
            ),
        )
        channel = config_.CfnDeliveryChannel(
            self,
            "channel",
            name=self.config.named("recorder"),
            s3_bucket_name=archive.bucket_name,
            s3_key_prefix="config",
        )
        for identifier in RULES:
            rule = config_.CfnConfigRule(
                self,
                identifier.lower().replace("_", "-"),
                config_rule_name=self.config.named(identifier.lower().replace("_", "-")),
                source=config_.CfnConfigRule.SourceProperty(owner="AWS", source_identifier=identifier),
            )
            rule.node.add_dependency(recorder, channel)
