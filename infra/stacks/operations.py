"""What an account has once: a trail of all calls, AWS Config, an analyzer of access, and notices of what they find."""

from aws_cdk import Duration
from aws_cdk import aws_accessanalyzer as accessanalyzer
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_config as config_
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.blocks.notices import notify
from infra.blocks.roles import service_principal, service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import bucket
from infra.config import StageConfig
from infra.stacks.data import Data
from infra.stacks.foundation import TRAIL, Foundation

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
        self._trail(archive, foundation, data)
        self._record(archive)
        self._notices(foundation)

    def _trail(self, archive: s3.Bucket, foundation: Foundation, data: Data) -> None:
        """All calls of the account, and the changes of documents; only this trail may write to the archive."""
        name = self.config.named(TRAIL)
        service = service_principal("cloudtrail.amazonaws.com")
        conditions = {"StringEquals": {"aws:SourceArn": self.arn("cloudtrail", f"trail/{name}")}}
        calls = archive.arn_for_objects(f"AWSLogs/{self.config.account}/*")
        for action, resource in (("s3:GetBucketAcl", archive.bucket_arn), ("s3:PutObject", calls)):
            archive.add_to_resource_policy(
                iam.PolicyStatement(principals=[service], actions=[action], resources=[resource], conditions=conditions)
            )
        documents = cloudtrail.CfnTrail.DataResourceProperty(
            type="AWS::S3::Object", values=[data.documents.arn_for_objects("")]
        )
        trail = cloudtrail.CfnTrail(
            self,
            "trail",
            trail_name=name,
            s3_bucket_name=archive.bucket_name,
            kms_key_id=foundation.operations_key.key_arn,
            is_logging=True,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            event_selectors=[
                cloudtrail.CfnTrail.EventSelectorProperty(include_management_events=True, read_write_type="All"),
                cloudtrail.CfnTrail.EventSelectorProperty(
                    include_management_events=False, read_write_type="WriteOnly", data_resources=[documents]
                ),
            ],
        )
        assert archive.policy is not None
        trail.node.add_dependency(archive.policy)

    def _notices(self, foundation: Foundation) -> None:
        """Findings that no metric shows, sent to the people who get alarms."""
        accessanalyzer.CfnAnalyzer(self, "analyzer", type="ACCOUNT", analyzer_name=self.config.named("access"))
        patterns = {
            "root-sign-in": events.EventPattern(
                detail_type=["AWS Console Sign In via CloudTrail"], detail={"userIdentity": {"type": ["Root"]}}
            ),
            "broken-rules": events.EventPattern(
                source=["aws.config"],
                detail_type=["Config Rules Compliance Change"],
                detail={"newEvaluationResult": {"complianceType": ["NON_COMPLIANT"]}},
            ),
            "open-access": events.EventPattern(
                source=["aws.access-analyzer"],
                detail_type=["Access Analyzer Finding"],
                detail={"status": ["ACTIVE"]},
            ),
        }
        for name, pattern in patterns.items():
            notify(self, name, foundation.alarms, pattern)

    def _record(self, archive: s3.Bucket) -> None:
        conditions = {"StringEquals": {"aws:SourceAccount": self.config.account}}
        service = service_principal("config.amazonaws.com", conditions)
        role = service_role(
            self,
            "recorder",
            "config.amazonaws.com",
            of_account=True,
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
