"""The shortlist, scored again on fresh paths: who is indistinguishable from the best, and who stands on a plateau."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quant.evaluation import Evaluation, Measured
from quant.goal import Goal
from quant.objective import REGRET_AVERSION, scenario_weights, scores
from quant.random import LANES
from quant.scenario import Scenario
from quant.search import neighbours
from quant.simulation import evaluations
from quant.strategy import StrategyConfig
from quant.trial import Trial
from tools.evaluation import World, goal_values, objectives
from tools.optimization import HISTORY, Finalist
from tools.search import selectable

Floats = NDArray[np.float64]

SHORTLIST = 8
PLATEAUS = 6
"""Indistinguishable finalists whose neighbours are evaluated."""
Z = 1.959963984540054
"""Normal quantile of 97.5%."""


@dataclass(frozen=True)
class Scored:
    """Configs on common paths: what comparisons need.

    Attributes
    ----------
    configs : tuple of StrategyConfig, length K
    evaluations : mapping from scenario to list of Evaluation
        Training history included.
    paths : mapping from scenario to ndarray, shape (M, K, P)
        Utility of each path and, where M is 2, its drawdown; M is 0 where nothing was kept.
    history : ndarray, shape (K,)
        Utility on the training history.
    """

    configs: tuple[StrategyConfig, ...]
    evaluations: dict[str, list[Evaluation]]
    paths: dict[str, Floats]
    history: Floats

    def place(self, config: StrategyConfig) -> int:
        return self.configs.index(config)

    def joined(self, other: "Scored") -> "Scored":
        """These configs and those of `other` that are not among them; utilities alone."""
        new = [k for k, config in enumerate(other.configs) if config not in self.configs]
        return Scored(
            configs=(*self.configs, *(other.configs[k] for k in new)),
            evaluations={n: [*rows, *(other.evaluations[n][k] for k in new)] for n, rows in self.evaluations.items()},
            paths={n: np.concatenate([p[:1], other.paths[n][:1, new]], axis=1) for n, p in self.paths.items()},
            history=np.concatenate([self.history, other.history[new]]),
        )

    def values(self, scenarios: Sequence[str], metric: str) -> Floats:
        columns = [[getattr(e.metrics, metric).value for e in self.evaluations[s]] for s in (*scenarios, HISTORY)]
        return np.array(columns).T


def score(
    world: World,
    configs: Sequence[StrategyConfig],
    scenarios: Sequence[Scenario],
    *,
    cost_factor: float = 1.0,
    keep: Literal["nothing", "utilities", "drawdowns"] = "utilities",
) -> Scored:
    """Evaluate `configs` together on paths that the search has not seen, and on the training history.

    Paths are kept only where paired comparisons need them: with ten thousand they would fill the memory.
    """
    fresh = math.ceil(world.paths / LANES)
    digests = [c.digest() for c in configs]
    found: dict[str, list[Evaluation]] = {}
    paths: dict[str, Floats] = {}
    for scenario in scenarios:
        simulated = world.simulate(
            configs,
            scenario,
            first_block=fresh,
            keep_paths=keep != "nothing",
            keep_drawdowns=keep == "drawdowns",
            cost_factor=cost_factor,
        )
        found[scenario.name] = evaluations(simulated, digests, scenario.name)
        kept = {"nothing": [], "utilities": [simulated.utilities]}
        paths[scenario.name] = np.array(kept.get(keep, [simulated.utilities, simulated.drawdowns]))
    train = world.market.train
    records = world.replay(configs, end=train.stop, cost_factor=cost_factor).series
    found[HISTORY] = [world.on_history(c, r, train) for c, r in zip(configs, records, strict=True)]
    history = np.array([e.metrics.utility.value for e in found[HISTORY]])
    return Scored(tuple(configs), found, paths, history)


@dataclass(frozen=True)
class Choice:
    """The winner and how it was chosen."""

    winner: StrategyConfig
    finalists: tuple[Finalist, ...]
    scored: Scored
    best: Floats
    """Best value of any trial in each scenario, training history last, shape (S + 1,)."""


def weights_of(world: World) -> Floats:
    return scenario_weights([s.probability for s in world.request.scenarios])


def choose(world: World, trials: Sequence[Trial]) -> Choice | None:
    """Method, section 3: fresh paths, two paired errors, then the highest plateau; None if nothing is feasible."""
    request = world.request
    names = [s.name for s in request.scenarios]
    metric = "sharpe" if request.goal == "sharpe" else "utility"
    weights = weights_of(world)
    leading = [t for t in trials if not t.screened]
    searched = objectives(request, leading)
    feasible = [k for k, t in enumerate(leading) if selectable(request, t)]
    if not feasible:
        return None
    order = sorted(feasible, key=lambda k: (-searched[k], k))[:SHORTLIST]
    champions = [int(np.argmax(column)) for column in goal_values(request, leading).T]
    shortlist = [leading[k].config for k in order]
    others = [c for k in dict.fromkeys(champions) if (c := leading[k].config) not in shortlist]
    scored = score(world, [*shortlist, *others], request.scenarios)
    values = scored.values(names, metric)
    best = np.max(values, axis=0)
    ranked = objective_against(values, weights, best, request.goal)
    top = int(np.argmax(ranked[: len(shortlist)]))
    errors = [paired_objective_error(scored, weights, best, names, top, k) for k in range(len(shortlist))]
    behind = [Measured(value=float(ranked[top] - ranked[k]), error=errors[k]) for k in range(len(shortlist))]
    near = [k for k in range(len(shortlist)) if behind[k].value <= 2.0 * (behind[k].error or 0.0)]
    near = sorted(near, key=lambda k: (-ranked[k], k))[:PLATEAUS]
    around = {k: [c for c in neighbours(request.space, shortlist[k]) if c not in scored.configs] for k in near}
    unseen = list(dict.fromkeys(c for group in around.values() for c in group))
    beside = score(world, unseen, request.scenarios, keep="nothing") if unseen else None
    medians: dict[int, tuple[float, int]] = {}
    for k in near:
        known = [float(ranked[scored.place(c)]) for c in neighbours(request.space, shortlist[k]) if c in scored.configs]
        if beside is not None:
            level = objective_against(beside.values(names, metric), weights, best, request.goal)
            known += [float(level[beside.place(c)]) for c in around[k]]
        medians[k] = (float(np.median(known)) if known else float(ranked[k]), len(known))
    chosen = max(near, key=lambda k: (medians[k][0], ranked[k], -k))
    finalists = tuple(
        Finalist(
            digest=config.digest(),
            config=config,
            objective=float(ranked[k]),
            behind_best=behind[k],
            indistinguishable=behind[k].value <= 2.0 * (behind[k].error or 0.0),
            plateau_median=medians.get(k, (float(ranked[k]), 0))[0],
            plateau_neighbours=medians.get(k, (0.0, 0))[1],
            plateau_passed=False,
            feasible=True,
        )
        for k, config in enumerate(shortlist)
    )
    return Choice(shortlist[chosen], finalists, scored, best)


def judge_plateaus(choice: Choice, benchmark_objective: float) -> tuple[Finalist, ...]:
    """Passed if the objective exceeds its plateau by at most two errors or 10% of its lead over the benchmark."""
    judged: list[Finalist] = []
    for finalist in choice.finalists:
        error = 2.0 * (finalist.behind_best.error or 0.0)
        lead = max(finalist.objective - benchmark_objective, 0.0)
        passed = finalist.plateau_neighbours > 0 and (
            finalist.objective - finalist.plateau_median <= max(error, 0.1 * lead)
        )
        judged.append(finalist.model_copy(update={"plateau_passed": passed}))
    return tuple(judged)


def objective_against(values: Floats, weights: Floats, best: Floats, goal: Goal) -> Floats:
    """Objective of each row of `values`, with regret against the given best."""
    stacked = np.vstack([values, best])  # the best of each scenario joins, so that regret is against it
    return scores(stacked, weights, goal=goal, sharpes=stacked)[:-1]


def objective_of(world: World, scored: Scored, best: Floats) -> Floats:
    """Objective of every scored config, regret against `best`."""
    metric = "sharpe" if world.request.goal == "sharpe" else "utility"
    names = [s.name for s in world.request.scenarios]
    return objective_against(scored.values(names, metric), weights_of(world), best, world.request.goal)


def paired_objective_error(
    scored: Scored, weights: Floats, best: Floats, names: Sequence[str], first: int, second: int
) -> float:
    """Monte Carlo error of the difference of two objectives, by the delta method on paired paths.

    The objective is linear in the scenario utilities but for the scenario of the largest regret, which counts its
    weight of 1/4 once more. Other goals use the same paths with the plain weights.
    """
    utilities: Floats = np.array([[np.mean(scored.paths[n][0, k]) for n in names] for k in (first, second)])
    if first == second:
        return 0.0
    total = 0.0
    regret = best[: len(names)] - utilities
    for s, name in enumerate(names):
        sides: list[Floats] = []
        for row, k in enumerate((first, second)):
            worst = int(np.argmax(regret[row])) == s and regret[row, s] > 0.0
            sides.append((weights[s] + (REGRET_AVERSION if worst else 0.0)) * scored.paths[name][0, k])
        gap = sides[0] - sides[1]
        total += variance(gap) / gap.size
    return math.sqrt(total)


def variance(values: Floats) -> float:
    """Sample variance (n - 1)."""
    centred = values - np.sum(values) / values.size
    return float(np.sum(centred * centred)) / (values.size - 1)
