"""`tearsheet` on the command line: files of prices, returns and holdings, formats, and what is refused."""

import csv
import json
from datetime import date, timedelta

import pytest

from api.cli.main import run

DAYS = [date(2015, 1, 31) + timedelta(days=30 * n) for n in range(40)]
FUND = [0.02 if n % 3 else -0.03 for n in range(40)]
PEER = [0.01 if n % 2 else -0.005 for n in range(40)]


@pytest.fixture
def returns_file(tmp_path):
    path = tmp_path / "returns.csv"
    lines = [f"{day},{fund},{peer}" for day, fund, peer in zip(DAYS, FUND, PEER, strict=True)]
    path.write_text("\n".join(["date,Fund,Peer", *lines]) + "\n", encoding="utf-8")
    return path


def document(capsys, *arguments):
    assert run(["tearsheet", *map(str, arguments), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_file_of_returns_is_described_against_another_column(returns_file, capsys):
    sheet = document(capsys, "--returns", returns_file, "--benchmark", "Peer", "--cash-rate", "0")
    assert (sheet["title"], sheet["benchmark"], sheet["frequency"]) == ("Fund", "Peer", "monthly")
    assert sheet["series"]["returns"] == pytest.approx(FUND)
    assert sheet["series"]["benchmark_returns"] == pytest.approx(PEER)


def test_prices_of_a_column_have_its_returns(tmp_path, capsys):
    path = tmp_path / "prices.csv"
    wealth = [100.0]
    for value in FUND:
        wealth.append(wealth[-1] * (1 + value))
    rows = zip([date(2015, 1, 1), *DAYS], wealth, strict=True)
    path.write_text("date,Peer,Fund\n" + "".join(f"{day},5,{value!r}\n" for day, value in rows), encoding="utf-8")
    sheet = document(capsys, "--prices", path, "--column", "Fund", "--benchmark", "none")
    assert sheet["series"]["returns"] == pytest.approx(FUND)


def test_a_file_of_holdings_is_followed(tmp_path, capsys):
    path = tmp_path / "holdings.csv"
    path.write_text("date,AAPL,cash\n2004-12-31,0.6,0.4\n2009-12-31,1,\n", encoding="utf-8")
    sheet = document(capsys, "--holdings", path, "--benchmark", "none", "--last-day", "2010-12-31")
    assert sheet["first_day"] == "2005-01-03"
    assert max(row["value"] for row in sheet["statistics"] if row["name"] == "max_leverage") == pytest.approx(1.0)


def test_the_ending_of_the_output_is_its_format(returns_file, tmp_path, capsys):
    for name, start in (("sheet.html", b"<!doctype"), ("sheet.csv", b"name,"), ("sheet.xlsx", b"PK")):
        target = tmp_path / name
        assert run(["tearsheet", "--returns", str(returns_file), "--output", str(target)]) == 0
        assert target.read_bytes().lstrip().startswith(start)
    assert run(["tearsheet", "--returns", str(returns_file), "--format", "csv", "--table", "months"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(int(row["year"]), int(row["month"])) for row in rows][:2] == [(2015, 1), (2015, 3)]


def test_the_terminal_shows_statistics_drawdowns_and_caveats(returns_file, capsys):
    assert run(["tearsheet", "--returns", str(returns_file), "--benchmark", "none"]) == 0
    shown = capsys.readouterr().out
    for text in ("Fund", "Sharpe ratio", "Deepest drawdowns", "Calendar year", "Excess returns are above"):
        assert text in shown


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the subject is missing"),
        (["--asset", "AAPL", "--portfolio", "p-1"], "exactly one of --asset"),
        (["--asset", "AAPL", "--column", "X"], "--column with --prices"),
        (["--returns", "FILE", "--prices", "FILE"], "--prices and --returns"),
        (["--returns", "FILE", "--column", "Nix"], "has no column Nix"),
        (["--asset", "AAPL", "--window", "one"], "--window"),
        (["--asset", "AAPL", "--output", "x.pdf"], "ends with .json"),
        (["--run", "nope"], "there is no run"),
    ],
)
def test_what_is_refused_is_named(returns_file, arguments, text, capsys):
    named = [str(returns_file) if each == "FILE" else each for each in arguments]
    assert run(["tearsheet", *named]) == 2
    assert text in capsys.readouterr().err
