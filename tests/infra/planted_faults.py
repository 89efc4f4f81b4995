"""Faults of storage, messages and processes, each with the rule that must name it."""

from tests.infra.template_edits import (
    Fault,
    change,
    container,
    drop,
    put,
    remove,
    resource,
)

BUCKET, TABLE, QUEUE = "AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::SQS::Queue"
FUNCTION = "AWS::Lambda::Function"
TASK = "AWS::ECS::TaskDefinition"
GLACIER = [{"Id": "cold", "Status": "Enabled", "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 9}]}]
EXPIRY = [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 365}]

FAULTS = (
    Fault(
        "public bucket",
        "bucket-public",
        "dev",
        change("data", BUCKET, "documents", drop("PublicAccessBlockConfiguration")),
    ),
    Fault(
        "bucket without its key", "bucket-encryption", "dev", change("data", BUCKET, "jobs", drop("BucketEncryption"))
    ),
    Fault("bucket that answers without TLS", "bucket-tls", "dev", remove("data", "AWS::S3::BucketPolicy", "documents")),
    Fault(
        "bucket without versions",
        "bucket-versions",
        "prod",
        change("data", BUCKET, "documents", drop("VersioningConfiguration")),
    ),
    Fault(
        "archive that needs hours to be read",
        "bucket-classes",
        "prod",
        change("data", BUCKET, "documents", put("LifecycleConfiguration", "Rules", value=GLACIER)),
    ),
    Fault(
        "documents that expire",
        "document-expiry",
        "prod",
        change("data", BUCKET, "documents", put("LifecycleConfiguration", "Rules", value=EXPIRY)),
    ),
    Fault(
        "documents of expired records that stay",
        "document-expiry",
        "dev",
        change("data", BUCKET, "documents", drop("LifecycleConfiguration")),
    ),
    Fault(
        "copies of expired documents that stay",
        "document-expiry",
        "prod",
        change("replica", BUCKET, "replicabucket", drop("LifecycleConfiguration")),
    ),
    Fault(
        "table without recovery to a point in time",
        "table-recovery",
        "dev",
        change("data", TABLE, "records", drop("Replicas", "0", "PointInTimeRecoverySpecification")),
    ),
    Fault(
        "recovery of a week",
        "table-recovery",
        "prod",
        change(
            "data",
            TABLE,
            "records",
            put("Replicas", "0", "PointInTimeRecoverySpecification", "RecoveryPeriodInDays", value=7),
        ),
    ),
    Fault("table without its key", "table-key", "dev", change("data", TABLE, "checkpoints", drop("SSESpecification"))),
    Fault(
        "table with a local index",
        "table-schema",
        "dev",
        change("data", TABLE, "events", put("LocalSecondaryIndexes", value=[{"IndexName": "by-state"}])),
        "it has local indexes",
    ),
    Fault(
        "audit log that expires",
        "table-schema",
        "dev",
        change("data", TABLE, "audit", put("TimeToLiveSpecification", value={"AttributeName": "ttl", "Enabled": True})),
        "its time to live is not that of its items",
    ),
    Fault(
        "table without a copy in the second region",
        "table-copies",
        "prod",
        change("data", TABLE, "records", lambda each: each["Replicas"].pop(0)),
    ),
    Fault(
        "documents without a copy",
        "table-copies",
        "prod",
        change("data", BUCKET, "documents", drop("ReplicationConfiguration")),
    ),
    Fault(
        "table without protection from deletion",
        "retained-data",
        "prod",
        change("data", TABLE, "records", put("Replicas", "0", "DeletionProtectionEnabled", value=False)),
    ),
    Fault(
        "bucket that is deleted with its stack",
        "retained-data",
        "prod",
        lambda templates: resource(templates, "data", BUCKET, "documents").update(DeletionPolicy="Delete"),
    ),
    Fault(
        "key that never rotates",
        "key-rotation",
        "dev",
        change("foundation", "AWS::KMS::Key", "data", put("EnableKeyRotation", value=False)),
    ),
    Fault("tables without a backup", "backup-plan", "prod", remove("data", "AWS::Backup::BackupSelection")),
    Fault(
        "backups that may be deleted",
        "backup-plan",
        "prod",
        change("data", "AWS::Backup::BackupVault", "", drop("LockConfiguration")),
    ),
    Fault(
        "image tags that change",
        "image-repository",
        "dev",
        change("foundation", "AWS::ECR::Repository", "", put("ImageTagMutability", value="MUTABLE")),
    ),
    Fault(
        "images that are not scanned",
        "image-repository",
        "dev",
        change("foundation", "AWS::ECR::Repository", "", drop("ImageScanningConfiguration")),
    ),
    Fault(
        "queue without a key", "queue-encryption", "dev", change("compute", QUEUE, "jobsqueue", drop("KmsMasterKeyId"))
    ),
    Fault(
        "queue that forgets after four days",
        "queue-retention",
        "dev",
        change("compute", QUEUE, "deadjobs", drop("MessageRetentionPeriod")),
    ),
    Fault(
        "queue without dead letters",
        "queue-dead-letters",
        "dev",
        change("compute", QUEUE, "jobsqueue", drop("RedrivePolicy")),
    ),
    Fault(
        "three receives for a job that may return",
        "queue-dead-letters",
        "dev",
        change("compute", QUEUE, "jobsqueue", put("RedrivePolicy", "maxReceiveCount", value=3)),
    ),
    Fault(
        "visibility below six times the timeout",
        "queue-visibility",
        "dev",
        change("compute", QUEUE, "jobsqueue", put("VisibilityTimeout", value=900)),
    ),
    Fault(
        "batch without partial answers",
        "queue-batches",
        "dev",
        change("compute", "AWS::Lambda::EventSourceMapping", "", drop("FunctionResponseTypes")),
    ),
    Fault("queue that answers without TLS", "queue-tls", "dev", remove("compute", "AWS::SQS::QueuePolicy", "jobs")),
    Fault(
        "function that any account may invoke",
        "function-callers",
        "dev",
        change("compute", "AWS::Lambda::Permission", "", drop("SourceArn")),
    ),
    Fault("topic without a subscription", "topic", "dev", remove("foundation", "AWS::SNS::Subscription")),
    Fault(
        "schedule of an unknown task",
        "schedules",
        "dev",
        change("compute", "AWS::Scheduler::Schedule", "sweep", put("Target", "Input", value='{"task": "tidy"}')),
    ),
    Fault("cleanup that never starts", "schedules", "dev", remove("compute", "AWS::Scheduler::Schedule", "cleanup")),
    Fault(
        "rule that loses failed events",
        "event-rules",
        "dev",
        change("compute", "AWS::Events::Rule", "uploads", drop("Targets", "0", "DeadLetterConfig")),
    ),
    Fault("scan that no person reads", "notices", "dev", remove("foundation", "AWS::Events::Rule", "imagefindings")),
    Fault(
        "root user who signs in unnoticed", "notices", "prod", remove("operations", "AWS::Events::Rule", "rootsignin")
    ),
    Fault(
        "log without an end",
        "log-retention",
        "dev",
        change("compute", "AWS::Logs::LogGroup", "tasks", drop("RetentionInDays")),
    ),
    Fault(
        "function with a log of its own",
        "function-log",
        "dev",
        change("compute", FUNCTION, "worker", drop("LoggingConfig")),
    ),
    Fault(
        "function with another entry point",
        "function-image",
        "dev",
        change("service", FUNCTION, "http", drop("ImageConfig")),
    ),
    Fault(
        "function that ends after a minute",
        "function-limits",
        "dev",
        change("compute", FUNCTION, "worker", put("Timeout", value=60)),
    ),
    Fault(
        "setting that does not exist",
        "known-settings",
        "dev",
        change("compute", FUNCTION, "worker", put("Environment", "Variables", "STRATIGOS_STOER", value="x")),
    ),
    Fault(
        "setting that the program refuses",
        "accepted-settings",
        "dev",
        change(
            "compute", FUNCTION, "worker", put("Environment", "Variables", "STRATIGOS_STORE", value="dynamodb:desk")
        ),
    ),
    Fault(
        "function without its queue",
        "needed-settings",
        "dev",
        change("compute", FUNCTION, "worker", drop("Environment", "Variables", "STRATIGOS_QUEUE")),
    ),
    Fault(
        "secret in a template",
        "secret-settings",
        "dev",
        change("compute", FUNCTION, "worker", put("Environment", "Variables", "STRATIGOS_AUDIT_KEY", value="a" * 40)),
    ),
    Fault(
        "task that writes to its image",
        "task-isolation",
        "prod",
        change("service", TASK, "http", container("ReadonlyRootFilesystem", value=False)),
    ),
    Fault(
        "task with a public address",
        "task-isolation",
        "prod",
        change(
            "service",
            "AWS::ECS::Service",
            "",
            put("NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp", value="ENABLED"),
        ),
    ),
    Fault(
        "API that holds back answers",
        "api-streams",
        "dev",
        change("service", "AWS::ApiGateway::Method", "", drop("Integration", "ResponseTransferMode")),
    ),
    Fault(
        "throttle below the application's limit",
        "api-throttle",
        "dev",
        change("service", "AWS::ApiGateway::Stage", "", put("MethodSettings", "0", "ThrottlingRateLimit", value=5)),
    ),
    Fault(
        "guardrail that changes without a new version",
        "guardrail-version",
        "dev",
        change(
            "agents",
            "AWS::Bedrock::Guardrail",
            "",
            put("ContentPolicyConfig", "FiltersConfig", "0", "InputStrength", value="HIGH"),
        ),
    ),
)
