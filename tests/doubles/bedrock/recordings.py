"""The recordings in tests/cassettes, and the double's replies for each of them."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from agents.models.options import BEDROCK, Guardrail, ModelOptions, RetryPolicy
from api.recording.recorded_runs import Script
from desk.optimization.request import OptimizationRequest
from quant.strategies.config import SearchSpace
from quant.worlds.scenario import BUILT_IN
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.drivers import Driver, at_first, dead, embedded, faulty
from tests.doubles.bedrock.replies import (
    DENIED,
    EXPIRED,
    INTERNAL_MIDWAY,
    THROTTLED,
    THROTTLED_MIDWAY,
    Blocked,
    Broken,
    Call,
    Reply,
    Say,
    call,
    say,
)

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0"
AT_ONCE = 4
"""Two runs, each with two parallel agents."""

Gate = Callable[[Received], object]


@dataclass(frozen=True)
class Recording:
    """`driver` and `gate` are factories, because both have state."""

    about: str
    driver: Callable[[], Driver]
    scripts: tuple[Script, ...]
    options: ModelOptions
    gate: Callable[[], Gate | None] = field(default=lambda: None)

    @property
    def scripted(self) -> bool:
        return self.driver is not embedded


SPACE = SearchSpace(
    weight_functions=("inverse_vol", "linear_decay", "sigmoid", "cppi"),
    estimators=("rolling", "ewma_max"),
    rebalancing=("daily", "weekly", "monthly"),
)
"""Named values, so that a new row of these tables does not change what the recorded runs search."""


def small(seed: int) -> OptimizationRequest:
    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:2])
    return OptimizationRequest.model_validate({"trials": 10, "scenarios": scenarios, "seed": seed, "space": SPACE})


def options(**changes: object) -> ModelOptions:
    quick = RetryPolicy(first_delay=0.0, time_limit=60.0, rest=0.0)
    return ModelOptions.model_validate({"model": BEDROCK + CLAUDE, "patience": quick, "region": "us-east-1", **changes})


def overlapping() -> Gate:
    """Hold the first calls until all of them have arrived."""
    barrier = threading.Barrier(AT_ONCE)
    return lambda received: barrier.wait(30) if received.number <= AT_ONCE else None


def agent(received: Received) -> str:
    return received.body["requestMetadata"]["agent"]


def by_agent(**replies: Reply) -> Callable[[Received], Reply | None]:
    """The same reply to every call of an agent."""
    return lambda received: replies.get(agent(received))


def first_of(name: str) -> Callable[[Received], bool]:
    """Whether it is an agent's first call, before a draft was refused."""

    def first(received: Received) -> bool:
        messages = received.body["messages"]
        return agent(received) == name and len(messages) == 1 and "draft was refused" not in json.dumps(messages)

    return first


def malformed() -> Driver:
    """Each agent's first answer is invalid in another way; the later ones are valid."""
    half = json.dumps({"action": "search", "claims": []})[:-6]
    return faulty(
        embedded(),
        at_first(1, call("launch_rocket", altitude=3), when=first_of("risk_manager")),
        at_first(1, Say(), when=first_of("market_analyst")),
        at_first(1, Say(calls=(Call("SearchPlan", raw=(half,)),)), when=first_of("optimizer")),
        at_first(1, say("The benefit is 4711 basis points."), when=first_of("explainer")),
    )


def throttled() -> Driver:
    """The first call of every agent fails five times, with errors and within streams."""
    midway = Broken(say("It seems that"), 2, THROTTLED_MIDWAY)
    opening = [first_of(name) for name in ("risk_manager", "market_analyst", "optimizer", "explainer")]
    faults = [at_first(5, THROTTLED, when=when) for when in opening[:2]]
    faults += [at_first(5, midway, when=opening[2])]
    faults += [
        at_first(2, THROTTLED, when=opening[3]),
        at_first(3, Broken(say("So"), 1, INTERNAL_MIDWAY), when=opening[3]),
    ]
    return faulty(embedded(), *faults)


CHAT = (
    "does the 12-month rule still hold?",
    "optimize inverse volatility and sigmoid on the S&P 500 with 10% volatility and rolling volatility, monthly, "
    "10 trials, 100 paths, 1 year, base case and bear market",
    "and with double the costs?",
    "is it luck?",
    "why do the last two runs differ?",
    "book me a table for dinner",
)
"""A quick evaluation, a search, two questions about it, one refused by a tool, one declined."""

RECORDINGS: dict[str, Recording] = {
    "chat": Recording(
        "a conversation of six messages; the embedded planner answers in the place of a model",
        embedded,
        (CHAT,),
        options(),
    ),
    "optimization": Recording(
        "one optimization; the embedded planner answers in the place of a model",
        embedded,
        (small(1),),
        options(),
    ),
    "parallel": Recording(
        "two optimizations at once, in each of which two agents work side by side: four calls in flight together",
        embedded,
        (small(2), small(3)),
        options(model=BEDROCK + ARN, agents={"explainer": BEDROCK + NOVA}, tags={"team": "allocation"}, threads=8),
        overlapping,
    ),
    "throttled": Recording(
        "the first call of every agent is refused five times, as an HTTP error and in the middle of a stream",
        throttled,
        (small(4),),
        options(),
    ),
    "fallback": Recording(
        "the first model denies access to every call, the second answers",
        lambda: faulty(embedded(), dead(CLAUDE, DENIED)),
        (small(5),),
        options(fallbacks=(BEDROCK + NOVA,)),
    ),
    "guardrail": Recording(
        "a guardrail stops what the explainer says",
        lambda: faulty(embedded(), by_agent(explainer=Blocked(side="output"))),
        (small(6),),
        options(guardrail=Guardrail(id="gr4stratigos", version="1")),
    ),
    "malformed": Recording(
        "a tool that does not exist, an empty answer, cut-off arguments, and prose in the place of an answer",
        malformed,
        (small(7),),
        options(),
    ),
    "expired": Recording(
        "the credentials expire before the optimizer is asked, which ends the run",
        lambda: faulty(embedded(), by_agent(optimizer=EXPIRED)),
        (small(8),),
        options(),
    ),
}
