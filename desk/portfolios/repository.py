"""Portfolios that a person keeps: made, read, changed, deleted, and restored within a month."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from desk.base.errors import Conflicting, NotFound
from desk.portfolios.schemas import Portfolio, PortfolioContent, PortfolioDraft, PortfolioPatch, settled
from store.errors import Conflict
from store.records import Key, Record
from store.store import Store

KIND = "portfolio"
RESTORABLE = timedelta(days=30)
_READS = 10
"""Pages that one request looks through for a tag."""


class NoSuchPortfolio(NotFound):
    """The owner has no portfolio of that id, or it is deleted."""

    code = "no_such_portfolio"

    def __init__(self, portfolio_id: str) -> None:
        super().__init__(f"portfolio: there is no portfolio {portfolio_id!r}; expected the id of one of yours")


class Changed(Conflicting):
    """The portfolio is at another version than the one that was to be changed."""

    code = "changed"

    def __init__(self, portfolio_id: str, version: int) -> None:
        super().__init__(f"portfolio: {portfolio_id} is at version {version} now; read it and decide again")


@dataclass(frozen=True)
class PortfolioPage:
    portfolios: tuple[Portfolio, ...]
    after: str | None


async def create_portfolio(store: Store, owner: str, draft: PortfolioDraft, *, now: datetime) -> Portfolio:
    content = settled(draft, normalize=draft.normalize)
    portfolio = Portfolio(
        id=f"p-{uuid.uuid4().hex[:20]}",
        **{name: getattr(content, name) for name in PortfolioContent.model_fields},
        version=1,
        created_at=now,
        updated_at=now,
    )
    return await _put(store, owner, portfolio, expected=0)


async def kept_portfolio(store: Store, owner: str, portfolio_id: str) -> Portfolio:
    record = await _read(store, owner, portfolio_id)
    if record.deleted_at is not None:
        raise NoSuchPortfolio(portfolio_id)
    return record


async def kept_portfolios(
    store: Store,
    owner: str,
    *,
    limit: int = 100,
    after: str | None = None,
    tag: str | None = None,
    deleted: bool = False,
) -> PortfolioPage:
    """The newest first; with `tag` a page may hold fewer than `limit` before the end."""
    state = "deleted" if deleted else "kept"
    portfolios: list[Portfolio] = []
    for _ in range(_READS):
        page = await store.records.list(
            owner, KIND, label=("state", state), after=after, limit=limit - len(portfolios), newest_first=True
        )
        portfolios += [portfolio for record in page.records if _has(portfolio := _portfolio(record), tag)]
        after = page.after
        if after is None or len(portfolios) == limit:
            break
    return PortfolioPage(tuple(portfolios), after)


async def change_portfolio(
    store: Store,
    owner: str,
    portfolio_id: str,
    patch: PortfolioPatch,
    *,
    now: datetime,
    versions: Collection[int] | None = None,
) -> Portfolio:
    """Merge `patch` into whatever stands there; `Changed` unless that is one of `versions`."""

    def changed(old: Portfolio) -> Portfolio:
        before = {name: getattr(old, name) for name in PortfolioContent.model_fields}
        content = settled(PortfolioContent.model_construct(**before | patch.changes), normalize=patch.normalize)
        return old.model_copy(update={name: getattr(content, name) for name in before} | {"updated_at": now})

    return await _replace(store, owner, portfolio_id, changed, versions)


async def delete_portfolio(
    store: Store, owner: str, portfolio_id: str, *, now: datetime, versions: Collection[int] | None = None
) -> Portfolio:
    """Out of sight; it can be restored for 30 days, and is gone after that."""

    def deleted(old: Portfolio) -> Portfolio:
        return old.model_copy(update={"deleted_at": now, "restorable_until": now + RESTORABLE})

    return await _replace(store, owner, portfolio_id, deleted, versions)


async def restore_portfolio(
    store: Store, owner: str, portfolio_id: str, *, now: datetime, versions: Collection[int] | None = None
) -> Portfolio:
    """Undo the deletion; a portfolio that is not deleted stays as it is."""

    def restored(old: Portfolio) -> Portfolio:
        if old.deleted_at is None:
            return old
        return old.model_copy(update={"deleted_at": None, "restorable_until": None, "updated_at": now})

    return await _replace(store, owner, portfolio_id, restored, versions, of_deleted=True)


async def _replace(
    store: Store,
    owner: str,
    portfolio_id: str,
    change: Callable[[Portfolio], Portfolio],
    versions: Collection[int] | None,
    *,
    of_deleted: bool = False,
) -> Portfolio:
    load = _read if of_deleted else kept_portfolio
    while True:
        old = await load(store, owner, portfolio_id)
        if versions is not None and old.version not in versions:
            raise Changed(portfolio_id, old.version)
        new = change(old)
        if new is old:
            return old
        try:
            return await _put(store, owner, new, expected=old.version)
        except Conflict:  # somebody wrote meanwhile: merge into that
            continue


async def _read(store: Store, owner: str, portfolio_id: str) -> Portfolio:
    record = await store.records.get(Key(owner, KIND, portfolio_id))
    if record is None:
        raise NoSuchPortfolio(portfolio_id)
    return _portfolio(record)


async def _put(store: Store, owner: str, portfolio: Portfolio, *, expected: int) -> Portfolio:
    document: dict[str, Any] = portfolio.model_dump(mode="json", exclude={"version"})
    version = await store.records.put(
        Key(owner, KIND, portfolio.id),
        document,
        expected=expected,
        labels={"state": "kept" if portfolio.deleted_at is None else "deleted"},
        expires=portfolio.restorable_until,
    )
    return portfolio.model_copy(update={"version": version})


def _portfolio(record: Record) -> Portfolio:
    return Portfolio.model_validate(record.document | {"version": record.version})


def _has(portfolio: Portfolio, tag: str | None) -> bool:
    return tag is None or tag.casefold() in {own.casefold() for own in portfolio.tags}
