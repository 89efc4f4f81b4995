"""Compares the records with a dict under random sequences of operations."""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from store.errors import Conflict
from store.records import Key, Put, iterate_records

KEYS = st.builds(
    Key,
    st.sampled_from(["ann", "Ann"]),
    st.sampled_from(["run", "trial"]),
    st.sampled_from(["a", "A", "aa", "é", "e\u0301", "🚀", "%", "_"]),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
FINITE = SCALARS.filter(lambda value: value not in (float("inf"), float("-inf")))
DOCUMENTS = st.dictionaries(
    st.text(),
    st.recursive(
        FINITE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5
    ),
    max_size=3,
)
"""Small, because Hypothesis abandons most sequences of large ones, and then fails the test."""
EXPECTED = st.none() | st.integers(0, 3)
LABELS = st.dictionaries(st.sampled_from(["state", "about"]), st.sampled_from(["new", "newer"]))
EXPIRES = st.sampled_from([None, None, datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)])
PUTS = st.builds(Put, KEYS, DOCUMENTS, EXPECTED, LABELS, EXPIRES)


def machine(opener: Any) -> type[RuleBasedStateMachine]:  # noqa: C901  (one class)
    class RecordsAndADict(RuleBasedStateMachine):
        @initialize()
        def open(self) -> None:
            self.home = tempfile.TemporaryDirectory()
            self.runner = asyncio.Runner()
            self.opened = opener(Path(self.home.name))
            self.records = self.run(self.opened.__aenter__()).records
            # insertion order is creation order, as in the store
            self.model: dict[Key, tuple[dict[str, Any], int]] = {}
            self.labels: dict[Key, Any] = {}

        def run(self, awaitable: Any) -> Any:
            async def result() -> Any:
                return await awaitable

            return self.runner.run(result())

        def teardown(self) -> None:
            self.run(self.opened.__aexit__(None, None, None))
            self.runner.close()
            self.home.cleanup()

        def fits(self, key: Key, expected: int | None) -> bool:
            return expected is None or expected == self.model.get(key, ({}, 0))[1]

        @rule(
            puts=st.lists(
                st.builds(Put, KEYS, DOCUMENTS, EXPECTED, LABELS, EXPIRES), max_size=12, unique_by=lambda p: p.key
            )
        )
        def put(self, puts: list[Put]) -> None:
            if not all(self.fits(put.key, put.expected) for put in puts):
                with pytest.raises(Conflict):
                    self.run(self.records.put_many(puts))
                return
            versions = self.run(self.records.put_many(puts))
            for put, version in zip(puts, versions, strict=True):
                assert version == self.model.get(put.key, ({}, 0))[1] + 1
                if put.expires is not None and put.expires < datetime.now(UTC):
                    self.model.pop(put.key, None)
                else:
                    self.model[put.key] = (put.document, version)
                    self.labels[put.key] = put.labels

        @rule(key=KEYS, expected=EXPECTED)
        def delete(self, key: Key, expected: int | None) -> None:
            if not self.fits(key, expected):
                with pytest.raises(Conflict):
                    self.run(self.records.delete(key, expected=expected))
                return
            deleted = self.run(self.records.delete(key, expected=expected))
            assert deleted == (self.model.pop(key, None) is not None)

        @rule(key=KEYS)
        def get(self, key: Key) -> None:
            record = self.run(self.records.get(key))
            value = None if record is None else (record.document, record.version)
            assert value == self.model.get(key)

        @rule(
            owner=st.sampled_from(["ann", "Ann", "bob"]),
            kind=st.sampled_from(["run", "trial"]),
            prefix=st.sampled_from(["", "a", "e", "%"]),
            label=st.none() | st.tuples(st.sampled_from(["state", "about"]), st.sampled_from(["new", "newer"])),
        )
        def walk(self, owner: str, kind: str, prefix: str, label: Any) -> None:
            async def list_records(newest_first: bool) -> list[Key]:
                walked = iterate_records(
                    self.records, owner, kind, prefix=prefix, label=label, newest_first=newest_first
                )
                return [record.key async for record in walked]

            def stands(key: Key) -> bool:
                here = (key.owner, key.kind) == (owner, kind) and key.id.startswith(prefix)
                return here and (label is None or label in self.labels[key].items())

            keys = [key for key in self.model if stands(key)]
            assert self.run(list_records(newest_first=True)) == keys[::-1]
            assert self.run(list_records(newest_first=False)) == sorted(keys, key=lambda key: key.id.encode())

        @invariant()
        def no_owner_gains_a_record(self) -> None:
            for owner in ("ann", "Ann"):
                count = sum(key.owner == owner for key in self.model)
                pages = [self.run(self.records.list(owner, kind)) for kind in ("run", "trial")]
                assert sum(len(page.records) for page in pages) == count

    return RecordsAndADict


def test_records_behave_like_a_dict(adapter: str, opener: Any) -> None:
    run_state_machine_as_test(
        machine(opener),
        settings=settings(
            max_examples=15 if adapter == "embedded" else 2,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
