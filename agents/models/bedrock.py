"""Chat models on Amazon Bedrock: boto3 and langchain-aws as they are, configured."""

import os
import re
from typing import Any
from urllib.parse import urlsplit

from botocore.client import BaseClient
from langchain_aws import ChatBedrockConverse

from agents.models.options import ServiceTier
from desk.base.errors import InvalidInput

_CONNECT_SECONDS = 10.0
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
_PROVIDER = re.compile(r"[a-z0-9-]+\.[A-Za-z0-9].*")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]*:[a-z-]+/.+")
_NAMING_ARN = re.compile(r"arn:[^:]*:bedrock:[^:]*:[^:]*:(?:inference-profile|foundation-model)/(.+)")
"""ARNs that end in the id of their model; those of application inference profiles do not."""
_REGIONAL = re.compile(r"^(?:[a-z]{2}|us-gov|apac|amer|global)\.")
_CACHING = ("anthropic", "amazon.nova")
"""Families that cache prompts."""


def base_model(model_id: str, given: str | None, setting: str) -> str:
    """The id of the foundation model behind `model_id`, without its region."""
    found = _found(model_id, given, setting)
    base = _REGIONAL.sub("", found)
    if not _PROVIDER.fullmatch(base):
        reason = f"{found!r} is no id of a Bedrock model"
        raise InvalidInput(setting, found, reason=reason, allowed="such as anthropic.claude-sonnet-4-5-20250929-v1:0")
    return base


def is_global(model_id: str, given: str | None, setting: str) -> bool:
    """Whether Bedrock may answer from any region of the world, which has a price of its own."""
    return _found(model_id, given, setting).startswith("global.")


def _found(model_id: str, given: str | None, setting: str) -> str:
    if not _MODEL_ID.fullmatch(model_id):
        allowed = "bedrock_converse:<model id or inference-profile ARN>"
        raise InvalidInput(setting, f"bedrock_converse:{model_id}", allowed=allowed)
    if model_id.startswith("arn:"):
        if not _ARN.match(model_id):
            allowed = "the ARN of an inference profile, an imported or a provisioned model"
            raise InvalidInput(setting, f"bedrock_converse:{model_id}", allowed=allowed)
        named = _NAMING_ARN.fullmatch(model_id)
        found = named[1] if named else given
        if found is None:
            reason = f"{model_id!r} does not say which model is behind it"
            raise InvalidInput("BEDROCK_BASE_MODEL", None, reason=reason, allowed="the id of its foundation model")
        return found
    return model_id


def caches_prompts(base: str) -> bool:
    return any(family in base for family in _CACHING)


def client(*, region: str | None, time_limit: float, threads: int, offline: bool) -> BaseClient:
    """One client for all models; it never retries, since the agents do, under one time limit."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, PartialCredentialsError, ProfileNotFound

    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=min(_CONNECT_SECONDS, time_limit),
        read_timeout=time_limit,
        max_pool_connections=threads,
        tcp_keepalive=True,
        user_agent_extra="stratigos",
    )
    if offline:
        session = boto3.Session("replayed", "replayed", region_name=region or "us-east-1")
        return session.client("bedrock-runtime", config=config, endpoint_url="http://127.0.0.1:9")
    try:
        session = boto3.Session(region_name=region)
        _check(session)
        made = session.client("bedrock-runtime", config=config)
    except ProfileNotFound as error:
        allowed = "a profile of ~/.aws/config"
        raise InvalidInput("AWS_PROFILE", None, reason=str(error), allowed=allowed) from error
    except PartialCredentialsError as error:
        reason, allowed = "half of a pair of keys is set", "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY"
        raise InvalidInput(_missing_key(), None, reason=reason, allowed=allowed) from error
    except BotoCoreError as error:
        reason, allowed = str(error).partition("\n")[0], "settings that boto3 accepts"
        raise InvalidInput("AWS settings", None, reason=reason, allowed=allowed) from error
    except ValueError as error:
        raise _no_endpoint(str(error).partition("\n")[0]) from error
    if urlsplit(made.meta.endpoint_url).scheme not in ("http", "https"):
        raise _no_endpoint(f"{made.meta.endpoint_url!r} is no address of the web")
    if "AWS_BEARER_TOKEN_BEDROCK" in os.environ and made.meta.endpoint_url.startswith("http:"):
        reason = f"a bearer token is not sent to {made.meta.endpoint_url!r}"
        raise InvalidInput("AWS_BEARER_TOKEN_BEDROCK", None, reason=reason, allowed="an https endpoint, or access keys")
    made.meta.events.register("before-parse.bedrock-runtime", _check_length)
    return made


def _missing_key() -> str:
    return next(
        (key for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(key)), "AWS_PROFILE"
    )


def _no_endpoint(reason: str) -> InvalidInput:
    return InvalidInput("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", None, reason=reason, allowed="https://host, or not set")


def _check_length(response_dict: dict[str, Any], **_: object) -> None:
    """botocore would read a body that broke off as an answer without content."""
    from botocore.exceptions import IncompleteReadError

    body, length = response_dict["body"], int(response_dict["headers"].get("content-length") or 0)
    if isinstance(body, bytes) and len(body) < length:
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=length)


def _check(session: Any) -> None:
    """A region and credentials are there; whether they are valid only a call can tell."""
    if session.region_name is None:
        reason = "no region is configured"
        raise InvalidInput(
            "AWS_REGION", None, reason=reason, allowed="the region to call Bedrock in, such as us-east-1"
        )
    if "AWS_BEARER_TOKEN_BEDROCK" not in os.environ and session.get_credentials() is None:
        allowed = "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_BEARER_TOKEN_BEDROCK, or a role"
        raise InvalidInput("AWS_ACCESS_KEY_ID", None, reason="no AWS credentials were found", allowed=allowed)


def chat(
    client: BaseClient,
    model_id: str,
    base: str,
    setting: str,
    *,
    max_tokens: int,
    temperature: float | None,
    streaming: bool,
    service_tier: ServiceTier | None,
    guardrail: tuple[str, str] | None,
) -> ChatBedrockConverse:
    given: dict[str, Any] = {}
    if temperature is not None:
        given["temperature"] = temperature
    if guardrail is not None:
        id_, version = guardrail
        given["guardrail_config"] = {"guardrailIdentifier": id_, "guardrailVersion": version, "trace": "enabled"}
    made = ChatBedrockConverse(
        client=client,
        bedrock_client=client,  # the control plane is not asked: the base model is known
        model=model_id,
        base_model=base,
        provider=base.partition(".")[0],
        max_tokens=max_tokens,
        streaming=streaming,
        disable_streaming=not streaming,
        service_tier=service_tier,
        **given,
    )
    known = made.supports_tool_choice_values
    if known and "any" not in known:
        reason = f"{model_id!r} cannot be made to call a tool, by which agents answer"
        allowed = "a model with tool choice, such as Claude, Nova or Mistral Large"
        raise InvalidInput(setting, model_id, reason=reason, allowed=allowed)
    if not known:  # langchain-aws does not know the model; Bedrock itself says if it cannot
        made.supports_tool_choice_values = ("auto", "any", "tool")
    return made
