"""The strategy family: configuration, compiled kernel, simulation, history, search and objective."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.strategies.config import SearchSpace, StrategyConfig
    from quant.strategies.effects import ParameterEffects
    from quant.strategies.evaluation import Evaluation
    from quant.strategies.family import FAMILY, Grids, Shape, WeightFunction
    from quant.strategies.goal import Goal
    from quant.strategies.history import History, Replay, build_history, rebalancing_days, replay, trained_constant
    from quant.strategies.history_metrics import break_even_cost_bps, series_metrics, utility, volatility_target_error
    from quant.strategies.importance import main_effects
    from quant.strategies.inner_portfolios import daily_mix
    from quant.strategies.interactions import parameter_effects
    from quant.strategies.mandate import Mandate
    from quant.strategies.metrics import METRICS, Metric, Metrics
    from quant.strategies.objective import paired_error, retention, scenario_weights, scores
    from quant.strategies.rules import Rules, lay_out
    from quant.strategies.search import propose, sobol
    from quant.strategies.simulation import Part, Simulation, evaluations, merge_parts, simulate, simulate_part
    from quant.strategies.trial import Trial
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "FAMILY",
    "METRICS",
    "Evaluation",
    "Goal",
    "Grids",
    "History",
    "Mandate",
    "Metric",
    "Metrics",
    "ParameterEffects",
    "Part",
    "Replay",
    "Rules",
    "SearchSpace",
    "Shape",
    "Simulation",
    "StrategyConfig",
    "Trial",
    "WeightFunction",
    "break_even_cost_bps",
    "build_history",
    "daily_mix",
    "evaluations",
    "lay_out",
    "main_effects",
    "merge_parts",
    "paired_error",
    "parameter_effects",
    "propose",
    "rebalancing_days",
    "replay",
    "retention",
    "scenario_weights",
    "scores",
    "series_metrics",
    "simulate",
    "simulate_part",
    "sobol",
    "trained_constant",
    "utility",
    "volatility_target_error",
]
