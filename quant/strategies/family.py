"""The strategy family, one table: formula and parameters of each weight function.

A weight function is added here and nowhere else in `quant`: its name, its formula, its row of `FAMILY` and, where it
has parameters that no other function has, their fields in `Shape` (one config) and `Grids` (the values of a search).

A formula is written for one path and one day, in plain arithmetic; the kernel compiles it into a loop over 64 paths.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.strategies.mandate import Mandate

WeightFunction: TypeAlias = Literal[
    "inverse_vol",
    "inverse_vol_squared",
    "linear_decay",
    "sigmoid",
    "merton",
    "cppi",
    "tipp",
    "trend_overlay",
    "regime_switch",
    "drawdown_control",
    "feedback",
    "constant",
]
"""W1 to W11 of the specification; W12 is any of them on an inner portfolio. `constant` is the benchmarks' rule."""

Slope: TypeAlias = Annotated[float, Field(ge=0.5, le=20.0)]
Midpoint: TypeAlias = Annotated[float, Field(ge=0.05, le=0.40)]
Scale: TypeAlias = Annotated[float, Field(ge=0.005, le=0.20)]
Floor: TypeAlias = Annotated[float, Field(ge=0.5, le=0.99)]
Multiplier: TypeAlias = Annotated[float, Field(ge=1.0, le=10.0)]
Hysteresis: TypeAlias = Annotated[float, Field(ge=0.0, le=0.05)]
DrawdownCap: TypeAlias = Annotated[float, Field(ge=0.05, le=0.50)]
CalmWeight: TypeAlias = Annotated[float, Field(ge=0.0, le=2.0)]
TurbulentWeight: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Gain: TypeAlias = Annotated[float, Field(ge=0.1, le=10.0)]
ConstantWeight: TypeAlias = Annotated[float, Field(ge=0.0, le=2.0)]
VarianceConstant: TypeAlias = Literal["target", "trained"]
"""The range of each parameter, in one config and in the values of a search."""


class Shape(Frozen):
    """The parameters of one config's weight function; None for those that have no effect."""

    variance_constant: VarianceConstant | None = None
    slope: Slope | None = None
    midpoint: Midpoint | None = None
    scale: Scale | None = None
    floor: Floor | None = None
    multiplier: Multiplier | None = None
    hysteresis: Hysteresis | None = None
    drawdown_cap: DrawdownCap | None = None
    calm_weight: CalmWeight | None = None
    turbulent_weight: TurbulentWeight | None = None
    gain: Gain | None = None
    constant_weight: ConstantWeight | None = None


class Grids(Frozen):
    """The values that a search may give the parameters of the weight functions."""

    variance_constant: Annotated[tuple[VarianceConstant, ...], Field(min_length=1)] = ("target", "trained")
    slope: Annotated[tuple[Slope, ...], Field(min_length=1)] = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    midpoint: Annotated[tuple[Midpoint, ...], Field(min_length=1)] = (0.10, 0.12, 0.14, 0.16, 0.18, 0.20, 0.25)
    scale: Annotated[tuple[Scale, ...], Field(min_length=1)] = (0.01, 0.02, 0.03, 0.04, 0.06, 0.10)
    floor: Annotated[tuple[Floor, ...], Field(min_length=1)] = (0.80, 0.85, 0.90, 0.95)
    multiplier: Annotated[tuple[Multiplier, ...], Field(min_length=1)] = (2.0, 3.0, 4.0, 5.0)
    hysteresis: Annotated[tuple[Hysteresis, ...], Field(min_length=1)] = (0.0, 0.01, 0.02)
    drawdown_cap: Annotated[tuple[DrawdownCap, ...], Field(min_length=1)] = (0.10, 0.15, 0.20, 0.25)
    calm_weight: Annotated[tuple[CalmWeight, ...], Field(min_length=1)] = (0.6, 0.8, 1.0)
    turbulent_weight: Annotated[tuple[TurbulentWeight, ...], Field(min_length=1)] = (0.0, 0.2, 0.4)
    gain: Annotated[tuple[Gain, ...], Field(min_length=1)] = (0.5, 1.0, 2.0, 4.0)


class PathState(NamedTuple):
    """Inputs of a decision on one path; nothing in it is later than the decision's last return."""

    volatility: float
    """Annual, of the risky leg, by the config's estimator; positive."""
    signal: float
    """What `WeightRule.signal` names; 0 otherwise."""
    value: float
    """Own wealth; 1 at the start."""
    floor: float
    """`first` of the wealth at the start, accruing with cash."""
    peak: float
    """The highest own wealth."""
    own_volatility: float
    """Annual volatility of the strategy's own excess returns, exponentially weighted; `target` at the start."""
    last_weight: float
    """The weight that the last decision wanted; `target` over `volatility` at the start."""
    target: float
    """Annual volatility aimed at."""
    highest: float
    """Upper bound of the weight."""
    first: float
    second: float
    """The formula's two numbers: its parameters in their order, or the result of `WeightRule.numbers`."""
    exp: Callable[[float], float]
    """Exponential with the same bits on every machine."""


class FormulaInputs(NamedTuple):
    """Inputs of the two numbers of a formula."""

    shape: Shape
    mandate: Mandate
    target: float
    """Annual volatility aimed at."""
    trained_constant: float | None
    """Variance constant per unit of target, fitted on training days; None unless the config asks for it."""


@dataclass(frozen=True)
class WeightRule:
    """One row of the family."""

    number: str
    """In the specification, section 5.2."""
    title: str
    formula: str
    weigh: Callable[[PathState], float]
    """The weight before the mandate's bounds, largest change and no-trade band."""
    parameters: tuple[str, ...] = ()
    """Fields of `Shape` that have an effect."""
    volatility: bool = True
    """Whether it uses the volatility of the risky leg, so that estimator and lookback have an effect."""
    signal: Literal["trend", "regime"] | None = None
    """trend: the share of three trends that point up; regime: filtered probability of the turbulent state."""
    memory: Literal["wealth", "volatility"] | None = None
    """The strategy's own results that it uses: wealth with floor and peak, or realised volatility. After 63 sessions in
    cash a rule that uses its wealth restarts from the wealth of that day (the re-entry rule)."""
    numbers: Callable[[FormulaInputs], tuple[float, float]] | None = None
    """Computes `first` and `second` where they are not simply its parameters."""
    bounded: bool = True
    """Whether the mandate's bounds and largest change apply to it."""
    searched: bool = True
    """Whether a search includes it by default."""
    source: str = ""


FAMILY: dict[WeightFunction, WeightRule] = {
    "inverse_vol": WeightRule(
        "W1",
        "inverse volatility",
        "target / volatility",
        lambda path: path.target / path.volatility,
        source="S&P Dow Jones Indices, Index Mathematics Methodology, risk control indices",
    ),
    "inverse_vol_squared": WeightRule(
        "W2",
        "inverse variance",
        "target * c / volatility^2, with c = target, or c fitted on training days",
        lambda path: path.first / (path.volatility * path.volatility),
        parameters=("variance_constant",),
        numbers=lambda inputs: (
            inputs.target * (inputs.target if inputs.trained_constant is None else inputs.trained_constant),
            0.0,
        ),
        source="Moreira and Muir (2017), Journal of Finance 72(4)",
    ),
    "linear_decay": WeightRule(
        "W3",
        "linear decay",
        "1 - slope * (volatility - target)",
        lambda path: 1.0 - path.first * (path.volatility - path.target),
        parameters=("slope",),
    ),
    "sigmoid": WeightRule(
        "W4",
        "sigmoid",
        "1 / (1 + exp((volatility - midpoint) / scale))",
        lambda path: 1.0 / (1.0 + path.exp((path.volatility - path.first) / path.second)),
        parameters=("midpoint", "scale"),
    ),
    "merton": WeightRule(
        "W5",
        "Merton",
        "expected premium / (risk aversion * volatility^2)",
        lambda path: path.first / (path.volatility * path.volatility),
        numbers=lambda inputs: (inputs.mandate.expected_premium / inputs.mandate.risk_aversion, 0.0),
        source="Merton (1969), Review of Economics and Statistics 51(3)",
    ),
    "cppi": WeightRule(
        "W6",
        "constant-proportion portfolio insurance",
        "multiplier * (wealth - F) / wealth, with F = floor * first wealth, accruing with cash",
        lambda path: path.second * (path.value - path.floor) / path.value,
        parameters=("floor", "multiplier"),
        volatility=False,
        memory="wealth",
        source="Black and Jones (1987), Journal of Portfolio Management 14(1)",
    ),
    "tipp": WeightRule(
        "W7",
        "time-invariant portfolio protection",
        "multiplier * (wealth - F) / wealth, with F = floor * highest wealth",
        # max(F, floor * peak) is floor * peak: the peak never falls, and F begins there
        lambda path: path.second * (path.value - path.first * path.peak) / path.value,
        parameters=("floor", "multiplier"),
        volatility=False,
        memory="wealth",
        searched=False,
        source="Estep and Kritzman (1988), Journal of Portfolio Management 14(4)",
    ),
    "trend_overlay": WeightRule(
        "W8",
        "inverse volatility with a trend overlay",
        "s * min(target / volatility, highest weight), with s the share of three trends that point up",
        lambda path: path.signal * min(path.target / path.volatility, path.highest),
        parameters=("hysteresis",),
        signal="trend",
    ),
    "regime_switch": WeightRule(
        "W9",
        "regime switch",
        "(1 - p) * calm_weight + p * turbulent_weight, with p the filtered probability of the turbulent state",
        lambda path: path.first + path.signal * (path.second - path.first),
        parameters=("calm_weight", "turbulent_weight"),
        volatility=False,
        signal="regime",
        searched=False,
        source="Hamilton (1989), Econometrica 57(2)",
    ),
    "drawdown_control": WeightRule(
        "W10",
        "inverse volatility with drawdown control",
        "min(target / volatility, highest weight) * max(0, 1 - drawdown / drawdown_cap)",
        lambda path: (
            max(0.0, 1.0 - (1.0 - path.value / path.peak) / path.first)
            * min(path.target / path.volatility, path.highest)
        ),
        parameters=("drawdown_cap",),
        memory="wealth",
        source="Grossman and Zhou (1993), Mathematical Finance 3(3)",
    ),
    "feedback": WeightRule(
        "W11",
        "volatility feedback",
        "last wanted weight + gain * (target - own volatility); target / volatility at the start",
        lambda path: path.last_weight + path.first * (path.target - path.own_volatility),
        parameters=("gain",),
        memory="volatility",
        searched=False,
        source="arXiv 2603.01298",
    ),
    "constant": WeightRule(
        "",
        "constant weight",
        "constant_weight",
        lambda path: path.first,
        parameters=("constant_weight",),
        volatility=False,
        bounded=False,  # a benchmark is not bound by the mandate's weights
        searched=False,
    ),
}

ACTIVE: dict[WeightFunction, tuple[str, ...]] = {name: row.parameters for name, row in FAMILY.items()}
"""The shape parameters that have an effect, by weight function."""
CODES: dict[WeightFunction, int] = {name: code for code, name in enumerate(FAMILY)}
"""The kernel's code of each weight function."""


def numbers_of(function: WeightFunction, inputs: FormulaInputs) -> tuple[float, float]:
    """`first` and `second` of `function`."""
    row = FAMILY[function]
    if row.numbers is not None:
        return row.numbers(inputs)
    first, second = (*(float(getattr(inputs.shape, name)) for name in row.parameters), 0.0, 0.0)[:2]
    return first, second
