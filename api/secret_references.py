"""Secrets by reference: `secretsmanager:NAME#key` or `ssm:/path` in place of the value of a setting.

A value is read once in a process, and again when a server has refused it.
"""

import json
import os
import re
from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from typing import Any

from desk.base.errors import InvalidInput

REFERENCE = re.compile(r"secretsmanager:(?P<name>[^\s#]{1,2048})(?:#(?P<key>[^\s#]{1,200}))?|ssm:(?P<path>/\S{1,1010})")
SCHEMES = ("secretsmanager:", "ssm:")
FORM = "secretsmanager:NAME, secretsmanager:NAME#key of a secret of JSON, or ssm:/path"

_values: dict[str, str] = {}
_lock = Lock()


def is_reference(value: object) -> bool:
    return isinstance(value, str) and value.startswith(SCHEMES)


def resolve(variable: str, value: Any) -> Any:
    """The secret that a setting refers to; any other value unchanged."""
    if not is_reference(value):
        return value
    with _lock:
        if value not in _values:
            _values[value] = _read(variable, value)
        return _values[value]


def renew(variable: str) -> str | None:
    """Read the secret of an environment variable again; None if the variable is no reference."""
    reference = os.environ.get(variable, "")
    if not is_reference(reference):
        return None
    with _lock:
        _values.pop(reference, None)
    return resolve(variable, reference)


@dataclass(frozen=True)
class ReferencedSecret:
    """The secret to which an environment variable refers, for libraries that would read the variable themselves."""

    variable: str

    def read(self) -> str:
        return resolve(self.variable, os.environ[self.variable])

    def renew(self) -> str:
        return renew(self.variable) or self.read()


def referenced_secret(variable: str) -> ReferencedSecret | None:
    """None if the variable is no reference."""
    return ReferencedSecret(variable) if is_reference(os.environ.get(variable)) else None


def _read(variable: str, reference: str) -> str:
    from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs]  # boto3 takes half a second
        BotoCoreError,
        ClientError,
    )

    from store.aws.client_errors import reason
    from store.aws.clients import connect
    from store.errors import Unavailable

    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidInput(variable, reference[:200], allowed=FORM)
    try:
        with closing(connect("ssm" if match["path"] else "secretsmanager", attempts=3)) as client:
            if match["path"]:
                return client.get_parameter(Name=match["path"], WithDecryption=True)["Parameter"]["Value"]
            secret = client.get_secret_value(SecretId=match["name"])
    except (ClientError, BotoCoreError) as error:
        raise _unreadable(variable, reference, f"cannot be read ({reason(error)})") from error
    except Unavailable as error:
        raise _unreadable(variable, reference, f"cannot be read: {error}") from error
    text = secret.get("SecretString")
    if not isinstance(text, str):
        raise _unreadable(variable, reference, "is binary")
    return text if match["key"] is None else _field(variable, reference, text, match["key"])


def _field(variable: str, reference: str, text: str, key: str) -> str:
    try:
        value = json.loads(text)[key]
    except (ValueError, LookupError, TypeError) as error:
        raise _unreadable(variable, reference, f"holds no JSON object with the key {key!r}") from error
    if not isinstance(value, str):
        raise _unreadable(variable, reference, f"holds no text under the key {key!r}")
    return value


def _unreadable(variable: str, reference: str, why: str) -> InvalidInput:
    return InvalidInput(variable, reference, reason=f"{reference} {why}", allowed="a secret that this process may read")
