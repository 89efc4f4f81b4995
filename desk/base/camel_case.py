"""The base of the words that the interface writes in camelCase."""

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from quant.numeric.frozen import Frozen


class Camel(Frozen):
    """Named in snake_case here and in the store, in camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)
