"""Own scenarios, sample paths of a scenario, and the check of a correlation matrix."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.body_limits import limited_route
from api.http.dependencies import CALCULATION_SLOT, AppStateDep, PrincipalDep
from api.http.errors.problems import Problem, error_responses
from api.http.etags import IfNoneMatch, etag, expected_versions, matches, not_modified
from api.http.response_headers import location_header, version_header
from desk.base.errors import InvalidInput
from desk.portfolios.correlation_schemas import CorrelationCheck, CorrelationMatrix
from desk.scenarios import own_scenarios
from desk.scenarios.repository import load_catalog, show_scenario
from desk.scenarios.schemas import ScenarioShown
from desk.strategies.scenario_preview_schemas import ScenarioPreview, ScenarioPreviewRequest
from quant.worlds.scenario import Scenario

router = APIRouter(tags=["strategies"], route_class=limited_route(200_000))

_NAME = r"^[a-z][a-z0-9_]{0,63}$"
ScenarioName: TypeAlias = Annotated[
    str, Path(pattern=_NAME, description="The name of a scenario", examples=["bear_market"])
]
IfMatch: TypeAlias = Annotated[
    str | None, Header(description='Change only this version, such as `"3"`; `*` for any version', examples=['"3"'])
]
_ETAG = version_header("The version of the scenario; 0 for a built-in one")
_CREATED = {"headers": _ETAG | location_header("scenario")}
_OWN = {
    "name": "stagflation",
    "engine": "heston",
    "mu": 0.01,
    "sigma": 0.24,
    "cash_rate": 0.05,
    "bond_correlation": 0.4,
    "probability": 0.1,
}
NewScenario: TypeAlias = Annotated[
    Scenario, Body(openapi_examples={"own": {"summary": "A world of stagflation", "value": _OWN}})
]


class ScenarioClone(BaseModel):
    """The name of a copy."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=_NAME, description="Name of the new scenario", examples=["mild_bear"])]


@router.post(
    "/scenarios",
    status_code=201,
    summary="Store a scenario of your own",
    responses={201: _CREATED, **error_responses(400, 409, 413)},
)
async def create_scenario(
    body: NewScenario, service: AppStateDep, principal: PrincipalDep, response: Response
) -> ScenarioShown:
    """At most 50. 409 if the name is taken. Parameters that leave the engine no valid paths are rejected."""
    version = await own_scenarios.create_scenario(service.dependencies.store, principal.owner, body)
    response.headers["Location"] = f"/api/scenarios/{body.name}"
    return _shown(body, version, response)


@router.post(
    "/scenarios/preview",
    summary="Sample paths of a scenario, and what it implies",
    dependencies=[CALCULATION_SLOT],
    responses=error_responses(400, 413),
)
async def preview_scenario(
    body: Annotated[
        ScenarioPreviewRequest,
        Body(
            openapi_examples={
                "stored": {"summary": "A stored scenario", "value": {"scenario": "bear_market", "shown": 10}},
                "new": {"summary": "One that is not stored", "value": {"scenario": _OWN, "points": 60}},
            }
        ),
    ],
    service: AppStateDep,
    principal: PrincipalDep,
) -> ScenarioPreview:
    """Nothing is stored. The paths are those that an evaluation with seed 1 draws first."""
    from desk.strategies.scenario_preview import preview_scenario  # imports numpy and numba

    dependencies, owner = service.dependencies, principal.owner
    catalog = await load_catalog(dependencies.store, owner)
    return await preview_scenario(catalog, dependencies.prices_of(owner), body)


@router.post(
    "/scenarios/correlations",
    summary="Check a correlation matrix, and find the nearest valid one",
    dependencies=[CALCULATION_SLOT],
    responses=error_responses(400, 413),
)
async def check_correlations(
    body: Annotated[
        CorrelationMatrix,
        Body(
            openapi_examples={
                "impossible": {
                    "summary": "Correlations that no returns have",
                    "value": {"matrix": [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]},
                }
            }
        ),
    ],
) -> CorrelationCheck:
    """Nothing is stored or repaired: the nearest matrix is a proposal, with its distance."""
    from asyncio import to_thread

    from desk.portfolios.correlations import check_correlations  # imports numpy

    return await to_thread(check_correlations, body.matrix)


@router.get(
    "/scenarios/{scenario_name}",
    summary="A built-in or own scenario",
    response_model=ScenarioShown,
    responses={200: {"headers": _ETAG}, **not_modified(), **error_responses(404)},
)
async def get_scenario(
    scenario_name: ScenarioName,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """With its parameters, what it implies, and the notice that results in it need."""
    scenario, version = await own_scenarios.load_scenario(service.dependencies.store, principal.owner, scenario_name)
    if matches(if_none_match, etag(version)):
        return Response(status_code=304, headers={"ETag": etag(version)})
    return _shown(scenario, version, response)


@router.put(
    "/scenarios/{scenario_name}",
    summary="Replace a scenario of your own",
    responses={200: {"headers": _ETAG}, **error_responses(400, 404, 409, 412, 413)},
)
async def replace_scenario(
    scenario_name: ScenarioName,
    body: NewScenario,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> ScenarioShown:
    """Jobs and results hold the scenario that they used. 409 for a built-in one: copy it, and change the copy."""
    if body.name != scenario_name:
        raise InvalidInput("body.name", body.name, allowed=f"{scenario_name}, the name in the URL")
    store, versions = service.dependencies.store, expected_versions(if_match)
    try:
        version = await own_scenarios.replace_scenario(store, principal.owner, body, versions=versions)
    except own_scenarios.ScenarioChanged as error:
        raise Problem(412, str(error)) from error
    return _shown(body, version, response)


@router.delete(
    "/scenarios/{scenario_name}",
    status_code=204,
    summary="Delete a scenario of your own",
    responses=error_responses(404, 409, 412),
)
async def delete_scenario(
    scenario_name: ScenarioName, service: AppStateDep, principal: PrincipalDep, if_match: IfMatch = None
) -> Response:
    """409 for a built-in scenario."""
    store, versions = service.dependencies.store, expected_versions(if_match)
    try:
        await own_scenarios.delete_scenario(store, principal.owner, scenario_name, versions=versions)
    except own_scenarios.ScenarioChanged as error:
        raise Problem(412, str(error)) from error
    return Response(status_code=204)


@router.post(
    "/scenarios/{scenario_name}/clone",
    status_code=201,
    summary="Copy a scenario to a new name",
    responses={201: _CREATED, **error_responses(400, 404, 409, 413)},
)
async def clone_scenario(
    scenario_name: ScenarioName,
    body: Annotated[
        ScenarioClone, Body(openapi_examples={"mild": {"summary": "A copy", "value": {"name": "mild_bear"}}})
    ],
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
) -> ScenarioShown:
    """A copy of a built-in scenario can be changed; a search takes it as it is stated, whatever the data."""
    scenario, version = await own_scenarios.clone_scenario(
        service.dependencies.store, principal.owner, scenario_name, body.name
    )
    response.headers["Location"] = f"/api/scenarios/{scenario.name}"
    return _shown(scenario, version, response)


def _shown(scenario: Scenario, version: int, response: Response) -> ScenarioShown:
    response.headers["ETag"] = etag(version)
    return show_scenario(scenario)
