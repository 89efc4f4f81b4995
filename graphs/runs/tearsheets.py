"""Tear sheets of an owner's series, portfolios and jobs."""

from typing import TYPE_CHECKING

from desk.tearsheets.schemas import TearsheetDocument, TearsheetRequest

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies


async def make_owned_tearsheet(
    dependencies: "Dependencies", owner: str, request: TearsheetRequest
) -> TearsheetDocument:
    """The tear sheet of `request`; raises `NotFinished` for a job that has not completed."""
    # both import numpy
    from desk.tearsheets.document import make_tearsheet
    from graphs.runs.outcomes import load_completed

    store, result = dependencies.store, None
    if request.job is not None:
        result = (await load_completed(store, owner, request.job)).result
    return await make_tearsheet(store, dependencies.prices_of(owner), owner, request, result)
