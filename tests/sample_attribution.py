"""The made-up result of `tests.sample_result` as one on three assets; no number in it was measured."""

from desk.optimization.attribution_schemas import AssetShare, AssetStep, Attribution
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.result import OptimizationResult

NAMES = ("AAPL", "JNJ", "XOM")


def with_assets(result: OptimizationResult) -> OptimizationResult:
    shares = tuple(
        AssetShare(
            name=name,
            average_weight=0.2 + 0.01 * n,
            largest_weight=0.34,
            excess_return=0.012 + 0.004 * n,
            volatility=0.03 + 0.002 * n,
            traded=1.3,
            cost=0.0007,
        )
        for n, name in enumerate(NAMES)
    )
    attribution = Attribution(
        assets=shares,
        borrowing_return=-0.001,
        borrowing_volatility=0.0,
        excess_return=sum(share.excess_return for share in shares) - 0.001,
        volatility=sum(share.volatility for share in shares),
        weights="b" * 64,
    )
    steps = tuple(
        AssetStep(name=name, today_weight=0.2 + 0.1 * n, current_rule_weight=0.25, next_trade=0.1 * n - 0.05)
        for n, name in enumerate(NAMES)
    )
    assert result.next_step is not None
    several = result.model_copy(
        update={"attribution": attribution, "next_step": result.next_step.model_copy(update={"assets": steps})}
    )
    return several.model_copy(update={"figures": result_figures(several)})
