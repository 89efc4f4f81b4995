"""The second region: the key and the bucket of copies. The tables copy themselves there."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.blocks.lifecycle import expiring_documents, to_glacier
from infra.blocks.stack import StageStack
from infra.blocks.storage import bucket, encryption_key, log_bucket
from infra.config import StageConfig


class Replica(StageStack):
    def __init__(self, scope: Construct, config: StageConfig) -> None:
        assert config.replica_region is not None
        super().__init__(scope, "replica", config, region=config.replica_region)
        key = encryption_key(self, "replica", "Copies of the tables and the documents")
        self.alias = config.named("replica")
        self.key_arn = f"arn:aws:kms:{config.replica_region}:{config.account}:alias/{self.alias}"
        self.bucket_name = config.globally_named("replica")
        logs = log_bucket(self, "replica-logs", days=config.log_days)
        bucket(
            self,
            "replica",
            key=key,
            access_logs=logs,
            lifecycle=[
                s3.LifecycleRule(
                    id="classes", transitions=[to_glacier()], noncurrent_version_expiration=Duration.days(90)
                ),
                *expiring_documents(),
            ],
        )
