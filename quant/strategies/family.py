"""The strategy family, one table: how each weight function weighs the risky leg, and by which parameters.

A weight function is added here and nowhere else: its name, its formula, its row of `FAMILY` and, where it has
parameters that no other function has, their fields in `Shape` (one config) and `Grids` (the values of a search).

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


class Known(NamedTuple):
    """What a decision may know of one path; nothing in it is later than the decision's last return."""

    volatility: float
    """Annual, of the risky leg, by the config's estimator; positive."""
    signal: float
    """What `Weighing.signal` names; 0 otherwise."""
    value: float
    """Own wealth; 1 at the start."""
    floor: float
    """`first` of the wealth at the start, accruing with cash."""
    peak: float
    """The highest own wealth."""
    own: float
    """Annual volatility of the strategy's own excess returns, exponentially weighted; `target` at the start."""
    before: float
    """The weight that the last decision wanted; `target` over `volatility` at the start."""
    target: float
    """Annual volatility aimed at."""
    highest: float
    """Upper bound of the weight."""
    first: float
    second: float
    """Its two numbers: its parameters in their order, or what `Weighing.numbers` makes of them."""
    exp: Callable[[float], float]
    """The exponential that has the same bits on every machine."""


class Given(NamedTuple):
    """What fixes the two numbers of a formula."""

    shape: Shape
    mandate: Mandate
    target: float
    """Annual volatility aimed at."""
    fitted: float | None
    """The variance constant per unit of target that was fitted on training days, if it was asked for."""


@dataclass(frozen=True)
class Weighing:
    """One row of the family."""

    number: str
    """In the specification, section 5.2."""
    title: str
    formula: str
    weigh: Callable[[Known], float]
    """The weight before the mandate's bounds, largest change and no-trade band."""
    parameters: tuple[str, ...] = ()
    """Fields of `Shape` that have an effect."""
    volatility: bool = True
    """Whether it looks at the volatility of the risky leg, so that estimator and lookback have an effect."""
    signal: Literal["trend", "regime"] | None = None
    """trend: the share of three trends that point up; regime: filtered probability of the turbulent state."""
    memory: Literal["wealth", "volatility"] | None = None
    """What it looks at of its own: wealth, floor and peak, or realised volatility. After 63 sessions in cash a rule
    that remembers its wealth starts again from the wealth of that day (the re-entry rule)."""
    numbers: Callable[[Given], tuple[float, float]] | None = None
    """Its `first` and `second` where they are not simply its parameters."""
    bounded: bool = True
    """Whether the mandate's bounds and largest change hold for it."""
    searched: bool = True
    """Whether a search tries it unless it is asked otherwise."""
    source: str = ""


FAMILY: dict[WeightFunction, Weighing] = {
    "inverse_vol": Weighing(
        "W1",
        "inverse volatility",
        "target / volatility",
        lambda known: known.target / known.volatility,
        source="S&P Dow Jones Indices, Index Mathematics Methodology, risk control indices",
    ),
    "inverse_vol_squared": Weighing(
        "W2",
        "inverse variance",
        "target * c / volatility^2, with c = target, or c fitted on training days",
        lambda known: known.first / (known.volatility * known.volatility),
        parameters=("variance_constant",),
        numbers=lambda given: (given.target * (given.target if given.fitted is None else given.fitted), 0.0),
        source="Moreira and Muir (2017), Journal of Finance 72(4)",
    ),
    "linear_decay": Weighing(
        "W3",
        "linear decay",
        "1 - slope * (volatility - target)",
        lambda known: 1.0 - known.first * (known.volatility - known.target),
        parameters=("slope",),
    ),
    "sigmoid": Weighing(
        "W4",
        "sigmoid",
        "1 / (1 + exp((volatility - midpoint) / scale))",
        lambda known: 1.0 / (1.0 + known.exp((known.volatility - known.first) / known.second)),
        parameters=("midpoint", "scale"),
    ),
    "merton": Weighing(
        "W5",
        "Merton",
        "expected premium / (risk aversion * volatility^2)",
        lambda known: known.first / (known.volatility * known.volatility),
        numbers=lambda given: (given.mandate.expected_premium / given.mandate.risk_aversion, 0.0),
        source="Merton (1969), Review of Economics and Statistics 51(3)",
    ),
    "cppi": Weighing(
        "W6",
        "constant-proportion portfolio insurance",
        "multiplier * (wealth - F) / wealth, with F = floor * first wealth, accruing with cash",
        lambda known: known.second * (known.value - known.floor) / known.value,
        parameters=("floor", "multiplier"),
        volatility=False,
        memory="wealth",
        source="Black and Jones (1987), Journal of Portfolio Management 14(1)",
    ),
    "tipp": Weighing(
        "W7",
        "time-invariant portfolio protection",
        "multiplier * (wealth - F) / wealth, with F = floor * highest wealth",
        # max(F, floor * peak) is floor * peak: the peak never falls, and F begins there
        lambda known: known.second * (known.value - known.first * known.peak) / known.value,
        parameters=("floor", "multiplier"),
        volatility=False,
        memory="wealth",
        searched=False,
        source="Estep and Kritzman (1988), Journal of Portfolio Management 14(4)",
    ),
    "trend_overlay": Weighing(
        "W8",
        "inverse volatility with a trend overlay",
        "s * min(target / volatility, highest weight), with s the share of three trends that point up",
        lambda known: known.signal * min(known.target / known.volatility, known.highest),
        parameters=("hysteresis",),
        signal="trend",
    ),
    "regime_switch": Weighing(
        "W9",
        "regime switch",
        "(1 - p) * calm_weight + p * turbulent_weight, with p the filtered probability of the turbulent state",
        lambda known: known.first + known.signal * (known.second - known.first),
        parameters=("calm_weight", "turbulent_weight"),
        volatility=False,
        signal="regime",
        searched=False,
        source="Hamilton (1989), Econometrica 57(2)",
    ),
    "drawdown_control": Weighing(
        "W10",
        "inverse volatility with drawdown control",
        "min(target / volatility, highest weight) * max(0, 1 - drawdown / drawdown_cap)",
        lambda known: (
            max(0.0, 1.0 - (1.0 - known.value / known.peak) / known.first)
            * min(known.target / known.volatility, known.highest)
        ),
        parameters=("drawdown_cap",),
        memory="wealth",
        source="Grossman and Zhou (1993), Mathematical Finance 3(3)",
    ),
    "feedback": Weighing(
        "W11",
        "volatility feedback",
        "last wanted weight + gain * (target - own volatility); target / volatility at the start",
        lambda known: known.before + known.first * (known.target - known.own),
        parameters=("gain",),
        memory="volatility",
        searched=False,
        source="arXiv 2603.01298",
    ),
    "constant": Weighing(
        "",
        "constant weight",
        "constant_weight",
        lambda known: known.first,
        parameters=("constant_weight",),
        volatility=False,
        bounded=False,  # a benchmark is not bound by the mandate's weights
        searched=False,
    ),
}

ACTIVE: dict[WeightFunction, tuple[str, ...]] = {name: row.parameters for name, row in FAMILY.items()}
"""The shape parameters that have an effect, by weight function."""
CODES: dict[WeightFunction, int] = {name: code for code, name in enumerate(FAMILY)}
"""How the kernel calls the weight functions."""


def numbers_of(function: WeightFunction, given: Given) -> tuple[float, float]:
    """`first` and `second` of `function`."""
    row = FAMILY[function]
    if row.numbers is not None:
        return row.numbers(given)
    first, second = (*(float(getattr(given.shape, name)) for name in row.parameters), 0.0, 0.0)[:2]
    return first, second
