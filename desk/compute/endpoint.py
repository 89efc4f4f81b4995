"""Requests of the real-time endpoint: evaluations, and predictions by a surrogate from a file.

Imports inside functions keep the numeric stack out of the startup of the endpoint.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from desk.market.prices import PriceSource
from desk.optimization.request import OptimizationRequest
from desk.strategies.evaluation_schemas import DetailedEvaluation, EvaluationRequest
from desk.surrogates.problem import complete, problem_of, reject_prices_file
from desk.surrogates.schemas import AnotherProblem, BadSurrogate, NoArtifact, PredictedFromFile
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig

if TYPE_CHECKING:
    from desk.surrogates.gaussian_process import FittedSurrogate

FILE = "surrogate.bin"
"""File that the pipeline's training step writes; the registry stores the same content under its SHA-256."""


class PredictionInput(Frozen):
    """A config in the problem of a request; the problem must equal the one that the surrogate was fitted for."""

    predicted: Literal[True]
    config: StrategyConfig
    request: OptimizationRequest = OptimizationRequest()


EndpointRequest: TypeAlias = EvaluationRequest | PredictionInput
EndpointResponse: TypeAlias = DetailedEvaluation | PredictedFromFile


class EndpointResponses(Frozen):
    """Responses in the order of the requests."""

    answers: tuple[EndpointResponse, ...]


@dataclass(frozen=True)
class Artifact:
    """A surrogate loaded from a file."""

    sha256: str
    surrogate: "FittedSurrogate"

    def predict(self, config: StrategyConfig) -> PredictedFromFile:
        from desk.surrogates.gaussian_process import predict_one

        return PredictedFromFile(**dict(predict_one(self.surrogate, config)), artifact=self.sha256)


def load_artifact(folder: Path) -> Artifact | None:
    """None without a file; raises `BadSurrogate` for a damaged file or one of another version."""
    from desk.surrogates.file_format import decode

    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadSurrogate(f"{folder / FILE} cannot be read: {error.strerror}") from error
    return Artifact(hashlib.sha256(content).hexdigest(), decode(content))


async def respond(prices: PriceSource, artifact: Artifact | None, request: EndpointRequest) -> EndpointResponse:
    if isinstance(request, PredictionInput):
        return await _predict(prices, artifact, request)
    from desk.scenarios.repository import built_in_catalog
    from desk.strategies.evaluation_details import evaluate_with_catalog

    return await evaluate_with_catalog(built_in_catalog(), prices, request)


async def _predict(prices: PriceSource, artifact: Artifact | None, request: PredictionInput) -> PredictedFromFile:
    reject_prices_file(request.request)
    if artifact is None:
        raise NoArtifact(FILE)
    market_request = await complete(prices, request.request)
    problem = await problem_of(market_request.request, market_request.data)
    if problem.digest() != artifact.surrogate.problem:
        raise AnotherProblem(problem.digest(), artifact.surrogate.problem)
    problem.check(request.config)
    return await asyncio.to_thread(artifact.predict, request.config)
