"""Queues, topics, schedules and rules of events."""

import json
from collections.abc import Iterator
from typing import Any

from api.lambda_.dispatch import TASKS
from infra.checks.assembly import Resource, Stage
from infra.checks.finding import Rule, Violation

QUEUE, MAPPING = "AWS::SQS::Queue", "AWS::Lambda::EventSourceMapping"
END_QUEUES = ("dead-jobs-queue", "failed-events-queue")
"""Where messages end that failed elsewhere."""
DAY = 86_400
MESSAGE_DAYS = 14
"""The longest time that SQS keeps a message."""
VISIBILITY = 6
"""Timeouts of the function, as AWS advises."""
FEWEST_RECEIVES = 1000


def queue_encryption(stage: Stage) -> Iterator[Violation]:
    for queue in stage.of_type(QUEUE):
        if not queue.get("KmsMasterKeyId"):
            yield queue, "it is not encrypted with a key of this account"


def queue_retention(stage: Stage) -> Iterator[Violation]:
    for queue in stage.of_type(QUEUE):
        if queue.get("MessageRetentionPeriod") != MESSAGE_DAYS * DAY:
            yield queue, f"messages are not kept for {MESSAGE_DAYS} days"


def queue_dead_letters(stage: Stage) -> Iterator[Violation]:
    for queue in stage.of_type(QUEUE):
        if queue.name in END_QUEUES:
            continue
        if not queue.get("RedrivePolicy", "deadLetterTargetArn"):
            yield queue, "messages that no worker finishes are lost"
        elif int(queue.get("RedrivePolicy", "maxReceiveCount")) < FEWEST_RECEIVES:
            yield queue, "a job that returns to the queue counts as received, so this many receives are normal"


def queue_tls(stage: Stage) -> Iterator[Violation]:
    for resource in stage.of_type(QUEUE, "AWS::SNS::Topic"):
        reference = f"{{{resource.stack}/{resource.name}}}"
        denied = any(
            statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
            for policy in stage.of_type("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
            if reference in stage.text(policy.stack, policy.get("Queues") or policy.get("Topics") or [])
            for statement in policy.get("PolicyDocument", "Statement", default=[])
        )
        if not denied:
            yield resource, "requests without TLS are not denied"


def queue_visibility(stage: Stage) -> Iterator[Violation]:
    functions = {f"{{{each.stack}/{each.name}}}": each for each in stage.of_type("AWS::Lambda::Function")}
    queues = {f"{{{each.stack}/{each.name}.Arn}}": each for each in stage.of_type(QUEUE)}
    for mapping in stage.of_type(MAPPING):
        function = functions[stage.text(mapping.stack, mapping.get("FunctionName"))]
        queue = queues[stage.text(mapping.stack, mapping.get("EventSourceArn"))]
        if queue.get("VisibilityTimeout", default=30) < VISIBILITY * function.get("Timeout", default=3):
            yield queue, f"its visibility timeout is below {VISIBILITY} times the timeout of {function.name}"


def queue_batches(stage: Stage) -> Iterator[Violation]:
    for mapping in stage.of_type(MAPPING):
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield mapping, "one failed message would return its whole batch"
        if mapping.get("ScalingConfig", "MaximumConcurrency") != max(stage.config.most_workers, 2):
            yield mapping, f"it does not limit the jobs at a time to {stage.config.most_workers}"


def topic(stage: Stage) -> Iterator[Violation]:
    subscribed = {
        stage.text(each.stack, each.get("TopicArn")): each.get("Endpoint")
        for each in stage.of_type("AWS::SNS::Subscription")
    }
    for each in stage.of_type("AWS::SNS::Topic"):
        if not each.get("KmsMasterKeyId"):
            yield each, "it is not encrypted with a key of this account"
        if f"{{{each.stack}/{each.name}}}" not in subscribed:
            yield each, "it reaches no person: it has no subscription"


def schedules(stage: Stage) -> Iterator[Violation]:
    planned = set[str]()
    for schedule in stage.of_type("AWS::Scheduler::Schedule"):
        task = json.loads(schedule.get("Target", "Input", default="{}")).get("task")
        planned.add(task)
        if task not in TASKS:
            yield schedule, f"the program knows no task {task!r}"
        if not schedule.get("Target", "DeadLetterConfig", "Arn"):
            yield schedule, "a failed start is lost"
    if missing := TASKS.keys() - planned:
        yield "compute", f"no schedule starts {', '.join(sorted(missing))}"


def event_rules(stage: Stage) -> Iterator[Violation]:
    """Events that start work have a dead-letter queue; notices to people are repeated for a day."""
    topics = {f"{{{each.stack}/{each.name}}}" for each in stage.of_type("AWS::SNS::Topic")}
    for rule in stage.of_type("AWS::Events::Rule"):
        for target in rule.get("Targets", default=[]):
            if stage.text(rule.stack, target["Arn"]) not in topics and not target.get("DeadLetterConfig"):
                yield rule, "a failed event is lost"


NOTICES = ("image-findings",)
NOTICES_OF_ACCOUNT = ("root-sign-in", "broken-rules", "open-access")
"""Events that people must get, and those of the stage that watches the account."""


def notices(stage: Stage) -> Iterator[Violation]:
    topics = {f"{{{each.stack}/{each.name}}}" for each in stage.of_type("AWS::SNS::Topic")}
    sent = {
        rule.get("Name")
        for rule in stage.of_type("AWS::Events::Rule")
        for target in rule.get("Targets", default=[])
        if stage.text(rule.stack, target["Arn"]) in topics
    }
    for name in (*NOTICES, *(NOTICES_OF_ACCOUNT if stage.config.watches_account else ())):
        if stage.config.named(name) not in sent:
            yield "foundation" if name in NOTICES else "operations", f"{name} reaches no person"


def notice_permissions(stage: Stage) -> Iterator[Violation]:
    """EventBridge publishes to encrypted topics without a context, so a condition would silently stop every notice."""
    for topic_ in stage.of_type("AWS::SNS::Topic"):
        reference = f"{{{topic_.stack}/{topic_.name}}}"
        policies = [
            each
            for each in stage.of_type("AWS::SNS::TopicPolicy")
            if reference in stage.text(each.stack, each.get("Topics", default=[]))
        ]
        key = stage.resource(str(stage.text(topic_.stack, topic_.get("KmsMasterKeyId"))))
        if not any(_admits_events(stage, each, each.get("PolicyDocument", "Statement")) for each in policies):
            yield topic_, "its policy admits EventBridge not at all or under a condition that never holds"
        if key is not None and not _admits_events(stage, key, key.get("KeyPolicy", "Statement")):
            yield key, "its policy admits EventBridge not at all or under a condition that never holds"


def _admits_events(stage: Stage, resource: Resource, statements: list[dict[str, Any]]) -> bool:
    return any(
        each.get("Principal") == {"Service": "events.amazonaws.com"} and not each.get("Condition")
        for each in stage.text(resource.stack, statements)
    )


MESSAGE_RULES: tuple[Rule, ...] = (
    queue_encryption,
    queue_retention,
    queue_dead_letters,
    queue_tls,
    queue_visibility,
    queue_batches,
    topic,
    schedules,
    event_rules,
    notices,
    notice_permissions,
)
