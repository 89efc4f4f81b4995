"""Cursor pagination: `limit` items per page, continued after the cursor of the previous page."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from store.errors import InvalidCursor

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of items per page")]
After = Annotated[str | None, Query(max_length=500, description="`next` of the previous page")]


class Page(BaseModel, Generic[T]):
    items: list[T] = Field(description="The items of this page, in order")
    next: str | None = Field(description="`after` of the next page; null on the last")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """The name in the OpenAPI document: DatasetPage for the pages of Dataset."""
        return f"{params[0].__name__}{cls.__name__}"


def paginate(items: Sequence[T], name: Callable[[T], str], limit: int, after: str | None) -> Page[T]:
    """A page of a list in memory; the cursor is the name of the last item."""
    names = [name(item) for item in items]
    if after is not None and after not in names:
        raise InvalidCursor(after)
    start = 0 if after is None else names.index(after) + 1
    page = list(items[start : start + limit])
    return Page(items=page, next=names[start + limit - 1] if start + limit < len(names) else None)
