"""Keys are made, shown once, listed, revoked, and hold no longer than they should."""

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.cli.main import run
from api.http.errors.problems import Unauthorized
from api.http.identity.api_keys import CACHE_SECONDS, FORMAT, KIND, MAX_CACHED, ApiKeys, KeyTerms, create, revoke
from desk.base.errors import InvalidInput
from store.embedded import open_store
from store.keys import SYSTEM
from store.records import Key, Record, Records

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, tzinfo=UTC)
TERMS = KeyTerms(owner="anna", roles=("analyst",), scopes=("research:read",))


class Reads:
    """Records that are counted when they are read."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def get(self, key: Key) -> Record | None:
        self.count += 1
        return await self._records.get(key)


class Time:
    def __init__(self) -> None:
        self.passed = 0.0

    def clock(self) -> float:
        return self.passed

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)


async def test_a_revocation_holds_within_ten_seconds(home):
    assert CACHE_SECONDS <= 10
    time = Time()
    async with open_store(home) as store:
        api_key, secret = await create(store, TERMS, days=1, now=NOW)
        keys = ApiKeys(store, now=time.now, clock=time.clock)
        principal = await keys.authenticate(secret)
        assert (principal.owner, principal.via) == ("anna", f"key:{api_key.id}")
        assert (principal.may("research:read"), principal.may("research:write")) == (True, False)
        revoked_key = await revoke(store, api_key.id, now=NOW)
        assert (await revoke(store, api_key.id, now=NOW + timedelta(days=1))).revoked == revoked_key.revoked == NOW
        time.passed = CACHE_SECONDS
        with pytest.raises(Unauthorized, match="no valid credentials"):
            await keys.authenticate(secret)


async def test_a_key_ends_at_its_time_however_often_it_is_shown(home):
    time = Time()
    async with open_store(home) as store:
        _, secret = await create(store, TERMS, days=1, now=NOW)
        keys = ApiKeys(store, now=time.now, clock=time.clock)
        time.passed = 86_399
        await keys.authenticate(secret)
        time.passed = 86_400
        with pytest.raises(Unauthorized, match="expired"):
            await keys.authenticate(secret)


async def test_an_unknown_id_costs_what_a_wrong_secret_does_and_a_known_key_is_read_once(home):
    async with open_store(home) as opened:
        reads = Reads(opened.records)
        store = replace(opened, records=reads)
        api_key, secret = await create(store, TERMS, days=1, now=NOW)
        keys = ApiKeys(store, now=lambda: NOW, clock=lambda: 0.0)
        for _ in range(3):
            await keys.authenticate(secret)
        assert reads.count == 1
        for wrong in (secret.replace(api_key.id, "0" * 12), secret[:-3] + "AAA", secret[:-3] + "AAA"):
            reads.count = 0
            with pytest.raises(Unauthorized):
                await keys.authenticate(wrong)
            assert reads.count == 1, wrong
        for odd in (
            "",
            "stratigos_",
            secret[:-1],
            secret + "A",
            secret.upper(),
            f"{secret}\n",
            secret.replace("_", "-"),
        ):
            with pytest.raises(Unauthorized):
                await keys.authenticate(odd)
        assert reads.count == 1  # what has another form is not looked for


async def test_a_process_remembers_a_limited_number_of_keys(home):
    async with open_store(home) as store:
        api_key, secret = await create(store, TERMS, days=1, now=NOW)
        keys = ApiKeys(store, now=lambda: NOW, clock=lambda: 0.0)
        keys._cache.update(dict.fromkeys(map(str, range(MAX_CACHED)), (0.0, api_key)))
        await keys.authenticate(secret)
        assert len(keys._cache) == 1


async def test_what_is_kept_is_no_key(home):
    async with open_store(home) as store:
        api_key, secret = await create(store, TERMS, days=1, now=NOW)
        record = await store.records.get(Key(SYSTEM, KIND, api_key.id))
        assert FORMAT.fullmatch(secret)
        assert record is not None
        assert secret[-43:] not in json.dumps(dict(record.document))
        with pytest.raises(InvalidInput, match="1 to 366"):
            await create(store, TERMS, days=367, now=NOW)


def run_command(*arguments: str, of: str = "keys") -> tuple[int, str, str]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run([of, *arguments])
    return code, out.getvalue(), err.getvalue()


def test_the_commands_make_list_and_revoke_keys(home):
    code, out, err = run_command(
        "create", "--owner", "anna", "--role", "analyst", "--scope", "research:read", "--note", "CI"
    )
    assert (code, out.count("\n")) == (0, 1)
    assert FORMAT.fullmatch(out.strip())
    assert out.strip() not in err
    name = out[10:22]
    assert re.search(rf"Key {name} of anna \(analyst: only research:read\) is valid until", err)
    assert run_command("revoke", name)[0] == 0
    _, out, _ = run_command("list", "--json")
    (listed,) = json.loads(out)
    assert (listed["id"], listed["state"], listed["scopes"]) == (name, "revoked", ["research:read"])
    assert "digest" not in listed
    assert "revoked" in run_command("list")[1]
    entries = [json.loads(line) for line in run_command("list", "--json", of="audit")[1].splitlines()]
    assert {(each["action"], each["object"]) for each in entries} == {
        ("keys.create", f"keys/{name}"),
        ("keys.revoke", f"keys/{name}"),
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["create", "--owner", "_desk", "--role", "analyst"], "--owner: '_desk'"),
        (["create", "--owner", "anna", "--role", "analist"], "portfolio-manager"),
        (["create", "--owner", "anna", "--role", "analyst", "--scope", "admin"], "--scope: 'admin'"),
        (["create", "--owner", "anna", "--role", "analyst", "--scope", "admin:write"], "roles analyst do not grant"),
        (["create", "--owner", "anna", "--role", "analyst", "--expires-days", "367"], "366"),
        (["create", "--owner", "anna", "--role", "analyst", "--note", "x" * 201], "--note"),
        (["create", "--owner", "anna"], "--role"),
        (["revoke", "0123456789ab"], "no key '0123456789ab'"),
        (["revoke", "../../x"], "no key"),
    ],
)
def test_what_cannot_be_is_refused_and_makes_no_key(home, arguments, text):
    code, out, err = run_command(*arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert run_command("list", "--json")[1] == "[]\n"
