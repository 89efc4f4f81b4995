"""Drafts of jobs over HTTP: a form that is saved half filled, corrected and submitted."""

import pytest

from tests.api.http.application import application, open_client
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio
WRONG = {"name": "Half", "trials": "many", "mandate": {"target_volatility": 10, "colour": 1}}
RIGHT = {"name": "Whole", "trials": 10, "seed": 3}


@pytest.fixture
async def client(home):
    async with open_client(application(home, queued_dependencies(home))) as client:
        yield client


def problems(form: dict) -> dict[str, str]:
    return {problem["field"]: problem["allowed"] for problem in form["problems"]}


async def test_a_half_filled_form_is_saved_and_says_what_is_still_wrong(client):
    answer = await client.post("/api/drafts", json=WRONG)
    assert answer.status_code == 201
    form = answer.json()
    assert answer.headers["Location"] == f"/api/drafts/{form['id']}"
    assert (form["state"], form["name"], form["request"]) == ("draft", "Half", WRONG)
    named = problems(form)
    assert named.keys() == {"trials", "mandate.target_volatility", "mandate.colour"}
    assert named["trials"] == "a whole number, 10 to 5000"
    assert (await client.get(answer.headers["Location"])).json() == form
    assert (await client.get("/api/jobs")).json()["items"] == []


async def test_a_draft_is_edited_submitted_and_becomes_the_job_with_its_id(client):
    created = await client.post("/api/drafts", json=WRONG)
    place, tag = created.headers["Location"], created.headers["ETag"]
    refused = await client.post(f"{place}/submit")
    assert refused.status_code == 422
    details = refused.json()["error"]["details"]
    assert {detail["field"] for detail in details} == problems(created.json()).keys()
    edited = await client.put(place, json=RIGHT, headers={"If-Match": tag})
    assert (edited.status_code, edited.json()["problems"]) == (200, [])
    assert (await client.put(place, json=WRONG, headers={"If-Match": tag})).status_code == 412
    assert (await client.post(f"{place}/submit", headers={"If-Match": tag})).status_code == 412
    submitted = await client.post(f"{place}/submit", headers={"If-Match": edited.headers["ETag"]})
    assert submitted.status_code == 202
    job = (await client.get(submitted.headers["Location"])).json()
    assert (job["id"], job["state"], job["name"]) == (created.json()["id"], "queued", "Whole")
    assert [(move["state"], move["by"]) for move in job["history"]] == [("draft", "local"), ("queued", "local")]
    assert (await client.post(f"{place}/submit")).json()["id"] == job["id"]
    assert (await client.get(place)).status_code == 404
    assert len((await client.get("/api/jobs")).json()["items"]) == 1


async def test_problems_include_prices_that_cannot_serve_the_request(client):
    unknown = (await client.post("/api/drafts", json=RIGHT | {"universe": "no_such_universe"})).json()
    (name,) = problems(unknown)
    assert name == "universe"
    answer = await client.post(f"/api/drafts/{unknown['id']}/submit")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "universe")
    of_a_file = (await client.post("/api/drafts", json=RIGHT | {"prices_file": "/etc/passwd"})).json()
    assert problems(of_a_file).keys() == {"prices_file"}
    assert (await client.post(f"/api/drafts/{of_a_file['id']}/submit")).status_code == 422


async def test_drafts_are_listed_newest_first_and_deleted(client):
    ids = [(await client.post("/api/drafts", json={"name": name})).json()["id"] for name in "abc"]
    first = (await client.get("/api/drafts", params={"limit": 2})).json()
    rest = (await client.get("/api/drafts", params={"limit": 2, "after": first["next"]})).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    assert all(each["expires_at"] > each["edited_at"] for each in first["items"])
    assert (await client.delete(f"/api/drafts/{ids[0]}")).status_code == 204
    for answer in (
        await client.get(f"/api/drafts/{ids[0]}"),
        await client.put(f"/api/drafts/{ids[0]}", json={}),
        await client.delete(f"/api/drafts/{ids[0]}"),
        await client.post(f"/api/drafts/{ids[0]}/submit"),
    ):
        assert answer.status_code == 404
    assert len((await client.get("/api/drafts")).json()["items"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        '{"colour": "blue"}',
        '{"name": "\\ud800"}',
        "[]",
        "null",
        '"text"',
        "{",
        '{"trials": NaN}',
        '{"a": ' * 1000 + "1" + "}" * 1000,
    ],
)
async def test_only_an_object_of_request_fields_is_saved(client, body):
    answer = await client.post("/api/drafts", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert (await client.get("/api/drafts")).json()["items"] == []
