"""When objects move to cheaper classes, and when they expire."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3

from store.aws.item_documents import EXPIRY_DAYS, expiring_folder

INFREQUENT_DAYS, COLD_DAYS = 30, 90
"""Days after which documents move to cheaper classes. Both are read at once, so `restore` needs no preparation."""
UPLOAD_DAYS = 30
"""Imported files are data sets by then."""


def expiry(name: str, days: int, *, prefix: str) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id=name, prefix=prefix, expiration=Duration.days(days), noncurrent_version_expiration=Duration.days(1)
    )


def expiring_documents() -> list[s3.LifecycleRule]:
    """Uploads, and documents of records that expire; S3 does not copy these deletions to another region."""
    return [
        expiry("imports", UPLOAD_DAYS, prefix="imports/"),
        *(expiry(f"expiring-{days}", days, prefix=expiring_folder(days)) for days in EXPIRY_DAYS),
    ]


def to_infrequent_access() -> s3.Transition:
    return s3.Transition(
        storage_class=s3.StorageClass.INFREQUENT_ACCESS, transition_after=Duration.days(INFREQUENT_DAYS)
    )


def to_glacier() -> s3.Transition:
    return s3.Transition(
        storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transition_after=Duration.days(COLD_DAYS)
    )


def unfinished_uploads() -> s3.LifecycleRule:
    return s3.LifecycleRule(id="unfinished-uploads", abort_incomplete_multipart_upload_after=Duration.days(1))
