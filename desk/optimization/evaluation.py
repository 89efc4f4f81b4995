"""Evaluates configs in the scenarios and on the history of a request; the only caller of the kernels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from desk.optimization.inputs.market_data import Market
from desk.optimization.inputs.safe_leg import bond_of
from desk.optimization.request import OptimizationRequest
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Flags, Floats
from quant.numeric.measured import Measured
from quant.numeric.moments import moments
from quant.numeric.units import DAYS
from quant.strategies.choices import InnerPortfolio, Rebalancing
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.goal import GOAL_METRIC, GoalMetric, with_goal_metric
from quant.strategies.history import History, Replay, rebalancing_days, replay, trained_constant
from quant.strategies.history_metrics import series_metrics, utility
from quant.strategies.kernel import STATISTIC, STATISTICS
from quant.strategies.metrics import Metrics
from quant.strategies.objective import scenario_weights, scores
from quant.strategies.own_benchmark import (
    REFERENCE_MIXES,
    REFERENCE_WEIGHTS,
    benefits_by_path,
    mix_weights,
    with_benefits,
)
from quant.strategies.rules import Rules, lay_out
from quant.strategies.simulation import Part, Simulation, evaluations, simulate, simulate_part
from quant.strategies.trial import Trial
from quant.worlds.bond import BondModel, bond_model
from quant.worlds.path_store import PathStore
from quant.worlds.paths import PathModel, path_model
from quant.worlds.regimes import labels
from quant.worlds.scenario import Scenario

HIGHEST_WEIGHT = 2.0
"""An own benchmark on history has at most this weight."""
_SMALL_DEVIATION = 0.02
"""Mean distance of the daily weight from its mean below which a config keeps one weight: less than 1% or more than 99%
of one leg."""


@dataclass(frozen=True)
class World:
    """A request with its market data: the basis of every computation of a run.

    The worlds of `request` are those of the market, whatever the numbers it is built with.
    """

    market: Market
    request: OptimizationRequest
    cancelled: Callable[[], bool] = field(default=lambda: False)
    _paths: PathStore = field(default_factory=PathStore, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "request", self.market.resolve_worlds(self.request))

    @property
    def days(self) -> int:
        """Scored sessions of a simulated path."""
        return self.request.scenarios[0].years * DAYS

    @property
    def paths(self) -> int:
        return self.request.scenarios[0].paths

    @property
    def drawdown_limit(self) -> float | None:
        limit = self.request.limits.max_drawdown
        return limit.bound if limit else None

    def model(self, scenario: Scenario) -> PathModel:
        """Return the path model of a scenario; engines and labels use training days only."""
        history, labelled = self.training_days(scenario)
        return path_model(scenario, seed=self.request.seed, history=history, labelled=labelled)

    def bond(self, scenario: Scenario) -> BondModel | None:
        """Return the model of the safe leg of a scenario; None for cash."""
        bond = self.market.bond
        if bond is None:
            return None
        training = slice(0, self.market.train.stop)
        equity, labelled = self.training_days(scenario)
        return bond_model(
            bond_of(bond, scenario, training),
            scenario,
            seed=self.request.seed,
            equity=equity,
            bonds=bond.returns[training],
            labelled=labelled,
        )

    def training_days(self, scenario: Scenario) -> tuple[Floats, Flags | None]:
        """Returns that a model may be fitted to, and which of them a conditional bootstrap draws."""
        history = self.market.asset[: self.market.train.stop]
        conditional = scenario.engine == "conditional_bootstrap"
        return history, getattr(labels(history), scenario.label) if conditional else None

    def constant(self, weight: float, rebalancing: Rebalancing = "monthly") -> StrategyConfig:
        """A benchmark of constant weight; several assets in equal shares."""
        inner = "equal_weight" if self.market.mixes else None
        return StrategyConfig(weight_function="constant", constant_weight=weight, rebalancing=rebalancing, inner=inner)

    @property
    def compares(self) -> bool:
        """Whether every evaluation is compared with the config's own benchmark."""
        return GOAL_METRIC[self.request.goal] == "benefit"

    def with_references(self, configs: Sequence[StrategyConfig]) -> tuple[StrategyConfig, ...]:
        """The configs that a simulation accounts for: `configs` and, last, the constant weights of their benchmarks."""
        return (*configs, *(self.constant(weight) for weight in self._reference_weights))

    @property
    def _reference_weights(self) -> tuple[float, ...]:
        if not self.compares:
            return ()
        return REFERENCE_WEIGHTS if self.market.bond is None else REFERENCE_MIXES

    def rules(self, configs: Sequence[StrategyConfig], cost_factor: float = 1.0) -> Rules:
        return lay_out(
            configs, self.request.mandate, trained=self._trained, model_parameters=self._fitted, cost_factor=cost_factor
        )

    def _fitted(self, model: Literal["garch", "regime"]) -> Floats:
        return self.market.garch if model == "garch" else self.market.regimes

    def _trained(self, config: StrategyConfig) -> float:
        market = self.market
        return trained_constant(
            config,
            market.histories[config.inner],
            start=market.train.start,
            end=market.train.stop,
            lag=self.request.mandate.decision_lag,
            model_parameters=self._fitted,
        )

    def simulate(
        self,
        configs: Sequence[StrategyConfig],
        scenario: Scenario,
        *,
        paths: int | None = None,
        first_block: int = 0,
        keep_paths: bool = False,
        keep_drawdowns: bool = True,
        cost_factor: float = 1.0,
    ) -> Simulation:
        return simulate(
            self.rules(configs, cost_factor),
            self.model(scenario),
            paths=paths or scenario.paths,
            days=self.days,
            warm_up=self.market.warm_up,
            lag=self.request.mandate.decision_lag,
            risk_aversion=self.request.mandate.risk_aversion,
            drawdown_limit=self.drawdown_limit,
            bond=self.bond(scenario),
            first_block=first_block,
            keep_paths=keep_paths,
            keep_drawdowns=keep_drawdowns,
            store=self._paths,
            cancelled=self.cancelled,
        )

    def part(
        self,
        configs: Sequence[StrategyConfig],
        scenario: Scenario,
        *,
        paths: int,
        first_block: int,
        workers: int | None = None,
    ) -> Part:
        """Simulate some of the paths of `evaluate`."""
        return simulate_part(
            self.rules(configs),
            self.model(scenario),
            paths=paths,
            days=self.days,
            warm_up=self.market.warm_up,
            lag=self.request.mandate.decision_lag,
            risk_aversion=self.request.mandate.risk_aversion,
            drawdown_limit=self.drawdown_limit,
            bond=self.bond(scenario),
            first_block=first_block,
            workers=workers,
            store=self._paths,
            cancelled=self.cancelled,
        )

    def evaluate(
        self, configs: Sequence[StrategyConfig], scenario: Scenario, *, paths: int | None = None
    ) -> list[Evaluation]:
        return self.evaluations(configs, self.simulate(self.with_references(configs), scenario, paths=paths), scenario)

    def evaluations(
        self, configs: Sequence[StrategyConfig], simulated: Simulation, scenario: Scenario
    ) -> list[Evaluation]:
        """Metrics of `configs` from a simulation of `with_references`."""
        digests = [config.digest() for config in self.with_references(configs)]
        all_evaluations = evaluations(simulated, digests, scenario.name)
        compared = with_benefits(all_evaluations, self._reference_weights) if self.compares else all_evaluations
        return [each.model_copy(update={"metrics": self._for_goal(each.metrics, each.paths)}) for each in compared]

    def _for_goal(self, metrics: Metrics, paths: int) -> Metrics:
        request = self.request
        return with_goal_metric(
            metrics, GOAL_METRIC[request.goal], paths=paths, target=request.mandate.target_volatility
        )

    def path_values(self, simulated: Simulation) -> Floats:
        """What a simulation of `with_references` kept of each path, shape (M, K, P).

        Utility and drawdown as they were kept and, last, the benefit where a goal needs it.
        """
        kept = simulated.by_path
        if not (self.compares and kept.size):
            return kept
        weights = self._reference_weights
        benefits = benefits_by_path(kept[0], simulated.mean[:, STATISTIC["volatility"]], weights)
        return np.concatenate([kept[:, : -len(weights)], benefits[None]])

    def replay(
        self,
        configs: Sequence[StrategyConfig],
        *,
        end: int | None = None,
        offset: int = 0,
        cost_factor: float = 1.0,
    ) -> Replay:
        """Replay configs on history up to `end`; the default stops before the locked holdout.

        An `end` one beyond the data adds the next session, whose weight is the one held after the last close.
        """
        market = self.market
        stop = market.validate.stop if end is None else end
        statistics = np.empty((len(configs), STATISTICS))
        series = np.empty((len(configs), 4, stop))
        mixes: dict[InnerPortfolio | None, None] = dict.fromkeys(c.inner for c in configs)
        for mix in mixes:
            places = [k for k, c in enumerate(configs) if c.inner == mix]
            part = replay(
                self.rules([configs[k] for k in places], cost_factor),
                market.histories[mix] if stop <= market.dates.size else with_next_session(market.histories[mix]),
                start=market.train.start,
                end=stop,
                lag=self.request.mandate.decision_lag,
                risk_aversion=self.request.mandate.risk_aversion,
                drawdown_limit=self.drawdown_limit,
                offset=offset,
            )
            statistics[places], series[places] = part.statistics, part.series
        return Replay(statistics=statistics, series=series, start=market.train.start)

    def keep_one_weight(self, configs: Sequence[StrategyConfig]) -> list[bool]:
        """Whether the risky weight of each config hardly changes on training days, as in all cash or full weight."""
        train = self.market.train
        weights = self.replay(configs, end=train.stop).series[:, 1, train]
        return [is_one_weight(w) for w in weights]

    def own_benchmarks(self, returns: Floats, part: slice | None = None, *, cost_factor: float = 1.0) -> Floats:
        """Excess returns of the constant weight of each column's own volatility on the days of `part`, net of costs.

        `part` is by default train and validate; the weights are rebalanced monthly.
        """
        part = part or slice(self.market.train.start, self.market.validate.stop)
        end = max(part.stop, self.market.validate.stop)
        weights = self.matching_weights([moments(column).deviation for column in returns.T], part)
        constants = {weight: self.constant(weight) for weight in weights}
        records = self.replay(list(constants.values()), end=end, cost_factor=cost_factor).series
        rows = dict(zip(constants, records[:, 0, part], strict=True))
        return np.column_stack([rows[weight] for weight in weights])

    def matching_weights(self, deviations: Sequence[float], part: slice) -> list[float]:
        """Constant weights whose daily excess returns have these deviations on the days of `part`.

        With a bond as the other leg two mixes may have one volatility; the one of higher utility on training days
        counts.
        """
        bond = self.market.bond is not None
        nodes = REFERENCE_MIXES if bond else (1.0,)
        end = max(part.stop, self.market.validate.stop)
        records = self.replay([self.constant(weight) for weight in nodes], end=end).series[:, 0]
        references = [moments(np.ascontiguousarray(record[part])).deviation for record in records]
        if not bond:
            return [min(deviation / references[0], HIGHEST_WEIGHT) for deviation in deviations]
        gamma = self.request.mandate.risk_aversion
        utilities = [utility(np.ascontiguousarray(record[self.market.train]), gamma) for record in records]
        weights = mix_weights(deviations, references, utilities, weights=nodes, highest=HIGHEST_WEIGHT)
        return [float(weight) for weight in weights]

    def on_history(
        self, config: StrategyConfig, series: Floats, part: slice, *, cost_factor: float = 1.0
    ) -> Evaluation:
        """Compute the metrics of one record of `replay`, shape (4, T), over `part`."""
        excess, weight, turnover, cost = np.ascontiguousarray(series[:, part])
        total = self.total(excess, part)
        metrics = series_metrics(
            excess,
            total,
            weight,
            turnover,
            cost,
            risk_aversion=self.request.mandate.risk_aversion,
            drawdown_limit=self.drawdown_limit,
        )
        changes = {"drawdown_breach": Measured(value=self.rolling_breach(total))}
        if self.compares:
            own = np.ascontiguousarray(self.own_benchmarks(excess[:, None], part, cost_factor=cost_factor)[:, 0])
            benefit = metrics.utility.value - utility(own, self.request.mandate.risk_aversion)
            changes["benefit"] = Measured(value=benefit)
        return Evaluation(
            config=config.digest(),
            scenario=HISTORY,
            paths=1,
            days=excess.size,
            metrics=self._for_goal(metrics.model_copy(update=changes), 1),
        )

    def total(self, excess: Floats, part: slice) -> Floats:
        """Add cash to daily excess returns."""
        return excess + self.market.cash[part]

    def rolling_breach(self, total: Floats) -> float:
        """Share of rolling windows (request horizon, step 21 sessions) whose drawdown exceeds the limit."""
        limit = self.drawdown_limit
        if limit is None:
            return 0.0
        horizon = min(self.days, total.size)
        starts = range(0, total.size - horizon + 1, 21)
        return sum(max_drawdown(total[s : s + horizon]) > limit for s in starts) / len(starts)


def with_next_session(past: History) -> History:
    """Append the next weekday with zero returns, to show whether the last close ended a rebalancing period."""
    day = int(past.dates[-1].astype(np.int64))
    day += (1, 1, 1, 1, 3, 2, 1)[(day + 3) % 7]  # day 0 was a Thursday; weekends are skipped
    dates = np.concatenate([past.dates, np.array([day], dtype="datetime64[D]")])
    return replace(
        past,
        dates=dates,
        returns=np.append(past.returns, 0.0),
        cash=np.append(past.cash, 0.0),
        legs=np.vstack([past.legs, np.zeros_like(past.legs[-1:])]),
        mix=np.vstack([past.mix, past.mix[-1:]]),
        trades=rebalancing_days(dates),
        bonds=np.append(past.bonds, 0.0) if past.bonds.size > 0 else past.bonds,
        volatilities={key: np.append(series, series[-1]) for key, series in past.volatilities.items()},
    )


def is_one_weight(weights: Floats) -> bool:
    """Whether daily weights, shape (T,), hardly differ from their mean."""
    return float(np.sum(np.abs(weights - np.sum(weights) / weights.size))) / weights.size < _SMALL_DEVIATION


def max_drawdown(total: Floats) -> float:
    """Maximum drawdown, with the start as a peak."""
    wealth = np.concatenate(([1.0], np.cumprod(1.0 + total)))
    return float(np.max(1.0 - wealth / np.maximum.accumulate(wealth)))


def goal_values(request: OptimizationRequest, trials: Sequence[Trial]) -> Floats:
    """Values of the goal's metric, shape (K, S + 1), training history last; negative where lower is better."""
    return metric_values(request, trials, GOAL_METRIC[request.goal])


def metric_values(request: OptimizationRequest, trials: Sequence[Trial], metric: GoalMetric) -> Floats:
    return np.array(
        [
            [e.metrics.gain(metric) for e in (*(t.evaluation(s.name) for s in request.scenarios), t.train)]
            for t in trials
        ]
    ).reshape(len(trials), len(request.scenarios) + 1)


def objectives(request: OptimizationRequest, trials: Sequence[Trial]) -> Floats:
    """Objective of each trial, shape (K,); regret is relative to the best of these trials."""
    values = goal_values(request, trials)
    weights = scenario_weights([s.probability for s in request.scenarios])
    return scores(values, weights, goal=request.goal, sharpes=values)
