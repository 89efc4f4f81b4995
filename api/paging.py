"""Lists come in pages: `limit` of them, then those after the cursor of the page before."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="Items of a page, at most")]
After = Annotated[str | None, Query(max_length=500, description="`next` of the page before")]


class Listed(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = Field(description="`after` of the next page; null on the last")
