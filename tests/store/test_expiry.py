"""What deletes expired records on AWS: the time to live of an item, and the lifecycle rule of its document."""

import math
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store.records import Key
from tests.doubles.aws import Aws, point_at
from tests.store.openers import name_of, open_aws

pytestmark = pytest.mark.anyio

LARGE = {"noise": os.urandom(100_000).hex()}
KEY = Key("ann", "run", "r1")


@pytest.fixture
def aws(servers: dict[str, Aws], monkeypatch: pytest.MonkeyPatch) -> Aws:
    point_at(monkeypatch, servers["ministack"].url)
    return servers["ministack"]


def rule_of(aws: Aws, bucket: str, key: str) -> int | None:
    """The days after which the bucket deletes an object."""
    rules = aws.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    days = [rule["Expiration"]["Days"] for rule in rules if key.startswith(rule["Filter"]["Prefix"])]
    return min(days, default=None)


@pytest.mark.parametrize(("days", "rule"), [(-1, 2), (1, 2), (7.9, 8), (30, 32), (365, 400), (401, None), (None, None)])
async def test_a_document_outlives_its_record_by_days_at_most(
    aws: Aws, tmp_path: Path, days: float | None, rule: int | None
) -> None:
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    async with open_aws(tmp_path) as store:
        await store.records.put(KEY, LARGE, expires=expires)
        table, bucket = f"{name_of(tmp_path)}-records", name_of(tmp_path)
        items, [key] = aws.items(table), aws.objects(bucket)
        assert rule_of(aws, bucket, key) == rule
        assert len(items) == 2  # the record, and its place in the list of its kind
        if expires is not None:
            assert {int(item["ttl"]["N"]) for item in items} == {math.ceil(expires.timestamp())}
        await store.records.put(KEY, LARGE)  # without an expiry it stays, and so does its document
        items, [key] = aws.items(table), aws.objects(bucket)
        assert not any("ttl" in item for item in items)
        assert rule_of(aws, bucket, key) is None
