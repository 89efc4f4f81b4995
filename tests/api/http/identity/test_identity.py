"""Who signs in with a key or a token, and what everybody else is told."""

import asyncio
import io
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from api.cli.commands.serve import warn_without_keys
from api.cli.main import run
from api.client.client import Client, Refused
from api.http.identity.api_keys import revoke
from api.settings import Settings
from desk.base.errors import InvalidInput
from store.embedded import open_store
from tests.api.http.application import run_server
from tests.api.http.identity.sign_in import bearer, create_key, remote_client, secured_application
from tests.api.http.live_run import RUN, open_run_log
from tests.api.http.operation_requests import PUBLIC, SIGN_IN, operations
from tests.doubles.cognito import CLIENT, PERSON, Pool, pool

pytestmark = pytest.mark.anyio


def with_pool(home: Path, signing: Pool, auth: str = "cognito") -> FastAPI:
    return secured_application(home, auth, COGNITO_ISSUER=signing.issuer, COGNITO_CLIENTS=CLIENT)


async def test_a_key_opens_the_desk_of_its_owner_and_no_other(home):
    anna, ben = await create_key(home), await create_key(home, "ben")
    draft = {"name": "Two", "assets": {"AAPL": 0.5, "JNJ": 0.5}}
    async with remote_client(secured_application(home)) as client:
        response = await client.post("/api/portfolios", json=draft, headers=bearer(anna))
        place = f"/api/portfolios/{response.json()['id']}"
        assert response.status_code == 201
        assert (await client.get(place, headers={"X-API-Key": anna})).status_code == 200
        assert (await client.get(place, headers={"authorization": f"bearer {anna}"})).status_code == 200
        assert (await client.get(place, headers=bearer(ben))).status_code == 404
        assert (await client.get("/api/health")).status_code == 200


def refusals(key: str) -> dict[str, Any]:
    first, second = key[:-1], key[-1]
    return {
        "nothing": {},
        "no kind": {"Authorization": key},
        "other kind": {"Authorization": f"Basic {key}"},
        "both": {"X-API-Key": key, **bearer(key)},
        "a doubled header": [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")],
        "two keys": [("X-API-Key", key), ("X-API-Key", key)],
        "two in one": {"X-API-Key": f"{key}, {key}"},
        "one letter": bearer(first + ("A" if second != "A" else "B")),
        "cut short": bearer(first),
        "other id": bearer(key.replace(key[10:22], "0" * 12)),
        "a space": bearer(f"{key} "),
        "a token": bearer("a.b.c"),
        "letters of the world": [(b"x-api-key", "stratigos_é".encode())],
    }


async def test_whoever_is_not_known_is_told_nothing_else(home):
    key = await create_key(home)
    async with remote_client(secured_application(home)) as client:
        for name, headers in refusals(key).items():
            answer = await client.get("/api/portfolios", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED"), name
            assert answer.json()["error"]["message"].startswith("there are no valid credentials"), name
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert key[:22] not in answer.text


async def test_a_key_that_has_expired_is_told_so_and_one_that_was_revoked_is_not_known(home):
    old, revoked = await create_key(home, age=91), await create_key(home)
    async with open_store(home) as store:
        await revoke(store, revoked[10:22], now=datetime.now(UTC))
    async with remote_client(secured_application(home)) as client:
        for key, text in ((old, "have expired"), (revoked, "no valid"), (old[:-1] + "-", "no valid")):
            answer = await client.get("/api/portfolios", headers=bearer(key))
            assert answer.status_code == 401
            assert text in answer.json()["error"]["message"]


async def test_a_key_with_scopes_permits_no_more_than_they_do(home):
    key = await create_key(home, scopes=("research:read",))
    async with remote_client(secured_application(home)) as client:
        client.headers.update(bearer(key))
        assert (await client.get("/api/portfolios")).status_code == 200
        draft = {"name": "Two", "assets": {"AAPL": 0.5, "JNJ": 0.5}}
        assert (await client.post("/api/portfolios", json=draft)).status_code == 403
        assert (await client.get("/api/market-data/datasets")).status_code == 403


async def test_a_token_of_the_pool_opens_what_its_groups_permit(home):
    with pool() as signing:
        async with remote_client(with_pool(home, signing)) as client:
            draft = {"name": "Two", "assets": {"AAPL": 0.5, "JNJ": 0.5}}
            for group, status in (("portfolio-manager", 201), ("compliance-officer", 403), ("traders", 403)):
                token = signing.token(groups=[group])
                response = await client.post("/api/portfolios", json=draft, headers=bearer(token))
                assert response.status_code == status, group
            other = signing.token(sub=PERSON.replace("7", "8"))
            assert (await client.get("/api/portfolios", headers=bearer(other))).json() == []
            assert (await client.get("/api/portfolios", headers={"X-API-Key": other})).status_code == 401
            old = await client.get("/api/portfolios", headers=bearer(signing.token(exp=1)))
            assert "expired" in old.json()["error"]["message"]


async def test_only_what_the_setting_names_is_taken(home):
    key = await create_key(home)
    with pool() as signing:
        for auth, of_key, of_token in (("keys", 200, 401), ("cognito", 401, 200), ("keys,cognito", 200, 200)):
            async with remote_client(with_pool(home, signing, auth)) as client:
                assert (await client.get("/api/portfolios", headers=bearer(key))).status_code == of_key
                assert (await client.get("/api/portfolios", headers=bearer(signing.token()))).status_code == of_token


async def test_a_pool_that_cannot_be_asked_is_no_fault_of_whoever_asks(home):
    with pool() as signing:
        signing.status = 500
        async with remote_client(with_pool(home, signing)) as client:
            answer = await client.get("/api/portfolios", headers=bearer(signing.token()))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"COGNITO_CLIENTS": CLIENT}, "COGNITO_ISSUER"),
        ({"COGNITO_ISSUER": "https://pool.example"}, "COGNITO_CLIENTS"),
        ({"COGNITO_ISSUER": "http://pool.example", "COGNITO_CLIENTS": CLIENT}, "COGNITO_ISSUER"),
        ({"COGNITO_ISSUER": "https://[::1", "COGNITO_CLIENTS": CLIENT}, "COGNITO_ISSUER"),
        ({"COGNITO_ISSUER": "https://pool.example:x", "COGNITO_CLIENTS": CLIENT}, "COGNITO_ISSUER"),
    ],
)
def test_settings_by_which_nobody_could_sign_in_are_refused_at_the_start(home, changed, named):
    with pytest.raises(InvalidInput) as refused:
        secured_application(home, "keys,cognito", **changed)
    assert refused.value.field == named


def test_every_operation_but_the_public_ones_says_how_to_sign_in():
    for method, path, operation in operations():
        security = [next(iter(way)) for way in operation.get("security", [])]
        is_open = f"{method} {path}" in PUBLIC | SIGN_IN
        assert security == ([] if is_open else ["bearer", "key", "session"]), path
        assert "401" in operation["responses"]


def run_command(*arguments: str) -> tuple[int, str, str]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


def test_the_client_and_the_commands_show_the_key_of_their_setting(home, monkeypatch):
    key = asyncio.run(create_key(home, "local", scopes=("research:read",)))

    async def prepared() -> None:
        async with open_run_log(home, trials=2) as log:
            await log.append(*log.trials(0, 2))
            await log.finish()

    asyncio.run(prepared())
    with run_server(secured_application(home)) as address:
        with Client(address, key=key) as client:
            assert list(client.portfolios()) == []
            assert len(list(client.events(RUN))) > 2
            with pytest.raises(Refused, match="research:write") as refused:
                client.start_thread()
            assert refused.value.status == 403
        with Client(address) as stranger, pytest.raises(Refused, match="STRATIGOS_KEY") as refused:
            list(stranger.events(RUN))
        assert refused.value.status == 401
        code, _, err = run_command("chats", "--server", address)
        assert code == 2
        assert "no valid credentials" in err
        assert "STRATIGOS_KEY" in err
        monkeypatch.setenv("STRATIGOS_KEY", key)
        assert run_command("chats", "--server", address)[0] == 0
        monkeypatch.setenv("STRATIGOS_KEY", f"{key[:-9]} and more")
        code, _, err = run_command("chats", "--server", address)
        assert (code, key[:30] in err) == (2, False)
        assert "STRATIGOS_KEY" in err


def test_no_other_machine_is_listened_to_while_nobody_signs_in(home, monkeypatch):
    for auth, text in (("", "STRATIGOS_AUTH=keys"), ("cognito", "COGNITO_ISSUER")):
        monkeypatch.setenv("STRATIGOS_AUTH", auth)
        code, _, err = run_command("serve", "--host", "0.0.0.0")
        assert code == 2
        assert text in err


async def test_serve_says_how_to_make_the_first_key(home, capsys):
    settings = Settings.model_validate({"STRATIGOS_HOME": home, "STRATIGOS_AUTH": "keys"})
    await warn_without_keys(settings)
    assert "python -m api keys create" in capsys.readouterr().err
    await create_key(home, age=91)
    await warn_without_keys(settings)
    assert "python -m api keys create" in capsys.readouterr().err
    await create_key(home)
    await warn_without_keys(settings)
    assert capsys.readouterr().err == ""
