"""What each process may do in AWS: the policies of its role, compared with the calls that its tests make.

`PERMISSIONS` lists, for each process and resource, the actions of which `tests/infra/recorded_calls.json` holds a call.
`WITHOUT_CALLS` lists what AWS requires besides, with the reason. Nothing else is in a policy.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from infra.config import StageConfig

Process: TypeAlias = Literal["http", "worker", "tasks"]
Resource: TypeAlias = Literal[
    "records",
    "events",
    "audit",
    "checkpoints",
    "documents",
    "jobs",
    "queue",
    "dead",
    "sockets",
    "processing",
    "job_role",
    "model",
    "guardrail",
    "data_key",
    "audit_key",
    "operations_key",
]

RESOURCES: tuple[Resource, ...] = get_args(Resource)
AUDIT = ("dynamodb:DescribeTable", "dynamodb:PutItem", "dynamodb:Query")
ANCHORED_AUDIT = (*AUDIT, "dynamodb:GetItem")
CHECKED_AUDIT = (*ANCHORED_AUDIT, "dynamodb:BatchGetItem")
EVENTS = (
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:PutItem",
    "dynamodb:Query",
)
RECORDS = (*EVENTS, "dynamodb:GetItem")
WORKED_CHECKPOINTS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
EXPIRED_CHECKPOINTS = ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:Query")
CHECKPOINTS = (*EXPIRED_CHECKPOINTS, "dynamodb:GetItem", "dynamodb:PutItem")
OBJECTS = ("s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject")
MODEL = ("bedrock:InvokeModelWithResponseStream",)
AUDIT_KEY = ("secretsmanager:GetSecretValue",)
SOCKETS = ("execute-api:ManageConnections",)
COMPUTATIONS = (
    "sagemaker:AddTags",
    "sagemaker:CreateProcessingJob",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:StopProcessingJob",
)

PERMISSIONS: Mapping[Process, Mapping[Resource, Sequence[str]]] = {
    "http": {
        "audit": CHECKED_AUDIT,
        "audit_key": AUDIT_KEY,
        "checkpoints": (*CHECKPOINTS, "dynamodb:DescribeTable"),
        "dead": ("sqs:GetQueueAttributes",),
        "documents": (*OBJECTS, "s3:GetLifecycleConfiguration"),
        "events": EVENTS,
        "model": MODEL,
        "processing": ("sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"),
        "queue": ("sqs:GetQueueAttributes", "sqs:SendMessage"),
        "records": (*RECORDS, "dynamodb:DescribeTimeToLive"),
        "sockets": SOCKETS,
    },
    "tasks": {
        "audit": ANCHORED_AUDIT,
        "audit_key": AUDIT_KEY,
        "checkpoints": EXPIRED_CHECKPOINTS,
        "documents": OBJECTS,
        "events": EVENTS,
        "jobs": ("s3:GetObject",),
        "processing": ("sagemaker:DescribeProcessingJob",),
        "queue": ("sqs:GetQueueAttributes", "sqs:SendMessage"),
        "records": RECORDS,
    },
    "worker": {
        "audit": ANCHORED_AUDIT,
        "audit_key": AUDIT_KEY,
        "checkpoints": WORKED_CHECKPOINTS,
        "dead": ("sqs:SendMessage",),
        "documents": OBJECTS,
        "events": EVENTS,
        "job_role": ("iam:PassRole",),
        "jobs": ("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
        "model": MODEL,
        "processing": ("sagemaker:AddTags", "sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob"),
        "queue": (
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        ),
        "records": RECORDS,
        "sockets": SOCKETS,
    },
}


@dataclass(frozen=True)
class Exemption:
    resource: Resource
    actions: Sequence[str]
    reason: str


KEY = Exemption(
    "data_key",
    ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
    "DynamoDB, S3 and SQS use the key of the stage with the permissions of the caller.",
)
SECRETS = Exemption(
    "operations_key", ("kms:Decrypt",), "Secrets Manager decrypts the audit key with the permissions of the caller."
)
GUARDRAIL = Exemption(
    "guardrail", ("bedrock:ApplyGuardrail",), "Bedrock demands it of a call whose settings name a guardrail."
)
REFUSED_ENTRIES = Exemption(
    "audit", ("dynamodb:BatchGetItem",), "A write whose condition did not hold reads what is stored."
)
UNSTREAMED = Exemption("model", ("bedrock:InvokeModel",), "Answers are not streamed with MODEL_STREAMING=false.")
ORPHANS = Exemption(
    "processing",
    ("sagemaker:StopProcessingJob",),
    "A job whose creation was not answered is stopped by the next process that looks it up.",
)

WITHOUT_CALLS: Mapping[Process, Sequence[Exemption]] = {
    "http": (
        KEY,
        SECRETS,
        GUARDRAIL,
        UNSTREAMED,
    ),
    "worker": (
        KEY,
        SECRETS,
        REFUSED_ENTRIES,
        GUARDRAIL,
        UNSTREAMED,
        ORPHANS,
        Exemption(
            "checkpoints",
            ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"),
            "Workers clean up where the function of tasks has not done so on that day.",
        ),
    ),
    "tasks": (
        KEY,
        SECRETS,
        REFUSED_ENTRIES,
        ORPHANS,
        Exemption(
            "processing",
            ("sagemaker:AddTags", "sagemaker:CreateProcessingJob"),
            "The process that notices the failure of an attempt starts the next one.",
        ),
        Exemption("job_role", ("iam:PassRole",), "The next attempt of a failed job has the same role."),
        Exemption("jobs", ("s3:ListBucket", "s3:PutObject"), "The next attempt of a failed job gets its files."),
        Exemption("sockets", SOCKETS, "Events of jobs that expire or fail reach the sockets that follow them."),
    ),
}


def actions_of(process: Process) -> dict[Resource, set[str]]:
    """All actions of a process by resource, with those that have no call."""
    actions: dict[Resource, set[str]] = {name: set(each) for name, each in PERMISSIONS[process].items()}
    for exemption in WITHOUT_CALLS.get(process, ()):
        actions.setdefault(exemption.resource, set()).update(exemption.actions)
    return actions


def absent(config: StageConfig) -> set[Resource]:
    """Resources that the stage does not have."""
    present = {"jobs": config.processing_jobs, "processing": config.processing_jobs, "job_role": config.processing_jobs}
    present |= {"model": config.models, "guardrail": config.models}
    return {name for name in RESOURCES if not present.get(name, True)}


def actions_by_service(config: StageConfig) -> dict[str, set[str]]:
    """All actions of all processes of the stage, by the service, such as `dynamodb`."""
    services = defaultdict[str, set[str]](set)
    for process in PERMISSIONS:
        for resource, actions in actions_of(process).items():
            if resource not in absent(config):
                for action in actions:
                    services[action.partition(":")[0]].add(action)
    return services
