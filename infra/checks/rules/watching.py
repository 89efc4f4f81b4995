"""Alarms, dashboards and budgets: on metrics and log fields that exist, with a person at the end."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from api.operations.metrics import LEVELS, NAMESPACE, UNITS
from infra.checks.assembly import Resource, Stage
from infra.checks.finding import Rule, Violation
from infra.checks.rules.naming import physical_name
from infra.costs import total

ROOT = Path(__file__).parents[3]
SOURCES = ("agents", "api", "desk", "graphs", "store", "tools")
LEVEL_NAMES = {"debug", "info", "warning", "error", "critical"}
COMMON_FIELDS = {"event", "level", "timestamp", "@timestamp"}
AWS_METRICS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "AWS/SQS": dict.fromkeys(
        (
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
        ),
        ("QueueName",),
    ),
    "AWS/Lambda": dict.fromkeys(("Errors", "Invocations", "Throttles"), ("FunctionName",)),
    "AWS/ApiGateway": {"5XXError": ("ApiName",)},
    "AWS/ApplicationELB": {
        "HTTPCode_ELB_5XX_Count": ("LoadBalancer",),
        "UnHealthyHostCount": ("LoadBalancer", "TargetGroup"),
    },
}
"""The dimensions with which AWS emits its metrics, each the name of a resource."""
NEEDED_ALARMS = (
    "error-rate",
    "errors",
    "failed-jobs",
    "dead-jobs",
    "failed-events",
    "oldest-job",
    "data-age",
    "model-dollars",
    "lost-audit-outcomes",
    "tasks-not-started",
    "unanswered",
)


def alarms(stage: Stage) -> Iterator[Resource]:
    """Alarms for people; those of scaling act on a service."""
    return (each for each in stage.of_type("AWS::CloudWatch::Alarm") if each.stack == "observability")


def alarm_actions(stage: Stage) -> Iterator[Violation]:
    topics = {f"{{{each.stack}/{each.name}}}" for each in stage.of_type("AWS::SNS::Topic")}
    for alarm in alarms(stage):
        targets = {stage.text(alarm.stack, each) for each in alarm.get("AlarmActions", default=[])}
        if not targets & topics:
            yield alarm, "it has no action, so no person is informed"


def needed_alarms(stage: Stage) -> Iterator[Violation]:
    names = {each.get("AlarmName") for each in alarms(stage)}
    for name in NEEDED_ALARMS:
        if stage.config.named(name) not in names:
            yield "observability", f"there is no alarm {name}"


def metrics_of(stage: Stage, alarm: Resource) -> Iterator[dict[str, Any]]:
    """Each metric of an alarm, with Namespace, MetricName and Dimensions."""
    if "MetricName" in alarm.properties:
        yield stage.text(alarm.stack, dict(alarm.properties))
    for each in alarm.get("Metrics", default=[]):
        if "MetricStat" in each:
            yield stage.text(alarm.stack, each["MetricStat"]["Metric"])


def alarm_metrics(stage: Stage) -> Iterator[Violation]:
    for alarm in stage.of_type("AWS::CloudWatch::Alarm"):
        for metric in metrics_of(stage, alarm):
            dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
            if wrong := unknown_metric(stage, metric["Namespace"], metric["MetricName"], dimensions):
                yield alarm, wrong


def dashboard_metrics(stage: Stage) -> Iterator[Violation]:
    for dashboard in stage.of_type("AWS::CloudWatch::Dashboard"):
        for widget in _widgets(stage, dashboard):
            for metric in widget["properties"].get("metrics", []):
                if not isinstance(metric[0], str):  # an expression over the others
                    continue
                names = [each for each in metric[2:] if isinstance(each, str)]
                dimensions = dict(zip(names[::2], names[1::2], strict=True))
                if wrong := unknown_metric(stage, metric[0], metric[1], dimensions):
                    yield dashboard, wrong


def _widgets(stage: Stage, dashboard: Resource) -> list[dict[str, Any]]:
    return json.loads(stage.text(dashboard.stack, dashboard.get("DashboardBody")))["widgets"]


def unknown_metric(stage: Stage, namespace: str, name: str, dimensions: dict[str, str]) -> str:
    """What is wrong with a reference to a metric; empty if it is emitted."""
    if namespace == NAMESPACE:
        if name not in UNITS:
            return f"the program emits no metric {name}"
        if set(dimensions) != {"Service", "Process"} or dimensions["Service"] != stage.config.prefix:
            return f"{name} is emitted with Service={stage.config.prefix} and a Process, not with {dimensions}"
        running = {"lambda"}
        running |= {"work"} if stage.config.workers == "fargate" else set()
        running |= {"serve"} if stage.config.service == "fargate" and name not in LEVELS else set()
        if dimensions["Process"] not in running:
            return f"no process {dimensions['Process']} of this stage emits {name}"
        return ""
    if namespace in AWS_METRICS:
        return _unknown_metric_of_aws(stage, namespace, name, dimensions)
    filters = {
        (each["MetricNamespace"], each["MetricName"])
        for one in stage.of_type("AWS::Logs::MetricFilter")
        for each in one.get("MetricTransformations")
    }
    return "" if (namespace, name) in filters else f"nothing emits {name} in {namespace}"


def _unknown_metric_of_aws(stage: Stage, namespace: str, name: str, dimensions: dict[str, str]) -> str:
    if name not in AWS_METRICS[namespace]:
        return f"{namespace} has no metric {name}"
    if tuple(sorted(dimensions)) != AWS_METRICS[namespace][name]:
        return f"{name} is emitted by {', '.join(AWS_METRICS[namespace][name])}, not by {', '.join(dimensions)}"
    existing = {physical_name(each) for each in stage.resources}
    for value in dimensions.values():
        reference = re.search(r"\{[^{}]+\}", value)
        known = stage.resource(reference[0]) is not None if reference else value in existing
        if not known:
            return f"{name} is emitted for no {value}"
    return ""


@cache
def log_lines() -> tuple[set[str], set[str]]:
    """The events and the fields of the program's log, read from its calls of the logger."""
    events, fields = set[str](), set(COMMON_FIELDS)
    for folder in SOURCES:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                keywords = {each.arg for each in node.keywords if each.arg}
                if name in LEVEL_NAMES and node.args and isinstance(node.args[0], ast.Constant):
                    events.add(str(node.args[0].value))
                    fields |= keywords
                elif name in ("bind_contextvars", "bound_contextvars"):
                    fields |= keywords
    return events, fields


def log_filters(stage: Stage) -> Iterator[Violation]:
    events, fields = log_lines()
    for each in stage.of_type("AWS::Logs::MetricFilter"):
        for field, value in re.findall(r'\$\.(\w+) = "([^"]*)"', each.get("FilterPattern")):
            if field not in fields or (field == "event" and value not in events):
                yield each, f"no line of the log has {field} = {value!r}"


def log_queries(stage: Stage) -> Iterator[Violation]:
    _, fields = log_lines()
    for dashboard in stage.of_type("AWS::CloudWatch::Dashboard"):
        for widget in _widgets(stage, dashboard):
            query = widget["properties"].get("query", "")
            for listed in re.findall(r"\| fields ([^|]*)", query):
                if unknown := [each.strip() for each in listed.split(",") if each.strip() not in fields]:
                    yield dashboard, f"no line of the log has {', '.join(unknown)}"


def budgets(stage: Stage) -> Iterator[Violation]:
    all_budgets = list(stage.of_type("AWS::Budgets::Budget"))
    if not all_budgets:
        yield "foundation", "nothing limits the bill: there is no budget"
    for budget in all_budgets:
        if budget.get("Budget", "BudgetLimit", "Amount") != stage.config.monthly_dollars:
            yield budget, f"its limit is not {stage.config.monthly_dollars} dollars"
        if (idle := total(stage)) > 0.8 * stage.config.monthly_dollars:
            yield budget, f"the idle stage costs {idle:.0f} dollars a month, more than 80% of its limit"
        if not all(each.get("Subscribers") for each in budget.get("NotificationsWithSubscribers", default=[{}])):
            yield budget, "it has no subscriber"
    if not list(stage.of_type("AWS::CE::AnomalySubscription")):
        yield "observability", "unusual costs are not reported"


WATCHING_RULES: tuple[Rule, ...] = (
    alarm_actions,
    needed_alarms,
    alarm_metrics,
    dashboard_metrics,
    log_filters,
    log_queries,
    budgets,
)
