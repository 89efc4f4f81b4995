"""Imports, data sets, prices and returns over HTTP."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.http.routes.market_data import PriceSeries, ReturnSeries
from desk.market.bundled import BundledPrices
from tests.api.http.application import application, open_client
from tests.api.http.sample_requests import PRICES_A, PRICES_B, SESSIONS, price_file

pytestmark = pytest.mark.anyio

IMPORTS = "/api/market-data/imports"
DATASETS = "/api/market-data/datasets"


WRONGLY_ASKED: list[tuple[str, dict[str, str], str]] = [
    ("prices", {"symbols": "NIX"}, "no data set has prices of 'NIX'"),
    ("prices", {"symbols": "AAPL,AAPL"}, "each symbol once"),
    ("prices", {"symbols": ","}, "a symbol is empty"),
    ("prices", {"symbols": ",".join(f"S{n}" for n in range(101))}, "1 to 100"),
    ("prices", {"symbols": "AAPL", "startDate": "2022-02-01", "endDate": "2022-01-01"}, "startDate"),
    ("prices", {"symbols": "AAPL", "startDate": "yesterday"}, "startDate"),
    ("prices", {"symbols": "AAPL", "interval": "1h"}, "one of 1d, 1wk or 1mo"),
    ("prices", {}, "symbols: it is missing"),
    ("returns", {"symbols": "dates"}, "response keys"),
    ("returns", {"symbols": "AAPL", "returnType": "yearly"}, "daily, weekly or monthly"),
]
WRONG_OPTIONS: list[tuple[dict[str, str], str]] = [
    ({"dataset": "stocks"}, "'stocks' is reserved"),
    ({"dataset": "No Name"}, "dataset"),
    ({"mapping": "day:date"}, "date, symbol, open"),
    ({"mapping": "date"}, "role:column"),
    ({"mapping": "close:Settle"}, "has no column"),
    ({"accept": "movement:x"}, "reasons of 3 to 300 characters"),
    ({"calendar": "MOON"}, "the name of an exchange calendar"),
    ({"mode": "extend"}, "mydata does not exist yet"),
    ({"currency": "euro"}, "currency"),
    ({"colour": "red"}, "there is no such parameter"),
]


def bars() -> list[dict[str, Any]]:
    """Long, with bars; written down by hand, so that a week can be read off."""
    rows: list[dict[str, Any]] = []
    for n, (day, close) in enumerate(zip(SESSIONS, PRICES_A, strict=True)):
        rows.append(
            {
                "Date": day,
                "Symbol": "A",
                "Open": close - 0.5,
                "High": close + 1.0,
                "Low": close - 1.0,
                "Close": close,
                "Volume": 1000 + n,
            }
        )
    return rows


@asynccontextmanager
async def client_of(home: Path, owner: str = "local") -> AsyncGenerator[httpx.AsyncClient]:
    async with open_client(application(home, owner=owner)) as client:
        yield client


async def import_file(client: httpx.AsyncClient, content: str | bytes, **options: Any) -> httpx.Response:
    return await client.post(IMPORTS, params={"dataset": "mydata", **options}, content=content)


async def committed(client: httpx.AsyncClient, content: str | bytes, **options: Any) -> dict[str, Any]:
    answer = await import_file(client, content, dry_run=False, **options)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def gate(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(gate for gate in report["version"]["gates"] if gate["name"] == name)


async def test_a_dry_run_says_what_would_be_and_stores_nothing(home):
    async with client_of(home) as client:
        report = (await import_file(client, price_file())).json()
        listed = (await client.get(DATASETS)).json()
        events = (await client.get("/api/market-data/events")).json()
    assert (report["committed"], report["usable"], report["version"]["assets"]) == (False, True, ["A", "B"])
    assert report["version"]["understood"]["layout"] == "wide"
    assert report["version"]["changes"]["added_days"] == len(SESSIONS)
    assert gate(report, "length")["status"] == "WARN"
    assert listed == {"items": [], "next": None}
    assert events == {"events": [], "last": 0}


async def test_a_committed_version_is_found_again(home):
    async with client_of(home) as client:
        answer = await client.post(
            IMPORTS, params={"dataset": "mydata", "dry_run": False}, files={"file": ("../../x.csv", price_file())}
        )
        assert answer.status_code == 201
        report = answer.json()
        hash_ = report["version"]["hash"]
        again = await import_file(client, price_file(), dry_run=False)
        dataset = (await client.get(f"{DATASETS}/mydata")).json()
        version = await client.get(answer.headers["Location"])
        short = await client.get(f"{DATASETS}/mydata/versions/{hash_[:8]}")
        commits = (await client.get(f"{DATASETS}/mydata/versions")).json()
        events = (await client.get("/api/market-data/events", params={"wait": 0})).json()
        missing = [await client.get(f"{DATASETS}/{path}") for path in ("nothing", "mydata/versions/abcdef12")]
    assert (again.status_code, again.json()["unchanged"], again.json()["committed"]) == (200, True, False)
    assert version.json() == short.json() == dataset["current"] == report["version"]
    assert [commit["hash"] for commit in dataset["versions"]] == [hash_] == [c["hash"] for c in commits["items"]]
    assert dataset["dataset"]["freshness"]["fresh"] is False
    assert {regime["asset"] for regime in version.json()["regimes"]} == {"A", "B"}
    (event,) = events["events"]
    assert (event["event"], event["dataset"], event["version"], events["last"]) == ("imported", "mydata", hash_, 1)
    assert [answer.status_code for answer in missing] == [404, 404]


async def test_every_format_gives_the_same_version(home):
    rows = bars()
    csv = "\n".join([",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)])
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    series = {"A": {"dates": columns["Date"], **{n.lower(): columns[n] for n in list(columns)[2:]}}}
    files = {
        "csv": csv,
        "xlsx": workbook(rows),
        "parquet": parquet(columns),
        "records": json.dumps(rows),
        "columns": json.dumps(columns),
        "series": json.dumps(series),
        "newest first": "\n".join([csv.split("\n")[0], *reversed(csv.split("\n")[1:])]),
    }
    async with client_of(home) as client:
        reports = {kind: (await import_file(client, content)).json() for kind, content in files.items()}
    assert len({report["version"]["hash"] for report in reports.values()}) == 1
    assert reports["csv"]["version"]["fields"] == ["open", "high", "low", "close", "volume"]
    assert gate(reports["csv"], "high_low")["status"] == "PASS"
    formats = [report["version"]["understood"]["format"] for report in reports.values()]
    assert formats == ["csv", "xlsx", "parquet", "json", "json", "json", "csv"]


def workbook(rows: list[dict[str, Any]], **cells: Any) -> bytes:
    import datetime as dt

    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append([dt.datetime.fromisoformat(row["Date"]), *list(row.values())[1:]])
    for place, value in cells.items():
        sheet[place] = value
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parquet(columns: dict[str, list[Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


async def test_prices_by_day_week_and_month(home):
    async with client_of(home) as client:
        await committed(client, json.dumps(bars()))
        params = {"symbols": "A", "startDate": "2024-01-01", "endDate": "2024-12-31"}
        day, week, month = [
            (await client.get("/api/market-data/prices", params=params | {"interval": interval})).json()["A"]
            for interval in ("1d", "1wk", "1mo")
        ]
    for one in (day, week, month):
        PriceSeries.model_validate(one)
    assert (day["dates"], day["close"], day["partial"]) == (SESSIONS, PRICES_A, [])
    assert week["dates"] == ["2024-01-05", "2024-01-12", "2024-01-19", "2024-01-22"]
    assert week["open"] == [99.5, 102.5, 105.5, 107.5]
    assert week["high"] == [103.0, 106.0, 108.0, 109.0]
    assert week["low"] == [98.5, 101.5, 103.5, 107.0]
    assert week["close"] == [102.0, 105.0, 107.0, 108.0]
    assert week["volume"] == [1000 + 1001 + 1002 + 1003, 4 * 1000 + 4 + 5 + 6 + 7 + 1000 + 8, 4042, 1013]
    assert week["partial"] == ["2024-01-22"]  # the first week began with a holiday: nothing of it is missing
    assert (month["dates"], month["close"], month["partial"]) == (["2024-01-22"], [108.0], ["2024-01-22"])


async def test_returns_align_inner_and_outer(home):
    a, b = (dict(zip(SESSIONS, closes, strict=True)) for closes in (PRICES_A, PRICES_B))
    del b["2024-01-04"], b["2024-01-22"]
    text = "date,symbol,close\n" + "".join(f"{d},{n},{v}\n" for n, one in (("A", a), ("B", b)) for d, v in one.items())
    async with client_of(home) as client:
        await committed(client, text.replace("2024-01-04,A,99.5\n", ""), calendar="none")
        blocked = (await import_file(client, text, calendar="none")).json()
        params = {"symbols": "A,B", "startDate": "2024-01-01", "endDate": "2024-12-31"}
        inner, outer, weekly, log = [
            (await client.get("/api/market-data/returns", params=params | more)).json()
            for more in ({}, {"alignment": "outer"}, {"returnType": "weekly"}, {"kind": "log"})
        ]
    assert gate(blocked, "asset_calendars") | {"detail": ""} == {
        "name": "asset_calendars",
        "status": "FAIL",
        "detail": "",
        "rows": ["2024-01-04 B"],
    }
    for answer in (inner, outer, weekly, log):
        ReturnSeries.model_validate(answer)
        assert len(answer["A"]) == len(answer["B"]) == len(answer["dates"])
    days = [day for day in SESSIONS if day not in ("2024-01-04", "2024-01-22")]
    assert inner["dates"] == days[1:]
    assert inner["A"] == pytest.approx(np.diff([a[d] for d in days]) / [a[d] for d in days[:-1]])
    assert log["B"] == pytest.approx(np.diff(np.log([b[d] for d in days])))
    assert outer["dates"] == [*days[1:], "2024-01-22"]
    assert outer["B"][-1] is None
    assert outer["A"][-1] == pytest.approx(108.0 / 107.0 - 1.0)
    assert weekly["dates"] == ["2024-01-12", "2024-01-19"]
    assert weekly["A"] == pytest.approx([105.0 / 102.0 - 1.0, 107.0 / 105.0 - 1.0])


async def test_without_days_the_last_year_of_the_bundled_data_is_shown(home):
    async with client_of(home) as client:
        response = await client.get("/api/market-data/prices", params={"symbols": "AAPL,SP500"})
        empty = await client.get(
            "/api/market-data/prices", params={"symbols": "AAPL", "startDate": "2024-01-01", "endDate": "2024-02-01"}
        )
        unchanged = await client.get(
            "/api/market-data/prices",
            params={"symbols": "AAPL,SP500"},
            headers={"If-None-Match": response.headers["ETag"]},
        )
    aapl = response.json()["AAPL"]
    assert (aapl["dates"][0], aapl["dates"][-1], len(aapl["dates"])) == ("2021-12-28", "2022-12-28", 253)
    assert aapl["open"] == [None] * 253
    assert "last year is shown" in aapl["notes"][0]
    assert aapl["version"] is None
    loaded = await BundledPrices().load("stocks:AAPL")
    assert aapl["close"] == loaded.closes[-253:, 0].tolist()
    assert empty.json()["AAPL"]["dates"] == []
    assert "known from 1990-01-02 to 2022-12-28" in empty.json()["AAPL"]["notes"][0]
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_what_is_asked_wrongly_is_said(home):
    async with client_of(home) as client:
        for path, params, words in WRONGLY_ASKED:
            answer = await client.get(f"/api/market-data/{path}", params=params)
            assert answer.status_code == 422, params
            assert words in json.dumps(answer.json(), ensure_ascii=False)


async def test_what_was_known_at_a_time(home):
    async with client_of(home) as client:
        first = await committed(client, price_file())
        second = await committed(client, price_file([x * 1.02 for x in PRICES_A]))
        at = {"asOf": first["version"]["at"], "symbols": "A", "dataset": "mydata", "endDate": "2024-02-01"}
        then = (await client.get("/api/market-data/prices", params=at)).json()["A"]
        now = (await client.get("/api/market-data/prices", params={**at, "asOf": second["version"]["at"]})).json()["A"]
        pinned = f"mydata@{first['version']['hash'][:10]}"
        by_hash = await client.get(
            "/api/market-data/prices", params={"symbols": "A", "dataset": pinned, "endDate": "2024-02-01"}
        )
        before = await client.get("/api/market-data/prices", params={**at, "asOf": "2001-01-01T00:00:00Z"})
        response = await client.get(f"{DATASETS}/mydata", params={"as_of": first["version"]["at"]})
        missing = await client.get("/api/market-data/prices", params={"symbols": "A", "dataset": "mydata@ffffff"})
    assert then["close"] == by_hash.json()["A"]["close"] == PRICES_A
    assert now["close"] == [x * 1.02 for x in PRICES_A]
    assert response.json()["current"]["hash"] == first["version"]["hash"]
    assert response.json()["dataset"]["latest"] == second["version"]["hash"]
    assert second["version"]["changes"]["adjustments"][0] | {"dates": None} == {
        "symbol": "A",
        "count": len(PRICES_A),
        "first": SESSIONS[0],
        "last": SESSIONS[-1],
        "largest": pytest.approx(0.02),
        "dates": None,
    }
    assert (before.status_code, missing.status_code) == (422, 404)
    assert "mydata did not exist then" in before.text


async def test_extending_keeps_the_days_before_and_replaces_the_overlap(home):
    later = "date,A\n2024-01-22,108.1\n2024-01-23,109\n"
    async with client_of(home) as client:
        await committed(client, price_file())
        report = await committed(client, later, mode="extend")
        wrong = await import_file(client, later, mode="extend", currency="EUR")
        prices = await client.get(
            "/api/market-data/prices", params={"symbols": "A,B", "startDate": "2024-01-19", "endDate": "2024-01-31"}
        )
    changes = report["version"]["changes"]
    assert (changes["added_days"], changes["removed_days"], changes["adjustments"]) == (1, 0, [])
    assert prices.json()["A"]["close"] == [107.0, 108.1, 109.0]
    assert prices.json()["B"]["close"] == [52.8, 53.4]
    assert gate(report, "asset_histories")["rows"] == ["B 2024-01-02 to 2024-01-22"]
    assert (wrong.status_code, wrong.json()["error"]["details"][0]["field"]) == (422, "currency")


async def test_a_failing_gate_stops_a_commit_unless_a_reason_accepts_it(home):
    text = price_file().replace("2024-01-10,104.0,51.1\n", "")
    async with client_of(home) as client:
        dry = (await import_file(client, text)).json()
        refused = await import_file(client, text, dry_run=False)
        useless = await import_file(client, text, dry_run=False, accept="movement:it is fine")
        stored = await committed(client, text, accept="missing_sessions:closed after a storm")
    assert (dry["usable"], gate(dry, "missing_sessions")["status"]) == (False, "FAIL")
    assert refused.status_code == 422
    assert "2024-01-10" in refused.text
    assert "accept=missing_sessions:REASON" in refused.text
    assert "movement does not fail" in useless.text
    finding = gate(stored, "missing_sessions")
    assert (finding["status"], stored["usable"]) == ("WARN", True)
    assert finding["detail"].endswith("accepted: closed after a storm")


async def test_dividends_and_splits_make_total_returns(home):
    rows = [("2024-01-02", 100.0, 0, 0), ("2024-01-03", 51.0, 0, 2), ("2024-01-04", 50.0, 1.02, 0)]
    text = "date,close,dividends,stock splits\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    params = {"symbols": "SPX", "endDate": "2024-02-01"}
    async with client_of(home) as client:
        report = await committed(client, text, symbol="SPX", adjust="dividends_and_splits")
        prices = await client.get("/api/market-data/prices", params=params)
        refused = await import_file(client, price_file(), adjust="dividends")
    assert prices.json()["SPX"]["close"] == pytest.approx([100.0, 102.0, 102.0 * 51.02 / 51.0])
    assert {"unadjusted", "dividend", "split"} <= set(report["version"]["fields"])
    assert "no column of dividends" in refused.text


async def test_a_curve_is_kept_and_is_no_universe(home):
    curve = "date,3M,10Y\n2024-01-02,0.0,4.1\n2024-01-03,-0.1,4.0\n"
    async with client_of(home) as client:
        await committed(client, curve, kind="curve", dataset="rates")
        values = await client.get(
            "/api/market-data/prices", params={"symbols": "3M", "dataset": "rates", "endDate": "2024-02-01"}
        )
        returns = await client.get("/api/market-data/returns", params={"symbols": "3M", "dataset": "rates"})
        changed = await import_file(client, curve, dataset="rates")
    assert values.json()["3M"]["close"] == [0.0, -0.1]
    assert "a curve has no returns" in returns.text
    assert "rates is of the kind curve" in changed.text


async def test_another_owner_sees_nothing(home):
    async with client_of(home) as ann:
        report = await committed(ann, price_file())
        marker = (await ann.post("/api/market-data/markers", json={"symbol": "A", "reason": "a wrong tick"})).json()
    async with client_of(home, owner="ben") as ben:
        hash_ = report["version"]["hash"]
        answers = [
            await ben.get(f"{DATASETS}/mydata"),
            await ben.get(f"{DATASETS}/mydata/versions"),
            await ben.get(f"{DATASETS}/mydata/versions/{hash_}"),
            await ben.get("/api/market-data/prices", params={"symbols": "A", "dataset": "mydata"}),
            await ben.delete(f"/api/market-data/markers/{marker['id']}"),
        ]
        assert [answer.status_code for answer in answers] == [404] * 5
        for path in ("datasets", "markers", "stale-runs"):
            assert (await ben.get(f"/api/market-data/{path}")).json()["items"] == []
        assert (await ben.get("/api/market-data/events")).json()["events"] == []
        assert (await ben.get("/api/market-data/prices", params={"symbols": "A"})).status_code == 422


async def test_data_sets_come_in_pages(home):
    async with client_of(home) as client:
        for name in ("c", "a", "b"):
            await committed(client, price_file(), dataset=name)
        first = (await client.get(DATASETS, params={"limit": 2})).json()
        second = (await client.get(DATASETS, params={"limit": 2, "after": first["next"]})).json()
        wrong = await client.get(f"{DATASETS}/a/versions", params={"after": "x"})
    assert [one["name"] for one in (*first["items"], *second["items"])] == ["a", "b", "c"]
    assert second["next"] is None
    assert wrong.status_code == 422


async def test_options_that_cannot_be(home):
    async with client_of(home) as client:
        for options, words in WRONG_OPTIONS:
            answer = await import_file(client, price_file(), **options)
            assert answer.status_code == 422, options
            assert words in json.dumps(answer.json(), ensure_ascii=False)


async def test_columns_can_be_named(home):
    text = "Day;Fund;Fixing\n2024-01-02;A;1.5\n2024-01-03;A;1.6\n"
    async with client_of(home) as client:
        refused = await import_file(client, text)
        read = await import_file(client, text, mapping=["date:Day", "symbol:Fund", "close:Fixing"])
    assert refused.status_code == 422
    assert read.json()["version"]["understood"]["columns"] == {"date": "Day", "symbol": "Fund", "close": "Fixing"}


async def test_a_form_holds_one_file(home):
    forms: list[Any] = [{"other": "x"}, [("file", "x"), ("more", "y")]]
    async with client_of(home) as client:
        answers = [await client.post(IMPORTS, params={"dataset": "mydata"}, files=form) for form in forms]
    assert [answer.status_code for answer in answers] == [422, 400]


async def test_marks_over_http(home):
    async with client_of(home) as client:
        response = await client.post(
            "/api/market-data/markers", json={"symbol": "AAPL", "reason": "a wrong tick", "start": "2001-01-02"}
        )
        listed = (await client.get("/api/market-data/markers")).json()["items"]
        wrong = [
            await client.post("/api/market-data/markers", json=body)
            for body in (
                {"symbol": "A"},
                {"symbol": "A,B", "reason": "two at once"},
                {"symbol": "A", "reason": "backwards", "start": "2002-01-01", "end": "2001-01-01"},
                {"symbol": "A", "reason": "more", "colour": "red"},
            )
        ]
        gone = await client.delete(response.headers["Location"])
        again = await client.delete(response.headers["Location"])
        events = (await client.get("/api/market-data/events", params={"after": 1})).json()
    assert response.status_code == 201
    assert listed == [response.json()]
    assert response.json()["state"] == "active"
    assert [answer.status_code for answer in wrong] == [422] * 4
    assert (gone.status_code, again.status_code) == (204, 404)
    assert [event["event"] for event in events["events"]] == ["marker_removed"]
    assert events["last"] == 2


async def test_a_reader_waits_for_what_happens_next(home):
    async with client_of(home) as client:
        poll = asyncio.create_task(client.get("/api/market-data/events", params={"wait": 20}))
        await asyncio.sleep(0.05)
        await committed(client, price_file())
        events = (await poll).json()
    assert [event["event"] for event in events["events"]] == ["imported"]
    assert events["events"][0]["regimes"][0]["asset"] == "A"
