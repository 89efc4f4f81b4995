import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from store.errors import Conflict, Invalid
from store.records import Key, Put, Record, Records, batches, iterate_records
from store.sqlite.records import SqliteRecords
from store.store import Store

KEY = Key("ann", "run", "r1")

pytestmark = pytest.mark.anyio


async def test_a_record_is_read_with_its_version(store: Store) -> None:
    assert isinstance(store.records, Records)
    assert await store.records.get(KEY) is None
    assert await store.records.put(KEY, {"state": "new"}) == 1
    assert await store.records.put(KEY, {"state": "done"}) == 2
    assert await store.records.get(KEY) == Record(KEY, {"state": "done"}, 2)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"": ""},
        {"deep": {"list": [1, 2.5, None, True, [], {}]}, "tiny": 5e-324, "zero": -0.0},
        {"text": "Übergewicht 株式 🚀 \x00 \u2028 \ud800"},
        {"big": 10**40, "rows": ["x" * 1000] * 1000},
    ],
    ids=["empty", "empty key", "nested", "unicode", "1 MB"],
)
async def test_a_document_comes_back_equal(store: Store, document: dict[str, object]) -> None:
    await store.records.put(KEY, document)
    record = await store.records.get(KEY)
    assert record is not None
    assert repr(record.document) == repr(document)


async def test_a_document_that_would_come_back_changed_is_refused(store: Store) -> None:
    changed: list[dict[Any, object]] = [
        {"x": math.nan}, {"x": math.inf}, {"x": {1, 2}}, {"x": (1, 2)}, {1: "x"}, {"x": b"bytes"}
    ]  # fmt: skip
    for document in changed:
        with pytest.raises(Invalid, match=r"document of .*'r1'.* allowed are dicts with text keys"):
            await store.records.put(KEY, document)
    assert await store.records.get(KEY) is None


async def test_a_cyclic_document_is_refused(store: Store) -> None:
    document: dict[str, object] = {}
    document["self"] = document
    with pytest.raises(Invalid, match="Circular"):
        await store.records.put(KEY, document)


async def test_create_only_creates_once(store: Store) -> None:
    assert await store.records.put(KEY, {"by": 1}, expected=0) == 1
    with pytest.raises(Conflict, match=r"'r1'.* at version 1; the writer expected 0"):
        await store.records.put(KEY, {"by": 2}, expected=0)
    assert await store.records.get(KEY) == Record(KEY, {"by": 1}, 1)


async def test_a_version_is_replaced_once(store: Store) -> None:
    with pytest.raises(Conflict, match="at version 0; the writer expected 1"):
        await store.records.put(KEY, {}, expected=1)
    await store.records.put(KEY, {"n": 1})
    assert await store.records.put(KEY, {"n": 2}, expected=1) == 2
    with pytest.raises(Conflict, match="at version 2; the writer expected 1"):
        await store.records.put(KEY, {"n": 3}, expected=1)


async def test_one_of_many_writers_with_the_same_version_succeeds(store: Store) -> None:
    await store.records.put(KEY, {"by": -1})
    answers = await asyncio.gather(
        *(store.records.put(KEY, {"by": n}, expected=1) for n in range(20)), return_exceptions=True
    )
    assert sorted(str(type(answer).__name__) for answer in answers) == ["Conflict"] * 19 + ["int"]


async def test_concurrent_increments_with_versions_are_all_counted(store: Store) -> None:
    await store.records.put(KEY, {"n": 0})

    async def count() -> None:
        while True:
            record = await store.records.get(KEY)
            assert record is not None
            try:
                await store.records.put(KEY, {"n": record.document["n"] + 1}, expected=record.version)
            except Conflict:
                continue
            return

    await asyncio.gather(*(count() for _ in range(12)))
    assert await store.records.get(KEY) == Record(KEY, {"n": 12}, 13)


async def test_a_batch_is_written_completely_or_not_at_all(store: Store) -> None:
    keys = [Key("ann", "trial", f"t{n}") for n in range(3)]
    assert await store.records.put_many([Put(key, {}) for key in keys]) == (1, 1, 1)
    with pytest.raises(Conflict, match="'t2'"):
        await store.records.put_many([Put(key, {}, expected) for key, expected in zip(keys, (1, 1, 2), strict=True)])
    assert [record.version async for record in iterate_records(store.records, "ann", "trial")] == [1, 1, 1]
    assert await store.records.put_many([]) == ()


async def test_a_batch_has_bounds(store: Store) -> None:
    puts = [Put(Key("ann", "x", f"{n:02}"), {}) for n in range(51)]
    entries = [Put(Key("ann", "audit-x", f"{n:03}"), {}) for n in range(101)]
    labelled = [Put(Key("ann", "y", f"{n:02}"), {}, labels={"state": "new", "about": "x"}) for n in range(17)]
    for few in (puts[:50], entries[:100], labelled[:16]):
        assert set(await store.records.put_many(few)) == {1}
    for many, writes in ((puts, 102), (entries, 101), (labelled, 102)):
        with pytest.raises(Invalid, match=f"`puts` needs {writes} writes; allowed are 100"):
            await store.records.put_many(many)
    with pytest.raises(Invalid, match="`puts` contains a key twice"):
        await store.records.put_many([Put(KEY, {}), Put(KEY, {})])


def test_batches_are_as_large_as_a_transaction_allows() -> None:
    puts = [Put(Key("ann", "x", f"{n:03}"), {}, labels={"state": "new"} if n % 50 == 0 else {}) for n in range(150)]
    divided = list(batches(puts))
    assert [put for batch in divided for put in batch] == puts
    assert [len(batch) for batch in divided] == [49, 49, 49, 3]
    assert list(batches([])) == []


async def test_kinds_of_the_audit_log_are_listed_by_id_only(store: Store) -> None:
    for n in (2, 1):
        await store.records.put(Key("ann", "audit-x", f"e{n}"), {"n": n})
    assert [record.key.id async for record in iterate_records(store.records, "ann", "audit-x")] == ["e1", "e2"]
    with pytest.raises(Invalid, match="`kind` is 'audit-x', which is listed by id only"):
        await store.records.list("ann", "audit-x", newest_first=True)
    with pytest.raises(Invalid, match="`kind` is 'audit-x', which is listed by id only"):
        await store.records.list("ann", "audit-x", label=("state", "new"))
    with pytest.raises(Invalid, match="allowed are none for kinds of the audit log"):
        await store.records.put(Key("ann", "audit", "e1"), {}, labels={"state": "new"})
    assert await store.records.delete(Key("ann", "audit-x", "e1"), expected=1)
    assert [record.key.id async for record in iterate_records(store.records, "ann", "audit-x")] == ["e2"]


async def test_delete_returns_whether_the_record_existed(store: Store) -> None:
    assert not await store.records.delete(KEY)
    await store.records.put(KEY, {})
    await store.records.put(KEY, {})
    with pytest.raises(Conflict, match="at version 2; the writer expected 1"):
        await store.records.delete(KEY, expected=1)
    assert await store.records.delete(KEY, expected=2)
    assert await store.records.get(KEY) is None
    with pytest.raises(Conflict):
        await store.records.delete(KEY, expected=2)
    assert await store.records.put(KEY, {}, expected=0) == 1


async def fill(records: Records, *ids: str) -> None:
    for id_ in ids:
        await records.put(Key("ann", "run", id_), {})


async def ids(records: Records, **options: object) -> list[str]:
    return [record.key.id async for record in iterate_records(records, "ann", "run", **options)]  # type: ignore[arg-type]


async def test_listing_is_by_id_or_the_newest_first(store: Store) -> None:
    await fill(store.records, "b", "ä", "a", "B", "株", "🚀", "a1", "a b")
    by_id = ["B", "a", "a b", "a1", "b", "ä", "株", "🚀"]
    assert sorted(by_id, key=str.encode) == by_id
    assert await ids(store.records) == by_id
    await fill(store.records, "b")  # an update keeps its place
    assert await ids(store.records, newest_first=True) == [
        "a b", "a1", "🚀", "株", "B", "a", "ä", "b"
    ]  # fmt: skip
    assert await ids(store.records, prefix="a") == ["a", "a b", "a1"]
    assert await ids(store.records, prefix="a", newest_first=True) == ["a b", "a1", "a"]
    assert await ids(store.records, prefix="%") == []
    assert (await store.records.list("ann", "run", prefix="a", after="z")).records == ()
    assert len((await store.records.list("ann", "run", prefix="b", after="a")).records) == 1


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 10, 1000])
async def test_the_pages_together_are_the_whole_listing(store: Store, limit: int, newest_first: bool) -> None:
    await fill(store.records, *(f"{n:02}" for n in range(10)))
    ids: list[str] = []
    after = None
    for _ in range(11):
        page = await store.records.list("ann", "run", after=after, limit=limit, newest_first=newest_first)
        assert len(page.records) <= limit
        ids += [record.key.id for record in page.records]
        if (after := page.after) is None:
            break
    assert ids == sorted((f"{n:02}" for n in range(10)), reverse=newest_first)
    assert after is None


@pytest.mark.parametrize("newest_first", [False, True])
async def test_writes_between_pages_neither_hide_nor_repeat_other_records(store: Store, newest_first: bool) -> None:
    await fill(store.records, *(f"{n:02}" for n in range(0, 40, 2)))
    ids: list[str] = []
    after = None
    while True:
        page = await store.records.list("ann", "run", after=after, limit=3, newest_first=newest_first)
        ids += [record.key.id for record in page.records]
        if (after := page.after) is None:
            break
        await fill(store.records, f"{len(ids):02}x", f"{39 - len(ids):02}x")
        await store.records.delete(page.records[-1].key)  # the cursor's own record
    stable_ids = [id_ for id_ in ids if not id_.endswith("x")]
    assert stable_ids == sorted((f"{n:02}" for n in range(0, 40, 2)), reverse=newest_first)
    assert len(ids) == len(set(ids))


async def test_a_page_has_bounds(store: Store) -> None:
    for limit in (0, -1, 1001):
        with pytest.raises(Invalid, match=f"`limit` is {limit}; allowed is 1 to 1000"):
            await store.records.list("ann", "run", limit=limit)


async def test_a_cursor_of_another_order_is_refused(store: Store) -> None:
    for after in ("x", "-1", "٣", "9" * 30, ""):
        with pytest.raises(Invalid, match=r"is not a cursor of this list"):
            await store.records.list("ann", "run", after=after, newest_first=True)
    for after in ("", "\ud800", "a/b", "x" * 600):
        with pytest.raises(Invalid, match="`after` is"):
            await store.records.list("ann", "run", after=after)


async def label(records: Records, id_: str, **labels: str) -> None:
    await records.put(Key("ann", "run", id_), {}, labels=labels)  # type: ignore[arg-type]


async def test_records_are_listed_by_their_labels(store: Store) -> None:
    await label(store.records, "b", state="new", about="x")
    await label(store.records, "c", state="done", about="x")
    await label(store.records, "a", state="new", content="new")
    await label(store.records, "n", state="newer")
    await fill(store.records, "plain")
    await store.records.put(Key("ann", "trial", "a"), {}, labels={"state": "new"})
    await store.records.put(Key("bob", "run", "a"), {}, labels={"state": "new"})
    assert await ids(store.records, label=("state", "new")) == ["a", "b"]
    assert await ids(store.records, label=("state", "new"), newest_first=True) == ["a", "b"]
    assert await ids(store.records, label=("about", "x"), newest_first=True) == ["c", "b"]
    assert await ids(store.records, label=("about", "x"), prefix="b") == ["b"]
    assert await ids(store.records, label=("about", "x"), prefix="b", newest_first=True) == ["b"]
    assert await ids(store.records, label=("content", "new")) == ["a"]
    assert await ids(store.records, label=("about", "new")) == []
    assert len(await ids(store.records)) == 5


async def test_a_put_replaces_the_labels_and_a_delete_removes_them(store: Store) -> None:
    await label(store.records, "a", state="new", about="x")
    await label(store.records, "b", state="new")
    await label(store.records, "a", state="done")
    assert await ids(store.records, label=("state", "new")) == ["b"]
    assert await ids(store.records, label=("about", "x")) == []
    assert await ids(store.records, label=("state", "done")) == ["a"]
    await store.records.delete(Key("ann", "run", "a"))
    assert await ids(store.records, label=("state", "done")) == []
    await label(store.records, "a", state="new")
    assert await ids(store.records, label=("state", "new"), newest_first=True) == ["a", "b"]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_the_pages_of_a_label_together_are_the_whole_listing(store: Store, newest_first: bool) -> None:
    for n in range(9):
        await label(store.records, f"{n}", state="odd" if n % 2 else "even")
    ids: list[str] = []
    after = None
    while True:
        page = await store.records.list(
            "ann", "run", label=("state", "even"), after=after, limit=2, newest_first=newest_first
        )
        ids += [record.key.id for record in page.records]
        if (after := page.after) is None:
            break
    assert ids == sorted("02468", reverse=newest_first)


async def test_an_invalid_label_is_refused(store: Store) -> None:
    for name, value in (("other", "x"), ("state", ""), ("state", "a#b"), ("state", "x" * 513)):
        with pytest.raises(Invalid, match="label"):
            await label(store.records, "a", **{name: value})
        with pytest.raises(Invalid, match="label"):
            await ids(store.records, label=(name, value))
    assert await store.records.get(Key("ann", "run", "a")) is None


async def test_an_expired_record_is_not_found(store: Store) -> None:
    past, future = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(hours=1)
    stays, goes = Key("ann", "run", "stays"), Key("ann", "run", "goes")
    await store.records.put(stays, {}, expires=future, labels={"state": "new"})
    assert await store.records.put(goes, {"n": 1}) == 1
    assert await store.records.put(goes, {"n": 2}, expires=past, labels={"state": "new"}) == 2
    assert await store.records.get(goes) is None
    for options in ({}, {"newest_first": True}):
        assert await ids(store.records, **options) == ["stays"]
        assert await ids(store.records, label=("state", "new"), **options) == ["stays"]
    assert not await store.records.delete(goes)
    for expected in (1, 2):
        with pytest.raises(Conflict, match=f"at version 0; the writer expected {expected}"):
            await store.records.put(goes, {}, expected=expected)
        with pytest.raises(Conflict, match=f"at version 0; the writer expected {expected}"):
            await store.records.delete(goes, expected=expected)
    assert await store.records.put(goes, {"n": 3}, expected=0) == 1
    assert await store.records.get(goes) == Record(goes, {"n": 3}, 1)
    assert await ids(store.records, label=("state", "new")) == ["stays"]
    assert await ids(store.records, newest_first=True) == ["goes", "stays"]


async def test_a_stored_record_expires(store: Store) -> None:
    await store.records.put(KEY, {}, expires=datetime.now(UTC) + timedelta(seconds=0.4))
    assert await store.records.get(KEY) is not None
    await asyncio.sleep(0.5)
    assert await store.records.get(KEY) is None
    assert await store.records.put(KEY, {}) == 1  # without a time it stays
    assert await store.records.get(KEY) is not None


async def test_a_sweep_deletes_expired_records(store: Store) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    for owner in ("ann", "bob"):
        await store.records.put(Key(owner, "run", "old"), {"text": "x" * 1_000_000}, expires=past)
        await store.records.put(Key(owner, "run", "new"), {}, expires=past + timedelta(hours=1))
        await store.records.put(Key(owner, "run", "ever"), {})
    assert await store.records.sweep() == (2 if isinstance(store.records, SqliteRecords) else 0)  # DynamoDB does it
    assert await store.records.sweep() == 0
    assert await ids(store.records) == ["ever", "new"]


async def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(Invalid, match=r"`expires` is 2030.* allowed is a time with a time zone"):
        await store.records.put(KEY, {}, expires=datetime(2030, 1, 1))  # noqa: DTZ001


async def test_another_owner_finds_nothing(store: Store) -> None:
    await store.records.put(KEY, {"secret": True})
    for owner in ("bob", "Ann", "an", "annn", "ann.run"):
        assert await store.records.get(Key(owner, "run", "r1")) is None
        assert not (await store.records.list(owner, "run")).records
        assert not await store.records.delete(Key(owner, "run", "r1"))
        assert await store.records.put(Key(owner, "run", "r1"), {}, expected=0) == 1
    assert await store.records.get(KEY) == Record(KEY, {"secret": True}, 1)


async def test_two_kinds_share_no_ids(store: Store) -> None:
    await store.records.put(KEY, {})
    assert await store.records.get(Key("ann", "runs", "r1")) is None
    assert not (await store.records.list("ann", "ru")).records
