"""Answers what must be answered before anything heavy is imported: `python -m tests.api.light_startup HOME`.

An import of a heavy library raises an error that no code handles.
"""

import asyncio
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

HEAVY = frozenset(
    "arch boto3 botocore clarabel exchange_calendars langchain langchain_aws langchain_core langgraph llvmlite "
    "matplotlib numba numpy pandas pyarrow scipy".split()
)
RULE = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63, "rebalancing": "monthly"}


class Heavy(BaseException):
    """No `except` of a library takes it for one that is merely not installed."""


class Refuse(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in HEAVY:
            raise Heavy(name)
        return None


async def answer(home: str) -> None:
    import httpx

    from api.app import create_app, create_dependencies
    from api.models import model_maker
    from api.settings import Settings

    settings = Settings.model_validate({"STRATIGOS_HOME": home})
    app = create_app(settings, create_dependencies(settings, model_maker(settings), queued=True))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api") as client,
    ):

        async def ask(method: str, path: str, status: int, body: Any = None) -> Any:
            answer = await client.request(method, path, json=body)
            assert answer.status_code == status, f"{method} {path}: {answer.text}"
            return answer.json()

        await ask("GET", "/health", 200)
        portfolio = await ask("POST", "/portfolios", 201, {"name": "Balanced", "assets": {"SPY": 0.6, "AGG": 0.4}})
        assert await ask("GET", f"/portfolios/{portfolio['id']}", 200) == portfolio
        assert await ask("GET", "/portfolios", 200) == [portfolio]
        whole = {"trials": 20, "universe": "stocks", "limits": {"max_drawdown": {"bound": 0.2}}}
        job = await ask("POST", "/jobs", 202, {"trials": 20, "seed": 7})
        other = await ask("POST", "/jobs", 202, whole)
        refused = await ask("POST", "/jobs", 422, whole | {"universe": "sp500", "space": {"inner": ["equal_weight"]}})
        assert "space.inner" in refused["error"]["message"]
        await ask("POST", "/jobs", 422, {"trials": 0})
        assert (await ask("GET", f"/jobs/{job['id']}", 200))["state"] == "queued"
        assert (await ask("GET", f"/jobs/{other['id']}/request", 200))["universe"] == "stocks"
        assert len((await ask("GET", "/jobs", 200))["items"]) == 2
        assert (await ask("DELETE", f"/jobs/{job['id']}", 202))["state"] == "cancelled"
        assert (await ask("POST", f"/jobs/{job['id']}/restart", 202))["state"] == "queued"
        assert (await ask("GET", f"/runs/{job['id']}/events/poll", 200))["events"]
        await ask("GET", "/threads", 200)
        try:
            await ask("POST", "/jobs", 202, {"trials": 20, "universe": "stocks:AAPL"})
        except Heavy:
            print("light")  # and imports are watched: a new data set has to be loaded


if __name__ == "__main__":
    sys.meta_path.insert(0, Refuse())
    asyncio.run(answer(sys.argv[1]))
