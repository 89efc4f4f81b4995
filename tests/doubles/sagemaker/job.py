"""Executes one processing job."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.doubles.sagemaker.instances import IMAGE, Instance, addresses, environment, write
from tests.doubles.sagemaker.transfer import NoObjects, Traffic, Upload, download
from tests.doubles.sagemaker.validation import Request

Status = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]

INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Behaviour:
    """Behaviour of the fleet; times in seconds. `second` is the duration of one second of a retry policy."""

    upload_every: float = 0.2
    grace: float = 1.0
    second: float = 0.01
    lost: Literal["ends the job", "goes on"] = "ends the job"
    image: tuple[str, ...] = tuple(IMAGE)
    """Command of the image's entry point."""


class Job:
    """A processing job: its request and state, and `live`, which runs in a thread."""

    def __init__(
        self,
        request: Request,
        arn: str,
        folder: Path,
        s3: Any,
        traffic: Traffic,
        behaviour: Behaviour,
        cloud: dict[str, str],
        changed: Callable[["Job"], None],
        planned_failure: str | None = None,
    ) -> None:
        self.request, self.arn, self.folder, self.behaviour = request, arn, folder, behaviour
        self.name: str = request["ProcessingJobName"]
        self.status: Status = "InProgress"
        self.reason = self.message = ""
        self.created = self.modified = time.time()
        self.started: float | None = None
        self.ended: float | None = None
        self.instances: list[Instance] = []
        self.lost_outputs: set[str] = set()
        self.done = threading.Event()
        self._s3, self._traffic, self._cloud, self._planned_failure, self._changed = (
            s3,
            traffic,
            cloud,
            planned_failure,
            changed,
        )
        self._first: dict[str, int] | None = None
        self._closed = False
        self._lock = threading.Lock()

    def description(self) -> Request:
        """Fields of the job's description besides its request."""
        fields = {
            "ProcessingJobName": self.name,
            "ProcessingJobArn": self.arn,
            "ProcessingJobStatus": self.status,
            "FailureReason": self.reason or None,
            "ExitMessage": self.message or None,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "ProcessingStartTime": self.started,
            "ProcessingEndTime": self.ended,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def stop(self) -> bool:
        """Stop the job; False if it has ended."""
        with self._lock:
            begins = self.status == "InProgress"
            if begins:
                self.status, self.modified = "Stopping", time.time()
        if begins:
            self._changed(self)
        return self.status == "Stopping"

    def close(self) -> None:
        """End at once without further uploads."""
        self._closed = True
        for instance in self.instances:
            instance.close()

    def live(self) -> None:
        self._changed(self)
        outcome: tuple[Status, str] = ("Failed", INTERNAL)
        try:
            outcome = self._outcome()
        finally:
            with self._lock:
                self.status, self.reason = outcome
                self.ended = self.modified = time.time()
            self.done.set()
            self._changed(self)

    def _outcome(self) -> tuple[Status, str]:
        if self._planned_failure:
            return "Failed", self._planned_failure
        count = self.request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        with ExitStack() as stack:
            try:
                self._prepare(stack.enter_context(addresses(count)))
            except NoObjects as missing:
                return "Failed", (
                    f'ClientError: No S3 objects found under S3 URL "{missing}" given in input data source. '
                    "Please ensure that objects exist under that S3 prefix, "
                    "and that the role has s3:ListBucket permissions."
                )
            for instance in self.instances:
                stack.callback(instance.close)
                self._start(instance)
            self.started = self.modified = time.time()
            was_stopped = self._watch()
            return self._final_status(stopped=was_stopped)

    def _prepare(self, hosts: list[str]) -> None:
        instances = [Instance(self.folder / host, host, hosts) for host in hosts]
        for instance in instances:
            write(instance.root / "config/processingjobconfig.json", self.request)
            config: Request = self.request.get("ProcessingOutputConfig", {"Outputs": []})
            instance.uploads = [
                Upload(self._s3, output, instance.root, self._traffic, self.lost_outputs, config.get("KmsKeyId"))
                for output in config["Outputs"]
            ]
        for input_ in self.request.get("ProcessingInputs", []):
            download(self._s3, input_, [instance.root for instance in instances], self._traffic)
        self.instances = instances

    def _start(self, instance: Instance) -> None:
        application = self.request["AppSpecification"]
        command = application.get("ContainerEntrypoint", list(self.behaviour.image)) + application.get(
            "ContainerArguments", []
        )
        isolated = self.request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
        variables = self.request.get("Environment", {})
        instance.start(command, environment(instance.root, variables, {} if isolated else self._cloud))

    def _watch(self) -> bool:
        """Wait for the end; whether a request or the time limit stopped the job."""
        longest = self.request.get("StoppingCondition", {"MaxRuntimeInSeconds": 86_400})["MaxRuntimeInSeconds"]
        limit, next_upload = time.monotonic() + longest, 0.0
        while self._running() and not self._closed:
            if self.status == "Stopping" or time.monotonic() > limit:
                self.stop()
                self._terminate()
                return True
            if self._must_end():
                self._first = self._codes()
                self._terminate()
            if time.monotonic() > next_upload:
                self._upload()
                next_upload = time.monotonic() + self.behaviour.upload_every
            time.sleep(POLL_SECONDS)
        return self.status == "Stopping"

    def _running(self) -> bool:
        return any(instance.running() for instance in self.instances)

    def _must_end(self) -> bool:
        """Whether the failure of one instance ends the job."""
        is_lost = any(instance.lost for instance in self.instances)
        return self.behaviour.lost == "ends the job" and (is_lost or bool(self._codes()))

    def _codes(self) -> dict[str, int]:
        """Exit codes of failed instances."""
        codes = {instance.address: instance.code() for instance in self.instances if not instance.lost}
        return {address: code for address, code in codes.items() if code}

    def _terminate(self) -> None:
        """Send SIGTERM to running instances, and SIGKILL after the grace period."""
        for instance in self.instances:
            instance.signal(signal.SIGTERM)
        deadline = time.monotonic() + self.behaviour.grace
        while self._running() and time.monotonic() < deadline and not self._closed:
            time.sleep(POLL_SECONDS)
        for instance in self.instances:
            instance.close()

    def _upload(self, *, all_outputs: bool = False) -> None:
        for instance in self.instances:
            instance.upload(all_outputs=all_outputs)

    def _final_status(self, *, stopped: bool) -> tuple[Status, str]:
        remaining = [instance for instance in self.instances if not instance.lost]
        is_lost = len(remaining) < len(self.instances)
        failures = self._codes() if self._first is None else self._first
        whole = not is_lost or (self.behaviour.lost == "goes on" and bool(remaining))
        fine = not stopped and not failures and whole
        if not self._closed:
            self._upload(all_outputs=fine)
        try:
            message = b"".join(instance.message() for instance in remaining).decode()
        except UnicodeDecodeError:
            return "Failed", "ClientError: The exit message is not encoded in UTF-8."
        self.message = message.encode()[:1024].decode(errors="ignore")
        if stopped or fine:
            return "Stopped" if stopped else "Completed", ""
        if not failures or (is_lost and self.behaviour.lost == "ends the job"):
            return "Failed", INTERNAL
        codes = ", ".join(f"{address}: {code}" for address, code in failures.items())
        return "Failed", f"AlgorithmError: See job logs for more information, exit code of {codes}"[:1024]
