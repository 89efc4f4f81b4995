"""Market scenarios: what a simulated world is made of, and the six that are built in."""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from quant.numeric.frozen import Frozen

Engine: TypeAlias = Literal[
    "heston",
    "merton",
    "bates",
    "garch",
    "regime_switching",
    "bootstrap",
    "conditional_bootstrap",
    "replay",
    "gbm",
]
Label: TypeAlias = Literal["base", "bull", "bear", "high_volatility", "low_volatility"]

GBM_BANNER = (
    "Constant volatility cannot rank volatility rules: under geometric Brownian motion every rule "
    "has the Sharpe ratio of holding the asset, and the best of many is the luckiest."
)

FLOOR: Final = -0.95
"""No simulated day loses more: jumps, scaled days of history and shocks of GARCH are additive and need a bound."""
JUMP: Final = 0.28
"""Mean (a fall) and deviation of a jump over annual volatility."""
TURBULENCE: Final = 2.5
"""Volatility of the turbulent state over that of the calm one, where regime switching has no states of its own."""
CALM_DAYS: Final = 240.0
TURBULENT_DAYS: Final = 60.0
"""Mean sessions in each of the two."""
PERSISTENCE: Final = 0.999
"""Largest share of a shock to the variance of GARCH that may be left a day later."""


class RegimeState(Frozen):
    """One state of the `cycle` scenario."""

    name: str
    mu: float
    sigma: Annotated[float, Field(gt=0.0)]
    mean_days: Annotated[float, Field(ge=5.0, description="Expected sessions in the state")]


class Scenario(Frozen):
    """A world to simulate. `mu` and `sigma` are the annual mean and deviation of simple returns.

    A field whose description names engines has no effect under the others.
    """

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
    engine: Engine = "heston"
    """Model of the paths."""
    mu: Annotated[float, Field(ge=-0.5, le=0.5)]
    sigma: Annotated[float, Field(ge=0.01, le=1.0)]
    cash_rate: Annotated[float, Field(ge=-0.05, le=0.25)]
    """Annual rate of cash, a fraction."""
    bond_correlation: Annotated[
        float, Field(ge=-1.0, le=1.0, description="Equity-bond returns; no effect with a cash leg")
    ] = 0.0
    probability: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Weight in the objective, above 0 for one scenario at least; one with 0 only tests a winner.

    The weights of all scenarios are rescaled to the sum 1.
    """
    premium_power: Annotated[Literal[0, 1, 2], Field(description="p of: premium proportional to volatility ** p")] = 1
    years: Annotated[int, Field(ge=1, le=30)] = 5
    """Years of each path."""
    paths: Annotated[int, Field(ge=100, le=100_000)] = 1_000
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    mean_reversion: Annotated[float, Field(gt=0.0, le=20.0, description="Heston's and Bates's kappa")] = 3.0
    vol_of_vol: Annotated[
        float, Field(ge=0.001, le=10.0, description="Heston's and Bates's xi over the volatility of the diffusion")
    ] = 3.33
    leverage: Annotated[
        float, Field(ge=-1.0, le=1.0, description="Heston's and Bates's spot-volatility correlation")
    ] = -0.7
    jumps_per_year: Annotated[float, Field(ge=0.0, le=5.0, description="Merton's and Bates's")] = 1.0
    garch_alpha: Annotated[float, Field(ge=0.0, lt=1.0, description="GARCH: weight of yesterday's square")] = 0.02
    garch_gamma: Annotated[float, Field(ge=0.0, lt=1.0, description="GARCH: what a loss adds to that weight")] = 0.10
    garch_beta: Annotated[float, Field(ge=0.0, lt=1.0, description="GARCH: weight of yesterday's variance")] = 0.90
    garch_nu: Annotated[
        float, Field(ge=2.5, le=500.0, description="GARCH: degrees of freedom, where no history gives the shocks")
    ] = 8.0
    mean_block: Annotated[
        int, Field(ge=20, le=60, description="Block of the bootstrap and the conditional bootstrap, sessions")
    ] = 40
    label: Annotated[Label, Field(description="Conditional bootstrap: the days that it draws from")] = "base"
    states: tuple[RegimeState, ...] = ()
    """Given for `cycle`; otherwise regime switching has a calm and a turbulent state."""

    @model_validator(mode="after")
    def _states_belong_to_regime_switching(self) -> Self:
        if self.states and self.engine != "regime_switching":
            msg = f"states are given but the engine is {self.engine!r}; expected regime_switching"
            raise ValueError(msg)
        if len(self.states) == 1:
            msg = "states has one entry; expected none, or two and more"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _shocks_fade(self) -> Self:
        persistence = self.garch_alpha + 0.5 * self.garch_gamma + self.garch_beta
        if persistence > PERSISTENCE:
            msg = (
                f"garch_alpha + garch_gamma / 2 + garch_beta is {persistence:g}; "
                f"expected at most {PERSISTENCE:g}, or the variance has no mean to return to"
            )
            raise ValueError(msg)
        return self


BUILT_IN: tuple[Scenario, ...] = (
    Scenario(name="base_case", mu=0.08, sigma=0.18, cash_rate=0.03, bond_correlation=-0.3, probability=0.50),
    Scenario(name="bull_market", mu=0.15, sigma=0.12, cash_rate=0.02, bond_correlation=0.0, probability=0.15),
    Scenario(name="bear_market", mu=-0.05, sigma=0.35, cash_rate=0.01, bond_correlation=-0.6, probability=0.10),
    Scenario(name="high_volatility", mu=0.05, sigma=0.40, cash_rate=0.04, bond_correlation=-0.5, probability=0.10),
    Scenario(name="low_volatility", mu=0.07, sigma=0.08, cash_rate=0.03, bond_correlation=0.1, probability=0.15),
)
"""The five of the specification, section 1.1, with the probabilities of the method, section 2."""

CYCLE = Scenario(
    name="cycle",
    engine="regime_switching",
    mu=0.08,
    sigma=0.20,
    cash_rate=0.03,
    states=(
        RegimeState(name="bull", mu=0.15, sigma=0.12, mean_days=400),
        RegimeState(name="base", mu=0.08, sigma=0.18, mean_days=250),
        RegimeState(name="bear", mu=-0.05, sigma=0.35, mean_days=100),
        RegimeState(name="high_volatility", mu=0.05, sigma=0.40, mean_days=60),
    ),
)
"""Moves through four states. Its mu and sigma follow from the states; the fields are not used by the engine."""
