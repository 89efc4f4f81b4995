"""Requests of the fleet's own tests."""

import sys
from pathlib import Path

from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE
from tests.doubles.sagemaker.validation import Request

SCRIPT = Path(__file__).with_name("container.py")


def arguments_of(bucket: str, *command: str, instances: int = 1, distribution: str = "FullyReplicated") -> Request:
    """The request of a job without its name."""
    return {
        "ProcessingInputs": [
            {
                "InputName": "work",
                "S3Input": {
                    "S3Uri": f"s3://{bucket}/work",
                    "LocalPath": "/opt/ml/processing/input/work",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": distribution,
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [output(bucket, "result", "Continuous"), output(bucket, "last", "EndOfJob")],
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": instances, "InstanceType": "ml.c5.4xlarge", "VolumeSizeInGB": 30}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "AppSpecification": {
            "ImageUri": IMAGE_URI,
            "ContainerEntrypoint": [sys.executable, "-S", str(SCRIPT)],
            "ContainerArguments": list(command),
        },
        "Environment": {"WEATHER": "fair"},
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "RoleArn": ROLE,
    }


def output(bucket: str, name: str, mode: str) -> Request:
    place = {"S3Uri": f"s3://{bucket}/{name}", "LocalPath": f"/opt/ml/processing/output/{name}", "S3UploadMode": mode}
    return {"OutputName": name, "S3Output": place}


def job_of(name: str, bucket: str, *command: str, instances: int = 1) -> Request:
    return {"ProcessingJobName": name, **arguments_of(bucket, *command, instances=instances)}
