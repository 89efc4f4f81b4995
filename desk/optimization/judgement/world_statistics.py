"""Statistics of the risky leg in each simulated world."""

from concurrent.futures import ThreadPoolExecutor

from desk.optimization.evaluation import World
from desk.optimization.result import WorldStatistics
from quant.numeric.random_numbers import LANES
from quant.numeric.thread_count import thread_count
from quant.worlds.calibration import implied_statistics
from quant.worlds.scenario import Scenario

_MOST_PATHS = 1_024


def world_statistics(world: World) -> tuple[WorldStatistics, ...]:
    """Mean, volatility and Sharpe ratio in closed form; worst day and month from simulated paths."""
    paths = max(min(world.paths, _MOST_PATHS), LANES)

    def statistics(scenario: Scenario) -> WorldStatistics:
        history, labelled = world.training_days(scenario)
        implied = implied_statistics(scenario, paths=paths, history=history, labelled=labelled)
        return WorldStatistics(
            scenario=scenario.name,
            mean=implied.mu,
            volatility=implied.sigma,
            sharpe=implied.sharpe,
            worst_day=implied.worst_day,
            worst_month=implied.worst_month,
        )

    with ThreadPoolExecutor(thread_count()) as pool:
        return tuple(pool.map(statistics, world.request.scenarios))
