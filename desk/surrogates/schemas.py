"""Types of surrogates: models of the evaluation, fitted to stored trials."""

from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import ConfigDict, Field, model_validator

from desk.base.errors import Conflicting, InvalidInput, NotFound
from desk.optimization.inputs.splits import warm_up_sessions
from desk.optimization.request import OptimizationRequest
from desk.optimization.worlds import Worlds
from quant.numeric.frozen import Frozen, digest_of
from quant.strategies.choices import ESTIMATORS
from quant.strategies.config import StrategyConfig
from quant.strategies.goal import Goal
from quant.strategies.mandate import Mandate
from quant.worlds.scenario import Scenario

Target: TypeAlias = Literal["objective", "excess_return", "volatility", "max_drawdown"]
TARGETS: tuple[Target, ...] = get_args(Target)
"""`objective` is a trial's own, without regret; the others are weighted means over scenarios and history."""
MIN_TRIALS = 20
"""Minimum number of complete trials for a fit."""
MAX_TRIALS = 2_000
"""Maximum number of trials for a fit; older ones are ignored."""


class Problem(Frozen):
    """All parts of a request and its prices that enter an evaluation; trials of one problem are comparable."""

    mandate: Mandate
    scenarios: tuple[Scenario, ...]
    goal: Goal
    seed: int
    drawdown_bound: float | None
    dividend_yield: float
    cash_rate_after: float
    price_index: bool
    mixed: bool
    """Whether several assets are held."""
    warm_up: int
    data: str
    rates: str
    code: str
    worlds: Annotated[Worlds | None, Field(exclude_if=lambda worlds: worlds is None)] = None
    """What the built-in scenarios follow; their numbers here are those of the table."""

    @classmethod
    def of(cls, request: OptimizationRequest, *, data: str, rates: str, code: str) -> Self:
        """The problem of a completed request."""
        limit = request.limits.max_drawdown
        return cls(
            mandate=request.mandate,
            scenarios=request.on_any_data().scenarios,
            goal=request.goal,
            seed=request.seed,
            drawdown_bound=limit.bound if limit else None,
            dividend_yield=request.dividend_yield,
            cash_rate_after=request.cash_rate_after,
            price_index=request.price_index,
            mixed=bool(request.space.inner),
            warm_up=warm_up_sessions(request),
            data=data,
            rates=rates,
            code=code,
            worlds=request.worlds,
        )

    def digest(self) -> str:
        return digest_of(self)

    def check(self, config: StrategyConfig) -> None:
        """Reject a config that cannot be evaluated in the problem."""
        if not ESTIMATORS[config.estimator].simulated:
            raise InvalidInput("config.estimator", config.estimator, allowed="one that simulated worlds can have")
        if self.mixed != (config.inner is not None):
            allowed = "a mix of the assets" if self.mixed else "null for a universe of one asset"
            raise InvalidInput("config.inner", config.inner, allowed=allowed)
        if (looks := config.longest_lookback()) + self.mandate.decision_lag > self.warm_up:
            allowed = f"at most {self.warm_up - self.mandate.decision_lag} sessions, the longest of the search"
            raise InvalidInput("config", f"{looks} sessions", reason=f"it looks back {looks} sessions", allowed=allowed)


class HeldOut(Frozen):
    """Errors of predictions on trials that the model was not fitted to."""

    trials: int
    """Number of held-out trials."""
    rmse_bps: Annotated[float, Field(description="Root of the mean squared error; 10,000 is 1")]
    naive_bps: Annotated[float, Field(description="The same error when predicting the mean of the other trials")]
    r_squared: float
    """Share of the variance that the predictions explain."""
    coverage: Annotated[float, Field(ge=0.0, le=1.0, description="Share within the 95% interval before widening")]
    widened: Annotated[float, Field(ge=1.0, description="Factor on every interval, above 1 if coverage was too low")]

    @property
    def beats_mean(self) -> bool:
        """Whether its error is below that of predicting the mean of the other trials."""
        return self.rmse_bps < self.naive_bps


class Surrogate(Frozen):
    """One registered version."""

    problem: str
    version: int
    made_at: datetime
    run: str
    """Newest run of the problem."""
    name: str
    """Name of that run."""
    universe: str
    trials: int
    screened: int
    """Number of trials that were evaluated on few paths."""
    tried: str
    """Digest of the trials, so that the same trials are fitted once."""
    held_out: dict[Target, HeldOut]
    artifact: str
    """SHA-256 of the file."""
    bytes: int
    code_version: str


class PredictedValue(Frozen):
    target: Target
    """Metric that is predicted."""
    value: float
    low: float
    """Lower end of the 95% interval."""
    high: Annotated[
        float, Field(description="With `low`, a 95% interval of the value that an evaluation would compute")
    ]
    held_out: HeldOut


class PredictionBase(Frozen):
    """A surrogate's prediction of an evaluation; nothing in it is simulated."""

    label: Literal["predicted"] = "predicted"
    """`predicted`: nothing was simulated."""
    config: StrategyConfig
    digest: str
    tried: Annotated[bool, Field(description="Whether it is one of the trials, so that its evaluation is stored")]
    problem: str
    """Digest of the problem that the model was fitted on."""
    trials: int
    """Trials that the model was fitted on."""
    values: tuple[PredictedValue, ...]
    """One entry per metric."""


class Predicted(PredictionBase):
    """A prediction by a registered version."""

    version: int
    """Version of the registered model."""


class PredictedFromFile(PredictionBase):
    """A prediction by a surrogate file of the endpoint."""

    artifact: Annotated[str, Field(description="SHA-256 of the file; the registry of surrogates lists it by version")]


class PredictionRequest(Frozen):
    """A config, and the problem to evaluate it in: that of a job or of a request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "config": {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63},
                    "request": {"universe": "sp500", "seed": 1},
                }
            ]
        }
    )

    config: StrategyConfig
    job: Annotated[str | None, Field(min_length=1, max_length=100, description="Id of one of your jobs")] = None
    request: OptimizationRequest | None = None

    @model_validator(mode="after")
    def _one_problem_is_named(self) -> Self:
        if (self.job is None) == (self.request is None):
            msg = "expected exactly one of job and request, which names the problem"
            raise ValueError(msg)
        return self


class NoSurrogate(NotFound):
    """The problem has no surrogate."""

    code = "no_surrogate"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"No surrogate exists for the problem {problem[:12]} (mandate, scenarios, prices, seed, goal and program "
            "version). Search the problem with `python -m api optimize`, then fit its trials with "
            "`python -m api surrogate fit`."
        )


class BadSurrogate(Conflicting):
    """The file of a version cannot be used."""

    code = "bad_surrogate"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"surrogate: {reason}; fit it again with `python -m api surrogate fit`")


class NoArtifact(NotFound):
    """The endpoint has no surrogate file."""

    code = "no_surrogate"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"predicted: the model of this endpoint contains no {name}; omit `predicted` for a computed evaluation, or "
            "use an endpoint whose model contains the file"
        )


class AnotherProblem(Conflicting):
    """The file was fitted for another problem."""

    code = "another_problem"

    def __init__(self, requested: str, fitted: str) -> None:
        super().__init__(
            f"request: its problem is {requested[:12]}, but the surrogate of this endpoint was fitted for "
            f"{fitted[:12]}; expected the request whose trials were fitted"
        )


class TooFewTrials(InvalidInput):
    def __init__(self, count: int) -> None:
        super().__init__(
            "trials",
            count,
            reason=f"{count} stored trials of this problem, made by this version, are evaluated on all paths",
            allowed=f"at least {MIN_TRIALS}; a search of the same problem makes more",
            code="too_few_trials",
        )
