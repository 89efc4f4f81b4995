"""Sensitivity of the benefit to premium, parameters, probabilities, costs and rebalancing day."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.optimization.answers import TILT, MarketView
from desk.optimization.evaluation import World
from desk.optimization.judgement.benefit import utility_difference
from desk.optimization.judgement.finalists import (
    Choice,
    ScoreTable,
    objective_against,
    paired_objective_error,
    score,
)
from desk.optimization.result import Case
from desk.optimization.worlds import with_base
from desk.scenarios.schemas import HISTORY
from quant.numeric.errors import DataError
from quant.numeric.units import BASIS_POINTS
from quant.strategies.choices import REBALANCING
from quant.strategies.config import StrategyConfig
from quant.strategies.goal import GOAL_METRIC
from quant.strategies.kernel import STATISTIC
from quant.strategies.objective import scenario_weights
from quant.worlds.scenario import CYCLE, Scenario

VOLATILITY_PREMIUM_ENGINES = ("heston", "bates", "garch", "regime_switching")
"""Engines whose premium may move with volatility."""

SHIFTS: dict[str, tuple[float, float]] = {
    "expected return two points lower": (-0.02, 1.0),
    "expected return two points higher": (0.02, 1.0),
    "volatility a fifth lower": (0.0, 0.8),
    "volatility a quarter higher": (0.0, 1.25),
}
"""Shift of the mean and factor of the volatility."""


class Sensitivity:
    """Scores the finalists and the volatility-matched benchmark again under changed assumptions."""

    def __init__(self, world: World, choice: Choice, table: ScoreTable, benchmark: StrategyConfig) -> None:
        """`table` holds all compared configs under the request's assumptions."""
        self.world = world
        self.winner = choice.winner
        rivals = choice.table.configs  # finalists, and the best of each scenario for the regret
        self.configs = tuple(dict.fromkeys((choice.winner, *rivals, benchmark)))
        self.scored = table.select(self.configs)
        self.rivals = [self.configs.index(c) for c in rivals]
        self.finalists = [self.configs.index(f.config) for f in choice.finalists if f.feasible]
        self.benchmark = self.configs.index(benchmark)
        self.weights = weights_by_scenario(world.request.scenarios, [s.probability for s in world.request.scenarios])

    def premium(self) -> tuple[Case, ...]:
        """At p = 0, 1, 2 of the premium link; empty where no engine has one."""
        scenarios = self.world.request.scenarios
        if not any(has_volatility_premium(s) for s in scenarios):
            return ()
        return tuple(
            self._case(
                f"premium proportional to volatility to the power {p}", _with_premium_power(scenarios, premium_power=p)
            )
            for p in (0, 1, 2)
        )

    def parameters(self) -> tuple[Case, ...]:
        """At mu - 2%, mu + 2%, sigma x 0.8 and sigma x 1.25."""
        scenarios = self.world.request.scenarios
        return tuple(self._case(label, _with_shift(scenarios, mu, sigma)) for label, (mu, sigma) in SHIFTS.items())

    def costs(self) -> tuple[Case, ...]:
        scenarios = self.world.request.scenarios
        labels = (
            (0.0, "no transaction costs"),
            (1.0, "transaction costs as assumed"),
            (2.0, "transaction costs doubled"),
        )
        return tuple(self._case(label, scenarios, cost_factor=factor) for factor, label in labels)

    def probabilities(self, view: MarketView | None) -> tuple[Case, ...]:
        """Equal probabilities, the analyst's, and the cycle alone, which has probability 0 by default."""
        scenarios = self.world.request.scenarios
        cases = [self._case_with_weights("equal probabilities", [1.0] * len(scenarios))]
        if view is not None and any(t.lean != "default" for t in view.tilts):
            cases.append(self._case_with_weights("the analyst's probabilities", tilted_probabilities(scenarios, view)))
        (world,) = with_base((CYCLE,), self.world.request.worlds_base, None)
        cycle = world.model_copy(update={"paths": scenarios[0].paths, "years": scenarios[0].years})
        cases.append(self._case("a cycle through bull, base, bear and high volatility", (cycle,), alone=True))
        return tuple(cases)

    def _case(
        self, label: str, scenarios: Sequence[Scenario], *, cost_factor: float = 1.0, alone: bool = False
    ) -> Case:
        if tuple(scenarios) == self.world.request.scenarios and cost_factor == 1.0:
            table = self.scored
        else:
            history = self.scored.evaluations[HISTORY] if cost_factor == 1.0 else None
            table = score(self.world, self.configs, scenarios, cost_factor=cost_factor, history=history)
        if alone:
            (name,) = (s.name for s in scenarios)
            return self._judge_case(label, table, [name], {name: 1.0})
        return self._judge_case(label, table, [s.name for s in scenarios], self.weights)

    def _case_with_weights(self, label: str, probabilities: Sequence[float]) -> Case:
        scenarios = self.world.request.scenarios
        return self._judge_case(
            label, self.scored, [s.name for s in scenarios], weights_by_scenario(scenarios, probabilities)
        )

    def _judge_case(self, label: str, table: ScoreTable, names: Sequence[str], weights: Mapping[str, float]) -> Case:
        """Find the best finalist under these weights, and whether the winner is indistinguishable from it."""
        goal = self.world.request.goal
        values = table.values(names, GOAL_METRIC[goal])
        levels = np.array([weights.get(name, 0.0) for name in (*names, HISTORY)])
        top = np.max(values[self.rivals], axis=0)
        objective = objective_against(values, levels, top, goal)
        best = max(self.finalists, key=lambda k: (float(objective[k]), -k))
        error = paired_objective_error(table, levels, top, names, best, 0, goal=goal)
        return Case(
            label=label,
            winner=self.configs[best].digest(),
            same_winner=float(objective[best] - objective[0]) <= 2.0 * error,
            benefit_bps=utility_difference(table, 0, self.benchmark, weights),
        )


def check_scenarios(world: World) -> None:
    """Reject a scenario that its engine cannot simulate, as given or under a later sensitivity."""
    scenarios = world.request.scenarios
    powers = [scenario for p in (0, 1, 2) for scenario in _with_premium_power(scenarios, premium_power=p)]
    shifted = [scenario for mu, sigma in SHIFTS.values() for scenario in _with_shift(scenarios, mu, sigma)]
    for scenario in (*scenarios, *powers, *shifted):
        try:
            world.model(scenario)
        except DataError as error:
            reason, allowed = reason_and_allowed(str(error))
            raise InvalidInput(f"scenarios.{scenario.name}", scenario.engine, reason=reason, allowed=allowed) from error


def has_volatility_premium(scenario: Scenario) -> bool:
    """Whether the premium moves with volatility; scenarios with states or without a premium have no such link."""
    return scenario.engine in VOLATILITY_PREMIUM_ENGINES and not scenario.states and scenario.mu >= scenario.cash_rate


def weights_by_scenario(scenarios: Sequence[Scenario], probabilities: Sequence[float]) -> dict[str, float]:
    """Weights of the objective by scenario, the training history last."""
    weights = scenario_weights(list(probabilities))
    return dict(zip([*(s.name for s in scenarios), HISTORY], map(float, weights), strict=True))


def tilted_probabilities(scenarios: Sequence[Scenario], view: MarketView) -> list[float]:
    """Default probabilities tilted by the analyst, within half and twice the default."""
    leans = {t.scenario: TILT[t.lean] for t in view.tilts}
    raw = [s.probability * leans.get(s.name, 1.0) for s in scenarios]
    return [p / math.fsum(raw) for p in raw]


def _with_premium_power(scenarios: Sequence[Scenario], *, premium_power: int) -> tuple[Scenario, ...]:
    return tuple(
        s.model_copy(update={"premium_power": premium_power}) if s.engine in VOLATILITY_PREMIUM_ENGINES else s
        for s in scenarios
    )


def _with_shift(scenarios: Sequence[Scenario], mu: float, sigma: float) -> tuple[Scenario, ...]:
    return tuple(
        s.model_copy(
            update={
                "mu": s.mu + mu,
                "sigma": s.sigma * sigma,
                "states": tuple(
                    state.model_copy(update={"mu": state.mu + mu, "sigma": state.sigma * sigma}) for state in s.states
                ),
            }
        )
        for s in scenarios
    )


def rebalancing_day_ranges(world: World, configs: Sequence[StrategyConfig]) -> list[tuple[float, float] | None]:
    """Range of each rule's training utility over the day of its rebalancing, minus its own, basis points a year."""
    ranges: list[tuple[float, float] | None] = [None] * len(configs)
    for frequency, step in ((name, row.days) for name, row in REBALANCING.items()):
        places = [k for k, c in enumerate(configs) if c.rebalancing == frequency]
        if step == 1 or not places:
            continue
        rules = [configs[k] for k in places]
        stop = world.market.train.stop
        utilities = [world.replay(rules, end=stop, offset=o).statistics[:, STATISTIC["utility"]] for o in range(step)]
        for row, place in enumerate(places):
            gains = [BASIS_POINTS * float(u[row] - utilities[0][row]) for u in utilities]
            ranges[place] = (min(gains), max(gains))
    return ranges
