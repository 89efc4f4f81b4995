"""Tables of results: each field is one column with the value of the object."""

import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from desk.base.frames import columns_of, frame, series_frame
from desk.portfolios.schemas import Portfolio
from desk.wealth.schemas import Bands
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured


class Inner(Frozen):
    depth: int


class Row(Frozen):
    name: str
    sharpe: Measured
    inner: Inner
    assets: dict[str, float]


ROW = Row(name="a", sharpe=Measured(value=0.5, error=0.1), inner=Inner(depth=3), assets={"AAPL": 0.6, "name": 0.4})


def test_nested_fields_and_standard_errors_become_columns():
    expected = {"name": "a", "sharpe": 0.5, "sharpe_error": 0.1, "depth": 3, "assets.AAPL": 0.6, "assets.name": 0.4}
    assert columns_of(ROW) == expected


def test_a_table_has_one_row_per_item_under_its_label():
    table = frame([ROW, ROW.model_copy(update={"name": "b"})], index="name")
    assert list(table.index) == ["a", "b"]
    assert list(table["sharpe"]) == [0.5, 0.5]


def test_an_empty_table_has_no_rows():
    assert frame([], index="name").empty


def test_missing_values_of_a_series_are_nan():
    table = series_frame([date(2024, 1, 2), date(2024, 1, 3)], {"close": [1.0, None]})
    assert table["close"].dtype == np.float64
    assert table.loc["2024-01-02", "close"] == 1.0
    assert table["close"].isna().tolist() == [False, True]


def test_a_portfolio_shows_weights_and_units():
    fields = dict.fromkeys(("id", "name", "description", "notes"), "x")
    moments = dict.fromkeys(("created_at", "updated_at"), "2024-01-02T00:00:00Z")
    portfolio = Portfolio.model_validate(
        {
            **fields,
            **moments,
            "assets": {"A": 0.7},
            "holdings": {"A": 5, "B": 2},
            "cash": None,
            "tags": (),
            "version": 1,
        }
    )
    table = portfolio.to_frame()
    assert table.loc["A"].to_dict() == {"weight": 0.7, "units": 5.0}
    assert table["weight"].isna().tolist() == [False, True]


def test_bands_of_a_simulation_keep_each_percentile_with_its_period():
    bands = Bands(
        periods=(0, 21),
        years=(0.0, 1 / 12),
        mean=(100.0, 101.0),
        percentiles={"p5": (100.0, 95.0), "p95": (100.0, 108.0)},
        price_level=(1.0, 1.002),
        probability_of_ruin=(0.0, 0.0),
    )
    table = bands.to_frame()
    assert list(table.index) == [0, 21]
    assert table.loc[21, "percentiles.p5"] == 95.0
    assert table.loc[21, "mean"] == 101.0


@pytest.mark.parametrize("module", ["desk.base.frames", "desk.optimization.result", "desk.wealth.schemas"])
def test_pandas_is_not_imported_before_a_table_is_made(module):
    code = f"import sys, {module}; print('pandas' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"
