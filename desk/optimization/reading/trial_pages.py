"""Pagination of trials with filters and sort order; concurrent additions cause no repetition."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from desk.base.errors import InvalidInput
from desk.base.frames import frame
from desk.optimization.request import LimitName
from desk.optimization.result import LimitCheck, Plotted, TrialLimit
from desk.scenarios.schemas import HISTORY
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig
from quant.strategies.family import WeightFunction
from quant.strategies.metrics import METRICS, Metrics
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

if TYPE_CHECKING:
    SortBy: TypeAlias = str
else:
    SortBy = Literal[("number", "objective", *METRICS)]
"""What a page of trials may be sorted by: `number`, `objective` or a metric."""
Order: TypeAlias = Literal["asc", "desc"]


_NUMBER = r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e-?[0-9]+)?"
_RANGE = re.compile(rf"(volatility|excess_return|drawdown|objective):({_NUMBER})\.\.({_NUMBER})")
Within: TypeAlias = Annotated[str, Field(pattern=f"^{_RANGE.pattern}$", max_length=80)]
"""A measure over all scenarios with its range, ends included, such as `volatility:0.09..0.12`."""


class Means(Frozen):
    """Annual fractions, means over the scenarios with their weights: a point of the risk-return chart."""

    volatility: float
    """Standard deviation of returns."""
    excess_return: float
    drawdown: float


class TrialRow(Frozen):
    """A trial with its metrics in one scenario; `objective` and `feasible` are null if it was screened out."""

    number: int
    round: int
    """Round of the search, from 0."""
    origin: str
    """How the configuration was proposed."""
    digest: str
    config: StrategyConfig
    screened: bool
    feasible: bool | None
    breaches: tuple[LimitName, ...] = ()
    """Limits that it breaks."""
    objective: float | None
    chosen: bool
    """Whether it is the winner."""
    means: Annotated[Means | None, Field(description="Over the scenarios; null if it was screened out")] = None
    metrics: Metrics


class TrialDetails(Trial):
    """A trial with all its measurements, and the limits that it was held to."""

    limits: tuple[TrialLimit, ...] = Field(description="In each scenario; none if it was screened out")


class TrialQuery(Frozen):
    """Filter and order of trials."""

    sort: SortBy = "number"
    order: Order = "asc"
    scenario: Annotated[str, Field(max_length=64)] = HISTORY
    weight_function: tuple[WeightFunction, ...] = ()
    feasible: bool | None = None
    screened: bool | None = None
    within: tuple[Within, ...] = ()


Row: TypeAlias = dict[str, Any]
"""A `TrialRow` as JSON; only the rows of one page are validated."""
_ROWS: TypeAdapter[tuple[TrialRow, ...]] = TypeAdapter(tuple[TrialRow, ...])


class TrialPage(Frozen):
    items: tuple[TrialRow, ...]
    next: str | None = Field(description="The cursor of the next page; null at the end")
    total: int = Field(description="Trials that the filters let through, on all pages")
    partial: tuple[str, ...] = Field(description="Why these are not the trials of a whole result; empty for one")

    def to_frame(self) -> "pd.DataFrame":
        """One row per trial, by its number: parameters, and each metric with its standard error."""
        return frame(self.items, index="number")


class _Place(Frozen):
    """Position of a page's last row, valid for the same order only."""

    sort: SortBy
    order: Order
    scenario: str
    value: float | None
    number: int


def build_rows(
    trials: Sequence[Trial],
    plotted: Sequence[Plotted],
    checks: Mapping[str, Sequence[LimitCheck]],
    *,
    scenario: str,
    chosen: str | None,
) -> tuple[TrialRow, ...]:
    """`checks` of the limits by digest, for the trials that were not screened out."""
    plotted_by_digest: Mapping[str, Plotted] = {one.digest: one for one in plotted}
    rows_: list[TrialRow] = []
    for trial in trials:
        one = plotted_by_digest.get(trial.digest)
        evaluation = trial.train if scenario == HISTORY else trial.evaluation(scenario)
        rows_.append(
            TrialRow(
                number=trial.number,
                round=trial.round,
                origin=trial.origin,
                digest=trial.digest,
                config=trial.config,
                screened=trial.screened,
                feasible=one.feasible if one else None,
                breaches=tuple(dict.fromkeys(c.limit for c in checks.get(trial.digest, ()) if not c.passed)),
                objective=one.objective if one else None,
                chosen=trial.digest == chosen,
                means=Means.model_validate(one, from_attributes=True) if one else None,
                metrics=evaluation.metrics,
            )
        )
    return tuple(rows_)


def describe_trial(trial: Trial, checks: Sequence[LimitCheck]) -> TrialDetails:
    limits = tuple(TrialLimit.model_validate(check, from_attributes=True) for check in checks)
    return TrialDetails(**dict(trial), limits=limits)


def serialize_rows(rows: Sequence[TrialRow]) -> bytes:
    """Serialize rows for `build_page`."""
    return _ROWS.dump_json(tuple(rows))


def build_page(
    rows: bytes, query: TrialQuery, *, after: str | None, limit: int, partial: Sequence[str] = ()
) -> TrialPage:
    """Return the page after the cursor; rows without a value come last, ties by number."""
    all_rows: list[Row] = json.loads(rows)
    matching_rows = [row for row in all_rows if _passes(row, query)]
    matching_rows.sort(key=lambda row: _key(_value(row, query.sort), row["number"], query.order))
    rest = matching_rows
    if after is not None:
        place = _parse_cursor(after, query)
        last = _key(place.value, place.number, query.order)
        rest = [row for row in matching_rows if _key(_value(row, query.sort), row["number"], query.order) > last]
    items = rest[:limit]
    return TrialPage(
        items=tuple(TrialRow.model_validate(row) for row in items),
        next=_cursor(items[-1], query) if len(rest) > limit else None,
        total=len(matching_rows),
        partial=tuple(partial),
    )


def _passes(row: Row, query: TrialQuery) -> bool:
    return (
        (not query.weight_function or row["config"]["weight_function"] in query.weight_function)
        and query.feasible in (None, row["feasible"])
        and query.screened in (None, row["screened"])
        and all(_lies_within(row, text) for text in query.within)
    )


def _lies_within(row: Row, text: str) -> bool:
    match = _RANGE.fullmatch(text)
    assert match is not None
    name, low, high = match.groups()
    means: Row = row["means"] or {}
    value: float | None = row["objective"] if name == "objective" else means.get(name)
    return value is not None and float(low) <= value <= float(high)


def _value(row: Row, sort: SortBy) -> float | None:
    if sort == "number":
        return float(row["number"])
    if sort == "objective":
        return row["objective"]
    metric = row["metrics"].get(sort)
    return None if metric is None else metric["value"]


def _key(value: float | None, number: int, order: Order) -> tuple[bool, float, int]:
    return value is None, 0.0 if value is None else value if order == "asc" else -value, number


def _cursor(row: Row, query: TrialQuery) -> str:
    place = _Place(
        sort=query.sort,
        order=query.order,
        scenario=query.scenario,
        value=_value(row, query.sort),
        number=row["number"],
    )
    return base64.urlsafe_b64encode(place.model_dump_json().encode()).decode()


def _parse_cursor(cursor: str, query: TrialQuery) -> _Place:
    allowed = "the `next` of a page with the same sort, order and scenario"
    try:
        place = _Place.model_validate_json(base64.urlsafe_b64decode(cursor))
    except (ValidationError, binascii.Error, ValueError) as error:
        raise InvalidInput("after", cursor, reason="it is no cursor", allowed=allowed) from error
    if (place.sort, place.order, place.scenario) != (query.sort, query.order, query.scenario):
        reason = f"it is the cursor of {place.sort}, {place.order}, in {place.scenario}"
        raise InvalidInput("after", cursor, reason=reason, allowed=allowed)
    return place
