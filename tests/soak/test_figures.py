"""The guard rejects every manipulated number in the text of real runs."""

from pathlib import Path
from typing import Any

import pytest

from desk.optimization.judgement.verification import find_discrepancies
from desk.optimization.reading.findings import explainable_figures
from desk.optimization.reading.template import template_claims
from desk.optimization.request import Limit, Limits, OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.repository import load_final_result
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.desk.figures.guard.deceptions import all_found, changed, perturbed
from tests.graphs.dependencies import OWNER, open_dependencies

pytestmark = [pytest.mark.soak, pytest.mark.anyio]

LIMITS = Limits(
    max_drawdown=Limit(bound=0.35),
    turnover=Limit(bound=5.0),
    value_at_risk=Limit(bound=0.3),
    leverage=Limit(bound=1.0),
    cost_bps=Limit(bound=100.0),
)
REQUESTS: dict[str, dict[str, Any]] = {
    "every scenario": {"trials": 30, "seed": 5, "stopping": "budget"},
    "every limit": {"trials": 20, "limits": LIMITS},
    "no strategy fits": {"limits": Limits(max_drawdown=Limit(bound=0.01))},
    "several assets": {"universe": "stocks:AAPL,JNJ,XOM"},
}


async def run_request(home: Path, changes: dict[str, Any]) -> OptimizationResult:
    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN)
    request = OptimizationRequest(**{"trials": 10, "scenarios": scenarios, "seed": 3} | changes)
    async with open_dependencies(home) as dependencies:
        run = await create_run(dependencies, OWNER, request)
        async for _ in execute(dependencies, OWNER, run):
            pass
        result = await load_final_result(dependencies.store, OWNER, run)
    assert result is not None
    return result


@pytest.mark.parametrize("name", REQUESTS)
async def test_no_other_number_is_accepted_in_the_text_of_a_run(name: str, tmp_path: Path) -> None:
    result = await run_request(tmp_path, REQUESTS[name])
    assert find_discrepancies(result) == []
    assert all_found(template_claims(result), explainable_figures(result)) > 50
    lies = [*perturbed(result), *(lie for lie in changed(result) if is_computed(lie, result))]
    assert len(lies) > 200
    assert [lie for lie in lies if not find_discrepancies(lie)] == []


def is_computed(lie: OptimizationResult, result: OptimizationResult) -> bool:
    """Whether the result contains the source of the changed figure; figures of agents' tools come from prices."""
    return all(figure.source.startswith("result.") for figure in lie.figures if figure not in result.figures)
