"""The result of an optimization: verdict, winner, figures and manifest."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from desk.base.frames import frame
from desk.figures.figures import Figure
from desk.governance.usage import AgentUsage
from desk.optimization.answers import Decision, Explanation
from desk.optimization.attribution_schemas import Attribution, NextStep
from desk.optimization.benchmark_schemas import SeriesBenchmark
from desk.optimization.out_of_sample_schemas import OutOfSample
from desk.optimization.request import BUNDLED_CURRENCY, LimitName, StoredRequest
from desk.optimization.stopping import StopReason
from quant.numeric.frozen import Frozen, digest_of
from quant.numeric.measured import Measured
from quant.strategies.config import StrategyConfig
from quant.strategies.effects import ParameterEffects
from quant.strategies.evaluation import Evaluation
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1


Added: TypeAlias = Annotated[float | None, Field(exclude_if=lambda value: value is None)]
AddedCount: TypeAlias = Annotated[int | None, Field(exclude_if=lambda value: value is None)]
AddedMeasure: TypeAlias = Annotated[Measured | None, Field(exclude_if=lambda value: value is None)]
"""Types of fields that older stored results lack: they open without them and keep their digests."""


class Benefit(Frozen):
    """The winner minus the volatility-matched constant weight, paired on the same paths, after costs."""

    basis_points: Measured
    """Difference of utility, weighted over scenarios and history, basis points a year."""
    low: float
    high: float
    """95% interval of the total error: of the simulated paths, and of the one history that was observed."""
    history_error_bps: Added = None
    """Standard error that the training history contributes, being one sample; from the means of 16 parts of it.

    None in results of earlier versions, whose interval holds the error of the paths alone.
    """
    total: AddedMeasure = None
    """The difference with its total error; None in results of earlier versions."""
    history_bps: AddedMeasure = None
    """The difference on the training history alone, with the error of one history."""
    worlds_bps: AddedMeasure = None
    """The difference in the simulated worlds alone, weighted by their probabilities, with the error of the paths."""
    drawdown_points: Measured
    """Mean drawdown of the benchmark minus the winner's, percentage points; positive is better."""
    benchmark_weight: float
    """Weight of the benchmark."""
    timing_bps: Measured
    """Benefit when the constant weight is matched in every scenario separately: the part earned by timing.

    The rest comes from larger weights in scenarios of low volatility and smaller ones in scenarios of high volatility.
    """


class WorldStatistics(Frozen):
    """The risky leg in one simulated world, before any strategy; annual, and over the cash rate for the ratio."""

    scenario: str
    mean: float
    """Annual mean return."""
    volatility: float
    sharpe: float
    """Annual Sharpe ratio over cash."""
    worst_day: float
    """Median over paths of the lowest return of a day within the horizon."""
    worst_month: float
    """The same for 21 consecutive sessions."""


class ScenarioOutcome(Frozen):
    """Winner and benchmark in one scenario (or on the training history), with the benefit there."""

    scenario: str
    weight: float
    """Share in the objective."""
    winner: Evaluation
    benchmark: Evaluation
    benefit_bps: Measured
    timing_bps: Measured
    """Benefit over the constant weight with the winner's volatility in this scenario."""
    best_utility: float
    """Best utility of any trial."""
    retention: float | None
    """Winner's utility over the best utility of any trial; null where that is not positive."""
    regret_bps: float
    """Best utility of any trial minus the winner's, in basis points a year."""


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
    """Median objective of the neighbouring configurations."""
    plateau_neighbours: int
    """Number of neighbouring configurations."""
    plateau_passed: bool
    """Whether the neighbours do nearly as well."""
    offsets_bps: tuple[float, float] | None
    """Range of the training utility over the rebalancing day, minus its own; None for a daily rule."""
    feasible: bool
    breaches: tuple[LimitName, ...] = ()
    """Limits that it breaks."""


class Benchmark(Frozen):
    """A rule that every winner is compared with, on the same dates and costs."""

    name: Literal[
        "equity",
        "cash",
        "bond",
        "same_average_weight",
        "same_volatility",
        "sixty_forty_cash",
        "sixty_forty",
        "current_rule",
    ]
    """`bond` and `sixty_forty` stand in place of those with cash where the safe leg is a bond."""
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
    """Digest of the best finalist under the assumption."""
    same_winner: bool
    """Whether the winner is the best finalist under the assumption too."""
    benefit_bps: Measured
    """Benefit of the winner."""


class TrialLimit(Frozen):
    """One limit in one scenario."""

    limit: LimitName
    """Name of the limit."""
    scenario: str
    statistic: float
    """Breach probability for the drawdown, otherwise the statistic itself."""
    allowed: float
    """Largest accepted value of `statistic`."""
    bound: float
    """Bound of the request."""
    passed: bool
    """Whether the configuration meets the limit."""


class LimitCheck(TrialLimit):
    """One limit of the winner in one scenario."""

    binds: bool
    """Whether it excluded at least one trial."""


class Luck(Frozen):
    """How much of the winner's advantage luck explains (method, section 5)."""

    trials: int
    """Trials of this run."""
    ledger_trials: int
    """All trials of the owner on the same data, this run included."""
    observations: int
    winner_p: Added = None
    """Share of searches without skill whose winner reaches this one's t-ratio, the selection rerun in each; None where
    the choice cannot be rerun, and in results of earlier versions."""
    single_step_p: Added = None
    """The same for the best t-ratio of any trial, earlier ones on the same data included: valid for every way to choose
    (Romano and Wolf 2005)."""
    uncovered_trials: AddedCount = None
    """Earlier trials that `single_step_p` leaves out, because their daily series is not stored or starts later."""
    active_t: Added = None
    """Utility of the winner over its own benchmark, the constant weight of its volatility, over its bootstrap error."""
    active_utility_bps: Added = None
    """Utility of the winner over its own benchmark, in basis points a year."""
    active_error_bps: Added = None
    """Its bootstrap error, in basis points a year."""
    mean_block: AddedCount = None
    """Mean block of the bootstrap, in sessions."""
    own_benchmarks: AddedCount = None
    """Trials so close to their own benchmark that they count as it."""
    loss: Added = None
    """Share of splits of history in which the strategy chosen on one half gains nothing on the other."""
    validate_t: Added = None
    """Advantage on the validation days over its bootstrap error."""
    probabilistic_sharpe: Added = None
    """Of the active return."""
    sharpe: float
    """Annual Sharpe ratio of the winner's daily series over train and validate."""
    deflated_sharpe: float
    """Probability; raw, so a long-only strategy passes for the equity premium alone."""
    active_sharpe: float
    """Annual Sharpe ratio of the winner minus the volatility-matched constant weight."""
    active_deflated_sharpe: float
    """Deflated Sharpe ratio of the winner minus the volatility-matched constant weight; the verdict uses this one."""
    overfitting: float
    """Probability of backtest overfitting, by the run's own selection rule."""
    overfitting_low: float
    """Lower end of the interval of `overfitting`."""
    overfitting_high: float
    """Upper end of the interval of `overfitting`."""
    overfitting_sharpe: float
    """The classical version, which selects by the Sharpe ratio."""
    dropped_rows: int
    """Days left out, so that the splits have equal lengths."""
    logits: tuple[tuple[float, int], ...]
    """Histogram: (left edge, count)."""
    spa_p: float
    """Hansen's consistent p-value against the volatility-matched constant weight."""
    minimum_track_record_years: float | None
    """Years of data after which the Sharpe ratio would be significant; null if never."""
    effective_trials: float
    """Number of independent trials that are worth the correlated ones."""
    validate_advantage_bps: float
    """Advantage over the benchmark on the validation days, in basis points a year."""


class Verdict(Frozen):
    """Verdict on the winner, computed by `judgement.verdict`."""

    colour: Literal["green", "amber", "red", "infeasible"]
    advice: Annotated[str, Field(exclude_if=lambda text: not text)] = ""
    """What to do, in a sentence; empty in results of earlier versions."""
    headline: str
    reason: str
    """Why, in a sentence."""
    binding_limit: LimitName | None = None
    """The limit that no trial meets, if that is the reason."""
    feasible_with: Annotated[str | None, Field(exclude_if=lambda text: text is None)] = None
    """Limits with which the closest trial would be feasible; null in results of earlier versions."""


COLOURS = {
    "green": ("Green", "✔"),
    "amber": ("Amber", "◆"),
    "red": ("Red", "✖"),
    "infeasible": ("Infeasible", "⊘"),
}
"""A verdict's word and sign: colour is never its only carrier."""


class Fact(Frozen):
    """A named number of the report's facts."""

    name: str
    label: str
    value: float | None
    """Value of the winner; null if it cannot be computed."""
    unit: Literal["fraction", "bps", "points", "days", "ratio", "years", "weight"]
    benchmark: float | None = None


class Year(Frozen):
    year: int
    winner: float
    """Return of the winner, a fraction."""
    benchmark: float
    """Return of the benchmark, a fraction."""
    asset: float
    """Return of the risky leg held alone, a fraction."""
    partial: bool
    """Whether the data do not cover the whole year."""


class Crisis(Frozen):
    name: str
    start: str
    """First day."""
    end: str
    """Last day."""
    winner: float
    """Return of the winner, a fraction."""
    benchmark: float
    """Return of the benchmark, a fraction."""
    asset: float
    """Return of the risky leg held alone, a fraction."""


class Plotted(Frozen):
    """One trial in the scatter and convergence charts."""

    number: int
    digest: str
    objective: float
    volatility: float
    excess_return: float
    drawdown: float
    feasible: bool
    screened: bool
    weight_function: str


class LedgerReference(Frozen):
    """The configurations that were tried on the same prices before the run, apart from its own trials."""

    address: str
    """SHA-256 of the stored list: see `desk.optimization.repositories.ledger.load_ledger`."""
    configurations: int
    """Number of configurations."""


class Manifest(Frozen):
    """Everything that reproduces a result."""

    schema_version: int = SCHEMA
    """Version of the result's format."""
    request: StoredRequest
    data_digest: str
    rates_digest: str
    """SHA-256 of the cash rates."""
    data_source: str
    """Source of the prices, for people."""
    currency: Annotated[str, Field(exclude_if=lambda currency: currency == BUNDLED_CURRENCY)] = BUNDLED_CURRENCY
    """Of the prices, after any conversion, and of the cash."""
    first_day: str
    train_end: str
    validate_end: str
    """Last validation day; later days are the locked holdout."""
    last_day: str
    code_version: str
    decisions: tuple[Decision, ...]
    """Decisions of the agents, which replace the models in a reproduction."""
    ledger: LedgerReference | None = Field(default=None, exclude_if=lambda ledger: ledger is None)
    """None if nothing else was tried before, and in results of earlier versions."""


class Counts(Frozen):
    """Counts of the work of a search."""

    trials: int
    screened: int
    """Trials that were dropped after few paths."""
    scenarios: int
    """Number of scenarios."""
    paths: int
    """Paths of each scenario."""
    years: int
    """Years of each path."""
    evaluations: int
    """Configs times scenarios, on all paths."""
    path_days: int
    """Simulated days of all evaluations."""
    failed: Annotated[int, Field(exclude_if=lambda failed: failed == 0)] = 0
    """Configurations that could not be evaluated, which are no trials."""
    stopped: StopReason | Literal["agent"]
    """Why the search ended."""
    plans: int
    """Plans of the optimizer agent."""


class OptimizationResult(Frozen):
    """Result of an optimization; `winner` and all derived fields are None when no trial meets the limits."""

    partial: tuple[str, ...] = ()
    """Reasons why the result is partial; empty for a complete one."""
    manifest: Manifest
    verdict: Verdict
    counts: Counts
    benefit: Benefit | None
    winner: Trial | None
    worlds: Annotated[tuple[WorldStatistics, ...], Field(exclude_if=lambda worlds: not worlds)] = ()
    """Absent from older results, which keep their digests."""
    scenarios: tuple[ScenarioOutcome, ...]
    finalists: tuple[Finalist, ...]
    """Shortlisted configurations, the best first."""
    benchmarks: tuple[Benchmark, ...]
    """Rules that the winner is compared with."""
    series_benchmark: Annotated[SeriesBenchmark | None, Field(exclude_if=lambda value: value is None)] = None
    """The comparison with the benchmark series of the request; absent without one."""
    premium: tuple[Case, ...]
    """The benefit under other relations of premium and volatility."""
    depends_on_premium: bool | None
    """Whether another relation of premium and volatility would change the winner."""
    parameter_error: tuple[Case, ...]
    """The benefit if expected return and volatility turn out otherwise."""
    probabilities: tuple[Case, ...]
    """Under equal and under the analyst's probabilities, and in the cycle scenario."""
    costs: tuple[Case, ...]
    """At 0, 1 and 2 times the transaction cost."""
    next_step: NextStep | None
    attribution: Annotated[Attribution | None, Field(exclude_if=lambda value: value is None)] = None
    """The winner by asset; absent for one asset and cash, and from older results."""
    limits: tuple[LimitCheck, ...]
    """Each limit in each of its scenarios."""
    facts: tuple[Fact, ...]
    """Named numbers of the report."""
    years: tuple[Year, ...]
    """Returns by calendar year."""
    crises: tuple[Crisis, ...]
    """Returns in past crises."""
    luck: Luck | None
    out_of_sample: Annotated[OutOfSample | None, Field(exclude_if=lambda value: value is None)] = None
    """Absent from results without a winner and from older ones, which keep their digests."""
    importance: dict[str, float]
    """Share of the objective's variance that each parameter explains."""
    parameter_effects: Annotated[ParameterEffects | None, Field(exclude_if=lambda value: value is None)] = None
    """Absent from older results, which keep their digests."""
    trials: tuple[Plotted, ...]
    """All trials, by number."""
    caveats: tuple[str, ...]
    history_series: str | None
    """Content address of float64 (7, T).

    Excess returns of winner, benchmark and asset; weights of winner and benchmark; cash; days since 1970.
    """
    figures: tuple[Figure, ...]
    explanation: Explanation | None = None
    """What the explainer says of the result; null if it abstained."""
    usage: tuple[AgentUsage, ...] = ()
    """Usage of each agent; excluded from the digest."""

    def to_frame(self) -> "pd.DataFrame":
        """One row per trial, by its number: objective, risk and return, and whether it meets the limits."""
        return frame(self.trials, index="number")

    def digest(self) -> str:
        """SHA-256 of the canonical result, without times, tokens, money, ids, host and file paths."""
        request = self.manifest.request.model_copy(update={"prices_file": None})
        manifest = self.manifest.model_copy(update={"request": request})
        return digest_of(self.model_copy(update={"manifest": manifest, "usage": ()}))
