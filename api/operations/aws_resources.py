"""What the AWS resources of the settings lack, by name."""

import asyncio
from collections.abc import Iterator

from api.settings import Settings

CHECKPOINT_ACTIONS = ("GetItem", "BatchGetItem", "Query", "PutItem")


def uses_aws(settings: Settings) -> bool:
    return bool(settings.store or settings.checkpoints or settings.queue)


async def lacking_resources(settings: Settings, *, probed: bool = False) -> list[str]:
    """Missing tables, lifecycle rules, settings and permissions; `probed` tries reads and writes of items."""
    return await asyncio.to_thread(lambda: list(_lacking(settings, probed=probed)))


def _lacking(settings: Settings, *, probed: bool) -> Iterator[str]:
    # imported here, because boto3 takes half a second
    from graphs.checkpoints.table_check import KEYS
    from store.aws.resources import lacking_bucket, lacking_queue, lacking_table
    from store.aws.tables import KEYS as STORE_KEYS
    from store.aws.tables import TABLE_KINDS, table_names

    if settings.store:
        prefix, _, bucket = settings.store.removeprefix("dynamodb:").partition(",s3:")
        for name, kind in zip(table_names(prefix), TABLE_KINDS, strict=True):
            probes = kind.actions if probed else ()
            yield from lacking_table(name, STORE_KEYS, time_to_live=kind.time_to_live, probes=probes)
        yield from lacking_bucket(bucket)
    if settings.checkpoints:
        table, _, _ = settings.checkpoints.removeprefix("dynamodb:").partition(",s3:")
        partition, sort = KEYS
        yield from lacking_table(table, (partition, sort), probes=CHECKPOINT_ACTIONS if probed else ())
    if settings.queue:
        url, _, dead = settings.queue.removeprefix("sqs:").partition(",dead:")
        yield from lacking_queue(url)
        yield from lacking_queue(dead)
