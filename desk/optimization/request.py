"""The optimization request and its limits, with their validation."""

from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from desk.optimization.window import DEFAULT_SPLIT, Split, WindowDay
from desk.optimization.worlds import Worlds, WorldsBase, base_cash_rate, base_of, with_base
from desk.scenarios.schemas import HISTORY
from quant.numeric.frozen import Frozen, digest_of
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.goal import DEFAULT_GOAL, SCALE_FREE_GOALS, Goal
from quant.strategies.mandate import Mandate
from quant.strategies.search import off_grid, size
from quant.worlds.scenario import BUILT_IN, Scenario

MAX_PLANS = 3
BUNDLED_CASH = "bundled:US"
"""The cash of a request that names none: the one-month Treasury bill in US dollars."""
BUNDLED_CURRENCY = "USD"
"""Currency of the bundled bill."""
ASSUMED_CURRENCY = "USD"
"""Currency of a price file that states none."""
CASH = "cash"
"""The safe leg of a request that names none."""
YIELD = "yield:"
"""Begins the name of a safe leg that is computed from yields."""


LimitName: TypeAlias = Literal[
    "max_drawdown", "value_at_risk", "expected_shortfall", "turnover", "cost_bps", "leverage", "volatility_error"
]

WITH_DEBT: Goal = "robust_utility"
"""Goal of a request that names none and allows debt."""
VOLATILITY_TOLERANCE = 0.3
"""Largest distance of the winner's volatility on history from the mandate's target, as a share of the target, for the
goals `benefit` and `calmar`, which say nothing about how much to hold."""

CURRENT_RULE = StrategyConfig(
    weight_function="inverse_vol", estimator="rolling", lookback_days=252, rebalancing="monthly"
)
"""Default current rule: inverse volatility over 12 months, rebalanced monthly."""


def cash_rate(cash: str) -> float | None:
    """The rate a year that `cash` states; None for a series and for the bundled bill."""
    try:
        return float(cash)
    except ValueError:
        return None


def _as_text(cash: Any) -> Any:
    """A rate may be a JSON number."""
    return f"{cash:.10g}" if isinstance(cash, int | float) and not isinstance(cash, bool) else cash


def _as_whole(number: Any) -> Any:
    """A command line gives text."""
    return int(number) if isinstance(number, str) and number.isdecimal() else number


def _check_cash(cash: str) -> str:
    rate = cash_rate(cash)
    if rate is not None and not -0.05 <= rate <= 0.5:
        msg = f"cash {cash} is no rate a year; expected a fraction from -0.05 to 0.5 (2% is written 0.02)"
        raise ValueError(msg)
    if rate is None and cash != BUNDLED_CASH and (cash.startswith("bundled:") or cash.endswith("%")):
        msg = f"cash {cash!r} is not known; expected {BUNDLED_CASH}, a fraction such as 0.02, or the name of a series"
        raise ValueError(msg)
    return cash


Cash: TypeAlias = Annotated[
    str,
    BeforeValidator(_as_text),
    AfterValidator(_check_cash),
    Field(
        min_length=1,
        max_length=400,
        description="What cash earns: `bundled:US`, the one-month Treasury bill; a rate a year as a fraction, which "
        "may be negative; or a series of rates in percent a year (a data set of the kind curve or index, NAME:COLUMN "
        "of one, or file:COLUMN)",
    ),
]
ExchangeRateName: TypeAlias = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=400,
        description="A series named by its pair, such as EURUSD (dollars for a euro), which converts prices of one "
        "currency into that of the cash: a data set of the kind index, NAME:EURUSD of one, or file:EURUSD",
    ),
]
SafeLegName: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=400,
        description="What is held beside the risky leg: `cash`; a bond index, as an asset of the same prices or "
        "NAME:ASSET of another data set, with coupons in its prices; or `yield:SERIES`, a ten-year par bond from "
        "daily yields in percent a year (a data set of the kind index, NAME:ASSET of one, or file:COLUMN)",
    ),
]


class Limit(Frozen):
    """A bound on one statistic in a set of scenarios."""

    bound: Annotated[float, Field(gt=0.0)]
    """Largest accepted value of the statistic."""
    scenarios: Annotated[tuple[str, ...], Field(min_length=1)] = ("base_case", HISTORY)
    """Scenarios in which the limit applies; `history` for the training days."""
    tolerated: Annotated[float, Field(ge=0.0, le=1.0, description="Breach probability; drawdown only")] = 0.20


class Limits(Frozen):
    """Losses, costs and turnover are positive annual fractions; value at risk and shortfall cover 21 sessions."""

    max_drawdown: Limit | None = None
    """P(drawdown over the horizon beyond the bound) must not exceed `tolerated`."""
    value_at_risk: Limit | None = None
    expected_shortfall: Limit | None = None
    turnover: Limit | None = None
    cost_bps: Limit | None = None
    leverage: Limit | None = None
    volatility_error: Annotated[
        Limit | None,
        Field(
            exclude_if=lambda limit: limit is None,
            description="Distance of the volatility from the mandate's target, an annual fraction; for the goal "
            f"`benefit` it is by default {VOLATILITY_TOLERANCE:.0%} of the target, on history",
        ),
    ] = None

    @model_validator(mode="after")
    def _losses_are_fractions(self) -> Self:
        for name in ("max_drawdown", "value_at_risk", "expected_shortfall"):
            limit: Limit | None = getattr(self, name)
            if limit and limit.bound >= 1.0:
                msg = (
                    f"{name}.bound {limit.bound:g} is no fraction of wealth that can be lost; "
                    "expected above 0, below 1 (20% is written 0.20)"
                )
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _volatility_error_is_a_fraction(self) -> Self:
        limit = self.volatility_error
        if limit and limit.bound >= 1.0:
            msg = (
                f"volatility_error.bound {limit.bound:g} is no distance between annual volatilities; "
                "expected above 0, below 1 (3 percentage points are written 0.03)"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _do_not_contradict(self) -> Self:
        var, shortfall = self.value_at_risk, self.expected_shortfall
        if var and shortfall and shortfall.bound < var.bound:
            msg = (
                f"expected_shortfall {shortfall.bound:g} is below value_at_risk {var.bound:g}, and the mean loss "
                "beyond a quantile is never below the quantile; expected expected_shortfall >= value_at_risk"
            )
            raise ValueError(msg)
        return self

    def defined(self) -> dict[LimitName, Limit]:
        return {name: limit for name in Limits.model_fields if (limit := getattr(self, name))}  # pyright: ignore[reportReturnType]


def _default_goal(mandate: Mandate | None) -> Goal:
    return DEFAULT_GOAL if mandate is None or mandate.max_weight <= 1.0 else WITH_DEBT


class OptimizationRequest(Frozen):
    """A request for a dynamic asset allocation."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = "New strategy"
    """Name of the run, for people."""
    universe: Annotated[str, Field(min_length=1, max_length=400)] = "sp500"
    prices_file: str | None = None
    """File of prices used instead of the bundled ones; its content, not its path, enters the result."""
    first_day: Annotated[WindowDay, Field(description="First day of the prices that is used")] = None
    last_day: Annotated[WindowDay, Field(description="Last day of the prices that is used")] = None
    split: Annotated[
        Split,
        Field(
            exclude_if=lambda split: split == DEFAULT_SPLIT,
            description="Division of the days; the locked holdout, the last of them, has at least two years",
        ),
    ] = DEFAULT_SPLIT
    price_index: Annotated[
        bool, Field(description="Whether the price file excludes dividends, so that `dividend_yield` accrues")
    ] = False
    calendar: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9/_]{1,20}$", description="Exchange of the price file's sessions, or none")
    ] = "XNYS"
    currency: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Z]{3}$",
            exclude_if=lambda currency: currency is None,
            description="Currency of the price file; USD is assumed if none is stated",
        ),
    ] = None
    mandate: Mandate = Mandate()
    limits: Limits = Limits()
    space: Annotated[SearchSpace, Field(validate_default=True)] = SearchSpace()
    goal: Goal = Field(
        default_factory=lambda fields: _default_goal(fields.get("mandate")),
        description="What the search maximises; `benefit` is the utility over the constant weight of the "
        f"configuration's own volatility, and needs weights of at most 1: above it the default is `{WITH_DEBT}`; "
        "`calmar` is growth a year over the deepest fall; `volatility_error` is the least distance of the volatility "
        "from the target of the mandate",
        json_schema_extra={"default": DEFAULT_GOAL},
    )
    scenarios: Annotated[tuple[Scenario, ...], Field(min_length=1, max_length=20)] = BUILT_IN
    """Worlds in which every configuration is evaluated."""
    worlds: Annotated[
        Worlds | None,
        Field(
            exclude_if=lambda worlds: worlds is None,
            description="What the built-in scenarios follow: `calibrated`, the volatility of the training days; "
            "`historical`, their mean return too; `seed`, fixed numbers for any data. A mean or a volatility "
            "that differs from the built-in one stays. null, in requests of earlier versions, is `seed`",
        ),
    ] = "calibrated"
    worlds_base: Annotated[
        WorldsBase | None,
        Field(
            exclude_if=lambda base: base is None,
            description="The base case that the worlds follow; computed from the training days of the prices",
        ),
    ] = None
    engine_parameters: Annotated[
        Literal["default", "fitted"],
        Field(
            exclude_if=lambda parameters: parameters == "default",
            description="`fitted` estimates the parameters of each scenario's engine (Heston, Bates, Merton, GARCH, "
            "regime switching, the block of a bootstrap) on the training days, in place of those that the scenario "
            "states; its mean and volatility stay",
        ),
    ] = "default"
    trials: Annotated[int, Field(ge=10, le=5_000)] = 100
    """Most configurations that the search tries."""
    stopping: Literal["converged", "budget"] = "converged"
    """`converged` also stops when the best objective gains less than 2 basis points over 20 trials."""
    max_minutes: Annotated[
        float | None,
        Field(
            gt=0.0,
            le=10_080.0,
            exclude_if=lambda minutes: minutes is None,
            description="Budget of the search in minutes; it ends after the trials that are then being evaluated",
        ),
    ] = None
    max_dollars: Annotated[
        float | None,
        Field(
            gt=0.0,
            le=1_000_000.0,
            exclude_if=lambda dollars: dollars is None,
            description="Budget of the search in dollars for paid machines; without such machines it never ends one",
        ),
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    dividend_yield: Annotated[float, Field(ge=0.0, le=0.10, description="Accrues on a price index; an assumption")] = (
        0.02
    )
    cash_rate_after: Annotated[
        float, Field(ge=-0.02, le=0.15, description="Annual rate after the rate series ends")
    ] = 0.02
    cash: Annotated[Cash, Field(exclude_if=lambda cash: cash == BUNDLED_CASH)] = BUNDLED_CASH
    cash_day_count: Annotated[
        Literal[360, 365],
        BeforeValidator(_as_whole),
        Field(
            exclude_if=lambda days: days == 360,
            description="Days of a year by which the rate of `cash` is quoted; actual days are counted",
        ),
    ] = 360
    exchange_rate: Annotated[ExchangeRateName, Field(exclude_if=lambda name: name is None)] = None
    benchmark: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=400,
            exclude_if=lambda name: name is None,
            description="A series that the winner is compared with on history, with dividends in its levels: a data "
            "set of one asset, NAME:ASSET of another, or file:COLUMN of the price file",
        ),
    ] = None
    volatility_index: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=400,
            exclude_if=lambda name: name is None,
            description="Levels in percent a year, such as the VIX, for a current rule with the estimator `implied`: a "
            "data set of the kind index, NAME:ASSET of one, or file:COLUMN of the price file",
        ),
    ] = None
    safe: Annotated[SafeLegName, Field(exclude_if=lambda safe: safe == CASH)] = CASH
    current_rule: StrategyConfig = CURRENT_RULE
    start: Annotated[
        tuple[StrategyConfig, ...],
        Field(max_length=20, description="Configs to try before those that the search proposes"),
    ] = ()

    @field_validator("space", mode="after")
    @classmethod
    def _default_bands_allow_trades(cls, space: SearchSpace, info: ValidationInfo) -> SearchSpace:
        """Leave out the default bands that the mandate's largest change never exceeds."""
        mandate: Mandate | None = info.data.get("mandate")  # None if it is invalid, which is another error
        if mandate is None or "no_trade_band" in space.model_fields_set:
            return space
        bands = tuple(band for band in space.no_trade_band if band < mandate.max_change)
        return space if bands == space.no_trade_band else space.model_copy(update={"no_trade_band": bands})

    @model_validator(mode="after")
    def _space_can_be_searched(self) -> Self:
        widest, largest = max(self.space.no_trade_band), self.mandate.max_change
        if largest <= widest:
            msg = (
                f"space.no_trade_band {widest:g} is not below mandate.max_change {largest:g}: such a rule would never "
                f"trade; expected bands below {largest:g}, or mandate.max_change above {widest:g}"
            )
            raise ValueError(msg)
        if size(self.space) < 2:
            msg = "space holds a single config; expected at least two, or there is nothing to search"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _prices_and_cash_fit(self) -> Self:
        if self.prices_file is None and (self.price_index or self.calendar != "XNYS" or self.currency is not None):
            msg = "price_index, calendar and currency describe a price file; expected prices_file beside them"
            raise ValueError(msg)
        if self.cash == BUNDLED_CASH and self.cash_day_count != 360:
            msg = f"cash_day_count {self.cash_day_count} belongs to a rate; expected cash with a rate or a series"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.first_day and self.last_day and self.first_day >= self.last_day:
            msg = f"first_day {self.first_day} is not before last_day {self.last_day}; expected first_day < last_day"
            raise ValueError(msg)
        names = [s.name for s in self.scenarios]
        if len(set(names)) != len(names):
            msg = f"scenarios {names!r} repeat a name; expected distinct names"
            raise ValueError(msg)
        if HISTORY in names:
            msg = "scenarios: 'history' is the training history's own name; expected another name"
            raise ValueError(msg)
        if not any(s.probability > 0.0 for s in self.scenarios):
            msg = (
                "scenarios: every probability is 0, and such a scenario only tests a winner; expected at least one "
                "above 0"
            )
            raise ValueError(msg)
        if len({(s.paths, s.years) for s in self.scenarios}) > 1:
            msg = "scenarios differ in paths or years; expected the same for all"
            raise ValueError(msg)
        if self.goal == "benefit" and self.mandate.max_weight > 1.0:
            msg = (
                f"mandate.max_weight {self.mandate.max_weight:g} allows debt, and the goal benefit compares with "
                "constant weights without; expected at most 1, or another goal"
            )
            raise ValueError(msg)
        leverage = self.limits.leverage
        if leverage and leverage.bound < self.mandate.min_weight:
            msg = (
                f"limits.leverage {leverage.bound:g} is below mandate.min_weight {self.mandate.min_weight:g}; "
                "expected leverage >= min_weight"
            )
            raise ValueError(msg)
        for name, limit in self.limits.defined().items():
            unknown = set(limit.scenarios) - {*names, HISTORY}
            if unknown:
                msg = f"limits.{name}.scenarios names {sorted(unknown)}; expected {[*names, HISTORY]}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _start_can_be_tried(self) -> Self:
        if len(set(self.start)) < len(self.start):
            msg = "start repeats a config; expected distinct configs"
            raise ValueError(msg)
        if len(self.start) > self.trials:
            msg = f"start holds {len(self.start)} configs for {self.trials} trials; expected at most one for each trial"
            raise ValueError(msg)
        for place, config in enumerate(self.start):
            # with several assets an empty `space.inner` is resolved later, and checked by `inputs.splits.check_mixes`
            comparable_config = config if self.space.inner else config.model_copy(update={"inner": None})
            for name, value, allowed in off_grid(self.space, comparable_config):
                among = ", ".join("null" if one is None else str(one) for one in allowed)
                msg = f"start.{place}.{name} {value!r} is not in the space; expected {among}"
                raise ValueError(msg)
        return self

    def series(self) -> tuple[tuple[str, str], ...]:
        """The fields that name a series beside the prices, with these names: cash, exchange rate, benchmark."""
        cash = None if self.cash == BUNDLED_CASH or cash_rate(self.cash) is not None else self.cash
        named = (("cash", cash), ("exchange_rate", self.exchange_rate), ("benchmark", self.benchmark))
        return tuple((field, name) for field, name in named if name is not None)

    def limits_in_force(self) -> dict[LimitName, Limit]:
        """The limits that are set, and those by default that are not."""
        limits = self.limits.defined()
        for name, limit in self.default_limits().items():
            limits.setdefault(name, limit)
        return limits

    def default_limits(self) -> dict[LimitName, Limit]:
        """For goals without a scale, a limit on the distance of volatility from its target."""
        if self.goal not in SCALE_FREE_GOALS:
            return {}
        bound = VOLATILITY_TOLERANCE * self.mandate.target_volatility
        return {"volatility_error": Limit(bound=bound, scenarios=(HISTORY,))}

    def on_data(self, *, volatility: float, mean: float) -> Self:
        """The request with the worlds of data whose training days have this annual volatility and mean."""
        cash_rate = base_cash_rate(self.scenarios)
        return self._with_base(base_of(self.worlds, volatility=volatility, mean=mean, cash_rate=cash_rate))

    def on_any_data(self) -> Self:
        """The request with the built-in numbers in place of those of its data."""
        return self._with_base(None)

    def _with_base(self, base: WorldsBase | None) -> Self:
        scenarios = with_base(self.scenarios, base, self.worlds_base)
        return self.model_copy(update={"scenarios": scenarios, "worlds_base": base})

    def fields(self) -> dict[str, Any]:
        """The fields of a request to validate with changes; `worlds` is among them, though a dump leaves out null."""
        return self.model_dump() | {"worlds": self.worlds}

    def to_submit(self) -> Self:
        """The request whose JSON is this one for a new submission, where a missing `worlds` means the default."""
        return self.model_copy(update={"worlds": self.worlds or "seed"})

    def content_digest(self) -> str:
        """Digest of the request without the path of the price file."""
        return digest_of(self.model_copy(update={"prices_file": None}))


def _with_worlds_of_its_version(content: Any) -> Any:
    """Requests of versions without the field `worlds` simulate the scenarios as they state them."""
    return {"worlds": None} | cast("dict[str, Any]", content) if isinstance(content, dict) else content


StoredRequest: TypeAlias = Annotated[OptimizationRequest, BeforeValidator(_with_worlds_of_its_version)]
"""A request in a stored record; without `worlds` it is one of an earlier version and stays as it was computed."""
