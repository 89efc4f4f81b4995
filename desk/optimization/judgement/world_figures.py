"""The figures of the simulated worlds of a result."""

from collections.abc import Iterator, Sequence

from desk.base.text import spaced
from desk.figures.figures import Figure, Unit
from desk.optimization.judgement.figure_builders import number_figures, text_figure
from desk.optimization.result import OptimizationResult
from desk.optimization.worlds import BASIS

_MAX_NAME = 50
"""Characters of a scenario's name in the id of a figure, which has at most 80 with the prefix of its table."""


def world_figures(result: OptimizationResult) -> Iterator[Figure]:
    request = result.manifest.request
    if result.worlds:
        basis = BASIS[request.worlds or "seed"]
        yield text_figure(
            "worlds_basis", "origin of the assumed means and volatilities", basis, "manifest.request.worlds"
        )
    rows: tuple[tuple[str, str, Unit], ...] = (
        ("mean", "mean return of the asset that is simulated", "percent"),
        ("volatility", "volatility of the asset that is simulated", "percent"),
        ("sharpe", "Sharpe ratio of the asset that is simulated", "ratio"),
        ("worst_day", "usual worst day of the asset that is simulated", "percent"),
        ("worst_month", "usual worst month of the asset that is simulated", "percent"),
    )
    names = _short_names([world.scenario for world in result.worlds])
    for world in result.worlds:
        for field, quantity, unit in rows:
            yield from number_figures(
                f"world_{names[world.scenario]}_{field}",
                f'{quantity} in the world "{spaced(world.scenario)}"',
                getattr(world, field),
                unit,
                f"worlds.{world.scenario}.{field}",
            )


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Distinct names of at most 50 characters for the ids of figures; those that collide are numbered."""
    short_names: dict[str, str] = {}
    for name in names:
        short_name, number = name[:_MAX_NAME], 1
        while short_name in short_names.values():
            number += 1
            short_name = f"{name[: _MAX_NAME - 3]}_{number}"
        short_names[name] = short_name
    return short_names
