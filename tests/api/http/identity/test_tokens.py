"""Only access tokens of the pool are taken: not expired ones, not those of others, and not what only looks like one."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.http.errors.problems import Problem, Unauthorized
from api.http.identity.jwks import FRESH_SECONDS, MIN_FETCH_INTERVAL, STALE_SECONDS, JwksCache
from api.http.identity.tokens import Tokens
from tests.api.http.identity.forged_tokens import forged_tokens
from tests.doubles.cognito import CLIENT, PERSON, Pool, pool, rsa
from tests.soak_variants import a_few

pytestmark = pytest.mark.anyio


@pytest.fixture(name="pool")
def its_pool() -> Iterator[Pool]:
    with pool() as user_pool:
        yield user_pool


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def tokens(pool: Pool, clock: Clock | None = None, *, later: float = 0.0) -> Tokens:
    return Tokens(
        pool.issuer,
        [CLIENT, "other2client"],
        keys=JwksCache(pool.issuer, clock=clock or Clock()),
        now=lambda: datetime.now(UTC) + timedelta(seconds=later),
    )


async def test_a_token_of_the_pool_says_who_asks_and_with_which_roles(pool):
    groups = ["eu-west-1_Pool_Google", "administrator", "analyst", "Administrator"]
    principal = await tokens(pool).authenticate(pool.token(groups=groups))
    assert (principal.owner, principal.roles) == (PERSON, ("analyst", "administrator"))
    assert principal.via == f"token:{CLIENT}"
    assert principal.may("admin:write")


@pytest.mark.parametrize("groups", [None, [], ["traders"], [7, None, {"analyst": 1}]])
async def test_whoever_is_in_no_group_of_ours_may_do_nothing(pool, groups):
    principal = await tokens(pool).authenticate(pool.token(groups=groups))
    assert principal.roles == ()
    assert not principal.may("research:read")


NOW = time.time()
WRONG: dict[str, dict[str, Any]] = {
    "other issuer": {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/other"},
    "other client": {"client_id": "stranger"},
    "no client": {"client_id": None, "aud": CLIENT},
    "id token": {"token_use": "id", "aud": CLIENT},
    "no use": {"token_use": None},
    "from the future": {"iat": NOW + 600},
    "not yet valid": {"nbf": NOW + 600},
    "no end": {"exp": None},
    "no beginning": {"iat": None},
    "an end in words": {"exp": "never"},
    "an end that is no number": {"exp": float("inf")},
    "an end out of reach": {"exp": 10**400},
    "true as an end": {"exp": True},
    "nobody": {"sub": None},
    "a user of the desk itself": {"sub": "_desk"},
    "a user with a line break": {"sub": f"{PERSON}\n"},
    "a user with a slash": {"sub": "a/b"},
    "a user who is a list": {"sub": [PERSON]},
    "groups in one word": {"groups": "administrator"},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_token_with_other_claims_is_not_known(pool, wrong):
    with pytest.raises(Unauthorized) as refused:
        await tokens(pool).authenticate(pool.token(**WRONG[wrong]))
    assert "no valid credentials" in str(refused.value)


async def test_an_expired_token_is_told_so_and_clocks_may_differ_by_a_minute(pool):
    token = pool.token(exp=time.time() - 50, nbf=time.time() + 50)
    assert (await tokens(pool).authenticate(token)).owner == PERSON
    for late in (15, 10**6):
        with pytest.raises(Unauthorized, match="expired"):
            await tokens(pool, later=late).authenticate(token)


async def test_what_the_pool_did_not_sign_is_not_known(pool):
    verifying = tokens(pool)
    await verifying.authenticate(pool.token())
    for name, token in forged_tokens(pool).items():
        with pytest.raises(Unauthorized, match="no valid credentials") as refused:
            pytest.fail(f"{name}: {await verifying.authenticate(token)}")
        assert not token or token not in str(refused.value), name


async def test_no_byte_of_a_token_can_be_another(pool):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\x00é"
    token, verifying = pool.token(), tokens(pool)
    assert (await verifying.authenticate(token)).owner == PERSON
    changed: list[str] = []

    @settings(max_examples=100, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(at=st.one_of(st.integers(0, len(token) - 1), st.just(len(token) - 1)), letter=st.sampled_from(letters))
    def change(at: int, letter: str) -> None:
        if token[at] != letter:
            changed.append(token[:at] + letter + token[at + 1 :])

    change()
    assert len(changed) > 50
    for each in changed:
        with pytest.raises(Unauthorized):
            await verifying.authenticate(each)


async def test_a_new_key_of_the_pool_is_picked_up_and_an_old_one_dropped(pool):
    clock = Clock()
    verifying, old = tokens(pool, clock), pool.token()
    await verifying.authenticate(old)
    pool.keys = {"two": rsa(2)}
    new = pool.token(kid="two")
    with pytest.raises(Unauthorized):  # fetched a moment ago
        await verifying.authenticate(new)
    clock.seconds += MIN_FETCH_INTERVAL
    await verifying.authenticate(new)
    assert pool.fetches == 2
    with pytest.raises(Unauthorized):  # gone with the keys of before
        await verifying.authenticate(old)


async def test_keys_are_kept_for_an_hour_and_an_old_one_ends_with_them(pool):
    clock = Clock()
    verifying, old = tokens(pool, clock), pool.token()
    await verifying.authenticate(old)
    pool.keys = {"two": rsa(2)}
    clock.seconds += FRESH_SECONDS - 1
    await verifying.authenticate(old)
    assert pool.fetches == 1
    clock.seconds += 1
    with pytest.raises(Unauthorized):
        await verifying.authenticate(old)


async def test_made_up_key_ids_do_not_reach_the_pool(pool):
    clock = Clock()
    verifying = tokens(pool, clock)
    for number in range(60):
        clock.seconds += 1
        with pytest.raises(Unauthorized):
            await verifying.authenticate(pool.token(kid=f"made-up-{number}"))
    assert pool.fetches == 60 / MIN_FETCH_INTERVAL


async def test_many_that_come_at_once_ask_the_pool_once(pool):
    pool.slowly = 0.05
    verifying = tokens(pool)
    principals = await asyncio.gather(*(verifying.authenticate(pool.token()) for _ in range(20)))
    assert {each.owner for each in principals} == {PERSON}
    assert pool.fetches == 1


BROKEN: dict[str, dict[str, Any]] = {
    "a fault": {"status": 500},
    "a detour": {"status": 302},
    "no JSON": {"content": b"<html>"},
    "no keys": {"content": b'{"keys": []}'},
    "short keys": {"content": b'{"keys": [{"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}]}'},
    "other keys": {"content": b'{"keys": [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}]}'},
    "a key that is none": {"content": b'{"keys": [{"kty": "RSA", "kid": "one", "n": "%s", "e": "AA"}]}' % (b"A" * 400)},
    "too many keys": {"content": json.dumps({"keys": [{"kty": "RSA"}] * 30}).encode()},
    "far too much": {"content": b" " * 100_000 + b"{}"},
}


@pytest.mark.parametrize("broken", a_few(BROKEN, "a fault", "no keys", "short keys", "far too much"))
async def test_while_the_pool_cannot_be_asked_its_keys_hold_for_a_day(pool, broken):
    clock = Clock()
    verifying, token = tokens(pool, clock), pool.token()
    await verifying.authenticate(token)
    for name, value in BROKEN[broken].items():
        setattr(pool, name, value)
    clock.seconds += STALE_SECONDS - 1
    await verifying.authenticate(token)
    fetches = pool.fetches
    await verifying.authenticate(token)
    assert pool.fetches == fetches == 2  # a pool that is down is not asked by everybody
    clock.seconds += MIN_FETCH_INTERVAL
    with pytest.raises(Problem) as refused:
        await verifying.authenticate(token)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "30"})
    pool.status, pool.content = 200, None
    clock.seconds += MIN_FETCH_INTERVAL
    await verifying.authenticate(token)


async def test_a_pool_that_was_never_there_answers_nobody(pool):
    verifying = Tokens("http://127.0.0.1:1/nowhere", [CLIENT])
    with pytest.raises(Problem) as refused:
        await verifying.authenticate(pool.token(iss="http://127.0.0.1:1/nowhere"))
    assert refused.value.status == 503
