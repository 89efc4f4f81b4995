"""Services on Fargate: the image as tasks without a public address, which write to `/tmp` only."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from infra.blocks.processes import allow_logs, images
from infra.blocks.roles import LOGIN, PULL, allow, service_role
from infra.blocks.stack import StageStack
from infra.blocks.storage import log_group
from infra.config import TaskSize

if TYPE_CHECKING:
    from infra.stacks.foundation import Foundation
    from infra.stacks.network import Network

PORT = 8000
SCRATCH = "/tmp"  # noqa: S108 - the only folder of the image that may be written


def fargate_service(
    stack: StageStack,
    name: str,
    *,
    network: "Network",
    cluster: ecs.ICluster,
    role: iam.Role,
    foundation: "Foundation",
    command: Sequence[str],
    environment: Mapping[str, str],
    size: TaskSize,
    spot: bool,
    count: int,
) -> ecs.FargateService:
    group = log_group(stack, name, foundation.operations_key)
    # references without policies: a grant would change the resources of the foundation
    repository = images(stack, name, foundation.repository)
    execution = _execution_role(stack, name, foundation)
    allow_logs(execution, group)
    stack.process_logs.append(group)
    definition = ecs.FargateTaskDefinition(
        stack,
        f"{name}-definition",
        family=stack.config.named(name),
        cpu=size.cpu,
        memory_limit_mib=size.memory,
        task_role=role.without_policy_updates(),
        execution_role=execution.without_policy_updates(),
        volumes=[ecs.Volume(name="scratch")],
    )
    container = definition.add_container(
        name,
        image=ecs.ContainerImage.from_ecr_repository(repository, stack.config.image),
        command=list(command),
        environment=dict(environment),
        logging=ecs.LogDriver.aws_logs(log_group=group, stream_prefix=name),
        readonly_root_filesystem=True,
        stop_timeout=Duration.seconds(120),
        port_mappings=[ecs.PortMapping(container_port=PORT)] if command[0] == "serve" else None,
    )
    container.add_mount_points(ecs.MountPoint(container_path=SCRATCH, source_volume="scratch", read_only=False))
    security = ec2.SecurityGroup(
        stack,
        f"{name}-group",
        vpc=network.vpc,
        security_group_name=stack.config.named(name),
        description=f"Tasks of {name}: TLS to AWS",
        allow_all_outbound=False,
    )
    security.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "TLS to AWS")
    provider = "FARGATE_SPOT" if spot else "FARGATE"
    return ecs.FargateService(
        stack,
        f"{name}-service",
        service_name=stack.config.named(name),
        cluster=cluster,
        task_definition=definition,
        desired_count=count,
        min_healthy_percent=0 if spot else 100,
        max_healthy_percent=200,
        circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
        capacity_provider_strategies=[ecs.CapacityProviderStrategy(capacity_provider=provider, weight=1)],
        vpc_subnets=network.tasks,
        security_groups=[security],
        assign_public_ip=False,
        propagate_tags=ecs.PropagatedTagSource.SERVICE,
    )


def _execution_role(stack: StageStack, name: str, foundation: "Foundation") -> iam.Role:
    """What Fargate itself needs to start a task: the image and the log."""
    role = service_role(stack, f"{name}-start", "ecs-tasks.amazonaws.com", of_account=True)
    allow(role, "Registry", [LOGIN], ["*"], reason="A login to the registry has no resource.")
    allow(role, "Image", PULL, [foundation.repository.repository_arn])
    allow(role, "Key", ["kms:Decrypt"], [foundation.data_key.key_arn])
    return role


def scale_with_queue(service: ecs.FargateService, queue: sqs.IQueue, *, most: int) -> None:
    """One task for each job that waits, none without jobs; a task that works is stopped last by its own lease."""
    scaling = service.auto_scale_task_count(min_capacity=0, max_capacity=most)
    waiting = cloudwatch.MathExpression(
        expression="visible + held",
        using_metrics={
            "visible": queue.metric_approximate_number_of_messages_visible(statistic="max"),
            "held": queue.metric_approximate_number_of_messages_not_visible(statistic="max"),
        },
        period=Duration.minutes(1),
        label="jobs that wait or run",
    )
    scaling.scale_on_metric(
        "jobs",
        metric=waiting,
        adjustment_type=autoscaling.AdjustmentType.EXACT_CAPACITY,
        scaling_steps=_steps(most),
        evaluation_periods=1,
    )


def _steps(most: int) -> list[autoscaling.ScalingInterval]:
    """No task without jobs, one for the first, then more in four steps up to `most`."""
    counts = sorted({1, *(max(1, most * quarter // 4) for quarter in (1, 2, 3, 4))})
    bounds = [*counts[:-1], counts[-1]]
    intervals = [autoscaling.ScalingInterval(lower=0, upper=1, change=0)]
    for index, count in enumerate(bounds):
        upper = bounds[index + 1] if index + 1 < len(bounds) else None
        intervals.append(autoscaling.ScalingInterval(lower=count, upper=upper, change=count))
    return intervals
