"""What each process may do in AWS: the policies of its role, compared with the calls that its tests make.

`PERMISSIONS` lists, for each process and resource, the actions of which `tests/infra/recorded_calls.json` holds a call.
`WITHOUT_CALLS` lists what AWS requires besides, with the reason. Nothing else is in a policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Process: TypeAlias = Literal["http", "worker", "tasks"]
Resource: TypeAlias = Literal[
    "desk",
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
]

READ_ITEMS = ("dynamodb:BatchGetItem", "dynamodb:Query")
WRITE_ITEMS = ("dynamodb:DeleteItem", "dynamodb:PutItem")
CHECK_TABLE = ("dynamodb:DescribeTable",)
OBJECTS = ("s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject")
JOB_FILES = ("s3:GetObject", "s3:ListBucket", "s3:PutObject")
HELD = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage")
COMPUTATIONS = (
    "sagemaker:AddTags",
    "sagemaker:CreateProcessingJob",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:StopProcessingJob",
)

PERMISSIONS: Mapping[Process, Mapping[Resource, Sequence[str]]] = {
    "http": {
        "desk": (*CHECK_TABLE, *READ_ITEMS, *WRITE_ITEMS),
        "documents": OBJECTS,
    },
    "worker": {
        "desk": (*CHECK_TABLE, *READ_ITEMS, *WRITE_ITEMS),
        "documents": OBJECTS,
    },
    "tasks": {
        "desk": (*CHECK_TABLE, *READ_ITEMS, *WRITE_ITEMS),
        "documents": OBJECTS,
    },
}


@dataclass(frozen=True)
class Exemption:
    resource: Resource
    actions: Sequence[str]
    reason: str


WITHOUT_CALLS: Mapping[Process, Sequence[Exemption]] = {}


def actions_of(process: Process) -> dict[Resource, set[str]]:
    """All actions of a process by resource, with those that have no call."""
    actions: dict[Resource, set[str]] = {name: set(each) for name, each in PERMISSIONS[process].items()}
    for exemption in WITHOUT_CALLS.get(process, ()):
        actions.setdefault(exemption.resource, set()).update(exemption.actions)
    return actions
