"""The days that a request uses, and how they are divided."""

from datetime import date
from typing import Annotated, Self, TypeAlias

from pydantic import Field, model_validator

from quant.numeric.frozen import Frozen

WindowDay: TypeAlias = Annotated[date | None, Field(exclude_if=lambda day: day is None)]

SMALLEST_HOLDOUT = 0.2
"""Share of the days that the locked holdout has at least."""


class Split(Frozen):
    """Shares of the days, in time order, for training and for validation; the others are the locked holdout."""

    training: Annotated[float, Field(ge=0.4, le=0.7, description="Share of the first days")] = 0.6
    validation: Annotated[float, Field(ge=0.1, le=0.4, description="Share of the days after them")] = 0.2

    @model_validator(mode="after")
    def _leaves_a_holdout(self) -> Self:
        if self.training + self.validation > 1.0 - SMALLEST_HOLDOUT + 1e-9:
            msg = (
                f"split.training {self.training:g} and split.validation {self.validation:g} leave too little for the "
                f"locked holdout; expected a sum of at most {1.0 - SMALLEST_HOLDOUT:g}"
            )
            raise ValueError(msg)
        return self


DEFAULT_SPLIT = Split()
