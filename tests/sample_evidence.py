"""The out-of-sample evidence and the parameter effects of the made-up result; no number in it was measured."""

from desk.optimization.out_of_sample_schemas import (
    CrossValidation,
    OutOfSample,
    Quantiles,
    Reselection,
    WalkForward,
)
from quant.numeric.measured import Measured
from quant.strategies.effects import DependencePoint, Interaction, ParameterEffects, PartialDependence


def out_of_sample(winner: str) -> OutOfSample:
    return OutOfSample(
        cross_validation=CrossValidation(
            groups=10,
            test_groups=2,
            splits=45,
            paths=9,
            purge=254,
            embargo=66,
            configs=4,
            utility_bps=Quantiles(
                low=221.0, lower_quartile=246.0, median=259.0, upper_quartile=283.0, high=301.0, below_zero=0.0
            ),
            advantage_bps=Quantiles(
                low=-19.0, lower_quartile=-4.0, median=12.0, upper_quartile=23.0, high=45.0, below_zero=1 / 3
            ),
        ),
        walk_forward=WalkForward(
            first_day="1994-01-03",
            last_day="2016-05-24",
            years=22.4,
            choices=tuple(
                Reselection(
                    year=year,
                    config=winner if year % 4 else f"{year % 3:064x}",
                    winner=0.06 + (year % 7 - 3) * 0.03,
                    benchmark=0.06 + (year % 5 - 2) * 0.04,
                )
                for year in range(1994, 2017)
            ),
            changes=11,
            advantage_bps=Measured(value=17.0, error=59.0),
        ),
    )


def parameter_effects() -> ParameterEffects:
    curves: dict[str, dict[str | float, float]] = {
        "rebalancing": {"daily": 0.0262, "weekly": 0.0293, "monthly": 0.0281, "quarterly": 0.0257},
        "estimator": {"close_to_close": 0.0266, "ewma": 0.0279, "ewma_max": 0.0291},
        "weight_function": {"inverse_vol": 0.0289, "sigmoid": 0.0283, "merton": 0.0268, "cppi": 0.0259},
    }
    return ParameterEffects(
        explained=0.71,
        interactions=(
            Interaction(first="rebalancing", second="estimator", share=0.083),
            Interaction(first="rebalancing", second="no_trade_band", share=0.052),
            Interaction(first="estimator", second="weight_function", share=0.017),
        ),
        dependence=tuple(
            PartialDependence(
                parameter=name,
                points=tuple(
                    DependencePoint(value=value, objective=mean, low=mean - 0.0011, high=mean + 0.0009)
                    for value, mean in curve.items()
                ),
            )
            for name, curve in curves.items()
        ),
    )
