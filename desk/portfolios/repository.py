"""Repository of portfolios: create, read, change, delete, and restore within 30 days."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from desk.base.errors import Conflicting, NotFound
from desk.portfolios.schemas import Portfolio, PortfolioContent, PortfolioDraft, PortfolioPatch, normalize_content
from store.errors import Conflict
from store.records import Key, Record
from store.store import Store

KIND = "portfolio"
RESTORE_PERIOD = timedelta(days=30)
_MAX_PAGES = 10
"""Pages that one request searches for a tag."""


class NoSuchPortfolio(NotFound):
    """The owner has no portfolio with this id, or it is deleted."""

    code = "no_such_portfolio"

    def __init__(self, portfolio_id: str) -> None:
        super().__init__(f"Portfolio {portfolio_id!r} does not exist; expected the id of one of your portfolios.")


class VersionConflict(Conflicting):
    """The portfolio has another version than the request expects."""

    code = "changed"

    def __init__(self, portfolio_id: str, version: int) -> None:
        super().__init__(f"Portfolio {portfolio_id} is now at version {version}; read it again before changing it.")


@dataclass(frozen=True)
class PortfolioPage:
    portfolios: tuple[Portfolio, ...]
    after: str | None


async def create_portfolio(store: Store, owner: str, draft: PortfolioDraft, *, now: datetime) -> Portfolio:
    content = normalize_content(draft, normalize=draft.normalize)
    portfolio = Portfolio(
        id=f"p-{uuid.uuid4().hex[:20]}",
        **{name: getattr(content, name) for name in PortfolioContent.model_fields},
        version=1,
        created_at=now,
        updated_at=now,
    )
    return await _put(store, owner, portfolio, expected=0)


async def load_portfolio(store: Store, owner: str, portfolio_id: str) -> Portfolio:
    record = await _load(store, owner, portfolio_id)
    if record.deleted_at is not None:
        raise NoSuchPortfolio(portfolio_id)
    return record


async def list_portfolios(
    store: Store,
    owner: str,
    *,
    limit: int = 100,
    after: str | None = None,
    tag: str | None = None,
    deleted: bool = False,
) -> PortfolioPage:
    """A page of portfolios, newest first; with `tag` a page before the last may contain fewer than `limit`."""
    state = "deleted" if deleted else "kept"
    portfolios: list[Portfolio] = []
    for _ in range(_MAX_PAGES):
        page = await store.records.list(
            owner, KIND, label=("state", state), after=after, limit=limit - len(portfolios), newest_first=True
        )
        portfolios += [portfolio for record in page.records if _has_tag(portfolio := _portfolio(record), tag)]
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
    """Merge `patch` into the portfolio; raises `VersionConflict` unless its version is one of `versions`."""

    def changed(old: Portfolio) -> Portfolio:
        before = {name: getattr(old, name) for name in PortfolioContent.model_fields}
        content = normalize_content(
            PortfolioContent.model_construct(**before | patch.changes), normalize=patch.normalize
        )
        return old.model_copy(update={name: getattr(content, name) for name in before} | {"updated_at": now})

    return await _replace(store, owner, portfolio_id, changed, versions)


async def delete_portfolio(
    store: Store, owner: str, portfolio_id: str, *, now: datetime, versions: Collection[int] | None = None
) -> Portfolio:
    """Mark the portfolio as deleted; it can be restored for 30 days."""

    def deleted(old: Portfolio) -> Portfolio:
        return old.model_copy(update={"deleted_at": now, "restorable_until": now + RESTORE_PERIOD})

    return await _replace(store, owner, portfolio_id, deleted, versions)


async def restore_portfolio(
    store: Store, owner: str, portfolio_id: str, *, now: datetime, versions: Collection[int] | None = None
) -> Portfolio:
    """Undo the deletion; has no effect on a portfolio that is not deleted."""

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
    load = _load if of_deleted else load_portfolio
    while True:
        old = await load(store, owner, portfolio_id)
        if versions is not None and old.version not in versions:
            raise VersionConflict(portfolio_id, old.version)
        new = change(old)
        if new is old:
            return old
        try:
            return await _put(store, owner, new, expected=old.version)
        except Conflict:  # changed concurrently: merge into the new version
            continue


async def _load(store: Store, owner: str, portfolio_id: str) -> Portfolio:
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


def _has_tag(portfolio: Portfolio, tag: str | None) -> bool:
    return tag is None or tag.casefold() in {own.casefold() for own in portfolio.tags}
