"""Chooses the winner: scores the shortlist on fresh paths and compares finalists and plateaus of neighbours."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from desk.optimization.evaluation import World, goal_values, metric_values, objectives
from desk.optimization.limits import check_limits, total_violation
from desk.optimization.result import Finalist, LimitCheck
from desk.optimization.search.search import is_selectable
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Floats
from quant.numeric.measured import Measured
from quant.numeric.random_numbers import LANES
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.goal import GOAL_METRIC, Goal
from quant.strategies.objective import scenario_weights, scores
from quant.strategies.search import neighbours
from quant.strategies.trial import Trial
from quant.worlds.scenario import Scenario

SHORTLIST = 8


@dataclass(frozen=True)
class ScoreTable:
    """Evaluations of configs on common paths, for paired comparisons.

    Attributes
    ----------
    configs : tuple of StrategyConfig, length K
    evaluations : mapping from scenario to list of Evaluation
        Training history included.
    paths : mapping from scenario to list of K ndarrays, shape (M, P)
        Utility of each path, its drawdown if that is kept and, last, its benefit if the goal needs it; M is 0 if
        nothing is kept. Tables share rows instead of copying them, because they are most of the memory.
    history : ndarray, shape (K,)
        Utility on the training history.
    """

    configs: tuple[StrategyConfig, ...]
    evaluations: dict[str, list[Evaluation]]
    paths: dict[str, list[Floats]]
    history: Floats

    def place(self, config: StrategyConfig) -> int:
        return self.configs.index(config)

    def select(self, configs: Sequence[StrategyConfig]) -> "ScoreTable":
        places = [self.place(c) for c in configs]
        return ScoreTable(
            configs=tuple(configs),
            evaluations={name: [rows[k] for k in places] for name, rows in self.evaluations.items()},
            paths={name: [rows[k] for k in places] for name, rows in self.paths.items()},
            history=self.history[places],
        )

    def merge(self, other: "ScoreTable") -> "ScoreTable":
        """Append the configs of `other` that are not in this table."""
        new = [k for k, config in enumerate(other.configs) if config not in self.configs]
        return ScoreTable(
            configs=(*self.configs, *(other.configs[k] for k in new)),
            evaluations={n: [*rows, *(other.evaluations[n][k] for k in new)] for n, rows in self.evaluations.items()},
            paths={n: [*rows, *(other.paths[n][k] for k in new)] for n, rows in self.paths.items()},
            history=np.concatenate([self.history, other.history[new]]),
        )

    def values(self, scenarios: Sequence[str], metric: str) -> Floats:
        """Shape (K, S + 1), training history last; negative where lower is better."""
        columns = [[e.metrics.gain(metric) for e in self.evaluations[s]] for s in (*scenarios, HISTORY)]
        return np.array(columns).T

    def by_scenario(self, place: int) -> dict[str, Evaluation]:
        return {name: rows[place] for name, rows in self.evaluations.items()}


def fresh_block(world: World) -> int:
    """Index of the first block of paths that the search has not used."""
    return math.ceil(world.paths / LANES)


def score(
    world: World,
    configs: Sequence[StrategyConfig],
    scenarios: Sequence[Scenario],
    *,
    cost_factor: float = 1.0,
    keep: Literal["nothing", "utilities", "drawdowns"] = "utilities",
    history: list[Evaluation] | None = None,
) -> ScoreTable:
    """Evaluate `configs` on common paths that the search has not used, and on the training history.

    `keep` limits the stored path values, which would fill the memory otherwise. `history` holds the evaluations on the
    training history where they are known.
    """

    def evaluate(scenario: Scenario) -> tuple[list[Evaluation], list[Floats]]:
        simulated = world.simulate(
            world.with_references(configs),
            scenario,
            first_block=fresh_block(world),
            keep_paths=keep != "nothing",
            keep_drawdowns=keep == "drawdowns",
            cost_factor=cost_factor,
        )
        by_path = world.path_values(simulated)
        return world.evaluations(configs, simulated, scenario), [by_path[:, k] for k in range(len(configs))]

    names = [scenario.name for scenario in scenarios]
    with ThreadPoolExecutor(2) as pool:  # one simulation alone leaves a core idle while it begins and ends
        evaluations, kept = zip(*pool.map(evaluate, scenarios), strict=True)
    evaluations_by_scenario, paths = dict(zip(names, evaluations, strict=True)), dict(zip(names, kept, strict=True))
    if history is None:
        train = world.market.train
        records = world.replay(configs, end=train.stop, cost_factor=cost_factor).series
        history = [
            world.on_history(c, r, train, cost_factor=cost_factor) for c, r in zip(configs, records, strict=True)
        ]
    evaluations_by_scenario[HISTORY] = history
    return ScoreTable(
        tuple(configs), evaluations_by_scenario, paths, np.array([e.metrics.utility.value for e in history])
    )


@dataclass(frozen=True)
class Plateau:
    """Objectives of a config's neighbours, and the paired error of the config minus their median."""

    median: float
    neighbours: int
    error: float


@dataclass(frozen=True)
class Choice:
    """The winner with the finalists and scores behind the choice."""

    winner: StrategyConfig
    finalists: tuple[Finalist, ...]
    table: ScoreTable
    best: Floats
    """Best value of any trial in each scenario, training history last, shape (S + 1,)."""
    plateau_errors: Mapping[str, float]
    """Error of each finalist's lead over its plateau's median, by digest."""


@dataclass(frozen=True)
class NoneFeasible:
    """No trial meets the limits; `checks` by digest, of the trials that fail on fresh paths only."""

    checks: Mapping[str, tuple[LimitCheck, ...]]


def objective_weights(world: World) -> Floats:
    return scenario_weights([s.probability for s in world.request.scenarios])


def choose_winner(world: World, trials: Sequence[Trial]) -> Choice | NoneFeasible:
    """Choose the winner (method, section 3): feasible on fresh paths, within two paired errors, highest plateau."""
    request = world.request
    leading = [t for t in trials if not t.screened]
    objective = objectives(request, leading)
    order = sorted((k for k, t in enumerate(leading) if is_selectable(request, t)), key=lambda k: (-objective[k], k))
    # the result shows each scenario's best utility, and the benefit's regret needs each scenario's best benefit
    values = [metric_values(request, leading, "utility"), *([goal_values(request, leading)] if world.compares else [])]
    champions = [leading[k].config for k in dict.fromkeys(int(np.argmax(column)) for v in values for column in v.T)]
    refuted: dict[str, tuple[LimitCheck, ...]] = {}
    for first in range(0, len(order), SHORTLIST):
        shortlist = [leading[k].config for k in order[first : first + SHORTLIST]]
        table = score(world, tuple(dict.fromkeys((*shortlist, *champions))), request.scenarios)
        checks = [check_limits(request, table.by_scenario(k)) for k in range(len(shortlist))]
        if any(total_violation(of_one) == 0.0 for of_one in checks):
            return _choose_from_shortlist(world, table, checks)
        refuted |= {config.digest(): of_one for config, of_one in zip(shortlist, checks, strict=True)}
    return NoneFeasible(refuted)


def _choose_from_shortlist(world: World, table: ScoreTable, checks: Sequence[tuple[LimitCheck, ...]]) -> Choice:
    """Choose among the first configs of `scored`, which are the shortlist of `checks`."""
    request = world.request
    names = [s.name for s in request.scenarios]
    weights = objective_weights(world)
    best = np.max(table.values(names, GOAL_METRIC[request.goal]), axis=0)
    objective = table_objective(world, table, best)
    feasible = [k for k, of_one in enumerate(checks) if total_violation(of_one) == 0.0]
    top = max(feasible, key=lambda k: (objective[k], -k))
    errors = [
        paired_objective_error(table, weights, best, names, top, k, goal=request.goal) for k in range(len(checks))
    ]
    near = [k for k in feasible if objective[top] - objective[k] <= 2.0 * errors[k]]
    plateaus = _plateaus(world, table, near, best)
    winner = max(near, key=lambda k: (plateaus[k].median, objective[k], -k))
    unseen = Plateau(0.0, 0, 0.0)
    finalists = tuple(
        Finalist(
            digest=table.configs[k].digest(),
            config=table.configs[k],
            objective=float(objective[k]),
            behind_best=Measured(value=float(objective[top] - objective[k]), error=errors[k]),
            indistinguishable=k in near,
            plateau_median=plateaus[k].median if k in near else float(objective[k]),
            plateau_neighbours=plateaus.get(k, unseen).neighbours,
            plateau_passed=False,
            offsets_bps=None,
            feasible=k in feasible,
            breaches=tuple(dict.fromkeys(check.limit for check in of_one if not check.passed)),
        )
        for k, of_one in enumerate(checks)
    )
    return Choice(
        winner=table.configs[winner],
        finalists=finalists,
        table=table,
        best=best,
        plateau_errors={table.configs[k].digest(): plateaus[k].error for k in near},
    )


def _plateaus(world: World, table: ScoreTable, near: Sequence[int], best: Floats) -> dict[int, Plateau]:
    """Evaluate the neighbours of each config of `near` on the same paths."""
    request = world.request
    around = {k: neighbours(request.space, table.configs[k]) for k in near}
    unseen = tuple(dict.fromkeys(c for group in around.values() for c in group if c not in table.configs))
    level = dict(zip(table.configs, table_objective(world, table, best), strict=True))
    if unseen:
        neighbour_table = score(world, unseen, request.scenarios, keep="nothing")
        level |= dict(zip(unseen, table_objective(world, neighbour_table, best), strict=True))
    around = {k: sorted(group, key=lambda c: level[c]) or [table.configs[k]] for k, group in around.items()}
    middle = {k: group[(len(group) - 1) // 2] for k, group in around.items()}
    # only the median neighbours need path values, so they are evaluated a second time
    again = tuple(dict.fromkeys(c for c in middle.values() if c not in table.configs))
    comparison = table.merge(score(world, again, request.scenarios)) if again else table
    names, weights = [s.name for s in request.scenarios], objective_weights(world)
    return {
        k: Plateau(
            median=float(np.median([level[c] for c in around[k]])),
            neighbours=len(around[k]) if around[k] != [table.configs[k]] else 0,
            error=paired_objective_error(
                comparison, weights, best, names, k, comparison.place(middle[k]), goal=request.goal
            ),
        )
        for k in near
    }


def judge_plateaus(choice: Choice, benchmark_objective: float) -> tuple[Finalist, ...]:
    """Pass a finalist that exceeds its plateau by at most two errors or 10% of its lead over the benchmark."""
    finalists: list[Finalist] = []
    for finalist in choice.finalists:
        error = 2.0 * choice.plateau_errors.get(finalist.digest, 0.0)
        lead = max(finalist.objective - benchmark_objective, 0.0)
        passed = finalist.plateau_neighbours > 0 and (
            finalist.objective - finalist.plateau_median <= max(error, 0.1 * lead)
        )
        finalists.append(finalist.model_copy(update={"plateau_passed": passed}))
    return tuple(finalists)


def objective_against(values: Floats, weights: Floats, best: Floats, goal: Goal) -> Floats:
    """Objective of each row of `values`, with regret relative to `best` only."""
    pairs = (np.vstack([row, best]) for row in values)
    return np.array([scores(pair, weights, goal=goal, sharpes=pair)[0] for pair in pairs])


def table_objective(world: World, table: ScoreTable, best: Floats) -> Floats:
    """Objective of every config of the table, with regret relative to `best`."""
    goal = world.request.goal
    names = [s.name for s in world.request.scenarios]
    return objective_against(table.values(names, GOAL_METRIC[goal]), objective_weights(world), best, goal)


def paired_objective_error(
    table: ScoreTable, weights: Floats, best: Floats, names: Sequence[str], first: int, second: int, *, goal: Goal
) -> float:
    """Monte Carlo error of the difference of two objectives, by the delta method on paired paths."""
    if first == second:
        return 0.0
    values = table.values(names, GOAL_METRIC[goal])
    slopes = [_slopes(values[k], weights, best, goal) for k in (first, second)]
    total = 0.0
    for s, name in enumerate(names):
        sides = [slope[s] * _by_path(table, name, k, goal) for slope, k in zip(slopes, (first, second), strict=True)]
        gap = sides[0] - sides[1]
        total += variance(gap) / gap.size
    return math.sqrt(total)


def _slopes(row: Floats, weights: Floats, best: Floats, goal: Goal) -> Floats:
    """Gradient of the objective by scenario; exact, because every goal is piecewise linear."""
    step = 1e-6 * np.eye(row.size)
    up, down = (objective_against(row + shift, weights, best, goal) for shift in (step, -step))
    return (up - down) / 2e-6


def _by_path(table: ScoreTable, name: str, k: int, goal: Goal) -> Floats:
    """Values of the goal's metric by path, up to a constant.

    For a metric that paths do not store, such as the Sharpe ratio, utilities are scaled to its error.
    """
    metric = GOAL_METRIC[goal]
    utilities = table.paths[name][k][-1 if metric == "benefit" else 0]
    if metric in ("utility", "benefit"):
        return utilities
    spread = variance(utilities) / utilities.size
    error = table.evaluations[name][k].metrics.error_of(metric)
    return utilities * (error / math.sqrt(spread)) if spread > 0.0 else np.zeros_like(utilities)


def variance(values: Floats) -> float:
    """Sample variance (n - 1)."""
    centred = values - np.sum(values) / values.size
    return float(np.sum(centred * centred)) / (values.size - 1)
