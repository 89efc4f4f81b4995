"""What reaches a function on Lambda besides requests: batches of jobs, schedules, files put into the bucket."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest

from api.lambda_.dispatch import STOP_BEFORE_END
from api.lambda_.http_events import MARGIN
from desk.base.clock import utc_now
from desk.market.datasets.repository import read_bars, read_version
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import list_runs
from desk.runs.states import STOPPED_STATES
from graphs.jobs import job_queue
from graphs.runs.leases import hold_lease
from quant.worlds.scenario import BUILT_IN
from store.queue import Delivery
from store.records import Key, Put
from tests.api.http.sample_requests import price_file
from tests.api.lambda_.function import Driven, driven
from tests.api.lambda_.function_events import answer_event, dependencies_of, queue_event, receive_deliveries
from tests.desk.market.files.price_samples import REFUSED, SAMPLES, Expected, content_of, expected
from tests.doubles.lambda_.gateway_events import rest
from tests.graphs.dependencies import FIRST_DAY, OWNER
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio

BUCKET = "desk-files"


def put(*keys: str, bucket: str = BUCKET, size: int = 1024) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/"), "size": size}},
            }
            for key in keys
        ]
    }


def again(answer: dict[str, Any]) -> Sequence[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


@pytest.fixture
async def queued(home):
    async with driven(home, queued_dependencies(home)) as one:
        yield one


@pytest.fixture
async def filed(home):
    async with driven(home, STRATIGOS_STORE=f"dynamodb:desk,s3:{BUCKET}") as one:
        yield one


async def given_back(one: Driven) -> Delivery:
    """A job whose invocation was over before it was done."""
    dependencies = dependencies_of(one)
    scenarios = tuple(each.model_copy(update={"paths": 100, "years": 1}) for each in BUILT_IN[:1])
    await job_queue.submit(
        dependencies, OWNER, OptimizationRequest(trials=10, scenarios=scenarios, seed=3, first_day=FIRST_DAY)
    )
    (delivery,) = await receive_deliveries(one, 1)
    assert again(await answer_event(one, queue_event(delivery), seconds=STOP_BEFORE_END + MARGIN + 0.2)) == [
        delivery.id
    ]
    return delivery


async def test_a_job_that_outlasts_its_invocation_is_given_back(queued: Driven):
    first = await given_back(queued)
    (run,) = await list_runs(dependencies_of(queued).store, OWNER)
    assert run.state not in STOPPED_STATES
    (second,) = await receive_deliveries(queued, 1)  # at once: it need not wait until a lease has ended
    assert (second.id, second.attempt) == (first.id, 2)


@pytest.mark.soak
async def test_a_job_that_was_given_back_goes_on_in_the_next_invocation(queued: Driven):
    await given_back(queued)
    (delivery,) = await receive_deliveries(queued, 1)
    assert again(await answer_event(queued, queue_event(delivery), seconds=600.0)) == []
    (run,) = await list_runs(dependencies_of(queued).store, OWNER)
    assert run.state == "completed"
    assert await job_queue.queue_of(dependencies_of(queued)).depth() == 0


async def test_of_a_batch_only_what_cannot_be_done_now_comes_again(queued: Driven):
    dependencies, queue = dependencies_of(queued), job_queue.queue_of(dependencies_of(queued))
    bodies = [{"owner": OWNER, "job": "gone", "number": 1}, {"owner": OWNER, "job": "held"}, {"what": "is this"}]
    for body in bodies:
        await queue.send(body)
    done, delayed, odd = await receive_deliveries(queued, 3)
    async with hold_lease(dependencies.store, OWNER, "held"):
        answer = await answer_event(
            queued, queue_event(done, delayed, odd, Delivery("old", bodies[0], 1, "of another time"))
        )
    assert again(answer) == [delayed.id, "old"]
    assert [each.id for each in await queue.dead_letters()] == [odd.id]


async def test_schedules_and_events_carry_out_tasks(queued: Driven):
    dependencies = dependencies_of(queued)
    past = utc_now() - timedelta(days=1)
    await dependencies.store.records.put_many([Put(Key(OWNER, "idempotency", "a"), {}, 0, expires=past)])
    rule = "arn:aws:events:eu-west-1:123456789012:rule/stratigos-prod-sweep"
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "resources": [rule], "detail": {}}
    for event in ({"task": "sweep"}, {"source": "stratigos", "detail-type": "sweep", "detail": {}}, scheduled):
        assert await answer_event(queued, event) == {"task": "sweep", "sent": 0, "going_on": 0}
    counts = ("archived", "kept", "checkpoints", "bytes", "derived", "trajectories", "shards", "expired")
    nothing = dict.fromkeys((*counts, "jobs_expired"), 0)
    for expired in (1, 0):
        answer = await answer_event(queued, {"task": "cleanup"})
        assert answer == {"task": "cleanup", **nothing, "expired": expired}
    wrong = await queued.answer({"task": "sleep"})
    assert (wrong.failed, "'sleep'" in wrong.json()["errorMessage"]) == (True, True)
    assert "expected sweep, cleanup" in wrong.json()["errorMessage"]


async def test_a_file_that_is_put_into_the_bucket_becomes_a_data_set(filed: Driven):
    blobs, key = dependencies_of(filed).store.blobs, f"imports/{OWNER}/mydata.csv"
    await blobs.put(key, price_file().encode())
    answer = await answer_event(filed, put(key))
    assert answer["refused"] == []
    report = answer["imported"][0]["report"]
    assert (answer["imported"][0]["key"], report["dataset"], report["committed"]) == (key, "mydata", True)
    listed = await filed.answer(rest("GET", "/api/market-data/datasets"))
    assert b'"mydata"' in listed.streamed
    entries, _ = await filed.app.state.service.audit.page(None, 10)
    assert [(each.owner, each.via, each.action, each.outcome) for each in entries] == [
        (OWNER, f"s3:{BUCKET}", "imports.put", None),
        (OWNER, f"s3:{BUCKET}", "imports.put", "done"),
    ]
    twice = await answer_event(filed, put(key))  # notifications may come twice
    assert twice["imported"][0]["report"]["unchanged"]


async def test_an_event_of_s3_on_eventbridge_imports_the_file_of_its_plain_key(filed: Driven):
    key = "imports/a+b/mydata.csv"
    await dependencies_of(filed).store.blobs.put(key, price_file().encode())
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1024}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    answer = await answer_event(filed, event)
    assert ([each["key"] for each in answer["imported"]], answer["refused"]) == ([key], [])
    deleted = await filed.answer(event | {"detail-type": "Object Deleted"})
    assert deleted.failed
    assert "expected Object Created" in deleted.json()["errorMessage"]


async def test_every_format_that_is_put_into_the_bucket_gives_the_same_closes(filed: Driven):
    store = dependencies_of(filed).store
    ends = {"gzip": "csv.gz", "zip": "zip"}
    keys = {name: f"imports/{OWNER}/d{n}.{ends.get(name, 'csv')}" for n, name in enumerate(SAMPLES)}
    for name, key in keys.items():
        await store.blobs.put(key, content_of(SAMPLES[name]))
    for n, (name, key) in enumerate(keys.items()):
        answer = await answer_event(filed, put(key))
        assert answer["refused"] == [], name
        version = await read_version(store, OWNER, f"d{n}", answer["imported"][0]["report"]["version"]["hash"])
        bars = await read_bars(store, OWNER, version)
        days = tuple(str(day) for day in bars.dates)
        assert Expected(bars.assets, days, bars.closes.tolist()) == expected(name, f"D{n}"), name


async def test_damaged_files_that_are_put_into_the_bucket_are_refused(filed: Driven):
    keys = [f"imports/{OWNER}/r{n}.csv" for n in range(len(REFUSED))]
    for key, (sample, _) in zip(keys, REFUSED.values(), strict=True):
        await dependencies_of(filed).store.blobs.put(key, content_of(sample))
    answer = await answer_event(filed, put(*keys))
    assert [each["key"] for each in answer["refused"]] == keys


async def test_odd_files_are_refused_and_not_tried_for_ever(filed: Driven):
    blobs = dependencies_of(filed).store.blobs
    await blobs.put(f"imports/{OWNER}/broken.csv", b"\x7fELF")
    keys = [
        f"imports/{OWNER}/broken.csv",
        f"imports/{OWNER}/missing.csv",
        "imports/../mydata.csv",
        "imports/_desk/mydata.csv",
        f"imports/{OWNER}/My Data+1.csv",
        f"imports/{OWNER}/deeper/mydata.csv",
        f"imports/{OWNER}/mydata.exe",
        f"{OWNER}/imports/mydata.csv",
    ]
    answer = await answer_event(filed, put(*keys))
    assert [each["key"] for each in answer["refused"]] == keys
    assert answer["imported"] == []
    for event, field in ((put(keys[1], bucket="another"), "bucket"), (put(keys[1], size=10**9), "object.size")):
        assert (await answer_event(filed, event))["refused"][0]["reason"].startswith(f"{field}: ")
    removed = put(keys[0])
    removed["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert (await answer_event(filed, removed))["refused"][0]["reason"].startswith("eventName: ")
