"""What a finished and a broken job answer over HTTP."""

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from openpyxl import load_workbook

from desk.base.errors import UserError
from desk.optimization.reading.chart_schemas import Charts
from desk.optimization.reading.trial_pages import SortBy
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.optimization.unfinished import PartialResult
from desk.runs.repository import list_runs, load_run
from graphs.jobs.execution import execute
from graphs.jobs.job_queue import queue_of
from graphs.jobs.reproduction import request_reproduction
from graphs.runs.creation import create_run
from quant.strategies.metrics import Metrics
from quant.worlds.scenario import BUILT_IN
from store.errors import Unavailable
from store.queue import Document, Queue
from store.records import Key, iterate_records
from tests.api.http.application import application, open_client
from tests.graphs.dependencies import FIRST_DAY, open_dependencies
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies, working

pytestmark = pytest.mark.anyio

OWNER, DONE, BROKEN, OTHER = "local", "done", "broken", "other"
SCENARIOS = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:2])
REQUEST = OptimizationRequest(name="=Ours", trials=20, scenarios=SCENARIOS, seed=3, first_day=FIRST_DAY)


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """A home with a finished job, and one whose data were gone before its trials were judged."""
    home = tmp_path_factory.mktemp("searched")
    asyncio.run(_search(home))
    return home


async def _search(home: Path) -> None:
    async with open_dependencies(home) as dependencies:
        for name in (DONE, BROKEN):
            await create_run(dependencies, OWNER, REQUEST, run_id=name)
        await create_run(dependencies, OWNER, REQUEST.model_copy(update={"seed": 4, "trials": 10}), run_id=OTHER)
        for name in (DONE, OTHER):
            async for _ in execute(dependencies, OWNER, name):
                pass
        async for record in iterate_records(dependencies.store.records, OWNER, "trial", prefix=f"{DONE}."):
            if record.document["number"] < 12:
                digest = record.key.id.partition(".")[2]
                await dependencies.store.records.put(Key(OWNER, "trial", f"{BROKEN}.{digest}"), record.document)
        record = await dependencies.store.records.get(Key(OWNER, "run", BROKEN))
        assert record is not None
        document = {**record.document, "code_version": "0" * 64}
        await dependencies.store.records.put(record.key, document)
        with pytest.raises(UserError):
            [_ async for _ in execute(dependencies, OWNER, BROKEN)]
        await dependencies.store.records.put(record.key, {**record.document, "state": "cancelled"})


@asynccontextmanager
async def client_of(home: Path) -> AsyncGenerator[httpx.AsyncClient]:
    async with open_client(application(home, queued_dependencies(home))) as client:
        yield client


async def test_the_result_is_the_stored_one_and_is_sent_once(searched):
    async with client_of(searched) as client:
        answer = await client.get(f"/api/jobs/{DONE}/result")
        result = OptimizationResult.model_validate_json(answer.content)
        assert (await client.get(f"/api/jobs/{DONE}")).json()["result_digest"] == result.digest()
        again = await client.get(f"/api/jobs/{DONE}/result", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])


async def test_a_broken_job_has_a_partial_result_that_names_no_winner(searched):
    async with client_of(searched) as client:
        answer = await client.get(f"/api/jobs/{BROKEN}/result")
        partial = PartialResult.model_validate_json(answer.content)
        assert (await client.get(f"/api/jobs/{BROKEN}/export")).status_code == 409
    assert (partial.state, partial.trials, partial.wanted) == ("cancelled", 12, 20)
    assert "none of them is a recommendation" in partial.partial[0]
    assert sum(row.trials for row in partial.tried) == 12
    words = answer.text.replace(json.dumps(REQUEST.model_dump(mode="json"), separators=(",", ":")), "")
    for word in ("best", "winner", "benefit", "verdict", "optimal"):
        assert word not in words
    for row in partial.tried:
        numbers = [value for value in (row.lowest, row.median, row.highest) if value is not None]
        assert numbers == sorted(numbers)


async def walk(client: httpx.AsyncClient, job: str = DONE, **query: Any) -> list[dict]:
    rows, after = [], None
    while True:
        answer = await client.get(f"/api/jobs/{job}/trials", params=query | ({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        rows += answer.json()["items"]
        if (after := answer.json()["next"]) is None:
            assert len(rows) == answer.json()["total"]
            return rows


async def test_trials_are_paged_in_every_order_each_once(searched):
    async with client_of(searched) as client:
        whole = await walk(client)
        assert [row["number"] for row in whole] == list(range(20))
        assert sum(row["chosen"] for row in whole) == 1
        for sort in ("objective", "sharpe", "max_drawdown"):
            for order in ("asc", "desc"):
                rows = await walk(client, sort=sort, order=order, limit=3, scenario="base_case")
                assert sorted(row["number"] for row in rows) == list(range(20))
                values = [row["objective"] if sort == "objective" else row["metrics"][sort]["value"] for row in rows]
                numbers = [value for value in values if value is not None]
                assert numbers == sorted(numbers, reverse=order == "desc")
                assert values[: len(numbers)] == numbers
        trial = (await client.get(f"/api/jobs/{DONE}/trials/{whole[4]['digest']}")).json()
        assert trial["train"]["metrics"] == whole[4]["metrics"]
        assert [one["scenario"] for one in trial["evaluations"]] == ["base_case", "bull_market"]


async def test_a_trial_says_which_limits_it_breaks_and_by_how_much(searched):
    async with client_of(searched) as client:
        rows = await walk(client)
        assert {bool(row["breaches"]) for row in rows} == {False, True}
        for row in rows:
            checks = (await client.get(f"/api/jobs/{DONE}/trials/{row['digest']}")).json()["limits"]
            assert all(check["passed"] == (check["statistic"] <= check["allowed"] + 1e-9) for check in checks)
            assert row["breaches"] == [*dict.fromkeys(check["limit"] for check in checks if not check["passed"])]
            assert row["feasible"] is (None if row["screened"] else not row["breaches"])


async def test_trials_are_filtered(searched):
    async with client_of(searched) as client:
        whole = await walk(client)
        name = whole[0]["config"]["weight_function"]
        own = await walk(client, weight_function=name, limit=2)
        assert own == [row for row in whole if row["config"]["weight_function"] == name]
        for field in ("feasible", "screened"):
            for wanted in (True, False):
                assert await walk(client, DONE, **{field: wanted}) == [row for row in whole if row[field] is wanted]
        means = sorted(row["means"]["volatility"] for row in whole if row["means"])
        low, high = means[2], means[-3]
        within = await walk(client, within=[f"volatility:{low!r}..{high!r}", "objective:-1..1"])
        assert within == [row for row in whole if row["means"] and low <= row["means"]["volatility"] <= high]
        broken = await walk(client, BROKEN)
        assert [row["number"] for row in broken] == list(range(12))
        assert not [row for row in broken if row["chosen"]]
        partial = (await client.get(f"/api/jobs/{BROKEN}/trials")).json()["partial"]
    assert "none was tested for luck" in partial[0]


async def test_a_wrong_cursor_or_field_says_what_is_allowed(searched):
    async with client_of(searched) as client:
        cursor = (await client.get(f"/api/jobs/{DONE}/trials", params={"limit": 2})).json()["next"]
        for query, field in (
            ({"after": "nonsense"}, "after"),
            ({"after": "ü"}, "after"),
            ({"after": cursor, "sort": "sharpe"}, "after"),
            ({"sort": "beauty"}, "query.sort"),
            ({"limit": 1001}, "query.limit"),
            ({"scenario": "moon"}, "scenario"),
            ({"within": "beauty:0..1"}, "query.within.0"),
            ({"within": "volatility:0..1.2.3"}, "query.within.0"),
            ({"within": "volatility:-..1"}, "query.within.0"),
        ):
            answer = await client.get(f"/api/jobs/{DONE}/trials", params=query)
            assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, field)
        assert (await client.get(f"/api/jobs/{DONE}/trials/{'0' * 64}")).status_code == 404


def test_trials_can_be_sorted_by_every_metric():
    assert {*get_args(SortBy)} == {"number", "objective", *Metrics.model_fields}


@pytest.mark.soak
async def test_charts_are_kept_and_the_same_when_they_are_made_anew(searched):
    at = f"/api/jobs/{DONE}/charts"
    async with client_of(searched) as client:
        first, second = [await client.get(at, params={"points": 300}) for _ in range(2)]
        other = await client.get(at, params={"points": 400})
        third = await client.get(at, params={"points": 300})
        assert [answer.headers["X-Cache"] for answer in (first, second, other, third)] == [
            "miss",
            "hit",
            "miss",
            "miss",
        ]
        assert first.content == second.content == third.content != other.content
        tag = first.headers["ETag"]
        assert tag == f'"{hashlib.sha256(first.content).hexdigest()}"'
        unchanged = await client.get(at, params={"points": 300}, headers={"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.headers["X-Cache"]) == (304, "hit")
        alone = await client.get(at, params={"chart": "drawdown"})
    charts = Charts.model_validate_json(first.content)
    assert (charts.provenance.job, charts.partial) == (DONE, ())
    assert not [name for name in Charts.model_fields if getattr(charts, name) is None]
    assert charts.drawdown is not None
    assert len(charts.drawdown.dates) <= 300
    assert {name for name, content in alone.json().items() if content} == {"provenance", "findings", "drawdown"}


async def test_a_kept_answer_that_was_damaged_is_made_anew(searched):
    at = f"/api/jobs/{DONE}/export"
    async with client_of(searched) as client:
        first = await client.get(at, params={"format": "csv"})
        [blob] = [path for path in searched.rglob("*trials.csv*") if path.is_file()]
        blob.write_bytes(b"half")
        second = await client.get(at, params={"format": "csv"})
    assert (second.headers["X-Cache"], second.content) == ("miss", first.content)


async def test_the_risk_of_a_job_is_that_of_its_winner(searched):
    async with client_of(searched) as client:
        risk = await client.post("/api/risk", json={"job": DONE, "stress": {"shocks": {"sp500": -0.3}}})
        sheet = (await client.post("/api/tearsheets", json={"job": DONE})).json()
        result = (await client.get(f"/api/jobs/{DONE}/result")).json()
        assert (await client.post("/api/risk", json={"job": BROKEN})).status_code == 409
        assert (await client.post("/api/risk", json={"job": "none"})).status_code == 404
    assert risk.status_code == 200, risk.text
    report = risk.json()
    assert (report["first_day"], report["last_day"]) == (sheet["first_day"], sheet["last_day"])
    figures = {figure["id"]: figure["value"] for figure in report["figures"]}
    stated = {row["name"]: row["value"] for row in sheet["statistics"]}
    for name in ("volatility", "max_drawdown"):
        assert figures[f"risk_{name}"] == pytest.approx(stated[name], abs=1e-9)
    held = {part["asset"]: part["weight"] for part in report["components"]}
    [now] = [figure["value"] for figure in result["figures"] if figure["id"] == "today_weight"]
    assert held["risky leg"] == pytest.approx(now, abs=1e-9)


async def test_a_completed_job_is_explained_in_words(searched):
    async with client_of(searched) as client:
        explanation = (await client.get(f"/api/jobs/{DONE}/explanation")).json()
        result = (await client.get(f"/api/jobs/{DONE}/result")).json()
        broken = await client.get(f"/api/jobs/{BROKEN}/explanation")
    assert explanation["advice"] == result["verdict"]["advice"]
    assert [figure["id"] for figure in explanation["figures"]] == [figure["id"] for figure in result["figures"]]
    texts = ["".join(piece["text"] for piece in claim) for part in explanation["sections"] for claim in part["claims"]]
    assert sorted(texts) == sorted(claim["text"] for claim in result["explanation"]["claims"])
    assert broken.status_code == 409


async def test_a_broken_job_has_charts_of_its_trials_that_are_not_kept(searched):
    async with client_of(searched) as client:
        first, second = [await client.get(f"/api/jobs/{BROKEN}/charts") for _ in range(2)]
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "miss")
    charts = Charts.model_validate_json(second.content)
    assert charts.partial
    assert charts.convergence is not None
    assert charts.risk_return is not None
    assert len(charts.convergence.trial) <= 12
    assert not [point for point in charts.risk_return.points if point.chosen]
    assert charts.drawdown is None


@pytest.mark.parametrize("format_", ["json", "csv", "xlsx", "html"])
async def test_a_file_says_where_it_comes_from_and_is_the_same_each_time(searched, format_):
    async with client_of(searched) as client:
        at = f"/api/jobs/{DONE}/export"
        first, second = [await client.get(at, params={"format": format_}) for _ in range(2)]
        result = OptimizationResult.model_validate_json((await client.get(f"/api/jobs/{DONE}/result")).content)
    assert second.headers["X-Cache"] == "hit"
    assert first.content == second.content
    assert first.headers["Content-Disposition"] == f'attachment; filename="stratigos-{DONE}.{format_}"'
    text = _text_of(format_, first.content)
    for part in (DONE, result.manifest.last_day, result.manifest.data_digest):
        assert part in text
    async with open_dependencies(searched) as dependencies:
        run = await load_run(dependencies.store, OWNER, DONE)
        await dependencies.store.records.delete(Key(OWNER, "derived", f"{run.id}.export.{format_}"))
        await dependencies.store.records.delete(Key(OWNER, "derived", f"{run.id}.export.trials.csv"))
    async with client_of(searched) as client:
        anew = await client.get(f"/api/jobs/{DONE}/export", params={"format": format_})
    assert (anew.headers["X-Cache"], anew.content) == ("miss", first.content)


def _text_of(format_: str, content: bytes) -> str:
    """What the file says, as the program that opens it reads it."""
    match format_:
        case "json":
            document = json.loads(content)
            assert len(document["trials"]) == 20
            return str(document["provenance"])
        case "csv":
            row = next(csv.DictReader(io.StringIO(content.decode())))
            assert row["strategy"] == "'=Ours"
            return str(row)
        case "xlsx":
            book = load_workbook(io.BytesIO(content))
            assert not [cell for sheet in book for row in sheet for cell in row if cell.data_type == "f"]
            return str([[cell.value for cell in row] for row in book["Result"]])
        case _:
            return content.decode()


async def test_others_are_answered_while_a_report_is_drawn(searched):
    async with client_of(searched) as client:
        drawn = asyncio.create_task(client.get(f"/api/jobs/{OTHER}/export", params={"format": "html"}))
        answered = 0
        while not drawn.done():
            assert (await client.get("/api/health")).status_code == 200
            answered += 1
            await asyncio.sleep(0.001)
        assert (await drawn).headers["X-Cache"] == "miss"
    assert answered > 30


async def test_the_figures_are_a_table_of_their_own(searched):
    async with client_of(searched) as client:
        answer = await client.get(f"/api/jobs/{DONE}/export", params={"format": "csv", "table": "figures"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {"benefit_bps", "overfitting"} <= {row["figure"] for row in rows}
    assert {row["job"] for row in rows} == {DONE}


async def test_finished_jobs_stand_beside_each_other(searched):
    async with client_of(searched) as client:
        answer = await client.get("/api/jobs/compare", params={"ids": f"{DONE},{OTHER}"})
        assert answer.status_code == 200, answer.text
        [pair] = answer.json()["pairs"]
        assert {change["field"] for change in pair["comparison"]["changes"]} == {"seed", "trials"}
        assert pair["difference"]["low"] <= pair["difference"]["utility_bps"] <= pair["difference"]["high"]
        for ids, status in ((f"{DONE},{BROKEN}", 409), (f"{DONE},none", 404), (DONE, 422), (f"{DONE},{DONE}", 422)):
            assert (await client.get("/api/jobs/compare", params={"ids": ids})).status_code == status


class Down:
    """A queue that takes nothing."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def send(self, body: Document) -> str:
        raise Unavailable(f"the queue is unavailable, and does not take {body}")


async def test_a_finished_job_is_reproduced_by_a_worker_without_a_model(searched):
    at = f"/api/jobs/{DONE}"
    async with client_of(searched) as client, queued_dependencies(searched) as dependencies:
        with pytest.raises(Unavailable):
            await request_reproduction(replace(dependencies, queue=Down(queue_of(dependencies))), OWNER, DONE)
        assert (await client.get(f"{at}/reproductions")).json() == {"items": [], "next": None}
        response = await client.post(f"{at}/reproduce")
        assert (response.status_code, response.json()["state"], response.json()["same"]) == (202, "queued", None)
        assert (await client.post(f"{at}/reproduce")).json() == response.json()
        assert (await client.post(f"/api/jobs/{BROKEN}/reproduce")).status_code == 409
        other = (await client.post(f"/api/jobs/{OTHER}/reproduce")).json()
        forged = {**other, "stored_digest": "0" * 64}
        await dependencies.store.records.put(Key(OWNER, "reproduction", f"{OTHER}.{other['id']}"), forged)
        async with working(replace(dependencies, models=None)):

            async def all_ended() -> bool:
                lists = [(await client.get(f"/api/jobs/{job}/reproductions")).json()["items"] for job in (DONE, OTHER)]
                return all(one["ended_at"] for ones in lists for one in ones)

            await eventually(all_ended)
        [done] = (await client.get(response.headers["Location"])).json()["items"]
        assert (done["state"], done["same"], done["same_code"]) == ("done", True, True)
        assert done["reproduced_digest"] == done["stored_digest"]
        [differs] = (await client.get(f"/api/jobs/{OTHER}/reproductions")).json()["items"]
        assert (differs["state"], differs["same"]) == ("done", False)
        assert await queue_of(dependencies).depth() == 0
        assert [run.id for run in await list_runs(dependencies.store, OWNER)] == [OTHER, BROKEN, DONE]
