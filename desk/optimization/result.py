"""The words of an optimization: what is asked, what each agent and each code step answers, what reproduces it."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from quant.evaluation import Evaluation, Measured
from quant.goal import Goal
from quant.scenario import BUILT_IN, Scenario
from quant.search import off_grid, size
from quant.strategy import Frozen, Mandate, SearchSpace, StrategyConfig, digest_of
from quant.trial import Trial
from tools.budget import BudgetName
from tools.figures import Claim, Figure
from tools.usage import Usage

SCHEMA = 1
HISTORY = "history"
MAX_PLANS = 3

AgentName: TypeAlias = Literal["risk_manager", "market_analyst", "optimizer", "explainer", "assistant"]

LimitName: TypeAlias = Literal[
    "max_drawdown", "value_at_risk", "expected_shortfall", "turnover", "cost_bps", "leverage"
]

CURRENT_RULE = StrategyConfig(
    weight_function="inverse_vol", estimator="rolling", lookback_days=252, rebalancing="monthly"
)
"""The 12-month, monthly, inverse-volatility spreadsheet."""


class Limit(Frozen):
    """A bound on one statistic in a set of scenarios."""

    bound: Annotated[float, Field(gt=0.0)]
    scenarios: Annotated[tuple[str, ...], Field(min_length=1)] = ("base_case", HISTORY)
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

    @model_validator(mode="after")
    def _losses_are_fractions(self) -> Self:
        for name in ("max_drawdown", "value_at_risk", "expected_shortfall"):
            limit: Limit | None = getattr(self, name)
            if limit and limit.bound >= 1.0:
                msg = (
                    f"{name}.bound {limit.bound:g} is no fraction of wealth that can be lost; "
                    "allowed: above 0, below 1 (20% is written 0.20)"
                )
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _do_not_contradict(self) -> Self:
        var, shortfall = self.value_at_risk, self.expected_shortfall
        if var and shortfall and shortfall.bound < var.bound:
            msg = (
                f"expected_shortfall {shortfall.bound:g} is below value_at_risk {var.bound:g}, and the mean loss "
                "beyond a quantile is never below the quantile; allowed: expected_shortfall >= value_at_risk"
            )
            raise ValueError(msg)
        return self

    def given(self) -> dict[LimitName, Limit]:
        return {name: limit for name in Limits.model_fields if (limit := getattr(self, name))}  # pyright: ignore[reportReturnType]


class OptimizationRequest(Frozen):
    """A dynamic asset allocation, asked for in a form or in words."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = "New strategy"
    universe: Annotated[str, Field(min_length=1, max_length=400)] = "sp500"
    prices_file: str | None = None
    """A CSV or Parquet file instead of the bundled prices; its content, not its place, enters the result."""
    price_index: Annotated[
        bool, Field(description="The price file leaves dividends out, so that `dividend_yield` accrues")
    ] = False
    calendar: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9/_]{1,20}$", description="Exchange of the price file's sessions, or none")
    ] = "XNYS"
    mandate: Mandate = Mandate()
    limits: Limits = Limits()
    space: SearchSpace = SearchSpace()
    goal: Goal = "robust_utility"
    scenarios: Annotated[tuple[Scenario, ...], Field(min_length=1, max_length=20)] = BUILT_IN
    trials: Annotated[int, Field(ge=10, le=5_000)] = 100
    stopping: Literal["converged", "budget"] = "converged"
    """`converged` also stops when the best objective gains less than 2 basis points over 20 trials."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    dividend_yield: Annotated[float, Field(ge=0.0, le=0.10, description="Accrues on a price index; an assumption")] = (
        0.02
    )
    cash_rate_after: Annotated[
        float, Field(ge=-0.02, le=0.15, description="Annual rate after the rate series ends")
    ] = 0.02
    current_rule: StrategyConfig = CURRENT_RULE
    start: Annotated[
        tuple[StrategyConfig, ...], Field(max_length=20, description="Tried first, before what the search proposes")
    ] = ()

    @model_validator(mode="after")
    def _space_can_be_searched(self) -> Self:
        widest = max(self.space.no_trade_band)
        if self.mandate.max_change <= widest:
            msg = (
                f"mandate.max_change {self.mandate.max_change:g} does not exceed the no_trade_band {widest:g}: such a "
                "rule would never trade; allowed: max_change above every no_trade_band"
            )
            raise ValueError(msg)
        if size(self.space) < 2:
            msg = "space holds a single config; allowed: at least two, or there is nothing to search"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.prices_file is None and (self.price_index or self.calendar != "XNYS"):
            msg = "price_index and calendar describe a price file; allowed: with prices_file only"
            raise ValueError(msg)
        names = [s.name for s in self.scenarios]
        if len(set(names)) != len(names):
            msg = f"scenarios {names!r} repeat a name; allowed: distinct names"
            raise ValueError(msg)
        if HISTORY in names:
            msg = "scenarios: 'history' is the training history's own name; allowed: another name"
            raise ValueError(msg)
        if not any(s.probability > 0.0 for s in self.scenarios):
            msg = (
                "scenarios: every probability is 0, and such a scenario only tests a winner; allowed: at least one "
                "above 0"
            )
            raise ValueError(msg)
        if len({(s.paths, s.years) for s in self.scenarios}) > 1:
            msg = "scenarios differ in paths or years; allowed: the same for all"
            raise ValueError(msg)
        leverage = self.limits.leverage
        if leverage and leverage.bound < self.mandate.min_weight:
            msg = (
                f"limits.leverage {leverage.bound:g} is below mandate.min_weight {self.mandate.min_weight:g}; "
                "allowed: leverage >= min_weight"
            )
            raise ValueError(msg)
        for name, limit in self.limits.given().items():
            unknown = set(limit.scenarios) - {*names, HISTORY}
            if unknown:
                msg = f"limits.{name}.scenarios names {sorted(unknown)}; allowed: {[*names, HISTORY]}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _start_can_be_tried(self) -> Self:
        if len(set(self.start)) < len(self.start):
            msg = "start repeats a config; allowed: distinct configs"
            raise ValueError(msg)
        if len(self.start) > self.trials:
            msg = f"start holds {len(self.start)} configs for {self.trials} trials; allowed: at most one for each trial"
            raise ValueError(msg)
        for place, config in enumerate(self.start):
            # several assets fill an empty `space.inner` in: then it is judged by `tools.splits.check_mixes`
            judged = config if self.space.inner else config.model_copy(update={"inner": None})
            for name, value, allowed in off_grid(self.space, judged):
                among = ", ".join("null" if one is None else str(one) for one in allowed)
                msg = f"start.{place}.{name} {value!r} is not in the space; allowed: {among}"
                raise ValueError(msg)
        return self

    def content_digest(self) -> str:
        """Names what is asked: everything but the place of the price file."""
        return digest_of(self.model_copy(update={"prices_file": None}))


Concern: TypeAlias = Literal[
    "drawdown_limit_tight",
    "tail_limit_tight",
    "cost_limit_tight",
    "target_unreachable",
    "short_history",
    "none",
]


class RiskAssessment(Frozen):
    """The risk manager's answer: what deserves attention. It names concerns; limits and checks are code's."""

    concerns: Annotated[tuple[Concern, ...], Field(min_length=1, max_length=5)]
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()


class ScenarioTilt(Frozen):
    """How the analyst leans for one scenario; code turns it into a probability within the allowed band."""

    scenario: str
    lean: Literal["less", "default", "more"]


TILT: dict[str, float] = {"less": 0.75, "default": 1.0, "more": 4 / 3}
"""Factors on the default probability; after normalising every one stays within [1/2, 2] times its default."""


class MarketView(Frozen):
    """The market analyst's answer: the regime and how the scenarios should be weighted, with reasons."""

    regime: Literal["calm", "normal", "stressed"]
    trend: Literal["rising", "flat", "falling"]
    tilts: Annotated[tuple[ScenarioTilt, ...], Field(max_length=20)] = ()
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()


class SearchPlan(Frozen):
    """The optimizer's answer: search on, and where; or stop. Every value comes from the request's own space."""

    action: Literal["search", "stop"]
    focus: Literal["broad", "around_best"] = "broad"
    """`around_best` keeps the values next to those of the best trials."""
    share: Literal["all", "two_thirds", "half"] = "all"
    """Of the trials that are left."""
    weight_functions: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    """Narrows the space; empty keeps it."""
    candidates: Annotated[tuple[StrategyConfig, ...], Field(max_length=8)] = ()
    claims: Annotated[tuple[Claim, ...], Field(max_length=4)] = ()


class Estimate(Frozen):
    """What a search will take, before it starts."""

    trials: int
    evaluations: int
    """Configs times scenarios."""
    path_days: int
    """Scored strategy-path-days."""
    seconds: float
    memory_mb: float
    dollars: float = 0.0
    instances: int = 0


class Benefit(Frozen):
    """The winner minus the volatility-matched constant weight, paired on the same paths, after costs."""

    basis_points: Measured
    """Difference of utility, weighted over scenarios and history, basis points a year."""
    low: float
    high: float
    """95% interval of the Monte Carlo error."""
    drawdown_points: Measured
    """Mean drawdown of the benchmark minus the winner's, percentage points; positive is better."""
    benchmark_weight: float
    timing_bps: Measured
    """What is left when the constant weight is matched anew in every scenario: the part that timing earns.

    The rest comes from holding more where volatility is low throughout, and less where it is high throughout.
    """


class ScenarioOutcome(Frozen):
    """Winner and benchmark in one scenario (or on the training history), with the benefit there."""

    scenario: str
    weight: float
    """Share in the objective."""
    winner: Evaluation
    benchmark: Evaluation
    benefit_bps: Measured
    timing_bps: Measured
    """Against the constant weight that has the winner's volatility in this very scenario."""
    best_utility: float
    """Of any trial."""
    retention: float | None
    regret_bps: float


class Finalist(Frozen):
    """A shortlisted config, scored again on fresh paths."""

    digest: str
    config: StrategyConfig
    objective: float
    behind_best: Measured
    """Best objective minus this one, with its paired error."""
    indistinguishable: bool
    """Within two paired errors of the best."""
    plateau_median: float
    plateau_neighbours: int
    plateau_passed: bool
    offsets_bps: tuple[float, float] | None
    """Range of the training utility over the rebalancing day, minus its own; None for a daily rule."""
    feasible: bool
    breaches: tuple[LimitName, ...] = ()


class Benchmark(Frozen):
    """A rule that every winner must be compared with, on the same dates and costs."""

    name: Literal["equity", "cash", "same_average_weight", "same_volatility", "sixty_forty_cash", "current_rule"]
    label: str
    config: StrategyConfig
    evaluations: tuple[Evaluation, ...]
    train: Evaluation
    validate_: Evaluation
    winner_minus_bps: Measured
    """Winner's utility minus this rule's, over scenarios and history."""


class Case(Frozen):
    """The benefit under a changed assumption."""

    label: str
    winner: str
    """Digest of the finalist that is best under it."""
    same_winner: bool
    benefit_bps: Measured
    """Of the chosen winner."""


class LimitCheck(Frozen):
    """One limit in one scenario."""

    limit: LimitName
    scenario: str
    statistic: float
    """Breach probability for the drawdown, otherwise the statistic itself."""
    allowed: float
    bound: float
    passed: bool
    binds: bool
    """Whether it excluded at least one trial."""


class Luck(Frozen):
    """How much of the winner's advantage luck explains (method, section 5)."""

    trials: int
    ledger_trials: int
    """All trials ever made on the same data by the same owner, this run included."""
    observations: int
    sharpe: float
    """Of the winner's daily series over train and validate, annual."""
    deflated_sharpe: float
    """Probability; raw, so a long-only strategy passes for the equity premium alone."""
    active_sharpe: float
    active_deflated_sharpe: float
    """Of the winner minus the volatility-matched constant weight: this one decides."""
    overfitting: float
    """Probability of backtest overfitting, by the run's own selection rule."""
    overfitting_low: float
    overfitting_high: float
    overfitting_sharpe: float
    """The classical version, which selects by the Sharpe ratio."""
    dropped_rows: int
    logits: tuple[tuple[float, int], ...]
    """Histogram: (left edge, count)."""
    spa_p: float
    """Hansen's consistent p-value against the volatility-matched constant weight."""
    minimum_track_record_years: float | None
    effective_trials: float
    validate_advantage_bps: float


class Verdict(Frozen):
    """May be that nothing beats the benchmark; decided by code."""

    colour: Literal["green", "amber", "red", "infeasible"]
    headline: str
    reason: str
    binding_limit: LimitName | None = None


class Fact(Frozen):
    """A named number of the reading order's sixth part."""

    name: str
    label: str
    value: float | None
    unit: Literal["fraction", "bps", "points", "days", "ratio", "years", "weight"]
    benchmark: float | None = None


class Year(Frozen):
    year: int
    winner: float
    benchmark: float
    asset: float
    partial: bool


class Crisis(Frozen):
    name: str
    start: str
    end: str
    winner: float
    benchmark: float
    asset: float


class NextStep(Frozen):
    """Today's weight and the next trade, against the current rule."""

    as_of: str
    today_weight: float
    current_rule_weight: float
    next_trade: float
    """Change of the risky weight, as a fraction of wealth."""
    next_rebalancing: str


class Plotted(Frozen):
    """One trial as the scatter and the convergence chart need it."""

    number: int
    digest: str
    objective: float
    volatility: float
    excess_return: float
    drawdown: float
    feasible: bool
    screened: bool
    weight_function: str


class Decision(Frozen):
    """What an agent decided: with these the run is reproduced without any model."""

    agent: AgentName
    ordinal: int
    author: str
    """Model name, `embedded planner (rule-based)`, or `abstained`."""
    answer: dict[str, Any]
    """The typed answer as JSON; empty for an abstention."""
    rejected: tuple[str, ...] = ()
    """SHA-256 of every draft that was refused; the drafts themselves are not kept."""
    abstained_for: Literal["no_answer", "blocked", "budget"] | None = None
    """None for a decision that is no abstention."""
    budget: BudgetName | None = None
    """What was spent, for an abstention for a budget."""


class Manifest(Frozen):
    """Everything that reproduces a result."""

    schema_version: int = SCHEMA
    request: OptimizationRequest
    data_digest: str
    rates_digest: str
    data_source: str
    first_day: str
    train_end: str
    validate_end: str
    last_day: str
    code_version: str
    decisions: tuple[Decision, ...]


class RenderedClaim(Frozen):
    """A released sentence and the figures behind its numbers."""

    section: str
    text: str
    figures: tuple[str, ...]
    template: str
    """The sentence with references in place of the figures, as the agent wrote it."""


class Explanation(Frozen):
    claims: tuple[RenderedClaim, ...]
    author: str


class Counts(Frozen):
    """What was computed."""

    trials: int
    screened: int
    scenarios: int
    paths: int
    years: int
    evaluations: int
    """Configs times scenarios, on all paths."""
    path_days: int
    stopped: Literal["budget", "converged", "exhausted", "agent"]
    plans: int


class AgentUsage(Frozen):
    """What an agent took in a run, and the models that answered it."""

    agent: AgentName
    models: tuple[str, ...]
    usage: Usage


class OptimizationResult(Frozen):
    """The answer to a request. `winner` and all that follows from it are None when no trial meets the limits."""

    partial: tuple[str, ...] = ()
    """Why the answer is partial, in sentences; empty for a whole one."""
    manifest: Manifest
    verdict: Verdict
    counts: Counts
    benefit: Benefit | None
    winner: Trial | None
    scenarios: tuple[ScenarioOutcome, ...]
    finalists: tuple[Finalist, ...]
    benchmarks: tuple[Benchmark, ...]
    premium: tuple[Case, ...]
    depends_on_premium: bool | None
    parameter_error: tuple[Case, ...]
    probabilities: tuple[Case, ...]
    """Under equal and under the analyst's probabilities, and in the cycle scenario."""
    costs: tuple[Case, ...]
    """At 0, 1 and 2 times the transaction cost."""
    next_step: NextStep | None
    limits: tuple[LimitCheck, ...]
    facts: tuple[Fact, ...]
    years: tuple[Year, ...]
    crises: tuple[Crisis, ...]
    luck: Luck | None
    importance: dict[str, float]
    trials: tuple[Plotted, ...]
    caveats: tuple[str, ...]
    history_series: str | None
    """Content address of float64 (7, T).

    Excess returns of winner, benchmark and asset; weights of winner and benchmark; cash; days since 1970.
    """
    figures: tuple[Figure, ...]
    explanation: Explanation | None = None
    usage: tuple[AgentUsage, ...] = ()
    """Of each agent; no part of the digest."""

    def digest(self) -> str:
        """SHA-256 of the canonical result: no times, tokens, money, ids, host or place of files are in it."""
        request = self.manifest.request.model_copy(update={"prices_file": None})
        manifest = self.manifest.model_copy(update={"request": request})
        return digest_of(self.model_copy(update={"manifest": manifest, "usage": ()}))
