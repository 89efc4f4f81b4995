"""Monte Carlo simulations of a portfolio's wealth."""

import csv
import io
import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import Problem, error_responses
from api.http.pagination import After, Limit, Page
from api.http.response_headers import FILE_NAME_HEADER
from desk.base.camel_case import Camel
from desk.wealth.schemas import Analysis, Simulation, SimulationRequest, SimulationSummary

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

router = APIRouter(tags=["monte-carlo"], route_class=limited_route(20_000_000, ignore_values=True))

SimulationId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        description="The id of a simulation",
        examples=["s-5d0a7b3f9a6e4a3c8f0f9d1c2b3a4e5f"],
    ),
]
_EXPIRED = error_responses(404, 410)


class AnalysisRequest(Camel):
    simulation_id: str


@router.post(
    "/monte-carlo/simulate",
    summary="Simulate the wealth of a portfolio",
    response_description="Statistics of final wealth and percentile bands over time, each with its Monte Carlo error",
    responses=error_responses(400, 404, 413),
)
async def simulate_wealth(request: SimulationRequest, principal: PrincipalDep, service: AppStateDep) -> Simulation:
    """All assets are simulated jointly; the same request and seed give the same numbers."""
    from desk.wealth import repository

    dependencies = service.dependencies
    return await repository.simulate(
        dependencies.store, dependencies.prices_of(principal.owner), principal.owner, request, now=dependencies.now()
    )


@router.post(
    "/monte-carlo/analyze",
    summary="Risk and return of a simulation: losses, gains, drawdowns, ruin and the goal",
    responses=error_responses(400, 404, 410, 413),
)
async def analyze_simulation(request: AnalysisRequest, principal: PrincipalDep, service: AppStateDep) -> Analysis:
    """Losses, probabilities and drawdowns of a stored simulation, each with its Monte Carlo error."""
    from desk.wealth import repository

    async with _map_expired():
        return await repository.analysis_of(service.dependencies.store, principal.owner, request.simulation_id)


@router.get("/monte-carlo/simulations", summary="Your simulations of the last 30 days, the newest first")
async def list_simulations(
    principal: PrincipalDep,
    service: AppStateDep,
    limit: Limit = 100,
    after: After = None,
) -> Page[SimulationSummary]:
    """Simulations that have not expired, without their bands."""
    from desk.wealth import repository

    page = await repository.simulations(service.dependencies.store, principal.owner, limit=limit, after=after)
    return Page(items=list(page.simulations), next=page.after)


@router.get("/monte-carlo/simulations/{simulation_id}", summary="One simulation", responses=_EXPIRED)
async def get_simulation(simulation_id: SimulationId, principal: PrincipalDep, service: AppStateDep) -> Simulation:
    """A simulation expires after 30 days."""
    from desk.wealth import repository

    async with _map_expired():
        return await repository.simulation_of(service.dependencies.store, principal.owner, simulation_id)


_TRAJECTORIES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One row for each period from 0, one column for each path; or a list for each path",
        "headers": FILE_NAME_HEADER,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": "period,path_1,path_2\r\n0,10000.0,10000.0\r\n"},
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["simulationId", "trajectories"],
                    "properties": {
                        "simulationId": {"type": "string"},
                        "trajectories": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                    },
                }
            },
        },
    },
    **_EXPIRED,
}


@router.get(
    "/monte-carlo/simulations/{simulation_id}/trajectories",
    summary="Daily wealth of the stored paths",
    response_class=StreamingResponse,
    responses=_TRAJECTORIES,
)
async def list_trajectories(
    simulation_id: SimulationId,
    principal: PrincipalDep,
    service: AppStateDep,
    format: Annotated[Literal["json", "csv"], Query(description="CSV has a column for each path")] = "json",  # noqa: A002
) -> StreamingResponse:
    """Single paths, as many as the simulation was asked to store."""
    from desk.wealth import repository
    from desk.wealth.simulation import decode_closes

    async with _map_expired():
        closes = decode_closes(
            await repository.trajectories_of(service.dependencies.store, principal.owner, simulation_id)
        )
    if format == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{simulation_id}.csv"'}
        return StreamingResponse(_as_csv(closes), media_type="text/csv", headers=headers)
    return StreamingResponse(_as_json(simulation_id, closes), media_type="application/json")


@asynccontextmanager
async def _map_expired() -> AsyncGenerator[None]:
    from desk.wealth.repository import SimulationExpired

    try:
        yield
    except SimulationExpired as error:
        raise Problem(410, str(error)) from error


def _as_csv(closes: "Floats") -> Generator[str]:
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    writer.writerow(["period", *(f"path_{path}" for path in range(1, len(closes) + 1))])
    for period, row in enumerate(closes.T):
        writer.writerow([period, *row.tolist()])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _as_json(simulation_id: str, closes: "Floats") -> Generator[str]:
    yield f'{{"simulationId":{json.dumps(simulation_id)},"trajectories":['
    for path, row in enumerate(closes):
        yield ("," if path else "") + json.dumps(row.tolist(), separators=(",", ":"))
    yield "]}"
