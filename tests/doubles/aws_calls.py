"""The calls that a server of moto receives, as the actions of IAM that they need."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from tests.doubles.aws_meter import Meter

CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/aws4_request")
OBJECT_ACTIONS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}
"""A POST of an object is a part of an upload in several parts."""
ITEM_ACTIONS = {
    "Put": "dynamodb:PutItem",
    "Delete": "dynamodb:DeleteItem",
    "Update": "dynamodb:UpdateItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


class AwsCall(NamedTuple):
    key: str
    """The id of the access key."""
    action: str
    resource: str
    """The name of the table, queue or bucket."""


def calls_of(environ: dict[str, Any]) -> Iterator[AwsCall]:
    """The actions that a request needs; its body can be read again afterwards."""
    match = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match is None:
        return
    key, service = match.groups()
    body = request_body(environ)
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if service == "s3":
        bucket, _, name = unquote(environ["PATH_INFO"]).strip("/").partition("/")
        if environ["QUERY_STRING"].rstrip("=") == "delete":  # several objects, which the body names
            yield AwsCall(key, "s3:DeleteObject", bucket)
        elif environ["REQUEST_METHOD"] == "DELETE" and "uploadId=" in environ["QUERY_STRING"]:
            yield AwsCall(key, "s3:AbortMultipartUpload", bucket)
        elif "lifecycle" in environ["QUERY_STRING"] and not name:
            yield AwsCall(key, "s3:GetLifecycleConfiguration", bucket)
        else:
            yield AwsCall(key, OBJECT_ACTIONS[environ["REQUEST_METHOD"]] if name else "s3:ListBucket", bucket)
    elif service == "dynamodb":
        yield from _item_calls(key, operation, json.loads(body))
    elif service == "secretsmanager":
        secret = json.loads(body).get("SecretId", "")  # a request that creates one has no id
        yield AwsCall(key, f"secretsmanager:{operation}", secret)
    elif service == "sqs":
        queue = json.loads(body).get("QueueUrl", "").rpartition("/")[2]
        yield AwsCall(key, f"sqs:{operation.removesuffix('Batch')}", queue)


def request_body(environ: dict[str, Any]) -> bytes:
    """The body of a request, which can be read again afterwards."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def measure(meter: Meter, environ: dict[str, Any], body: bytes, answer: bytes) -> None:
    """Count a request to DynamoDB or S3."""
    match = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match is not None and match[2] == "s3":
        meter.object(environ["REQUEST_METHOD"], sent=len(body), received=len(answer))
    elif match is not None and match[2] == "dynamodb":
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        meter.call(operation, json.loads(body), json.loads(answer or b"{}"))


def _item_calls(key: str, operation: str, request: dict[str, Any]) -> Iterator[AwsCall]:
    if operation == "TransactWriteItems":
        for each in request["TransactItems"]:
            for kind, item in each.items():
                yield AwsCall(key, ITEM_ACTIONS[kind], item["TableName"])
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in request["RequestItems"]:
            yield AwsCall(key, f"dynamodb:{operation}", table)
    else:
        yield AwsCall(key, f"dynamodb:{operation}", request.get("TableName", ""))  # a list of tables names none
