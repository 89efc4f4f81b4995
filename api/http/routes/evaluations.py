"""One configuration at once, estimates before a launch, and what both are chosen from."""

from typing import Annotated

from fastapi import APIRouter, Body

from api import problems
from api.bodies import at_most
from api.dependencies import Asking, Serving
from api.paging import After, Limit, Listed, sliced
from tools.completed import no_file
from tools.estimate_words import Foreseen
from tools.optimization import OptimizationRequest
from tools.quick_words import DetailedEvaluation, EvaluationRequest
from tools.scenario_words import ScenarioShown
from tools.strategies import StrategyTemplate, templates
from tools.surrogate_words import Predicted, PredictionRequest

router = APIRouter(tags=["evaluations"], route_class=at_most(1_000_000))

_READ = problems.errors(400, 413)


@router.post(
    "/evaluations",
    summary="Evaluate one configuration on history and in one scenario, at once",
    response_description="Metrics beside three benchmarks, lines, the weight by volatility and today, and warnings",
    responses=_READ,
)
async def evaluate(request: EvaluationRequest, asking: Asking, serving: Serving) -> DetailedEvaluation:
    from tools.quick_lines import evaluate_in_detail

    desk = serving.desk
    return await evaluate_in_detail(desk.store, desk.prices_of(asking.owner), asking.owner, request)


@router.post(
    "/evaluations/predicted",
    summary="Predict what an evaluation of one configuration would say, by a surrogate of your searches",
    description="Nothing is computed: the values come from a model that was fitted on the trials of your runs of the "
    "same problem (`python -m api surrogate fit`), each with a 95% interval and the error that the model had on trials "
    "that it had not seen.",
    response_description="Objective, excess return, volatility and drawdown, labelled as predicted",
    responses=problems.errors(400, 404, 409, 410, 413),
)
async def predicted(asked: PredictionRequest, asking: Asking, serving: Serving) -> Predicted:
    from graphs.surrogates import predict

    if asked.request is not None:
        no_file(asked.request)
    return await predict(serving.desk, asking.owner, asked.config, job=asked.job, request=asked.request)


_ESTIMATED = Body(openapi_examples={"usual": {"summary": "100 trials in five scenarios", "value": {"trials": 100}}})


@router.post(
    "/estimates", summary="What an optimization would take, and whether a person must approve it", responses=_READ
)
async def estimates(request: Annotated[OptimizationRequest, _ESTIMATED], asking: Asking, serving: Serving) -> Foreseen:
    from tools.estimate import foresee

    no_file(request)
    desk = serving.desk
    return await foresee(desk.prices_of(asking.owner), request, desk.thresholds, desk.jobs.machines)


@router.get("/scenarios", summary="Scenarios that are built in, and your own, with what they imply")
async def scenarios(asking: Asking, serving: Serving, limit: Limit = 100, after: After = None) -> Listed[ScenarioShown]:
    from tools.scenario_book import shown_scenarios

    shown = await shown_scenarios(serving.desk.store, asking.owner)
    return sliced(shown, lambda item: item.scenario.name, limit, after)


@router.get("/strategies/templates", summary="Strategies to begin with")
async def strategy_templates(limit: Limit = 100, after: After = None) -> Listed[StrategyTemplate]:
    return sliced(templates(), lambda item: item.name, limit, after)
