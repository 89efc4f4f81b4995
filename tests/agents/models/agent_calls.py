"""Runs one agent with a chain of models and collects what it emits."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage

from agents.build import build
from agents.models.factory import ModelChain
from agents.table import AGENTS
from desk.compute.local import LocalRunner
from desk.governance.principals import Principal
from desk.governance.usage import AgentName
from desk.market.bundled import BundledPrices
from desk.optimization.inputs.market_data import load_market
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.request import OptimizationRequest
from desk.runs.context import Context, RunMarket
from store.embedded import open_store

AGENT: AgentName = "risk_manager"


@asynccontextmanager
async def open_context(home: Path) -> AsyncGenerator[Context]:
    prices = BundledPrices()
    request = OptimizationRequest()
    async with open_store(home) as store:
        yield Context(
            principal=Principal(owner="local"),
            run="r",
            request=request,
            store=store,
            jobs=LocalRunner(store, partial(load_owned_market, store, prices)),
            market=RunMarket(partial(load_market, prices), request),
            ledger="",
        )


async def ask_agent(
    context: Context, models: ModelChain, text: str = "Go.", agent_name: AgentName = AGENT
) -> list[Any]:
    """The stream events of the agent's model calls, followed by its answer."""
    agent = build(replace(AGENTS[agent_name], max_tool_calls=2, max_model_calls=2), models)
    question = {"messages": [HumanMessage(text)]}
    items: list[Any] = []
    async for part in agent.loop.astream(question, context=context, stream_mode=["custom", "updates"], version="v2"):
        if part["type"] == "custom":
            items.append(part["data"])
        elif part["type"] == "updates":
            updates: Any = part["data"]
            items += [u["structured_response"] for u in updates.values() if (u or {}).get("structured_response")]
    return items
