"""The strategy family, one table: formula and parameters of each weight function.

A weight function is added here and nowhere else: its name, its formula and its row of `FAMILY`. A parameter that no
other function has needs a row of `PARAMETERS` and a field in `Shape` (one config) and `Grids` (the values of a search).

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


@dataclass(frozen=True)
class Parameter:
    """How people name a parameter of the weight functions, and what it counts."""

    label: str
    """In a sentence: "the slope"."""
    words: str = ""
    """Phrases that name it in plain English, separated by `|`; empty where an amount of the mandate has the same."""
    unit: Literal["fraction", "number", "choice"] = "number"
    """A fraction is also written in percent."""
    usual: float | str | None = None
    """The value of a configuration that does not state it."""


PARAMETERS: dict[str, Parameter] = {
    "variance_constant": Parameter("the variance constant", unit="choice", usual="target"),
    "slope": Parameter("the slope", "slope|steepness", usual=4.0),
    "midpoint": Parameter(
        "the midpoint",
        "midpoint|mid point|center|centre|inflection|inflection point|halfway point|turning point|"
        "centre point|center point|centered at|centred at|centred on|centered on",
        unit="fraction",  # usually the target volatility
    ),
    "scale": Parameter(
        "the scale",
        "scale|width|scale parameter|steepness width|spread parameter|smoothness",
        unit="fraction",
        usual=0.03,
    ),
    "floor": Parameter(
        "the floor",
        "floor|protection level|protected level|capital guarantee|guarantee|guaranteed|guaranteed level|floor level|"
        "capital protection|insured level",
        unit="fraction",
        usual=0.90,
    ),
    "multiplier": Parameter(
        "the multiplier",
        "multiplier|cushion multiplier|multiple|cushion multiple|leverage multiplier",
        usual=4.0,
    ),
    "hysteresis": Parameter("the hysteresis", "hysteresis|trend hysteresis", unit="fraction", usual=0.01),
    "drawdown_cap": Parameter("the drawdown cap", unit="fraction", usual=0.20),
    "calm_weight": Parameter("the calm weight", "calm weight|weight when calm", unit="fraction", usual=1.0),
    "turbulent_weight": Parameter(
        "the turbulent weight",
        "turbulent weight|weight when turbulent|stress weight",
        unit="fraction",
        usual=0.2,
    ),
    "gain": Parameter("the gain", "gain|feedback gain|gain factor", usual=1.0),
    "constant_weight": Parameter("the constant weight", unit="fraction"),
}
"""One row for each field of `Shape`."""


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
    words: str = ""
    """Phrases that name it in plain English, separated by `|`; "function" and "rule" may follow each of them."""
    searched: bool = True
    """Whether a search includes it by default."""
    benchmark: bool = False
    """Whether it is a rule of the benchmarks alone: never searched, not bound by the mandate's weights and largest
    change, and named by the assistant as a template."""
    source: str = ""


FAMILY: dict[WeightFunction, WeightRule] = {
    "inverse_vol": WeightRule(
        "W1",
        "inverse volatility",
        "target / volatility",
        lambda path: path.target / path.volatility,
        words="inverse vol|inverse volatility|one over vol|inverse of volatility|inverse of vol|"
        "reciprocal of volatility|inversely proportional to volatility",
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
        words="inverse vol squared|inverse volatility squared|squared inverse vol|inverse variance|"
        "inverse squared vol|inverse squared volatility|one over variance|inverse of variance|"
        "inverse of the variance|inverse square",
        source="Moreira and Muir (2017), Journal of Finance 72(4)",
    ),
    "linear_decay": WeightRule(
        "W3",
        "linear decay",
        "1 - slope * (volatility - target)",
        lambda path: 1.0 - path.first * (path.volatility - path.target),
        parameters=("slope",),
        words="linear decay|linear|straight line|linear decline|linearly decaying|linear ramp|linear decrease",
    ),
    "sigmoid": WeightRule(
        "W4",
        "sigmoid",
        "1 / (1 + exp((volatility - midpoint) / scale))",
        lambda path: 1.0 / (1.0 + path.exp((path.volatility - path.first) / path.second)),
        parameters=("midpoint", "scale"),
        words="sigmoid|sigmoids|s curve|logistic|s shaped|s shaped curve|s shape|s function|logistic curve",
    ),
    "merton": WeightRule(
        "W5",
        "Merton",
        "expected premium / (risk aversion * volatility^2)",
        lambda path: path.first / (path.volatility * path.volatility),
        numbers=lambda inputs: (inputs.mandate.expected_premium / inputs.mandate.risk_aversion, 0.0),
        words="merton|merton share",
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
        words="cppi|constant proportion|constant proportion portfolio insurance|portfolio insurance|"
        "constant proportion insurance",
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
        words="tipp|time invariant portfolio protection|time invariant protection|"
        "time invariant portfolio insurance|ratchet",
        source="Estep and Kritzman (1988), Journal of Portfolio Management 14(4)",
    ),
    "trend_overlay": WeightRule(
        "W8",
        "inverse volatility with a trend overlay",
        "s * min(target / volatility, highest weight), with s the share of three trends that point up",
        lambda path: path.signal * min(path.target / path.volatility, path.highest),
        parameters=("hysteresis",),
        signal="trend",
        words="trend overlay|inverse volatility with a trend overlay|trend following|trend filter|trend rule|"
        "trend following overlay|trend following filter|trend signal|trend timing",
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
        words="regime switch|regime switching|regime switcher|switching rule|regime rule|"
        "regime switching function|regime based",
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
        words="drawdown control|inverse volatility with drawdown control|drawdown controlled|"
        "drawdown controller|dd control|drawdown based|drawdown brake",
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
        words="feedback|volatility feedback|feedback control|feedback controller|feedback loop|control loop",
        source="arXiv 2603.01298",
    ),
    "constant": WeightRule(
        "",
        "constant weight",
        "constant_weight",
        lambda path: path.first,
        parameters=("constant_weight",),
        volatility=False,
        searched=False,
        benchmark=True,
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
