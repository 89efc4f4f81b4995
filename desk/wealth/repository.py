"""Stores simulations for 30 days: summary, analysis and bands as records, trajectories as a blob."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from desk.base.errors import InvalidInput, NotFound, UserError
from desk.base.owners import register_owner
from desk.market.prices import PriceSource
from desk.portfolios.repository import load_portfolio
from desk.wealth.schemas import (
    Analysis,
    AnalysisResult,
    Bands,
    Simulation,
    SimulationRequest,
    SimulationResult,
    SimulationSummary,
)
from desk.wealth.simulation import simulate_request
from quant.numeric.frozen import Frozen
from store.records import Key, Put, iterate_records
from store.store import Store

KIND = "simulation"
BANDS = "simulation_bands"
SIMULATION_ID = "simulation_id"
"""Kind of the records that outlive simulations, to distinguish expired ids from unknown ones."""
RETENTION = timedelta(days=30)
ID_RETENTION = timedelta(days=365)


class StoredSimulation(Frozen):
    summary: SimulationSummary
    analysis: AnalysisResult


class Expiry(Frozen):
    at: AwareDatetime
    file: bool = True
    """Whether a blob of its trajectories may exist."""


@dataclass(frozen=True)
class SimulationPage:
    simulations: tuple[SimulationSummary, ...]
    after: str | None


class NoSuchSimulation(NotFound):
    """The owner has no simulation with this id, or it has no trajectories."""

    code = "no_such_simulation"


class SimulationExpired(UserError):
    """The owner's simulation with this id has expired."""

    code = "simulation_expired"

    def __init__(self, simulation_id: str, at: datetime) -> None:
        super().__init__(
            f"Simulation {simulation_id!r} expired on {at:%Y-%m-%d}: simulations are stored for {RETENTION.days} days. "
            "Send the same request again for the same numbers."
        )


async def simulate(
    store: Store, prices: PriceSource, owner: str, request: SimulationRequest, *, now: datetime
) -> Simulation:
    """Simulate and store the simulation."""
    weights = request.weights
    if weights is None:
        weights = await _weights_of(store, owner, request.portfolio_id or "")
    outcome = await simulate_request(prices, request, weights)
    simulation = Simulation(
        id=f"s-{uuid.uuid4().hex}",
        portfolio_id=request.portfolio_id,
        parameters=outcome.parameters,
        result=outcome.result,
        caveats=outcome.caveats,
        created_at=now,
        expires_at=now + RETENTION,
    )
    await register_owner(store, owner)
    if outcome.closes is not None:
        await store.blobs.put(_trajectories_key(owner, simulation.id), outcome.closes)
    summary = SimulationSummary.model_validate(
        simulation.model_dump() | {"result": {"statistics": simulation.result.statistics.model_dump()}}
    )
    stored_simulation = StoredSimulation(summary=summary, analysis=outcome.analysis)
    await store.records.put_many(
        [
            Put(
                Key(owner, KIND, simulation.id),
                stored_simulation.model_dump(mode="json"),
                0,
                expires=simulation.expires_at,
            ),
            Put(
                Key(owner, BANDS, simulation.id),
                simulation.result.bands.model_dump(mode="json"),
                0,
                expires=simulation.expires_at,
            ),
            Put(
                Key(owner, SIMULATION_ID, simulation.id),
                Expiry(at=simulation.expires_at, file=outcome.closes is not None).model_dump(mode="json"),
                0,
                expires=now + ID_RETENTION,
            ),
        ]
    )
    return simulation


async def simulation_of(store: Store, owner: str, simulation_id: str) -> Simulation:
    stored_simulation = await _load(store, owner, simulation_id)
    bands = await store.records.get(Key(owner, BANDS, simulation_id))
    if bands is None:  # expired between the two reads
        raise await _missing_error(store, owner, simulation_id)
    result = SimulationResult(
        statistics=stored_simulation.summary.result.statistics, bands=Bands.model_validate(bands.document)
    )
    return Simulation.model_validate(stored_simulation.summary.model_dump() | {"result": result.model_dump()})


async def analysis_of(store: Store, owner: str, simulation_id: str) -> Analysis:
    stored_simulation = await _load(store, owner, simulation_id)
    return Analysis(
        id=f"a-{simulation_id.removeprefix('s-')}",
        simulation_id=simulation_id,
        result=stored_simulation.analysis,
        created_at=stored_simulation.summary.created_at,
    )


async def trajectories_of(store: Store, owner: str, simulation_id: str) -> bytes:
    """The file of its closes, to decode with `desk.wealth.simulation.decode_closes`."""
    stored_simulation = await _load(store, owner, simulation_id)
    if stored_simulation.summary.parameters.trajectories == 0:
        raise NoSuchSimulation(
            f"Simulation {simulation_id!r} has no trajectories; request them with trajectories above 0."
        )
    return await store.blobs.get(_trajectories_key(owner, simulation_id))


async def simulations(store: Store, owner: str, *, limit: int = 100, after: str | None = None) -> SimulationPage:
    """A page of simulations, newest first."""
    page = await store.records.list(owner, KIND, after=after, limit=limit, newest_first=True)
    return SimulationPage(
        tuple(StoredSimulation.model_validate(record.document).summary for record in page.records), page.after
    )


async def delete_expired_trajectories(store: Store, owner: str, now: datetime, *, dry_run: bool) -> int:
    """Delete the trajectories of expired simulations; their number."""
    count = 0
    async for record in iterate_records(store.records, owner, SIMULATION_ID):
        expiry = Expiry.model_validate(record.document)
        if not expiry.file or expiry.at > now:
            continue
        count += 1
        if not dry_run:
            await store.blobs.delete(_trajectories_key(owner, record.key.id))
            document = expiry.model_copy(update={"file": False}).model_dump(mode="json")
            await store.records.put(record.key, document, expires=expiry.at - RETENTION + ID_RETENTION)
    return count


async def _load(store: Store, owner: str, simulation_id: str) -> StoredSimulation:
    record = await store.records.get(Key(owner, KIND, simulation_id))
    if record is None:
        raise await _missing_error(store, owner, simulation_id)
    return StoredSimulation.model_validate(record.document)


async def _missing_error(store: Store, owner: str, simulation_id: str) -> UserError:
    record = await store.records.get(Key(owner, SIMULATION_ID, simulation_id))
    if record is None:
        return NoSuchSimulation(
            f"Simulation {simulation_id!r} does not exist; expected the id of one of your simulations."
        )
    return SimulationExpired(simulation_id, Expiry.model_validate(record.document).at)


async def _weights_of(store: Store, owner: str, portfolio_id: str) -> dict[str, float]:
    """Weights of a stored portfolio; the remainder is its cash."""
    portfolio = await load_portfolio(store, owner, portfolio_id)
    if not portfolio.assets:
        reason = "it contains units instead of weights"
        raise InvalidInput("portfolioId", portfolio_id, reason=reason, allowed="a portfolio with weights, or weights")
    return portfolio.assets


def _trajectories_key(owner: str, simulation_id: str) -> str:
    return f"{owner}/trajectories/{simulation_id}.npy"
