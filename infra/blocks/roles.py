"""Roles with exactly their actions; a statement with a wildcard needs a reason."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam

from infra.blocks.stack import StageStack
from infra.permissions import Process, Resource, actions_of

WILDCARD, AWS_POLICY = "AwsSolutions-IAM5", "AwsSolutions-IAM4"
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""Actions that pull an image."""
LOGIN = "ecr:GetAuthorizationToken"
BELOW = {
    "documents": "The objects of the bucket; their keys begin with their owner.",
    "jobs": "The files of jobs in their bucket.",
    "processing": "The program names its jobs stratigos-DIGEST; their ids are not known before.",
    "sockets": "The connections of the stage's own API; their ids are not known before.",
}
"""Why the resources of a process contain a wildcard."""


def service_principal(service: str, conditions: Mapping[str, Any] | None = None) -> iam.IPrincipal:
    return cast("iam.IPrincipal", iam.ServicePrincipal(service, conditions=conditions))


def service_role(
    stack: StageStack,
    name: str,
    service: str,
    *,
    of_account: bool = False,
    managed: Sequence[str] = (),
    reason: str = "",
) -> iam.Role:
    """A role of an AWS service; `managed` are AWS's own policies, which need a reason."""
    conditions = {"StringEquals": {"aws:SourceAccount": stack.config.account}} if of_account else None
    role = iam.Role(
        stack,
        f"{name}-role",
        role_name=stack.config.named(name),
        assumed_by=service_principal(service, conditions),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(each) for each in managed],
    )
    for each in managed:
        _accept(role, f"{AWS_POLICY}[Policy::arn:<AWS::Partition>:iam::aws:policy/{each}]", reason)
    return role


def allow(
    role: iam.Role,
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    reason: str = "",
    conditions: Mapping[str, Any] | None = None,
) -> None:
    """Allow actions on resources; `reason` says why a resource has a wildcard."""
    role.add_to_policy(
        iam.PolicyStatement(sid=sid, actions=sorted(actions), resources=list(resources), conditions=conditions)
    )
    stack = Stack.of(role)
    for text in (_text(stack.resolve(each)) for each in resources):
        if "*" in text:
            _accept(role, f"{WILDCARD}[Resource::{text}]", reason)


def process_role(
    stack: StageStack, process: Process, name: str, service: str, arns: Mapping[Resource, Sequence[str]]
) -> iam.Role:
    """The role of a process; `arns` holds the ARNs of each resource that the stage has."""
    role = service_role(stack, name, service, of_account=service in NAMES_ACCOUNT)
    conditions_of = {"job_role": PASS_TO_SAGEMAKER, "processing": of_stage(stack)}
    for resource, actions in actions_of(process).items():
        if resource in arns:
            sid = "".join(part.title() for part in resource.split("_"))
            conditions = conditions_of.get(resource)
            allow(role, sid, sorted(actions), arns[resource], reason=BELOW.get(resource, ""), conditions=conditions)
    return role


NAMES_ACCOUNT = {"ecs-tasks.amazonaws.com"}
"""Services of processes that name the account for which they take a role; Lambda does not."""


def of_stage(stack: StageStack) -> Mapping[str, Mapping[str, str]]:
    """Jobs of this stage only: names of jobs do not contain it, and stages may share an account."""
    tags = {f"aws:{kind}Tag/stage": stack.config.name for kind in ("Request", "Resource")}
    return {"StringEqualsIfExists": tags}


PASS_TO_SAGEMAKER = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def _accept(role: iam.Role, finding: str, reason: str) -> None:
    if not reason:
        raise ValueError(f"{role.node.path}: {finding} needs a reason")
    Validations.of(role).acknowledge(Acknowledgment(id=finding, reason=reason))


def _text(value: Any) -> str:
    """A resolved ARN as cdk-nag writes it."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return separator.join(map(_text, parts))
        case {"Fn::ImportValue": name}:
            return name
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case _:
            raise TypeError(f"{value!r} is no ARN")
