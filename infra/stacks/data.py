"""What must survive: the tables, the documents, the files of processing jobs, their copies and their backups."""

from typing import cast

from aws_cdk import Duration
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from graphs.checkpoints.table_check import KEYS as CHECKPOINT_KEYS
from infra.blocks.lifecycle import expiring_documents, expiry, to_glacier, to_infrequent_access, unfinished_uploads
from infra.blocks.roles import allow, service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import bucket, log_bucket, table
from infra.config import StageConfig
from infra.stacks.foundation import Foundation
from infra.stacks.replica import Replica
from store.aws.tables import KEYS, TABLE_KINDS

JOB_DAYS = 14
"""A search may be resumed for that time."""
PIPELINE_DAYS = 45
"""SageMaker skips a finished step for thirty days, and must still find its files."""


class Data(StageStack):
    def __init__(self, scope: Construct, config: StageConfig, foundation: Foundation, replica: Replica | None) -> None:
        super().__init__(scope, "data", config)
        key = foundation.data_key
        copies = {} if replica is None else {replica.region: replica.key_arn}
        partition, sort = CHECKPOINT_KEYS
        self.tables = [
            *(
                table(self, kind.name, keys=KEYS, key=key, time_to_live=kind.time_to_live, replicas=copies)
                for kind in TABLE_KINDS
            ),
            table(self, "checkpoints", keys=(partition, sort), key=key, time_to_live="ttl", replicas=copies),
        ]
        self.logs = log_bucket(self, "logs", days=max(config.log_days, 90))
        self.documents = bucket(self, "documents", key=key, access_logs=self.logs, lifecycle=self._document_classes())
        self.jobs = bucket(
            self,
            "jobs",
            key=key,
            access_logs=self.logs,
            lifecycle=[
                expiry("jobs", JOB_DAYS, prefix="jobs/"),
                expiry("pipelines", PIPELINE_DAYS, prefix="pipelines/"),
                unfinished_uploads(),
            ],
        )
        # the construct's own option would add a function that sets this
        documents = self.documents.node.default_child
        assert isinstance(documents, s3.CfnBucket)
        documents.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        if replica is not None:
            self.add_stack_dependency(replica)  # its names are known here, so nothing else refers to it
            self._replicate_documents(documents, foundation, replica)
        self._back_up(foundation)

    def _document_classes(self) -> list[s3.LifecycleRule]:
        version_days = 90 if self.config.retained else 7
        return [
            s3.LifecycleRule(
                id="classes",
                transitions=[to_infrequent_access(), to_glacier()],
                noncurrent_version_expiration=Duration.days(version_days),
            ),
            *expiring_documents(),
            unfinished_uploads(),
        ]

    def _replicate_documents(self, resource: s3.CfnBucket, foundation: Foundation, replica: Replica) -> None:
        """Copy every new object to the second region, under the key there."""
        target = f"arn:aws:s3:::{replica.bucket_name}"
        source = f"arn:aws:s3:::{self.config.globally_named('documents')}"
        role = service_role(self, "replication", "s3.amazonaws.com")
        allow(role, "Source", ["s3:GetReplicationConfiguration", "s3:ListBucket"], [source])
        read = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
        allow(role, "Read", read, [f"{source}/*"], reason="Every document has a copy.")
        write = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
        allow(role, "Write", write, [f"{target}/*"], reason="Every document has a copy.")
        allow(role, "Decrypt", ["kms:Decrypt"], [foundation.data_key.key_arn])
        allow(
            role,
            "Encrypt",
            ["kms:Encrypt"],
            [f"arn:aws:kms:{replica.region}:{self.config.account}:key/*"],
            reason="The key of the other region has an id that is not known here; the condition names its alias.",
            conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{replica.alias}"}},
        )
        resource.replication_configuration = s3.CfnBucket.ReplicationConfigurationProperty(
            role=role.role_arn,
            rules=[
                s3.CfnBucket.ReplicationRuleProperty(
                    id="second-region",
                    status="Enabled",
                    priority=1,
                    filter=s3.CfnBucket.ReplicationRuleFilterProperty(prefix=""),
                    delete_marker_replication=s3.CfnBucket.DeleteMarkerReplicationProperty(status="Enabled"),
                    source_selection_criteria=s3.CfnBucket.SourceSelectionCriteriaProperty(
                        sse_kms_encrypted_objects=s3.CfnBucket.SseKmsEncryptedObjectsProperty(status="Enabled")
                    ),
                    destination=s3.CfnBucket.ReplicationDestinationProperty(
                        bucket=target,
                        storage_class="STANDARD_IA",
                        encryption_configuration=s3.CfnBucket.EncryptionConfigurationProperty(
                            replica_kms_key_id=replica.key_arn
                        ),
                    ),
                )
            ],
        )

    def _back_up(self, foundation: Foundation) -> None:
        """A copy of the tables every day, besides the recovery to any second of the last 35 days.

        In a retained stage no copy can be deleted before its time.
        """
        days = 90 if self.config.retained else 7
        vault = backup.BackupVault(
            self,
            "vault",
            backup_vault_name=self.config.named("backups"),
            encryption_key=foundation.data_key,
            lock_configuration=backup.LockConfiguration(min_retention=Duration.days(days))
            if self.config.retained
            else None,
            block_recovery_point_deletion=self.config.retained,
            removal_policy=self.removal,
        )
        plan = backup.BackupPlan(
            self,
            "plan",
            backup_plan_name=self.config.named("daily"),
            backup_vault=vault,
            backup_plan_rules=[
                backup.BackupPlanRule(
                    rule_name="daily",
                    schedule_expression=events.Schedule.cron(hour="3", minute="0"),
                    delete_after=Duration.days(days),
                )
            ],
        )
        role = service_role(
            self,
            "backup",
            "backup.amazonaws.com",
            managed=[f"service-role/AWSBackupServiceRolePolicyFor{each}" for each in ("Backup", "Restores")],
            reason="AWS extends the policies of its backup service with the service.",
        )
        plan.add_selection(
            "tables",
            backup_selection_name=self.config.named("tables"),
            role=cast("iam.IRole", role),
            resources=[backup.BackupResource.from_dynamo_db_table(each) for each in self.tables],
            disable_default_backup_policy=True,
        )
