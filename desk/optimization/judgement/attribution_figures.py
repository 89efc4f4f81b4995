"""Figures of the winner by asset: contributions on history, and the next trade."""

from collections.abc import Iterator, Sequence

from desk.figures.figures import Figure, Unit
from desk.optimization.attribution_schemas import AssetStep, Attribution
from desk.optimization.judgement.figure_builders import number_figures, text_figure
from quant.numeric.units import BASIS_POINTS


def attribution_figures(attribution: Attribution) -> Iterator[Figure]:
    for n, share in enumerate(attribution.assets):
        source, id_ = f"attribution.assets[{n}]", f"asset_{n}"
        of = f'the asset "{share.name}"'
        rows: tuple[tuple[str, str, float, Unit], ...] = (
            ("average_weight", f"average weight of {of}", share.average_weight, "weight"),
            ("excess_return", f"contribution of {of} to its excess return", share.excess_return, "percent"),
            ("volatility", f"contribution of {of} to its volatility", share.volatility, "percent"),
            ("cost", f"yearly cost of the trades of {of}", BASIS_POINTS * share.cost, "bps"),
            ("traded", f"yearly sum of the absolute trades of {of}", share.traded, "ratio"),
        )
        yield text_figure(f"{id_}_name", "name of an asset that is held", share.name, f"{source}.name")
        for name, quantity, value, unit in rows:
            yield from number_figures(f"{id_}_{name}", quantity, value, unit, f"{source}.{name}")


def step_figures(steps: Sequence[AssetStep]) -> Iterator[Figure]:
    for n, step in enumerate(steps):
        source, id_ = f"next_step.assets[{n}]", f"step_{n}"
        yield text_figure(f"{id_}_asset", "name of an asset that is traded next", step.name, f"{source}.name")
        for name, quantity, value in (
            ("today_weight", f'today\'s weight of the asset "{step.name}"', step.today_weight),
            (
                "current_rule_weight",
                f'today\'s weight of the asset "{step.name}" by the current rule',
                step.current_rule_weight,
            ),
            ("next_trade", f'next trade of the asset "{step.name}"', step.next_trade),
        ):
            yield from number_figures(f"{id_}_{name}", quantity, value, "weight", f"{source}.{name}")
