from datetime import date, timedelta

import pytest

from desk.base.errors import InvalidInput
from desk.tearsheets.schemas import MOST_ASSETS, MOST_HOLDINGS, MOST_OBSERVATIONS
from desk.tearsheets.series_files import read_holdings, read_series


@pytest.fixture
def write(tmp_path):
    def file(columns, rows):
        path = tmp_path / "own.csv"
        days = (date(1850, 1, 1) + timedelta(days=n) for n in range(len(rows)))
        lines = (",".join(map(str, (day, *row))) for day, row in zip(days, rows, strict=True))
        path.write_text("\n".join([",".join(["date", *columns]), *lines, ""]), encoding="utf-8")
        return path

    return file


def test_a_file_has_one_series_per_column(write) -> None:
    path = write(["A", "B"], [(0.1, 0.3), ("", 0.4), (0.2, 0.5)])
    first, other = read_series(path, "returns", [None, "b"], field="--column")
    assert (first.name, first.returns, len(first.dates)) == ("A", (0.1, 0.2), 2)
    assert (other.name, other.returns, len(other.dates)) == ("B", (0.3, 0.4, 0.5), 3)


def test_a_series_that_is_too_long_is_refused(write) -> None:
    path = write(["A"], [(0.01,)] * (MOST_OBSERVATIONS + 1))
    with pytest.raises(InvalidInput, match=f"at most {MOST_OBSERVATIONS}"):
        read_series(path, "returns", [None], field="--column")


def test_holdings_of_too_many_assets_or_days_are_refused(write) -> None:
    with pytest.raises(InvalidInput, match=f"{MOST_ASSETS} assets"):
        read_holdings(write([f"A{n}" for n in range(MOST_ASSETS + 1)], [(0.01,) * (MOST_ASSETS + 1)] * 2))
    with pytest.raises(InvalidInput, match=f"at most {MOST_HOLDINGS} days"):
        read_holdings(write(["A", "cash"], [(0.5, 0.5)] * (MOST_HOLDINGS + 1)))
