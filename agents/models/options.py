"""Settings of the models: which drive the agents, and how they are called; types only, light to import."""

from typing import Annotated, Literal, Protocol, TypeAlias

from pydantic import Field

from desk.governance.usage import AgentName
from quant.numeric.frozen import Frozen

EMBEDDED = "embedded"
BEDROCK = "bedrock_converse:"

MAX_TAGS = 12
"""Bedrock accepts 16; four are used for application, agent, run and owner."""


Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:./_-]*$", max_length=2048)]
"""A model: `embedded`, `bedrock_converse:<model id or ARN>`, or a name of LangChain's `init_chat_model`."""

Tag: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$")]
"""A key or a value of Bedrock's request metadata."""


ServiceTier: TypeAlias = Literal["priority", "default", "flex", "reserved"]


class Secret(Protocol):
    """A secret that is stored elsewhere."""

    def read(self) -> str: ...

    def renew(self) -> str:
        """Read it again, after it was refused."""
        ...


class Guardrail(Frozen):
    """Id and version of a Bedrock guardrail."""

    id: Annotated[
        str,
        Field(
            pattern=r"^(?:[a-z0-9]+|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:guardrail/[a-z0-9]+)$",
            description="Bedrock guardrail of every call; all models must then be on Bedrock.",
        ),
    ]
    version: Annotated[str, Field(pattern=r"^(?:[1-9][0-9]{0,7}|DRAFT)$", description="Version of the guardrail.")]


class RetryPolicy(Frozen):
    """Number of attempts, time limit and delays of the calls of one model for one answer."""

    attempts: Annotated[
        int,
        Field(
            ge=1, le=20, description="Calls of one model for one answer, with growing, randomised waits between them."
        ),
    ] = 8
    time_limit: Annotated[
        float,
        Field(gt=0.0, le=3600.0, description="Seconds for all attempts of a call together, waits included."),
    ] = 180.0
    first_delay: Annotated[float, Field(ge=0.0)] = 0.5
    largest_delay: Annotated[float, Field(ge=0.0)] = 20.0
    rest: Annotated[float, Field(ge=0.0)] = 60.0
    """Seconds for which a model that failed is passed over while a fallback can answer; 0 for never."""


class ModelOptions(Frozen):
    """Which models drive the agents, and how they are called; it contains no secret."""

    model: Annotated[
        Name,
        Field(
            description="Model of the agents. `embedded` is the rule-based planner. The packages of other providers "
            "must be installed separately."
        ),
    ] = EMBEDDED
    agents: dict[AgentName, Name] = Field(default_factory=dict)
    """Models of single agents; the others use `model`."""
    fallbacks: Annotated[
        tuple[Name, ...], Field(description="Models that are called, in this order, when a model fails.")
    ] = ()
    patience: RetryPolicy = RetryPolicy()
    max_tokens: Annotated[int, Field(ge=256, le=200_000, description="Longest answer in tokens.")] = 4096
    temperature: Annotated[
        Annotated[float, Field(ge=0.0, le=1.0)] | None,
        Field(description="Sampling temperature; by default that of the model."),
    ] = None
    streaming: Annotated[
        bool, Field(description="Whether answers are streamed. `false` for models that cannot stream tool calls.")
    ] = True
    prompt_cache: Annotated[Literal["off", "5m", "1h"], Field(description="How long Bedrock caches prompts.")] = "5m"
    guardrail: Guardrail | None = None
    service_tier: Annotated[
        ServiceTier | None, Field(description="Service tier of Bedrock; by default that of the account.")
    ] = None
    base_model: Annotated[
        str | None,
        Field(description="Foundation model behind an inference-profile ARN that does not contain its name."),
    ] = None
    tags: Annotated[
        dict[Tag, Tag],
        Field(
            max_length=MAX_TAGS,
            description="Request metadata for cost allocation; application, agent, run and owner are added.",
        ),
    ] = Field(default_factory=dict)
    threads: Annotated[int, Field(ge=2, le=512, description="Concurrent calls to Bedrock.")] = 32
    region: Annotated[
        Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")] | None,
        Field(description="Region of Bedrock; by default from AWS's own chain."),
    ] = None
