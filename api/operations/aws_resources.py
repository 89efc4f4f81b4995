"""What the AWS resources of the settings lack, by name."""

import asyncio
from collections.abc import Iterator

from api.settings import Settings

CHECKPOINT_ACTIONS = ("GetItem", "BatchGetItem", "Query", "PutItem")
SEND = ("SendMessage",)


def uses_aws(settings: Settings) -> bool:
    return bool(settings.store or settings.checkpoints or settings.queue)


async def lacking_resources(settings: Settings, *, worker: bool = False) -> list[str]:
    """Missing tables, time to live, lifecycle rules, settings of queues and permissions.

    Permissions are tried by reads, and by writes that are always refused: those of an interface, which sends jobs, or
    with `worker` also those of a worker.
    """
    return await asyncio.to_thread(lambda: list(_lacking(settings, worker=worker)))


def _lacking(settings: Settings, *, worker: bool) -> Iterator[str]:
    # imported here, because boto3 takes half a second
    from graphs.checkpoints.table_check import KEYS
    from store.aws.resources import OBJECT_ACTIONS, QUEUE_ACTIONS, Resources
    from store.aws.tables import KEYS as STORE_KEYS
    from store.aws.tables import TABLE_KINDS, table_names

    with Resources() as resources:
        bucket = ""
        if settings.store:
            prefix, _, bucket = settings.store.removeprefix("dynamodb:").partition(",s3:")
            for name, kind in zip(table_names(prefix), TABLE_KINDS, strict=True):
                yield from resources.lacking_table(
                    name, STORE_KEYS, time_to_live=kind.time_to_live, probes=kind.actions
                )
            yield from resources.lacking_bucket(bucket, probes=OBJECT_ACTIONS)
        if settings.checkpoints:
            table, _, large = settings.checkpoints.removeprefix("dynamodb:").partition(",s3:")
            partition, sort = KEYS
            yield from resources.lacking_table(table, (partition, sort), probes=CHECKPOINT_ACTIONS)
            if large not in ("", bucket):
                yield from resources.lacking_bucket(large, expiring=False, probes=OBJECT_ACTIONS)
        if settings.queue:
            url, _, dead = settings.queue.removeprefix("sqs:").partition(",dead:")
            yield from resources.lacking_queue(url, probes=QUEUE_ACTIONS if worker else SEND)
            yield from resources.lacking_queue(dead, probes=SEND if worker else ())
