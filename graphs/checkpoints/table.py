"""The DynamoDB table of the checkpoints, by name: nothing of it is opened or imported before a graph runs."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphs.checkpoints.dynamodb import TableSaver


@dataclass(frozen=True)
class DynamoTable:
    """A table, and a bucket for what is too large for it; boto3's own variables say where they are and for whom."""

    name: str
    bucket: str | None = None

    @cached_property
    def saver(self) -> "TableSaver":
        """Made once: each client of boto3 takes a good part of a second."""
        from graphs.checkpoints.dynamodb import TableSaver

        return TableSaver(self.name, self.bucket)
