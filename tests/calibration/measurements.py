"""The measurements of a calibration; each makes one row of its file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from desk.optimization.evaluation import World
from desk.optimization.result import OptimizationResult
from quant.strategies.goal import DEFAULT_GOAL, Goal
from tests.calibration.coverage import FAMILIES_COVERED, fixed_benefits, scenario_truth, true_benefit
from tests.calibration.families import FAMILIES, Family
from tests.calibration.histories import LongRun, build_world, optimize, request

Row: TypeAlias = Mapping[str, Any]
Kind: TypeAlias = Literal["history", "interval", "truth", "edge"]
KINDS: tuple[Kind, ...] = ("history", "interval", "truth", "edge")

GOALS: tuple[Goal, ...] = (DEFAULT_GOAL, "robust_utility")
ROWS = Path(__file__).parent / "rows.jsonl"
"""The measurements behind the published rates."""
COMPARED_HISTORIES = 60
"""Histories of a family for a goal that is not the default one."""
COVERAGE_HISTORIES = 300
"""Histories of a family whose intervals of fixed configurations are compared with the truth."""
EDGE_HISTORIES = 200
"""Histories that measure the t-ratio of a planted edge; its error is about 0.07."""
WINNER_HISTORIES = 100
"""Histories of a family on which the winner's interval is compared with the truth, for the default goal."""


@dataclass(frozen=True)
class Measurement:
    """What a row measures.

    ``history`` is the judgement of one history, ``interval`` the benefit of fixed configurations on it, ``truth`` what
    their benefit needs from the scenarios, ``edge`` the t-ratio of the best configuration.
    """

    kind: Kind
    family: str
    seed: int = 0
    goal: Goal = DEFAULT_GOAL

    def take(self) -> Row:
        """The row: the fields of this measurement and what was measured."""
        family = next(family for family in FAMILIES if family.name == self.family)
        match self.kind:
            case "history":
                values = _judge(family, self.goal, self.seed)
            case "interval":
                values = {"benefits": [benefit.model_dump() for benefit in fixed_benefits(family, self.seed)]}
            case "truth":
                values = {"truth": scenario_truth(family).model_dump()}
            case "edge":
                values = {"best_t": LongRun(family, EDGE_HISTORIES).best_t_ratio()}
        return {**asdict(self), **values}


def histories_of(family: Family, goal: str) -> int:
    """Histories of a whole calibration."""
    return family.histories if goal == DEFAULT_GOAL else min(family.histories, COMPARED_HISTORIES)


def sample_of(rows: Sequence[Row]) -> list[Row]:
    """The judgements of the first history of each family, for each goal."""
    return [row for row in rows if row["kind"] == "history" and row["seed"] == 0]


def is_repeated(row: Row) -> bool:
    """Whether the code comes to the same judgement again; the last digits depend on the processor."""
    again = measurement_of(row).take()
    return row.keys() == again.keys() and all(
        value == (pytest.approx(again[name], rel=1e-6) if isinstance(value, float) else again[name])
        for name, value in row.items()
    )


def measurement_of(row: Row) -> Measurement:
    return Measurement(**{field.name: row[field.name] for field in fields(Measurement)})


def measurements(share: float, kinds: Sequence[Kind] = KINDS) -> list[Measurement]:
    """All measurements of `kinds` with a share of the histories, family by family in turn.

    An interrupted calibration then has some histories of each family.
    """

    def seeds(histories: int) -> range:
        return range(max(1, round(share * histories)))

    def every() -> Iterator[Measurement]:
        for family in FAMILIES:
            if family.edge is not None:
                yield Measurement(kind="edge", family=family.name)
            if family in FAMILIES_COVERED:
                yield Measurement(kind="truth", family=family.name)
                for seed in seeds(COVERAGE_HISTORIES):
                    yield Measurement(kind="interval", family=family.name, seed=seed)
            for goal in GOALS:
                for seed in seeds(histories_of(family, goal)):
                    yield Measurement(kind="history", family=family.name, seed=seed, goal=goal)

    return sorted((each for each in every() if each.kind in kinds), key=lambda each: each.seed)


@cache
def _long_run(family: Family) -> LongRun:
    return LongRun(family)


def _judge(family: Family, goal: Goal, seed: int) -> Row:
    world = build_world(family, seed, request(seed, goal))
    result = optimize(world)
    row: dict[str, Any] = {"colour": result.verdict.colour}
    if result.luck is None or result.winner is None:
        return row
    row |= result.luck.model_dump(
        include={"winner_p", "single_step_p", "active_t", "loss", "validate_t", "overfitting", "spa_p"}
    )
    row["function"] = result.winner.config.weight_function
    if family.edge is not None:
        row["true_t"] = float(_long_run(family).t_ratios([result.winner.config])[0])
    if family in FAMILIES_COVERED and seed < WINNER_HISTORIES and goal == DEFAULT_GOAL:
        row["winner_held"] = _holds_truth(world, result, family)
    return row


def _holds_truth(world: World, result: OptimizationResult, family: Family) -> bool:
    """Whether the interval of the winner's benefit holds the truth."""
    assert result.winner is not None
    assert result.benefit is not None
    truth = true_benefit(world, _long_run(family), result.winner.config, result.benefit.benchmark_weight)
    return bool(result.benefit.low <= truth <= result.benefit.high)
