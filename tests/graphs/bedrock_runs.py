"""Runs of the real graph with boto3 and ChatBedrockConverse against a double."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agents.models.factory import Models, make_models
from agents.models.failures import ModelFailure
from agents.models.options import BEDROCK, ModelOptions, RetryPolicy
from agents.table import OPTIMIZATION_AGENTS
from desk.governance.usage import AgentName
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.events.agents import DecisionMade, DraftRejected
from desk.runs.events.models import ModelAnswered, ModelReplaced, ModelRetried
from desk.runs.events.run import RunFailed
from desk.runs.events.table import TraceEvent
from desk.runs.repository import load_events, load_final_result, load_run
from graphs.agent_decisions import ABSTAINED
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.doubles.bedrock.clients import CREDENTIALS, MODEL, REGION
from tests.graphs.dependencies import FIRST_DAY, OWNER, open_dependencies

ONE = BEDROCK + MODEL
OTHER_MODEL = "eu.amazon.nova-pro-v1:0"
OTHER = BEDROCK + OTHER_MODEL
QUICK = RetryPolicy(attempts=6, first_delay=0.0, time_limit=20.0, rest=0.0)
OPTIONS = ModelOptions(model=ONE, patience=QUICK, region=REGION)

REQUEST = OptimizationRequest(
    trials=10,
    scenarios=(BUILT_IN[0].model_copy(update={"paths": 100, "years": 1}),),
    stopping="budget",
    seed=3,
    first_day=FIRST_DAY,
)

RISK: AgentName = "risk_manager"
MARKET: AgentName = "market_analyst"
OPTIMIZER: AgentName = "optimizer"
EXPLAINER: AgentName = "explainer"
ASKED: tuple[AgentName, ...] = tuple(
    agent for agent in OPTIMIZATION_AGENTS for _ in range(4 if agent == OPTIMIZER else 2)
)
"""The agents that a small run calls, in the order of its trace."""
OPENS = (True, False) * (len(ASKED) // 2)
"""Whether each of these calls starts a conversation."""

ModelCallRow = tuple[Any, ...]


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Set the AWS environment to this endpoint, without the settings of the developer."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)


@dataclass
class RunOutcome:
    run: str
    events: list[TraceEvent]
    result: OptimizationResult | None
    failure: ModelFailure | None

    @property
    def model_calls(self) -> list[ModelCallRow]:
        """The models' events without tokens and seconds."""
        return [_model_call(event) for event in self.events if isinstance(event, MODEL_EVENTS)]

    @property
    def digest(self) -> str:
        return self.final_result.digest()

    @property
    def final_result(self) -> OptimizationResult:
        assert self.result is not None
        return self.result

    @property
    def authors(self) -> set[str]:
        return {decision.author for decision in self.final_result.manifest.decisions}

    @property
    def abstained(self) -> list[AgentName]:
        decisions = [event.decision for event in self.events if isinstance(event, DecisionMade)]
        assert all(decision.answer == {} for decision in decisions if decision.author == ABSTAINED)
        return [decision.agent for decision in decisions if decision.author == ABSTAINED]

    @property
    def rejections(self) -> list[tuple[str, ...]]:
        return [event.reasons for event in self.events if isinstance(event, DraftRejected)]


MODEL_EVENTS = (ModelAnswered, ModelRetried, ModelReplaced)


def answered_call(agent: AgentName, model: str = ONE, stop: str = "answered", attempts: int = 1) -> ModelCallRow:
    return ("answered", agent, model, stop, attempts)


def retried_call(agent: AgentName, reason: str, times: int, model: str = ONE) -> list[ModelCallRow]:
    return [("retried", agent, model, reason, attempt) for attempt in range(1, times + 1)]


def replaced_call(agent: AgentName, reason: str, model: str = ONE, by: str = OTHER) -> ModelCallRow:
    return ("replaced", agent, model, by, reason)


def _model_call(event: Any) -> ModelCallRow:
    match event:
        case ModelAnswered():
            return answered_call(event.agent, event.model, event.stop, event.attempts)
        case ModelRetried():
            return ("retried", event.agent, event.model, event.reason, event.attempt)
        case _:
            return replaced_call(event.agent, event.reason, event.model, event.by)


@asynccontextmanager
async def wired(home: Path, options: ModelOptions | Models = OPTIONS) -> AsyncGenerator[Dependencies]:
    """Dependencies over `home` with models as the command line creates them."""
    models = options if isinstance(options, Models) else make_models(options)
    async with open_dependencies(home) as dependencies:
        yield replace(dependencies, models=models)


async def ran(home: Path, request: OptimizationRequest | str = REQUEST, options: ModelOptions = OPTIONS) -> RunOutcome:
    """A new run of a request, or an earlier one resumed; the events are those of this execution."""
    async with wired(home, options) as dependencies:
        name = request if isinstance(request, str) else await create_run(dependencies, OWNER, request)
        before = await load_events(dependencies.store, OWNER, name)
        events: list[TraceEvent] = []
        failure = None
        try:
            async for event in execute(dependencies, OWNER, name):
                events.append(event)  # noqa: PERF401  (events before a failure count)
        except ModelFailure as error:
            failure = error
        assert await load_events(dependencies.store, OWNER, name) == [*before, *events]
        assert (await load_run(dependencies.store, OWNER, name)).state == ("failed" if failure else "completed")
        last = events[-1]
        if failure:
            assert isinstance(last, RunFailed)
            assert (last.code, last.kind) == ("model_failed", failure.reason)
        return RunOutcome(name, events, await load_final_result(dependencies.store, OWNER, name), failure)
