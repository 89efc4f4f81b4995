"""The names that a text about a request may contain: its own, its scenarios and its assets."""

from collections.abc import Iterable

from desk.market.universe import split_universe
from desk.optimization.request import OptimizationRequest


def permitted_by(request: OptimizationRequest, assets: Iterable[str] = ()) -> tuple[str, ...]:
    """What a text may name as the request does: its name, its scenarios and its assets."""
    scenarios = [scenario.name for scenario in request.scenarios]
    _, chosen = split_universe(request.universe)
    return tuple(dict.fromkeys((request.name, *scenarios, *chosen, *assets)))
