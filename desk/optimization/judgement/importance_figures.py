"""The figures of what mattered: importance of parameters, their best values, interactions."""

from collections.abc import Iterator

from desk.base.text import spaced
from desk.figures import labels
from desk.figures.figures import Figure
from desk.optimization.result import OptimizationResult
from quant.numeric.units import BASIS_POINTS
from quant.strategies.effects import PartialDependence
from quant.strategies.goal import RATIO_GOALS

_RANKS = ("first", "second", "third")


def importance_figures(result: OptimizationResult) -> Iterator[Figure]:
    dependence = result.parameter_effects.dependence if result.parameter_effects else ()
    ordered = sorted(result.importance.items(), key=lambda item: (-item[1], item[0]))
    for rank, (name, share) in enumerate(ordered[:3], 1):
        if share <= 0.0:
            return
        yield Figure(
            id=f"driver_{rank}",
            quantity=f"parameter that mattered {_RANKS[rank - 1]}",
            value=labels.parameter_label(name),
            unit="text",
            source=f"result.importance.{name}",
        )
        yield Figure(
            id=f"driver_{rank}_share",
            quantity=f"explained share: how much of the objective's differences the {_RANKS[rank - 1]} parameter alone "
            "explains",
            value=share,
            unit="percent",
            source=f"result.importance.{name}",
        )
        for n, curve in enumerate(dependence):
            if curve.parameter == name:
                yield from _curve(curve, n, rank, ratio=result.manifest.request.goal in RATIO_GOALS)
    yield from _interactions(result)


def _curve(curve: PartialDependence, n: int, rank: int, *, ratio: bool) -> Iterator[Figure]:
    objectives = [point.objective for point in curve.points]
    spread = max(objectives) - min(objectives)
    parameter = labels.parameter_label(curve.parameter)
    source = f"result.parameter_effects.dependence[{n}].points"
    yield Figure(
        id=f"driver_{rank}_best",
        quantity=f"best value of {parameter}, by the expected objective",
        value=best_value(curve),
        unit="text",
        source=source,
    )
    yield Figure(
        id=f"driver_{rank}_range",
        quantity=f"range of the expected objective over the values of {parameter}",
        value=spread if ratio else spread * BASIS_POINTS,
        unit="ratio" if ratio else "bps",
        source=source,
    )


def best_value(curve: PartialDependence) -> str:
    """Label of the value with the highest expected objective, the first of equals."""
    return point_label(curve, max(range(len(curve.points)), key=lambda n: curve.points[n].objective))


def point_label(curve: PartialDependence, place: int) -> str:
    """A value of a parameter as text: a number without trailing zeros, or the name of a choice."""
    value = curve.points[place].value
    if not isinstance(value, str):
        return f"{value:g}"
    return labels.function_label(value) if curve.parameter == "weight_function" else spaced(value)


def _interactions(result: OptimizationResult) -> Iterator[Figure]:
    if result.parameter_effects is None or not result.parameter_effects.interactions:
        return
    strongest = result.parameter_effects.interactions[0]
    source = "result.parameter_effects.interactions[0]"
    first, second = (labels.parameter_label(name) for name in (strongest.first, strongest.second))
    yield Figure(
        id="interaction_pair",
        quantity="pair of parameters that interact most",
        value=f"{first} with {second}",
        unit="text",
        source=source,
    )
    yield Figure(
        id="interaction_share",
        quantity="interaction share: what the pair explains together, beyond each alone",
        value=strongest.share,
        unit="percent",
        source=f"{source}.share",
    )
