"""The SQLite schema: one numbered function per migration, applied in the order of this file."""

import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

from store.errors import NewerSchema

MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = []
migration = MIGRATIONS.append


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the missing migrations; of several processes one does it."""
    if _version(connection, path) == len(MIGRATIONS):
        return
    with transaction(connection):
        for step in MIGRATIONS[_version(connection, path) :]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def pending_migrations(path: Path) -> list[str]:
    """The names of the migrations that the file lacks; it is only read."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return [step.__name__ for step in MIGRATIONS[_version(connection, path) :]]


def check_schema(path: Path) -> None:
    """Raise `NewerSchema` if a newer program has migrated the file meanwhile; the file is only read."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        _version(connection, path)


def find_damage(path: Path, seconds: float) -> str | None:
    """The first damage that `PRAGMA quick_check` finds within `seconds`, or None; the file is only read."""
    deadline = time.monotonic() + seconds
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
        try:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            return None
    return None if result == "ok" else str(result)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise NewerSchema(
            f"{path} has schema {version}, this program supports up to {len(MIGRATIONS)}: "
            "update the program or choose another STRATIGOS_HOME"
        )
    return version


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """An immediate transaction: one that locks only after a read fails if another process wrote in between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise


@migration
def m001_initial(connection: sqlite3.Connection) -> None:
    # `created` is the rowid: it orders by creation, and AUTOINCREMENT never assigns one twice
    connection.execute("""
        CREATE TABLE records (
            created INTEGER PRIMARY KEY AUTOINCREMENT,
            owner TEXT NOT NULL,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            document TEXT NOT NULL,
            version INTEGER NOT NULL,
            UNIQUE (owner, kind, id)
        ) STRICT""")
    connection.execute("CREATE INDEX records_by_creation ON records (owner, kind, created)")
    connection.execute("""
        CREATE TABLE events (
            owner TEXT NOT NULL,
            run_id TEXT NOT NULL,
            number INTEGER NOT NULL,
            event_id TEXT NOT NULL,
            payload TEXT NOT NULL,
            PRIMARY KEY (owner, run_id, number),
            UNIQUE (owner, run_id, event_id)
        ) STRICT""")


@migration
def m002_labels_and_expiry(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE records ADD COLUMN expires REAL NOT NULL DEFAULT 1e300")
    connection.execute("CREATE INDEX records_by_expiry ON records (expires) WHERE expires < 1e300")
    connection.execute("""
        CREATE TABLE labels (
            owner TEXT NOT NULL,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            id TEXT NOT NULL,
            created INTEGER NOT NULL REFERENCES records (created) ON DELETE CASCADE,
            PRIMARY KEY (owner, kind, name, value, id)
        ) STRICT, WITHOUT ROWID""")
    connection.execute("CREATE INDEX labels_by_creation ON labels (owner, kind, name, value, created)")
    connection.execute("CREATE INDEX labels_of_a_record ON labels (created)")


@migration
def m003_messages(connection: sqlite3.Connection) -> None:
    # `number` is the order of delivery; a leased message becomes visible again when the lease ends
    connection.execute("""
        CREATE TABLE messages (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL,
            attempt INTEGER NOT NULL DEFAULT 0,
            receipt TEXT,
            visible REAL NOT NULL DEFAULT 0,
            dead TEXT
        ) STRICT""")
    connection.execute("CREATE INDEX living_messages ON messages (number) WHERE dead IS NULL")
    # runs are listed by the digest of their prices; older runs have no label yet
    connection.execute("""
        INSERT OR IGNORE INTO labels (owner, kind, name, value, created)
        SELECT owner, kind, 'about', document ->> '$.data_digest', created FROM records WHERE kind = 'run'
        UNION ALL
        SELECT owner, kind, 'state', document ->> '$.state', created FROM records WHERE kind = 'run'""")


@migration
def m004_owners(connection: sqlite3.Connection) -> None:
    # see `desk.base.owners`: owners of records from before there was this list
    connection.execute("""
        INSERT OR IGNORE INTO records (owner, kind, id, document, version)
        SELECT DISTINCT '_desk', 'owner', owner, '{}', 1 FROM records WHERE kind IN ('run', 'simulation_id')""")
