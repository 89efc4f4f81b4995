"""The settings, read once from the environment."""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from agents.options import BEDROCK, EMBEDDED, MAX_TAGS, ModelOptions
from agents.scrubbing import scrub
from api.allowed import at, in_words, short
from api.compute_settings import COMPUTE_FORMS, ComputeSettings
from tools.approval import USUAL, Thresholds
from tools.budget import Budgets
from tools.errors import InvalidInput

ROOT = Path(__file__).parent.parent


def _none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


ADDRESS = r"https?://[^\s/?#@]+(/[^\s?#@]*)?"
"""Of a server; no password stands in it."""

Count: TypeAlias = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_none)]
Amount: TypeAlias = Annotated[Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None, BeforeValidator(_none)]


class Settings(ComputeSettings):
    """Each field is an environment variable; an empty one counts as unset."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    home: Annotated[Path, Field(validation_alias="STRATIGOS_HOME")] = ROOT / ".stratigos"
    """Where runs, prices and reports are kept."""
    owner: Annotated[
        str,
        Field(validation_alias="STRATIGOS_OWNER", pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"),
    ] = "local"
    """Whose runs they are; nobody reads another owner's."""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(validation_alias="STRATIGOS_LOG_LEVEL")
    ] = "info"
    """What the log under the home records."""
    log_prompts: Annotated[bool, Field(validation_alias="STRATIGOS_LOG_PROMPTS")] = False
    """Whether the log at level debug holds what models are asked and what they answer; otherwise it holds no word."""
    telemetry: Annotated[Literal["off", "console", "otlp"], Field(validation_alias="STRATIGOS_TELEMETRY")] = "off"
    """Where OpenTelemetry's spans and metrics go; OTLP's address is in its own variables (`OTEL_EXPORTER_OTLP_...`)."""

    approve_evaluations: Annotated[Count, Field(validation_alias="APPROVE_EVALUATIONS")] = USUAL.evaluations
    approve_dollars: Annotated[Amount, Field(validation_alias="APPROVE_DOLLARS")] = USUAL.dollars
    approve_instances: Annotated[Count, Field(validation_alias="APPROVE_INSTANCES")] = USUAL.instances
    checkpoints: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_CHECKPOINTS",
            pattern=r"^(dynamodb:[A-Za-z0-9_.-]{3,255}(,s3:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?)?$",
        ),
    ] = ""
    """Where the graphs' checkpoints are kept; empty for a file in the home."""

    queue: Annotated[
        str, Field(validation_alias="STRATIGOS_QUEUE", pattern=r"^(sqs:https?://[^\s,]+,dead:https?://[^\s,]+)?$")
    ] = ""
    """Where submitted jobs wait for a worker; empty for the store in the home."""
    workers: Annotated[int, Field(validation_alias="STRATIGOS_WORKERS", ge=0, le=64)] = 1
    """Worker processes that `serve` starts beside itself."""
    jobs_per_user: Annotated[int, Field(validation_alias="JOBS_PER_USER", ge=1, le=100)] = 2
    """Jobs of one owner that are worked on at a time; the others wait."""
    store: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_STORE",
            pattern=r"^(dynamodb:[A-Za-z0-9_.-]{3,255},s3:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$",
        ),
    ] = ""
    """Where records, events and blobs are kept; empty for files in the home."""

    host: Annotated[str, Field(validation_alias="STRATIGOS_HOST", min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(validation_alias="STRATIGOS_PORT", ge=0, le=65535)] = 8000
    """Where `serve` listens; port 0 takes a free one."""
    serves: Annotated[Literal["service", "endpoint"], Field(validation_alias="STRATIGOS_SERVES")] = "service"
    """What `serve` serves: the HTTP service, or the contract of SageMaker's hosting."""
    bind_to_port: Annotated[int | None, Field(validation_alias="SAGEMAKER_BIND_TO_PORT", ge=1, le=65535)] = None
    """Where SageMaker asks an endpoint that it does not ask on port 8080; it sets this itself."""

    server: Annotated[
        str,
        Field(validation_alias="STRATIGOS_SERVER", max_length=500, pattern=rf"^({ADDRESS})?$"),
    ] = ""
    """The server that commands ask; empty for those that work in the home."""

    key: Annotated[str, Field(validation_alias="STRATIGOS_KEY", max_length=200, repr=False)] = ""
    """The API key that commands show to the server."""

    audit_key: Annotated[
        str, Field(validation_alias="STRATIGOS_AUDIT_KEY", pattern=r"^([^\s]{32,200})?$", repr=False)
    ] = ""
    """What the hashes of the audit log are made with; without it, whoever can write the storage can make them too."""

    auth: Annotated[str, Field(validation_alias="STRATIGOS_AUTH", pattern=r"^((keys|cognito)(,(keys|cognito))?)?$")] = (
        ""
    )
    """How people show who they are; empty for the one local user, who is reached from this machine only."""
    cognito_issuer: Annotated[
        str,
        Field(validation_alias="COGNITO_ISSUER", max_length=500, pattern=rf"^({ADDRESS})?$"),
    ] = ""
    """The pool whose tokens are taken."""
    cognito_clients: Annotated[
        str, Field(validation_alias="COGNITO_CLIENTS", max_length=500, pattern=r"^([A-Za-z0-9]+(,[A-Za-z0-9]+)*)?$")
    ] = ""
    """The pool's app clients for which tokens may have been made."""
    requests_per_second: Annotated[float, Field(validation_alias="REQUESTS_PER_SECOND", gt=0.0, le=1e6)] = 10.0
    """Of one user, where people sign in; three seconds' worth may come at once."""
    requests_per_address: Annotated[int, Field(validation_alias="REQUESTS_PER_ADDRESS", ge=1, le=10**9)] = 2_000
    """Of one address in five minutes, where people sign in."""
    streams_per_user: Annotated[int, Field(validation_alias="STREAMS_PER_USER", ge=1, le=10_000)] = 20
    """Streams and sockets that one user may hold open, where people sign in."""
    trusted_proxies: Annotated[
        str,
        Field(validation_alias="TRUSTED_PROXIES", max_length=500, pattern=r"^([0-9a-fA-F.:/]+(,[0-9a-fA-F.:/]+)*)?$"),
    ] = ""
    """Addresses or networks of proxies whose word is taken for where a request comes from."""
    cors_origins: Annotated[
        str,
        Field(validation_alias="CORS_ORIGINS", max_length=1000, pattern=r"^(https?://[^\s/,]+(,https?://[^\s/,]+)*)?$"),
    ] = ""
    """Sites whose pages may ask from a browser; empty for none but the service's own."""
    log: Annotated[Literal["home", "stdout"], Field(validation_alias="STRATIGOS_LOG")] = "home"
    """Where the log goes: a file in the home, or standard output, as containers want it."""
    metrics: Annotated[Literal["off", "emf"], Field(validation_alias="STRATIGOS_METRICS")] = "off"
    """Whether CloudWatch's embedded metrics are written to standard output."""

    lambda_answers: Annotated[Literal["streamed", "buffered"], Field(validation_alias="STRATIGOS_LAMBDA_ANSWERS")] = (
        "streamed"
    )
    """How a function on Lambda answers HTTP: as whoever invokes it is set up to take it."""

    sockets: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_SOCKETS",
            max_length=500,
            pattern=r"^(https://[^\s/?#@]+(/[^\s?#@]*)?|http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s?#@]*)?)?$",
        ),
    ] = ""
    """Where a WebSocket API of API Gateway takes what is sent to its connections; empty where there is none."""

    container_root: Annotated[Path, Field(validation_alias="STRATIGOS_CONTAINER_ROOT")] = Path("/opt/ml")
    """Below which `worker` reads its work and leaves its results, and an endpoint finds its model, as on SageMaker."""

    threads: Annotated[int | None, Field(validation_alias="NUMBA_NUM_THREADS", ge=1, le=1024)] = None
    """Threads of the numeric core, by default one a core; read there. The result does not depend on it."""

    model_prices: Annotated[Path | None, Field(validation_alias="MODEL_PRICES")] = None
    """Prices of models that hold before those of this program."""
    budget_run_tokens: Annotated[int | None, Field(validation_alias="BUDGET_RUN_TOKENS", ge=0, le=10**12)] = None
    budget_run_dollars: Annotated[
        float | None, Field(validation_alias="BUDGET_RUN_DOLLARS", ge=0.0, le=1e9, allow_inf_nan=False)
    ] = None
    budget_agent_tokens: Annotated[int | None, Field(validation_alias="BUDGET_AGENT_TOKENS", ge=0, le=10**12)] = None
    budget_agent_dollars: Annotated[
        float | None, Field(validation_alias="BUDGET_AGENT_DOLLARS", ge=0.0, le=1e9, allow_inf_nan=False)
    ] = None
    budget_user_tokens: Annotated[int | None, Field(validation_alias="BUDGET_USER_TOKENS", ge=0, le=10**12)] = None
    budget_user_dollars: Annotated[
        float | None, Field(validation_alias="BUDGET_USER_DOLLARS", ge=0.0, le=1e9, allow_inf_nan=False)
    ] = None
    """What models may take, in a run, in each of its agents, and for a user on a day of UTC; None is no limit."""
    budget_warn_at: Annotated[float, Field(validation_alias="BUDGET_WARN_AT", gt=0.0, le=1.0)] = 0.8
    """Share of a budget from which on it is told that little is left."""

    @property
    def budgets(self) -> Budgets:
        return Budgets(**{name: getattr(self, f"budget_{name}") for name in Budgets.model_fields})

    def without_budgets(self) -> "Settings":
        limits = Budgets.model_fields.keys() - {"warn_at"}
        return self.model_copy(update={f"budget_{name}": None for name in limits})

    @property
    def thresholds(self) -> Thresholds:
        """What a job may take before a person is asked."""
        return Thresholds(
            evaluations=self.approve_evaluations, dollars=self.approve_dollars, instances=self.approve_instances
        )

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        for proxy in filter(None, proxies.split(",")):
            ip_network(proxy)  # uvicorn would take what is none for a name, and trust nobody
        return proxies


VARIABLES = [str(field.validation_alias) for field in Settings.model_fields.values()]
"""The environment variable of each setting, besides those of the models."""


SECRETS = {str(field.validation_alias) for field in Settings.model_fields.values() if not field.repr}


def read_settings() -> Settings:
    from api.compute import check

    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        variable = str(first["loc"][0])
        raise _invalid(variable, first["input"], first, at((variable,), Settings.model_json_schema())) from error
    check(settings)
    return settings


def server_at(option: str | None) -> str:
    """The server that a command asks, as its option or the setting names it; empty for none."""
    return read_settings().server if option is None else option.strip()


MODEL_VARIABLES: dict[str, tuple[str, ...]] = {
    "MODEL": ("model",),
    "MODEL_RISK_MANAGER": ("agents", "risk_manager"),
    "MODEL_MARKET_ANALYST": ("agents", "market_analyst"),
    "MODEL_OPTIMIZER": ("agents", "optimizer"),
    "MODEL_EXPLAINER": ("agents", "explainer"),
    "MODEL_ASSISTANT": ("agents", "assistant"),
    "MODEL_FALLBACKS": ("fallbacks",),
    "MODEL_ATTEMPTS": ("patience", "attempts"),
    "MODEL_TIME_LIMIT": ("patience", "time_limit"),
    "MODEL_MAX_TOKENS": ("max_tokens",),
    "MODEL_TEMPERATURE": ("temperature",),
    "MODEL_STREAMING": ("streaming",),
    "MODEL_PROMPT_CACHE": ("prompt_cache",),
    "MODEL_TAGS": ("tags",),
    "MODEL_THREADS": ("threads",),
    "BEDROCK_BASE_MODEL": ("base_model",),
    "BEDROCK_GUARDRAIL_ID": ("guardrail", "id"),
    "BEDROCK_GUARDRAIL_VERSION": ("guardrail", "version"),
    "BEDROCK_SERVICE_TIER": ("service_tier",),
    "AWS_REGION": ("region",),
}
"""Where each variable stands in `ModelOptions`; boto3 itself reads the other AWS variables."""
AGENTS_MODELS = [variable for variable, place in MODEL_VARIABLES.items() if place[0] == "agents"]
RESERVED = {"agent", "run", "owner"}

FORMS = COMPUTE_FORMS | {
    "STRATIGOS_OWNER": "1 to 64 letters, digits and . _ @ -, the first a letter or a digit",
    **dict.fromkeys(("APPROVE_EVALUATIONS", "APPROVE_INSTANCES"), "a whole number of at least 0, or none"),
    "APPROVE_DOLLARS": "a number of at least 0, or none",
    "STRATIGOS_CHECKPOINTS": "dynamodb:TABLE, dynamodb:TABLE,s3:BUCKET, or nothing for a file in the home",
    "STRATIGOS_QUEUE": "sqs:URL,dead:URL, the URLs of two SQS queues, or nothing for a queue in the home",
    "STRATIGOS_STORE": "dynamodb:TABLE,s3:BUCKET, or nothing for files in the home",
    "STRATIGOS_AUTH": "keys, cognito, keys,cognito, or nothing for the one local user",
    "STRATIGOS_AUDIT_KEY": "32 to 200 characters without a space, or nothing",
    "COGNITO_ISSUER": "https://cognito-idp.REGION.amazonaws.com/POOL",
    "COGNITO_CLIENTS": "ids of app clients, separated by commas",
    "TRUSTED_PROXIES": "addresses or networks such as 10.0.0.0/8, separated by commas, or nothing",
    "CORS_ORIGINS": "origins such as https://desk.example.com, separated by commas, or nothing",
    "STRATIGOS_SOCKETS": "https://API.execute-api.REGION.amazonaws.com/STAGE, or nothing",
    "STRATIGOS_SERVER": "an address such as http://127.0.0.1:8000, or nothing for the home",
    "MODEL": f"{EMBEDDED}, {BEDROCK}<model id or inference-profile ARN>, or a name of LangChain's init_chat_model",
    "MODEL_FALLBACKS": "names of models as in MODEL, separated by commas",
    "MODEL_TAGS": f"up to {MAX_TAGS} pairs such as team=allocation,desk=multi-asset: letters, digits, :_@$#=/+.-",
    "BEDROCK_GUARDRAIL_ID": "the guardrail's id, of small letters and digits, or its ARN",
    "BEDROCK_GUARDRAIL_VERSION": "a number such as 1, or DRAFT",
    "AWS_REGION": "the region to call Bedrock in, such as us-east-1",
}
"""What is allowed where a schema holds no words for it."""


def read_model_options() -> ModelOptions:
    """Which models drive the agents."""
    given: dict[str, Any] = {}
    for variable, (*folders, name) in MODEL_VARIABLES.items():
        if value := os.environ.get(variable, "").strip():
            place = given
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = _parsed(variable, value)
    try:
        return ModelOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = tuple(str(part) for part in first["loc"])
        variable = next(name for name, place in MODEL_VARIABLES.items() if path[: len(place)] == place)
        node = at(MODEL_VARIABLES[variable], ModelOptions.model_json_schema())
        raise _invalid(variable, os.environ.get(variable), first, node) from error


def _parsed(variable: str, value: str) -> Any:
    if variable == "MODEL_FALLBACKS":
        return [name.strip() for name in value.split(",") if name.strip()]
    if variable == "MODEL_TAGS":
        return _tags(variable, value)
    return value


def _tags(variable: str, value: str) -> dict[str, str]:
    if scrub(value) != value:  # tags stand in bills and in recordings
        raise InvalidInput(variable, None, reason="holds what looks like a key or an account", allowed=FORMS[variable])
    pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
    tags = {name.strip(): tag.strip() for name, _, tag in pairs}
    if len(tags) < len(pairs):
        raise InvalidInput(variable, value, reason=f"{short(value)} names a tag twice", allowed=FORMS[variable])
    if taken := sorted(RESERVED & tags.keys()):
        reason = f"{', '.join(taken)} is added to every call already"
        raise InvalidInput(variable, value, reason=reason, allowed="other names")
    if not all(separator for _, separator, _ in pairs):
        raise InvalidInput(variable, value, reason=f"{short(value)} is not allowed", allowed=FORMS[variable])
    return tags


def _invalid(variable: str, value: object, first: Any, node: dict[str, Any]) -> InvalidInput:
    if first["type"] == "missing":
        return InvalidInput(variable, value, reason="is not set", allowed="a value, since its companion is set")
    if variable in SECRETS:
        value = "what it is set to"  # which is not repeated
    form = FORMS["MODEL"] if variable in AGENTS_MODELS else FORMS.get(variable) or in_words(node)
    return InvalidInput(variable, value, reason=f"{short(value)} is not allowed", allowed=form)
