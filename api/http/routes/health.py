"""Liveness and readiness."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.http.dependencies import AppStateDep
from api.http.errors.handlers import RETRY_AFTER
from api.http.response_headers import RETRY_AFTER_HEADER
from api.operations.readiness import Readiness

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: Literal["ok"] = "ok"


@router.get("/health", summary="Liveness")
async def get_health() -> Health:
    """Responds while the process runs, and checks nothing else."""
    return Health()


@router.get(
    "/ready",
    summary="Readiness",
    responses={
        503: {
            "model": Readiness,
            "description": "Nothing can be stored or executed; `reason` says why",
            "headers": RETRY_AFTER_HEADER,
        }
    },
)
async def get_readiness(service: AppStateDep, response: Response) -> Readiness:
    """Storage, queue, workers, models and the age of the prices; cached for two seconds.

    Old prices are a warning: searches still run. `reason` names no detail of the installation; the log does.
    """
    readiness = await service.readiness.status()
    if readiness.status == "failed":
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER)
    response.headers["Cache-Control"] = "no-store"
    return readiness
