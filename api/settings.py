"""The settings, read once from the environment."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from agents.options import ModelOptions
from tools.errors import InvalidInput

ROOT = Path(__file__).parent.parent


class Settings(BaseSettings):
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

    threads: Annotated[int | None, Field(validation_alias="NUMBA_NUM_THREADS", ge=1, le=1024)] = None
    """Threads of the numeric core, by default one a core; read there. The result does not depend on it."""

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()


VARIABLES = [str(field.validation_alias) for field in Settings.model_fields.values()]
"""The environment variable of each setting, besides those of the models."""


def read_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _invalid(str(first["loc"][0]), first["input"], first) from error


MODEL_VARIABLES: dict[str, tuple[str, ...]] = {
    "MODEL": ("model",),
    "MODEL_RISK_MANAGER": ("agents", "risk_manager"),
    "MODEL_MARKET_ANALYST": ("agents", "market_analyst"),
    "MODEL_OPTIMIZER": ("agents", "optimizer"),
    "MODEL_EXPLAINER": ("agents", "explainer"),
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
        raise _invalid(variable, os.environ.get(variable), first) from error


def _parsed(variable: str, value: str) -> Any:
    if variable == "MODEL_FALLBACKS":
        return [name.strip() for name in value.split(",") if name.strip()]
    if variable == "MODEL_TAGS":
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if not all(separator for _, separator, _ in pairs):
            raise InvalidInput(variable, value, allowed="pairs such as team=allocation,desk=multi-asset")
        return {name.strip(): tag.strip() for name, _, tag in pairs}
    return value


def _invalid(variable: str, value: object, first: Any) -> InvalidInput:
    if first["type"] == "missing":
        return InvalidInput(variable, value, reason="is not set", allowed="a value, since its companion is set")
    if first["type"] == "literal_error":
        choices = first.get("ctx", {})["expected"].replace("'", "").replace(" or ", ", ")
        return InvalidInput(variable, value, allowed=f"one of {choices}")
    reason, _, allowed = first["msg"].removeprefix("Value error, ").partition("; allowed: ")
    return InvalidInput(variable, value, reason=f"{value!r}: {reason}" if allowed else None, allowed=allowed or reason)
