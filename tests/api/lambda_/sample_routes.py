"""Routes that answer as only few of the application's own do: late, in pieces, not at all."""

import asyncio
import os
from collections.abc import AsyncGenerator

from fastapi import FastAPI
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse


def with_routes(app: FastAPI, gate: asyncio.Event) -> FastAPI:
    """`gate` is waited for by a stream, and set by what is done after an answer."""
    app.state.gate = gate
    for route in (stream, endless, broken, faulty, slow, echo, after):
        app.add_route(f"/odd/{route.__name__}", route, methods=["GET", "POST", "HEAD"])
    app.add_route("/odd/told/{rest:path}", request_details)
    return app


async def stream(request: Request) -> Response:
    async def events() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        await request.app.state.gate.wait()
        yield b"data: 2\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def endless(request: Request) -> Response:
    async def half() -> AsyncGenerator[bytes]:
        yield b"half"
        await asyncio.sleep(30)

    return StreamingResponse(half(), media_type="text/csv")


async def broken(request: Request) -> Response:
    async def half() -> AsyncGenerator[bytes]:
        yield b"half"
        raise RuntimeError("the database at db.internal is gone")

    return StreamingResponse(half())


async def faulty(request: Request) -> Response:
    raise RuntimeError("the database at db.internal is gone")


async def slow(request: Request) -> Response:
    await asyncio.sleep(30)
    return PlainTextResponse("at last")


async def echo(request: Request) -> Response:
    answer = Response(await request.body())
    for value in ("a=1", "b=2"):
        answer.headers.append("set-cookie", value)
    return answer


async def after(request: Request) -> Response:
    async def work() -> None:
        await asyncio.sleep(0.1)
        request.app.state.gate.set()

    return PlainTextResponse("at once", background=BackgroundTask(work))


async def request_details(request: Request) -> Response:
    scope = request.scope
    return JSONResponse(
        {
            "path": scope["path"],
            "root": scope["root_path"],
            "query": scope["query_string"].decode(),
            "several": request.headers.getlist("x-several"),
            "cookie": request.headers.get("cookie"),
            "client": scope["client"][0],
            "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        }
    )
