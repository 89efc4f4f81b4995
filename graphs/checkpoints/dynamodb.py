"""Checkpoints in DynamoDB, with S3 for those that exceed an item."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
)
from langgraph_checkpoint_aws.checkpoint.dynamodb import DynamoDBSaver

from graphs.checkpoints.serializer import SERIALIZER, writes_to_store
from store.aws.client_errors import check_length, is_invalid_request, reason
from store.aws.clients import CONNECT_SECONDS, READ_SECONDS
from store.errors import Unavailable

READS = ("BatchGetItem", "GetItem", "Query")
TOGETHER = "stratigos:together"
"""Channel that holds all writes of a task."""


class TableSaver(DynamoDBSaver):
    """Reads consistently, and stores a task's writes atomically: LangGraph takes a partly stored task for finished."""

    serde = SERIALIZER

    def __init__(self, table: str, bucket: str | None) -> None:
        super().__init__(
            table,
            region_name=boto3.Session().region_name or os.environ.get("AWS_REGION"),
            boto_config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS),
            s3_offload_config={"bucket_name": bucket} if bucket else None,
        )
        for operation in READS:
            self.client.meta.events.register(f"provide-client-params.dynamodb.{operation}", _consistent)
        self.client.meta.events.register("before-parse", check_length)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        writes = writes_to_store(writes)
        # writes without a path belong to no task, so more may follow; special writes replace each other
        if task_path and not all(channel in WRITES_IDX_MAP for channel, _ in writes):
            writes = [(TOGETHER, [(channel, *self.serde.dumps_typed(value)) for channel, value in writes])]
        with _faults():
            super().put_writes(config, writes, task_id, task_path)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        with _faults():
            return super().put(config, checkpoint, metadata, new_versions)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        with _faults():
            checkpoint = super().get_tuple(config)
        return checkpoint and self._apart(checkpoint)

    def list(self, config: RunnableConfig | None, **choice: Any) -> Iterator[CheckpointTuple]:
        with _faults():
            yield from map(self._apart, super().list(config, **choice))

    def delete_thread(self, thread_id: str) -> None:
        with _faults():
            super().delete_thread(thread_id)

    def _apart(self, checkpoint: CheckpointTuple) -> CheckpointTuple:
        return checkpoint._replace(
            pending_writes=[each for write in checkpoint.pending_writes or () for each in self._each(write)]
        )

    def _each(self, write: PendingWrite) -> Iterator[PendingWrite]:
        task, channel, value = write
        if channel != TOGETHER:
            yield write
            return
        for name, kind, data in value:
            yield task, name, self.serde.loads_typed((kind, data))


@contextmanager
def _faults() -> Generator[None]:
    """boto3 has retried already; `put` and `put_writes` are idempotent, so callers may repeat an unanswered request."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if is_invalid_request(error):
            raise
        raise Unavailable(f"the checkpoints are unavailable ({reason(error)})") from error


def _consistent(params: dict[str, Any], **_: object) -> None:
    """An eventually consistent read could miss the interrupt or the end that was just stored."""
    for request in params["RequestItems"].values() if "RequestItems" in params else [params]:
        request["ConsistentRead"] = True
