"""A job by way of DynamoDB, S3 and SQS comes to what it comes to on this machine."""

from dataclasses import replace
from functools import partial

import pytest

from graphs import jobs
from graphs.runs import create_run, execute, run_of
from store.sqs import open_sqs_queue
from tests.aws import ministack, point_at
from tests.graphs.conftest import OWNER, open_desk
from tests.graphs.queued import working
from tests.store.openers import open_aws
from tools.datasets import load_owned
from tools.local import LocalRunner

pytestmark = pytest.mark.anyio


async def test_a_job_on_aws_has_the_digest_of_the_embedded_one(tmp_path, monkeypatch, small):
    homes = [tmp_path / name for name in ("here", "aws", "ministack")]
    for home in homes:
        home.mkdir()
    async with open_desk(homes[0]) as desk:
        run = await create_run(desk, OWNER, small())
        async for _ in execute(desk, OWNER, run):
            pass
        here = (await run_of(desk.store, OWNER, run)).result_digest
    with ministack(homes[2]) as server:
        point_at(monkeypatch, server.url)
        client = server.client("sqs")
        urls = [client.create_queue(QueueName=name)["QueueUrl"] for name in ("jobs", "dead")]
        async with open_desk(homes[1]) as desk, open_aws(homes[1]) as store, open_sqs_queue(*urls) as queue:
            runner = LocalRunner(store, partial(load_owned, store, desk.prices))
            remote = replace(desk, store=store, jobs=runner, queue=queue)
            first = await jobs.submit(remote, OWNER, small(), idempotency_key="a key")
            assert (await jobs.submit(remote, OWNER, small(), idempotency_key="a key")).id == first.id
            async with working(remote):
                told = [event.event async for event in jobs.followed(remote, OWNER, first.id)]
            done = await run_of(store, OWNER, first.id)
            assert await queue.depth() == 0
    assert told[-1] == "run_finished"
    assert done.result_digest == here
