"""The DynamoDB table of the checkpoints by name; boto3 and LangGraph are imported when it is first used."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphs.checkpoints.dynamodb import TableSaver


@dataclass(frozen=True)
class DynamoTable:
    """A table, and a bucket for larger checkpoints; boto3's variables name the region, endpoint and credentials."""

    name: str
    bucket: str | None = None

    @cached_property
    def saver(self) -> "TableSaver":
        """Created once, since creating a boto3 client takes a good part of a second."""
        from graphs.checkpoints.dynamodb import TableSaver  # imports boto3 and LangGraph

        return TableSaver(self.name, self.bucket)
