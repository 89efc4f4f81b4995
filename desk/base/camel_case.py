"""Base class of types whose fields are camelCase in JSON."""

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from quant.numeric.frozen import Frozen


class Camel(Frozen):
    """Fields are snake_case in Python and in the store, camelCase over HTTP."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)
