"""What a deployment lacks on AWS: tables, time to live, lifecycle rules, queue settings, permissions."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from store.aws.client_errors import reason
from store.aws.clients import connect
from store.aws.item_documents import EXPIRY_DAYS, expiring_folder

MESSAGE_DAYS = 14
MAX_RECEIVES = 1000
"""Fewer receives, after which SQS moves a message away, would end jobs that wait for a free place."""
DENIED = {"AccessDenied", "AccessDeniedException", "KMS.AccessDeniedException", "403"}
ACTIONS = ("GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem")
"""Actions that can be probed without a change, as those of objects and messages."""
OBJECT_ACTIONS = ("GetObject", "PutObject", "DeleteObject")
QUEUE_ACTIONS = ("SendMessage", "ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage")
PROBED = "_desk/doctor"
"""Key of an object, and id of a message, that do not exist."""
SECONDS_PER_DAY = 86_400


class Resources:
    """The resources of a deployment, with a client for each service."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> "Resources":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def lacking_table(
        self,
        name: str,
        keys: tuple[str, str],
        *,
        time_to_live: str | None = None,
        probes: Sequence[str] = (),
    ) -> list[str]:
        """What the table lacks, and which of the actions `probes` is not permitted; to try them changes nothing."""
        what, client, lacks = f"the table {name!r}", self._client("dynamodb"), list[str]()
        table = _ask(lacks, what, "dynamodb:DescribeTable", lambda: client.describe_table(TableName=name)["Table"])
        if table is not None:
            lacks += _schema(what, table, keys)
            if time_to_live is not None:
                lacks += _expiry(client, what, name, time_to_live)
            _probe(lacks, what, "dynamodb", probes, _item_probes(client, name, keys))
        return lacks

    def lacking_bucket(self, name: str, *, expiring: bool = True, probes: Sequence[str] = ()) -> list[str]:
        """What the bucket lacks: lifecycle rules if documents expire in it, and permissions among `probes`."""
        what, client, lacks = f"the bucket {name!r}", self._client("s3"), list[str]()
        if _ask(lacks, what, "s3:ListBucket", lambda: client.head_bucket(Bucket=name)) is not None:
            _probe(lacks, what, "s3", probes, _object_probes(client, name))
            ask = "s3:GetLifecycleConfiguration"
            rules = _ask(lacks, what, ask, lambda: _lifecycle(client, name)) if expiring else None
            if rules is not None:
                days = {_prefix(rule): rule.get("Expiration", {}).get("Days") for rule in rules}
                lacks += [
                    f"{what} has no lifecycle rule that deletes {expiring_folder(number)} after {number} days"
                    for number in EXPIRY_DAYS
                    if days.get(expiring_folder(number)) != number
                ]
        return lacks

    def lacking_queue(self, url: str, *, probes: Sequence[str] = ()) -> list[str]:
        """What the queue at this URL lacks; `probes` as for tables."""
        what, client, lacks = f"the queue {url.rpartition('/')[2]!r}", self._client("sqs"), list[str]()
        names = ["MessageRetentionPeriod", "RedrivePolicy"]
        ask = "sqs:GetQueueAttributes"
        answer = _ask(lacks, what, ask, lambda: client.get_queue_attributes(QueueUrl=url, AttributeNames=names))
        if answer is not None:
            lacks += _queue_settings(what, answer.get("Attributes", {}))
            _probe(lacks, what, "sqs", probes, _message_probes(client, url))
        return lacks

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = connect(service, attempts=3)
        return self._clients[service]


def _ask(lacks: list[str], what: str, action: str, call: Callable[[], Any]) -> Any:
    """The answer; None, with what is lacking, if the resource or the permission is missing."""
    try:
        return call()
    except ClientError as error:
        lacks.append(
            f"the permission {action} on {what} is missing"
            if _code(error) in DENIED
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


def _probe(
    lacks: list[str], what: str, service: str, actions: Sequence[str], probes: Iterator[tuple[str, Callable[[], Any]]]
) -> None:
    """Try actions on a resource that exists; what is refused for any reason but a missing permission is permitted."""
    for action, call in probes:
        if action in actions:
            try:
                call()
            except ClientError as error:
                if _code(error) in DENIED:
                    lacks.append(f"the permission {service}:{action} on {what} is missing")
            except BotoCoreError as error:
                lacks.append(f"{what} cannot be reached ({reason(error)})")


def _object_probes(client: Any, bucket: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """A read of an object that does not exist, and writes under the condition that it does."""
    yield "GetObject", lambda: client.get_object(Bucket=bucket, Key=PROBED)
    yield "PutObject", lambda: client.put_object(Bucket=bucket, Key=PROBED, Body=b"", IfMatch=f'"{PROBED}"')
    yield "DeleteObject", lambda: client.delete_object(Bucket=bucket, Key=PROBED, IfMatch=f'"{PROBED}"')


def _message_probes(client: Any, url: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Requests that SQS refuses, because they name no message."""
    message = {"QueueUrl": url, "ReceiptHandle": PROBED}
    yield "SendMessage", lambda: client.send_message_batch(QueueUrl=url, Entries=[])
    yield "ReceiveMessage", lambda: client.receive_message(QueueUrl=url, MaxNumberOfMessages=0)
    yield "ChangeMessageVisibility", lambda: client.change_message_visibility(**message, VisibilityTimeout=0)
    yield "DeleteMessage", lambda: client.delete_message(**message)


def _item_probes(client: Any, name: str, keys: tuple[str, str]) -> Iterator[tuple[str, Callable[[], Any]]]:
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
        if _code(error) == "NoSuchLifecycleConfiguration":
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


def _code(error: ClientError) -> str:
    response: Any = error.response
    return response["Error"]["Code"]
