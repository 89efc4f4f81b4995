"""Answers one request in a new process and prints the times: `python -m tests.bench.first_answer HOME METHOD PATH`.

Seconds are counted from BEGUN, when its parent began it; the body of the request is read from standard input.
"""

import asyncio
import json
import os
import sys
import time

from tests.api.light_startup import HEAVY


async def answer(home: str, method: str, path: str, body: str) -> dict[str, object]:
    import httpx

    from api.app import create_app, create_dependencies
    from api.models import model_maker
    from api.settings import Settings

    settings = Settings.model_validate({"STRATIGOS_HOME": home, "STRATIGOS_LOG_LEVEL": "error"})
    app = create_app(settings, create_dependencies(settings, model_maker(settings), queued=True))
    imported = since_it_began()
    async with app.router.lifespan_context(app):
        start = since_it_began()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api") as client:
            response = await client.request(method, path, content=body, headers={"content-type": "application/json"})
        last = since_it_began()
        heavy = sorted({name.partition(".")[0] for name in sys.modules} & HEAVY)
    return {
        "imported": imported,
        "started": start,
        "answered": last,
        "cpu": time.process_time(),
        "heavy": heavy,
        "status": response.status_code,
        "content": response.text,
    }


def since_it_began() -> float:
    return time.time() - float(os.environ["BEGUN"])


def read_arguments() -> tuple[str, str, str, str]:
    home, method, path = sys.argv[1:]
    return home, method, path, sys.stdin.read()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(answer(*read_arguments()))))
