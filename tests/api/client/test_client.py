"""The Python client against a real server, also where the way to it is cut and where the server is busy."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from api.client.client import Client, Refused, ServerError
from api.client.transport import normalize_url
from desk.base.errors import InvalidInput, UserError
from desk.conversation.messages import AnswerMessage, QuestionMessage
from desk.conversation.schemas import Opinion
from desk.governance.approvals import Ruling
from desk.market.datasets.schemas import Terms
from desk.optimization.reading.trial_pages import TrialQuery
from desk.optimization.request import OptimizationRequest
from desk.portfolios.optimizers.requests import (
    FrontierRequest,
    HrpRequest,
    MaximumDiversificationRequest,
    MinimumCvarRequest,
    RiskParityRequest,
)
from desk.portfolios.risk_request import RiskRequest
from desk.portfolios.schemas import PortfolioDraft, PortfolioPatch
from desk.portfolios.stress_schemas import StressRequest
from desk.runs.events.conversation import TurnPaused
from desk.strategies.evaluation_schemas import EvaluationRequest
from desk.wealth.schemas import SimulationRequest
from quant.strategies.config import StrategyConfig
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import application, run_server
from tests.api.http.live_run import RUN, open_run_log
from tests.api.http.sample_requests import price_file
from tests.doubles.http_servers import cut_wire, scripted
from tests.graphs.dependencies import FIRST_DAY, open_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies
from tests.graphs.runs.approval_process import LOW

ROOT = Path(__file__).parents[3]
JOKE = "tell me a joke"
SEARCH = "optimize the S&P 500 since 2015 with 10% volatility, 10 trials, 100 paths, 1 year, base case"
RETURNS = {"A": [0.01, 0.02, -0.01, 0.03, -0.02], "B": [0.02, 0.01, -0.02, 0.02, -0.01]}
REQUEST = OptimizationRequest(
    name="Small",
    trials=10,
    seed=3,
    scenarios=tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1]),
    first_day=FIRST_DAY,
)
ENVELOPE = {"code": "SERVICE_UNAVAILABLE", "message": "the storage cannot answer now", "details": []}
BUSY = (503, {"Retry-After": "0"}, {"error": ENVELOPE})
DATA_SETS = {"items": [], "next": None}


@asynccontextmanager
async def guarded(home: Path):
    """A person is asked before every search."""
    async with open_dependencies(home) as dependencies:
        yield replace(dependencies, thresholds=LOW)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Of a server without a worker."""
    home = tmp_path_factory.mktemp("served")
    with run_server(application(home, queued_dependencies(home))) as url, Client(url) as client:
        yield client


def write_log(home: Path, trials: int = 100, *, finished: bool = True) -> None:
    async def write() -> None:
        async with open_run_log(home, trials=trials) as log:
            await log.append(*log.trials(0, trials))
            if finished:
                await log.finish()

    asyncio.run(write())


def test_the_client_imports_no_heavy_library():
    heavy = "{'numpy','numba','langgraph','langchain_core','pandas','scipy','boto3','aiosqlite'}"
    code = f"import sys, api.client.client, api.cli.runs.server; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/api/ "])
def test_an_address_may_be_written_with_its_api(url):
    assert normalize_url(url) == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://a b", "http://me:word@h", "http://h/?q=1", ""]
)
def test_an_invalid_address_is_rejected(url):
    with pytest.raises(InvalidInput, match=r"--server.*such as http"):
        Client(url)


def test_a_job_is_submitted_once_listed_cancelled_and_resumed(client):
    job = client.submit(REQUEST, key="monday")
    assert client.submit(REQUEST, key="monday") == job
    other = client.submit(REQUEST.model_copy(update={"name": "Other"}))
    assert [each.id for each in client.jobs()][:2] == [other.id, job.id]
    assert [each.id for each in client.jobs(name="OTHER", state="queued")] == [other.id]
    assert client.request(job.id) == REQUEST
    assert client.cancel(job.id, reason="wrong seed").state == client.cancel(job.id).state == "cancelled"
    assert client.restart(job.id).state == "queued"
    assert client.job(job.id).progress.share == 0.0
    assert (
        list(client.trials(job.id, TrialQuery(sort="objective", order="desc", weight_function=("cppi", "merton"))))
        == []
    )
    for wrong in (lambda: client.result(job.id), lambda: client.export(job.id), lambda: client.reproduce(job.id)):
        with pytest.raises(Refused, match="has no result") as refused:
            wrong()
        assert (refused.value.status, refused.value.code) == (409, "CONFLICT")


def test_a_rejected_request_names_the_field_and_what_is_accepted(client):
    with pytest.raises(Refused) as refused:
        client.submit(REQUEST.model_copy(update={"universe": "nikkei"}))
    error = refused.value
    assert isinstance(error, UserError)
    assert (error.status, error.code, [each.field for each in error.details]) == (422, "VALIDATION_ERROR", ["universe"])
    assert "sp500" in (error.details[0].allowed or "")
    with pytest.raises(Refused, match="no-such-job") as missing:
        client.job("no-such-job")
    assert (missing.value.status, missing.value.code) == (404, "NOT_FOUND")


def test_a_fault_of_the_server_is_not_a_user_error():
    fault = {"error": {"code": "INTERNAL_SERVER_ERROR", "message": "a fault of the service", "details": []}}
    with scripted((500, {}, fault)) as (url, script), Client(url) as client, pytest.raises(ServerError) as failed:
        client.job("any")
    assert not isinstance(failed.value, UserError)
    assert (failed.value.status, failed.value.message, len(script.requests)) == (500, "a fault of the service", 1)


@pytest.mark.parametrize("content", [b"<html>hello</html>", b"{}", b'{"items": 3}'])
def test_an_answer_of_another_program_is_recognized(content):
    with (
        scripted((200, {}, content)) as (url, _),
        Client(url) as client,
        pytest.raises(ServerError, match="unknown response"),
    ):
        client.interrupts("any")
    with scripted((404, {}, content)) as (url, _), Client(url) as client, pytest.raises(Refused, match="404 Not Found"):
        client.interrupts("any")


def test_a_busy_server_is_retried_with_the_same_key():
    job = {"error": {"code": "CONFLICT", "message": "enough", "details": []}}
    with (
        scripted(BUSY, (429, {"Retry-After": "0"}, b"slow down"), (409, {}, job)) as (url, script),
        Client(url) as client,
        pytest.raises(Refused, match="enough"),
    ):
        client.submit(REQUEST)
    assert [(method, path) for method, path, _ in script.requests] == [("POST", "/api/jobs")] * 3
    assert len({headers["Idempotency-Key"] for _, _, headers in script.requests}) == 1


def test_retries_of_a_busy_server_are_limited():
    with scripted(BUSY) as (url, script), Client(url) as client, pytest.raises(Refused, match="storage") as refused:
        client.interrupts("any")
    assert (refused.value.status, len(script.requests)) == (503, 5)
    later = (503, {"Retry-After": "600"}, {"error": ENVELOPE})
    with scripted(later) as (url, script), Client(url) as client, pytest.raises(Refused):
        client.interrupts("any")
    assert len(script.requests) == 1


def test_a_missing_server_is_reported_without_a_retry(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with scripted((200, {}, DATA_SETS)) as (url, _):
        pass
    with Client(url) as client, pytest.raises(Refused, match=r"no server answers.*make serve") as refused:
        client.job("any")
    assert refused.value.code == "UNREACHABLE"
    assert pauses == []


def test_a_lost_response_neither_loses_nor_duplicates_a_job(client):
    with cut_wire(client.url, [0, 40]) as wire, Client(wire.url) as cut:
        job = cut.submit(REQUEST.model_copy(update={"name": "Lost"}))
        assert wire.cuts_left == 0
    assert [each.id for each in client.jobs(name="lost")] == [job.id]


def test_requests_without_an_idempotency_key_are_not_retried(client):
    draft, lost = PortfolioDraft(name="Once", assets={"AAPL": 1.0}), "may have executed the request"
    with cut_wire(client.url, [0] * 3) as wire, Client(wire.url) as cut, pytest.raises(Refused, match=lost) as refused:
        cut.keep_portfolio(draft)
    assert (refused.value.code, wire.connections) == ("UNANSWERED", 1)
    assert [each.name for each in client.portfolios()].count("Once") == 1


def test_events_over_a_broken_connection_arrive_once_and_in_order(home):
    write_log(home)
    cuts = [0, 300, 5_000, 1, 40_000, 777, 20_000]
    with run_server(application(home)) as url, cut_wire(url, cuts) as wire, Client(wire.url) as client:
        events = list(client.events(RUN))
        assert wire.cuts_left == 0
        assert list(client.events(RUN, after=len(events))) == []
        assert list(client.events(RUN, after=200)) == events[200:]
    assert [live.sequence for live in events] == list(range(1, 205))
    assert events[-1].event.event == "run_finished"


def test_events_continue_at_another_server(home):
    write_log(home)
    with (
        run_server(application(home)) as first,
        run_server(application(home)) as second,
        cut_wire(first, [20_000]) as wire,
        Client(wire.url) as client,
    ):
        stream = client.events(RUN)
        events = [next(stream)]
        wire.point_at(second)
        events += stream
    assert [live.sequence for live in events] == list(range(1, 205))


def test_retries_of_a_lost_server_are_limited_in_time(home):
    write_log(home, finished=False)
    with run_server(application(home)) as url, cut_wire(url, [20_000]) as wire, Client(wire.url) as client:
        stream = client.events(RUN, retry_seconds=0.3)
        events = [next(stream)]
        wire.close()
        with pytest.raises(Refused, match="no server answers") as refused:
            events += stream
    assert refused.value.code == "UNREACHABLE"


def test_an_unknown_run_has_no_events(client):
    with pytest.raises(Refused, match="nothing-of-that-name"):
        list(client.events("nothing-of-that-name"))


def test_a_message_is_answered_over_a_broken_connection(home):
    with run_server(application(home)) as url, Client(url) as whole, cut_wire(url, [0, 900, 2_000]) as wire:
        with Client(wire.url) as client:
            thread = whole.start_thread("Fun").id
            events = list(client.ask(thread, JOKE))
        assert [live.sequence for live in events] == list(range(1, len(events) + 1))
        assert (events[0].event.event, events[-1].event.event) == ("turn_started", "turn_finished")
        question, answered = whole.messages(thread)
        assert isinstance(question, QuestionMessage)
        assert isinstance(answered, AnswerMessage)
        assert (question.text, answered.outcome) == (JOKE, "declined")
        assert [each.id for each in whole.threads()] == [thread]
        given = whole.feedback(thread, 1, Opinion(rating=2, comment="not funny"))
        assert (given.rating, given.by) == (2, "local")
        branched = whole.branch(thread, 1)
        assert whole.thread(branched.id).turns == 1


def test_a_waiting_message_continues_after_the_decision(home):
    with run_server(application(home, guarded(home))) as url, Client(url) as client:
        thread = client.start_thread().id
        events = list(client.ask(thread, SEARCH))
        assert isinstance(events[-1].event, TurnPaused)
        [interrupt] = client.interrupts(thread)
        assert list(client.follow(client.turn(thread, 1), after=len(events))) == []
        turn = client.decide(thread, interrupt.run, Ruling(verdict="rejected", reason="too dear"))
        rest = list(client.follow(turn, after=len(events)))
        assert rest[-1].event.event == "turn_finished"
        assert client.interrupts(thread) == []
        assert client.job(interrupt.run).state == "rejected"


def test_a_decision_about_a_job_is_typed(client):
    job = client.submit(REQUEST)
    for decide in (
        lambda: client.approve(job.id),
        lambda: client.edit(job.id, trials=12),
        lambda: client.reject(job.id, reason="no"),
    ):
        with pytest.raises(Refused, match="waits for no decision"):
            decide()


def test_a_portfolio_change_requires_the_version_that_was_read(client):
    created = client.keep_portfolio(PortfolioDraft(name="Mine", assets={"AAPL": 0.5, "MSFT": 0.5}, tags=("core",)))
    changed = client.change_portfolio(created.id, PortfolioPatch(name="Ours"), version=created.version)
    assert (changed.name, changed.assets, changed.version) == ("Ours", created.assets, created.version + 1)
    with pytest.raises(Refused) as stale:
        client.change_portfolio(created.id, PortfolioPatch(name="Theirs"), version=created.version)
    assert (stale.value.status, stale.value.code) == (412, "PRECONDITION_FAILED")
    others = [client.keep_portfolio(PortfolioDraft(name=f"P{n}", assets={"XOM": 1.0})) for n in range(3)]
    assert [each.id for each in client.portfolios()][:4] == [each.id for each in others[::-1]] + [created.id]
    assert [each.id for each in client.portfolios(tag="core")] == [created.id]
    client.delete_portfolio(created.id, version=changed.version)
    assert [each.id for each in client.portfolios(deleted=True)] == [created.id]
    assert client.restore_portfolio(created.id).name == client.portfolio(created.id).name == "Ours"


def test_prices_are_imported_and_read(client):
    terms = Terms(total_return=False, mapping={"date": "date"})
    with pytest.raises(Refused, match="movement does not fail"):
        client.import_prices("mydata", price_file().encode(), Terms(accept={"movement": "made up for a test"}))
    report = client.import_prices("mydata", price_file().encode(), terms)
    assert (report.committed, list(client.datasets())) == (False, [])
    stored = client.import_prices("mydata", price_file().encode(), terms, commit=True)
    assert (stored.committed, [each.name for each in client.datasets()]) == (True, ["mydata"])
    prices = client.prices(["A", "B"], dataset="mydata", start=date(2024, 1, 3), end=date(2024, 1, 5))
    assert prices["A"].close == [101.0, 99.5, 102.0]
    returns = client.returns(["B"], dataset="mydata", returnType="daily")
    assert len(returns.dates) == 13
    with pytest.raises(Refused, match="no data set has prices of 'NIX'"):
        client.prices(["NIX"])


def test_optimized_portfolios_have_the_types_of_the_server(client):
    equal = client.risk_parity(RiskParityRequest(returns=RETURNS))
    assert sum(equal.result.weights.values()) == pytest.approx(1.0)
    assert client.hrp(HrpRequest(returns=RETURNS, variant="skfolio")).result.weights.keys() == {"A", "B"}
    tail = client.minimum_cvar(MinimumCvarRequest(returns=RETURNS, level=0.8))
    assert sum(tail.result.metrics.cvar_contribution.values()) == pytest.approx(
        tail.result.metrics.conditional_value_at_risk
    )
    diversified = client.maximum_diversification(MaximumDiversificationRequest(returns=RETURNS))
    assert diversified.result.metrics.diversification_ratio >= 1.0
    assert set(diversified.to_frame().index) == set(RETURNS)
    assert len(client.frontier(FrontierRequest(returns=RETURNS, num_portfolios=5)).result.portfolios) == 5


def test_risk_has_the_types_of_the_server(client):
    stress = StressRequest(loss=0.2, shocks={"sp500": -0.3})
    risk = client.risk(RiskRequest(holdings={"AAPL": 0.6, "cash": 0.4}, stress=stress))
    assert risk.reverse_stress is not None
    assert [row.asset for row in risk.reverse_stress.moves] == ["AAPL"]
    assert risk.reverse_stress.moves[0].move == pytest.approx(-0.2 / 0.6)
    assert risk.to_frame().loc["risk_factor_1_move", "value"] == -0.3


def test_simulations_and_evaluations_have_the_types_of_the_server(client):
    simulated = client.simulate(
        SimulationRequest(weights={"A": 0.6, "B": 0.4}, returns=RETURNS, num_simulations=50, num_periods=10)
    )
    assert client.analyze(simulated.id).simulation_id == simulated.id
    foreseen = client.estimate(REQUEST)
    assert foreseen.estimate.trials == 10
    expected_time = foreseen.estimate.expected_time
    assert expected_time is not None
    assert 0.0 < expected_time.low < expected_time.seconds < expected_time.high
    config = StrategyConfig(weight_function="constant", constant_weight=0.6)
    evaluation = client.evaluate(EvaluationRequest(config=config, scenario=REQUEST.scenarios[0]))
    assert evaluation.rule.config == config
