"""The words of a surrogate: a model of the evaluation that is fitted on stored trials, and never replaces one."""

from datetime import datetime
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import ConfigDict, Field, model_validator

from desk.base.errors import Conflicting, InvalidInput, NotFound
from desk.optimization.inputs.splits import warm_up_of
from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen, digest_of
from quant.strategies.config import ON_HISTORY_ALONE, StrategyConfig
from quant.strategies.goal import Goal
from quant.strategies.mandate import Mandate
from quant.worlds.scenario import Scenario

Target: TypeAlias = Literal["objective", "excess_return", "volatility", "max_drawdown"]
TARGETS: tuple[Target, ...] = get_args(Target)
"""The objective of a trial alone, without regret; the others are weighted means over scenarios and history."""
FEWEST = 20
"""Trials on all paths that a surrogate is fitted on at least."""
MOST = 2_000
"""Trials that it is fitted on at most: the newest."""


class Problem(Frozen):
    """All of a request and its prices that enters an evaluation: trials of one problem can be compared."""

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

    @classmethod
    def of(cls, request: OptimizationRequest, *, data: str, rates: str, code: str) -> Self:
        """Of a request that its prices have completed."""
        limit = request.limits.max_drawdown
        return cls(
            mandate=request.mandate,
            scenarios=request.scenarios,
            goal=request.goal,
            seed=request.seed,
            drawdown_bound=limit.bound if limit else None,
            dividend_yield=request.dividend_yield,
            cash_rate_after=request.cash_rate_after,
            price_index=request.price_index,
            mixed=bool(request.space.inner),
            warm_up=warm_up_of(request),
            data=data,
            rates=rates,
            code=code,
        )

    def digest(self) -> str:
        return digest_of(self)

    def check(self, config: StrategyConfig) -> None:
        """Refuse a config that has no evaluation in the problem."""
        if config.estimator in ON_HISTORY_ALONE:
            raise InvalidInput("config.estimator", config.estimator, allowed="one that simulated worlds can have")
        if self.mixed != (config.inner is not None):
            allowed = "a mix of the assets" if self.mixed else "null for a universe of one asset"
            raise InvalidInput("config.inner", config.inner, allowed=allowed)
        if (looks := config.longest_lookback()) + self.mandate.decision_lag > self.warm_up:
            allowed = f"at most {self.warm_up - self.mandate.decision_lag} sessions, the longest of the search"
            raise InvalidInput("config", f"{looks} sessions", reason=f"it looks back {looks} sessions", allowed=allowed)


class HeldOut(Frozen):
    """How far a prediction lies from what was computed, on trials that the model did not see."""

    trials: int
    rmse_bps: Annotated[float, Field(description="Root of the mean squared error; 10,000 is 1")]
    naive_bps: Annotated[float, Field(description="The same of the mean of the other trials, which knows no config")]
    r_squared: float
    coverage: Annotated[float, Field(ge=0.0, le=1.0, description="Share within the 95% interval before it was widened")]
    widened: Annotated[float, Field(ge=1.0, description="Factor on every interval, above 1 where they held too little")]

    @property
    def beats_mean(self) -> bool:
        """Whether it says more than the mean of the other trials does."""
        return self.rmse_bps < self.naive_bps


class Surrogate(Frozen):
    """One registered version."""

    problem: str
    version: int
    made_at: datetime
    run: str
    """The newest run of the problem."""
    name: str
    """Of that run."""
    universe: str
    trials: int
    screened: int
    """Those of them that were evaluated on few paths."""
    tried: str
    """Digest of the trials: the same are fitted once."""
    held_out: dict[Target, HeldOut]
    artifact: str
    """SHA-256 of the file."""
    bytes: int
    code_version: str


class PredictedValue(Frozen):
    target: Target
    value: float
    low: float
    high: Annotated[float, Field(description="With `low` a 95% interval of the value that an evaluation would compute")]
    held_out: HeldOut


class Foretold(Frozen):
    """What an evaluation would say, by a surrogate; nothing here was computed."""

    label: Literal["predicted"] = "predicted"
    config: StrategyConfig
    digest: str
    tried: Annotated[bool, Field(description="Whether it is one of the trials, whose evaluation is stored")]
    problem: str
    trials: int
    values: tuple[PredictedValue, ...]


class Predicted(Foretold):
    """By a version that is registered."""

    version: int


class PredictedFromFile(Foretold):
    """By a file that lies beside the program."""

    artifact: Annotated[str, Field(description="SHA-256 of the file; the register of surrogates names it by version")]


class PredictionRequest(Frozen):
    """A config, and the problem in which it would be evaluated: that of a job, or of a request."""

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
            msg = "job or request must name the problem; expected exactly one of them"
            raise ValueError(msg)
        return self


class NoSurrogate(NotFound):
    """Nothing was fitted for the problem."""

    code = "no_surrogate"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"surrogate: there is none of the problem {problem[:12]} (mandate, scenarios, prices, seed, goal and "
            "version of the program); expected a problem that was searched (`python -m api optimize`) and whose trials "
            "were fitted then (`python -m api surrogate fit`)"
        )


class BadSurrogate(Conflicting):
    """The file of a version cannot be used."""

    code = "bad_surrogate"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"surrogate: {reason}; expected one that is whole (`python -m api surrogate fit` makes it again)"
        )


class NoArtifact(NotFound):
    """There is no file to predict with."""

    code = "no_surrogate"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"predicted: the model of this endpoint holds no {name}; expected a request without `predicted`, which is "
            "computed, or an endpoint whose model holds it"
        )


class AnotherProblem(Conflicting):
    """The file was fitted for another problem."""

    code = "another_problem"

    def __init__(self, asked: str, held: str) -> None:
        super().__init__(
            f"request: its problem is {asked[:12]}, and the surrogate of this endpoint is of {held[:12]}; expected the "
            "request whose trials were fitted"
        )


class TooFewTrials(InvalidInput):
    def __init__(self, found: int) -> None:
        super().__init__(
            "trials",
            found,
            reason=f"{found} stored trials of this problem, made by this version, are evaluated on all paths",
            allowed=f"at least {FEWEST}; a search of the same problem makes more",
            code="too_few_trials",
        )
