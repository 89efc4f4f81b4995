"""Portfolios over HTTP: both body forms, versions, deletion and restoration, pages, and what is refused."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.etags import etag, expected_versions, matches
from tests.api.http.application import application, open_client
from tests.api.http.sample_requests import TECH_PORTFOLIO
from tests.graphs.dependencies import open_dependencies

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(home):
    async with open_client(application(home)) as client:
        yield client


async def create_portfolio(client: httpx.AsyncClient, **changes) -> httpx.Response:
    answer = await client.post("/api/portfolios", json=TECH_PORTFOLIO | changes)
    assert answer.status_code == 201, answer.text
    return answer


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code, and the first field that is named."""
    error = answer.json()["error"]
    assert all(detail["message"] for detail in error["details"])
    return answer.status_code, error["code"], error["details"][0]["field"] if error["details"] else ""


@pytest.mark.parametrize("body", [TECH_PORTFOLIO, {"portfolio": TECH_PORTFOLIO}])
async def test_both_body_forms_make_the_same_portfolio(client, body):
    answer = await client.post("/api/portfolios", json=body)
    portfolio = answer.json()
    assert answer.status_code == 201
    assert {name: portfolio[name] for name in TECH_PORTFOLIO} == TECH_PORTFOLIO
    assert {"id", "createdAt", "updatedAt"} < set(portfolio)
    assert answer.headers["location"] == f"/api/portfolios/{portfolio['id']}"
    assert answer.headers["etag"] == '"1"'
    again = await client.get(f"/api/portfolios/{portfolio['id']}")
    assert again.json() == portfolio


async def test_units_cash_notes_and_tags_are_kept(client):
    body = {
        "name": " Account  at\tthe bank ",
        "assets": {" aapl": 0.55, "brk.b": 0.35},
        "holdings": {"aapl": 120, "BRK.B": 35.5},
        "cash": {"weight": 0.1, "amount": 2500.5, "currency": "EUR"},
        "notes": "first line\nsecond line",
        "tags": ["Growth", "growth", "taxable"],
    }
    portfolio = (await client.post("/api/portfolios", json=body)).json()
    assert portfolio["name"] == "Account at the bank"
    assert portfolio["assets"] == {"AAPL": 0.55, "BRK.B": 0.35}
    assert portfolio["holdings"] == {"AAPL": 120.0, "BRK.B": 35.5}
    assert portfolio["cash"] == {"weight": 0.1, "amount": 2500.5, "currency": "EUR"}
    assert (portfolio["notes"], portfolio["tags"]) == ("first line\nsecond line", ["Growth", "taxable"])
    units = await client.post("/api/portfolios", json={"name": "Units", "holdings": {"AAPL": 3}})
    assert units.json()["assets"] == {}


async def test_weights_are_normalized_where_that_is_asked_for(client):
    body = {"name": "60/40", "assets": {"SPY": 45, "AGG": 30}, "cash": {"weight": 25}, "normalize": True}
    portfolio = (await client.post("/api/portfolios", json=body)).json()
    assert portfolio["assets"] == pytest.approx({"SPY": 0.45, "AGG": 0.30})
    assert portfolio["cash"]["weight"] == pytest.approx(0.25)


@pytest.mark.parametrize("total", [1.0 - 0.9e-4, 1.0 + 0.9e-4])
async def test_a_sum_within_a_ten_thousandth_is_kept_as_it_is(client, total):
    portfolio = (await create_portfolio(client, assets={"A": 0.5, "B": total - 0.5})).json()
    assert portfolio["assets"] == {"A": 0.5, "B": total - 0.5}


WRONG = (
    ({"name": None}, "body.name"),
    ({"name": "  "}, "body.name"),
    ({"name": "x" * 121}, "body.name"),
    ({"assets": {}}, "assets"),
    ({"assets": []}, "body.assets"),
    ({"assets": {"A": 0.5, "B": 0.5 - 1.1e-4}}, "assets"),
    ({"assets": {"A": 0.5, "B": 0.5 + 1.1e-4}}, "assets"),
    ({"assets": {"A": 1.5}}, "assets.A"),
    ({"assets": {"A": -0.5, "B": 1.5}}, "body.assets.A"),
    ({"assets": {"A": "1.0"}}, "body.assets.A"),
    ({"assets": {"A": True}}, "body.assets.A"),
    ({"assets": {"A": None}}, "body.assets.A"),
    ({"assets": {"ABCDEFGHIJK": 1.0}}, "body.assets.ABCDEFGHIJK.[key]"),
    ({"assets": {" ": 1.0}}, "body.assets. .[key]"),
    ({"assets": {"AAPL": 0.5, "aapl ": 0.5}}, "body.assets"),
    ({"assets": {"A": 0}, "normalize": True}, "assets"),
    ({"assets": {f"A{n}": 1.0 for n in range(501)}, "normalize": True}, "body.assets"),
    ({"holdings": {"A": -1}}, "body.holdings.A"),
    ({"cash": {}}, "body.cash"),
    ({"cash": {"weight": 0.5}}, "assets"),
    ({"cash": {"amount": 1.0, "currency": "usd"}}, "body.cash.currency"),
    ({"assets": {}, "holdings": {"A": 1}, "cash": {"weight": 0.5}}, "cash.weight"),
    ({"tags": [""]}, "body.tags.0"),
    ({"colour": "red"}, "body.colour"),
)


async def test_what_is_wrong_is_refused_by_name_and_nothing_is_kept(client):
    for changes, field in WRONG:
        for body, prefix in ((TECH_PORTFOLIO | changes, ""), ({"portfolio": TECH_PORTFOLIO | changes}, "portfolio.")):
            answer = await client.post("/api/portfolios", json=body)
            assert refusal(answer) == (422, "VALIDATION_ERROR", field.replace("body.", f"body.{prefix}"))
    assert (await client.get("/api/portfolios")).json() == []


async def test_a_weight_that_is_no_finite_number_is_refused(client):
    for weight in ("NaN", "Infinity", "1e999", "9" * 400, "9" * 5000):
        content = f'{{"name": "x", "assets": {{"A": {weight}}}}}'
        answer = await client.post("/api/portfolios", content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), weight[:9]
        assert answer.json()["error"]["code"] in ("BAD_REQUEST", "VALIDATION_ERROR")


async def test_a_body_of_another_kind_is_refused(client):
    for content in (b"", b"[]", b'"x"', b"7", b"null", b"{", b"\xff", b"[" * 100_000):
        answer = await client.post("/api/portfolios", content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 413, 422), content[:9]
        assert answer.json()["error"]["message"]


async def test_a_body_that_is_too_large_is_refused_in_the_envelope(client):
    answer = await client.post("/api/portfolios", json=TECH_PORTFOLIO | {"notes": "x" * 1_000_000})
    assert refusal(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")

    async def chunks():
        for _ in range(20):
            yield b" " * 100_000

    answer = await client.post("/api/portfolios", content=chunks(), headers={"content-type": "application/json"})
    assert refusal(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


async def test_a_change_merges_and_counts_versions(client):
    first = (await create_portfolio(client, notes="kept", cash={"amount": 5.0})).json()
    path = f"/api/portfolios/{first['id']}"
    answer = await client.put(path, json={"name": "Renamed", "assets": {"aapl": 1.0}})
    second = answer.json()
    assert answer.headers["etag"] == '"2"'
    assert second | {"name": first["name"], "assets": first["assets"]} == first | {
        "version": 2,
        "updatedAt": second["updatedAt"],
    }
    assert second["assets"] == {"AAPL": 1.0}
    third = (await client.put(path, json={"portfolio": {"cash": None, "tags": ["x"]}})).json()
    assert (third["cash"], third["tags"], third["notes"], third["version"]) == (None, ["x"], "kept", 3)
    for body in ({}, {"normalize": True}, {"portfolio": {}}):
        assert refusal(await client.put(path, json=body))[0] == 422
    assert refusal(await client.put(path, json={"name": None}))[::2] == (422, "body.name")
    assert refusal(await client.put(path, json={"assets": {}}))[::2] == (422, "assets")
    assert (await client.get(path)).json() == third


async def test_a_change_is_made_to_the_version_that_if_match_names_only(client):
    path = f"/api/portfolios/{(await create_portfolio(client)).json()['id']}"

    async def put(tag: str, name: str) -> int:
        return (await client.put(path, json={"name": name}, headers={"if-match": tag})).status_code

    assert await put('"1"', "two") == 200
    assert await put('"1"', "lost") == 412
    assert await put('W/"2"', "lost") == 412  # a weak tag never matches strongly
    assert await put("garbage", "lost") == 412
    assert await put('"7", "2"', "three") == 200
    assert await put("*", "four") == 200
    refused = await client.put(path, json={"assets": {"A": 0.1}}, headers={"if-match": '"1"'})
    assert refusal(refused)[:2] == (412, "PRECONDITION_FAILED")
    assert (await client.get(path)).json()["name"] == "four"
    assert (await client.delete(path, headers={"if-match": '"1"'})).status_code == 412
    assert (await client.delete(path, headers={"if-match": '"4"'})).status_code == 204


async def test_an_answer_that_the_client_has_is_not_sent_again(client):
    answer = await create_portfolio(client)
    path = f"/api/portfolios/{answer.json()['id']}"
    for tag in (answer.headers["etag"], f"W/{answer.headers['etag']}", f'"x", {answer.headers["etag"]}', "*"):
        again = await client.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"1"')
    assert (await client.get(path, headers={"if-none-match": '"2"'})).status_code == 200
    page = await client.get("/api/portfolios")
    again = await client.get("/api/portfolios", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await client.put(path, json={"name": "other"})
    changed = await client.get("/api/portfolios", headers={"if-none-match": page.headers["etag"]})
    assert changed.status_code == 200


async def test_of_changes_at_once_none_is_lost(client):
    path = f"/api/portfolios/{(await create_portfolio(client)).json()['id']}"
    fields = [{"name": "n"}, {"description": "d"}, {"notes": "o"}, {"tags": ["t"]}, {"holdings": {"A": 1}}]
    answers = await asyncio.gather(*(client.put(path, json=field) for field in fields))
    assert sorted(answer.json()["version"] for answer in answers) == [2, 3, 4, 5, 6]
    portfolio = (await client.get(path)).json()
    assert {
        "name": "n",
        "description": "d",
        "notes": "o",
        "tags": ["t"],
        "holdings": {"A": 1.0},
    }.items() <= portfolio.items()
    one_of = await asyncio.gather(
        *(client.put(path, json={"name": f"w{n}"}, headers={"if-match": '"6"'}) for n in range(5))
    )
    assert sorted(answer.status_code for answer in one_of) == [200, 412, 412, 412, 412]


async def test_what_is_deleted_is_out_of_sight_and_can_be_restored(client):
    first = (await create_portfolio(client)).json()
    path = f"/api/portfolios/{first['id']}"
    gone = await client.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.get("/api/portfolios")).json() == []
    for answer in (
        await client.get(path),
        await client.put(path, json={"name": "x"}),
        await client.delete(path),
    ):
        assert refusal(answer)[:2] == (404, "NOT_FOUND")
    (listed,) = (await client.get("/api/portfolios", params={"deleted": True})).json()
    until = datetime.fromisoformat(listed["restorableUntil"]) - datetime.fromisoformat(listed["deletedAt"])
    assert (listed["id"], until) == (first["id"], timedelta(days=30))
    back = await client.post(f"{path}/restore")
    assert (back.status_code, back.headers["etag"]) == (200, '"3"')
    assert back.json() | {"version": 1, "updatedAt": first["updatedAt"]} == first
    assert (await client.get(path)).json() == back.json()
    assert (await client.post(f"{path}/restore")).json() == back.json()
    assert (await client.get("/api/portfolios", params={"deleted": True})).json() == []


async def test_after_a_month_there_is_nothing_to_restore(home):
    async with open_dependencies(home) as dependencies:
        long_ago = replace(dependencies, now=lambda: datetime.now(UTC) - timedelta(days=31))
        async with open_client(application(home, nullcontext(long_ago))) as client:
            path = f"/api/portfolios/{(await create_portfolio(client)).json()['id']}"
            assert (await client.delete(path)).status_code == 204
            assert (await client.post(f"{path}/restore")).status_code == 404
            assert (await client.get("/api/portfolios", params={"deleted": True})).json() == []


async def test_pages_hold_each_portfolio_once_the_newest_first(client):
    ids = [
        (await create_portfolio(client, name=f"p{n}", tags=["even"] if n % 2 == 0 else [])).json()["id"]
        for n in range(7)
    ]
    await client.put(f"/api/portfolios/{ids[0]}", json={"name": "changed"})  # which does not make it newer

    async def walked(**filters) -> list[str]:
        ids, after, sizes = [], None, []
        while True:
            page = await client.get("/api/portfolios", params={**filters, **({"after": after} if after else {})})
            ids += [portfolio["id"] for portfolio in page.json()]
            sizes.append(len(page.json()))
            if (after := page.headers.get("x-next-cursor")) is None:
                assert max(sizes) <= filters.get("limit", 100)
                return ids
            following = await client.get(page.links["next"]["url"])
            assert following.headers.get("x-next-cursor") != after

    assert await walked() == ids[::-1]
    for limit in (1, 2, 3, 7):
        assert await walked(limit=limit) == ids[::-1]
        assert await walked(limit=limit, tag="EVEN") == ids[::-2]
    assert await walked(tag="odd") == []


async def test_a_wrong_query_is_refused(client):
    for query in ("limit=0", "limit=1001", "limit=x", "after=x", "after=%00", "deleted=7", "tag=" + 41 * "x"):
        answer = await client.get(f"/api/portfolios?{query}")
        assert refusal(answer)[:2] == (422, "VALIDATION_ERROR"), query


async def test_the_portfolio_of_another_owner_is_not_there(home):
    async with open_client(application(home, owner="anne")) as anne:
        made_by_anne = (await create_portfolio(anne)).json()
        path = f"/api/portfolios/{made_by_anne['id']}"
        async with open_client(application(home, owner="bob")) as bob:
            for answer in (
                await bob.get(path),
                await bob.put(path, json={"name": "mine"}),
                await bob.delete(path),
                await bob.post(f"{path}/restore"),
            ):
                assert refusal(answer)[:2] == (404, "NOT_FOUND")
            assert (await bob.get("/api/portfolios")).json() == []
        assert (await anne.get(path)).json() == made_by_anne


@given(version=st.integers(1, 10**12), other=st.integers(1, 10**12))
def test_an_entity_tag_is_read_back(version, other):
    assert expected_versions(f'{etag(version)},{etag(other)}, W/"3x"') == {version, other}
    assert matches(f'"a", W/{etag(version)}', etag(version))
    assert matches(etag(version), etag(other)) == (version == other)


@given(header=st.text(max_size=40))
def test_any_header_is_read(header):
    assert expected_versions(header) is None or all(version >= 0 for version in expected_versions(header) or ())
    assert matches(header, '"1"') == (header.strip() == "*" or '"1"' in header)


@pytest.mark.parametrize("cash", [{"weight": 1}, {"amount": 5000, "currency": "EUR"}])
async def test_a_portfolio_may_be_cash_alone(client, cash):
    created = await client.post("/api/portfolios", json={"name": "Cash", "cash": cash})
    assert created.status_code == 201, created.text
    portfolio = created.json()
    assert (portfolio["assets"], portfolio["holdings"]) == ({}, {})
    assert {name: portfolio["cash"][name] for name in cash} == cash
    for path, body in (
        ("risk", {"portfolio_id": portfolio["id"]}),
        ("tearsheets", {"portfolio": portfolio["id"]}),
        ("optimization/hrp", {"portfolioId": portfolio["id"]}),
        ("monte-carlo/simulate", {"portfolioId": portfolio["id"]}),
    ):
        answer = await client.post(f"/api/{path}", json=body)
        assert answer.status_code in (200, 422), (path, answer.text)


async def test_cash_alone_has_the_whole_weight(client):
    answer = await client.post("/api/portfolios", json={"name": "Cash", "cash": {"weight": 0.5}})
    assert (answer.status_code, "add up to 0.5" in answer.text) == (422, True)


async def test_the_performance_of_a_portfolio_is_its_tear_sheet(client):
    created = (await create_portfolio(client, assets={"AAPL": 0.5, "JNJ": 0.5})).json()
    place = f"/api/portfolios/{created['id']}/performance"
    days = {"first_day": "2005-01-03", "last_day": "2009-12-31"}
    performance = await client.get(place, params=days | {"benchmark": "sp500"})
    assert performance.status_code == 200, performance.text
    body = {"portfolio": created["id"], "benchmark": "sp500"} | days
    assert performance.json() == (await client.post("/api/tearsheets", json=body)).json()
    reversed_days = {"first_day": "2010-01-04", "last_day": "2009-12-31"}
    refused = await client.get(place, params=reversed_days)
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (422, "query.first_day")
    assert (await client.get(f"/api/portfolios/{'0' * 20}/performance")).status_code == 404
