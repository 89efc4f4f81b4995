"""Tear sheets: statistics, tables and charts of one return series."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from api.export.job_files import MEDIA, Format
from api.export.tearsheet.files import as_file
from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.response_headers import FILE_NAME_HEADER
from desk.tearsheets.schemas import TearsheetDocument, TearsheetRequest, TearsheetTable
from graphs.runs.tearsheets import make_owned_tearsheet

router = APIRouter(tags=["tearsheets"], route_class=limited_route(4_000_000))

_EXAMPLES = Body(
    openapi_examples={
        "asset": {"summary": "An asset against the index", "value": {"asset": "AAPL", "benchmark": "sp500"}},
        "holdings": {
            "summary": "Holdings over time",
            "value": {
                "holdings": [
                    {"date": "2004-12-31", "weights": {"AAPL": 0.6, "cash": 0.4}},
                    {"date": "2009-12-31", "weights": {"AAPL": 0.3, "JNJ": 0.3, "cash": 0.4}},
                ]
            },
        },
        "series": {
            "summary": "Monthly returns of your own",
            "value": {
                "series": {
                    "name": "Fund",
                    "dates": ["2024-01-31", "2024-02-29", "2024-03-28"],
                    "returns": [0.012, -0.004, 0.02],
                },
                "benchmark": "none",
            },
        },
    }
)


@router.post(
    "/tearsheets",
    summary="The tear sheet of an asset, a portfolio, holdings over time, a job's winner or your own series",
    response_description="Statistics with unit and definition, drawdowns, calendar, crises, distribution and series; "
    "or the same as a file",
    response_model=TearsheetDocument,
    responses={
        200: {
            "headers": FILE_NAME_HEADER,
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                MEDIA["xlsx"]: {"schema": {"type": "string", "format": "binary"}},
                "text/html": {"schema": {"type": "string"}},
            },
        },
        **error_responses(400, 404, 409, 410, 413),
    },
)
async def create_tearsheet(
    request: Annotated[TearsheetRequest, _EXAMPLES],
    principal: PrincipalDep,
    service: AppStateDep,
    *,
    format_: Annotated[Format, Query(alias="format", description="`html` is a self-contained page")] = "json",
    table: Annotated[TearsheetTable, Query(description="Content of a csv file")] = "statistics",
) -> Response:
    """Days that a locked holdout keeps are left out. Equal requests on equal data give equal bytes."""
    document = await make_owned_tearsheet(service.dependencies, principal.owner, request)
    content = await asyncio.to_thread(as_file, document, format_, table)  # drawing would block the event loop
    headers = {} if format_ == "json" else {"Content-Disposition": f'attachment; filename="tearsheet.{format_}"'}
    return Response(content, media_type=MEDIA[format_], headers=headers)
