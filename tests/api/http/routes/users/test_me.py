"""The signed-in user and the user's preferences over HTTP."""

from pathlib import Path
from typing import Any

import pytest

from desk.governance.roles import PERMISSIONS, ROLES
from tests.api.http.application import application, open_client
from tests.api.http.identity.sign_in import bearer, create_key, remote_client, secured_application

pytestmark = pytest.mark.anyio

PLACE = "/api/me/preferences"


async def test_the_local_user_has_every_role_and_permission(home: Path) -> None:
    async with open_client(application(home)) as client:
        me = (await client.get("/api/me")).json()
    every = sorted(frozenset[str]().union(*PERMISSIONS.values()))
    assert me == {"name": "local", "roles": list(ROLES), "permissions": every, "via": "local"}


async def test_the_scopes_of_a_key_restrict_the_permissions(home: Path) -> None:
    key = await create_key(home, scopes=("research:read",))
    async with remote_client(secured_application(home)) as client:
        me = (await client.get("/api/me", headers=bearer(key))).json()
    assert (me["roles"], me["permissions"]) == (["portfolio-manager"], ["research:read"])


async def test_preferences_are_replaced_at_the_version_that_was_read(home: Path) -> None:
    async with open_client(application(home)) as client:
        first = await client.get(PLACE)
        assert first.json() == {
            "horizon_years": None,
            "risk_tolerance": None,
            "exclusions": [],
            "number_format": "1,234.56",
            "date_format": "YYYY-MM-DD",
            "theme": "system",
            "density": "comfortable",
        }
        changes = {"theme": "dark", "exclusions": ["xom", "TSLA", "XOM"], "horizon_years": 10}
        tag = {"If-Match": first.headers["ETag"]}
        second = await client.put(PLACE, json=changes, headers=tag)
        assert (second.status_code, second.json()["exclusions"]) == (200, ["TSLA", "XOM"])
        assert (await client.put(PLACE, json={}, headers=tag)).status_code == 412
        third = await client.get(PLACE)
        assert (third.json(), third.headers["ETag"]) == (second.json(), second.headers["ETag"])
        reset = await client.put(PLACE, json={}, headers={"If-Match": third.headers["ETag"]})
        assert reset.json() == first.json()


async def test_preferences_belong_to_one_user(home: Path) -> None:
    anna, ben = await create_key(home), await create_key(home, "ben")
    async with remote_client(secured_application(home)) as client:
        await client.put(PLACE, json={"theme": "dark"}, headers=bearer(anna))
        assert (await client.get(PLACE, headers=bearer(anna))).json()["theme"] == "dark"
        assert (await client.get(PLACE, headers=bearer(ben))).json()["theme"] == "system"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"horizon_years": 31}, "body.horizon_years"),
        ({"risk_tolerance": "none"}, "body.risk_tolerance"),
        ({"exclusions": ["A B"]}, "body.exclusions.0"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_an_invalid_preference_names_its_field(home: Path, body: Any, field: str) -> None:
    async with open_client(application(home)) as client:
        response = await client.put(PLACE, json=body)
    assert response.status_code == 422
    assert [detail["field"] for detail in response.json()["error"]["details"]] == [field]
