"""Statistics of the risky leg in each simulated world."""

from desk.optimization.evaluation import World
from desk.optimization.result import WorldStatistics
from quant.numeric.random_numbers import LANES
from quant.worlds.calibration import implied_statistics

_MOST_PATHS = 1_024


def world_statistics(world: World) -> tuple[WorldStatistics, ...]:
    """Mean, volatility and Sharpe ratio in closed form; worst day and month from simulated paths."""
    rows: list[WorldStatistics] = []
    paths = max(min(world.paths, _MOST_PATHS), LANES)
    for scenario in world.request.scenarios:
        history, labelled = world.training_days(scenario)
        implied = implied_statistics(scenario, paths=paths, history=history, labelled=labelled)
        rows.append(
            WorldStatistics(
                scenario=scenario.name,
                mean=implied.mu,
                volatility=implied.sigma,
                sharpe=implied.sharpe,
                worst_day=implied.worst_day,
                worst_month=implied.worst_month,
            )
        )
    return tuple(rows)
