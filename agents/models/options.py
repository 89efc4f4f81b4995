"""Which models drive the agents, and how they are called: words only, light to import."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from quant.frozen import Frozen
from tools.optimization import AgentName

EMBEDDED = "embedded"
BEDROCK = "bedrock_converse:"

MAX_TAGS = 12
"""Bedrock takes 16; four say which application, agent, run and owner asked."""


Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:./_-]*$", max_length=2048)]
"""A model: `embedded`, `bedrock_converse:<model id or ARN>`, or a name of LangChain's `init_chat_model`."""

Tag: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$")]
"""What Bedrock takes as a key or a value of request metadata."""


ServiceTier: TypeAlias = Literal["priority", "default", "flex", "reserved"]


class Guardrail(Frozen):
    """In the forms that Bedrock takes."""

    id: Annotated[
        str, Field(pattern=r"^(?:[a-z0-9]+|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/[a-z0-9]+)$")
    ]
    version: Annotated[str, Field(pattern=r"^(?:[1-9][0-9]{0,7}|DRAFT)$")]


class Patience(Frozen):
    """How long and how often one call to one model is tried."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 8
    time_limit: Annotated[float, Field(gt=0.0, le=3600.0)] = 180.0
    """Seconds for all attempts of a call together, waiting included."""
    first_delay: Annotated[float, Field(ge=0.0)] = 0.5
    largest_delay: Annotated[float, Field(ge=0.0)] = 20.0


class ModelOptions(Frozen):
    """Which models drive the agents, and how they are called; no secret is part of it."""

    model: Name = EMBEDDED
    agents: dict[AgentName, Name] = Field(default_factory=dict)
    """Models of single agents; the others have `model`."""
    fallbacks: tuple[Name, ...] = ()
    """Asked in this order when a model fails."""
    patience: Patience = Patience()
    max_tokens: Annotated[int, Field(ge=256, le=200_000)] = 4096
    temperature: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    streaming: bool = True
    prompt_cache: Literal["off", "5m", "1h"] = "5m"
    guardrail: Guardrail | None = None
    service_tier: ServiceTier | None = None
    base_model: str | None = None
    """The foundation model behind an inference-profile ARN that does not name it."""
    tags: dict[Tag, Tag] = Field(default_factory=dict, max_length=MAX_TAGS)
    """Sent with every request to Bedrock, for the allocation of costs."""
    threads: Annotated[int, Field(ge=2, le=512)] = 32
    """Calls to Bedrock at once."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")] | None = None
