"""What the real-time endpoint is asked: evaluations, and predictions by the file that it was given."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from desk.market.prices import PriceSource
from desk.optimization.request import OptimizationRequest
from desk.strategies.evaluation_schemas import DetailedEvaluation, EvaluationRequest
from desk.surrogates.problem import completed, no_file, problem_of
from desk.surrogates.schemas import AnotherProblem, BadSurrogate, NoArtifact, PredictedFromFile
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig

if TYPE_CHECKING:
    from desk.surrogates.gaussian_process import Fitted

FILE = "surrogate.bin"
"""As the pipeline's training leaves it; the register keeps the same content by its SHA-256."""


class PredictionAsked(Frozen):
    """A config in the problem of a request, which must be the one that the file was fitted for."""

    predicted: Literal[True]
    config: StrategyConfig
    request: OptimizationRequest = OptimizationRequest()


Asked: TypeAlias = EvaluationRequest | PredictionAsked
Answer: TypeAlias = DetailedEvaluation | PredictedFromFile


class Answers(Frozen):
    """In the order of the requests."""

    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Artifact:
    """A surrogate from a file."""

    sha256: str
    fitted: "Fitted"

    def predict(self, config: StrategyConfig) -> PredictedFromFile:
        from desk.surrogates.gaussian_process import foretell

        return PredictedFromFile(**dict(foretell(self.fitted, config)), artifact=self.sha256)


def artifact_in(folder: Path) -> Artifact | None:
    """None where nothing lies there; raises `BadSurrogate` for what is damaged or by another version."""
    from desk.surrogates.file_format import decode

    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadSurrogate(f"{folder / FILE} cannot be read: {error.strerror}") from error
    return Artifact(hashlib.sha256(content).hexdigest(), decode(content))


async def answer(prices: PriceSource, artifact: Artifact | None, asked: Asked) -> Answer:
    if isinstance(asked, PredictionAsked):
        return await _predicted(prices, artifact, asked)
    from desk.scenarios.repository import built_in_catalog
    from desk.strategies.evaluation_details import evaluate_with_catalog

    return await evaluate_with_catalog(built_in_catalog(), prices, asked)


async def _predicted(prices: PriceSource, artifact: Artifact | None, asked: PredictionAsked) -> PredictedFromFile:
    no_file(asked.request)
    if artifact is None:
        raise NoArtifact(FILE)
    found = await completed(prices, asked.request)
    problem = await problem_of(found.request, found.data)
    if problem.digest() != artifact.fitted.problem:
        raise AnotherProblem(problem.digest(), artifact.fitted.problem)
    problem.check(asked.config)
    return await asyncio.to_thread(artifact.predict, asked.config)
