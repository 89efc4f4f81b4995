"""Units, meanings and effects of the fields of a request, where its types and tables do not state them.

Ranges, defaults and choices are those of the types that validate; weight functions, estimators and limits have tables
of their own. A description of a type comes first; a note adds what it lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from quant.worlds.scenario import Engine

FieldUnit: TypeAlias = Literal[
    "fraction", "fraction_per_year", "basis_points", "sessions", "years", "count", "number", "per_year"
]
"""0.10 is 10% for a fraction."""


@dataclass(frozen=True)
class FieldNote:
    """What the type of a field does not say."""

    unit: FieldUnit | None = None
    """None for text, choices and switches."""
    meaning: str = ""
    effect: str = ""
    """When it has an effect beyond the weight functions, estimators and engines of its field; empty for always."""


_STATE_MEAN = "Annual mean of simple returns in the state"
_STATE_DEVIATION = "Annual standard deviation of simple returns in the state"

REQUEST: Final[Mapping[str, FieldNote]] = {
    "name": FieldNote(meaning="Name of the job in lists and reports"),
    "universe": FieldNote(
        meaning="Prices of the risky leg: a bundled universe or a data set, NAME:A,B for some of its assets, "
        "NAME@HASH for one version"
    ),
    "price_index": FieldNote(effect="With a price file"),
    "calendar": FieldNote(effect="With a price file"),
    "goal": FieldNote(),
    "worlds": FieldNote(effect="For built-in scenarios whose mean and volatility are the built-in ones"),
    "engine_parameters": FieldNote(effect="Under engines that have parameters"),
    "trials": FieldNote("count", "Configurations that the search may try"),
    "stopping": FieldNote(
        meaning="`converged` also stops when the best objective gains less than 2 basis points over 20 trials; "
        "`budget` tries every configuration"
    ),
    "max_minutes": FieldNote("number"),
    "max_dollars": FieldNote("number", effect="On paid machines"),
    "seed": FieldNote("number", "Seed of the search; the same request, data, seed and version give the same result"),
    "dividend_yield": FieldNote("fraction_per_year", effect="For prices that exclude dividends, such as sp500"),
    "cash_rate_after": FieldNote("fraction_per_year", effect="For days after the bundled series of cash rates ends"),
    "currency": FieldNote(effect="With a price file"),
    "cash": FieldNote(),
    "cash_day_count": FieldNote(effect="With a rate or a series as cash"),
    "exchange_rate": FieldNote(),
    "benchmark": FieldNote(),
    "first_day": FieldNote(),
    "last_day": FieldNote(),
    "volatility_index": FieldNote(effect="For a current rule with the estimator implied"),
    "safe": FieldNote(),
}
SPLIT: Final[Mapping[str, FieldNote]] = {
    "training": FieldNote("fraction"),
    "validation": FieldNote("fraction"),
}
MANDATE: Final[Mapping[str, FieldNote]] = {
    "target_volatility": FieldNote("fraction_per_year"),
    "min_weight": FieldNote("fraction"),
    "max_weight": FieldNote("fraction"),
    "risk_aversion": FieldNote(
        "number", effect="The benefit of every rule is less this charge, except with the goal sharpe"
    ),
    "transaction_cost_bps": FieldNote("basis_points"),
    "borrow_spread_bps": FieldNote("basis_points", effect="With max_weight above 1"),
    "decision_lag": FieldNote("sessions"),
    "max_change": FieldNote("fraction"),
    "expected_premium": FieldNote("fraction_per_year"),
}
LIMIT: Final[Mapping[str, FieldNote]] = {
    "bound": FieldNote(meaning="Largest allowed value, in the unit of the limit"),
    "scenarios": FieldNote(meaning="Where the limit must hold: scenarios of the request, or history"),
    "tolerated": FieldNote("fraction", effect="For max_drawdown"),
}
CONFIGURATION: Final[Mapping[str, FieldNote]] = {
    "weight_function": FieldNote(meaning="Formula of the risky weight"),
    "estimator": FieldNote(meaning="Estimator of the volatility of the risky leg"),
    "lookback_days": FieldNote("sessions", "Window of the estimator"),
    "decay": FieldNote("fraction", "Weight of yesterday's estimate in today's"),
    "rebalancing": FieldNote(meaning="How often the weight is set"),
    "no_trade_band": FieldNote("fraction", "Changes of the weight up to this are not traded"),
    "inner": FieldNote(meaning="How several risky assets are mixed", effect="With several assets"),
    "target_volatility": FieldNote("fraction_per_year", "Replaces the target volatility of the mandate"),
    "variance_constant": FieldNote(
        meaning="The constant c: the target volatility, or fitted on training days to reach the target"
    ),
    "slope": FieldNote("number", "Fall of the weight per unit of volatility above the target"),
    "midpoint": FieldNote("fraction_per_year", "Volatility at which the weight is one half"),
    "scale": FieldNote("fraction_per_year", "Width of the fall around the midpoint; smaller is steeper"),
    "floor": FieldNote("fraction", "Share of the first or highest wealth that is protected"),
    "multiplier": FieldNote("number", "Risky weight per unit of the cushion above the floor"),
    "hysteresis": FieldNote("fraction", "Distance by which a trend must turn before its signal changes"),
    "drawdown_cap": FieldNote("fraction", "Drawdown at which the risky weight is 0"),
    "calm_weight": FieldNote("fraction", "Risky weight in the calm state"),
    "turbulent_weight": FieldNote("fraction", "Risky weight in the turbulent state"),
    "gain": FieldNote("number", "Change of the weight per unit of volatility below the target"),
    "constant_weight": FieldNote("fraction", "The risky weight of every day"),
}
SCENARIO: Final[Mapping[str, FieldNote]] = {
    "name": FieldNote(meaning="Identifier: lower-case letters, digits and underscores, the first a letter"),
    "engine": FieldNote(meaning="How the paths are drawn"),
    "mu": FieldNote("fraction_per_year", "Annual mean of simple returns of the risky leg"),
    "sigma": FieldNote("fraction_per_year", "Annual standard deviation of simple returns of the risky leg"),
    "cash_rate": FieldNote("fraction_per_year", "Interest of cash"),
    "bond_correlation": FieldNote("number"),
    "probability": FieldNote("fraction", "Weight in the objective; a scenario of probability 0 only tests the winner"),
    "premium_power": FieldNote(),
    "years": FieldNote("years", "Horizon; the same for all scenarios of a request"),
    "paths": FieldNote("count", "Simulated paths; the same for all scenarios of a request"),
    "seed": FieldNote("number", "Seed of the paths"),
    "mean_reversion": FieldNote("per_year"),
    "vol_of_vol": FieldNote("number"),
    "leverage": FieldNote("number"),
    "jumps_per_year": FieldNote("per_year"),
    "garch_alpha": FieldNote("fraction"),
    "garch_gamma": FieldNote("fraction"),
    "garch_beta": FieldNote("fraction"),
    "garch_nu": FieldNote("number"),
    "mean_block": FieldNote("sessions"),
    "label": FieldNote(),
}
STATE: Final[Mapping[str, FieldNote]] = {
    "name": FieldNote(meaning="Name of the state"),
    "mu": FieldNote("fraction_per_year", _STATE_MEAN),
    "sigma": FieldNote("fraction_per_year", _STATE_DEVIATION),
    "mean_days": FieldNote("sessions"),
}

ENGINES: Final[Mapping[str, tuple[Engine, ...]]] = {
    "premium_power": ("heston", "bates", "garch", "regime_switching"),
    "mean_reversion": ("heston", "bates"),
    "vol_of_vol": ("heston", "bates"),
    "leverage": ("heston", "bates"),
    "jumps_per_year": ("merton", "bates"),
    "garch_alpha": ("garch",),
    "garch_gamma": ("garch",),
    "garch_beta": ("garch",),
    "garch_nu": ("garch",),
    "mean_block": ("bootstrap", "conditional_bootstrap"),
    "label": ("conditional_bootstrap",),
}
"""The engines under which a field of a scenario has an effect; a field without a row has one under all."""
