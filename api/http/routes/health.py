"""Whether the service is up, and whether it can do its work."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.http.dependencies import ServiceDep
from api.operations.readiness import Readiness

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


@router.get("/health", summary="Whether the service answers")
async def health() -> Health:
    return Health()


@router.get(
    "/ready",
    summary="Whether the service can do its work",
    responses={503: {"model": Readiness, "description": "Nothing can be stored or executed now"}},
)
async def ready(service: ServiceDep, response: Response) -> Readiness:
    """Storage, queue, workers, models and the age of the prices; an answer holds for two seconds.

    Prices that are old are a warning: research goes on with them. What is wrong stands in the log, not here.
    """
    readiness = await service.readiness.status()
    if readiness.status == "failed":
        response.status_code = 503
    response.headers["Cache-Control"] = "no-store"
    return readiness
