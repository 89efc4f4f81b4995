"""Buckets, tables, keys, backups and the image repository."""

from collections.abc import Iterator

from graphs.checkpoints.table_check import KEYS as CHECKPOINT_KEYS
from infra.checks.assembly import Resource, Stage
from infra.checks.finding import Rule, Violation
from store.aws.item_documents import EXPIRY_DAYS, expiring_folder
from store.aws.tables import KEYS, TABLE_KINDS

RECOVERY_DAYS = 35
BUCKET, TABLE, KEY = "AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::KMS::Key"
LOG_BUCKETS = ("logs-bucket", "replica-logs-bucket")
"""They receive logs only; AWS delivers these to buckets with S3's own encryption."""
PUBLIC_FILES = "web-bucket"
READ_AT_ONCE = {"STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "INTELLIGENT_TIERING"}


def bucket_public(stage: Stage) -> Iterator[Violation]:
    for bucket in stage.of_type(BUCKET):
        block = bucket.get("PublicAccessBlockConfiguration", default={})
        missing = [
            name
            for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
            if block.get(name) is not True
        ]
        if missing:
            yield bucket, f"public access is not blocked: {', '.join(missing)}"


def bucket_encryption(stage: Stage) -> Iterator[Violation]:
    for bucket in stage.of_type(BUCKET):
        rules = bucket.get("BucketEncryption", "ServerSideEncryptionConfiguration", default=[])
        kinds = {each.get("ServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for each in rules}
        plain = bucket.name in (*LOG_BUCKETS, PUBLIC_FILES)
        if kinds != {"AES256" if plain else "aws:kms"}:
            yield bucket, f"its encryption is {sorted(map(str, kinds))}"


def bucket_tls(stage: Stage) -> Iterator[Violation]:
    for bucket in stage.of_type(BUCKET):
        policies = [
            each
            for each in stage.of_type("AWS::S3::BucketPolicy")
            if stage.text(each.stack, each.get("Bucket")) == f"{{{bucket.stack}/{bucket.name}}}"
        ]
        if not any(_denies_plain_http(each) for each in policies):
            yield bucket, "requests without TLS are not denied"


def _denies_plain_http(policy: Resource) -> bool:
    return any(
        statement.get("Effect") == "Deny"
        and statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
        for statement in policy.get("PolicyDocument", "Statement", default=[])
    )


def bucket_versions(stage: Stage) -> Iterator[Violation]:
    for bucket in stage.of_type(BUCKET):
        if bucket.name not in LOG_BUCKETS and bucket.get("VersioningConfiguration", "Status") != "Enabled":
            yield bucket, "overwritten and deleted objects are lost: it keeps no versions"


def bucket_classes(stage: Stage) -> Iterator[Violation]:
    """`restore` reads an archive at once, so no class may need hours."""
    for bucket in stage.of_type(BUCKET):
        for rule in bucket.get("LifecycleConfiguration", "Rules", default=[]):
            classes = {each["StorageClass"] for each in rule.get("Transitions", [])}
            if slow := classes - READ_AT_ONCE:
                yield bucket, f"objects of {', '.join(sorted(slow))} cannot be read at once"


def document_expiry(stage: Stage) -> Iterator[Violation]:
    """Documents of records that expire, and uploads, which are data sets by then, expire; nothing else does.

    S3 does not copy deletions by rules to the second region, so the same rules are there.
    """
    required = {expiring_folder(days): days for days in EXPIRY_DAYS}
    for bucket in stage.of_type(BUCKET):
        if bucket.name in ("documents-bucket", "replica-bucket"):
            rules = bucket.get("LifecycleConfiguration", "Rules", default=[])
            days = {rule.get("Prefix", ""): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
            for prefix in days.keys() - required.keys() - {"imports/"}:
                yield bucket, f"documents below {prefix!r} expire"
            for prefix, number in required.items():
                if days.get(prefix) != number:
                    yield bucket, f"documents below {prefix!r} do not expire after {number} days"


def table_recovery(stage: Stage) -> Iterator[Violation]:
    for table in stage.of_type(TABLE):
        for replica in table.get("Replicas", default=[]):
            recovery = replica.get("PointInTimeRecoverySpecification", {})
            if recovery.get("PointInTimeRecoveryEnabled") is not True:
                yield table, f"no recovery to a point in time in {replica['Region']}"
            elif recovery.get("RecoveryPeriodInDays", RECOVERY_DAYS) != RECOVERY_DAYS:
                yield table, f"recovery reaches back {recovery['RecoveryPeriodInDays']} days, not {RECOVERY_DAYS}"


def table_key(stage: Stage) -> Iterator[Violation]:
    for table in stage.of_type(TABLE):
        if table.get("SSESpecification", "SSEType") != "KMS":
            yield table, "it is not encrypted with a key of this account"
        for replica in table.get("Replicas", default=[]):
            if not replica.get("SSESpecification", {}).get("KMSMasterKeyId"):
                yield table, f"its copy in {replica['Region']} names no key"


def table_schema(stage: Stage) -> Iterator[Violation]:
    """The store refuses a table with other keys; local indexes would limit each partition key to 10 GB."""
    required = {f"{kind.name}-table": KEYS for kind in TABLE_KINDS} | {"checkpoints-table": tuple(CHECKPOINT_KEYS)}
    expiring = {f"{kind.name}-table" for kind in TABLE_KINDS if kind.time_to_live} | {"checkpoints-table"}
    for table in stage.of_type(TABLE):
        keys = tuple(each["AttributeName"] for each in table.get("KeySchema", default=[]))
        if keys != required.get(table.name):
            yield table, f"its keys are {keys}"
        if table.get("LocalSecondaryIndexes", default=[]):
            yield table, "it has local indexes"
        if table.get("TimeToLiveSpecification", "AttributeName") != ("ttl" if table.name in expiring else None):
            yield table, "its time to live is not that of its items"


def table_copies(stage: Stage) -> Iterator[Violation]:
    regions = {stage.config.region} | ({stage.config.replica_region} if stage.config.replica_region else set())
    for table in stage.of_type(TABLE):
        if {each["Region"] for each in table.get("Replicas", default=[])} != regions:
            yield table, f"it is not in the regions {', '.join(sorted(map(str, regions)))}"
    for bucket in stage.of_type(BUCKET):
        if bucket.name == "documents-bucket" and (stage.config.replica_region is not None) != bool(
            bucket.get("ReplicationConfiguration", "Rules", default=[])
        ):
            yield bucket, "documents are not copied as the stage says"


def retained_data(stage: Stage) -> Iterator[Violation]:
    """What a retained stage stores survives the deletion of its stack."""
    for resource in stage.of_type(BUCKET, TABLE, KEY, "AWS::Cognito::UserPool", "AWS::Backup::BackupVault"):
        if stage.config.retained and resource.attributes.get("DeletionPolicy") != "Retain":
            yield resource, "it is deleted with its stack"
        protected = [each.get("DeletionProtectionEnabled") for each in resource.get("Replicas", default=[])]
        if stage.config.retained and resource.type == TABLE and not all(protected):
            yield resource, "it is not protected from deletion"


def key_rotation(stage: Stage) -> Iterator[Violation]:
    for key in stage.of_type(KEY):
        if key.get("EnableKeyRotation") is not True:
            yield key, "it does not rotate"


def backup_plan(stage: Stage) -> Iterator[Violation]:
    selected = {
        stage.text(each.stack, arn)
        for each in stage.of_type("AWS::Backup::BackupSelection")
        for arn in each.get("BackupSelection", "Resources", default=[])
    }
    for table in stage.of_type(TABLE):
        if not any(table.name in str(arn) for arn in selected):
            yield table, "no backup plan selects it"
    for vault in stage.of_type("AWS::Backup::BackupVault"):
        if not vault.get("EncryptionKeyArn"):
            yield vault, "its copies are not encrypted with a key of this account"
        if stage.config.retained and not vault.get("LockConfiguration", "MinRetentionDays"):
            yield vault, "its copies may be deleted before their time"


def image_repository(stage: Stage) -> Iterator[Violation]:
    for repository in stage.of_type("AWS::ECR::Repository"):
        if repository.get("ImageTagMutability") != "IMMUTABLE":
            yield repository, "a tag may name another image tomorrow"
        if repository.get("ImageScanningConfiguration", "ScanOnPush") is not True:
            yield repository, "images are not scanned"


STORAGE_RULES: tuple[Rule, ...] = (
    bucket_public,
    bucket_encryption,
    bucket_tls,
    bucket_versions,
    bucket_classes,
    document_expiry,
    table_recovery,
    table_key,
    table_schema,
    table_copies,
    retained_data,
    key_rotation,
    backup_plan,
    image_repository,
)
