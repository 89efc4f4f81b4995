"""Transfers between S3 and the instances, with counters."""

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.doubles.sagemaker.validation import Request

Version = tuple[int, int, int]


class NoObjects(Exception):
    """No object has the prefix of an input."""


@dataclass
class Traffic:
    """Requests and bytes between S3 and all instances, by name of the input or output."""

    puts: Counter[str] = field(default_factory=Counter[str])
    gets: Counter[str] = field(default_factory=Counter[str])
    bytes_up: Counter[str] = field(default_factory=Counter[str])
    bytes_down: Counter[str] = field(default_factory=Counter[str])
    sent: Counter[str] = field(default_factory=Counter[str])
    """Number of puts by URI."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def up(self, name: str, uri: str, size: int) -> None:
        with self._lock:
            self.sent[uri] += 1
            self.puts[name] += 1
            self.bytes_up[name] += size

    def down(self, name: str, size: int) -> None:
        with self._lock:
            self.gets[name] += 1
            self.bytes_down[name] += size


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of s3://BUCKET/KEY."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sorted(each["Key"] for page in pages for each in page.get("Contents", []))


def below(root: Path, path: str) -> Path:
    """Path of a container's file in an instance's folder."""
    return root / Path(path).relative_to("/opt/ml")


def download(s3: Any, input_: Request, roots: list[Path], traffic: Traffic) -> None:
    """Download the objects of an input to every instance, or its share to each."""
    source: Request = input_["S3Input"]
    bucket, prefix = split(source["S3Uri"])
    object_keys = [key for key in keys(s3, bucket, prefix) if not key.endswith("/")]
    if not object_keys:
        raise NoObjects(source["S3Uri"])
    shared = source.get("S3DataDistributionType") == "ShardedByS3Key"
    for n, key in enumerate(object_keys):
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        for root in [roots[n % len(roots)]] if shared else roots:
            target = below(root, source["LocalPath"]) / _relative(key, prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            traffic.down(input_["InputName"], len(content))


def _relative(key: str, prefix: str) -> str:
    """Path of a key below a prefix, which may end within a file name."""
    if key.startswith(prefix.rstrip("/") + "/"):
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]


class Upload:
    """Uploads new and changed files of one output of one instance."""

    def __init__(
        self, s3: Any, output: Request, root: Path, traffic: Traffic, lost: set[str], key_id: str | None = None
    ) -> None:
        target: Request = output["S3Output"]
        self.name: str = output["OutputName"]
        self.continuous = target["S3UploadMode"] == "Continuous"
        self.folder = below(root, target["LocalPath"])
        self.folder.mkdir(parents=True, exist_ok=True)
        self._bucket, key = split(target["S3Uri"])
        self._prefix = key.rstrip("/")
        self._s3, self._traffic, self._lost = s3, traffic, lost
        self._encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
        self._sent: dict[Path, Version] = {}

    def send(self) -> None:
        for path in sorted(self.folder.rglob("*")):
            with suppress(FileNotFoundError):  # renamed or deleted concurrently
                if path.is_file() and not path.is_symlink():
                    self._send(path)

    def _send(self, path: Path) -> None:
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._sent.get(path) == version:
            return
        content = path.read_bytes()
        self._sent[path] = version
        within = path.relative_to(self.folder).as_posix()
        if not {self.name, f"{self.name}/{within}"} & self._lost:
            place = {"Bucket": self._bucket, "Key": f"{self._prefix}/{within}".lstrip("/")}
            self._s3.put_object(**place, Body=content, **self._encrypted)
            self._traffic.up(self.name, f"s3://{place['Bucket']}/{place['Key']}", len(content))
