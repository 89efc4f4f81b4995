"""Chat models on Amazon Bedrock, through boto3 and langchain-aws; `factory` imports it for models on Bedrock only."""

import os
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, IncompleteReadError, PartialCredentialsError, ProfileNotFound
from botocore.session import Session
from langchain_aws import ChatBedrockConverse
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from agents.models.bearer_token import BearerToken
from agents.models.options import Secret, ServiceTier
from desk.base.errors import InvalidInput

_CONNECT_SECONDS = 10.0
_FILES = ("config_file", "credentials_file")
"""The variables of a botocore session that name a file."""
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
_PROVIDER = re.compile(r"[a-z0-9-]+\.[A-Za-z0-9].*")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]*:[a-z-]+/.+")
_NAMING_ARN = re.compile(r"arn:[^:]*:bedrock:[^:]*:[^:]*:(?:inference-profile|foundation-model)/(.+)")
"""ARNs that end with the id of their model; those of application inference profiles do not."""
_REGIONAL = re.compile(r"^(?:[a-z]{2}|us-gov|apac|amer|global)\.")
_WITHOUT_TOOLS = (
    "ai21.j2",
    "ai21.jamba-instruct",
    "amazon.titan",
    "anthropic.claude-v2",
    "anthropic.claude-instant",
    "cohere.command-light",
    "cohere.command-text",
    "meta.llama2",
    "meta.llama3-8b",
    "meta.llama3-70b",
    "meta.llama3-2-1b",
    "meta.llama3-2-3b",
    "mistral.mistral-7b",
    "mistral.mixtral",
)
"""Families that langchain-aws does not describe and that cannot call tools.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
"""
_WITHOUT_STREAMED_TOOLS = ("ai21", "meta.", "mistral.", "writer.")
"""Families that use tools only in calls without a stream (same page)."""


def base_model(model_id: str, setting_base: str | None, setting: str) -> str:
    """The id of the foundation model behind `model_id`, without its region.

    `setting_base` is the value of BEDROCK_BASE_MODEL, for ARNs that do not contain the model id.
    """
    id_ = _foundation_model(model_id, setting_base, setting)
    base = _REGIONAL.sub("", id_)
    if not _PROVIDER.fullmatch(base):
        reason = f"{id_!r} is not the id of a Bedrock model"
        raise InvalidInput(setting, id_, reason=reason, allowed="such as anthropic.claude-sonnet-4-5-20250929-v1:0")
    return base


def is_global(model_id: str, setting_base: str | None, setting: str) -> bool:
    """Whether Bedrock may answer from any region, at the price of global endpoints."""
    return _foundation_model(model_id, setting_base, setting).startswith("global.")


def _foundation_model(model_id: str, setting_base: str | None, setting: str) -> str:
    """The model id, or the one that its ARN contains, with its region."""
    if not _MODEL_ID.fullmatch(model_id):
        allowed = "bedrock_converse:<model id or inference-profile ARN>"
        raise InvalidInput(setting, f"bedrock_converse:{model_id}", allowed=allowed)
    if model_id.startswith("arn:"):
        if not _ARN.match(model_id):
            allowed = "the ARN of an inference profile, an imported or a provisioned model"
            raise InvalidInput(setting, f"bedrock_converse:{model_id}", allowed=allowed)
        arn = _NAMING_ARN.fullmatch(model_id)
        model = arn[1] if arn else setting_base
        if model is None:
            reason = f"{model_id!r} does not contain the id of its model"
            raise InvalidInput("BEDROCK_BASE_MODEL", None, reason=reason, allowed="the id of its foundation model")
        return model
    return model_id


def create_client(
    *, region: str | None, time_limit: float, threads: int, offline: bool, token: Secret | None = None
) -> BaseClient:
    """One client for all models, without retries of its own: `agents.models.retries` retries under one time limit.

    `token` is what AWS_BEARER_TOKEN_BEDROCK refers to; without it boto3 reads the variable.
    """
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=min(_CONNECT_SECONDS, time_limit),
        read_timeout=time_limit,
        max_pool_connections=threads,
        tcp_keepalive=True,
        user_agent_extra="stratigos",
    )
    if offline:
        return _offline_client(config)
    try:
        own = Session()
        bearer_token = None if token is None else BearerToken(token)
        if bearer_token is not None:
            bearer_token.attach(own)
        session = boto3.Session(botocore_session=own, region_name=region)
        _check(session)
        client = session.client("bedrock-runtime", config=config)
        if bearer_token is not None:
            bearer_token.renew_on_refusal(client)
    except ProfileNotFound as error:
        allowed = "a profile of ~/.aws/config"
        raise InvalidInput("AWS_PROFILE", None, reason=str(error), allowed=allowed) from error
    except PartialCredentialsError as error:
        reason, allowed = "only one key of the pair is set", "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY"
        raise InvalidInput(_missing_key(), None, reason=reason, allowed=allowed) from error
    except BotoCoreError as error:
        reason, allowed = str(error).partition("\n")[0], "settings that boto3 accepts"
        raise InvalidInput("AWS settings", None, reason=reason, allowed=allowed) from error
    except ValueError as error:
        raise _no_endpoint(str(error).partition("\n")[0]) from error
    if urlsplit(client.meta.endpoint_url).scheme not in ("http", "https"):
        raise _no_endpoint(f"{client.meta.endpoint_url!r} is not an HTTP address")
    if "AWS_BEARER_TOKEN_BEDROCK" in os.environ and client.meta.endpoint_url.startswith("http:"):
        reason = f"a bearer token is not sent to {client.meta.endpoint_url!r}"
        raise InvalidInput("AWS_BEARER_TOKEN_BEDROCK", None, reason=reason, allowed="an https endpoint, or access keys")
    client.meta.events.register("before-parse.bedrock-runtime", _check_length)
    return client


def _offline_client(config: Config) -> BaseClient:
    """A client that depends on no variable and no file of this machine, and signs nothing."""
    constants = {
        name: (None, None, os.devnull if name in _FILES else default, conversion)
        for name, (_, _, default, conversion) in Session.SESSION_VARIABLES.items()
    }
    session = boto3.Session(botocore_session=Session(session_vars=constants), region_name="us-east-1")
    config = config.merge(Config(signature_version=UNSIGNED, proxies={}))
    return session.client("bedrock-runtime", config=config, endpoint_url="http://127.0.0.1:9", verify=False)


def _missing_key() -> str:
    return next(
        (key for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(key)), "AWS_PROFILE"
    )


def _no_endpoint(reason: str) -> InvalidInput:
    return InvalidInput("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", None, reason=reason, allowed="https://host, or not set")


def _check_length(response_dict: dict[str, Any], **_: object) -> None:
    """Reject truncated bodies: botocore parses them as responses without content."""
    body, length = response_dict["body"], int(response_dict["headers"].get("content-length") or 0)
    if isinstance(body, bytes) and len(body) < length:
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=length)


def _check(session: Any) -> None:
    """Raise `InvalidInput` if the region or the credentials are missing; only a call shows whether they are valid."""
    if session.region_name is None:
        reason = "no region is configured"
        raise InvalidInput(
            "AWS_REGION", None, reason=reason, allowed="the region to call Bedrock in, such as us-east-1"
        )
    if "AWS_BEARER_TOKEN_BEDROCK" not in os.environ and session.get_credentials() is None:
        allowed = "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_BEARER_TOKEN_BEDROCK, or a role"
        raise InvalidInput("AWS_ACCESS_KEY_ID", None, reason="no AWS credentials were found", allowed=allowed)


class BedrockChat(ChatBedrockConverse):
    """Asks for a tool with `auto` where the model cannot be forced to call one; `agents.models.retries` checks it."""

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, strict: bool | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        choices = self.supports_tool_choice_values or ()
        if tool_choice == "any" and "any" not in choices:
            tool_choice = "auto" if "auto" in choices else None
        return super().bind_tools(tools, tool_choice=tool_choice, strict=strict, **kwargs)


def create_chat_model(
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
) -> BedrockChat:
    streaming = streaming and not base.startswith(_WITHOUT_STREAMED_TOOLS)
    options: dict[str, Any] = {}
    if temperature is not None:
        options["temperature"] = temperature
    if guardrail is not None:
        id_, version = guardrail
        options["guardrail_config"] = {"guardrailIdentifier": id_, "guardrailVersion": version, "trace": "enabled"}
    model = BedrockChat(
        client=client,
        bedrock_client=client,  # the control plane is not called, because the base model is known
        model=model_id,
        base_model=base,
        provider=base.partition(".")[0],
        max_tokens=max_tokens,
        streaming=streaming,
        disable_streaming=not streaming,
        service_tier=service_tier,
        **options,
    )
    if base.startswith(_WITHOUT_TOOLS) or (model.profile or {}).get("tool_calling") is False:
        reason = f"{model_id!r} cannot call tools, which agents need in order to answer"
        allowed = "a model that uses tools, such as Claude, Nova, Llama 3.3 or Mistral Large"
        raise InvalidInput(setting, model_id, reason=reason, allowed=allowed)
    return model
