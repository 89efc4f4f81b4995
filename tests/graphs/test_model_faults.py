"""Model faults over HTTP: a retry succeeds, a fallback model replaces the first, or the run ends
with a typed failure from which it can be resumed."""

import asyncio
import socket
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from agents.models.options import ModelOptions, RetryPolicy
from tests.doubles.bedrock import replies
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.clients import MODEL
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import Fault, at_first, dead, embedded, faulty
from tests.doubles.bedrock.replies import Broken, Call, Reply, Reset, Say, Slow
from tests.graphs.bedrock_runs import (
    ASKED,
    EXPLAINER,
    MARKET,
    ONE,
    OPENS,
    OPTIONS,
    OTHER,
    OTHER_MODEL,
    QUICK,
    RISK,
    RunOutcome,
    answered_call,
    point_at,
    ran,
    replaced_call,
    retried_call,
)
from tests.graphs.invented_answers import INVENTED_NUMBER, assert_not_stored
from tests.soak_variants import a_few

pytestmark = pytest.mark.anyio

FIVE = 5
UNDISTURBED = [answered_call(agent) for agent in ASKED]
HALF = Say(
    (f"I believe it is {INVENTED_NUMBER}.",),
    (Call("RiskAssessment", {"concerns": ["none"], INVENTED_NUMBER: INVENTED_NUMBER}),),
)


def cut(by: "replies.Raise | replies.Break") -> Broken:
    """Interrupt an answer, whose tokens must not count."""
    return Broken(HALF, after=4, by=by)


def before_each(times: int, reply: Reply) -> Fault:
    """So many faults before each answer; an agent may repeat a request in a later plan."""
    counts = Counter[bytes]()

    def fault(received: Received) -> Reply | None:
        counts[received.digest] += 1
        return reply if counts[received.digest] % (times + 1) else None

    return fault


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the result of runs without a fault, by model."""
    digests: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch, Double(embedded()) as double:
        point_at(patch, double.url)
        for model in (ONE, OTHER):
            home = tmp_path_factory.mktemp("undisturbed")
            run_outcome = asyncio.run(ran(home, options=OPTIONS.model_copy(update={"model": model})))
            assert run_outcome.model_calls == [answered_call(agent, model) for agent in ASKED]
            assert run_outcome.authors == {model}
            digests[model] = run_outcome.digest
    return digests


@dataclass(frozen=True)
class Passing:
    reply: Reply
    reason: str
    streaming: bool = True


PASSING: dict[str, Passing] = {
    "throttled": Passing(replies.THROTTLED, "throttled"),
    "throttled_without_stream": Passing(replies.THROTTLED, "throttled", streaming=False),
    "throttled_midway": Passing(cut(replies.THROTTLED_MIDWAY), "throttled"),
    "unavailable": Passing(replies.UNAVAILABLE, "unavailable"),
    "internal_error_midway": Passing(cut(replies.INTERNAL_MIDWAY), "unavailable"),
    "model_error_midway": Passing(cut(replies.MODEL_ERROR_MIDWAY), "unavailable"),
    "reset": Passing(Reset(), "connection_lost"),
    "reset_midway": Passing(cut("reset"), "connection_lost"),
    "cut_frame": Passing(cut("cut"), "connection_lost"),
    "early_end": Passing(cut("end"), "connection_lost"),
    "cut_without_stream": Passing(cut("cut"), "connection_lost", streaming=False),
}


@pytest.mark.parametrize("case", a_few(PASSING, "cut_frame"))
async def test_transient_faults_are_retried_without_changing_the_result(case, home, monkeypatch, undisturbed):
    fault = PASSING[case]
    with Double(faulty(embedded(), before_each(FIVE, fault.reply))) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, options=OPTIONS.model_copy(update={"streaming": fault.streaming}))
    expected = [[*retried_call(agent, fault.reason, FIVE), answered_call(agent, attempts=FIVE + 1)] for agent in ASKED]
    assert run_outcome.model_calls == [entry for call in expected for entry in call]
    assert len(double.received) == (FIVE + 1) * len(ASKED)
    assert {received.operation for received in double.received} == {"ConverseStream" if fault.streaming else "Converse"}
    assert run_outcome.digest == undisturbed[ONE]
    assert_not_stored(home, *run_outcome.events)


@dataclass(frozen=True)
class Fatal:
    reply: Reply
    reason: str
    calls: int = 1
    patience: RetryPolicy = QUICK


TWICE = RetryPolicy(attempts=2, first_delay=0.0, time_limit=20.0)
SHORT = RetryPolicy(attempts=3, first_delay=0.0, time_limit=1.0)

FATAL: dict[str, Fatal] = {
    "throttled": Fatal(replies.THROTTLED, "throttled", QUICK.attempts),
    "throttled_midway": Fatal(cut(replies.THROTTLED_MIDWAY), "throttled", QUICK.attempts),
    "reset": Fatal(Reset(), "connection_lost", 2, TWICE),
    "early_end": Fatal(cut("end"), "connection_lost", 2, TWICE),
    "access_denied": Fatal(replies.DENIED, "access_denied"),
    "expired_credentials": Fatal(replies.EXPIRED, "credentials"),
    "unknown_credentials": Fatal(replies.BAD_TOKEN, "credentials"),
    "no_such_model": Fatal(replies.Fail("ResourceNotFoundException", "Could not find it."), "unknown_model"),
    "too_long": Fatal(replies.TOO_LONG, "too_long"),
    "too_long_midway": Fatal(cut(replies.INVALID_MIDWAY), "too_long"),
    "refused": Fatal(replies.Fail("ValidationException", "toolConfig: not supported."), "request_refused"),
    "silent": Fatal(Slow(HALF, before=30.0), "time_limit", 1, SHORT),
    "dripping": Fatal(Slow(HALF, between=0.4), "time_limit", 1, SHORT),
}


def options_of(patience: RetryPolicy) -> ModelOptions:
    """Without rests, which would let the next agents pass a dead model over."""
    return OPTIONS.model_copy(update={"patience": patience.model_copy(update={"rest": 0.0})})


@pytest.mark.parametrize("case", a_few(FATAL, "throttled", "expired_credentials", "no_such_model", "dripping"))
async def test_a_permanent_model_failure_ends_the_run_with_its_reason(case, home, monkeypatch):
    fault = FATAL[case]
    with Double(faulty(embedded(), dead(MODEL, fault.reply))) as double:
        point_at(monkeypatch, double.url)
        failed_run = await ran(home, options=options_of(fault.patience))
    assert failed_run.failure is not None
    assert (failed_run.failure.model, failed_run.failure.reason) == (ONE, fault.reason)
    assert ONE in str(failed_run.failure)
    assert failed_run.model_calls == retried_call(RISK, fault.reason, fault.calls - 1)
    assert failed_run.result is None
    assert fault.calls <= len(double.received) <= 2 * fault.calls, "two agents ask side by side"
    assert_not_stored(home, *failed_run.events, failed_run.failure)


@pytest.mark.parametrize("case", a_few(["throttled", "expired_credentials", "dripping"], "expired_credentials"))
async def test_a_run_that_failed_is_resumed_to_the_same_result(case, home, monkeypatch, undisturbed):
    fault = FATAL[case]
    with Double(faulty(embedded(), dead(MODEL, fault.reply))) as double:
        point_at(monkeypatch, double.url)
        failed_run = await ran(home, options=options_of(fault.patience))
        again = await ran(home, failed_run.run, options_of(fault.patience))
        assert again.failure is not None
        assert len(again.events) == 1, "the same failure is logged again"
    with Double(embedded()) as double:
        point_at(monkeypatch, double.url)
        resumed = await ran(home, failed_run.run)
    assert resumed.model_calls == UNDISTURBED
    assert resumed.digest == undisturbed[ONE]
    assert_not_stored(home, *resumed.events)


async def run_without_endpoint(home, monkeypatch) -> RunOutcome:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    point_at(monkeypatch, f"http://127.0.0.1:{port}")
    failed_run = await ran(home)
    assert failed_run.failure is not None
    assert failed_run.failure.reason == "unreachable"
    assert failed_run.model_calls == retried_call(RISK, "unreachable", FIVE)
    return failed_run


async def test_an_endpoint_that_is_down_ends_the_run(home, monkeypatch):
    await run_without_endpoint(home, monkeypatch)


@pytest.mark.soak
async def test_a_run_without_an_endpoint_is_resumed_to_the_same_result(home, monkeypatch, undisturbed):
    failed_run = await run_without_endpoint(home, monkeypatch)
    with Double(embedded()) as double:
        point_at(monkeypatch, double.url)
        resumed = await ran(home, failed_run.run)
    assert resumed.model_calls == UNDISTURBED
    assert resumed.digest == undisturbed[ONE]


def opening(received: Received) -> bool:
    return len(received.body["messages"]) == 1


@pytest.mark.soak
async def test_answers_before_a_failure_are_neither_requested_nor_logged_again(home, monkeypatch, undisturbed):
    """Each opening call is throttled once and each later call rejected once, so that every execution advances."""
    model_events: list[tuple[object, ...]] = []
    throttling = at_first(1, replies.THROTTLED, when=opening)
    refusing = at_first(1, replies.EXPIRED, when=lambda received: not opening(received))
    with Double(faulty(embedded(), throttling, refusing)) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home)
        executions = 1
        while run_outcome.failure and executions < len(ASKED):
            model_events += run_outcome.model_calls
            run_outcome = await ran(home, run_outcome.run)
            executions += 1
    model_events += run_outcome.model_calls
    answers = [call for call in model_events if call[0] == "answered"]
    attempts = [2, 1, 2, 1, 2, 1, 1, 1, 2, 1]  # the optimizer opens its second plan with the same request
    assert answers == [answered_call(agent, attempts=n) for agent, n in zip(ASKED, attempts, strict=True)]
    assert run_outcome.digest == undisturbed[ONE]
    in_flight = 1
    assert len(double.received) <= 2 * len(ASKED) + in_flight, "the failure of an agent may cut off another's call"


@dataclass(frozen=True)
class Dead:
    reply: Reply | None
    reason: str
    calls: int = 1
    patience: RetryPolicy = TWICE


DEAD: dict[str, Dead] = {
    "throttled": Dead(replies.THROTTLED, "throttled", 2),
    "throttled_midway": Dead(cut(replies.THROTTLED_MIDWAY), "throttled", 2),
    "access_denied": Dead(replies.DENIED, "access_denied"),
    "unknown": Dead(None, "unknown_model"),
    "reset": Dead(Reset(), "connection_lost", 2),
    "too_long": Dead(replies.TOO_LONG, "too_long"),
}


@pytest.mark.parametrize("case", a_few(DEAD, "throttled"))
async def test_the_next_model_decides_if_the_first_fails(case, home, monkeypatch, undisturbed):
    fault = DEAD[case]
    rules = [] if fault.reply is None else [dead(MODEL, fault.reply)]
    models = {OTHER_MODEL} if fault.reply is None else None
    options = options_of(fault.patience).model_copy(update={"fallbacks": (OTHER,)})
    with Double(faulty(embedded(), *rules), models=models) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, options=options)
    failing = [
        [*retried_call(agent, fault.reason, fault.calls - 1), replaced_call(agent, fault.reason)] for agent in ASKED
    ]
    # a fallback keeps a conversation to its end, so only the first call of each reaches the dead model
    expected = [
        [*(failed_run if first else ()), answered_call(agent, OTHER)]
        for agent, failed_run, first in zip(ASKED, failing, OPENS, strict=True)
    ]
    assert run_outcome.model_calls == [entry for call in expected for entry in call]
    assert run_outcome.authors == {OTHER}
    assert run_outcome.digest == undisturbed[OTHER]
    assert [received.model for received in double.received].count(OTHER_MODEL) == len(ASKED)
    assert_not_stored(home, *run_outcome.events)


async def test_the_next_model_decides_if_the_first_does_not_respond(home, monkeypatch):
    def silent(received: Received) -> Reply | None:
        asks = received.model == MODEL and opening(received) and received.tools[-1]["name"] == "Draft"
        return Slow(HALF, before=30.0) if asks else None

    options = options_of(RetryPolicy(attempts=2, first_delay=0.0, time_limit=2.0))
    with Double(faulty(embedded(), silent)) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, options=options.model_copy(update={"fallbacks": (OTHER,)}))
    last = replaced_call(EXPLAINER, "time_limit"), answered_call(EXPLAINER, OTHER), answered_call(EXPLAINER, OTHER)
    assert run_outcome.model_calls == [*UNDISTURBED[:-2], *last]
    assert run_outcome.authors == {ONE, OTHER}
    assert_not_stored(home, *run_outcome.events)


async def test_if_all_models_fail_the_last_failure_ends_the_run(home, monkeypatch):
    faults = dead(MODEL, replies.DENIED), dead(OTHER_MODEL, replies.EXPIRED)
    with Double(faulty(embedded(), *faults)) as double:
        point_at(monkeypatch, double.url)
        failed_run = await ran(home, options=OPTIONS.model_copy(update={"fallbacks": (OTHER,)}))
    assert failed_run.failure is not None
    assert (failed_run.failure.model, failed_run.failure.reason) == (OTHER, "credentials")
    assert failed_run.model_calls == [replaced_call(RISK, "access_denied")]


async def test_a_failure_of_the_second_agent_keeps_the_events_of_the_first(home, monkeypatch):
    def market(received):
        return replies.DENIED if any(tool["name"] == "MarketView" for tool in received.tools) else None

    with Double(faulty(embedded(), market)) as double:
        point_at(monkeypatch, double.url)
        failed_run = await ran(home, options=OPTIONS.model_copy(update={"fallbacks": (OTHER,)}))
    assert failed_run.model_calls == [answered_call(RISK), answered_call(RISK), replaced_call(MARKET, "access_denied")]


def hung_up(double: Double, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while double.in_flight and time.monotonic() < end:
        time.sleep(0.02)
    return not double.in_flight


async def test_an_abandoned_stream_is_closed(home, monkeypatch):
    """Otherwise the model would continue to generate paid tokens."""
    endless = Slow(Say(("word " * 200,)), between=0.2)
    with Double(lambda _: endless) as double:
        point_at(monkeypatch, double.url)
        failed_run = await ran(home, options=options_of(SHORT))
        assert failed_run.failure is not None
        assert await asyncio.to_thread(hung_up, double, seconds=5.0)
    assert not any(received.answered for received in double.received)


async def test_a_slow_model_within_its_time_limit_succeeds(home, monkeypatch, undisturbed):
    patient = options_of(RetryPolicy(attempts=1, time_limit=20.0))
    by_rules = embedded()

    def late(received: Received) -> Reply:
        reply = by_rules(received)
        assert isinstance(reply, Say)
        if not opening(received):
            return reply
        return Slow(reply, before=0.1, between=0.002)

    with Double(late) as double:
        point_at(monkeypatch, double.url)
        run_outcome = await ran(home, options=patient)
    assert run_outcome.model_calls == UNDISTURBED
    assert run_outcome.digest == undisturbed[ONE]
