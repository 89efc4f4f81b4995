"""Events of API Gateway, of load balancers and of function URLs."""

import base64
from typing import Any
from urllib.parse import parse_qsl, quote

HOST = "127.0.0.1"


def rest(
    method: str,
    path: str,
    body: bytes | str | None = None,
    *,
    stage: str = "prod",
    headers: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    """A request of a REST API (payload format 1.0), below its stage."""
    path, _, query = path.partition("?")
    several: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        several.setdefault(name, []).append(value)
    default_headers = {"Host": [HOST], "Content-Type": ["application/json"]} | (headers or {})
    return {
        "resource": "/{proxy+}",
        "path": quote(path, safe="/%"),
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in default_headers.items()},
        "multiValueHeaders": default_headers,
        "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "requestContext": {
            "path": f"/{stage}{quote(path, safe='/%')}",
            "stage": stage,
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "203.0.113.7"},
        },
        **_body(body),
    }


def url(method: str, path: str, body: bytes | str | None = None, *, stage: str = "$default") -> dict[str, Any]:
    """A request of a function URL or of an HTTP API (payload format 2.0)."""
    path, _, query = path.partition("?")
    prefix = "" if stage == "$default" else f"/{stage}"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": prefix + quote(path, safe="/%"),
        "rawQueryString": query,
        "headers": {"host": HOST, "content-type": "application/json", "x-several": "one,two"},
        "cookies": ["first=1", "second=2"],
        "requestContext": {
            "stage": stage,
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "http": {"method": method, "path": prefix + path, "sourceIp": "203.0.113.7", "protocol": "HTTP/1.1"},
        },
        **_body(body),
    }


def balanced(method: str, path: str, body: bytes | str | None = None, *, several: bool = True) -> dict[str, Any]:
    """A request of an Application Load Balancer; `several` as a target group with multi-value headers sends it."""
    path, _, query = path.partition("?")
    pairs = dict(pair.split("=", 1) for pair in query.split("&")) if query else {}
    headers = {"host": HOST, "content-type": "application/json", "x-forwarded-for": "203.0.113.7, 198.51.100.9"}
    parameters: dict[str, Any] = {"headers": headers, "queryStringParameters": pairs}
    if several:
        parameters = {
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "multiValueQueryStringParameters": {name: [value] for name, value in pairs.items()},
        }
    group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/desk/6d0ecf831eec9f09"
    return {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": method,
        "path": quote(path, safe="/%"),
        **parameters,
        **_body(body),
    }


def _body(body: bytes | str | None) -> dict[str, Any]:
    if isinstance(body, bytes):
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body, "isBase64Encoded": False}
