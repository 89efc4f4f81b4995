"""Cores and hourly prices of SageMaker instance types, from one dated table."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from desk.base.errors import InvalidInput
from quant.numeric.frozen import Frozen

TABLE = Path(__file__).with_name("instance_prices.toml")
SETTING = "INSTANCE_PRICES"


class Instance(Frozen):
    type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")]
    cores: Annotated[int, Field(ge=1, le=1024)]
    dollars_per_hour: Annotated[float, Field(ge=0.0, le=1e4, allow_inf_nan=False)]


class InstanceTable(Frozen):
    as_of: date
    source: str
    instances: tuple[Instance, ...]

    def of(self, type_: str) -> Instance | None:
        return next((instance for instance in self.instances if instance.type == type_), None)


def read_instances(own: Path | None = None) -> InstanceTable:
    """The bundled table, with the instances of the file `own` taking precedence."""
    bundled = InstanceTable.model_validate(tomllib.loads(TABLE.read_text(encoding="utf-8")))
    if own is None:
        return bundled
    try:
        first = InstanceTable.model_validate(tomllib.loads(own.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        reason = f"{str(own)!r} cannot be used: {str(error).splitlines()[0]}"
        raise InvalidInput(
            SETTING, str(own), reason=reason, allowed="a TOML file like desk/compute/instance_prices.toml"
        ) from error
    return first.model_copy(update={"instances": (*first.instances, *bundled.instances)})
