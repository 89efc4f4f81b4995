"""Whatever is done to a stored audit log is detected, and the verification names the chain and the entry."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desk.base.clock import utc_now
from desk.governance.audit_anchors import anchor_chains
from desk.governance.audit_chains import Link
from desk.governance.audit_faults import Fault
from desk.governance.audit_log import AuditLog
from desk.governance.audit_verification import Verification, verify
from store.embedded import open_store
from tests.desk.governance.audit_samples import entry, write_single_chain
from tests.doubles.aws import moto, point_at
from tests.store.openers import OPENERS

COUNT = 6
ENTRIES = "kind GLOB 'audit-2*'"
HEADS = "kind GLOB 'audit-heads-*'"
ANCHORS = "kind GLOB 'audit-anchors-*'"
ANCHOR_HEAD = "kind = 'audit' AND id = 'anchors'"


async def write(home: Path, *, single: bool = False, owner: str = "ann") -> None:
    """Two chains of six entries, written in turns; an anchor after four, and one after five."""
    async with open_store(home) as store:
        if single:
            await write_single_chain(store, COUNT)
            return
        logs = [AuditLog(store), AuditLog(store)]
        for n in range(COUNT):
            for log in logs:
                await log.append(entry(n, owner=owner))
            if n in (3, 4):
                now = utc_now()
                await anchor_chains(store, "", now, interval=now - now)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chains")
    asyncio.run(write(folder))
    return folder


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("single")
    asyncio.run(write(folder, single=True))
    return folder


Change = Callable[[sqlite3.Connection], Any]


def verified(home: Path, **options: Any) -> Verification:
    async def run() -> Verification:
        async with open_store(home) as store:
            return await verify(store, **options)

    return asyncio.run(run())


def verify_after(home: Path, change: Change, **options: Any) -> Verification:
    """The verification after a change, which is then reverted."""
    with closing(sqlite3.connect(home / "store.sqlite", isolation_level=None)) as connection:
        remaining = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("events", "records")}
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        change(connection)
        connection.execute("COMMIT")
        try:
            return verified(home, **options)
        finally:
            connection.execute("BEGIN")
            for name, rows in remaining.items():
                connection.execute(f"DELETE FROM {name}")
                if rows:
                    connection.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)
            connection.execute("COMMIT")


def fault_after(home: Path, change: Change, **options: Any) -> Fault:
    verification = verify_after(home, change, **options)
    assert verification.fault is not None
    return verification.fault


def ids(connection: sqlite3.Connection, chain: int) -> list[str]:
    """The ids of the entries of one of the two chains."""
    rows = [id_ for (id_,) in connection.execute(f"SELECT id FROM records WHERE {ENTRIES} ORDER BY id")]
    suffixes = sorted({id_.split(".")[1] for id_ in rows})
    return [id_ for id_ in rows if id_.split(".")[1] == suffixes[chain]]


def stored(connection: sqlite3.Connection, id_: str) -> bytes:
    return connection.execute("SELECT CAST(document AS BLOB) FROM records WHERE id = ?", (id_,)).fetchone()[0]


def test_the_unchanged_logs_are_whole(home: Path, single: Path) -> None:
    verification = verified(home)
    assert (verification.entries, verification.chains, verification.anchors, verification.fault) == (12, 2, 2, None)
    assert [(part.first, part.last) for part in verification.unanchored] == [(6, 6), (6, 6)]
    verification = verified(single)
    assert (verification.entries, verification.chains, verification.fault) == (6, 1, None)


@given(chain=st.integers(0, 1), number=st.integers(1, COUNT), place=st.integers(0, 10**6), byte=st.integers(0, 255))
@example(chain=0, number=2, place=30, byte=0xFF)
@example(chain=0, number=2, place=30, byte=0)
@example(chain=1, number=2, place=0, byte=ord("["))
@settings(max_examples=12)
def test_a_changed_byte_of_any_entry_is_detected(home: Path, chain: int, number: int, place: int, byte: int) -> None:
    def change(connection: sqlite3.Connection) -> None:
        id_ = ids(connection, chain)[number - 1]
        document = bytearray(stored(connection, id_))
        at = place % len(document)
        document[at] = byte if byte != document[at] else byte ^ 1
        connection.execute("UPDATE records SET document = CAST(? AS TEXT) WHERE id = ?", (bytes(document), id_))

    fault = fault_after(home, change)
    assert fault.number in (number, 0)  # of an entry that cannot be read, only the shard may be known
    assert fault.number == number or "cannot be read" in fault.wrong
    assert fault.following in (COUNT - number, 0)


@given(one=st.integers(1, COUNT), other=st.integers(1, COUNT), chains=st.tuples(st.integers(0, 1), st.integers(0, 1)))
@settings(max_examples=6)
def test_swapped_entries_are_detected(home: Path, one: int, other: int, chains: tuple[int, int]) -> None:
    if (one, chains[0]) == (other, chains[1]):
        return

    def change(connection: sqlite3.Connection) -> None:
        first, second = ids(connection, chains[0])[one - 1], ids(connection, chains[1])[other - 1]
        documents = stored(connection, first), stored(connection, second)
        for id_, document in ((first, documents[1]), (second, documents[0])):
            connection.execute("UPDATE records SET document = CAST(? AS TEXT) WHERE id = ?", (document, id_))

    assert fault_after(home, change).number in ({min(one, other)} if chains[0] == chains[1] else {one, other})


@given(chain=st.integers(0, 1), number=st.integers(1, COUNT), renumbered=st.booleans())
@settings(max_examples=6)
def test_a_removed_entry_is_detected(home: Path, chain: int, number: int, renumbered: bool) -> None:
    def change(connection: sqlite3.Connection) -> None:
        every = ids(connection, chain)
        connection.execute("DELETE FROM records WHERE id = ?", (every[number - 1],))
        for id_ in every[number:] if renumbered else ():  # those after it take its number
            stamp, suffix, old = id_.split(".")
            moved = f"{stamp}.{suffix}.{int(old) - 1}"
            connection.execute("UPDATE records SET id = ? WHERE id = ?", (moved, id_))

    fault = fault_after(home, change)
    assert fault.number == number
    assert ("missing at the end" in fault.wrong) == (number == COUNT)
    assert fault.following == COUNT - number


@given(chain=st.integers(0, 1), number=st.integers(1, COUNT), later=st.integers(1, 10**9))
@settings(max_examples=5)
def test_a_copied_or_moved_entry_is_detected(home: Path, chain: int, number: int, later: int) -> None:
    def place(id_: str) -> str:
        stamp, suffix, old = id_.split(".")
        return f"{int(stamp) + later}.{suffix}.{old}"

    def copy(connection: sqlite3.Connection) -> None:
        id_ = ids(connection, chain)[number - 1]
        values = "owner, kind, ?, document, version, expires"
        columns = "owner, kind, id, document, version, expires"
        statement = f"INSERT INTO records ({columns}) SELECT {values} FROM records WHERE id = ?"
        connection.execute(statement, (place(id_), id_))

    def move(connection: sqlite3.Connection) -> None:
        id_ = ids(connection, chain)[number - 1]
        connection.execute("UPDATE records SET id = ? WHERE id = ?", (place(id_), id_))

    assert fault_after(home, copy)
    assert fault_after(home, move)


@pytest.mark.parametrize("count", range(COUNT))
def test_a_truncated_end_is_detected(home: Path, count: int) -> None:
    def change(connection: sqlite3.Connection) -> None:
        for id_ in ids(connection, 1)[count:]:
            connection.execute("DELETE FROM records WHERE id = ?", (id_,))

    fault = fault_after(home, change)
    assert (fault.number, fault.following) == (count + 1, COUNT - count - 1)
    assert fault.wrong == f"it is missing at the end, and the head states that of {COUNT}"


@pytest.mark.parametrize("count", range(COUNT))
def test_an_end_that_is_set_back_with_its_head_is_detected_if_it_is_anchored(home: Path, count: int) -> None:
    def change(connection: sqlite3.Connection) -> None:
        every = ids(connection, 1)
        last = {"number": 0, "hash": ""} if count == 0 else {"number": count}
        if count:
            last["hash"] = json.loads(stored(connection, every[count - 1]))["hash"]
        for id_ in every[count:]:
            connection.execute("DELETE FROM records WHERE id = ?", (id_,))
        suffix = every[0].split(".")[1]
        connection.execute(
            f"UPDATE records SET document = ? WHERE {HEADS} AND id LIKE ?", (json.dumps(last), f"%.{suffix}")
        )

    verification = verify_after(home, change)
    if count == 5:  # the last anchor holds five
        assert verification.fault is None
        assert len(verification.unanchored) == 1
    else:
        assert verification.fault is not None
        assert (verification.fault.number, "an anchor states" in verification.fault.wrong) == (count + 1, True)


@pytest.mark.parametrize("document", ['{"number": 6, "hash": "0"}', '{"number": 7, "hash": "0"}', "{}", "x", "[]"])
def test_a_changed_head_is_detected(home: Path, document: str) -> None:
    change = lambda store: store.execute(f"UPDATE records SET document = ? WHERE {HEADS}", (document,))  # noqa: E731
    assert fault_after(home, change).number in (0, COUNT, COUNT + 1)


@pytest.mark.parametrize("where", [HEADS, "kind = 'audit_chain'", f"{ENTRIES} OR {HEADS} OR kind = 'audit_chain'"])
def test_missing_heads_and_chains_are_detected(home: Path, where: str) -> None:
    assert fault_after(home, lambda store: store.execute(f"DELETE FROM records WHERE {where}"))


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        (f"DELETE FROM records WHERE {ANCHORS} AND id LIKE '%1'", 1),
        (f"DELETE FROM records WHERE {ANCHORS} AND id LIKE '%2'", 2),
        (f"UPDATE records SET document = replace(document, '2026', '2025') WHERE {ANCHORS} AND id LIKE '%2'", 2),
        (f"UPDATE records SET document = '{{}}' WHERE {ANCHORS} AND id LIKE '%1'", 1),
        (f"""UPDATE records SET document = replace(document, '"number":2', '"number":1') WHERE {ANCHOR_HEAD}""", 1),
        (f"""UPDATE records SET document = replace(document, '"number":2', '"number":3') WHERE {ANCHOR_HEAD}""", 3),
        (f"UPDATE records SET document = '{{}}' WHERE {ANCHOR_HEAD}", 0),
    ],
)
def test_changes_of_anchors_are_detected(home: Path, statement: str, number: int) -> None:
    fault = fault_after(home, lambda store: store.execute(statement))
    assert (fault.chain, fault.number) == ("anchors", number)


def test_a_noted_anchor_detects_a_rewritten_log(home: Path, tmp_path: Path) -> None:
    verification = verified(home)
    link = Link(verification.anchors, verification.hash)
    assert verified(home, expected_links=[link]).fault is None
    asyncio.run(write(tmp_path, owner="bob"))
    assert verified(tmp_path).fault is None
    fault = verified(tmp_path, expected_links=[link]).fault
    assert fault is not None
    assert (fault.chain, fault.number, "written anew" in fault.wrong) == ("anchors", 2, True)
    fault = verified(home, expected_links=[Link(3, link.hash)]).fault
    assert fault is not None
    assert fault.wrong == "it is missing at the end, and the one that was expected is 3"


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE events SET payload = replace(payload, 'ann', 'bob') WHERE number = 3", 3),
        ("UPDATE events SET payload = '{' WHERE number = 3", 3),
        ("UPDATE events SET payload = '{}' WHERE number = 3", 3),
        ("DELETE FROM events WHERE number = 2", 2),
        ("DELETE FROM events WHERE number > 4", 5),
        ("UPDATE events SET number = 8 WHERE number = 5", 5),
        ("""UPDATE records SET document = '{"number": 6, "hash": "0"}'""", 6),
        ("""UPDATE records SET document = '{"number": 7, "hash": "0"}'""", 7),
        ("UPDATE records SET document = '[]'", 0),
    ],
)
def test_changes_of_a_single_chain_are_detected(single: Path, statement: str, number: int) -> None:
    fault = fault_after(single, lambda store: store.execute(statement))
    assert (fault.chain, fault.number) == ("", number)
    assert fault.following == (max(0, COUNT - number) if number not in (0, 5) else fault.following)


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with moto() as server:
        yield server.url


@pytest.mark.anyio
async def test_changes_of_a_log_in_dynamodb_are_detected(
    aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point_at(monkeypatch, aws)
    from tests.store.openers import clients, name_of

    async with OPENERS["aws"](tmp_path) as store:
        log = AuditLog(store)
        for n in range(4):
            await log.append(entry(n))
        await anchor_chains(store, "", utc_now())
        written = (await log.page(None, 4)).entries
        assert (await verify(store)).fault is None
        table, _ = clients(aws)
        audit = f"{name_of(tmp_path)}-audit"
        day, suffix = written[0].chain.split(".")
        kind = f"audit-{day}-{int(suffix[-2:], 16) % 8}"

        def place(number: int) -> dict[str, Any]:
            return {"pk": {"S": f"_desk#r#{kind}"}, "sk": {"S": written[number - 1].place}}

        def item(number: int) -> dict[str, Any]:
            return table.get_item(TableName=audit, Key=place(number))["Item"]

        async def wrong() -> int:
            fault = (await verify(store)).fault
            assert fault is not None
            return fault.number

        second, last = item(2), item(4)
        text = second["text"]["S"]
        for changed in (text.replace("ann", "bob"), text[:-1], text.replace("2026", "2027")):
            table.put_item(TableName=audit, Item=second | {"text": {"S": changed}})
            assert await wrong() == 2
        table.delete_item(TableName=audit, Key=place(2))
        assert await wrong() == 2
        table.put_item(TableName=audit, Item=second)
        table.delete_item(TableName=audit, Key=place(4))
        assert await wrong() == 4
        table.put_item(TableName=audit, Item=last)
        assert (await verify(store)).fault is None
