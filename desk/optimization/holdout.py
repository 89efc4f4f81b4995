"""The opened holdout: the winner on days that no choice has used."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from desk.figures.figures import Figure, Unit
from desk.figures.metric_figures import metric_figures
from desk.governance.approvals import ApprovalDecision
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen
from quant.numeric.units import BASIS_POINTS
from quant.strategies.evaluation import Evaluation
from store.errors import Conflict
from store.records import Key

if TYPE_CHECKING:
    from desk.optimization.evaluation import World
    from store.store import Store

KIND = "holdout"


class OpenedHoldout(Frozen):
    """Time, author and figures of the opening, which happens once per run."""

    at: datetime
    by: str
    first_day: str
    last_day: str
    code_version: str
    """Code version of the opening, which may be later than that of the run."""
    figures: tuple[Figure, ...]

    @property
    def watermark(self) -> str:
        return (
            f"The holdout ({self.first_day} to {self.last_day}) was opened on {self.at:%Y-%m-%d} by {self.by}: "
            "it is no longer unseen, and no later choice can be tested on it."
        )


HoldoutState: TypeAlias = Literal["unavailable", "locked", "waiting", "approved", "rejected", "opened"]


class HoldoutStatus(Frozen):
    """Whether the locked holdout of a completed job was opened."""

    job: str = Field(description="Id of the job")
    state: HoldoutState = Field(
        description="`unavailable` without a winner to test; `waiting` for a decision; `approved` and not yet computed"
    )
    you_decide: bool = Field(description="Whether you may decide; otherwise a second person does")
    question: str | None = Field(description="Id of the question in /approvals; null before the opening was requested")
    decided: ApprovalDecision | None = Field(description="The decision, which is final")
    opened: OpenedHoldout | None = Field(description="The results on the holdout; null until it is opened")
    watermark: str | None = Field(description="Sentence that marks every later report; null until it is opened")


def holdout_figures(world: "World", result: OptimizationResult) -> tuple[Figure, ...]:
    """Evaluate the winner on the holdout, beside the volatility-matched constant weight and the asset."""
    assert result.winner is not None
    assert result.benefit is not None
    winner, part = result.winner.config, world.market.holdout
    benchmark = world.constant(result.benefit.benchmark_weight, winner.rebalancing)
    configs = [winner, benchmark, world.constant(1.0, winner.rebalancing)]
    records = world.replay(configs, end=part.stop).series
    evaluations = [world.on_history(config, record, part) for config, record in zip(configs, records, strict=True)]
    return tuple(_figures(world, *evaluations))


async def load_holdout(store: "Store", owner: str, run: str) -> OpenedHoldout | None:
    record = await store.records.get(Key(owner, KIND, run))
    return None if record is None else OpenedHoldout.model_validate(record.document)


async def save_holdout(store: "Store", owner: str, run: str, holdout: OpenedHoldout) -> OpenedHoldout:
    """Store the opening unless one exists; return the stored one."""
    try:
        await store.records.put(Key(owner, KIND, run), holdout.model_dump(mode="json"), expected=0)
    except Conflict:
        earlier = await load_holdout(store, owner, run)
        assert earlier is not None
        return earlier
    return holdout


def _figures(world: "World", winner: Evaluation, benchmark: Evaluation, asset: Evaluation) -> Iterator[Figure]:
    dates = world.market.dates[world.market.holdout]
    yield _figure("first_day", "day on which the holdout begins", str(dates[0]), "date")
    yield _figure("last_day", "day on which the holdout ends", str(dates[-1]), "date")
    yield _figure("days", "count of locked sessions", winner.days, "days")
    gained = winner.metrics.utility.value - benchmark.metrics.utility.value
    yield _figure(
        "advantage_bps",
        "benefit of the winner on the holdout, over the matched constant weight",
        gained * BASIS_POINTS,
        "bps",
    )
    rules = {
        "winner": ("the winner", winner),
        "benchmark": ("the matched constant weight", benchmark),
        "asset": ("the asset", asset),
    }
    for whose, (words, evaluation) in rules.items():
        for figure in metric_figures(evaluation.metrics, "holdout"):
            quantity = f"{figure.quantity} of {words} on the holdout"
            yield _figure(f"{whose}_{figure.name}", quantity, figure.value.value, figure.unit)


def _figure(name: str, quantity: str, value: float | str, unit: Unit) -> Figure:
    return Figure(id=f"holdout_{name}", quantity=quantity, value=value, unit=unit, source=f"holdout.{name}")
