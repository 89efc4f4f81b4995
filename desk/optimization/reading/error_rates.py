"""How often the verdict errs on generated histories, as `make calibration` measured it."""

import json
from functools import cache
from pathlib import Path

from desk.base.text import number
from quant.numeric.frozen import Frozen

FILE = Path(__file__).with_suffix(".json")


class ErrorRates(Frozen):
    """Counts of histories without an edge, and of histories with a large one."""

    code: str
    """Digest of the code that was measured."""
    histories: int
    green: int
    amber: int
    with_edge: int
    """Histories whose planted edge has a t-ratio of about 4."""
    missed: int
    """Those of them on which the verdict was red."""


@cache
def error_rates() -> ErrorRates:
    return ErrorRates.model_validate(json.loads(FILE.read_text(encoding="utf-8")))


def how_often_wrong() -> str:
    """How often the light errs, where nothing can be gained and with a large edge."""
    rates = error_rates()
    return (
        f"Tried on {number(rates.histories)} simulated histories where nothing can be gained, this light was wrongly "
        f"green on {number(rates.green)} and wrongly amber on {number(rates.amber)}; on {number(rates.with_edge)} with "
        f"a large true edge it was wrongly red on {number(rates.missed)}."
    )
