"""What each process does on AWS, with credentials of its own, and the actions that its calls need."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app, create_dependencies
from api.lambda_.dispatch import cleanup, respond
from api.models import model_maker
from api.secret_references import renew
from api.settings import read_settings
from desk.base.clock import utc_now
from desk.governance.audit_anchors import PROGRESS
from desk.runs.repository import load_run
from graphs.dependencies import Dependencies
from graphs.jobs import job_queue
from infra.permissions import Process, Resource
from store.aws.store import create_tables
from tests.api.http.sample_requests import SMALL_JOB, TECH_PORTFOLIO, price_file
from tests.api.lambda_.function_events import queue_event
from tests.doubles.aws import Aws
from tests.doubles.bedrock.clients import MODEL
from tests.doubles.bedrock.double import Double
from tests.doubles.lambda_.gateway_events import HOST, rest
from tests.doubles.lambda_.management_api import Gateway
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.graphs.jobs.queued_runs import eventually, working

RESOURCES: Mapping[str, Resource] = {
    "process-records": "records",
    "process-events": "events",
    "process-audit": "audit",
    "process-checkpoints": "checkpoints",
    "process-documents": "documents",
    "process-job-files": "jobs",
    "process-jobs": "queue",
    "process-dead": "dead",
    "process-audit-key": "audit_key",
}
"""Resources by the names that the journeys give them; other tests share the double of AWS."""
BEDROCK = {"Converse": "bedrock:InvokeModel", "ConverseStream": "bedrock:InvokeModelWithResponseStream"}
SECONDS = 600.0
CONNECTION = "Ojw5ZdDNIAMCJGQ="
Recorded = dict[str, dict[str, list[str]]]


class Account:
    """An AWS account with all services that the program calls, and their calls by process."""

    def __init__(self, aws: Aws, fleet: Fleet, bedrock: Double, gateway: Gateway, patch: pytest.MonkeyPatch) -> None:
        self._aws, self._fleet, self._bedrock, self._gateway, self._patch = aws, fleet, bedrock, gateway, patch
        self._calls: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        create_tables(aws.dynamodb, "process")
        aws.table("process-checkpoints", {"PK": "HASH", "SK": "RANGE"})
        aws.bucket("process-documents")
        aws.bucket("process-job-files")
        aws.client("secretsmanager").create_secret(Name="process-audit-key", SecretString="s" * 64)
        jobs, dead = (
            aws.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("process-jobs", "process-dead")
        )
        for name, value in {
            "STRATIGOS_STORE": "dynamodb:process,s3:process-documents",
            "STRATIGOS_CHECKPOINTS": "dynamodb:process-checkpoints,s3:process-documents",
            "STRATIGOS_QUEUE": f"sqs:{jobs},dead:{dead}",
            "STRATIGOS_SOCKETS": gateway.url,
            "STRATIGOS_COMPUTE": "sagemaker",
            "SAGEMAKER_IMAGE": IMAGE_URI,
            "SAGEMAKER_ROLE": ROLE,
            "SAGEMAKER_STORAGE": "s3://process-job-files",
            "APPROVE_INSTANCES": "none",
            "STRATIGOS_AUDIT_KEY": "secretsmanager:process-audit-key",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": aws.url,
            "MODEL": f"bedrock_converse:{MODEL}",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "AWS_REGION": "eu-west-1",
        }.items():
            patch.setenv(name, value)

    @asynccontextmanager
    async def process(self, name: Process) -> AsyncGenerator[FastAPI]:
        """The application with the credentials of a process."""
        self._patch.setenv("AWS_ACCESS_KEY_ID", name)
        before = len(self._fleet.requests), len(self._bedrock.received), self._gateway.posts
        renew("STRATIGOS_AUDIT_KEY")  # each process reads it once
        settings = read_settings()
        app = create_app(settings, create_dependencies(settings, model_maker(settings), queued=True))
        async with app.router.lifespan_context(app):
            yield app
        requests, received, posts = before
        calls = self._calls[name]
        for call in self._aws.calls:
            if call.key == name:
                calls[RESOURCES[call.resource]].add(call.action)
        for request in self._fleet.requests[requests:]:
            calls["processing"].add(f"sagemaker:{request.operation}")
            if "RoleArn" in request.request:
                calls["job_role"].add("iam:PassRole")
            if "Tags" in request.request:
                calls["processing"].add("sagemaker:AddTags")
        for call in self._bedrock.received[received:]:
            calls["model"].add(BEDROCK[call.operation])
        if self._gateway.posts > posts:
            calls["sockets"].add("execute-api:ManageConnections")

    def forget_anchors(self) -> None:
        """Let the next process anchor the audit log, which is done once a minute."""
        key = {"pk": {"S": f"{PROGRESS.owner}#r#{PROGRESS.kind}"}, "sk": {"S": PROGRESS.id}}
        self._aws.dynamodb.delete_item(TableName="process-audit", Key=key)

    def recorded(self) -> Recorded:
        return {
            process: {resource: sorted(actions) for resource, actions in sorted(calls.items())}
            for process, calls in sorted(self._calls.items())
        }


async def ask(app: FastAPI, event: dict[str, Any]) -> Any:
    """The answer of the function to an event; of HTTP its JSON body."""
    answer = await respond(app, event, asyncio.get_running_loop().time() + SECONDS)
    if "httpMethod" not in event:
        return answer
    assert answer["statusCode"] < 300, answer
    return json.loads(answer["body"]) if answer["body"] else None


def dependencies_of(app: FastAPI) -> Dependencies:
    return app.state.service.dependencies


async def record(account: Account, fleet: Fleet, gateway: Gateway) -> Recorded:
    """Every process does once what it does in operation."""
    async with account.process("http") as app:
        followed, cancelled = await use_interface(app, gateway)
    async with account.process("worker") as app:
        await execute_jobs(app, followed)
    async with account.process("http") as app:
        await ask(app, rest("DELETE", f"/api/jobs/{cancelled}"))
        await app.state.service.answering.idle()
    account.forget_anchors()
    async with account.process("tasks") as app:
        await carry_out_tasks(app, fleet)
    async with account.process("worker") as app:
        await finish_jobs(app, followed)
    async with account.process("tasks") as app:
        assert (await clean_up_later(app))["archived"] == 2
    async with account.process("http") as app:
        await ask(app, rest("POST", f"/api/jobs/{followed}/unarchive"))
    async with account.process("worker") as app:
        await clean_up_later(app)
    return account.recorded()


async def record_without_computations(account: Account, gateway: Gateway) -> Recorded:
    """What the interface and the tasks do besides searches, imports and conversations, within seconds."""
    async with account.process("http") as app:
        await check_readiness(app)
        await change_portfolios(app)
        assert (await ask(app, rest("GET", "/api/audit")))["items"]
        _, cancelled = await submit_jobs(app, gateway)
        await ask(app, rest("DELETE", f"/api/jobs/{cancelled}"))
    async with account.process("tasks") as app:
        for task in ("sweep", "cleanup"):
            await ask(app, {"task": task})
        await clean_up_later(app)
    return account.recorded()


async def use_interface(app: FastAPI, gateway: Gateway) -> tuple[str, str]:
    """Requests of a user; returns a job that a socket follows, and one to be cancelled."""
    await check_readiness(app)
    await change_portfolios(app)
    assert (await ask(app, rest("GET", "/api/audit")))["items"]
    await ask(app, rest("POST", "/api/market-data/imports?dataset=own&dry_run=false", price_file()))
    thread = await ask(app, rest("POST", "/api/threads"))
    await respond(
        app,
        rest("POST", f"/api/threads/{thread['id']}/runs", json.dumps({"message": "how volatile is the S&P 500?"})),
        asyncio.get_running_loop().time() + SECONDS,
    )
    await app.state.service.answering.idle()
    await ask(app, rest("DELETE", f"/api/threads/{thread['id']}"))
    return await submit_jobs(app, gateway)


async def check_readiness(app: FastAPI) -> None:
    async def is_told() -> bool:  # a check that takes longer than two seconds continues, and a later request tells it
        # the queues of the double keep messages for four days
        return "'process-jobs' is 345600" in str(await ask(app, rest("GET", "/api/ready")))

    await eventually(is_told)


async def change_portfolios(app: FastAPI) -> None:
    portfolio = await ask(app, rest("POST", "/api/portfolios", json.dumps(TECH_PORTFOLIO)))
    await ask(app, rest("GET", "/api/portfolios"))
    await ask(app, rest("DELETE", f"/api/portfolios/{portfolio['id']}"))


async def submit_jobs(app: FastAPI, gateway: Gateway) -> tuple[str, str]:
    """A job that a socket follows, and one to be cancelled."""
    jobs = [await ask(app, rest("POST", "/api/jobs", json.dumps(SMALL_JOB | {"seed": seed}))) for seed in (3, 4)]
    gateway.open.add(CONNECTION)
    for kind, body in (("CONNECT", None), ("MESSAGE", {"action": "follow", "run": jobs[0]["id"]})):
        assert (await ask(app, socket_event(kind, body)))["statusCode"] == 200
    return jobs[0]["id"], jobs[1]["id"]


def socket_event(kind: str, body: Any) -> dict[str, Any]:
    headers = {"Host": HOST, "Sec-WebSocket-Version": "13"}
    context = {"eventType": kind, "connectionId": CONNECTION, "requestId": "r", "identity": {"sourceIp": "127.0.0.1"}}
    return {
        "requestContext": context,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": body and json.dumps(body),
        "isBase64Encoded": False,
    }


async def execute_jobs(app: FastAPI, run: str) -> None:
    """A worker submits the searches, and sets a message aside that names no job."""
    dependencies = dependencies_of(app)
    queue = job_queue.queue_of(dependencies)
    await set_message_aside(app)
    async with working(dependencies):

        async def submitted() -> bool:
            return (await load_run(dependencies.store, "local", run)).state == "computing" and not await queue.depth()

        await eventually(submitted, seconds=240)


async def set_message_aside(app: FastAPI) -> None:
    queue = job_queue.queue_of(dependencies_of(app))
    await queue.send({"no": "job"})
    first = await queue.receive(lease=60.0, wait=5.0)  # as the event source of a function does
    assert first is not None
    assert await ask(app, queue_event(first)) == {"batchItemFailures": []}


async def carry_out_tasks(app: FastAPI, fleet: Fleet) -> None:
    async def all_ended() -> bool:
        return {each["detail"]["ProcessingJobName"] for each in fleet.events if is_end(each)} == set(fleet.jobs)

    await eventually(all_ended, seconds=240)
    for event in fleet.events:
        await ask(app, event)
    await import_upload(app)
    for task in ("sweep", "cleanup"):
        await ask(app, {"task": task})


def is_end(event: dict[str, Any]) -> bool:
    return event["detail"]["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped")


async def import_upload(app: FastAPI) -> None:
    """A file that S3 announces."""
    dependencies = dependencies_of(app)
    key = "imports/local/uploaded.csv"
    await dependencies.store.blobs.put(key, price_file().encode())
    detail = {"bucket": {"name": "process-documents"}, "object": {"key": key, "size": 1000}}
    imported = await ask(app, {"source": "aws.s3", "detail-type": "Object Created", "detail": detail})
    assert imported["refused"] == []


async def clean_up_later(app: FastAPI) -> dict[str, Any]:
    """The cleanup of a day by which runs are archived and checkpoints expire; workers do the same."""
    later = utc_now() + timedelta(days=120)
    return await cleanup(replace(dependencies_of(app), now=lambda: later))


async def finish_jobs(app: FastAPI, run: str) -> None:
    """Workers continue what tasks return to the queue, until the job has its result."""
    dependencies = dependencies_of(app)
    async with working(dependencies):

        async def ended() -> bool:
            await ask(app, {"task": "sweep"})
            return (await load_run(dependencies.store, "local", run)).state == "completed"

        await eventually(ended, seconds=240)
