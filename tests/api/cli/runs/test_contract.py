"""Both adapters of `Runs` answer the same calls alike: the store of this home, and a server with a worker."""

from collections.abc import Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from api.cli.runs.local import LocalRuns
from api.cli.runs.port import CompletedRun, Digests, Questions, RecordedDecision, Runs, WaitingRun
from api.cli.runs.server import ServerRuns
from api.client.client import Client
from api.draft_forms import DraftFields
from api.settings import Settings
from desk.base.errors import InvalidInput, UserError
from desk.governance.approvals import ApprovalDecision
from desk.optimization.request import OptimizationRequest
from desk.tearsheets.schemas import TearsheetRequest
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import application, run_server
from tests.graphs.dependencies import FIRST_DAY
from tests.graphs.jobs.queued_runs import queued_dependencies, working
from tests.graphs.runs.approval_process import LOW

ADAPTERS = ("local", "server")
REQUEST = OptimizationRequest(
    name="Contract",
    trials=12,
    scenarios=(BUILT_IN[0].model_copy(update={"paths": 100, "years": 1}),),
    first_day=FIRST_DAY,
)


def decision(verdict: str, **fields: Any) -> ApprovalDecision:
    return ApprovalDecision.model_validate({"verdict": verdict, "by": "local", "at": datetime.now(UTC)} | fields)


@dataclass
class History:
    """What an adapter returned from the submission of a request to its result."""

    runs: Runs
    waiting: WaitingRun
    while_waiting: tuple[str, Questions, str]
    """The state in the list, the open questions, and the error of a request for the result."""
    recorded: RecordedDecision
    completed: CompletedRun
    events: list[str]


@pytest.fixture(scope="module")
def histories(tmp_path_factory) -> Iterator[dict[str, History]]:
    here, there = (tmp_path_factory.mktemp(name) / "home" for name in ADAPTERS)
    settings = Settings.model_validate({"STRATIGOS_HOME": here, "APPROVE_EVALUATIONS": LOW.evaluations})

    @asynccontextmanager
    async def with_worker():
        async with queued_dependencies(there, thresholds=LOW) as dependencies, working(dependencies):
            yield dependencies

    with (
        closing(LocalRuns(settings)) as local,
        run_server(application(there, with_worker())) as url,
        Client(url) as client,
    ):
        yield {"local": history(local), "server": history(ServerRuns(client))}


def history(runs: Runs) -> History:
    events: list[str] = []
    run = runs.submit(REQUEST).run
    waiting = runs.follow(run, lambda event: events.append(event.event))
    assert isinstance(waiting, WaitingRun)
    with pytest.raises(UserError) as error:
        runs.completed(run)
    while_waiting = (runs.summaries()[0].state, runs.questions(), str(error.value))
    recorded = runs.decide(run, decision("edited", trials=10))
    completed = runs.follow(run, lambda event: events.append(event.event))
    assert isinstance(completed, CompletedRun)
    return History(runs, waiting, while_waiting, recorded, completed, events)


@pytest.fixture(params=ADAPTERS)
def adapter(request, histories) -> History:
    return histories[request.param]


def test_a_run_above_a_threshold_waits_for_a_decision(adapter):
    state, questions, error = adapter.while_waiting
    assert adapter.waiting.request.exceeded == ("evaluations",)
    assert state == "waiting"
    assert [row.question.name for row in questions.rows] == ["Contract"]
    assert "waits for a person" in error
    assert f"approve {adapter.waiting.run}{adapter.runs.option}" in error


def test_a_decision_is_followed_to_the_result(adapter):
    run = adapter.completed.run
    assert (adapter.recorded.decision.verdict, adapter.recorded.follow) == ("edited", True)
    assert adapter.completed.result.counts.trials == 10
    assert adapter.runs.questions().rows == []
    [summary] = [each for each in adapter.runs.summaries() if each.id == run]
    assert (summary.state, summary.result_digest) == ("completed", adapter.completed.result.digest())
    assert adapter.runs.completed(run[:10]).result == adapter.completed.result
    assert adapter.runs.elapsed().seconds["wall"] > 0.0


def test_both_adapters_give_the_same_result_and_events(histories):
    local, server = histories["local"], histories["server"]
    assert local.completed.result.digest() == server.completed.result.digest()
    # at a server the log also delivers the decision, which the local adapter has just recorded itself
    assert set(local.events) == set(server.events) - {"approval_decided"}


def test_a_completed_run_is_reported_exported_and_reproduced(adapter):
    runs, run = adapter.runs, adapter.completed.run
    starts = {"json": b"{", "csv": b"strategy,number", "xlsx": b"PK", "html": b"<!doctype html>"}
    for format_, start in starts.items():
        content = runs.export(run, format_)
        content = content.encode() if isinstance(content, str) else content
        assert content.lstrip(b"\xef\xbb\xbf").startswith(start), format_
    assert "Contract" in str(runs.report(adapter.completed))
    digest = adapter.completed.result.digest()
    assert runs.reproduce(run) == Digests(digest, digest, same_code=True)


def test_a_completed_run_is_neither_decided_again_nor_cancelled(adapter):
    with pytest.raises(UserError):
        adapter.runs.decide(adapter.completed.run, decision("rejected", reason="too late"))
    with pytest.raises(UserError):
        adapter.runs.cancel(adapter.completed.run, "too late")
    assert adapter.runs.resume(adapter.completed.run).run == adapter.completed.run


def test_a_rejected_run_has_no_result(adapter):
    run = adapter.runs.submit(REQUEST.model_copy(update={"name": "Rejected"})).run
    assert isinstance(adapter.runs.follow(run, lambda _: None), WaitingRun)
    recorded = adapter.runs.decide(run, decision("rejected", reason="too dear"))
    assert (recorded.run, recorded.decision.verdict) == (run, "rejected")
    with pytest.raises(UserError, match="was rejected and has no result"):
        adapter.runs.completed(run)


def test_an_interruption_says_how_to_continue(adapter):
    run = adapter.completed.run
    message = adapter.runs.interruption(run, KeyboardInterrupt())
    assert f"python -m api optimize --resume {run}{adapter.runs.option}" in message


@pytest.mark.parametrize("call", ["completed", "export", "reproduce", "cancel", "resume", "decide"])
def test_an_unknown_name_is_refused(adapter, call):
    rest = {"export": ("json",), "cancel": ("",), "decide": (decision("approved"),)}
    with pytest.raises(InvalidInput) as error:
        getattr(adapter.runs, call)("absent", *rest.get(call, ()))
    assert error.value.field in ("RUN", "--server")


def test_a_request_for_unknown_assets_names_its_field(adapter):
    with pytest.raises(InvalidInput) as error:
        adapter.runs.submit(REQUEST.model_copy(update={"universe": "stocks:NIX"}))
    assert error.value.field == "universe"


def test_a_draft_is_saved_corrected_and_submitted(adapter):
    runs = adapter.runs
    form = runs.save_draft(DraftFields({"name": "Draft", "trials": "many"}), None)
    assert [problem.field for problem in form.problems] == ["trials"]
    with pytest.raises(UserError, match=r"trials: .*; expected a whole number, 10 to 5000"):
        runs.submit_draft(form.id[:10])
    edited = runs.save_draft(DraftFields(REQUEST.model_dump(mode="json") | {"name": "Edited"}), form.id)
    assert (edited.id, edited.problems) == (form.id, ())
    assert runs.draft("last").request == edited.request
    assert [draft.name for draft in runs.drafts()] == ["Edited"]
    submission = runs.submit_draft("last")
    assert (submission.run, runs.drafts()) == (form.id, [])
    assert isinstance(runs.follow(submission.run, lambda _: None), WaitingRun)
    [summary] = [each for each in runs.summaries() if each.id == form.id]
    assert (summary.name, summary.state) == ("Edited", "waiting")
    assert runs.delete_draft(runs.save_draft(DraftFields({}), None).id) not in {each.id for each in runs.drafts()}
    with pytest.raises(InvalidInput, match="DRAFT: there is no draft 'absent'"):
        runs.draft("absent")


def test_the_tear_sheet_of_a_winner_is_that_of_its_stored_series(adapter):
    document = adapter.runs.tearsheet(TearsheetRequest(job=adapter.completed.run))
    result = adapter.completed.result
    assert (document.subject, str(document.train_end)) == ("job", result.manifest.train_end)
    assert str(document.last_day) == result.manifest.validate_end
    assert document.benchmark == "the constant weight of equal volatility"
    years = {year.year: year for year in document.years}
    for row in result.years:
        assert years[row.year].value == pytest.approx(row.winner, abs=1e-9)
        assert years[row.year].benchmark == pytest.approx(row.benchmark, abs=1e-9)
