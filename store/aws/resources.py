"""What a deployment lacks on AWS: tables, time to live, lifecycle rules, queue settings, permissions."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from store.aws.client_errors import reason
from store.aws.clients import connect
from store.aws.item_documents import EXPIRY_DAYS, expiring_folder

MESSAGE_DAYS = 14
MAX_RECEIVES = 1000
"""Fewer receives, after which SQS moves a message away, would end jobs that wait for a free place."""
DENIED = {"AccessDenied", "AccessDeniedException", "403"}
ACTIONS = ("GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem")
"""Actions that can be probed without a change."""
CONDITION = "ConditionalCheckFailedException"
SECONDS_PER_DAY = 86_400


def lacking_table(
    name: str,
    keys: tuple[str, str],
    *,
    time_to_live: str | None = None,
    probes: Sequence[str] = (),
) -> Iterator[str]:
    """What the table lacks, and which of the actions `probes` is not permitted; that changes nothing."""
    what = f"the table {name!r}"
    with closing(connect("dynamodb", attempts=3)) as client:
        lacks: list[str] = []
        table = _ask(lacks, what, "dynamodb:DescribeTable", lambda: client.describe_table(TableName=name)["Table"])
        if table is not None:
            lacks += _schema(what, table, keys)
            if time_to_live is not None:
                lacks += _expiry(client, what, name, time_to_live)
            for action, call in _probes(client, name, keys):
                if action in probes:
                    _ask(lacks, what, f"dynamodb:{action}", call)
    yield from lacks


def lacking_bucket(name: str) -> Iterator[str]:
    """What the bucket of documents lacks."""
    what = f"the bucket {name!r}"
    with closing(connect("s3", attempts=3)) as client:
        lacks: list[str] = []
        if _ask(lacks, what, "s3:ListBucket", lambda: client.head_bucket(Bucket=name)) is not None:
            rules = _ask(lacks, what, "s3:GetLifecycleConfiguration", lambda: _lifecycle(client, name))
            if rules is not None:
                days = {_prefix(rule): rule.get("Expiration", {}).get("Days") for rule in rules}
                lacks += [
                    f"{what} has no lifecycle rule that deletes {expiring_folder(number)} after {number} days"
                    for number in EXPIRY_DAYS
                    if days.get(expiring_folder(number)) != number
                ]
    yield from lacks


def lacking_queue(url: str) -> Iterator[str]:
    """What the queue at this URL lacks."""
    what = f"the queue {url.rpartition('/')[2]!r}"
    with closing(connect("sqs", attempts=3)) as client:
        lacks: list[str] = []
        names = ["MessageRetentionPeriod", "RedrivePolicy"]
        answer = _ask(
            lacks,
            what,
            "sqs:GetQueueAttributes",
            lambda: client.get_queue_attributes(QueueUrl=url, AttributeNames=names),
        )
        if answer is not None:
            lacks += _queue_settings(what, answer.get("Attributes", {}))
    yield from lacks


def _ask(lacks: list[str], what: str, action: str, call: Callable[[], Any]) -> Any:
    """The answer; None, with what is lacking, if the resource or the permission is missing."""
    try:
        return call()
    except ClientError as error:
        response: Any = error.response
        code = response["Error"]["Code"]
        if code == CONDITION:  # the condition of a probe never holds: the action is permitted
            return {}
        lacks.append(
            f"the permission {action} on {what} is missing"
            if code in DENIED
            else f"{what} is missing ({reason(error)})"
        )
    except BotoCoreError as error:
        lacks.append(f"{what} cannot be reached ({reason(error)})")
    return None


def _schema(what: str, table: Any, keys: tuple[str, str]) -> Iterator[str]:
    present = tuple(key["AttributeName"] for key in table["KeySchema"])
    if present != keys:
        yield f"{what} has the keys {', '.join(present)}, not {', '.join(keys)}"
    if indexes := [index["IndexName"] for index in table.get("LocalSecondaryIndexes", ())]:
        yield f"{what} has the local indexes {', '.join(indexes)}, which limit each partition key to 10 GB"


def _expiry(client: Any, what: str, name: str, attribute: str) -> list[str]:
    lacks: list[str] = []
    answer = _ask(lacks, what, "dynamodb:DescribeTimeToLive", lambda: client.describe_time_to_live(TableName=name))
    if answer is not None:
        live = answer["TimeToLiveDescription"]
        on = live.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
        if not on or live.get("AttributeName") != attribute:
            lacks.append(f"the time to live of {what} is not on for the attribute {attribute!r}")
    return lacks


def _probes(client: Any, name: str, keys: tuple[str, str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Reads of an item that does not exist, and writes under a condition that it does not fulfil."""
    key = {each: {"S": "_desk#doctor"} for each in keys}
    values = {":key": {"S": "_desk#doctor"}}
    condition = {"ConditionExpression": "attribute_exists(#key)", "ExpressionAttributeNames": {"#key": keys[0]}}
    query = {
        "KeyConditionExpression": "#key = :key",
        "ExpressionAttributeNames": {"#key": keys[0]},
        "ExpressionAttributeValues": values,
        "Limit": 1,
    }
    yield "GetItem", lambda: client.get_item(TableName=name, Key=key)
    yield "BatchGetItem", lambda: client.batch_get_item(RequestItems={name: {"Keys": [key]}})
    yield "Query", lambda: client.query(TableName=name, **query)
    yield "PutItem", lambda: client.put_item(TableName=name, Item=key, **condition)
    yield "DeleteItem", lambda: client.delete_item(TableName=name, Key=key, **condition)


def _lifecycle(client: Any, bucket: str) -> list[Any]:
    try:
        return client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        response: Any = error.response
        if response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return []
        raise


def _prefix(rule: Any) -> str:
    return rule.get("Filter", {}).get("Prefix", rule.get("Prefix", "")) if rule.get("Status") == "Enabled" else ""


def _queue_settings(what: str, attributes: Any) -> Iterator[str]:
    seconds = int(attributes.get("MessageRetentionPeriod", 0))
    if seconds < MESSAGE_DAYS * SECONDS_PER_DAY:
        yield f"the setting MessageRetentionPeriod of {what} is {seconds}, not {MESSAGE_DAYS * SECONDS_PER_DAY} seconds"
    policy = attributes.get("RedrivePolicy")
    if policy is not None and (receives := _receives(policy)) < MAX_RECEIVES:
        yield f"the setting maxReceiveCount of {what} is {receives}, not {MAX_RECEIVES}"


def _receives(policy: str) -> int:
    return int(json.loads(policy)["maxReceiveCount"])
