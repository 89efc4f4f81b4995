"""STRATIGOS_STORE chooses where records, events and blobs are kept."""

from collections.abc import Iterator

import pytest

from api.app import create_dependencies
from api.settings import read_settings
from desk.base.errors import InvalidInput
from store.aws.store import create_tables
from store.records import Key
from tests.doubles.aws import Aws, moto, point_at

pytestmark = pytest.mark.anyio

KEY = Key("local", "run", "r1")


@pytest.fixture(scope="module")
def served() -> Iterator[Aws]:
    with moto() as server:
        create_tables(server.dynamodb, "stratigos")
        server.table("other-records", {"PK": "HASH"})
        server.bucket("documents")
        yield server


@pytest.fixture
def aws(served: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    point_at(monkeypatch, served.url)
    return served


async def test_the_setting_chooses_the_store(aws, home, monkeypatch):
    monkeypatch.setenv("STRATIGOS_STORE", "dynamodb:stratigos,s3:documents")
    async with create_dependencies(read_settings()) as dependencies:
        await dependencies.store.records.put(KEY, {"n": 1})
        await dependencies.store.events.append("local", "r1", "e1", {})
        await dependencies.store.blobs.put("local/x", b"bytes")
    assert not list(home.glob("store.sqlite*"))
    assert [len(aws.items(f"stratigos-{name}")) for name in ("records", "events", "audit")] == [2, 2, 0]
    assert aws.objects("documents") == ["local/x"]
    async with create_dependencies(read_settings()) as dependencies:
        record = await dependencies.store.records.get(KEY)
    assert record is not None
    assert record.document == {"n": 1}
    monkeypatch.delenv("STRATIGOS_STORE")
    async with create_dependencies(read_settings()) as dependencies:
        assert await dependencies.store.records.get(KEY) is None
    assert (home / "store.sqlite").exists()


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ("dynamodb:nowhere,s3:documents", "the table 'nowhere-records' is unavailable (no resource has this name"),
        ("dynamodb:other,s3:documents", "the table 'other-records' has other keys"),
        ("dynamodb:stratigos,s3:nowhere", "the bucket 'nowhere' is unavailable (AWS returned 404)"),
    ],
)
async def test_an_unusable_store_stops_the_start(aws, monkeypatch, setting, error):
    monkeypatch.setenv("STRATIGOS_STORE", setting)
    with pytest.raises(InvalidInput) as refused:
        async with create_dependencies(read_settings()):
            pass
    assert str(refused.value).startswith("STRATIGOS_STORE: ")
    assert error in str(refused.value)
    assert "expected tables that store.aws.store.create_tables creates" in str(refused.value)
