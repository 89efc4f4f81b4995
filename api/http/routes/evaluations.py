"""Evaluations of one configuration, estimates of searches, scenarios and strategy templates."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.pagination import After, Limit, Page, paginate
from desk.optimization.durations import load_durations
from desk.optimization.estimate import estimate_launch
from desk.optimization.estimate_schemas import LaunchEstimate
from desk.optimization.request import OptimizationRequest
from desk.scenarios import repository
from desk.scenarios.schemas import ScenarioShown
from desk.strategies.evaluation_schemas import (
    EVERY_FIELD,
    DetailedEvaluation,
    EvaluationField,
    EvaluationRequest,
    SelectedEvaluation,
)
from desk.strategies.templates import StrategyTemplate, templates
from desk.surrogates.problem import reject_prices_file
from desk.surrogates.schemas import Predicted, PredictionRequest
from graphs.runs.surrogates import predict

router = APIRouter(tags=["evaluations"], route_class=limited_route(1_000_000))

_READ = error_responses(400, 413)


@router.post(
    "/evaluations",
    summary="Evaluate one configuration on history and in one scenario",
    response_description="Metrics with three benchmarks, series, the weight by volatility and today, and warnings",
    response_model=DetailedEvaluation | SelectedEvaluation,
    responses=_READ,
)
async def evaluate_configuration(
    request: EvaluationRequest,
    principal: PrincipalDep,
    service: AppStateDep,
    fields: Annotated[
        tuple[EvaluationField, ...],
        Query(
            description="Fields of the response, all by default; what no field needs is not computed: without `held` "
            "and `figures` nothing is simulated",
            examples=[["curve", "lines", "today"]],
        ),
    ] = (),
) -> Response:
    """Counts as tried in the verdicts of later searches on the same prices."""
    from desk.strategies.evaluation_details import evaluate_in_detail

    dependencies = service.dependencies
    content = await evaluate_in_detail(
        dependencies.store,
        dependencies.prices_of(principal.owner),
        principal.owner,
        request,
        frozenset(fields) or EVERY_FIELD,
    )
    return Response(content, media_type="application/json")


@router.post(
    "/evaluations/predicted",
    summary="Predict the evaluation of one configuration with a surrogate of your searches",
    description="No simulation runs: the values come from a model fitted on the trials of your runs of the same "
    "problem (`python -m api surrogate fit`), each with a 95% interval and the model's error on held-out trials.",
    response_description="Objective, excess return, volatility and drawdown, labelled as predicted",
    responses=error_responses(400, 404, 409, 410, 413),
)
async def predict_evaluation(prediction: PredictionRequest, principal: PrincipalDep, service: AppStateDep) -> Predicted:
    if prediction.request is not None:
        reject_prices_file(prediction.request)
    return await predict(
        service.dependencies, principal.owner, prediction.config, job=prediction.job, request=prediction.request
    )


_ESTIMATED = Body(openapi_examples={"usual": {"summary": "100 trials in five scenarios", "value": {"trials": 100}}})


@router.post(
    "/estimates", summary="Estimate time and cost of an optimization, and whether it needs approval", responses=_READ
)
async def estimate_search(
    request: Annotated[OptimizationRequest, _ESTIMATED], principal: PrincipalDep, service: AppStateDep
) -> LaunchEstimate:
    """`expected_time` is the time with its error, which is measured once three runs have finished on these machines."""
    reject_prices_file(request)
    dependencies = service.dependencies
    machines = dependencies.jobs.machines
    return await estimate_launch(
        dependencies.prices_of(principal.owner),
        request,
        dependencies.thresholds,
        machines,
        await load_durations(dependencies.store, machines),
    )


@router.get("/scenarios", summary="Built-in scenarios and your own, with what they imply")
async def list_scenarios(
    principal: PrincipalDep, service: AppStateDep, limit: Limit = 100, after: After = None
) -> Page[ScenarioShown]:
    """With the statistics that each scenario implies, such as the share of losing years."""
    scenarios = await repository.list_scenarios(service.dependencies.store, principal.owner)
    return paginate(scenarios, lambda item: item.scenario.name, limit, after)


@router.get("/strategies/templates", summary="Strategy templates")
async def list_strategy_templates(limit: Limit = 100, after: After = None) -> Page[StrategyTemplate]:
    """Rules to begin with, each with its mandate."""
    return paginate(templates(), lambda item: item.name, limit, after)
