"""Events of SageMaker for EventBridge when a job's status changes."""

import uuid
from datetime import UTC, datetime
from typing import Any

from tests.doubles.aws import REGION
from tests.doubles.sagemaker.validation import Request

TIMES = ("CreationTime", "LastModifiedTime", "ProcessingStartTime", "ProcessingEndTime")


def state_change(description: Request) -> dict[str, Any]:
    """The event for a description by `DescribeProcessingJob`; the service may send one twice."""
    arn: str = description["ProcessingJobArn"]
    milliseconds = {name: int(description[name] * 1000) for name in TIMES if name in description}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "SageMaker Processing Job State Change",
        "source": "aws.sagemaker",
        "account": arn.split(":")[4],
        "time": datetime.fromtimestamp(description["LastModifiedTime"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [arn],
        "detail": description | milliseconds,
    }
