"""The settings, read once from the environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    model: Annotated[str, Field(validation_alias="MODEL")] = "embedded"
    """Who decides where judgement is needed; `embedded` is the rule-based planner."""
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

    @field_validator("model")
    @classmethod
    def _is_known(cls, model: str) -> str:
        if model != "embedded":
            msg = f"{model!r} is not available here; allowed: embedded"
            raise ValueError(msg)
        return model


VARIABLES = {str(field.validation_alias): name for name, field in Settings.model_fields.items()}
"""The environment variable of each setting."""


def read_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "literal_error":
            choices = first.get("ctx", {})["expected"].replace("'", "").replace(" or ", ", ")
            raise InvalidInput(str(first["loc"][0]), first["input"], allowed=f"one of {choices}") from error
        reason, _, allowed = first["msg"].removeprefix("Value error, ").partition("; allowed: ")
        raise InvalidInput(str(first["loc"][0]), first["input"], reason=reason, allowed=allowed or reason) from error
