"""The settings, read once from the environment."""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from agents.models.options import BEDROCK, EMBEDDED, MAX_TAGS, ModelOptions
from agents.recording.scrubbing import scrub
from agents.table import AGENTS
from api.accepted_values import describe_schema, schema_at, short_repr
from api.compute_settings import COMPUTE_FORMS, ComputeSettings, check_compute
from api.secret_references import FORM as REFERENCES
from api.secret_references import renew, resolve
from desk.base.errors import InvalidInput
from desk.governance.approvals import DEFAULT_THRESHOLDS, Thresholds
from desk.governance.budgets import Budgets
from desk.runs.lifetimes import DEFAULT_LIFETIMES, Lifetimes

ROOT = Path(__file__).parent.parent


def _none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


ADDRESS = r"https?://[^\s/?#@]+(/[^\s?#@]*)?"
"""The address of a server, without credentials."""

Count: TypeAlias = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_none)]
Amount: TypeAlias = Annotated[Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None, BeforeValidator(_none)]

Days: TypeAlias = Annotated[int, Field(ge=1, le=3650)]


class Settings(ComputeSettings):
    """Each field is an environment variable; an empty one counts as unset. `docs/settings.md` is generated from it."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    home: Annotated[
        Path,
        Field(validation_alias="STRATIGOS_HOME", description="Folder of runs, data sets, reports and the log."),
    ] = ROOT / ".stratigos"
    owner: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_OWNER",
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$",
            description="User of the command line. Other users cannot see this user's runs.",
        ),
    ] = "local"
    log: Annotated[
        Literal["home", "stdout"],
        Field(
            validation_alias="STRATIGOS_LOG",
            description="Where the log goes: a file in the home, or JSON lines on standard output.",
        ),
    ] = "home"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(validation_alias="STRATIGOS_LOG_LEVEL", description="Lowest level that the log records."),
    ] = "info"
    log_prompts: Annotated[
        bool,
        Field(
            validation_alias="STRATIGOS_LOG_PROMPTS",
            description="Whether the log at level `debug` contains the prompts and answers of models. "
            "Otherwise it contains none of their text.",
        ),
    ] = False
    telemetry: Annotated[
        Literal["off", "console", "otlp"],
        Field(
            validation_alias="STRATIGOS_TELEMETRY",
            description="Where OpenTelemetry spans and metrics go: nowhere, stderr, or the address in "
            "`OTEL_EXPORTER_OTLP_ENDPOINT`.",
        ),
    ] = "off"
    metrics: Annotated[
        Literal["off", "emf"],
        Field(
            validation_alias="STRATIGOS_METRICS",
            description="`emf` writes CloudWatch's embedded metrics to standard output.",
        ),
    ] = "off"
    deployment: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_DEPLOYMENT",
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
            description="Name of this deployment in the dimension `Service` of its metrics.",
        ),
    ] = "stratigos"

    server: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_SERVER",
            max_length=500,
            pattern=rf"^({ADDRESS})?$",
            description="Server that commands use, like `--server`. Without it they use the home.",
        ),
    ] = ""
    key: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_KEY",
            max_length=200,
            repr=False,
            description="API key that commands send to the server, or a reference to it; read again when the server "
            "refuses it.",
        ),
    ] = ""

    host: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_HOST",
            min_length=1,
            max_length=253,
            description="Address on which `serve` listens. Addresses other than loopback need `STRATIGOS_AUTH`.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Field(validation_alias="STRATIGOS_PORT", ge=0, le=65535, description="Port of `serve`. `0` takes a free port."),
    ] = 8000
    workers: Annotated[
        int,
        Field(
            validation_alias="STRATIGOS_WORKERS",
            ge=0,
            le=64,
            description="Worker processes that `serve` starts. `0` starts none.",
        ),
    ] = 1
    jobs_per_user: Annotated[
        int,
        Field(
            validation_alias="JOBS_PER_USER",
            ge=1,
            le=100,
            description="Jobs of one user that run at the same time. The others wait.",
        ),
    ] = 2
    jobs_at_work: Annotated[
        int,
        Field(
            validation_alias="JOBS_AT_WORK",
            ge=0,
            le=10_000,
            description="Jobs of all users that are at work at the same time, also on SageMaker. The others wait. "
            "`0` sets no limit.",
        ),
    ] = 0
    expire_draft_days: Annotated[
        Days,
        Field(validation_alias="EXPIRE_DRAFT_DAYS", description="A draft that is not edited for that time expires."),
    ] = DEFAULT_LIFETIMES.draft.days
    expire_queued_days: Annotated[
        Days,
        Field(
            validation_alias="EXPIRE_QUEUED_DAYS",
            description="A job that waits in the queue for that time expires. It can be restarted.",
        ),
    ] = DEFAULT_LIFETIMES.queued.days
    expire_waiting_days: Annotated[
        Days,
        Field(
            validation_alias="EXPIRE_WAITING_DAYS",
            description="A job that waits for approval for that time expires. It can be restarted.",
        ),
    ] = DEFAULT_LIFETIMES.waiting.days
    cors_origins: Annotated[
        str,
        Field(
            validation_alias="CORS_ORIGINS",
            max_length=1000,
            pattern=r"^(https?://[^\s/,]+(,https?://[^\s/,]+)*)?$",
            description="Origins of other sites whose pages may send requests from a browser.",
        ),
    ] = ""
    trusted_proxies: Annotated[
        str,
        Field(
            validation_alias="TRUSTED_PROXIES",
            max_length=500,
            pattern=r"^([0-9a-fA-F.:/]+(,[0-9a-fA-F.:/]+)*)?$",
            description="Proxies whose `X-Forwarded-For` header is trusted.",
        ),
    ] = ""

    auth: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_AUTH",
            pattern=r"^((keys|cognito)(,(keys|cognito))?)?$",
            description="How users sign in: with API keys, Cognito tokens, or both. "
            "Without it there is one local user, who is reached from this machine only.",
        ),
    ] = ""
    cognito_issuer: Annotated[
        str,
        Field(
            validation_alias="COGNITO_ISSUER",
            max_length=500,
            pattern=rf"^({ADDRESS})?$",
            description="Cognito pool whose access tokens are accepted.",
        ),
    ] = ""
    cognito_clients: Annotated[
        str,
        Field(
            validation_alias="COGNITO_CLIENTS",
            max_length=500,
            pattern=r"^([A-Za-z0-9]+(,[A-Za-z0-9]+)*)?$",
            description="App clients of the pool whose tokens are accepted. Browsers sign in through the first, which "
            "has no secret.",
        ),
    ] = ""
    session_hours: Annotated[
        int,
        Field(
            validation_alias="SESSION_HOURS",
            ge=1,
            le=720,
            description="Hours after which a browser has to sign in again.",
        ),
    ] = 12
    audit_key: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_AUDIT_KEY",
            pattern=r"^([^\s]{32,200})?$",
            repr=False,
            description="Secret key of the hashes in the audit log, or a reference to it. Without it, a person with "
            "write access to the storage can forge the log.",
        ),
    ] = ""
    requests_per_second: Annotated[
        float,
        Field(
            validation_alias="REQUESTS_PER_SECOND",
            gt=0.0,
            le=1e6,
            description="Request rate of one user, with sign-in. The requests of three seconds may come at once.",
        ),
    ] = 10.0
    requests_per_address: Annotated[
        int,
        Field(
            validation_alias="REQUESTS_PER_ADDRESS",
            ge=1,
            le=10**9,
            description="Requests from one address in five minutes, with sign-in.",
        ),
    ] = 2_000
    streams_per_user: Annotated[
        int,
        Field(
            validation_alias="STREAMS_PER_USER",
            ge=1,
            le=10_000,
            description="Open streams and sockets of one user, with sign-in.",
        ),
    ] = 20

    approve_evaluations: Annotated[
        Count,
        Field(
            validation_alias="APPROVE_EVALUATIONS",
            description="A run with more evaluations (configurations times scenarios) waits for approval. "
            "`none` never asks.",
        ),
    ] = DEFAULT_THRESHOLDS.evaluations
    approve_dollars: Annotated[
        Amount,
        Field(
            validation_alias="APPROVE_DOLLARS",
            description="A run with higher estimated costs in US dollars waits for approval. `none` never asks.",
        ),
    ] = DEFAULT_THRESHOLDS.dollars
    approve_instances: Annotated[
        Count,
        Field(
            validation_alias="APPROVE_INSTANCES",
            description="A run on more machines besides this one waits for approval. `none` never asks.",
        ),
    ] = DEFAULT_THRESHOLDS.instances

    store: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_STORE",
            pattern=r"^(dynamodb:[A-Za-z0-9_.-]{3,247},s3:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$",
            description="Where records, events and blobs are stored; by default in the home. The tables "
            "are `PREFIX-records`, `PREFIX-events`, `PREFIX-audit`. "
            "Region, credentials and endpoints are those of boto3.",
        ),
    ] = ""
    queue: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_QUEUE",
            pattern=r"^(sqs:https?://[^\s,]+,dead:https?://[^\s,]+)?$",
            description="Where submitted jobs wait for a worker; by default in the home. The queues are SQS standard "
            "queues; the second receives dead letters.",
        ),
    ] = ""
    checkpoints: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_CHECKPOINTS",
            pattern=r"^(dynamodb:[A-Za-z0-9_.-]{3,255}(,s3:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?)?$",
            description="Where the state of unfinished runs is stored; by default in the home. The table has the "
            "string keys `PK` and `SK`; the bucket is for states above 350 KB.",
        ),
    ] = ""
    sockets: Annotated[
        str,
        Field(
            validation_alias="STRATIGOS_SOCKETS",
            max_length=500,
            pattern=r"^(https://[^\s/?#@]+(/[^\s?#@]*)?|http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s?#@]*)?)?$",
            description="Callback address of a WebSocket API of API Gateway; set it for the function and all workers.",
        ),
    ] = ""
    lambda_answers: Annotated[
        Literal["streamed", "buffered"],
        Field(
            validation_alias="STRATIGOS_LAMBDA_ANSWERS",
            description="How a Lambda function returns HTTP responses, according to the configuration of its caller.",
        ),
    ] = "streamed"

    serves: Annotated[
        Literal["service", "endpoint"],
        Field(
            validation_alias="STRATIGOS_SERVES",
            description="What `serve` serves: the HTTP interface, or `/ping` and `/invocations` of SageMaker hosting "
            "on port 8080.",
        ),
    ] = "service"
    bind_to_port: Annotated[
        int | None,
        Field(
            validation_alias="SAGEMAKER_BIND_TO_PORT",
            ge=1,
            le=65535,
            description="Port of an endpoint instead of 8080; SageMaker sets it.",
        ),
    ] = None
    container_root: Annotated[
        Path,
        Field(
            validation_alias="STRATIGOS_CONTAINER_ROOT",
            description="Folder of a SageMaker container: `worker` reads its work and writes its results below it, and "
            "an endpoint finds its model there.",
        ),
    ] = Path("/opt/ml")
    threads: Annotated[
        int | None,
        Field(
            validation_alias="NUMBA_NUM_THREADS",
            ge=1,
            le=1024,
            description="Threads of the numeric core; by default one per core. Results do not depend on it.",
        ),
    ] = None

    model_prices: Annotated[
        Path | None,
        Field(
            validation_alias="MODEL_PRICES",
            description="File in the format of `agents/models/prices.toml`, whose prices take precedence.",
        ),
    ] = None
    budget_run_tokens: Annotated[
        int | None,
        Field(
            validation_alias="BUDGET_RUN_TOKENS",
            ge=0,
            le=10**12,
            description="Tokens that models may use in a run, or in a turn of a chat.",
        ),
    ] = None
    budget_run_dollars: Annotated[
        float | None,
        Field(
            validation_alias="BUDGET_RUN_DOLLARS",
            ge=0.0,
            le=1e9,
            allow_inf_nan=False,
            description="US dollars that models may cost in a run, or in a turn of a chat.",
        ),
    ] = None
    budget_agent_tokens: Annotated[
        int | None,
        Field(
            validation_alias="BUDGET_AGENT_TOKENS",
            ge=0,
            le=10**12,
            description="Tokens that each agent may use in a run.",
        ),
    ] = None
    budget_agent_dollars: Annotated[
        float | None,
        Field(
            validation_alias="BUDGET_AGENT_DOLLARS",
            ge=0.0,
            le=1e9,
            allow_inf_nan=False,
            description="US dollars that each agent may cost in a run.",
        ),
    ] = None
    budget_user_tokens: Annotated[
        int | None,
        Field(
            validation_alias="BUDGET_USER_TOKENS",
            ge=0,
            le=10**12,
            description="Tokens that models may use for a user on a day (UTC).",
        ),
    ] = None
    budget_user_dollars: Annotated[
        float | None,
        Field(
            validation_alias="BUDGET_USER_DOLLARS",
            ge=0.0,
            le=1e9,
            allow_inf_nan=False,
            description="US dollars that models may cost for a user on a day (UTC).",
        ),
    ] = None
    budget_warn_at: Annotated[
        float,
        Field(
            validation_alias="BUDGET_WARN_AT",
            gt=0.0,
            le=1.0,
            description="Share of a budget above which a warning is shown.",
        ),
    ] = 0.8

    @property
    def lifetimes(self) -> Lifetimes:
        return Lifetimes(
            draft=timedelta(days=self.expire_draft_days),
            queued=timedelta(days=self.expire_queued_days),
            waiting=timedelta(days=self.expire_waiting_days),
        )

    @property
    def budgets(self) -> Budgets:
        return Budgets(**{name: getattr(self, f"budget_{name}") for name in Budgets.model_fields})

    @property
    def thresholds(self) -> Thresholds:
        """The cost above which a job needs an approval."""
        return Thresholds(
            evaluations=self.approve_evaluations, dollars=self.approve_dollars, instances=self.approve_instances
        )

    def renew_key(self) -> str | None:
        """`key` read again, after a server has refused it; None if it is no reference."""
        return renew("STRATIGOS_KEY")

    @field_validator("key", "audit_key", mode="before")
    @classmethod
    def _are_resolved(cls, value: object, info: ValidationInfo) -> object:
        """A reference is replaced by its secret, which is then checked."""
        assert info.field_name is not None
        return resolve(str(cls.model_fields[info.field_name].validation_alias), value)

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        for proxy in filter(None, proxies.split(",")):
            ip_network(proxy)  # uvicorn would read an invalid address as a name and trust no proxy
        return proxies


VARIABLES = [str(field.validation_alias) for field in Settings.model_fields.values()]
"""The environment variable of each setting, except those of the models."""


SECRETS = {str(field.validation_alias) for field in Settings.model_fields.values() if not field.repr}


def read_settings() -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        variable = str(first["loc"][0])
        raise _invalid(variable, first["input"], first, schema_at((variable,), Settings.model_json_schema())) from error
    check_compute(settings)
    return settings


MODEL_VARIABLES: dict[str, tuple[str, ...]] = {
    "MODEL": ("model",),
    **{f"MODEL_{agent.upper()}": ("agents", agent) for agent in AGENTS},
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
"""The field of `ModelOptions` that a variable sets; boto3 reads the other AWS variables."""
AGENTS_MODELS = [variable for variable, place in MODEL_VARIABLES.items() if place[0] == "agents"]
RESERVED = {"agent", "run", "owner"}

FORMS = COMPUTE_FORMS | {
    "STRATIGOS_OWNER": "1 to 64 letters, digits and . _ @ -, the first a letter or a digit",
    **dict.fromkeys(("APPROVE_EVALUATIONS", "APPROVE_INSTANCES"), "a whole number of at least 0, or none"),
    "APPROVE_DOLLARS": "a number of at least 0, or none",
    "STRATIGOS_CHECKPOINTS": "dynamodb:TABLE, dynamodb:TABLE,s3:BUCKET, or nothing for a file in the home",
    "STRATIGOS_QUEUE": "sqs:URL,dead:URL, the URLs of two SQS queues, or nothing for a queue in the home",
    "STRATIGOS_STORE": "dynamodb:PREFIX,s3:BUCKET, or nothing for files in the home",
    "STRATIGOS_AUTH": "keys, cognito, keys,cognito, or nothing for the one local user",
    "STRATIGOS_AUDIT_KEY": f"32 to 200 characters without a space, {REFERENCES}, or nothing",
    "STRATIGOS_KEY": f"a key of up to 200 characters, {REFERENCES}, or nothing",
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
"""Accepted values of settings whose schema does not describe them."""


def read_model_options() -> ModelOptions:
    """The models of the agents, from the environment."""
    options: dict[str, Any] = {}
    for variable, (*folders, name) in MODEL_VARIABLES.items():
        if value := os.environ.get(variable, "").strip():
            place = options
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = _parsed(variable, value)
    try:
        return ModelOptions.model_validate(options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = tuple(str(part) for part in first["loc"])
        variable = next(name for name, place in MODEL_VARIABLES.items() if path[: len(place)] == place)
        node = schema_at(MODEL_VARIABLES[variable], ModelOptions.model_json_schema())
        raise _invalid(variable, os.environ.get(variable), first, node) from error


def _parsed(variable: str, value: str) -> Any:
    if variable == "MODEL_FALLBACKS":
        return [name.strip() for name in value.split(",") if name.strip()]
    if variable == "MODEL_TAGS":
        return _tags(variable, value)
    return value


def _tags(variable: str, value: str) -> dict[str, str]:
    if scrub(value) != value:  # bills and recordings contain tags
        raise InvalidInput(
            variable, None, reason="contains what looks like a key or an account", allowed=FORMS[variable]
        )
    pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
    tags = {name.strip(): tag.strip() for name, _, tag in pairs}
    if len(tags) < len(pairs):
        raise InvalidInput(variable, value, reason=f"{short_repr(value)} names a tag twice", allowed=FORMS[variable])
    if reserved := sorted(RESERVED & tags.keys()):
        reason = f"{', '.join(reserved)} is added to every call already"
        raise InvalidInput(variable, value, reason=reason, allowed="other names")
    if not all(separator for _, separator, _ in pairs):
        raise InvalidInput(variable, value, reason=f"{short_repr(value)} is not allowed", allowed=FORMS[variable])
    return tags


def _invalid(variable: str, value: object, first: Any, node: dict[str, Any]) -> InvalidInput:
    if first["type"] == "missing":
        return InvalidInput(variable, value, reason="is not set", allowed="a value, since its companion is set")
    if variable in SECRETS:
        value = "its value"  # a secret is not printed
    form = FORMS["MODEL"] if variable in AGENTS_MODELS else FORMS.get(variable) or describe_schema(node)
    return InvalidInput(variable, value, reason=f"{short_repr(value)} is not allowed", allowed=form)
