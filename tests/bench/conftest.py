from collections.abc import Iterator

import pytest

from tests.bench.comparison import Comparison, report


@pytest.fixture(scope="session")
def comparison() -> Iterator[Comparison]:
    """Where every benchmark puts its rows; printed and written once, after the last."""
    rows = Comparison()
    yield rows
    if rows.rows:
        report(rows.rows)
