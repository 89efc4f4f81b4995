"""One configuration at once, estimates before a launch, and what both are chosen from."""

from typing import Annotated

from fastapi import APIRouter, Body

from api.http.body_limits import limited_route
from api.http.dependencies import PrincipalDep, ServiceDep
from api.http.errors.problems import error_responses
from api.http.pagination import After, Limit, Listed, sliced
from desk.optimization.estimate import estimate_launch
from desk.optimization.estimate_schemas import LaunchEstimate
from desk.optimization.request import OptimizationRequest
from desk.scenarios.repository import list_scenarios
from desk.scenarios.schemas import ScenarioShown
from desk.strategies.evaluation_schemas import DetailedEvaluation, EvaluationRequest
from desk.strategies.templates import StrategyTemplate, templates
from desk.surrogates.problem import reject_prices_file
from desk.surrogates.schemas import Predicted, PredictionRequest
from graphs.runs.surrogates import predict

router = APIRouter(tags=["evaluations"], route_class=limited_route(1_000_000))

_READ = error_responses(400, 413)


@router.post(
    "/evaluations",
    summary="Evaluate one configuration on history and in one scenario, at once",
    response_description="Metrics beside three benchmarks, lines, the weight by volatility and today, and warnings",
    responses=_READ,
)
async def evaluate(request: EvaluationRequest, principal: PrincipalDep, service: ServiceDep) -> DetailedEvaluation:
    from desk.strategies.evaluation_details import evaluate_in_detail

    dependencies = service.dependencies
    return await evaluate_in_detail(
        dependencies.store, dependencies.prices_of(principal.owner), principal.owner, request
    )


@router.post(
    "/evaluations/predicted",
    summary="Predict what an evaluation of one configuration would say, by a surrogate of your searches",
    description="Nothing is computed: the values come from a model that was fitted on the trials of your runs of the "
    "same problem (`python -m api surrogate fit`), each with a 95% interval and the error that the model had on trials "
    "that it had not seen.",
    response_description="Objective, excess return, volatility and drawdown, labelled as predicted",
    responses=error_responses(400, 404, 409, 410, 413),
)
async def predicted(asked: PredictionRequest, principal: PrincipalDep, service: ServiceDep) -> Predicted:
    if asked.request is not None:
        reject_prices_file(asked.request)
    return await predict(service.dependencies, principal.owner, asked.config, job=asked.job, request=asked.request)


_ESTIMATED = Body(openapi_examples={"usual": {"summary": "100 trials in five scenarios", "value": {"trials": 100}}})


@router.post(
    "/estimates", summary="What an optimization would take, and whether a person must approve it", responses=_READ
)
async def estimates(
    request: Annotated[OptimizationRequest, _ESTIMATED], principal: PrincipalDep, service: ServiceDep
) -> LaunchEstimate:
    reject_prices_file(request)
    dependencies = service.dependencies
    return await estimate_launch(
        dependencies.prices_of(principal.owner), request, dependencies.thresholds, dependencies.jobs.machines
    )


@router.get("/scenarios", summary="Scenarios that are built in, and your own, with what they imply")
async def scenarios(
    principal: PrincipalDep, service: ServiceDep, limit: Limit = 100, after: After = None
) -> Listed[ScenarioShown]:
    shown = await list_scenarios(service.dependencies.store, principal.owner)
    return sliced(shown, lambda item: item.scenario.name, limit, after)


@router.get("/strategies/templates", summary="Strategies to begin with")
async def strategy_templates(limit: Limit = 100, after: After = None) -> Listed[StrategyTemplate]:
    return sliced(templates(), lambda item: item.name, limit, after)
