"""Stored results: one blob per run and stage."""

from functools import lru_cache
from typing import Literal, TypeAlias

from desk.optimization.result import OptimizationResult
from store.store import Store

Stage: TypeAlias = Literal["judged", "final"]
"""Before and after the explanation."""


def result_key(owner: str, run: str, stage: Stage) -> str:
    return f"{owner}/results/{run}/{stage}"


async def save_result(store: Store, owner: str, run: str, stage: Stage, result: OptimizationResult) -> None:
    await store.blobs.put(result_key(owner, run, stage), result.model_dump_json().encode())


async def load_result(store: Store, owner: str, run: str, stage: Stage) -> OptimizationResult:
    """Load the result of a stage; `store.errors.Missing` if the run has not reached it."""
    return _parse(await store.blobs.get(result_key(owner, run, stage)))


@lru_cache(maxsize=8)
def _parse(content: bytes) -> OptimizationResult:
    """The result of these bytes: a run and its followers load the same result several times within seconds."""
    return OptimizationResult.model_validate_json(content)
