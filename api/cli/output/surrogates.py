"""Surrogates on the terminal."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desk.surrogates.schemas import Surrogate


def print_starts(surrogate: "Surrogate", count: int) -> None:
    """The source of the first configurations of a search, on standard error."""
    source = f"version {surrogate.version} of the surrogate of {surrogate.problem[:12]}"
    weak = "" if surrogate.held_out["objective"].beats_mean else "; on held-out trials it is no better than their mean"
    print(f"{count} configurations to begin with, from {source} ({surrogate.trials} trials{weak})", file=sys.stderr)
