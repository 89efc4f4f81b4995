from collections.abc import Iterator

import pytest

from tests.bench.comparison import Comparison, report
from tests.web.conftest import browse, chromium, job, open_pages, pytest_pyfunc_call, service

__all__ = ["browse", "chromium", "job", "open_pages", "pytest_pyfunc_call", "service"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-results", action="store_true", help="write RESULTS.md, which asks for all benchmarks")


@pytest.fixture(scope="session")
def comparison(request: pytest.FixtureRequest) -> Iterator[Comparison]:
    """Collects the rows of all benchmarks and prints them once, at the end."""
    rows = Comparison()
    yield rows
    if rows.rows:
        report(rows.rows, write=bool(request.config.getoption("--write-results", default=False)))
