"""Jobs of the SageMaker double behave as in the service."""

import json
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from tests.doubles.aws import Aws
from tests.doubles.sagemaker.fleet import Fleet
from tests.doubles.sagemaker.instances import addresses
from tests.doubles.sagemaker.job import Behaviour
from tests.doubles.sagemaker.job_requests import arguments_of, job_of, output
from tests.doubles.sagemaker.transfer import Upload


@pytest.fixture
def sagemaker(fleet: Fleet) -> Any:
    return fleet.client()


@pytest.fixture(autouse=True)
def nothing_unfit(fleet: Fleet) -> Any:
    yield
    assert fleet.violations == []


def code_of(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as info:
        call(**request)
    error = info.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_job_takes_its_input_from_s3_and_leaves_its_output_there(fleet: Fleet, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a.json", b"one")
    fleet.put(f"s3://{bucket}/work/deep/b.json", b"two")
    client = boto3.client("sagemaker")  # by the settings alone
    arn = client.create_processing_job(**job_of("all", bucket, "copy", instances=2), Tags=[{"Key": "a", "Value": "b"}])
    event = fleet.wait("all")
    description = client.describe_processing_job(ProcessingJobName="all")
    assert description["ProcessingJobArn"] == arn["ProcessingJobArn"]
    assert (event["ProcessingJobStatus"], description["ProcessingJobStatus"]) == ("Completed", "Completed")
    assert description["CreationTime"] <= description["ProcessingStartTime"] <= description["ProcessingEndTime"]
    assert description["ProcessingResources"] == job_of("all", bucket, instances=2)["ProcessingResources"]
    assert fleet.content(f"s3://{bucket}/result/work/deep/b.json") == b"two"
    assert fleet.objects(f"s3://{bucket}/result", like="host-*") == [
        f"s3://{bucket}/result/host-1",
        f"s3://{bucket}/result/host-2",
    ]
    assert (fleet.traffic.gets["work"], fleet.traffic.bytes_down["work"]) == (4, 12)
    assert fleet.traffic.puts["result"] == 6
    assert client.list_tags(ResourceArn=arn["ProcessingJobArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert fleet.counts()["CreateProcessingJob"] == 1


def test_a_container_knows_its_hosts_and_nothing_of_the_fleet(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a", b"x")
    sagemaker.create_processing_job(**job_of("alone", bucket, "seen"))
    assert fleet.wait("alone")["ProcessingJobStatus"] == "Completed", fleet.log("alone")
    seen = json.loads(fleet.content(f"s3://{bucket}/result/seen.json"))
    assert seen["resources"] == {"current_host": seen["host"], "hosts": [seen["host"]]}
    assert seen["job"] == "alone"
    assert seen["environment"]["WEATHER"] == "fair"
    assert seen["environment"]["NUMBA_NUM_THREADS"] == "1"
    names = {name for name in seen["environment"] if name.startswith("AWS_")}
    assert names == {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}
    assert "STRATIGOS_HOME" not in seen["environment"]


def test_without_isolation_a_container_reaches_s3(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a", b"x")
    request = job_of("open", bucket, "seen") | {"NetworkConfig": {"EnableNetworkIsolation": False}}
    sagemaker.create_processing_job(**request)
    fleet.wait("open")
    seen = json.loads(fleet.content(f"s3://{bucket}/result/seen.json"))["environment"]
    assert seen["AWS_ENDPOINT_URL_S3"] == fleet.aws.url


def test_each_instance_gets_its_share_of_what_is_divided_by_key(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    for n in range(5):
        fleet.put(f"s3://{bucket}/work/{n}", b"x")
    arguments = arguments_of(bucket, "copy", instances=2, distribution="ShardedByS3Key")
    sagemaker.create_processing_job(ProcessingJobName="shares", **arguments)
    fleet.wait("shares")
    assert fleet.traffic.gets["work"] == 5
    assert len(fleet.objects(f"s3://{bucket}/result/work/")) == 5


def test_an_empty_prefix_fails_the_job(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    sagemaker.create_processing_job(**job_of("empty", bucket, "copy"))
    description = fleet.wait("empty")
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith(
        f'ClientError: No S3 objects found under S3 URL "s3://{bucket}/work"'
    )


def test_output_is_in_s3_while_the_job_runs(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    start_waiting_job(fleet, sagemaker, bucket, "long")
    assert fleet.jobs["long"].status == "InProgress"
    line = int(fleet.content(f"s3://{bucket}/result/line-1"))
    changed = lambda: int(fleet.content(f"s3://{bucket}/result/line-1")) > line  # noqa: E731
    fleet.wait_for(changed, "the next upload")


def test_new_and_changed_files_are_sent_and_no_others(fleet: Fleet, bucket: str, tmp_path: Path) -> None:
    upload = Upload(fleet.s3, output(bucket, "result", "Continuous"), tmp_path, fleet.traffic, set())
    first, second = upload.folder / "first", upload.folder / "deep" / "second"
    first.write_text("one")
    (upload.folder / "link").symlink_to(first)
    for _ in range(2):
        upload.send()
    assert fleet.traffic.puts["result"] == 1
    second.parent.mkdir()
    second.write_text("two")
    first.write_text("more")
    upload.send()
    assert (fleet.traffic.puts["result"], fleet.traffic.bytes_up["result"]) == (3, 10)
    assert fleet.objects(f"s3://{bucket}/result/") == [
        f"s3://{bucket}/result/deep/second",
        f"s3://{bucket}/result/first",
    ]


def test_a_failed_instance_ends_the_job_with_its_message(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a", b"x")
    sagemaker.create_processing_job(**job_of("bad", bucket, "fail", "2", "2", instances=2))
    description = fleet.wait("bad")
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith("AlgorithmError: ")
    assert description["FailureReason"].endswith(".2: 2")
    assert description["ExitMessage"] == "the prices have no Tuesday"
    assert fleet.content(f"s3://{bucket}/result/before-2") == b"kept"
    assert fleet.objects(f"s3://{bucket}/result/saved-1"), "the other was asked to end"
    assert fleet.objects(f"s3://{bucket}/last") == []


def test_a_lost_instance_ends_the_job_and_uploads_nothing_more(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    start_waiting_job(fleet, sagemaker, bucket, "lost", instances=3)
    tree = fleet.instance("lost", 1).root
    fleet.kill("lost", 1)
    assert not tree.exists()
    description = fleet.wait("lost")
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith("InternalServerError: ")
    saved = fleet.objects(f"s3://{bucket}/result/saved")
    assert [uri[-1] for uri in saved] == ["1", "3"]


def test_a_job_may_complete_without_a_lost_instance(behind: Aws, tmp_path: Path, bucket: str) -> None:
    with Fleet(behind, tmp_path / "other", Behaviour(upload_every=0.02, lost="goes on")) as fleet:
        fleet.put(f"s3://{bucket}/work/a", b"x")
        fleet.client().create_processing_job(**job_of("on", bucket, "copy", instances=2))
        fleet.kill("on", 1)
        assert fleet.wait("on")["ProcessingJobStatus"] == "Completed"


def test_a_stopped_job_keeps_what_it_saves_in_its_grace(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    start_waiting_job(fleet, sagemaker, bucket, "stop")
    sagemaker.stop_processing_job(ProcessingJobName="stop")
    assert fleet.wait("stop")["ProcessingJobStatus"] == "Stopped"
    assert fleet.content(f"s3://{bucket}/result/saved-1") == b"in time"
    error = code_of(sagemaker.stop_processing_job, ProcessingJobName="stop")
    assert error == (
        "ValidationException",
        "The request was rejected because the processing job is in status Stopped.",
    )


def test_a_container_that_ignores_the_signal_is_killed_after_the_grace(
    behind: Aws, tmp_path: Path, bucket: str
) -> None:
    statuses: list[str] = []
    with Fleet(behind, tmp_path / "other", Behaviour(upload_every=0.02, grace=0.1)) as fleet:
        fleet.listeners.append(lambda event: statuses.append(event["detail"]["ProcessingJobStatus"]))
        fleet.put(f"s3://{bucket}/work/a", b"x")
        fleet.client().create_processing_job(**job_of("deaf", bucket, "deaf"))
        fleet.wait_for(lambda: bool(fleet.objects(f"s3://{bucket}/result/deaf-1")), "the container")
        fleet.stop_from_console("deaf")
        assert fleet.wait("deaf")["ProcessingJobStatus"] == "Stopped"
        fleet.wait_for(lambda: len(statuses) == 3, "the last event")
        assert statuses == ["InProgress", "Stopping", "Stopped"]
        assert fleet.jobs["deaf"].instances[0].code() == 128 + signal.SIGKILL


def test_each_change_of_a_status_is_an_event(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    statuses: list[str] = []
    fleet.listeners.append(lambda event: statuses.append(event["detail"]["ProcessingJobStatus"]))
    start_waiting_job(fleet, sagemaker, bucket, "told")
    fleet.stop_from_console("told")
    fleet.wait("told")
    fleet.wait_for(lambda: len(statuses) == 3, "the last event")
    assert statuses == ["InProgress", "Stopping", "Stopped"]
    event = fleet.events[-1]
    assert (event["source"], event["detail-type"]) == ("aws.sagemaker", "SageMaker Processing Job State Change")
    assert event["resources"] == [fleet.jobs["told"].arn]
    assert event["detail"]["CreationTime"] // 1000 == int(fleet.jobs["told"].created)


def test_what_a_job_stores_is_encrypted_with_its_key(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a", b"x")
    request = job_of("locked", bucket, "copy")
    request["ProcessingOutputConfig"]["KmsKeyId"] = "arn:aws:kms:eu-west-1:123456789012:key/one"
    sagemaker.create_processing_job(**request)
    fleet.wait("locked")
    assert fleet.s3.head_object(Bucket=bucket, Key="result/work/a")["SSEKMSKeyId"].endswith("key/one")


def test_the_time_limit_stops_a_job(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a", b"x")
    request = job_of("late", bucket, "wait") | {"StoppingCondition": {"MaxRuntimeInSeconds": 1}}
    sagemaker.create_processing_job(**request)
    assert fleet.wait("late")["ProcessingJobStatus"] == "Stopped"


def test_no_capacity_fails_the_next_job_only(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a", b"x")
    fleet.no_capacity()
    for name in ("first", "second"):
        sagemaker.create_processing_job(**job_of(name, bucket, "copy"))
    assert fleet.wait("first")["FailureReason"].startswith("CapacityError: ")
    assert fleet.wait("second")["ProcessingJobStatus"] == "Completed"


def test_an_operation_fails_as_often_as_planned(fleet: Fleet, sagemaker: Any) -> None:
    fleet.refuse("ListProcessingJobs", "AccessDeniedException", "not for this role", times=2)
    for _ in range(2):
        assert code_of(sagemaker.list_processing_jobs) == ("AccessDeniedException", "not for this role")
    assert sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []


def test_outputs_are_lost_and_damaged_on_demand(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    fleet.put(f"s3://{bucket}/work/a", b"xy")
    fleet.put(f"s3://{bucket}/work/b", b"x")
    fleet.lose_output("holes", "result/work/a")
    sagemaker.create_processing_job(**job_of("holes", bucket, "copy"))
    fleet.wait("holes")
    assert fleet.objects(f"s3://{bucket}/result/work/") == [f"s3://{bucket}/result/work/b"]
    fleet.lose_output("holes", "result")
    assert fleet.objects(f"s3://{bucket}/result/") == []
    fleet.truncate(f"s3://{bucket}/work/a")
    assert fleet.content(f"s3://{bucket}/work/a") == b"x"


def test_a_name_is_used_once(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    sagemaker.create_processing_job(**job_of("once", bucket, "copy"))
    code, message = code_of(sagemaker.create_processing_job, **job_of("once", bucket, "copy"))
    assert (code, message[:23]) == ("ResourceInUse", "Job name must be unique")
    code, _ = code_of(sagemaker.describe_processing_job, ProcessingJobName="another")
    assert code == "ValidationException"


def test_jobs_are_listed_in_pages(fleet: Fleet, sagemaker: Any, bucket: str) -> None:
    for n in range(3):
        sagemaker.create_processing_job(**job_of(f"job-{n}", bucket, "copy"))
        fleet.wait(f"job-{n}")
    pages = sagemaker.get_paginator("list_processing_jobs").paginate(
        NameContains="job-", StatusEquals="Failed", SortBy="Name", SortOrder="Ascending", MaxResults=2
    )
    names = [[job["ProcessingJobName"] for job in page["ProcessingJobSummaries"]] for page in pages]
    assert names == [["job-0", "job-1"], ["job-2"]]
    assert sagemaker.list_processing_jobs(StatusEquals="Completed")["ProcessingJobSummaries"] == []


def test_nothing_is_left_of_a_fleet(behind: Aws, tmp_path: Path, bucket: str) -> None:
    threads, children = threading.active_count(), psutil.Process().children(recursive=True)

    def failing_test() -> None:
        with Fleet(behind, tmp_path / "other", Behaviour(upload_every=0.02)) as fleet:
            start_waiting_job(fleet, fleet.client(), bucket, "left", instances=2)
            assert len(psutil.Process().children(recursive=True)) == len(children) + 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_test()
    assert psutil.Process().children(recursive=True) == children
    deadline = time.monotonic() + 60
    while threading.active_count() > threads:  # moto's, one a connection
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.01)
    assert not (tmp_path / "other").exists()


def test_no_two_jobs_share_an_address() -> None:
    with addresses(3) as one, addresses(20) as other:
        assert len({*one, *other}) == 23
        assert all(address.startswith("127.") for address in (*one, *other))
        with socket.create_server((one[0], 0)):
            pass


def start_waiting_job(fleet: Fleet, sagemaker: Any, bucket: str, name: str, instances: int = 1) -> None:
    """Start a job that runs until it is stopped, and wait for output of each instance."""
    fleet.put(f"s3://{bucket}/work/a", b"x")
    sagemaker.create_processing_job(**job_of(name, bucket, "wait", instances=instances))
    is_stored = lambda: len(fleet.objects(f"s3://{bucket}/result/", like="line-*")) == instances  # noqa: E731
    fleet.wait_for(is_stored, "output of each instance")
