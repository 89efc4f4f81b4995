"""The dependencies of a run over a home folder, and requests that are small enough for a test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import Models, single_model
from agents.models.options import RetryPolicy
from desk.compute.local import LocalRunner
from desk.market.bundled import BundledPrices
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.request import OptimizationRequest
from graphs.dependencies import Dependencies
from quant.worlds.scenario import BUILT_IN
from store.embedded import open_store

OWNER = "local"
QUICK = RetryPolicy(attempts=2, first_delay=0.0)
FIRST_DAY = date(2015, 1, 5)
"""The shortest history, of the years that a search needs: a small run spends its time on the days before."""


@asynccontextmanager
async def open_dependencies(home: Path, model: BaseChatModel | Models | None = None) -> AsyncGenerator[Dependencies]:
    prices = BundledPrices()
    async with open_store(home) as store:
        yield Dependencies(
            store=store,
            prices=prices,
            jobs=LocalRunner(store, partial(load_owned_market, store, prices)),
            models=model if isinstance(model, Models) else single_model(model or EmbeddedPlanner(), QUICK),
            checkpoints=home / "checkpoints.sqlite",
        )


def small_request(**changes: Any) -> OptimizationRequest:
    """Ten trials, a hundred paths of a year, one scenario, a short history."""
    scenarios = (BUILT_IN[0].model_copy(update={"paths": 100, "years": 1}),)
    return OptimizationRequest(**{"trials": 10, "scenarios": scenarios, "seed": 3, "first_day": FIRST_DAY} | changes)
