"""A desk over a home folder, and requests that are small enough for a test."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from agents.model import Models, only
from agents.options import Patience
from agents.planner import EmbeddedPlanner
from graphs.desk import Desk
from quant.scenario import BUILT_IN
from store.store import open_store
from tools.bundled import BundledPrices
from tools.datasets import load_owned
from tools.local import LocalRunner
from tools.optimization import OptimizationRequest

OWNER = "local"
QUICK = Patience(attempts=2, first_delay=0.0)


@asynccontextmanager
async def open_desk(home: Path, model: BaseChatModel | Models | None = None) -> AsyncGenerator[Desk]:
    prices = BundledPrices()
    async with open_store(home) as store:
        yield Desk(
            store=store,
            prices=prices,
            jobs=LocalRunner(store, partial(load_owned, store, prices)),
            models=model if isinstance(model, Models) else only(model or EmbeddedPlanner(), QUICK),
            checkpoints=home / "checkpoints.sqlite",
        )


@pytest.fixture
def opened() -> Callable[..., AbstractAsyncContextManager[Desk]]:
    return open_desk


@pytest.fixture
def small() -> Callable[..., OptimizationRequest]:
    """Ten trials, a hundred paths of a year, two scenarios."""

    def make(**changes: Any) -> OptimizationRequest:
        scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:2])
        return OptimizationRequest(**{"trials": 10, "scenarios": scenarios, "seed": 3} | changes)

    return make
