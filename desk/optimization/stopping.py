"""Why a search ends, its budgets of time and money, and configurations that cannot be evaluated."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from desk.base.errors import InvalidInput, UserError
from desk.base.text import plural
from desk.governance.estimates import Machines
from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen

SpentBudget: TypeAlias = Literal["time", "dollars"]
StopReason: TypeAlias = Literal["budget", "converged", "exhausted", "time", "dollars"]
"""Of one plan: its trials are done; the best no longer improves; nothing new is left to try; a budget is spent."""
SPENT: Final[frozenset[str]] = frozenset({"time", "dollars"})

MOST_FAILED = 0.2
"""Largest share of the configurations of a run that may fail."""
_REASONS = 3


class SearchLimit(Frozen):
    """What is left of a budget of time or money when a plan begins."""

    reason: SpentBudget
    seconds: float


class SearchStop(Frozen):
    """Where a budget ended the search of an earlier run; its reproduction ends there, however fast it is."""

    reason: SpentBudget
    trials: int
    """Configurations tried, failed ones included."""


class TrialFailure(Frozen):
    """A configuration that cannot be evaluated."""

    digest: str
    reason: Annotated[str, Field(max_length=400)]


class TooManyFailed(UserError):
    """More than a fifth of the configurations of a run failed."""

    code = "trials_failed"

    def __init__(self, reasons: Sequence[str], tried: int) -> None:
        first = "; ".join([*dict.fromkeys(reasons)][:_REASONS])
        super().__init__(
            f"trials: {len(reasons)} of {tried} failed: {first}; expected at most {MOST_FAILED:.0%} that cannot be "
            "evaluated on these prices"
        )


def require_few_failed(reasons: Sequence[str], tried: int) -> None:
    """Raise `TooManyFailed` if these are more than a fifth of the `tried` configurations."""
    if len(reasons) > MOST_FAILED * tried:
        raise TooManyFailed(reasons, tried)


def remaining_limit(
    request: OptimizationRequest, machines: Machines, *, seconds: float = 0.0, plan: int = 0
) -> SearchLimit | None:
    """The budget that the plan with this number meets first, after `seconds` of search in earlier ones; None for none.

    Money is that of the machines, whose start-up is paid in each plan. Raises `InvalidInput` if their price is unknown.
    """
    limits: list[SearchLimit] = []
    if request.max_minutes is not None:
        limits.append(SearchLimit(reason="time", seconds=60.0 * request.max_minutes - seconds))
    if request.max_dollars is not None and machines.instances:
        if machines.dollars_per_hour is None:
            reason = f"the price of {machines.instance_type} is not known here"
            raise InvalidInput("max_dollars", request.max_dollars, reason=reason, allowed="max_minutes instead")
        affordable = 3600.0 * request.max_dollars / (machines.instances * machines.dollars_per_hour)
        limits.append(
            SearchLimit(reason="dollars", seconds=affordable - seconds - (plan + 1) * machines.starting_seconds)
        )
    return min(limits, key=lambda limit: limit.seconds, default=None)


def spent_budget(limit: SearchLimit | SearchStop | None, tried: int) -> SpentBudget | None:
    """The budget that leaves nothing for a further plan, after `tried` configurations of the run."""
    match limit:
        case SearchLimit(reason=reason, seconds=seconds):
            return reason if seconds <= 0.0 else None
        case SearchStop(reason=reason, trials=trials):
            return reason if tried >= trials else None
        case None:
            return None


def stop_sentence(request: OptimizationRequest, stopped: str, tried: int) -> str | None:
    """What a result says about a spent budget of time or money; None if none ended its search."""
    if stopped not in SPENT:
        return None
    size = _minutes(request) if stopped == "time" else _dollars(request)
    return (
        f"The search stopped at the budget of {size} after {tried} of {request.trials} trials; a longer one may end "
        "with another winner."
    )


def failed_sentence(failed: int, tried: int) -> str | None:
    """What a result says about configurations that failed; None if none did."""
    if not failed:
        return None
    return f"{plural(failed, 'configuration')} of {tried} could not be evaluated on these prices, and took no part."


def describe_budgets(request: OptimizationRequest) -> str | None:
    """The budgets of time and money of a request; None if it has none."""
    return " and ".join(filter(None, (_minutes(request), _dollars(request)))) or None


def _minutes(request: OptimizationRequest) -> str:
    minutes = request.max_minutes
    return "" if minutes is None else f"{minutes:g} minute" if minutes == 1.0 else f"{minutes:g} minutes"


def _dollars(request: OptimizationRequest) -> str:
    return "" if request.max_dollars is None else f"{request.max_dollars:.2f} dollars"
