"""What a stage costs while it is idle: the resources of its templates times list prices."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from api.operations.metrics import LEVELS
from infra.checks.assembly import Resource, Stage

HOURS = 730
"""Hours of a month, as AWS counts them."""


class Price(NamedTuple):
    """Dollars for one unit in `us-east-1`, and the publication that states it."""

    dollars: float
    unit: str
    source: str


PRICES: Mapping[str, Price] = {
    "key": Price(1.0, "month", "cloudburn.io/blog/aws-kms-pricing, March 2026"),
    "secret": Price(0.40, "month", "hivebook.wiki, AWS Secrets Manager, read in November 2026"),
    "firewall": Price(5.0, "month", "awsnegotiations.com/waf-pricing-strategy.html, 2026"),
    "rule of a firewall": Price(1.0, "month", "awsnegotiations.com/waf-pricing-strategy.html, 2026"),
    "metric of an alarm": Price(0.10, "month", "c3x.dev/resources/aws/aws_cloudwatch_metric_alarm, 2026"),
    "metric of the program": Price(0.30, "month", "signoz.io/guides/cloudwatch-pricing, February 2026"),
    "dashboard": Price(3.0, "month", "factualminds.com, Amazon CloudWatch Pricing, June 2026"),
    "NAT gateway": Price(0.045, "hour", "hammadhaqqani.com/blog/nat-gateway-aws-cost-explained, 2026"),
    "endpoint in a zone": Price(0.01, "hour", "hammadhaqqani.com/blog/nat-gateway-aws-cost-explained, 2026"),
    "load balancer": Price(22.0, "month", "fortem.dev/blog/aws-fargate-pricing-real-costs, 2026"),
    "processor of a task": Price(0.04048, "hour", "factualminds.com, Fargate & ECS Task Pricing, June 2026"),
    "GB of a task": Price(0.004445, "hour", "factualminds.com, Fargate & ECS Task Pricing, June 2026"),
    "GB-second of a function": Price(0.0000166667, "second", "wring.co/blog/aws-lambda-pricing-guide, March 2026"),
}
"""Copies of AWS's list prices, because AWS's own pages state none without a script."""
SWEEP_SECONDS = 1.0
"""Assumed, not measured: how long an idle sweep runs."""
COUNTED: Mapping[str, str] = {
    "AWS::KMS::Key": "key",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::WAFv2::WebACL": "firewall",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::EC2::NatGateway": "NAT gateway",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "load balancer",
}
"""Types of which each resource has one price."""


class Line(NamedTuple):
    what: str
    number: float
    dollars: float
    """A month."""


def idle_costs(stage: Stage) -> list[Line]:
    """The costs of a month without a user, a job or a request; storage and traffic are not in them."""
    counts: dict[str, float] = {}
    for what, count in _counts(stage):
        counts[what] = counts.get(what, 0) + count
    return [Line(what, counts[what], counts[what] * monthly(what)) for what in PRICES if counts.get(what)]


def monthly(what: str) -> float:
    """Dollars of a unit for a month; those of a second stay what they are."""
    price = PRICES[what]
    return price.dollars * (HOURS if price.unit == "hour" else 1)


def total(stage: Stage) -> float:
    return sum(line.dollars for line in idle_costs(stage))


def _counts(stage: Stage) -> Iterator[tuple[str, float]]:
    for resource in stage.resources:
        if resource.type in COUNTED:
            yield COUNTED[resource.type], 1
    for firewall in stage.of_type("AWS::WAFv2::WebACL"):
        yield "rule of a firewall", len(firewall.get("Rules"))
    for alarm in stage.of_type("AWS::CloudWatch::Alarm"):
        yield "metric of an alarm", sum("MetricStat" in each for each in alarm.get("Metrics", default=[])) or 1
    for endpoint in stage.of_type("AWS::EC2::VPCEndpoint"):
        yield "endpoint in a zone", len(endpoint.get("SubnetIds", default=[]))  # gateway endpoints have none
    yield from _tasks(stage)
    for schedule in stage.of_type("AWS::Scheduler::Schedule"):
        if schedule.get("ScheduleExpression") == "rate(1 minute)":
            memory = _function(stage, schedule).get("MemorySize") / 1024
            yield "GB-second of a function", 60 * HOURS * SWEEP_SECONDS * memory
            yield "metric of the program", len(LEVELS)  # each sweep emits them


def _function(stage: Stage, schedule: Resource) -> Resource:
    function = stage.resource(str(stage.text(schedule.stack, schedule.get("Target", "Arn"))))
    assert function is not None
    return function


def _tasks(stage: Stage) -> Iterator[tuple[str, float]]:
    """Tasks that always run; workers on spot tasks start with the first job."""
    definitions = {f"{{{each.stack}/{each.name}}}": each for each in stage.of_type("AWS::ECS::TaskDefinition")}
    for service in stage.of_type("AWS::ECS::Service"):
        providers = {each["CapacityProvider"] for each in service.get("CapacityProviderStrategy", default=[])}
        if providers == {"FARGATE"}:
            definition = definitions[str(stage.text(service.stack, service.get("TaskDefinition")))]
            count = service.get("DesiredCount")
            yield "processor of a task", count * int(definition.get("Cpu")) / 1024
            yield "GB of a task", count * int(definition.get("Memory")) / 1024
