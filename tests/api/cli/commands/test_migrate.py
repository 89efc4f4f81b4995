"""`migrate` on a home, and on the single table of earlier versions."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from api.cli.main import run
from store.aws.store import create_tables
from tests.doubles.aws import Aws, moto, point_at

RUN = {
    "pk": {"S": "ann#r#run"},
    "sk": {"S": "r1"},
    "created": {"S": "1795471278119271328609594401"},
    "version": {"N": "1"},
    "write": {"S": "w1"},
    "text": {"S": "{}"},
    "state": {"S": "new#1795471278119271328609594401"},
}
EVENT = {"pk": {"S": "ann#e#r1"}, "sk": {"S": f"n#{1:019d}"}, "event_id": {"S": "e1"}, "text": {"S": "{}"}}


def migrated(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    code = run(["migrate", "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_a_home_gets_the_schema_of_this_version(home, capsys):
    assert migrated(capsys) == (0, {"home": str(home), "migrations": [], "dry_run": False})
    with closing(sqlite3.connect(home / "store.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 3")
    lacking = ["m004_owners"]
    assert migrated(capsys, "--dry-run") == (0, {"home": str(home), "migrations": lacking, "dry_run": True})
    assert run(["migrate"]) == 0
    assert "store.sqlite: applied m004_owners" in capsys.readouterr().out
    assert run(["migrate"]) == 0
    assert "has the schema of this version" in capsys.readouterr().out


def test_a_home_has_no_source(home, capsys):
    assert run(["migrate", "--from", "old"]) == 2
    assert "--from: 'old' is for a store on AWS" in capsys.readouterr().err


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with moto() as server:
        create_tables(server.dynamodb, "stratigos")
        server.table("old", {"pk": "HASH", "sk": "RANGE"})
        for item in (RUN, EVENT):
            server.dynamodb.put_item(TableName="old", Item=item)
        yield server


def test_a_table_is_copied_and_compared(server, home, capsys, monkeypatch):
    point_at(monkeypatch, server.url)
    monkeypatch.setenv("STRATIGOS_STORE", "dynamodb:stratigos,s3:documents")
    code, report = migrated(capsys, "--from", "old", "--dry-run")
    assert (code, report["copied"], report["equal"], report["dry_run"]) == (0, 2, False, True)
    assert server.store_items("stratigos") == []
    code, report = migrated(capsys, "--from", "old")
    assert (code, report["copied"], report["newer"], report["equal"]) == (0, 2, 0, True)
    assert [table["present"]["items"] for table in report["tables"]] == [3, 1, 0]
    assert run(["migrate", "--from", "old"]) == 0
    out = capsys.readouterr().out
    assert "0 items of old were copied" in out
    assert "stratigos-records: equal; 3 items expected, digest " in out
    server.dynamodb.delete_item(TableName="old", Key={name: EVENT[name] for name in ("pk", "sk")})
    assert run(["migrate", "--from", "old"]) == 1
    assert "The tables differ from the source" in capsys.readouterr().out


def test_a_missing_source_is_named(server, home, capsys, monkeypatch):
    point_at(monkeypatch, server.url)
    monkeypatch.setenv("STRATIGOS_STORE", "dynamodb:stratigos,s3:documents")
    assert run(["migrate"]) == 1
    assert "the table 'stratigos' is unavailable (no resource has this name" in capsys.readouterr().err
