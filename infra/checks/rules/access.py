"""Policies: no wildcard without a reason, no public access, and exactly the calls that the program makes."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from infra.checks.assembly import Resource, Stage
from infra.checks.finding import Rule, Violation
from infra.permissions import Process, absent, actions_of

WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
"""Actions for which AWS accepts no other resource than `*`."""
BELOW_ONE = (
    r"arn:aws:s3:::[a-z0-9-]+/\*",
    r"arn:aws:execute-api:[a-z0-9-]+:\d{12}:\{sockets/api\}/live/POST/@connections/\*",
    r"arn:aws:sagemaker:[a-z0-9-]+:\d{12}:processing-job/(stratigos-)?\*",
    r"arn:aws:logs:[a-z0-9-]+:\d{12}:log-group:/aws/sagemaker/ProcessingJobs\*",
    r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/\*",
)
"""Wildcards below a resource with a name; the reasons stand where the roles are created."""
AWS_POLICIES = {
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "service-role/AWS_ConfigRole",
    "CloudWatchReadOnlyAccess",
}
PROCESS_ROLES: Mapping[str, Process] = {
    "http-role": "http",
    "sockets-role": "http",
    "worker-role": "worker",
    "tasks-role": "tasks",
}
PLATFORM = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
"""What every function needs, whatever it does."""
NAMES_ACCOUNT = {
    "config.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "sagemaker.amazonaws.com",
    "scheduler.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
}
"""Services that name the account for which they take a role."""
ORIGINS = ("aws:sourceaccount", "aws:sourcearn", "kms:encryptioncontext")
"""Conditions that say for whom a service acts."""
RESOURCE_POLICIES = (
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::Events::EventBusPolicy",
)


NAMES_NO_ACCOUNT = "events.amazonaws.com"
"""EventBridge publishes to encrypted topics without a context, so no condition would hold."""
OF_NOTICES = {("AWS::SNS::TopicPolicy", "alarms/Policy"), ("AWS::KMS::Key", "operations-key")}
"""Resources with which it does so."""


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(stage: Stage) -> Iterator[tuple[Resource, str, dict[str, Any]]]:
    """Each statement of a role's policies, with its resource and the name of the role."""
    for policy in stage.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        roles = [str(stage.text(policy.stack, each)) for each in policy.get("Roles", default=[])]
        for role in roles or [policy.name]:
            for each in policy.get("PolicyDocument", "Statement", default=[]):
                yield policy, role.strip("{}").rpartition("/")[2], stage.text(policy.stack, each)
    for role in stage.of_type("AWS::IAM::Role"):
        for policy in role.get("Policies", default=[]):
            for each in policy["PolicyDocument"]["Statement"]:
                yield role, role.name, stage.text(role.stack, each)


def wildcard_actions(stage: Stage) -> Iterator[Violation]:
    for policy, _, statement in statements(stage):
        for action in as_list(statement.get("Action", "*")):
            if "*" in action:
                yield policy, f"it allows {action}"


def wildcard_resources(stage: Stage) -> Iterator[Violation]:
    for policy, _, statement in statements(stage):
        for resource in map(str, as_list(statement.get("Resource", "*"))):
            if resource == "*":
                if more := set(as_list(statement.get("Action"))) - WITHOUT_RESOURCE:
                    yield policy, f"it allows {', '.join(sorted(more))} on every resource"
            elif "*" in resource and not any(re.fullmatch(each, resource) for each in BELOW_ONE):
                yield policy, f"its wildcard {resource} is not below one named resource"


def pass_role(stage: Stage) -> Iterator[Violation]:
    for policy, _, statement in statements(stage):
        if "iam:PassRole" in as_list(statement.get("Action")) and "iam:PassedToService" not in str(
            statement.get("Condition", {})
        ):
            yield policy, "it may hand a role to any service"


def aws_policies(stage: Stage) -> Iterator[Violation]:
    for resource in stage.of_type("AWS::IAM::Role", "AWS::Chatbot::SlackChannelConfiguration"):
        for policy in resource.get("ManagedPolicyArns", default=[]):
            name = str(stage.text(resource.stack, policy)).partition(":policy/")[2]
            if name not in AWS_POLICIES:
                yield resource, f"AWS's policy {name} allows more than it needs"


def trust(stage: Stage) -> Iterator[Violation]:
    for role in stage.of_type("AWS::IAM::Role"):
        for statement in role.get("AssumeRolePolicyDocument", "Statement", default=[]):
            principal = statement.get("Principal")
            if not isinstance(principal, dict) or set(principal) != {"Service"}:
                yield role, f"{principal} may take the role"
            elif principal["Service"] in NAMES_ACCOUNT and "aws:SourceAccount" not in str(statement.get("Condition")):
                yield role, f"{principal['Service']} may take the role for another account"


def public_policies(stage: Stage) -> Iterator[Violation]:
    for resource in stage.of_type(*RESOURCE_POLICIES):
        for name in ("PolicyDocument", "KeyPolicy", "RepositoryPolicyText", "ResourcePolicy"):
            for statement in as_list(resource.get(name, "Statement", default=[])):
                principal = statement.get("Principal")
                if statement.get("Effect") == "Allow" and principal in ("*", {"AWS": "*"}):
                    yield resource, "its policy admits every account"


def confused_deputy(stage: Stage) -> Iterator[Violation]:
    """A service that resource policies admit must act for this account."""
    for resource in stage.of_type(*RESOURCE_POLICIES):
        for name in ("PolicyDocument", "KeyPolicy", "RepositoryPolicyText", "ResourcePolicy"):
            for statement in as_list(resource.get(name, "Statement", default=[])):
                text = stage.text(resource.stack, statement)
                principal = text.get("Principal")
                if text["Effect"] != "Allow" or not isinstance(principal, dict) or "Service" not in principal:
                    continue
                # the logs of a load balancer have the account of the load balancer in their path
                own_path = f"AWSLogs/{stage.config.account}/" in str(text.get("Resource"))
                harmless = as_list(text["Action"]) == ["s3:GetBucketAcl"]
                notices = principal["Service"] == NAMES_NO_ACCOUNT and (resource.type, resource.name) in OF_NOTICES
                named = any(each in str(text.get("Condition")).lower() for each in ORIGINS)
                if not (own_path or harmless or notices or named):
                    yield resource, f"it admits {principal['Service']} for every account"


def own_jobs(stage: Stage) -> Iterator[Violation]:
    """Stages may share an account, so the tag of the stage decides which jobs of SageMaker a role may touch."""
    for policy, _, statement in statements(stage):
        if any(action.startswith("sagemaker:") for action in as_list(statement.get("Action"))):
            tags = statement.get("Condition", {}).get("StringEqualsIfExists", {})
            if set(tags.values()) != {stage.config.name}:
                yield policy, "it may stop and read jobs of other stages"


def account_trail(stage: Stage) -> Iterator[Violation]:
    """The trail of an account holds every call, and cannot be changed unnoticed."""
    trails = list(stage.of_type("AWS::CloudTrail::Trail"))
    if stage.config.watches_account and not trails:
        yield "operations", "calls of the account are not recorded"
    for trail in trails:
        for name in ("EnableLogFileValidation", "IncludeGlobalServiceEvents", "IsLogging", "IsMultiRegionTrail"):
            if trail.get(name) is not True:
                yield trail, f"{name} is off"
        if not trail.get("KMSKeyId"):
            yield trail, "it is not encrypted with a key of this account"
        if not any(
            each.get("IncludeManagementEvents", True) and each.get("ReadWriteType", "All") == "All"
            for each in trail.get("EventSelectors", default=[{}])
        ):
            yield trail, "calls that read, such as those of secrets, are not recorded"


def function_callers(stage: Stage) -> Iterator[Violation]:
    for permission in stage.of_type("AWS::Lambda::Permission"):
        if not (permission.get("SourceArn") or permission.get("SourceAccount")):
            yield permission, "the service may invoke the function for any account"


def process_policies(stage: Stage) -> Iterator[Violation]:
    """Each process may do on each resource what `infra.permissions` lists, and nothing else."""
    granted: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for policy, role, statement in statements(stage):
        if role in PROCESS_ROLES:
            sid = str(statement.get("Sid", "")).lower()
            granted[policy.stack, role] |= {(sid, action) for action in as_list(statement.get("Action"))}
    for (stack, role), pairs in granted.items():
        expected = {
            (resource.replace("_", ""), action)
            for resource, actions in actions_of(PROCESS_ROLES[role]).items()
            if resource not in absent(stage.config)
            for action in actions
        }
        if more := sorted(action for sid, action in pairs - expected if action not in PLATFORM):
            yield f"{stack}/{role}", f"it may {', '.join(more)}, which the program never calls there"
        if missing := sorted(action for _, action in expected - pairs):
            yield f"{stack}/{role}", f"it may not {', '.join(missing)}, which the program calls"


ACCESS_RULES: tuple[Rule, ...] = (
    wildcard_actions,
    wildcard_resources,
    pass_role,
    aws_policies,
    trust,
    public_policies,
    confused_deputy,
    own_jobs,
    account_trail,
    function_callers,
    process_policies,
)
