"""A FastAPI route with nothing behind it: `python -m uvicorn tests.bench.bare:app` returns the bytes of a file."""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response

CONTENT = Path(os.environ["BARE_CONTENT"]).read_bytes()

app = FastAPI()


@app.get("/answer")
async def read() -> Response:
    return Response(CONTENT, media_type="application/json")


@app.post("/answer")
async def write(request: Request) -> Response:
    await request.json()
    return Response(CONTENT, media_type="application/json")
