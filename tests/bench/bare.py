"""A FastAPI route with nothing behind it: `python -m uvicorn --factory tests.bench.bare:create_app`.

It returns the bytes of the file that BARE_CONTENT names.
"""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response


def create_app() -> FastAPI:
    content = Path(os.environ["BARE_CONTENT"]).read_bytes()
    app = FastAPI()

    @app.get("/answer")
    async def answer() -> Response:
        return Response(content, media_type="application/json")

    @app.post("/answer")
    async def write(request: Request) -> Response:
        await request.json()
        return Response(content, media_type="application/json")

    return app
