"""Warnings about a configuration, one table; `desk.optimization.judgement.cautions` decides which apply."""

from typing import Literal, TypeAlias

Caution: TypeAlias = Literal[
    "half_at_target", "target_unreachable", "lookback_below_rebalancing", "gap_beyond_floor", "one_weight"
]

CAUTIONS: dict[Caution, str] = {
    "half_at_target": "At the target volatility it holds about half of what it may; a higher midpoint would hold more.",
    "target_unreachable": "The target volatility is unreachable: even the largest weight leaves it below, on average.",
    "lookback_below_rebalancing": "It looks back over fewer days than lie between its trades and overlooks some.",
    "gap_beyond_floor": (
        "A fall as deep as the worst one between two of its trades, on the days used, would break through its floor: "
        "the multiplier times that fall is above 1."
    ),
    "one_weight": "It does not time anything: its weight hardly changes on the days used.",
}
