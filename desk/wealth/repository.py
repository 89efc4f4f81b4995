"""Simulations that are kept for a month: summary, analysis and bands as records, trajectories as a file."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from desk.base.errors import InvalidInput, NotFound, UserError
from desk.base.owners import register_owner
from desk.market.prices import PriceSource
from desk.portfolios.repository import kept_portfolio
from desk.wealth.schemas import (
    Analysis,
    AnalysisResult,
    Bands,
    Simulation,
    SimulationRequest,
    SimulationResult,
    SimulationSummary,
)
from desk.wealth.simulation import simulated
from quant.numeric.frozen import Frozen
from store.records import Key, Put, iterate_records
from store.store import Store

KIND = "simulation"
BANDS = "simulation_bands"
EVER = "simulation_id"
"""Outlives the simulation, so that an expired one is told from one that never was."""
KEPT = timedelta(days=30)
REMEMBERED = timedelta(days=365)


class Kept(Frozen):
    summary: SimulationSummary
    analysis: AnalysisResult


class Expiry(Frozen):
    at: AwareDatetime
    file: bool = True
    """Whether there may be a file of its trajectories."""


@dataclass(frozen=True)
class SimulationPage:
    simulations: tuple[SimulationSummary, ...]
    after: str | None


class NoSuchSimulation(NotFound):
    """The owner has no simulation of that id, or none with trajectories."""

    code = "no_such_simulation"


class SimulationExpired(UserError):
    """The owner had a simulation of that id."""

    code = "simulation_expired"

    def __init__(self, simulation_id: str, at: datetime) -> None:
        super().__init__(
            f"simulation: {simulation_id!r} expired on {at:%Y-%m-%d}; expected one of the last {KEPT.days} days; "
            "the same request gives the same numbers again"
        )


async def simulate(
    store: Store, prices: PriceSource, owner: str, request: SimulationRequest, *, now: datetime
) -> Simulation:
    """Simulate and keep."""
    weights = request.weights
    if weights is None:
        weights = await _weights_of(store, owner, request.portfolio_id or "")
    found = await simulated(prices, request, weights)
    made = Simulation(
        id=f"s-{uuid.uuid4().hex}",
        portfolio_id=request.portfolio_id,
        parameters=found.parameters,
        result=found.result,
        caveats=found.caveats,
        created_at=now,
        expires_at=now + KEPT,
    )
    await register_owner(store, owner)
    if found.closes is not None:
        await store.blobs.put(_file(owner, made.id), found.closes)
    summary = SimulationSummary.model_validate(
        made.model_dump() | {"result": {"statistics": made.result.statistics.model_dump()}}
    )
    kept = Kept(summary=summary, analysis=found.analysis)
    await store.records.put_many(
        [
            Put(Key(owner, KIND, made.id), kept.model_dump(mode="json"), 0, expires=made.expires_at),
            Put(Key(owner, BANDS, made.id), made.result.bands.model_dump(mode="json"), 0, expires=made.expires_at),
            Put(
                Key(owner, EVER, made.id),
                Expiry(at=made.expires_at, file=found.closes is not None).model_dump(mode="json"),
                0,
                expires=now + REMEMBERED,
            ),
        ]
    )
    return made


async def simulation_of(store: Store, owner: str, simulation_id: str) -> Simulation:
    kept = await _kept(store, owner, simulation_id)
    bands = await store.records.get(Key(owner, BANDS, simulation_id))
    if bands is None:  # it expired between the two reads
        raise await _gone(store, owner, simulation_id)
    result = SimulationResult(statistics=kept.summary.result.statistics, bands=Bands.model_validate(bands.document))
    return Simulation.model_validate(kept.summary.model_dump() | {"result": result.model_dump()})


async def analysis_of(store: Store, owner: str, simulation_id: str) -> Analysis:
    kept = await _kept(store, owner, simulation_id)
    return Analysis(
        id=f"a-{simulation_id.removeprefix('s-')}",
        simulation_id=simulation_id,
        result=kept.analysis,
        created_at=kept.summary.created_at,
    )


async def trajectories_of(store: Store, owner: str, simulation_id: str) -> bytes:
    """The file of its closes: see `desk.wealth.simulation.closes_of`."""
    kept = await _kept(store, owner, simulation_id)
    if kept.summary.parameters.trajectories == 0:
        raise NoSuchSimulation(
            f"simulation: {simulation_id!r} was made without trajectories; expected one made with trajectories above 0"
        )
    return await store.blobs.get(_file(owner, simulation_id))


async def simulations(store: Store, owner: str, *, limit: int = 100, after: str | None = None) -> SimulationPage:
    """The newest first."""
    page = await store.records.list(owner, KIND, after=after, limit=limit, newest_first=True)
    return SimulationPage(tuple(Kept.model_validate(record.document).summary for record in page.records), page.after)


async def forget_trajectories(store: Store, owner: str, now: datetime, *, dry_run: bool) -> int:
    """Delete the files of simulations that have expired; how many."""
    found = 0
    async for record in iterate_records(store.records, owner, EVER):
        expiry = Expiry.model_validate(record.document)
        if not expiry.file or expiry.at > now:
            continue
        found += 1
        if not dry_run:
            await store.blobs.delete(_file(owner, record.key.id))
            gone = expiry.model_copy(update={"file": False}).model_dump(mode="json")
            await store.records.put(record.key, gone, expires=expiry.at - KEPT + REMEMBERED)
    return found


async def _kept(store: Store, owner: str, simulation_id: str) -> Kept:
    record = await store.records.get(Key(owner, KIND, simulation_id))
    if record is None:
        raise await _gone(store, owner, simulation_id)
    return Kept.model_validate(record.document)


async def _gone(store: Store, owner: str, simulation_id: str) -> UserError:
    ever = await store.records.get(Key(owner, EVER, simulation_id))
    if ever is None:
        return NoSuchSimulation(
            f"simulation: there is no simulation {simulation_id!r}; expected the id of one of yours"
        )
    return SimulationExpired(simulation_id, Expiry.model_validate(ever.document).at)


async def _weights_of(store: Store, owner: str, portfolio_id: str) -> dict[str, float]:
    """Of a portfolio that is kept; what they leave is its cash."""
    portfolio = await kept_portfolio(store, owner, portfolio_id)
    if not portfolio.assets:
        reason = "it holds units and no weights"
        raise InvalidInput("portfolioId", portfolio_id, reason=reason, allowed="a portfolio with weights, or weights")
    return portfolio.assets


def _file(owner: str, simulation_id: str) -> str:
    return f"{owner}/trajectories/{simulation_id}.npy"
