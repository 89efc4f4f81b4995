"""Statistics of the risky leg in each simulated world."""

from desk.optimization.evaluation import World
from desk.optimization.result import WorldStatistics
from quant.worlds.calibration import implied_statistics


def world_statistics(world: World) -> tuple[WorldStatistics, ...]:
    """Mean, volatility and Sharpe ratio in closed form; worst day and month from simulated paths."""
    rows: list[WorldStatistics] = []
    for scenario in world.request.scenarios:
        history, labelled = world.training_days(scenario)
        implied = implied_statistics(scenario, history=history, labelled=labelled)
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
